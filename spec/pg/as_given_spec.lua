-- An insert gets no row back where the table stores rows as they are given. What makes another row of one is noticed
-- with the very insert that meets it. Other writes (spec/pg/changed_given_spec.lua) are right behind the same changes.

local larder = require "larder"
local loops = require "spec.support.loops"
local through_change = require "spec.support.table_change"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local url = os.getenv "LARDER_TEST_URL"

local FIELDS = {
  { name = "id", type = "int4" },
  { name = "name", type = "text", null = true },
  { name = "cost", type = "numeric", null = true },
  { name = "price", type = "numeric", precision = 8, scale = 2, null = true },
  { name = "doc", type = "jsonb", null = true },
  { name = "at", type = "timestamptz", null = true },
  { name = "real", type = "float4", null = true },
  { name = "tags", type = "text[]", null = true },
  { name = "flag", type = "bool", null = true },
  { name = "raw", type = "bytea", null = true },
  { name = "token", type = "uuid", null = true },
  { name = "code", type = "varchar", max_len = 6, null = true },
  { name = "mark", type = "char", max_len = 4, null = true },
}

local PLAIN = [[id integer primary key, name text, cost numeric, price numeric(8,2), doc jsonb, at timestamptz,
  "real" real, tags text[], flag boolean, raw bytea, token uuid, code varchar(6), mark char(4)]]

local SHOUT = [[create or replace function public.given_shout() returns trigger language plpgsql as
  $$ begin new.name := upper(new.name); return new; end $$]]

local function with(column, by) return (PLAIN:gsub(column, by, 1)) end

-- Each makes of { name = "ab  ", cost = "1.25", at = …123456 } another row than the one that was given.
local CHANGING = {
  { "a trigger", PLAIN, SHOUT, "create trigger given_t before insert on public.given for each row execute function public.given_shout()" },
  { "a rule", PLAIN, [[create rule given_r as on insert to public.given where new.name = 'ab  '
     do also update public.given set name = 'ruled' where id = new.id]] },
  { "a generated column", with("cost numeric", "cost numeric generated always as (7) stored"), cost = false },
  { "char(n)", with("name text", "name char(6)") },
  { "varchar(n)", with("name text", "name varchar(3)") },
  { "varchar(n) that is shorter than declared", with("code varchar%(6%)", "code varchar(5)") },
  { "char(n) that is longer than declared", with("mark char%(4%)", "mark char(5)") },
  { "a scale", with("cost numeric", "cost numeric(6,1)") },
  { "a time's precision", with("at timestamptz", "at timestamptz(0)") },
  { "a domain", with("name text", "name public.given_d") },
  { "row security", PLAIN, "alter table public.given enable row level security" },
  { "a leaf's trigger", PLAIN .. ") partition by range (id", SHOUT, "create table public.given_1 partition of public.given default",
    "create trigger given_t before insert on public.given_1 for each row execute function public.given_shout()" },
  { "a partition of its own", PLAIN, "create table public.given_top (like public.given) partition by range (id)",
    "alter table public.given_top attach partition public.given default", key = false },
}

local declared

