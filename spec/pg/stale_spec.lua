-- What larder knows of a raw statement is checked against the answer that refutes it.

local larder = require "larder"
local compat = require "larder.base.compat"
local core = require "larder.core"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

-- type, its value as text, what a query answers: for types with and without a decoder, and one made anew
local TYPES = {
  { "date", "2026-01-01", "2026-01-01" },
  { "interval", "1 day", "P1D" },
  { "inet", "10.0.0.1", "10.0.0.1" },
  { "money", "5", "$5.00" },
  { "date[]", "{2026-01-01}", { "2026-01-01" } },
  { "int8", "5", 5 },
  { "text", "five", "five" },
  { "larder_stale_mood", "sad", "sad" },
}

local MODES = {
  named = { max = 1, min = 0 },
  unnamed = { max = 1, min = 0, statement_cache = 0 },
}

describe("a statement whose table has changed", function()
  local ddl

  setup(function()
    ddl = assert(larder.open(url))
    must(ddl:query "drop table if exists public.larder_stale")
    must(ddl:query "drop type if exists public.larder_stale_mood")
    must(ddl:query "create type public.larder_stale_mood as enum ('sad')")
  end)
  teardown(function()
    must(ddl:query "drop table if exists public.larder_stale")
    must(ddl:query "drop type public.larder_stale_mood")
    ddl:close()
  end)

  before_each(function()
    must(ddl:query "drop table if exists public.larder_stale")
    must(ddl:query "create table public.larder_stale (id int, v int4)")
    must(ddl:query "insert into public.larder_stale values (1, 5)")
  end)

  local function alter(t)
    must(ddl:query "alter table public.larder_stale drop column v")
    if t[1] == "larder_stale_mood" then
      must(ddl:query "drop type public.larder_stale_mood")
      must(ddl:query "create type public.larder_stale_mood as enum ('glad', 'sad')")
    end
    must(ddl:query("alter table public.larder_stale add column v " .. t[1]))
    must(ddl:query(("update public.larder_stale set v = '%s'"):format(t[2])))
  end

  local SELECT = "select v from public.larder_stale"

  for mode, pool in pairs(MODES) do
    for _, t in ipairs(TYPES) do
      it(("gives its new type at once, %s, %s"):format(mode, t[1]), function()
        local db = assert(larder.open(url, { pool = pool }))
        assert.equal(5, must(db:query(SELECT))[1].v)
        alter(t)
        for _ = 1, 3 do assert.same(t[3], must(db:query(SELECT))[1].v) end
        db:close()
      end)

      it(("gives its new type in pipelines, %s, %s"):format(mode, t[1]), function()
        local db = assert(larder.open(url, { pool = pool }))
        assert.equal(5, must(db:query(SELECT))[1].v)
        alter(t)
        for _ = 1, 3 do
          local results = must(db:pipeline(function(p)
            p:query "select 1::int8 as one"
            p:query(SELECT)
            p:query "select 2::int8 as two"
          end))
          assert.equal(1, results[1].rows[1].one)
          assert.same(t[3], results[2].rows[1].v)
          assert.equal(2, results[3].rows[1].two)
        end
        db:close()
      end)

      it(("gives its new type in transactions, or fails to be retried, %s, %s"):format(mode, t[1]), function()
        local db = assert(larder.open(url, { pool = pool }))
        assert.equal(5, must(db:query(SELECT))[1].v)
        alter(t)
        local v, err = db:transaction(function() return must(db:query(SELECT))[1].v end)
        if v == nil then assert.is_true(err.retryable) else assert.same(t[3], v) end
        for _ = 1, 3 do
          assert.same(t[3], must(db:transaction(function() return must(db:query(SELECT))[1].v end)))
        end
        assert.same(t[3], must(db:query(SELECT))[1].v)
        db:close()
      end)
    end

    it("never hands out bytes of an atomic pipeline, " .. mode, function()
      local db = assert(larder.open(url, { pool = pool }))
      must(db:query(SELECT))
      alter(TYPES[1])
      local results, err = db:pipeline({ atomic = true }, function(p) p:query(SELECT) end)
      if results then
        assert.equal("2026-01-01", results[1].rows[1].v)
      else
        assert.equal("drift", err.code)
      end
      results = must(db:pipeline({ atomic = true }, function(p) p:query(SELECT) end))
      assert.equal("2026-01-01", results[1].rows[1].v)
      db:close()
    end)

    it("says when what it wrote cannot be shown, and shows it the next time, " .. mode, function()
      local db = assert(larder.open(url, { pool = pool }))
      local write = "insert into public.larder_stale (id) values ($1) returning v"
      must(db:query(write, 2))
      alter(TYPES[1])
      must(ddl:query "alter table public.larder_stale alter column v set default '2026-01-02'")
      local rows, err = db:query(write, 3)
      if rows == nil then
        assert.equal("drift", err.code)
        assert.is_false(err.retryable)
      else
        assert.equal("2026-01-02", rows[1].v)
      end
      assert.equal(1, must(ddl:query "select count(*) as n from public.larder_stale where id = 3")[1].n)
      assert.equal("2026-01-02", must(db:query(write, 4))[1].v)
      db:close()
    end)

    it("takes parameters of the new type, " .. mode, function()
      local db = assert(larder.open(url, { pool = pool }))
      local find = "select id from public.larder_stale where v = $1"
      assert.equal(1, must(db:query(find, 5))[1].id)
      alter { "text", "five" }
      assert.equal(1, must(db:query(find, "five"))[1].id)
      alter { "date", "2026-01-01" }
      assert.equal(1, must(db:query(find, "2026-01-01"))[1].id)
      alter { "int4", "5" }
      local put = "insert into public.larder_stale (id, v) values ($1, $2)"
      must(db:query(put, 5, 6))
      alter { "int8", "5" }
      must(db:query(put, 6, 5000000000))
      alter { "float8", "5" }
      must(db:query(put, 7, 1.5))
      assert.equal(1.5, must(db:query("select v from public.larder_stale where id = $1", 7))[1].v)
      alter { "numeric", "5" }
      must(db:pipeline(function(p) p:query(put, 8, "2.25") end))
      assert.equal("2.25", must(db:query "select v::text as v from public.larder_stale where id = 8")[1].v)
      db:close()
    end)
  end

  it("is not read by what another connection knew of it", function()
    local db = assert(larder.open(url, { pool = { max = 4, min = 0 }, wait = false }))
    local put = "insert into public.larder_stale (id, v) values ($1, $2)"
    must(ddl:query "alter table public.larder_stale alter column v type int8")
    must(db:query(put, 2, 7))
    must(db:transaction(function() -- holds the one connection, so that another is used beside it
      local other = coroutine.wrap(function() return must(db:query(put, 3, 7)) end)
      must(db:query(put, 4, 7))
      other()
    end))
    must(ddl:query "alter table public.larder_stale alter column v type float8")
    for i = 10, 15 do must(db:query(put, i, 0.5)) end
    must(db:transaction(function()
      must(db:query(put, 16, 0.5))
      coroutine.wrap(function() must(db:query(put, 17, 0.5)) end)()
    end))
    local rows = must(ddl:query "select distinct v from public.larder_stale where id >= 10")
    assert.same({ { v = 0.5 } }, rows)
    db:close()
  end)

  -- A view that calls every use of a prepared statement stale stands for a table that changes without end.
  -- A use shows in the statement's counters; the sequence remembers what was seen, also when a use fails.
  it("runs without a name when it went stale once more (FT-23)", function()
    must(ddl:query "create sequence public.larder_stale_seen")
    must(ddl:query [[create function public.larder_always_stale() returns int language plpgsql as $f$
      declare used bigint;
      begin
        select sum(extract(epoch from prepare_time) * 1e6 + generic_plans + custom_plans) into used
          from pg_prepared_statements where statement ~ 'larder_always_stale' and statement !~ 'into used';
        if used <> (select last_value from public.larder_stale_seen) then
          perform setval('public.larder_stale_seen', used);
          raise exception 'the plan is stale' using errcode = '26000';
        end if;
        return 7;
      end $f$]])
    must(ddl:query "create view public.larder_always_stale as select public.larder_always_stale() as n")
    local call = "select n from public.larder_always_stale"
    local db = assert(larder.open(url, { pool = MODES.named }))
    for _ = 1, 2 do assert.equal(7, must(db:query(call))[1].n) end
    for _, atomic in ipairs { false, true } do
      local results = must(db:pipeline({ atomic = atomic }, function(p)
        p:query(call)
        p:query "select 1::int8 as one"
        p:query(call)
      end))
      assert.equal(7, results[1].rows[1].n)
      assert.equal(1, results[2].rows[1].one)
      assert.equal(7, results[3].rows[1].n)
    end
    db:close()
    must(ddl:query "drop view public.larder_always_stale")
    must(ddl:query "drop function public.larder_always_stale()")
    must(ddl:query "drop sequence public.larder_stale_seen")
  end)

  it("follows a search_path", function()
    must(ddl:query "create schema if not exists larder_stale_a")
    must(ddl:query "create schema if not exists larder_stale_b")
    must(ddl:query "create table larder_stale_a.t as select 5 as v")
    must(ddl:query "create table larder_stale_b.t as select date '2026-01-01' as v")
    for _, pool in pairs(MODES) do
      local db = assert(larder.open(url, { pool = pool }))
      for _ = 1, 2 do
        for schema, v in pairs { larder_stale_a = 5, larder_stale_b = "2026-01-01" } do
          local got, err = db:transaction({ retries = 2 }, function()
            must(db:query("select set_config('search_path', $1, true)", schema))
            return must(db:query "select v from t")[1].v
          end)
          assert.equal(v, got, err and err.message)
        end
      end
      db:close()
    end
    must(ddl:query "drop schema larder_stale_a cascade")
    must(ddl:query "drop schema larder_stale_b cascade")
  end)

  -- Nothing that the server answers refutes what a parameter once was: a time would be cut down to a date without a word.
  describe("takes no parameter as what its column was", function()
    local TIME, STORED = "2026-01-01T10:00:00Z", "2026-01-01 10:00:00"
    local INSERT = "insert into public.larder_stale values ($1)"

    local function stored(from)
      return must(ddl:query("select array_agg(to_char(v at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') order by v) as v from "
        .. from))[1].v
    end

    before_each(function()
      must(ddl:query "drop table if exists public.larder_stale")
      must(ddl:query "create table public.larder_stale (v date)")
    end)

    local function in_transaction(db, sql, value)
      return db:transaction(function() return must(db:query(sql, value)) end)
    end

    for mode, pool in pairs(MODES) do
      it("once it has changed the table itself, " .. mode, function()
        local db = assert(larder.open(url, { pool = pool }))
        for _ = 1, 2 do must(db:query(INSERT, "2025-01-01")) end
        must(db:query "alter table public.larder_stale alter v type timestamptz using null")
        must(db:query(INSERT, TIME))
        must(db:query "truncate public.larder_stale")
        must(db:query(INSERT, TIME))
        must(in_transaction(db, INSERT, TIME))
        must(db:pipeline({ atomic = true }, function(p) p:query(INSERT, TIME) end))
        assert.same({ STORED, STORED, STORED }, stored "public.larder_stale")
        db:close()
      end)
    end

    it("seconds after another has changed it", function()
      local db = assert(larder.open(url, { pool = MODES.named }))
      for _ = 1, 2 do must(db:query(INSERT, "2025-01-01")) end
      must(ddl:query "alter table public.larder_stale alter v type timestamptz using null")
      core.sleep(5.2)
      must(ddl:query "truncate public.larder_stale")
      must(db:query(INSERT, TIME))
      assert.same({ STORED }, stored "public.larder_stale")
      db:close()
    end)

    it("under another view's search_path", function()
      must(ddl:query "create schema larder_stale_a")
      must(ddl:query "create schema larder_stale_b")
      must(ddl:query "create table larder_stale_a.t (v date)")
      must(ddl:query "create table larder_stale_b.t (v timestamptz)")
      local db = assert(larder.open(url, { pool = MODES.named }))
      local views = {}
      for _, name in ipairs { "a", "b" } do views[name] = must(db:with { settings = { search_path = "larder_stale_" .. name } }) end
      for _, call in ipairs { db.query, in_transaction } do
        for _, name in ipairs { "a", "b", "a", "b" } do must(call(views[name], "insert into t values ($1)", TIME)) end
      end
      assert.same({ STORED, STORED, STORED, STORED }, stored "larder_stale_b.t")
      assert.equal(4, must(ddl:query "select count(*) as n from larder_stale_a.t where v = '2026-01-01'")[1].n)
      db:close()
      must(ddl:query "drop schema larder_stale_a cascade")
      must(ddl:query "drop schema larder_stale_b cascade")
    end)
  end)

  for name, kind in pairs(loops) do
    it("gives its new type to all in " .. name, function()
      local options = { pool = { max = 4, min = 0 } }
      for k, v in pairs(kind.options) do options[k] = v end
      local db, jobs, seen = assert(larder.open(url, options)), {}, {}
      kind.run(db, function() must(db:query(SELECT)) end)
      alter(TYPES[1])
      for i = 1, 40 do
        jobs[i] = function() seen[i] = must(db:query(SELECT))[1].v end
      end
      kind.run(db, compat.unpack(jobs))
      for i = 1, 40 do assert.equal("2026-01-01", seen[i]) end
      db:close()
    end)
  end
end)

