-- What happens when the world breaks. Numbers FT-n are those of the fault catalogue in docs/faults.md.

local larder = require "larder"
local core = require "larder.core"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local separator = url:find("?", 1, true) and "&" or "?"

local function open(params)
  return assert(larder.open(url .. separator .. (params or "pool_max_conns=4")))
end

local function backend(db) return assert(db:query "select pg_backend_pid() as pid")[1].pid end

local function value(db, sql, ...)
  local rows = assert(db:query(sql, ...))
  return rows[1].v
end

describe("faults", function()
  local db, other

  before_each(function()
    db, other = open "pool_max_conns=2", open()
    assert(other:query "drop table if exists public.larder_faults")
    assert(other:query "create table public.larder_faults (n int8 primary key)")
  end)

  after_each(function()
    db:close()
    assert(other:query "drop table if exists public.larder_faults")
    other:close()
  end)

  local function kill(pid)
    assert.is_true(value(other, "select pg_terminate_backend($1) as v", pid))
    repeat until value(other, "select count(*) as v from pg_stat_activity where pid = $1", pid) == 0
  end

  it("FT-1 a backend killed in a query gives one connection error, and the next call works", function()
    local ended = core.now() + 20e6
    local rows, err = db:query(
      "select pg_terminate_backend(pg_backend_pid()) as gone, pg_sleep(10)")
    assert.is_nil(rows)
    assert.equal("connection", err.code)
    assert.is_true(core.now() < ended)
    assert.equal(1, value(db, "select 1::int8 as v"))
    assert.is_true(db:stats().destroyed_broken >= 1)
  end)

  it("FT-2 a backend killed while idle is never noticed by the caller", function()
    for _ = 1, 5 do
      kill(backend(db))
      assert.equal(1, value(db, "select 1::int8 as v"))
    end
  end)

  it("FT-2 stores read again and write once when a backend was killed while idle", function()
    larder.declare { name = "faults", entities = { {
      name = "rows", table = "public.larder_faults", key = { name = "larder_faults_pkey", "n" }, fields = { { name = "n", type = "int8" } },
    } } }
    local rows, stored = db:stores("faults").rows, 0
    local calls = {
      function(n) return rows:get(n - 1) end, function(n) return rows:exists(n - 1) end,
      function(n) return rows:list { where = { n = n - 1 } } end, function(n) return rows:create { n = n } end,
      function(n) return db:transaction(function() return rows:create { n = n } end) end,
      function(n) return rows:update { n = n - 1 } end,
    }
    for i, call in ipairs(calls) do
      local n = 10 * i
      assert(rows:create { n = n - 1 })
      local pid = backend(db)
      assert(rows:get(n - 1)) -- the connection was used just now
      kill(pid)
      assert(call(n))
      stored = stored + value(other, "select count(*) as v from public.larder_faults where n = $1", n)
    end
    assert.equal(2, stored)
    assert.is_true(db:stats().destroyed_broken >= #calls)
  end)

  it("FT-3 after a kill inside a transaction nothing runs outside it", function()
    local seen = {}
    local ok, err = db:transaction(function()
      assert(db:query "insert into public.larder_faults values (1)")
      kill(backend(db))
      for i = 1, 3 do
        local rows, why = db:query("insert into public.larder_faults values ($1)", 10 + i)
        seen[i] = rows == nil and why.code or "ran"
      end
      return true
    end)
    assert.is_nil(ok)
    assert.is_truthy(err.code == "connection" or err.code == "closed")
    assert.is_truthy(seen[1] == "connection" or seen[1] == "closed")
    assert.equal("closed", seen[2])
    assert.equal("closed", seen[3])
    assert.equal(0, value(other, "select count(*) as v from public.larder_faults"))
    assert(db:query "insert into public.larder_faults values (99)")
  end)

  it("FT-9 an exhausted pool answers with pool_timeout and names the holders", function()
    local held = {}
    for i = 1, 2 do
      held[i] = coroutine.create(function()
        db:transaction(function()
          assert(db:query "select 1")
          coroutine.yield()
        end)
      end)
      assert(coroutine.resume(held[i]))
    end
    local rows, err = db:query "select 1"
    assert.is_nil(rows)
    assert.equal("pool_timeout", err.code)
    assert.is_truthy(tostring(err):find("2 of 2", 1, true) or (err.detail or ""):find "%d", tostring(err))
    for i = 1, 2 do assert(coroutine.resume(held[i])) end
    assert.equal(1, value(db, "select 1::int8 as v"))
  end)

  it("FT-12 a transaction that is dropped gives its slot back and its work is undone", function()
    for _ = 1, 3 do
      local co = coroutine.create(function()
        db:transaction(function()
          assert(db:query "insert into public.larder_faults values (5)")
          coroutine.yield()
        end)
      end)
      assert(coroutine.resume(co))
      co = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
    end
    assert.equal(0, value(db, "select count(*) as v from public.larder_faults"))
  end)

  it("FT-13 a transaction that needs a second connection of a pool of one is told, not hung", function()
    local one = open "pool_max_conns=1"
    local holder = coroutine.wrap(function()
      return one:transaction(function()
        assert(one:query "select 1")
        coroutine.yield()
      end)
    end)
    holder()
    local rows, err = one:query "select 1"
    assert.is_true(holder())
    one:close()
    assert.equal("pool_timeout", rows and "ran" or err.code)
  end)

  it("FT-17 a timeout cancels on the server, and the connection lives", function()
    local pid = backend(db)
    local started = core.now()
    local rows, err = db:query { "select pg_sleep(20)", timeout = 0.2 }
    assert.is_nil(rows)
    assert.equal("timeout", err.code)
    assert.is_true(core.now() - started < 5e6)
    assert.equal(pid, backend(db))
    assert.equal(0, value(other, "select count(*) as v from pg_stat_activity where query like 'select pg_sleep(20)%' and state = 'active'"))
  end)

  it("FT-17 statement and lock timeouts of the server are told apart", function()
    local function inside(setting, sql)
      local code, state
      db:transaction(function()
        assert(db:query("set local " .. setting))
        local rows, err = db:query(sql)
        assert.is_nil(rows)
        code, state = err.code, err.sqlstate
        return nil, err
      end)
      return code .. " " .. state
    end
    assert.equal("timeout 57014", inside("statement_timeout = '50ms'", "select pg_sleep(5)"))
    assert(db:query "insert into public.larder_faults values (1)")
    other:transaction(function()
      assert(other:query "update public.larder_faults set n = 2 where n = 1")
      assert.equal("lock_timeout 55P03", inside("lock_timeout = '50ms'", "update public.larder_faults set n = 3 where n = 1"))
    end)
  end)

  it("FT-10 what a session was set to does not reach its next user", function()
    local one = open "pool_max_conns=1"
    assert(one:query "set statement_timeout = '50ms'")
    assert.equal("0", value(one, "select current_setting('statement_timeout') as v"))
    one:close()
  end)

  it("FT-19 a COMMIT of a failed transaction is an error and leaves nothing", function()
    local ok, err = db:transaction(function()
      assert(db:query "insert into public.larder_faults values (1)")
      local rows, why = db:query "insert into public.larder_faults values (1)"
      assert.is_nil(rows)
      assert.equal("conflict", why.code)
      return true
    end)
    assert.is_nil(ok)
    assert.equal("conflict", err.code)
    assert.equal(0, value(db, "select count(*) as v from public.larder_faults"))
  end)

  it("FT-23 a changed table heals prepared statements outside a transaction, and inside one says it can be retried", function()
    assert(db:query "insert into public.larder_faults values (1)")
    assert.equal(1, #assert(db:query "select * from public.larder_faults"))
    assert(other:query "alter table public.larder_faults add column extra text default 'x'")
    assert.equal("x", assert(db:query "select * from public.larder_faults")[1].extra)
    local err
    db:transaction(function()
      assert(db:query "select 1")
      assert(other:query "alter table public.larder_faults add column more text")
      local rows
      rows, err = db:query "select * from public.larder_faults"
      return rows
    end)
    if err then assert.is_true(err.retryable) end
  end)

  it("FT-8 a wrong server, database or password is one clear error without the password", function()
    for _, target in ipairs {
      "postgres://u:s3cret-word@127.0.0.1:1/nowhere?connect_timeout=2",
      { host = "127.0.0.1", port = 1, user = "u", password = "s3cret-word", dbname = "x", connect_timeout = 2 },
    } do
      local nothing, err = larder.open(target)
      assert.is_nil(nothing)
      assert.equal("connection", err.code)
      assert.is_nil(tostring(err):find("s3cret-word", 1, true))
    end
    local nothing, err = larder.open((url:gsub("/[%w_]+(%??)", "/no_such_database%1", 1)))
    if not nothing then assert.is_truthy(err.code == "connection" or err.code == "permission") else nothing:close() end
    local _, syntax = larder.open "postgres://u:s3cret-word@[::1"
    assert.equal("invalid", syntax.code)
    assert.is_nil(tostring(syntax):find("s3cret-word", 1, true))
  end)

  it("FT-45 zero bytes and bad UTF-8 are refused by name, and bytea keeps every byte", function()
    for _, bad in ipairs { "a\0b", "\255", "\237\160\128", "\192\175" } do
      local rows, err = db:query("select $1::text as v", bad)
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
    end
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    assert.equal(bytes, value(db, "select $1::bytea as v", bytes))
  end)

  it("FT-50 hostile texts stay data in every position", function()
    for _, text in ipairs { "'; drop table public.larder_faults; --", "\\'; select 1; --", "$1", "$$x$$", "%s%n", "\"" } do
      assert.equal(text, value(db, "select $1::text as v", text))
    end
    assert.equal(0, value(db, "select count(*) as v from public.larder_faults"))
  end)
end)

-- A server that freezes: its process is stopped, its connection stays.
local control = os.getenv "LARDER_TEST_PGCTL"
if control and control ~= "" then
  describe("a frozen server", function()
    local db, other, pid

    before_each(function()
      db, other = open "pool_max_conns=1", open()
      pid = backend(db)
    end)

    after_each(function()
      os.execute("kill -CONT " .. pid)
      db:close()
      other:close()
    end)

    local function freeze() os.execute("kill -STOP " .. pid) end

    --- fn's answers; it must end by itself within seconds.
    local function within(seconds, fn)
      local began = core.clock()
      local a, b = fn()
      assert.is_true(core.clock() - began < seconds, ("took %.1f s"):format(core.clock() - began))
      return a, b
    end

    for _, opts in ipairs { {}, { timeout = 1 } } do
      local what = opts.timeout and "with a time limit" or "without a time limit"

      it("FT-51 does not hold up a transaction that rolls back, " .. what, function()
        local ok, err = within(60, function()
          return db:transaction(opts, function()
            assert(db:query "create temp table larder_frozen (n int)")
            freeze()
            return nil, "mine"
          end)
        end)
        assert.is_nil(ok)
        assert.equal("mine", err)
        assert.equal(1, value(db, "select 1 as v"))
      end)
    end

    it("FT-51 is a plain timeout where a transaction that only reads is committed", function()
      local ok, err = within(60, function()
        return db:transaction({ read_only = true, timeout = 1 }, function()
          assert(db:query "select count(*) as n from pg_class")
          freeze()
          return true
        end)
      end)
      assert.is_nil(ok)
      assert.equal("timeout", err.code)
      assert.matches("changed nothing", err.message, 1, true)
      assert.equal(1, value(db, "select 1 as v"))
    end)

    it("FT-51 does not hold up who leaves a cursor early", function()
      within(60, function()
        local rows = db:each "select g from generate_series(1, 100000) as g"
        assert(rows())
        freeze()
        rows:close()
      end)
      assert.equal(1, value(db, "select 1 as v"))
    end)

    it("FT-51 does not hold up who leaves a cursor early in a transaction with a time limit", function()
      local ok, err = within(60, function()
        return db:transaction({ timeout = 1 }, function()
          local rows = db:each "select g from generate_series(1, 100000) as g"
          assert(rows())
          freeze()
          rows:close()
          return true
        end)
      end)
      assert.is_nil(ok)
      assert.is_truthy(err.code == "timeout" or err.code == "connection" or err.code == "closed", tostring(err))
      assert.equal(1, value(db, "select 1 as v"))
    end)
  end)
end

-- fork() needs no library on LuaJIT; for Lua 5.4 csrc/test/test_pg*.c has the same test.
if jit then
  local ffi = require "ffi"
  ffi.cdef "int fork(void); int waitpid(int pid, int *status, int options); void _exit(int status);"

  describe("fork", function()
    it("FT-14 a child neither breaks nor closes its parent's session", function()
      local db = open "pool_max_conns=1"
      local before = backend(db)
      local pid = ffi.C.fork()
      if pid == 0 then
        local mine = db:query "select pg_backend_pid() as pid"
        db:close()
        collectgarbage()
        ffi.C._exit(mine and mine[1].pid ~= before and 7 or 1)
      end
      local status = ffi.new "int[1]"
      assert.equal(pid, ffi.C.waitpid(pid, status, 0))
      assert.equal(7 * 256, status[0])
      assert.equal(before, backend(db))
      db:close()
    end)
  end)
end
