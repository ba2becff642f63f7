-- The server goes away and comes back. Only on the throw-away server of tools/with_pg.sh, which may be stopped.

local larder = require "larder"
local compat = require "larder.base.compat"
local core = require "larder.core"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local missing = require("spec.support.need").own_server()
if missing then return describe("a server restart", function() pending(missing) end) end

local server = require("spec.support.pgctl").run

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

--- What fn answers once the server is back.
local function again(fn)
  local back = core.now()
  local result, err
  repeat result, err = fn() until result or core.now() - back > 20e6
  return result, err
end

describe("a server restart", function()
  it("FT-7 MV-G3 is an error while the server is down, and works within the pause between two attempts once it is back", function()
    local db = assert(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "pool_acquire_timeout=1"))
    assert(db:query "select 1")
    server "stop -m immediate"
    local started = core.now()
    local rows, err = db:query "select 1"
    local waited = (core.now() - started) / 1e6
    local healthy, sick = db:health(0.3)
    server "start -w"
    assert.is_nil(rows)
    assert.equal("connection", err.code)
    assert.is_true(waited < 10)
    assert.is_nil(healthy)
    assert.equal("connection", sick.code)
    local back = core.now()
    repeat rows, err = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    assert.same({ { one = 1 } }, rows, tostring(err))
    assert.is_true(assert(db:health()).ok)
    db:close()
  end)

  -- Of a commit that was lost in a crash the log may know nothing: then the next transaction gets the number.
  it("never tells of another's commit, whose transaction got the number of one that a crash undid", function()
    local plain = must(larder.open(url, { wait = false })) -- it waits in coroutines, too
    must(plain:query "create table public.larder_late (v int)")
    must(plain:query [[create function public.larder_late_f() returns trigger language plpgsql as $$
      begin perform pg_sleep(60); return null; end $$]])
    must(plain:query [[create constraint trigger larder_late_t after insert on public.larder_late
      deferrable initially deferred for each row execute function public.larder_late_f()]])
    must(plain:query "create role larder_late superuser login")
    local mark = url:find("?", 1, true) and "&" or "?"
    local db = must(larder.open(url .. mark .. "user=larder_late", { loop = "manual", pool = { max = 1, min = 0 } }))
    local pid, done, ok, err
    coroutine.wrap(function()
      must(db:query "select 1")
      must(plain:query "alter role larder_late nologin") -- nobody asks before the number is given again
      must(plain:query "checkpoint")
      ok, err = db:transaction(function(tx)
        must(tx:query "insert into public.larder_late values (1)")
        pid = tx:backend_pid()
        return true
      end)
      done = true
    end)()
    local function turn(ready)
      local patience = core.clock() + 20
      while not ready() and core.clock() < patience do
        if db:runtime():step() == 0 then core.sleep(0.001) end
      end
    end
    local xid
    turn(function()
      local row = pid and must(plain:query([[select backend_xid::text as x from pg_stat_activity
        where pid = $1 and wait_event = 'PgSleep']], pid))[1]
      xid = row and tonumber(row.x)
      return xid
    end)
    server "restart -m immediate"
    local given
    repeat given = tonumber(must(again(function() return plain:query "select pg_current_xact_id()::text as x" end))[1].x)
    until given >= xid
    must(plain:query "alter role larder_late login")
    turn(function() return done end)
    local rows = must(plain:query "select count(*) as n from public.larder_late")[1].n
    must(plain:query "drop table public.larder_late")
    must(plain:query "drop function public.larder_late_f")
    must(plain:query "drop role larder_late")
    db:close()
    plain:close()
    assert.is_true(done)
    assert.same({ nil, 0 }, { ok, rows })
    assert.is_truthy(err.code == "commit_unknown" or err.code == "connection", tostring(err))
  end)

  it("is told at once to everybody in a loop, and all goes on once it is back", function()
    local kind = loops.cqueues or loops.manual
    local options = { lazy = true, pool = { max = 4, min = 0, acquire_timeout = 60 } }
    for k, v in pairs(kind.options) do options[k] = v end
    local db, jobs, codes = assert(larder.open(url, options)), {}, {}
    for i = 1, 10 do
      jobs[i] = function()
        db:query "select 1" -- connections that were there find out
        local rows, err = db:query "select 1"
        codes[i] = rows and "none" or err.code
      end
    end
    kind.run(db, compat.unpack(jobs))
    assert.same({ "none", "none" }, { codes[1], codes[10] })
    server "stop -m immediate"
    local started = core.now()
    kind.run(db, compat.unpack(jobs))
    local seconds, failures = (core.now() - started) / 1e6, db:stats().connect_failures
    server "start -w"
    for i = 1, 10 do assert.equal("connection", codes[i]) end
    assert.is_true(seconds < 3, "it took " .. seconds)
    assert.is_true(failures < 10, failures .. " attempts")
    local rows
    kind.run(db, function()
      local back = core.now()
      repeat rows = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    end)
    assert.same({ { one = 1 } }, rows)
    db:close()
  end)

  it("need not be there at a lazy open", function()
    server "stop -m immediate"
    local db, refused = larder.open(url, { lazy = true })
    local early, why = larder.open(url)
    local rows, err
    local session, not_open
    if db then
      rows, err = db:query "select 1"
      session, not_open = db:session(function(own) return own:query "select 1" end)
    end
    server "start -w"
    assert.is_nil(early)
    assert.equal("connection", why.code)
    assert.is_truthy(db, tostring(refused))
    assert.is_nil(rows)
    assert.equal("connection", err.code)
    assert.is_nil(session)
    assert.equal("connection", not_open.code)
    local back = core.now()
    repeat rows = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    assert.same({ { one = 1 } }, rows)
    assert.is_true(db:health().server_version >= 120000)
    db:close()
  end)
