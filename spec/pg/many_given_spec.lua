-- The rows of create_many with `returning` do not come back where the table stores rows as they are given: how many were written
-- is enough. Where anything may have changed about the table nothing is written, and the statement that returns the rows is run.
-- spec/pg/as_given_spec.lua has the single insert, spec/pg/changed_given_spec.lua the writes of rows that were there.

local larder = require "larder"
local loops = require "spec.support.loops"
local through_change = require "spec.support.table_change"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local url = os.getenv "LARDER_TEST_URL"

local PLAIN = [[id integer primary key, name text, cost numeric(8,2), doc jsonb, at timestamptz, "real" real, tags text[], flags boolean[],
  times timestamptz[], docs jsonb[], raws bytea[], spans interval[], span interval, token uuid, day date, code varchar(6), mark char(4)]]

local FIELDS = {
  { name = "id", type = "int4" },
  { name = "name", type = "text", null = true },
  { name = "cost", type = "numeric", precision = 8, scale = 2, null = true },
  { name = "doc", type = "jsonb", null = true },
  { name = "at", type = "timestamptz", null = true },
  { name = "real", type = "float4", null = true },
  { name = "tags", type = "text[]", null = true },
  { name = "flags", type = "bool[]", null = true },
  { name = "times", type = "timestamptz[]", null = true },
  { name = "docs", type = "jsonb[]", null = true },
  { name = "raws", type = "bytea[]", null = true },
  { name = "spans", type = "interval[]", null = true },
  { name = "span", type = "interval", null = true },
  { name = "token", type = "uuid", null = true },
  { name = "day", type = "date", null = true },
  { name = "code", type = "varchar", max_len = 6, null = true },
  { name = "mark", type = "char", max_len = 4, null = true },
}

local SHOUT = [[create or replace function public.many_shout() returns trigger language plpgsql as
  $$ begin new.name := upper(new.name); return new; end $$]]
local TRIGGER = "create trigger many_t before insert on public.many for each row execute function public.many_shout()"

local declared

