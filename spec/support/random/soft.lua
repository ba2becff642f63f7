-- Random operations on stores that mark rows as deleted, with every option of their methods: a store that hides marked rows, counts
-- versions and marks by further fields, and one that shows them and refers to the first.

local larder = require "larder"
local rng = require "spec.support.random.rng"

local pick, chance, int = rng.pick, rng.chance, rng.int

local soft = {}

soft.declaration = {
  name = "soft",
  entities = {
    {
      name = "lists", table = "soft.lists",
      fields = {
        { name = "id", type = "int8" },
        { name = "title", type = "text", min_len = 1, max_len = 8, blank = "default", default = "untitled" },
        { name = "state", type = "text", enum = { "open", "shut", "gone" }, default = "open" },
        { name = "rank", type = "int2", null = true, min = 0, max = 9 },
        { name = "pin", type = "text", null = true, hidden = true },
        { name = "made_by", type = "text", null = true, immutable = true },
        { name = "changes", type = "int8", stamp = "version" },
        { name = "created_at", type = "timestamptz", stamp = "insert" },
        { name = "updated_at", type = "timestamptz", stamp = "update" },
        { name = "deleted_at", type = "timestamptz", null = true },
      },
      key = { name = "lists_pkey", "id" },
      uniques = { { name = "lists_title_key", "title", where = { deleted_at = larder.null } } },
      soft_delete = "deleted_at",
      soft = { set = { state = "gone" }, unset = { state = "open" } },
      order = "-rank",
      filters = { state = "state", above = function(n) return { rank = { gt = n } } end },
      methods = { by_title = { get_by = { "title" } }, by_state = { list_by = { "state" } } },
    },
    {
      name = "notes", table = "soft.notes",
      fields = {
        { name = "list", type = "int8" },
        { name = "id", type = "int4" },
        { name = "body", type = "text", null = true },
        { name = "gone", type = "timestamptz", null = true },
      },
      key = { name = "notes_pkey", "list", "id" },
      references = { { name = "notes_list_fkey", fields = { "list" }, to = "lists", as = "of", many = "notes", on_delete = "restrict" } },
      soft_delete = "gone", soft = { hides = false },
      scope = { "list" },
    },
  },
}

soft.sql = [[
drop schema if exists soft cascade;
create schema soft;
create table soft.lists (
  id bigint not null, title text collate "C" not null default 'untitled', state text collate "C" not null default 'open',
  rank smallint, pin text, made_by text, changes bigint not null default 1, created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(), deleted_at timestamptz,
  constraint lists_pkey primary key (id)
) with (autovacuum_enabled = false);
create unique index lists_title_key on soft.lists (title) where deleted_at is null;
create table soft.notes (
  list bigint not null, id integer not null, body text collate "C", gone timestamptz,
  constraint notes_pkey primary key (list, id),
  constraint notes_list_fkey foreign key (list) references soft.lists (id) on delete restrict
) with (autovacuum_enabled = false);
]]

larder.declare(soft.declaration)

--- The family's stores on db, with empty tables.
function soft.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(soft.sql))
    session:rollback()
  end
  return db:stores "soft"
end

-- ---- values ----

local function id() return int(9) end
local function title() return chance(5) and "toolongtext" or pick { "a", "b", "c", "d", "e", "" } end
local function state() return chance(5) and "lost" or pick { "open", "shut", "gone" } end
local function rank() return chance(5) and 10 or pick { 0, 1, 2, 9, larder.null } end
local function maybe(percent, value) if chance(percent) then return value end end
local function both() return pick { true, false } end

local function list_row()
  return {
    id = id(), title = maybe(70, title()), state = maybe(40, state()), rank = maybe(60, rank()), pin = maybe(30, pick { "1", "2" }),
    made_by = maybe(30, pick { "x", "y" }), changes = maybe(15, int(4)),
    deleted_at = maybe(10, pick { "2026-01-02T03:04:05Z", larder.null }), created_at = maybe(5, "2020-01-01T00:00:00Z"),
  }
end

local function note_row()
  return { list = id(), id = int(3), body = maybe(70, title()), gone = maybe(20, "2026-01-02T03:04:05Z") }
end

