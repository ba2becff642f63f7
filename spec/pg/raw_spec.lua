-- Raw SQL: statements, cursors, pipelines, COPY.

local core = require "larder.core"
local larder = require "larder"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("raw SQL", function()
  local db

  setup(function() db = assert(larder.open(url)) end)
  teardown(function() db:close() end)

  before_each(function()
    assert(db:query "drop table if exists public.larder_raw")
    assert(db:query "create table public.larder_raw (id int8 primary key, name text, data jsonb)")
  end)

  after_each(function() assert(db:query "drop table public.larder_raw") end)

  local function count() return assert(db:query "select count(*) as n from public.larder_raw")[1].n end

  it("lists the columns in their order, also while somebody listens", function()
    local function columns() return select(3, db:query { "select 1::int4 as z, 'x'::text as a", columns = true }) end
    local expected = { { name = "z", type = "int4" }, { name = "a", type = "text" } }
    assert.same(expected, columns())
    local stop = db:on("query", function() end)
    local heard = columns()
    stop()
    assert.same(expected, heard)
    assert.is_nil((select(3, db:query "select 1 as z")))
  end)

  -- LuaJIT's assert raises the last of its values: nothing may stand behind the error.
  it("answers a failure with the error as its last value, also while somebody listens and in transactions", function()
    local function ask() return db:query "select nonsense" end
    local function count_values() return { select("#", ask()), select("#", db:transaction(ask)) } end
    assert.same({ 2, 2 }, count_values())
    local stop = db:on("query", function() end)
    local heard = count_values()
    stop()
    assert.same({ 2, 2 }, heard)
  end)

  it("binds parameters by the statement's own types and returns rows with their number", function()
    local rows, affected = db:query(
      "insert into public.larder_raw values ($1, $2, $3), ($4, $5, null) returning *",
      1, "it's; drop", { a = { 1 } }, 2, larder.null)
    assert.same({ { id = 1, name = "it's; drop", data = { a = { 1 } } }, { id = 2 } }, rows)
    assert.equal(2, affected)
    rows, affected = db:query("update public.larder_raw set name = $1 where id = any($2)", nil,
      larder.array { 1, 2 })
    assert.same({}, rows)
    assert.equal(2, affected)
  end)

  it("says that memory is short, and never that a number is wrong #oom", function()
    for sql, value in pairs {
      ["select $1::numeric::text as v"] = 1.5,
      ["select $1::money::numeric::text as v"] = 2.5,
      ["select ($1::money[])[1]::numeric::text as v"] = { 3.5, 4 },
    } do
      local n, want = 0, must(db:query(sql, value))[1].v
      local failed
      repeat
        n = n + 1
        core.mem_fail_at(n)
        local ok, rows, err = pcall(db.query, db, sql, value)
        failed = core.mem_failed()
        core.mem_fail_at(0)
        if not ok then
          assert.matches("out of memory$", tostring(rows))
        elseif not rows then
          assert.equal("capacity", err.code, ("%s, allocation %d: %s"):format(sql, n, err))
        else
          assert.equal(want, rows[1].v)
        end
      until not failed
      assert.is_true(n > 1)
    end
  end)

  it("returns errors with what the server said, and never the values", function()
    assert(db:query "insert into public.larder_raw values (1)")
    local rows, err = db:query("insert into public.larder_raw values ($1, $2)", 1, "s3cret")
    assert.is_nil(rows)
    assert.equal("conflict", err.code)
    assert.equal("23505", err.sqlstate)
    assert.equal("larder_raw_pkey", err.constraint)
    assert.is_nil((tostring(err) .. tostring(err.detail)):find("s3cret", 1, true))
    rows, err = db:query "selec 1"
    assert.is_nil(rows)
    assert.equal("syntax", err.code)
    assert.has_error(function() db:query(5) end)
  end)

  it("says which methods of a session, a pipeline and a cursor were meant", function()
    local _, raised = db:session(function(session) session:qurey "select 1" end)
    for call, why in pairs {
      [function() error(raised, 0) end] = "a session has no qurey; did you mean query?",
      [function() db:pipeline(function(p) p:qery "select 1" end) end] = "a pipeline has no qery; did you mean query?",
      [function() (db:each "select 1"):colse() end] = "a cursor has no colse; did you mean close?",
    } do
      local ok, said = pcall(call)
      assert.is_false(ok)
      assert.matches("raw_spec.lua:%d+: " .. why:gsub("%p", "%%%0"), said)
    end
  end)

  it("says in which line and where a statement is wrong", function()
    local cases = {
      ["selct 1"] = { 1, 1 }, ["select 1,\n  nosuch\nfrom pg_class"] = { 2, 3 }, ["select 'ä', 'ö',\n'€' || nosuch('ß')"] = { 2, 8 },
    }
    for text, wanted in pairs(cases) do
      local _, err = db:query(text)
      assert.same(wanted, { err.line, err.place }, text)
      assert.is_truthy(tostring(err):find((" (line %d)"):format(wanted[1]), 1, true), tostring(err))
    end
    local ok, err = pcall(db:each "select 1 as one, nosuch")
    assert.same({ false, 1, 18 }, { ok, err.line, err.place })
    ok, err = pcall(db:each "select 1 as one,\nnosuch")
    assert.same({ false, 2, 1 }, { ok, err.line, err.place })
    local _
    _, err = db:session(function(session) return session:query "select 1,\n\nnosuch" end)
    assert.same({ 3, 1 }, { err.line, err.place })
    _, err = db:query("insert into public.larder_raw values ($1)", "no number") -- about a value, and no place
    assert.is_nil(err.line)
  end)

  it("refuses begin, commit and rollback outside of a transaction, where they would do nothing", function()
    for _, text in ipairs {
      "begin", "BEGIN;", "start transaction", " -- why\n/* not */ commit", "rollback", "end", "savepoint a", ";abort",
    } do
      local rows, err = db:query(text)
      assert.same({ nil, "invalid" }, { rows, err.code }, text)
      assert.is_truthy(tostring(err):find("db:transaction(function() … end)", 1, true), text)
      rows, err = db:pipeline({}, function(p) p:query "select 1" p:query(text) end)
      assert.same({ nil, "invalid" }, { rows, err.code }, text)
    end
    assert.equal(1, assert(db:query "select 1 as begin")[1].begin)
    assert.equal(1, assert(db:query "-- begin\nselect 1 as n")[1].n)
    local _, err = db:query "commit prepared 'nosuch'"
    assert.equal("42704", err.sqlstate)
    assert(db:transaction(function(tx)
      assert(tx:query "savepoint a")
      assert(db:query "rollback to savepoint a")
      return true
    end))
    assert(db:session(function(session)
      assert(session:query "begin")
      return session:query "rollback"
    end))
  end)

  it("refuses what would end a transaction in the middle of its function", function()
    for _, text in ipairs {
      "commit", "COMMIT;", "commit and chain", "/* why */ rollback", "rollback and chain", "end", "abort", "prepare transaction 'x'",
    } do
      local ok, err = db:transaction(function(tx)
        must(tx:query "insert into public.larder_raw values (1)")
        local rows, why = tx:query(text)
        assert.same({ nil, "invalid" }, { rows, why.code }, text)
        assert.is_truthy(tostring(why):find("would end the transaction", 1, true), text)
        rows, why = db:pipeline(function(p) p:query "select 1" p:query(text) end)
        assert.same({ nil, "invalid" }, { rows, why.code }, text)
        assert.is_nil(db:copy_in(text, "1\n"))
        return nil, "undo"
      end)
      assert.same({ nil, "undo" }, { ok, err })
      assert.equal(0, count())
    end
  end)

  it("gives a statement its own time limit", function()
    local rows, err = db:query { "select pg_sleep(5)", timeout = 0.05 }
    assert.is_nil(rows)
    assert.equal("timeout", err.code)
    assert.equal(1, assert(db:query "select 1::int8 as v")[1].v)
  end)

  it("joins a transaction", function()
    db:transaction(function(tx)
      must(db:query "insert into public.larder_raw values (1)")
      must(tx:query("insert into public.larder_raw values ($1)", 2))
      assert.is_true(tx:backend_pid() > 0)
      return nil, "enough"
    end)
    assert.equal(0, count())
  end)

  it("streams through a cursor, alone or in a transaction", function()
    local sum, n = 0, 0
    for row in db:each({ "select i from generate_series(1::int8, $1) as i", page = 100 }, 1050) do
      sum, n = sum + row.i, n + 1
    end
    assert.equal(1050, n)
    assert.equal(1050 * 1051 / 2, sum)
    for _ in db:each "select 1 where false" do n = n + 1 end
    assert.equal(1050, n)
    assert(db:transaction(function()
      must(db:query "insert into public.larder_raw values (7)")
      for row in db:each "select id from public.larder_raw" do assert.equal(7, row.id) end
      return true
    end))
    assert.equal(0, db:stats().busy)
  end)

  it("streaming raises what goes wrong and leaves the pool whole", function()
    local ok, err = pcall(function()
      for _ in db:each "select 1 / (3 - i) from generate_series(1, 5) as i" do n = nil end -- luacheck: ignore 111
    end)
    assert.is_false(ok)
    assert.equal("22012", err.sqlstate)
    ok, err = pcall(function()
      for _ in db:each "selec 1" do error "no row expected" end
    end)
    assert.is_false(ok)
    assert.equal("syntax", err.code)
    assert.equal(0, db:stats().busy)
  end)

  it("gives the connection of a loop that was left early back by close, or when the pool is full", function()
    local small = assert(larder.open(url, { pool = { max = 2, min = 0, acquire_timeout = 5 } }))
    for _ = 1, 50 do
      local it = small:each "select i from generate_series(1, 5000) as i"
      assert.equal(1, it().i)
      it:close()
      it:close()
      assert.is_nil(it())
    end
    assert.equal(0, small:stats().busy)
    for _ = 1, 50 do
      for _ in small:each "select i from generate_series(1, 5000) as i" do break end -- luacheck: ignore 512
    end
    small:close()
  end)

  it("is a cursor among the holders that a full pool names", function()
    local small = assert(larder.open(url, { pool = { max = 1, min = 0, acquire_timeout = 1 } }))
    local it = small:each "select i from generate_series(1, 5000) as i"
    assert.equal(1, it().i)
    local rows, err = small:query "select 1"
    assert.is_nil(rows)
    assert.equal("pool_timeout", err.code)
    assert.is_truthy(err.message:find("cursor", 1, true), err.message)
    assert.is_nil(err.message:find("transaction", 1, true), err.message)
    it:close()
    small:close()
  end)

  it("leaves cursors of one transaction beside each other", function()
    assert(db:transaction(function()
      local sum = 0
      for a in db:each { "select i from generate_series(1, 4) as i", page = 2 } do
        for b in db:each { "select i from generate_series(1, 4) as i", page = 3 } do sum = sum + a.i * b.i end
      end
      for _ in db:each "select i from generate_series(1, 4) as i" do break end -- luacheck: ignore 512
      collectgarbage()
      for _ in db:each "select i from generate_series(1, 4) as i" do sum = sum + 1 end
      assert.equal(104, sum)
      return true
    end))
  end)

  it("runs what takes no transaction, however many statements were evicted", function()
    local tight = assert(larder.open(url, { pool = { max = 1, min = 0, statement_cache = 2 } }))
    for round = 1, 3 do
      for i = 1, 5 do assert(tight:query(("select %d + $1::int8 as v"):format(i * round), 1)) end
      assert(tight:query "vacuum public.larder_raw")
      assert(tight:query "create index concurrently larder_raw_name on public.larder_raw (name)")
      assert(tight:query "reindex index concurrently public.larder_raw_name")
      assert(tight:query "drop index concurrently public.larder_raw_name")
      assert(tight:query "deallocate all")
    end
    tight:close()
  end)

  it("sends several statements at once, each on its own", function()
    local results = assert(db:pipeline(function(p)
      assert.equal(1, p:query("insert into public.larder_raw values ($1)", 1))
      assert.equal(2, p:query("insert into public.larder_raw values ($1)", 1))
      assert.equal(3, p:query "select count(*) as n from public.larder_raw")
    end))
    assert.equal(1, results[1].affected)
    assert.equal("conflict", results[2].err.code)
    assert.same({ { n = 1 } }, results[3].rows)
    assert.same({}, assert(db:pipeline(function() end)))
  end)

  it("sends several statements as one", function()
    local results, err = db:pipeline({ atomic = true }, function(p)
      p:query("insert into public.larder_raw values ($1)", 1)
      p:query("insert into public.larder_raw values ($1)", 1)
      p:query("insert into public.larder_raw values ($1)", 2)
    end)
    assert.is_nil(results)
    assert.equal("conflict", err.code)
    assert.equal(0, count())
    assert(db:pipeline(function(p) p:query "insert into public.larder_raw values (3)" end, { atomic = true }))
    assert.equal(1, count())
  end)

  it("copies in from pieces of any size, and out", function()
    assert.equal(3, db:copy_in("copy public.larder_raw (id, name) from stdin", "1\ta\n2\tb\n3\t\\N\n"))
    local n = 3
    assert.equal(997, db:copy_in("copy public.larder_raw (id) from stdin", function()
      n = n + 1
      if n <= 1000 then return n .. "\n" end
    end))
    assert.equal(1000, count())
    local pieces = {}
    assert(db:copy_out("copy (select id, name from public.larder_raw where id < 4 order by id) to stdout",
      function(piece) pieces[#pieces + 1] = piece end))
    assert.equal("1\ta\n2\tb\n3\t\\N\n", table.concat(pieces))
    local rows, err = db:copy_in("copy public.larder_raw (id) from stdin", { "2000\n", "1\n" })
    assert.is_nil(rows)
    assert.equal("conflict", err.code)
    assert.equal(1000, count())
  end)

  it("says which line of the data is refused, where the server does", function()
    local function refused(statement, data)
      local rows, err = db:copy_in(statement, data)
      assert.is_nil(rows)
      return err.code, err.line, err.place
    end
    assert(db:query [[create table public."larder, line 7" (id int4 primary key, "a, line 9" int4 check ("a, line 9" > 0))]])
    finally(function() db:query [[drop table public."larder, line 7"]] end)
    local csv = "copy public.larder_raw (id, name) from stdin (format csv)"
    assert.same({ "invalid", 2 }, { refused(csv, "1,x\nab,y\n") })
    assert.same({ "invalid", 3 }, { refused(csv, "1,x\n2,y\n3\n") })
    assert.same({ "conflict", 4 }, { refused(csv, { "1,x\n2,\"y\n", "z\"\n1,z\n" }) })
    assert.same({ "invalid", 1 }, { refused(csv, "\"x, line 5: \",y\n") })
    local _, err = db:copy_in(csv, "1,x\nab,y\n")
    assert.equal("invalid: copy_in: a text is not a valid value of its type (line 2)", tostring(err))
    local code, line, place = refused("copy public.larder_raw (id, name) form stdin", "")
    assert.same({ "syntax", nil, nil }, { code, line ~= 1 and line or nil, place ~= 36 and place or nil })
    -- not certain: the names look like a line
    assert.same({ "check" }, { refused([[copy public."larder, line 7" from stdin (format csv)]], "1,1\n2,0\n") })
    assert.same({ "invalid" }, { refused([[copy public."larder, line 7" from stdin (format csv)]], "1,x\n") })
  end)

  it("exists on PostgreSQL only", function()
    local memory = assert(larder.open "memory:")
    for _, call in ipairs {
      function() return memory:query "select 1" end,
      function() return memory:pipeline(function(p) p:query "select 1" end) end,
      function() return memory:copy_in("copy x from stdin", "1") end,
    } do
      local ok, err = call()
      assert.is_nil(ok)
      assert.equal("unsupported", err.code)
    end
    memory:close()
  end)

  it("sets larder.tenant for a transaction and no longer", function()
    local function tenant()
      return must(db:query "select nullif(current_setting('larder.tenant', true), '') as t")[1].t
    end
    assert.equal("acme", db:transaction({ tenant = "acme" }, tenant))
    assert.is_nil(tenant())
  end)

  it("tells listeners when connections are opened and handed out", function()
    local other, seen = assert(larder.open(url)), {}
    assert(other:query "select 1") -- the first time it is prepared, too
    other:on("connect", function(event) seen[#seen + 1] = "connect " .. event.count end)
    other:on("acquire", function(event) seen[#seen + 1] = "acquire " .. event.count end)
    assert(other:query "select 1")
    assert.same({ "acquire 1" }, seen)
    local pid = assert(other:query "select pg_backend_pid() as pid")[1].pid
    assert(db:query("select pg_terminate_backend($1)", pid))
    repeat until assert(db:query("select count(*) as n from pg_stat_activity where pid = $1", pid))[1].n == 0
    seen = {}
    assert(other:query "select 1")
    assert.same({ "acquire", "connect" }, { seen[2]:match "%a+", seen[1]:match "%a+" })
    other:close()
    assert.same({}, other:stats())
  end)

  it("says that a migration's own connection cannot be made", function()
    local other = assert(larder.open(url, { migrations = "host=/no/such/place dbname=x" }))
    local done, err = other:migrate "auth"
    assert.is_nil(done)
    assert.equal("connection", err.code)
    other:close()
  end)

  it("reports health, statistics and metrics", function()
    local health = assert(db:health(2))
    assert.is_true(health.ok)
    assert.equal("postgres", health.engine)
    assert.is_true(health.server_version >= 130000)
    assert.is_false(health.pooler)
    local text = db:metrics()
    assert.matches("\nlarder_pool_connections_max 25\n", text, 1, true)
    assert.matches('larder_pool_destroyed_total{reason="broken"} %d', text)
    assert.matches("# TYPE larder_queries_total counter", text, 1, true)
  end)
end)