--- wait: as larder.open takes it. Calls that wait by themselves make the rows that they expect while the server works.
local function inserts(wait) return function()
  local db, other, many
  local last = 0

  local function must(...)
    for _, sql in ipairs { ... } do assert(other:query(sql)) end
  end

  local function drop()
    must("drop table if exists public.many, public.many_log, public.many_numbered, public.many_dated cascade",
      "drop function if exists public.many_shout() cascade")
  end

  before_each(function()
    db, other = assert(larder.open(url, { pool = { max = 1 }, wait = wait })), assert(larder.open(url))
    if not declared then
      larder.declare {
        name = "many",
        entities = {
          { name = "rows", table = "public.many", fields = FIELDS, key = { name = "many_pkey", "id" } },
          { name = "numbered", table = "public.many_numbered", key = { name = "many_numbered_pkey", "id" },
            fields = { { name = "id", type = "int8", default = { "identity" } }, { name = "name", type = "text" } } },
          { name = "dated", table = "public.many_dated", key = { name = "many_dated_pkey", "id" },
            fields = { FIELDS[1], FIELDS[2], { name = "at", type = "timestamptz", default = { "database" } } } },
        },
      }
      declared = true
    end
    many = db:stores("many").rows
    drop()
    must("create table public.many (" .. PLAIN .. ")", SHOUT)
  end)
  after_each(function()
    drop()
    db:close()
    other:close()
  end)

  local function row(id)
    return {
      id = id, name = "ab  ", cost = "7", at = "2026-01-02T03:04:05.123456Z", real = 0.1, tags = { "a", larder.null, "b,\"" },
      flags = { true, false, larder.null }, times = { "2026-01-02T03:04:05.123456Z", "infinity" }, raws = { "\0\1\255", "" },
      docs = { { a = { 1, larder.null } }, larder.array {} },
      spans = { "-1 mon +2 days", "P1Y", "00:00:01.5" }, span = "-1 mon +2 days -3 hours",
      day = id % 2 == 0 and "2026-02-03" or nil, code = "é\226\130\172 ", mark = "ü", token = "9C7E1F6A-5A0B-4E0B-8F64-0A4B9C2D1E0F",
      doc = { n = id, a = -0.0, b = 1e300, c = { larder.null, {}, larder.array {} }, ["ä\\\"\n"] = 12345678901, d = 1e20, e = 0.1 },
    }
  end

  local function next_rows(n)
    local rows = {}
    for i = 1, n do rows[i] = row(last + i) end
    last = last + n
    return rows
  end

  local function create(n, store)
    return (store or many):create_many(next_rows(n), { returning = true })
  end

  local function check_stored(rows)
    for _, one in ipairs(rows) do assert.same(assert(other:stores("many").rows:get(one.id)), one) end
  end

  --- Creates n rows; they are those that are stored, in the order given.
  local function check(n)
    local first = last
    local rows = assert(create(n))
    assert.equal(n, #rows)
    for i = 1, n do assert.equal(first + i, rows[i].id) end
    check_stored(rows)
  end

  -- how often the pool's one connection ran the insert of several rows that returns nothing
  local function runs()
    return assert(db:query [[select coalesce(sum(generic_plans + custom_plans), 0)::int4 as n from pg_prepared_statements
      where statement like 'insert%unnest(%''now''::timestamptz%' and statement not like '%returning%']])[1].n
  end

  local function exchanges(fn)
    local before = db:stats().queries
    fn()
    return tonumber(db:stats().queries - before)
  end

  it("do not come back where the table stores them as they were given, in one exchange", function()
    check(3)
    for i = 1, 5 do
      local n = i % 3 + 2
      assert.equal(1, exchanges(function() check(n) end))
      assert.equal(i, runs())
    end
    assert.same({ { id = 900001 }, { id = 900002 } }, assert(many:create_many({ { id = 900001 }, { id = 900002 } }, { returning = true })))
    local rows, err = many:create_many({ row(900003), row(900002) }, { returning = true })
    assert.is_nil(rows)
    assert.equal("conflict", err.code)
    assert.equal(2, err.row)
    check(500)
  end)

  it("do not come back in a transaction either, once two have looked", function()
    local ran = {}
    for round = 1, 4 do
      local rows = {}
      assert(db:transaction(function()
        for i = 1, 3 do rows[i] = assert(create(3)) end
        return true
      end))
      for i = 1, 3 do check_stored(rows[i]) end
      ran[round] = runs()
    end
    assert.same({ 0, 2, 5, 8 }, ran) -- the second looks once, before it writes by what the first has parsed
    check(3)
    assert.equal(9, runs())
  end)

  it("come back in a transaction that may see an older catalog", function()
    for _ = 1, 4 do
      local rows
      assert(db:transaction({ isolation = "repeatable_read" }, function()
        rows = assert(create(3))
        return true
      end))
      check_stored(rows)
    end
    assert.equal(0, runs())
  end)

  it("come back where rows that are there are left out", function()
    for i = 1, 3 do
      last = last - 1
      local rows = assert(many:create_many(next_rows(3), { returning = true, on_conflict = "skip" }))
      check_stored(rows)
      assert.equal(i == 1 and 3 or 2, #rows)
    end
    assert.equal(0, runs())
  end)

  it("come back where the server makes something of them", function()
    must("create table public.many_numbered (id bigint generated by default as identity primary key, name text not null)",
      "create table public.many_dated (id integer primary key, name text, at timestamptz default '2026-01-01')")
    for _ = 1, 3 do
      local named = {}
      for i, one in ipairs(assert(db:stores("many").numbered:create_many({ { name = "a" }, { name = "b" } }, { returning = true }))) do
        named[i] = one.name
        assert.equal(one.name, assert(other:stores("many").numbered:get(one.id)).name)
      end
      assert.same({ "a", "b" }, named)
      last = last + 2
      local rows = assert(db:stores("many").dated:create_many({ { id = last - 1 }, { id = last } }, { returning = true }))
      assert.is_string(rows[1].at)
      assert.same(assert(other:stores("many").dated:get(last)), rows[2])
    end
    assert.equal(0, runs())
  end)

  -- Each comes while the connection has its proof; `back`: what makes the table plain again
  local LATER = {
    { "a trigger", { TRIGGER }, "drop trigger many_t on public.many" },
    { "a trigger that is switched on", { "alter table public.many enable trigger many_t" }, "drop trigger many_t on public.many",
      before = { TRIGGER, "alter table public.many disable trigger many_t" } },
    { "a trigger for statements", { "create table public.many_log (rows bigint)", [[create or replace function public.many_shout()
      returns trigger language plpgsql as $$ begin insert into public.many_log select count(*) from made; return null; end $$]],
      [[create trigger many_t after insert on public.many referencing new table as made for each statement
      execute function public.many_shout()]] }, "drop trigger many_t on public.many" },
    { "a rule", { "create rule many_r as on insert to public.many do also update public.many set name = 'ruled' where id = new.id" },
      "drop rule many_r on public.many", returned = "as inserted" },
    { "a column of fixed width", { "alter table public.many alter column name type char(6)" },
      "alter table public.many alter column name type text", ran = 3 + 1 },
    { "a scale", { "alter table public.many alter column cost type numeric(8,0)" },
      "alter table public.many alter column cost type numeric(8,2)", ran = 3 + 1 },
    { "a time's precision", { "alter table public.many alter column at type timestamptz(0)" },
      "alter table public.many alter column at type timestamptz", ran = 3 + 1 },
    { "another table of the same name", { "drop table public.many", "create table public.many (" .. PLAIN .. ")", TRIGGER },
      "drop trigger many_t on public.many" },
    { "a vacuum, which changes nothing", { "analyze public.many" }, ran = 2 },
  }

  for _, case in ipairs(LATER) do
    it("are right behind " .. case[1], function()
      for _ = 1, 3 do check(3) end
      if case.before then must(unpack(case.before)) end
      check(3)
      must(unpack(case[2]))
      local function plain() check(3) end
      local function ruled() assert(create(3)) end
      local try = case.returned and ruled or plain
      assert.is_true(exchanges(try) <= 3) -- the second one returns the rows, and may be stale
      for _ = 1, 3 do try() end
      assert.equal(case.ran or 0, runs()) -- none of one that was parsed anew
      if not case[3] then return end
      must(case[3])
      for _ = 1, 3 do check(3) end
    end)

    it("are right in transactions behind " .. case[1], function()
      local function transactions(n)
        for _ = 1, n do
          local rows
          -- a statement that returns rows does not outlive their type in a transaction, which is run again
          assert(db:transaction({ retries = 2 }, function()
            local err
            rows = {}
            for i = 1, 2 do
              rows[i], err = create(2)
              if not rows[i] then return nil, err end
            end
            return true
          end))
          if not case.returned then for i = 1, 2 do check_stored(rows[i]) end end
        end
      end
      through_change(case, 4, transactions, must)
    end)
  end

  it("are fewer where a trigger that was just made drops some or all, and are never those that were given", function()
    for dropped = 1, 2 do
      for _ = 1, 3 do check(3) end
      must([[create or replace function public.many_shout() returns trigger language plpgsql as
        $$ begin if new.id % ]] .. dropped .. [[ = 0 then return null; end if; return new; end $$]], TRIGGER)
      for _ = 1, 3 do
        last = last + last % 2
        local rows = assert(create(4))
        assert.equal(dropped == 1 and 0 or 2, #rows)
        check_stored(rows)
      end
      must "drop trigger many_t on public.many"
    end
  end)

  for proven = 0, 3 do
    it("are right behind a change of the transaction's own, also one that is undone, behind " .. proven .. " others", function()
      local function names()
        local rows = assert(create(2))
        return rows[1].name .. rows[2].name
      end
      for _ = 1, proven do assert(db:transaction(function() return names() end)) end
      assert(db:transaction(function(tx)
        assert.equal("ab  ab  ", names())
        assert(tx:query(TRIGGER))
        assert.equal("AB  AB  ", names())
        db:transaction(function()
          assert(tx:query "drop trigger many_t on public.many")
          assert.equal("ab  ab  ", names())
          error "undone"
        end)
        assert.equal("AB  AB  ", names())
        return true
      end))
      for _ = 1, 3 do assert(db:transaction(function() assert.equal("AB  AB  ", names()) return true end)) end
      must "drop trigger many_t on public.many"
      for _ = 1, 3 do assert(db:transaction(function(tx)
        assert.equal("ab  ab  ", names())
        db:transaction(function()
          assert(tx:query(TRIGGER))
          assert.equal("AB  AB  ", names())
          error "undone"
        end)
        assert.equal("ab  ab  ", names())
        return true
      end)) end
    end)
  end

  if loops.cqueues then
    it("are right for coroutines that share connections, also while a trigger comes and goes", function()
      local looped = assert(larder.open(url, { loop = "cqueues", pool = { max = 2 } }))
      local store, made, writers = looped:stores("many").rows, {}, {}
      local function writer(in_tx, first)
        return function()
          for call = 1, 15 do
            if first and call == 6 then must(TRIGGER) end
            if first and call == 11 then must "drop trigger many_t on public.many" end
            local rows
            if in_tx then
              assert(looped:transaction(function()
                rows = assert(create(2, store))
                return true
              end))
            else
              rows = assert(create(2, store))
            end
            made[#made + 1] = rows
          end
        end
      end
      for i = 1, 8 do writers[i] = writer(i % 2 == 0, i == 1) end
      loops.cqueues.run(looped, unpack(writers))
      local shouted = 0
      for _, rows in ipairs(made) do
        check_stored(rows)
        if rows[1].name == "AB  " then shouted = shouted + 1 end
      end
      assert.is_true(shouted >= 5)
      looped:close()
    end)
  end
end end

describe("the rows of an insert of several #pg", inserts(false))
describe("the rows of an insert of several, where an event loop may be, #pg", inserts(nil))