larder.declare {
  name = "stale_rows",
  entities = {
    { name = "rows", table = "public.larder_stale_rows", key = { name = "larder_stale_rows_pkey", "id" }, fields = {
      { name = "id", type = "int8" }, { name = "v", type = "int8" },
    } },
  },
}

describe("a table that has changed, and connections that all have prepared statements on it", function()
  local CONNECTIONS = 4
  local ddl, db, rows

  --- Calls fn in a transaction on each connection of the pool.
  local function on_each(n, fn)
    must(db:transaction(function()
      fn()
      if n > 1 then must(coroutine.wrap(function() return true, on_each(n - 1, fn) end)()) end
    end))
  end

  local function get_and_patch(id)
    local row, err = rows:get(id, { lock = "update" })
    if row then row, err = rows:patch(id, { v = row.v + 1 }) end
    return row, err
  end

  setup(function()
    ddl = must(larder.open(url))
    must(ddl:query "drop table if exists public.larder_stale_rows")
    must(ddl:query "create table public.larder_stale_rows (id int8 constraint larder_stale_rows_pkey primary key, v int8 not null)")
    must(ddl:query "insert into public.larder_stale_rows select n, 10 from generate_series(1, 100) n")
    db = must(larder.open(url, { pool = { max = CONNECTIONS, min = 0 } }))
    rows = db:stores("stale_rows").rows
    local id = 0
    on_each(CONNECTIONS, function()
      id = id + 1
      must(get_and_patch(id))
    end)
  end)
  teardown(function()
    db:close()
    must(ddl:query "drop table public.larder_stale_rows")
    ddl:close()
  end)

  it("FT-23 fail one transaction, and no other one on any connection", function()
    must(ddl:query "alter table public.larder_stale_rows alter v type int4")
    local row, err = db:transaction(function() return get_and_patch(1) end)
    assert.is_nil(row)
    assert.is_true(err.retryable)
    local id = 0
    on_each(CONNECTIONS, function()
      id = id + 1
      assert.equal(12, must(get_and_patch(id)).v)
    end)
    assert.equal(CONNECTIONS, id)
  end)
end)