end)

-- Enough for several pages, and for COPY to be under way when the server goes.
local ROWS, PAGE = 2000, 100

larder.declare {
  name = "restarted",
  entities = {
    { name = "rows", table = "public.larder_restarted", key = { name = "larder_restarted_pkey", "id" },
      fields = { { name = "id", type = "int8" }, { name = "a", type = "int4" } } },
  },
}

describe("a server restart amid", function()
  local db, rows

  before_each(function()
    db = must(larder.open(url, { pool = { max = 2, min = 0, acquire_timeout = 20 } }))
    must(db:query "drop table if exists public.larder_restarted")
    must(db:query "create table public.larder_restarted (id int8 constraint larder_restarted_pkey primary key, a int4 not null)")
    must(db:query("insert into public.larder_restarted select n, n * 7919 % 101 from generate_series(1, $1::int8) n", ROWS))
    rows = db:stores("restarted").rows
  end)
  after_each(function()
    must(again(function() return db:query "drop table public.larder_restarted" end))
    db:close()
  end)

  local function count() return must(again(function() return rows:count() end)) end

  -- Not at once: a throw-away server would lose what it has just committed.
  local function restart() server "restart -w -m fast" end

  -- The ids that a walk gives; the server is restarted behind its n-th row.
  local function walk(opts, n, ids)
    opts.page = PAGE
    for row in rows:each(opts) do
      ids[#ids + 1] = row.id
      if #ids == n then restart() end
    end
  end

  it("FT-52 each by an index goes on with the row behind, or raises: none is left out", function()
    local ids = {}
    local ok, err = pcall(walk, { order = "id" }, 2 * PAGE + 50, ids)
    if not ok then assert.equal("connection", err.code) end
    assert.is_true(ok and #ids == ROWS or not ok and #ids >= 2 * PAGE + 50)
    for i, id in ipairs(ids) do assert.equal(i, id) end
    assert.equal(ROWS, count())
  end)

  it("FT-52 each by a cursor raises, and does not end as if that were all", function()
    local ids, whole = {}, {}
    local ok, err = pcall(walk, { order = "a" }, 2 * PAGE + 50, ids)
    assert.is_false(ok)
    assert.equal("connection", err.code)
    assert.is_true(#ids >= 2 * PAGE + 50 and #ids < ROWS)
    count()
    walk({ order = "a" }, 0, whole)
    assert.equal(ROWS, #whole)
    for i, id in ipairs(ids) do assert.equal(whole[i], id) end
  end)

  it("FT-53 copy_in stores nothing, and says so", function()
    local n = ROWS
    local loaded, err = db:copy_in("copy public.larder_restarted from stdin", function()
      n = n + 1
      if n == ROWS + 5000 then restart() end
      if n <= ROWS + 100000 then return ("%d\t%d\n"):format(n, n) end
    end)
    assert.is_nil(loaded)
    assert.equal("connection", err.code)
    assert.equal(ROWS, count())
  end)

  it("FT-53 copy_out is no whole copy", function()
    must(db:query "insert into public.larder_restarted select n, n from generate_series(100001, 600000) n")
    local n = 0
    local copied, err = db:copy_out("copy public.larder_restarted to stdout", function()
      n = n + 1
      if n == 3 then restart() end
    end)
    assert.is_nil(copied)
    assert.equal("connection", err.code)
  end)

  -- A transfer of 3,000 rows by chunks of 500; the server is restarted behind the second.
  local function transfer(opts)
    local list, restarted = {}, false
    for i = 1, 3000 do list[i] = { id = 10000 + i, a = 1 } end
    opts.families, opts.chunk = { "restarted" }, 500
    opts.progress = function(at)
      if restarted or at.phase ~= "load" or at.done < 1000 then return end
      restarted = true
      restart()
    end
    local report, err = larder.transfer({ restarted = { rows = list } }, db, opts)
    assert.is_true(restarted)
    return report, err
  end

  for _, rebuild in ipairs { true, false } do
    it("FT-53 a transfer stores nothing, and says so, rebuild = " .. tostring(rebuild), function()
      local report, err = transfer { rebuild = rebuild }
      assert.is_nil(report)
      assert.equal("connection", err.code)
      assert.equal(ROWS, count())
    end)
  end

  it("FT-53 a transfer by chunks keeps whole chunks, and says that it is not done", function()
    local report, err = transfer { atomic = false }
    local stored = count() - ROWS
    if report then -- the pool had a new connection for the chunk that was under way
      assert.equal(3000, report.written)
      assert.equal(3000, stored)
    else
      assert.equal("connection", err.code)
      assert.equal(0, stored % 500)
    end
  end)
end)