local WHERE = {
  lists = {
    function() return { id = { id(), id() } } end, function() return { state = state() } end, function() return { rank = {
      lte = int(9) } } end,
    function() return { deleted_at = { is_null = both() } } end, function() return { title = { like = pick { "%", "a%", "_" } } } end,
    function() return larder.exists("notes", { list = "id" }, { body = { ne = "a" } }) end, function() return { changes = int(3) } end,
    function() return larder.not_(larder.exists("notes", { list = "id" })) end, function() return { pin = "1" } end,
  },
  notes = {
    function() return { list = id() } end, function() return { gone = larder.null } end, function() return { body = { "a", "b" } } end,
    function() return larder.exists("lists", { id = "list" }, { state = "open" }) end,
  },
}

local function where_of(store) return pick(WHERE[store])() end

local function key_of(store)
  if store == "lists" then return id() end
  return id(), int(3)
end

local function row_of(store) return store == "lists" and list_row() or note_row() end

local function changes_of(store)
  if store == "notes" then return { body = title(), gone = maybe(20, larder.null) } end
  local set = {
    title = maybe(40, title()), state = maybe(30, state()), rank = maybe(40, chance(50) and larder.increment(int(3)) or rank()),
    pin = maybe(20, larder.null), changes = maybe(30, int(4)), made_by = maybe(10, "z"), deleted_at = maybe(10, larder.null),
  }
  if next(set) == nil then set.title = "a" end
  return set
end

-- Options of a change to one row.
local function expecting(store)
  return {
    where = maybe(40, where_of(store)), with_deleted = maybe(40, both()), keep_stamps = maybe(20, both()),
    include = maybe(20, store == "lists" and { notes = true } or { of = true }),
  }
end

local function reading(store)
  return {
    with_deleted = maybe(50, both()), columns = maybe(30, store == "lists" and pick { { "id" }, { "title", "state" }, { "pin" } } or {
      "body" }),
    include = maybe(30, store == "lists" and { notes = { where = { gone = larder.null } } } or { of = { columns = { "title" } } }),
  }
end

-- fn with the key of a row and options behind it.
local function by_key(store, method, opts)
  local a, b = key_of(store)
  return function(s)
    if b then return s[store][method](s[store], a, b, opts) end
    return s[store][method](s[store], a, opts)
  end
end

-- ---- operations ----

local ops = {}

function ops.create(store) local r = row_of(store) return function(s) return s[store]:create(r) end end
function ops.get(store) return by_key(store, "get", reading(store)) end
function ops.exists(store) return by_key(store, "exists", { with_deleted = maybe(40, both()) }) end
function ops.delete(store) return by_key(store, "delete") end
function ops.soft_delete(store) return by_key(store, "soft_delete") end
function ops.restore(store) return by_key(store, "restore") end
function ops.purge(store) return by_key(store, "purge") end
function ops.purge_where(store) local w = where_of(store) return function(s) return s[store]:purge_where(w) end end
function ops.delete_where(store) local w = where_of(store) return function(s) return s[store]:delete_where(w) end end

function ops.patch(store)
  local a, b = key_of(store)
  local changes, opts = changes_of(store), expecting(store)
  return function(s)
    if b then return s[store]:patch(a, b, changes, opts) end
    return s[store]:patch(a, changes, opts)
  end
end

function ops.update(store)
  local r, opts = row_of(store), expecting(store)
  opts.only = maybe(30, store == "lists" and pick { { "title" }, { "rank", "state" }, { "deleted_at" }, {} } or { "body" })
  return function(s) return s[store]:update(r, opts) end
end

function ops.update_where(store)
  local w, c, opts = where_of(store), changes_of(store), { with_deleted = maybe(40, both()) }
  return function(s) return s[store]:update_where(w, c, opts) end
end

function ops.upsert(store)
  local r, opts = row_of(store), {}
  if store == "lists" then
    opts.key = maybe(40, pick { "lists_title_key", "title" })
    opts.only = maybe(30, pick { { "rank" }, { "title", "deleted_at" }, {} })
    opts.set = not opts.only and maybe(30, pick {
      { rank = larder.increment(1) }, { title = larder.excluded }, { state = "shut", deleted_at = larder.null }, {
        rank = larder.greatest(larder.excluded) },
    }) or nil
  end
  return function(s) return s[store]:upsert(r, opts) end
end

function ops.create_many(store)
  local rows, opts = {}, { on_conflict = maybe(40, "skip"), returning = maybe(40, true) }
  for i = 1, int(4) do rows[i] = row_of(store) end
  return function(s) return s[store]:create_many(rows, opts) end
