-- Both engines get the same random operations; results, errors and contents must not differ. A difference is replayed from
-- empty tables with operations taken away, until no fewer show it.
--
--   LARDER_RANDOM_OPS    how many (20,000; a full run takes 1,000,000)
--   LARDER_RANDOM_SEED   repeats a run; "time" takes a new one
--   LARDER_RANDOM_CHECK  operations between two comparisons of all contents (5,000)

local larder = require "larder"
local play = require "spec.support.random.play"
local rng = require "spec.support.random.rng"
local turns = require "spec.support.turns"
local soft = require "spec.support.random.soft"
local twin = require "spec.support.twin"
local types = require "spec.support.random.types"
local zoo = require "spec.support.zoo"

local OPS, CHECK_EVERY, SEED = play.ops, play.check_every, play.seed

local random, chance, pick = rng.int, rng.chance, rng.pick

-- ---- values: few enough that they collide ----

local JSON = {
  function() return { a = 1, b = larder.array {}, c = {} } end,
  function() return larder.array { 1, "two", larder.null, 2.5 } end,
  function() return { a = { b = { c = true } }, n = larder.null } end,
  function() return {} end,
  function() return { k = "v", big = 9007199254740991 } end,
}

local function org() return "o" .. random(4) end
local function person() return "p" .. random(12) end
local function team() return "t" .. random(5) end
local function badge() return "b" .. random(8) end
local function maybe(percent, value) if chance(percent) then return value end end
local function nullable(value) if chance(20) then return larder.null end return value end

local make = {}

function make.orgs()
  return { id = org(), name = maybe(95, "n" .. random(6)), rank = maybe(60, nullable(random(5))), data = maybe(60, pick(JSON)()) }
end

function make.people()
  return {
    org_id = org(), id = person(), email = maybe(80, nullable("e" .. random(10))),
    kind = maybe(50, pick { "staff", "guest", "bot", "cat" }),
    score = maybe(50, pick { "1.005", "-3.1", 12, 999999.99, "1e3", 0.5, "1000000" }), visits = maybe(50, random(100)),
    weight = maybe(50, pick { 0, 1.5, -2.25, 1e300 }), active = maybe(50, chance(50)),
    token = maybe(30, ("00000000-0000-4000-8000-00000000000%d"):format(random(9))), blob = maybe(30, pick { "", "\0\1", "x" }),
    tags = maybe(40, pick { larder.array {}, { "a" }, { "a", "b" }, { "b", larder.null } }),
    deleted_at = maybe(15, "2026-01-0" .. random(9) .. "T00:00:00Z"),
  }
end

function make.teams()
  return { org_id = org(), id = team(), lead_id = maybe(70, nullable(person())), size = maybe(50, random(9) - 2) }
end

function make.badges()
  return { org_id = org(), id = badge(), person_id = person(), code = "c" .. random(9) }
end

local STORES = { "orgs", "people", "people", "people", "teams", "badges" }
local KEY = {
  orgs = function() return org() end,
  people = function() return org(), person() end,
  teams = function() return org(), team() end,
  badges = function() return org(), badge() end,
}

local WHERE = {
  orgs = {
    function() return larder.all {} end,
    function() return { rank = { gte = random(5) } } end,
    function() return { rank = larder.null } end,
    function() return { name = { "n1", "n2", "n3" } } end,
    function() return { data = { contains = { a = 1 } } } end,
    function() return { data = { has_key = "a" } } end,
    function() return larder.not_ { rank = random(5) } end,
  },
  people = {
    function() return { org_id = org() } end,
    function() return { org_id = org(), kind = pick { "staff", "guest", "bot" } } end,
    function() return { visits = { gt = random(100), lte = 90 }, active = chance(50) } end,
    function() return { email = { like = pick { "e1%", "%1", "e_", "x" } } } end,
    function() return { email = { ilike = "E%" } } end,
    function() return { score = { lt = pick { "5", 12, "-1.5" } } } end,
    function() return { tags = { contains = { "a" } } } end,
    function() return larder.any { { kind = "guest" }, { weight = { is_null = true }, deleted_at = { is_null = true } } } end,
    function() return { org_id = org(), id = { person(), person(), person() } } end,
    function() return larder.exists("badges", { org_id = "org_id", person_id = "id" }, { code = { ne = "c1" } }) end,
    function() return { email = { ne = "e1" }, weight = { lt = 1e10 } } end,
    function() return { deleted_at = { gte = "2026-01-05T02:00:00+02:00" } } end,
    function() return { blob = "\0\1" } end,
    function() return { token = "00000000-0000-4000-8000-000000000003" } end,
    function() return { larder.matches(larder.upper "email", "E" .. random(10)), visits = { gt = random(50) } } end,
    function() return { ["org.rank"] = { gte = random(5) } } end,
    function() return { larder.matches(larder.add("score", "visits"), { gt = random(100) }) } end,
    function() return { larder.matches(larder.part("day", "deleted_at"), { random(9), random(9) }) } end,
  },
  teams = {
    function() return { org_id = org() } end,
    function() return { lead_id = larder.null } end,
    function() return { size = { 1, 2, 3 } } end,
    function() return { ["lead.org.name"] = { "n1", "n2", "n3" } } end,
    function() return { larder.matches(larder.mul("size", larder.coalesce("lead.visits", 3)), { lt = 100 }) } end,
  },
  badges = {
    function() return { org_id = org() } end,
    function() return { code = { gt = "c4" } } end,
    function() return larder.all { { org_id = org() }, larder.not_ { person_id = person() } } end,
  },
}