--- wait: as larder.open takes it. Calls that wait by themselves make the row that they expect while the server works.
local function inserts(wait) return function()
  local db, other, given

  local function must(...)
    for _, sql in ipairs { ... } do assert(other:query(sql)) end
  end

  local function drop()
    for _, sql in ipairs {
      "drop table if exists public.given_top cascade", "drop table if exists public.given cascade",
      "drop view if exists public.given cascade", "drop domain if exists public.given_d cascade",
      "drop function if exists public.given_shout() cascade",
    } do other:query(sql) end
  end

  before_each(function()
    db, other = assert(larder.open(url, { pool = { max = 1 }, wait = wait })), assert(larder.open(url))
    if not declared then
      larder.declare {
        name = "given",
        entities = { { name = "rows", table = "public.given", fields = FIELDS, key = { name = "given_pkey", "id" } } },
      }
      declared = true
    end
    given = db:stores("given").rows
    drop()
    must("create domain public.given_d as char(5)")
  end)
  after_each(function()
    drop()
    db:close()
    other:close()
  end)

  -- how often the pool's one connection ran the insert that returns no row
  local function runs()
    return assert(db:query [[select coalesce(sum(generic_plans + custom_plans), 0)::int4 as n from pg_prepared_statements
      where statement like 'insert%''now''::timestamptz%']])[1].n
  end

  -- how often the session has looked for rows of the table; between two transactions it may begin anew
  local function looks(tx)
    return assert(tx:query [[select (seq_scan + coalesce(idx_scan, 0))::int4 as n from pg_stat_xact_user_tables
      where relname = 'given']])[1].n
  end

  local function stored(id) return assert(other:stores("given").rows:get(id)) end

  local function row(id)
    return {
      id = id, name = "ab  ", cost = "1.25", price = "7", at = "2026-01-02T03:04:05.123456Z", real = 0.1, flag = id % 2 == 0,
      tags = { "a", larder.null, "b,\"" }, raw = "\0\1\255", token = "9C7E1F6A-5A0B-4E0B-8F64-0A4B9C2D1E0F",
      code = "é\226\130\172 ", mark = "ü",
      doc = { a = -0.0, b = 1e300, c = { larder.null, {}, larder.array {} }, ["ä\\\"\n"] = 12345678901, d = 1e20, e = 0.1 },
    }
  end

  local function create(id, store)
    return (store or given):create(row(id))
  end

  --- Creates n rows from id on; each is the one that is stored.
  local function check(id, n)
    for i = id, id + n - 1 do
      local made = assert(create(i))
      assert.same(stored(i), made)
    end
  end

  it("does not come back where the table stores it as it was given", function()
    must("create table public.given (" .. PLAIN .. ")")
    check(1, 5)
    assert.equal(5, runs())
    assert.same({ id = 9 }, assert(given:create { id = 9 }))
    local one, err = create(1)
    assert.is_nil(one)
    assert.equal("conflict", err.code)
    check(10, 2)
  end)

  it("does not come back in a transaction either, once an earlier one has proven it", function()
    must("create table public.given (" .. PLAIN .. ")")
    local looked = {}
    for round = 1, 4 do
      local made = {}
      assert(db:transaction(function(tx)
        local before = looks(tx)
        for id = 10 * round, 10 * round + 2 do made[id] = assert(create(id)) end
        looked[round] = looks(tx) - before
      end))
      for id, one in pairs(made) do assert.same(stored(id), one) end
    end
    assert.same({ 1, 1, 0, 0 }, looked) -- the first two read one of their rows, with the catalog behind it
    check(1, 2)
    assert.equal(1 + 3 + 3 + 3 + 2, runs())
  end)

  it("comes back in a transaction that may see an older catalog, which proves nothing", function()
    must("create table public.given (" .. PLAIN .. ")")
    check(1, 2)
    for id = 3, 5 do
      assert(db:transaction({ isolation = "repeatable_read" }, function(tx)
        local before = looks(tx)
        assert(create(id))
        assert.equal(before, looks(tx))
      end))
    end
    assert.equal(2, runs())
    check(6, 2)
    assert.equal(4, runs())
  end)

  it("does not come back from a varchar(n) that is longer than declared", function()
    must("create table public.given (" .. with("code varchar%(6%)", "code varchar(60)") .. ")")
    check(1, 3)
    assert.equal(3, runs())
    assert.equal("ü   ", stored(3).mark)
  end)

  for _, case in ipairs(CHANGING) do
    it("comes back where there is " .. case[1], function()
      must("create table public.given (" .. case[2] .. ")", unpack(case, 3))
      if case.cost == false then
        local one, err = create(1)
        assert.is_nil(one)
        assert.is_string(err.code)
        return
      end
      for id = 1, 3 do
        local made = assert(create(id))
        if case[1] ~= "a rule" then assert.same(stored(id), made) end
      end
      assert.equal(0, runs())
    end)
  end

  it("comes back from a view that writes elsewhere", function()
    must("create table public.given_top (" .. PLAIN .. ")", "create view public.given as select * from public.given_top", SHOUT,
      "create trigger given_t before insert on public.given_top for each row execute function public.given_shout()")
    local made = assert(create(1))
    assert.equal("AB  ", made.name)
    assert.equal("AB  ", assert(create(2)).name)
    assert.equal(0, runs())
  end)

  it("comes back where transactions see an older catalog", function()
    must("create table public.given (" .. PLAIN .. ")")
    local before = db
    db = assert(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "options=-c%20default_transaction_isolation%3Dserializable",
      { pool = { max = 1 }, wait = wait }))
    before:close()
    given = db:stores("given").rows
    check(1, 3)
    assert.equal(0, runs())
  end)

  local TRIGGER = "create trigger given_t before insert or update on public.given for each row execute function public.given_shout()"

  -- Each comes while the connection has its proof; `back`: what makes the table plain again
  local LATER = {
    { "a trigger", { SHOUT, TRIGGER }, "drop trigger given_t on public.given" },
    { "a trigger that is switched on", { "alter table public.given enable trigger given_t" }, "drop trigger given_t on public.given",
      before = { SHOUT, TRIGGER, "alter table public.given disable trigger given_t" } },
    { "a column of fixed width", { "alter table public.given alter column name type char(6)" },
      "alter table public.given alter column name type text" },
    { "a scale", { "alter table public.given alter column cost type numeric(6,1)" },
      "alter table public.given alter column cost type numeric" },
    { "a time's precision", { "alter table public.given alter column at type timestamptz(0)" },
      "alter table public.given alter column at type timestamptz" },
    { "a domain", { "alter table public.given alter column name type public.given_d" },
      "alter table public.given alter column name type text" },
    { "another table of the same name", { "drop table public.given", SHOUT, "create table public.given (" .. PLAIN .. ")", TRIGGER },
      "drop trigger given_t on public.given" },
    { "a vacuum, which changes nothing", { "analyze public.given" } },
  }

  for _, case in ipairs(LATER) do
    it("is right behind " .. case[1], function()
      must("create table public.given (" .. PLAIN .. ")")
      check(1, 3)
      if case.before then must(unpack(case.before)) end
      if not case.before then assert.equal(3, runs()) end
      must(unpack(case[2]))
      check(4, 3)
      if not case[3] then return assert.equal(6, runs()) end
      must(case[3])
      check(7, 3)
    end)

    it("is right in a transaction behind " .. case[1], function()
      must("create table public.given (" .. PLAIN .. ")")
      check(1, 2)
      if case.before then must(unpack(case.before)) end
      check(3, 1)
      must(unpack(case[2]))
      local made = {}
      assert(db:transaction(function()
        for id = 4, 5 do made[id] = assert(create(id)) end
      end))
      for id = 4, 5 do assert.same(stored(id), made[id]) end
      check(6, 2)
    end)

    it("is right in transactions that had their own proof, behind " .. case[1], function()
      must("create table public.given (" .. PLAIN .. ")")
      local id = 0
      local function transactions(n)
        for _ = 1, n do
          local made
          -- a statement that returns the row does not outlive its type in a transaction, which is run again
          assert(db:transaction({ retries = 2 }, function()
            made = {}
            for _ = 1, 2 do
              local one, err
              id = id + 1
              one, err = create(id)
              if not one then return nil, err end
              made[id] = one
            end
          end))
          for i, one in pairs(made) do assert.same(stored(i), one) end
        end
      end
      through_change(case, 3, transactions, must)
    end)
  end

  for proven = 0, 3 do
    it("is right behind a change of the transaction's own, the one behind " .. proven .. " others", function()
      must("create table public.given (" .. PLAIN .. ")", SHOUT)
      for id = 1, proven do assert(db:transaction(function() return create(id) end)) end
      assert(db:transaction(function(tx)
        assert.equal("ab  ", assert(create(10)).name)
        assert(tx:query(TRIGGER))
        assert.equal("AB  ", assert(create(11)).name)
        db:transaction(function()
          assert(tx:query "drop trigger given_t on public.given")
          assert.equal("ab  ", assert(create(12)).name)
          error "undone"
        end)
        assert.equal("AB  ", assert(create(13)).name)
      end))
      for id = 20, 22 do
        assert(db:transaction(function() assert.equal("AB  ", assert(create(id)).name) end))
      end
    end)
  end

  it("is right behind a change that the transaction made itself", function()
    must("create table public.given (" .. PLAIN .. ")", SHOUT)
    for id = 1, 5, 2 do
      if id > 1 then check(id, 1) end
      assert(db:transaction(function(tx)
        assert(tx:query("select 1 as one"))
        if id == 5 then assert.equal("ab  ", assert(create(99)).name) end
        assert(tx:query(TRIGGER))
        assert.equal("AB  ", assert(create(id + 1)).name)
        assert.equal("AB  ", assert(create(id + 100)).name)
        assert(tx:query "drop trigger given_t on public.given")
        assert.equal("ab  ", assert(create(id + 200)).name)
      end))
    end
    check(400, 2)
  end)

  -- Other writes; each: the row with the id, which is there
  local WRITES = {
    { "update", function(id) return given:update(row(id)) end },
    { "patch", function(id) return given:patch(id, { name = "ab  ", at = row(id).at, cost = "1.25", doc = row(id).doc }) end },
    { "upsert", function(id) return given:upsert(row(id)) end },
    { "upsert of a new row", function(id)
      assert(given:delete(id))
      return given:upsert(row(id))
    end },
    { "create_many", function(id)
      assert(given:delete(id))
      local rows, err = given:create_many({ row(id), row(id + 1000) }, { returning = true })
      if not rows then return nil, err end
      assert.same(stored(id + 1000), rows[2])
      return rows[1]
    end },
  }

  for _, case in ipairs(LATER) do
    it("and those of other writes are as stored behind " .. case[1], function()
      must("create table public.given (" .. PLAIN .. ")")
      local id = 0
      local function write() -- the second time with what the first one proved
        for i = 1, 2 * #WRITES do
          local way = WRITES[(i - 1) % #WRITES + 1]
          id = id + 1
          assert(create(id))
          local made = assert(way[2](id))
          assert.same(stored(id), made, way[1])
        end
      end
      write()
      if case.before then must(unpack(case.before)) end
      write()
      must(unpack(case[2]))
      write()
      if case[3] then must(case[3]) end
      write()
    end)
  end

  for _, way in ipairs { WRITES[1], WRITES[2], WRITES[3] } do
    it("of " .. way[1] .. " is right behind a change of the transaction's own, also one that is undone", function()
      must("create table public.given (" .. PLAIN .. ")", SHOUT)
      local function name() return assert(way[2](1)).name end
      check(1, 2)
      for _ = 1, 2 do assert(db:transaction(function() assert.equal("ab  ", name()) end)) end
      for _ = 1, 3 do
        assert(db:transaction(function(tx)
          assert.equal("ab  ", name())
          db:transaction(function()
            assert(tx:query(TRIGGER))
            assert.equal("AB  ", name())
            error "undone"
          end)
          assert.equal("ab  ", name())
          assert(tx:query(TRIGGER))
          assert.equal("AB  ", name())
          assert(tx:query "drop trigger given_t on public.given")
          assert.equal("ab  ", name())
        end))
      end
      assert.equal("ab  ", stored(1).name)
    end)
  end

  it("of an update is that update's own, whoever else changes it, also while the table is analyzed", function()
    must("create table public.given (" .. PLAIN .. ")")
    check(1, 2)
    assert(given:patch(1, { cost = "0" }))
    local there, n = other:stores("given").rows, 0
    for i = 1, 30 do
      if i % 5 == 0 then must "analyze public.given" end
      for _, store in ipairs { given, there } do
        n = n + 1
        assert.equal(tostring(n), tostring(assert(store:patch(1, { cost = larder.increment(1), name = "by " .. n })).cost))
      end
    end
    assert.equal("by " .. n, stored(1).name)
  end)

  if loops.cqueues then
    it("is right for coroutines that share connections, also while a trigger comes and goes", function()
      must("create table public.given (" .. PLAIN .. ")", SHOUT)
      local looped = assert(larder.open(url, { loop = "cqueues", pool = { max = 2 } }))
      local store, made, writers = looped:stores("given").rows, {}, {}
      local function writer(first)
        return function()
          for id = first, first + 19 do
            if id == 110 then must(TRIGGER) end
            if id == 115 then must("drop trigger given_t on public.given") end
            if first < 500 then
              made[id] = assert(create(id, store))
            else
              made[id] = assert(looped:transaction(function() return create(id, store) end))
            end
          end
        end
      end
      for i = 1, 8 do writers[i] = writer(i * 100) end
      loops.cqueues.run(looped, unpack(writers))
      local shouted = 0
      for id, one in pairs(made) do
        assert.same(stored(id), one)
        if one.name == "AB  " then shouted = shouted + 1 end
      end
      assert.is_true(shouted > 0)
      looped:close()
    end)
  end

  it("is right where a transaction changes the table between two inserts of its own", function()
    must("create table public.given (" .. PLAIN .. ")", SHOUT)
    check(1, 2)
    assert(db:transaction(function(tx)
      assert(tx:query "analyze public.given")
      assert.equal("ab  ", assert(create(3)).name)
      assert(tx:query(TRIGGER))
      assert.equal("AB  ", assert(create(4)).name)
    end))
    check(5, 2)
  end)

  it("that a new trigger moves to another key is an error which says that it is stored", function()
    must("create table public.given (" .. PLAIN .. ")")
    check(1, 2)
    must([[create or replace function public.given_shout() returns trigger language plpgsql as
      $$ begin new.id := new.id + 1000; return new; end $$]], TRIGGER)
    local made, err = create(3)
    assert.is_nil(made)
    assert.equal("drift", err.code)
    assert.matches("the row was stored", err.message, 1, true)
    assert.equal("ab  ", stored(1003).name)
    assert.equal(1004, assert(create(4)).id)
  end)

  it("that a new trigger refuses is no row", function()
    must("create table public.given (" .. PLAIN .. ")")
    check(1, 2)
    must([[create or replace function public.given_shout() returns trigger language plpgsql as $$ begin return null; end $$]], TRIGGER)
    for id = 3, 4 do
      local made, err = create(id)
      assert.is_nil(made)
      assert.equal("check", err.code)
    end
  end)
end end

describe("an insert's row #pg", inserts(false))
describe("an insert's row, where an event loop may be, #pg", inserts(nil))