end

function ops.get_many(store)
  local keys, opts = {}, { with_deleted = maybe(40, both()) }
  for i = 1, int(4) do keys[i] = { key_of(store) } end
  return function(s) return s[store]:get_many(keys, opts) end
end

function ops.find(store)
  local w, opts = where_of(store), reading(store)
  opts.order = store == "lists" and "id" or { "list", "id" }
  return function(s) return s[store]:find(w, opts) end
end

function ops.count(store)
  local w, opts = where_of(store), { with_deleted = maybe(40, both()) }
  return function(s) return s[store]:count(w, opts) end
end

-- What a page holds and says, and the page behind its cursor, with the store changed between the two.
function ops.list(store)
  local opts, scope, between = reading(store), store == "notes" and id() or nil, changes_of(store)
  opts.where, opts.limit, opts.total = maybe(60, where_of(store)), int(3), maybe(40, true)
  opts.offset = maybe(20, int(2))
  if store == "lists" then opts.state, opts.above = maybe(20, state()), maybe(20, int(5)) end
  local order = maybe(50, store == "lists" and pick { "title", "-changes, id", "-deleted_at", "state" } or "-body")
  return function(s)
    local function page(after)
      opts.after, opts.order = after, order
      if scope then return s[store]:list(scope, opts) end
      return s[store]:list(opts)
    end
    local rows, info = page()
    if not rows then return nil, info end
    local seen = { rows = rows, more = info.next ~= nil, total = info.total, limit = info.limit }
    if info.next then
      seen.changed = s[store]:update_where({ id = { lte = 2 } }, between) or "error"
      seen.second = page(info.next) or "error"
    end
    return seen
  end
end

-- Rows that change while each goes through them are seen as they are or as they were (docs/differences.md): only the others are compared,
-- and those behind a limit depend on which were seen before.
function ops.each(store)
  local opts = { with_deleted = maybe(40, both()), page = int(3), order = store == "lists" and "title" or { "list", "id" },
    limit = maybe(30, int(5)) }
  local change = changes_of(store)
  return function(s)
    local seen, changed = larder.array {}, false
    for row in s[store]:each(opts) do
      if not (changed and row.id == 1) then seen[#seen + 1] = row end
      if #seen == 2 and not changed and not opts.limit then
        changed = true
        s[store]:update_where({ id = 1 }, change)
      end
    end
    return seen
  end
end

function ops.lookup(store)
  local t, st = title(), state()
  if store == "notes" then return ops.list(store) end
  return function(s) return { s.lists:by_title(t) or "none", s.lists:by_state(st, { order = "id" }) or "none" } end
end

function ops.aggregate(store)
  local opts = { aggs = { { "count", as = "n" } }, groups = { store == "lists" and "state" or "body" }, with_deleted = maybe(40, both()) }
  return function(s) return s[store]:aggregate(opts) end
end

local WEIGHTS = {
  create = 14, get = 5, exists = 2, delete = 5, soft_delete = 3, restore = 5, purge = 2, purge_where = 1, delete_where = 1, patch = 10,
    update = 7,
  update_where = 4, upsert = 10, create_many = 4, get_many = 3, find = 4, count = 3, list = 6, each = 2, lookup = 2, aggregate = 2,
}
local BAG = {}
for name in pairs(WEIGHTS) do BAG[#BAG + 1] = name end
table.sort(BAG)
for i = 1, #BAG do
  for _ = 2, WEIGHTS[BAG[i]] do BAG[#BAG + 1] = BAG[i] end
end

local TURN = { "create", "patch", "delete", "restore", "purge", "get", "upsert", "update", "soft_delete" }

--- A step of a transaction that is open beside others: an operation of one row.
---@param store "lists"|"notes"
function soft.turn(store)
  local name = pick(TURN)
  local fn = ops[name](store)
  return {
    name = ("soft %s of %s"):format(name, store), run = function(s) return fn(s.soft) end, reads = name == "get",
    beside = name == "purge",
  }
end

--- One operation: { name, run = function(stores) }.
function soft.op()
  local name, store = pick(BAG), pick { "lists", "lists", "notes" }
  local fn = ops[name](store)
  return {
    name = ("soft %s of %s"):format(name, store), size = 1, many = name:find "_where" and true or nil,
      run = function(s) return fn(s.soft) end,
  }
end

return soft