local ORDERS = {
  orgs = { "id", "-created_at", "rank", "-rank", "name" },
  people = { "org_id", "-visits", "kind, -visits", "email", "-email", "score", "-weight", "deleted_at", "-active, id" },
  teams = { "size", "-lead_id" },
  badges = { "code", "-person_id" },
}

local CHANGES = {
  orgs = {
    function() return { rank = nullable(random(9)) } end,
    function() return { name = "n" .. random(6) } end,
    function() return { data = larder.merge { m = random(3) } } end,
    function() return { data = larder.append(larder.array { random(3) }) } end,
    function() return { rank = larder.increment(1) } end,
    function() return { rank = larder.coalesce(7) } end,
  },
  people = {
    function() return { visits = larder.increment(random(5)) } end,
    function() return { visits = larder.greatest(random(120)), weight = larder.coalesce(1.5) } end,
    function() return { email = nullable("e" .. random(10)) } end,
    function() return { kind = larder.default, active = chance(50) } end,
    function() return { tags = larder.append { "z" } } end,
    function() return { score = larder.increment "0.25" } end,
    function() return { deleted_at = nullable "2026-02-01T00:00:00Z" } end,
    function() return { kind = "cat" } end,
  },
  teams = {
    function() return { lead_id = nullable(person()) } end,
    function() return { size = larder.increment(1) } end,
  },
  badges = {
    function() return { person_id = person() } end,
    function() return { code = "c" .. random(9) } end,
  },
}

-- ---- operations: a name and a function of the stores, made once and run on each engine ----

local function with_key(store, fn)
  local a, b = KEY[store]()
  return fn, a, b
end

local function order_of(store) return pick(ORDERS[store]) end
local function where_of(store) return pick(WHERE[store])() end

local kinds = {}

function kinds.create(store)
  local row = make[store]()
  return function(s) return s[store]:create(row) end
end

function kinds.create_many(store)
  local rows = {}
  for i = 1, random(4) do rows[i] = make[store]() end
  return function(s) return s[store]:create_many(rows) end
end

function kinds.get(store)
  return with_key(store, function(s, a, b) return s[store]:get(a, b) end)
end

function kinds.exists(store)
  return with_key(store, function(s, a, b) return s[store]:exists(a, b) end)
end

function kinds.patch(store)
  local changes = pick(CHANGES[store])()
  return with_key(store, function(s, a, b)
    if b then return s[store]:patch(a, b, changes) end
    return s[store]:patch(a, changes)
  end)
end

function kinds.update(store)
  local row = make[store]()
  return function(s) return s[store]:update(row) end
end

function kinds.upsert(store)
  local row = make[store]()
  return function(s) return s[store]:upsert(row) end
end

function kinds.delete(store)
  return with_key(store, function(s, a, b) return s[store]:delete(a, b) end)
end

function kinds.list(store)
  local opts = { where = where_of(store), order = order_of(store), limit = random(6), total = chance(30) }
  return function(s)
    local page, info = s[store]:list(opts)
    if not page then return nil, info end
    local second = info.next and s[store]:list { where = opts.where, order = opts.order, limit = 3, after = info.next }
    return { page = page, more = info.next ~= nil, total = info.total, second = second }
  end
end

function kinds.count(store)
  local where = where_of(store)
  return function(s) return s[store]:count(where) end
end

