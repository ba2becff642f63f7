-- What larder.core offers on PostgreSQL alone: raw statements, pipelines, COPY, sessions and calls that wait.

local core = require "larder.core"
local things = require "spec.support.core_things"

local null, PENDING = core.null, core.PENDING
local is_luajit = rawget(_G, "jit") ~= nil

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local function connect()
  return assert(core.postgres((assert(core.parse_conninfo(url)))))
end

--- Steps a pending call to its end, as an event loop would; core.sleep stands for the loop.
local function settle(first, ...)
  if first ~= PENDING then return first, ... end
  local task = ...
  assert.is_number(task:fd())
  assert.matches("^r?w?$", task:events())
  local seconds = task:timeout()
  assert.is_true(seconds == nil or seconds >= 0)
  core.sleep(0.0005)
  return settle(task:step())
end

describe("larder.core on PostgreSQL", function()
  local engine, store, owners

  setup(function()
    engine = connect()
    local session = assert(engine:session {})
    assert(session:script("set client_min_messages = error;" .. things.sql))
    assert(session:rollback())
  end)

  teardown(function()
    assert(engine:query("drop schema spec cascade", { n = 0 }))
    engine:close()
  end)

  before_each(function()
    engine:set_blocking(true)
    engine:set_clock(nil)
    assert(engine:query("truncate spec.owners cascade", { n = 0 }))
    owners, store = engine:store(things.schema(), "owners"), engine:store(things.schema(), "things")
    assert(owners:create { id = "a", name = "Ann" })
  end)

  local function fails(code, v, err)
    assert.is_nil(v)
    assert.equal(code, err.code, tostring(err))
    return err
  end

  local function one(sql, ...)
    local rows = assert(engine:query(sql, { n = select("#", ...), ... }))
    return rows[1]
  end

  describe("a query", function()
    it("has parameters of the types the statement describes", function()
      local row = one([[select $1::int8 as i, $2::text as t, $3::bool as b, $4::float8 as f, $5::numeric as n, $6::timestamptz as at,
        $7::jsonb as j, $8::uuid as u, $9::bytea as y, $10::text[] as a, $11::int4[] as g]],
        5, "x", true, 1.5, "1.50", "2026-01-02T03:04:05+01:00", { a = { 1, null } }, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a\0b",
        { "x", null }, { { 1 }, { 2 } })
      assert.same({
        i = 5, t = "x", b = true, f = 1.5, n = "1.50", at = "2026-01-02T02:04:05.000000Z", j = { a = { 1, null } },
        u = "6ba7b810-9dad-11d1-80b4-00c04fd430c8", y = "a\0b", a = { "x", null }, g = { { 1 }, { 2 } },
      }, row)
    end)

    it("takes null as larder.null or nil, and gives it back as absent", function()
      assert.same({ y = 1 }, one("select $1::text as x, $2::int4 as y, $3::int4 as z", null, 1, nil))
      assert.same({ {} }, engine:query("select null as x", { n = 0 }))
    end)

    it("passes types it does not know as text", function()
      assert.same({ x = "1 day", y = "192.168.0.1" }, one("select $1::interval::text as x, $2::inet as y", "1 day", "192.168.0.1"))
      assert.same({ x = "5" }, one("select $1::money::numeric::int::text as x", 5))
    end)

    it("keeps integers exact", function()
      local text = is_luajit and "9007199254740993LL" or "9007199254740993"
      local big = one("select 9007199254740993::int8 as x").x
      assert.equal(text, tostring(big))
      assert.equal(text, tostring(one("select $1::int8 as x", big).x))
    end)

    it("names the parameter that is wrong", function()
      local err = fails("invalid", engine:query("select $1::int4, $2::int2, $3::text", { n = 3, "x", 40000, "\255" }))
      assert.equal("must be an integer", err.fields["$1"])
      assert.matches("out of range", err.fields["$2"])
      assert.matches("UTF%-8", err.fields["$3"])
      fails("invalid", engine:query("select $1::int4", { n = 2, 1, 2 }))
      fails("invalid", engine:query("select 1", { 1 }))
      fails("invalid", engine:query("select $1::int4"))
    end)

    it("tells rows, affected and columns", function()
      local rows, affected = engine:query("insert into spec.owners values ('x', 'X'), ('y', 'Y')", { n = 0 })
      assert.same({}, rows)
      assert.equal(2, affected)
      local _, n, columns = engine:query("select 1 as a, 'x'::text as b, array[1] as c", { n = 0 }, { columns = true })
      assert.equal(1, n)
      assert.same({ { name = "a", type = "int4" }, { name = "b", type = "text" }, { name = "c", type = "int4[]" } }, columns)
    end)

    it("takes options, also beside a statement's text", function()
      fails("timeout", engine:query("select pg_sleep(5)", { n = 0 }, { "the text", timeout = 0.05 }))
      assert.equal(1, one("select 1 as x").x)
      assert.has_error(function() engine:query("select 1", {}, { nonsense = 1 }) end)
      assert.has_error(function() engine:query({}, {}) end)
    end)

    it("reports what the server says", function()
      local err = fails("syntax", engine:query("selec 1", { n = 0 }))
      assert.equal("42601", err.sqlstate)
      assert.equal("query", err.op)
      err = fails("conflict", engine:query("insert into spec.owners values ($1, $2)", { n = 2, "a", "secret value" }))
      assert.equal("owners_pkey", err.constraint)
      assert.not_matches("secret value", tostring(err) .. tostring(err.detail))
    end)

    it("joins the coroutine's transaction", function()
      local ctx = assert(engine:begin {})
      things.within(ctx, engine, function()
        assert(engine:query("insert into spec.owners values ('n', 'N')", { n = 0 }))
        assert(ctx:query("insert into spec.owners values ($1, 'M')", { n = 1, "m" }))
        assert.equal(0, #engine:query("select 1 from spec.owners where id = 'n'", { n = 0 }, { tx = false }))
        assert.is_true(owners:exists "n")
        assert.is_true(ctx:backend_pid() > 0)
      end)
      assert(ctx:rollback())
      assert.is_false(owners:exists "n")
      fails("closed", ctx:query("select 1", { n = 0 }))
    end)
  end)

  describe("a pipeline", function()
    it("answers each item", function()
      local results = assert(engine:pipeline({
        { sql = "select $1::int4 as x", params = { n = 1, 5 } }, { sql = "select 1/0" },
        { sql = "insert into spec.owners values ('p', 'P')", params = { n = 0 } },
      }, false))
      assert.same({ { x = 5 } }, results[1].rows)
      assert.equal(1, results[1].affected)
      assert.equal("22012", results[2].err.sqlstate)
      assert.equal(1, results[3].affected)
      assert.same({}, results[3].rows)
      assert.is_true(owners:exists "p")
      assert.same({}, engine:pipeline({}, true))
    end)

    it("is one whole when atomic", function()
      local results = assert(engine:pipeline({
        { sql = "insert into spec.owners values ('q', 'Q')" }, { sql = "select 1/0" }, { sql = "select 1" },
      }, true))
      assert.equal("22012", results[2].err.sqlstate)
      assert.equal("canceled", results[3].err.code)
      assert.is_false(owners:exists "q")
    end)

    it("refuses wrong items before it sends any", function()
      fails("invalid", engine:pipeline({ { sql = "select $1::int4", params = { "x" } } }, false))
      fails("syntax", engine:pipeline({ { sql = "selec" } }, false))
      assert.has_error(function() engine:pipeline({ {} }, false) end)
      assert.has_error(function() engine:pipeline({ 5 }, false) end)
      assert.has_error(function() engine:pipeline({ { sql = "select 1", params = 5 } }, false) end)
    end)
  end)

  describe("a session", function()
    it("runs scripts and names the line that fails", function()
      local session = assert(engine:session { timeout = 5 })
      assert.is_true(session:script "create temporary table x (i int); insert into x values (1);")
      assert.equal(1, session:query("select i from x", { n = 0 })[1].i)
      local v, err = session:script "select 1;\nselect 2;\nselec 3;"
      assert.is_nil(v)
      assert.equal("syntax", err.code)
      assert.equal(3, err.line)
      assert(session:rollback())
      fails("closed", session:script "select 1")
    end)
  end)

  describe("COPY", function()
    local function pieces(list)
      local i = 0
      return function()
        i = i + 1
        return list[i]
      end
    end

    local function within(fn)
      local ctx = assert(engine:begin {})
      fn(ctx)
      return ctx
    end

    it("takes and gives text in pieces", function()
      assert(within(function(ctx)
        assert.equal(2, ctx:copy_in("copy spec.owners from stdin", pieces { "c\tC", "\nd\t", "D\n" }))
        local got = {}
        assert.is_true(ctx:copy_out("copy (select * from spec.owners order by id) to stdout", function(s) got[#got + 1] = s end))
        assert.equal("a\tAnn\nc\tC\nd\tD\n", table.concat(got))
      end):commit())
    end)

    it("hands on what goes wrong, and leaves the connection usable", function()
      local session = assert(engine:session {})
      assert.error_matches(function() session:copy_in("copy spec.owners from stdin", function() error "no more" end) end, "no more")
      assert.has_error(function() session:copy_in("copy spec.owners from stdin", function() return 5 end) end)
      assert.equal(1, session:query("select 1 as x", { n = 0 })[1].x)
      assert.error_matches(function()
        session:copy_out("copy (select generate_series(1, 1000)) to stdout", function() error "enough" end)
      end, "enough")
      assert.equal(1, session:query("select 1 as x", { n = 0 })[1].x)
      fails("conflict", session:copy_in("copy spec.owners from stdin", pieces { "a\tagain\n" }))
      assert.equal(1, session:query("select 1 as x", { n = 0 })[1].x)
      fails("syntax", session:copy_in("copy nonsense", pieces {}))
      fails("syntax", session:copy_out("copy nonsense", print))
      assert(session:rollback())
      assert.is_false(owners:exists "no more")
    end)

    it("ends when its own source ends the transaction", function()
      local ctx = assert(engine:begin {})
      fails("closed", ctx:copy_in("copy spec.owners from stdin", function()
        ctx:rollback()
        return "x\tX\n"
      end))
      assert.is_true(owners:exists "a")
    end)

    it("takes functions only", function()
      within(function(ctx)
        assert.has_error(function() ctx:copy_in("x", 5) end)
        assert.has_error(function() ctx:copy_out("x", 5) end)
        assert.has_error(function() ctx:copy_out("x", print, { nonsense = 1 }) end)
      end):rollback()
    end)
  end)

  describe("a call that waits", function()
    before_each(function() engine:set_blocking(false) end)

    it("is a task that gives the call's own results", function()
      local made = assert(settle(store:create { owner = "a", id = 1, doc = { 1, 2 }, tags = { "x" } }))
      assert.equal("new", made.state)
      assert.same(made, settle(store:get("a", 1)))
      assert.is_true(settle(store:exists("a", 1)))
      assert.is_false(settle(store:exists("a", 2)))
      local _, err = settle(store:get("a", 2))
      assert.equal("not_found", err.code)
      assert.equal("spec.things", err.store)
      assert.equal(1, settle(store:run { op = "count" }))
      local rows, cursor = settle(store:run { op = "select", page = true, limit = 1 })
      assert.equal(1, #rows)
      assert.is_nil(cursor)
      assert.equal(1, settle(store:run { op = "update", set = { title = "t" } }))
      assert.same({ { x = 7 } }, (settle(engine:query("select $1::int4 as x", { n = 1, 7 }))))
      fails("invalid", settle(engine:query("select $1::int4 as y", { n = 1, "x" })))
      fails("syntax", settle(engine:query("selec 2", { n = 0 })))
    end)

    it("goes on with many at once, whatever the collector does", function()
      local calls = {}
      for i = 1, 8 do
        local pending, task = store:create { owner = "a", id = i, title = "t" .. i, doc = { text = ("x"):rep(i * 50) } }
        assert.equal(PENDING, pending)
        calls[i] = task
        collectgarbage()
      end
      for i = 1, 8 do
        local row = assert(settle(PENDING, calls[i]))
        assert.equal(i, row.id)
        assert.equal("t" .. i, row.title)
        assert.equal(i * 50, #row.doc.text)
      end
    end)

    it("runs transactions", function()
      local ctx = assert(engine:begin {})
      things.within(ctx, engine, function()
        assert(settle(store:create { owner = "a", id = 1 }))
        assert.is_truthy(ctx:savepoint())
        fails("conflict", settle(store:create { owner = "a", id = 1 }))
        assert.is_true(ctx:rollback_to())
      end)
      assert.is_true(settle(ctx:commit {}))
      assert.is_false(ctx:active())
      assert.is_true(settle(store:exists("a", 1)))
    end)

    it("keeps no transaction in which nothing waits any more", function()
      local left = setmetatable({}, { __mode = "v" })
      do
        local ctx = assert(engine:begin {})
        left[1] = ctx
        assert.same({ { x = 1 } }, (settle(ctx:query("select 1::int4 as x", { n = 0 }))))
        fails("syntax", settle(ctx:query("selec 2", { n = 0 })))
      end
      collectgarbage()
      collectgarbage()
      assert.is_nil(left[1])
      assert.same({ { x = 2 } }, (settle(engine:query("select 2::int4 as x", { n = 0 }))))
    end)

    it("loads in bulk", function()
      local batch = core.batch(things.schema(), "things", { { owner = "a", id = 1, seq = 1 }, { owner = "a", id = 2, seq = 2 } })
      assert.equal(2, settle(store:load(batch)))
      assert.equal(0, settle(store:load(batch, { on_conflict = "skip" })))
      fails("conflict", settle(store:load(batch)))
    end)

    it("can be given up, finished once, and outlived", function()
      local _, task = engine:query("select pg_sleep(5)", { n = 0 })
      task:close()
      task:close()
      assert.has_error(function() task:step() end)
      _, task = store:get("a", 1)
      settle(PENDING, task)
      assert.has_error(function() task:step() end)
      assert.equal(-1, task:fd())
      assert.equal("", task:events())
      assert.is_nil(task:timeout())
      do
        local dropped = select(2, store:get("a", 1))
        assert.is_truthy(dropped)
      end
      collectgarbage()
      collectgarbage()
      assert.equal("Ann", settle(owners:get "a").name)
    end)

    it("passes its deadline on", function()
      local started = core.clock()
      fails("timeout", settle(engine:query("select pg_sleep(30)", { n = 0 }, { timeout = 0.05 })))
      assert.is_true(core.clock() - started < 20)
    end)

    it("answers closed when the engine is closed under it", function()
      local other = connect()
      other:set_blocking(false)
      local _, task = other:query("select pg_sleep(5)", { n = 0 })
      other:close()
      fails("closed", task:step())
    end)
  end)

  it("calls the test hook within a commit, and hands on its error", function()
    local points = {}
    local function commit()
      local ctx = assert(engine:begin {})
      assert(owners:run { op = "update", set = { name = "x" }, tx = ctx })
      return ctx:commit()
    end
    engine:set_hook(function(point, pid)
      points[#points + 1] = point
      assert.is_true(pid > 0)
    end)
    assert.is_true(commit())
    assert.same({ "before_commit", "after_commit_sent" }, points)
    engine:set_hook(function() error "from the hook" end)
    assert.error_matches(commit, "from the hook")
    engine:set_hook(nil)
    assert.is_true(commit())
  end)

  it("says one condition in one way, however its table is laid out", function()
    local names = { "owner", "title", "state", "whole", "flag", "seq" }
    local values = { owner = "a", title = "t", state = "new", whole = 1, flag = true, seq = 1 }
    local function laid_out(size, step)
      local where = {}
      for i = 1, size do where["x" .. i] = 1 end
      for i = 0, #names - 1 do
        local name = names[i * step % 7 % #names + 1]
        where[name] = values[name]
      end
      for name, value in pairs(values) do where[name] = value end
      for i = 1, size do where["x" .. i] = nil end
      return where
    end
    local ctx = assert(engine:begin {}) -- one connection, on which each statement is prepared once
    assert.equal(0, store:run { op = "count", where = laid_out(0, 1), tx = ctx })
    local before = engine:stats().prepares
    for size = 0, 40, 4 do
      for step = 1, 5 do assert.equal(0, store:run { op = "count", where = laid_out(size, step), tx = ctx }) end
    end
    local after = engine:stats().prepares
    assert(ctx:rollback())
    assert.equal(before, after)
  end)

  it("counts what it does", function()
    local stats = engine:stats()
    assert.is_true(stats.queries > 0)
    assert.is_true(stats.server_version >= 120000)
    assert.is_boolean(stats.pooler)
    assert.equal("postgres", engine:kind())
  end)

  it("moves rows by scan and load, secrets and nulls included", function()
    assert(store:create { owner = "a", id = 1, secret = "s", doc = { 1, null }, price = "1.5", grid = { { 1, null } }, raw = "\0\1" })
    local scan = assert(store:scan())
    local batch = assert(scan:next(10))
    assert.is_nil((scan:next(10)))
    scan:close()
    local memory, there = things.open()
    assert.equal(1, there:load(batch))
    local sum, other = core.checksum(), core.checksum()
    assert(sum:add(batch))
    assert(other:add(assert(there:scan()):next(10)))
    assert.same({ sum:value() }, { other:value() })
    local again = core.checksum()
    assert(again:add((core.batch(things.schema(), "things", { batch:row(1) }))))
    assert.same({ sum:value() }, { again:value() })
    assert.equal(1, there:run { op = "count", where = { grid = { { 1, null } } } })
    assert(store:run { op = "delete" })
    assert.equal(1, store:load((assert(there:scan()):next(10))))
    assert.same(there:get("a", 1), store:get("a", 1))
    memory:close()
  end)
end)