function kinds.get_many(store)
  local keys = {}
  for i = 1, random(5) do keys[i] = { KEY[store]() } end
  return function(s) return s[store]:get_many(keys) end
end

function kinds.update_where(store)
  local where, changes = where_of(store), pick(CHANGES[store])()
  return function(s) return s[store]:update_where(where, changes) end
end

function kinds.delete_where(store)
  local where = where_of(store)
  return function(s) return s[store]:delete_where(where) end
end

-- ---- includes and figures ----

local INCLUDES = {
  orgs = {
    function() return { people = { order = "-visits", limit = random(3), columns = { "id", "visits" } }, teams = true } end,
    function() return { people = { where = { kind = pick { "staff", "bot" } }, include = { badges = { limit = 1 }, led = true } } } end,
  },
  people = {
    function() return { org = true, badges = { order = "code" } } end,
    function() return { led = { columns = { "size" }, include = { "lead" } }, badges = { offset = 1 } } end,
  },
  teams = { function() return { lead = { columns = { "kind" }, include = { "org" } } } end },
  badges = { function() return { person = { include = { led = { limit = 1 }, badges = { where = { code = { gt = "c3" } } } } } } end },
}

function kinds.include(store)
  local opts = { where = where_of(store), order = order_of(store), limit = random(8), include = pick(INCLUDES[store])() }
  return function(s) return s[store]:list(opts) end
end

local FIGURES = {
  orgs = {
    function()
      return { aggs = { { "count", as = "n" }, { "count", "rank", distinct = true, as = "ranks" } }, groups = { "rank" }, order = "n desc" }
    end,
    function()
      return {
        groups = { { larder.path("data", "a"), as = "a" } }, order = "n, a",
        aggs = { { "count", as = "n" }, { "sum", larder.path { "data", "a", type = "numeric" }, as = "sum" } },
      }
    end,
  },
  people = {
    function()
      return {
        aggs = {
          { "count", as = "n" }, { "sum", "score", as = "score" }, { "sum", "visits", distinct = true, as = "visits" },
          { "count", "email", distinct = true, as = "emails", filter = { active = true } }, { "max", "weight", as = "most" },
        },
        groups = { "kind", "active" }, having = { n = { gt = random(4) } }, limit = random(5),
        order = pick { "score desc", "-emails, n", "most", "kind desc" },
      }
    end,
    function() return { groups = { { "deleted_at", bucket = "day", as = "day" } }, order = "-day", offset = 1 } end,
    function()
      return {
        groups = { "org.name", { larder.part("weekday", "deleted_at"), as = "day" } }, order = "-org_name",
        aggs = { { "count", as = "n" }, { "sum", larder.sub("visits", 10), as = "visits" }, { "avg", larder.abs "score", as = "score" } },
      }
    end,
  },
  teams = { function() return { aggs = { { "sum", "size", as = "size" } }, groups = { "lead_id" }, having = { size = { gte = 2 } } } end },
  badges = { function() return { aggs = { { "count", as = "n" } }, groups = { "person_id" }, order = "n desc", limit = 3 } end },
}

function kinds.aggregate(store)
  local opts = pick(FIGURES[store])()
  opts.where = where_of(store)
  return function(s) return s[store]:aggregate(opts) end
end

function kinds.nested(store)
  if store ~= "orgs" then return kinds.include(store) end
  local row = make.orgs()
  row.people = {}
  for i = 1, random(2) do
    row.people[i] = make.people()
    row.people[i].org_id = nil
  end
  return function(s) return s.orgs:create(row, { include = { people = { include = { "org" } } } }) end
end

local WEIGHTS = {
  create = 30, create_many = 4, get = 12, exists = 4, patch = 14, update = 5, upsert = 8, delete = 6, list = 12, count = 4, get_many = 4,
  update_where = 3, delete_where = 1,
  include = 5, aggregate = 5, nested = 2,
}
local BAG = {}
for _, kind in ipairs { "create", "create_many", "get", "exists", "patch", "update", "upsert", "delete", "list", "count", "get_many",
                        "update_where", "delete_where", "include", "aggregate", "nested" } do
  for _ = 1, WEIGHTS[kind] do BAG[#BAG + 1] = kind end
end

local function single()
  local kind, store = pick(BAG), pick(STORES)
  local fn, a, b = kinds[kind](store)
  local name = table.concat({ kind, store, a, b }, " ")
  return { name = name, run = function(s) return fn(s, a, b) end, size = 1 }
end

-- ---- three transactions that take turns ----

local LOCKS = { "update", "share", "update_skip", "update_nowait" }

local function locked_find()
  local store = pick { "orgs", "people", "teams" }
  local a, b = KEY[store]()
  local where, lock = { id = b or a, org_id = b and a or nil }, pick(LOCKS)
  return { name = "lock " .. lock .. " " .. store, run = function(s) return s[store]:find(where, { lock = lock }) end }
end

local TURN = { "create", "patch", "delete", "get", "upsert", "update" }

-- One write a store and transaction: what an open transaction wrote into a unique and changed again keeps others out on
-- PostgreSQL alone (docs/differences.md).
local function turn(written)
  local kind, store = pick(TURN), pick(STORES)
  if chance(35) or written[store] then return locked_find() end
  if chance(20) then
    store = pick { "lists", "notes" }
    local op = soft.turn(store)
    if written[store] then return locked_find() end
    written[store] = not op.reads or nil
    return op
  end
  written[store] = kind ~= "get" or nil
  local fn, a, b = kinds[kind](store)
  return { name = table.concat({ kind, store, a, b }, " "), run = function(s) return fn(s, a, b) end, beside = kind == "delete" }
end

-- Memory never waits for a lock; PostgreSQL gives up soon here, so that the two can be compared.
local function impatient(db)
  local tx = turns.open(db)
  if db:kind() ~= "memory" then tx(function() return assert(db:query "set local lock_timeout = '20ms'") end) end
  return tx
end

--- Steps of three open transactions in a random order, each ended by commit or rollback at the end.
local function interleaving()
  local steps, names, written, deletes = {}, {}, { {}, {}, {} }, {}
  for i = 1, 3 + random(9) do
    local who = random(3)
    steps[i] = { who = who, op = turn(written[who]) }
    names[i] = steps[i].who .. ": " .. steps[i].op.name
    deletes[who] = deletes[who] or steps[i].op.beside
  end
  local undo = { chance(30), chance(30), chance(30) }
  return {
    name = "three transactions (" .. table.concat(names, ", ") .. ")", size = #steps,
    run = function(s, db, outcome)
      local open, seen = {}, {}
      for i, step in ipairs(steps) do
        open[step.who] = open[step.who] or impatient(db)
        seen[i] = open[step.who](function() return outcome(step.op, s, db) end)
      end
      for who = 1, 3 do
        if open[who] then
          local ok, err = open[who](nil, undo[who])
          local code = type(err) == "table" and err.code or tostring(err)
          seen[#seen + 1] = ok and "committed" or deletes[who] and play.of_a_child(code) or code
        end
      end
      return seen
    end,
  }
end

local function any()
  if chance(40) then return types.op() end
  return chance(25) and soft.op() or single()
end

local function next_operation()
  if chance(2) then return interleaving() end
  return chance(10) and play.transaction(any, 1) or any()
end

-- ---- the two engines ----

local url = os.getenv "LARDER_TEST_URL"

local function both(db)
  local all = zoo.stores(db)
  local stores = { types = twin.stores(db).types, soft = soft.stores(db) }
  for _, name in ipairs { "orgs", "people", "teams", "badges" } do stores[name] = all[name] end
  if db:kind() ~= "memory" then -- whose lock would be another's
    for _, name in ipairs { "zoo.orgs", "zoo.people", "zoo.teams", "zoo.badges", "twin.types" } do
      assert(db:query("alter table " .. name .. " set (autovacuum_enabled = false)"))
    end
  end
  return stores
end

local function contents(stores)
  local all = {}
  for _, name in ipairs { "orgs", "people", "teams", "badges", "types" } do
    local rows = larder.array {}
    for row in stores[name]:each { order = "id" } do rows[#rows + 1] = row end
    all[name] = rows
  end
  for _, name in ipairs { "lists", "notes" } do
    local rows = larder.array {}
    for row in stores.soft[name]:each { with_deleted = true } do rows[#rows + 1] = row end
    all["soft " .. name] = rows
  end
  return play.canonical(all)
end

describe("random operations #random", function()
  it(("leave memory and PostgreSQL without a difference (seed %d)"):format(SEED), function()
    assert.is_string(url, "LARDER_TEST_URL is not set")
    local game = play.game(url, contents, both)
    play.run(game, next_operation, { ops = OPS, check = CHECK_EVERY, seed = SEED })
    game.memory:close()
    game.postgres:close()
  end)
end)
