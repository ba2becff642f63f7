-- One nginx worker under what goes wrong: clients that leave, workers that leave, phases that cannot wait.

local missing = require("spec.support.need").nginx()
if missing then return describe("an nginx worker", function() pending(missing) end) end

local larder = require "larder"
local lfs = require "lfs"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local URL = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

-- Sessions of the worker are known by this name.
local function url(more)
  return URL .. (URL:find("?", 1, true) and "&" or "?") .. "application_name=lab" .. (more or "")
end

describe("an nginx worker", function()
  local server, db

  local function start(opts)
    opts = opts or {}
    server = nginx.start {
      dir = "spec/nginx/lab", replace = opts.replace,
      env = {
        DATABASE_URL = opts.url or url(opts.pool), LAB_INIT = opts.init, LAB_SPILL = opts.spill,
        LAB_PATIENCE = opts.patience,
      },
    }
  end

  --- Statements of the worker that run at this moment and hold this text.
  local function running(text)
    local rows = assert(db:query([[select count(*)::int8 as n from pg_stat_activity
      where application_name = 'lab' and state = 'active' and strpos(query, $1) > 0]], text))
    return rows[1].n
  end

  --- Sessions that the worker has on the server.
  local function sessions()
    return #assert(db:query "select from pg_stat_activity where application_name = 'lab'")
  end

  local function note(name)
    return (server:request("/note?name=" .. name).text:gsub("%s+$", ""))
  end

  local function send_many(n, path)
    local list = {}
    for i = 1, n do list[i] = assert(server:send((path:gsub("#", i)))) end
    return list
  end

  setup(function() db = assert(larder.open(URL)) end)
  teardown(function() db:close() end)
  after_each(function()
    server:stop()
    nginx.eventually(function() return sessions() == 0 end) -- the server notices a little later
  end)

  it("FT-o10 finishes the requests in flight when it is asked to quit", function()
    start { pool = "&pool_max_conns=20" }
    local pending = send_many(20, "/sleep?s=1.5")
    assert.is_truthy(nginx.eventually(function() return running "pg_sleep" > 0 end))
    server:signal "QUIT"
    for _, request in ipairs(pending) do
      local answer = assert(request:answer())
      assert.same({ 200, "1.5\n" }, { answer.status, answer.text })
    end
    local asked = socket.gettime()
    assert.is_true(server:ended())
    assert.is_true(socket.gettime() - asked < 15)
    assert.equal("", server:alarms())
    assert.is_truthy(nginx.eventually(function() return sessions() == 0 end))
  end)

  it("FT-o11 cancels a statement on the server when its client goes away", function()
    start { pool = "&pool_max_conns=10" }
    local pending = send_many(30, "/sleep?s=20") -- 20 of them wait for a connection, or behind another statement
    assert.is_truthy(nginx.eventually(function() return running "pg_sleep" == 10 end, 15), "they do not sleep side by side")
    for _, request in ipairs(pending) do request:abort() end
    assert.is_truthy(nginx.eventually(function() return running "pg_sleep" == 0 end, 15)) -- not twenty
    for n = 1, 50 do assert.equal(n .. "\n", server:request("/number?n=" .. n).text) end
    assert.equal("", server:alarms())
  end)

  it("FT-o12 leaks neither descriptors nor threads with lua_code_cache off", function()
    start { replace = { ["lua_code_cache on"] = "lua_code_cache off" }, pool = "&pool_min_conns=0&pool_max_conns=2" }
    local pid = server:workers()[1]
    local function count(what)
      local n = 0
      for _ in lfs.dir(("/proc/%d/%s"):format(pid, what)) do n = n + 1 end
      return n
    end
    local function ask(n)
      for i = 1, n do
        local answer = server:request("/number?n=" .. i)
        assert.same({ 200, i .. "\n" }, { answer.status, answer.text })
        socket.sleep(0.02) -- a handle stays for a second after its request: not too many at once
      end
      socket.sleep(2.5) -- what closes a little later is not a leak
    end
    ask(20)
    local fds, tasks = count "fd", count "task"
    ask(200)
    local function back() return count "fd" <= fds + 4 and count "task" <= tasks + 1 end
    assert.is_truthy(nginx.eventually(back), ("%d descriptors and %d threads, then %d and %d"):format(fds, tasks, count "fd", count "task"))
    assert.equal(0, sessions())
    assert.same({ pid }, server:workers())
    assert.equal("", server:alarms())
  end)

  it("FT-o13 gives two light threads of one request their own rows", function()
    start()
    local pending = send_many(8, "/threads")
    for _, request in ipairs(pending) do assert.equal("0\n", assert(request:answer()).text) end
    assert.equal("", server:alarms())
  end)

  it("FT-o14 waits where a phase can wait, and refuses by name where it cannot", function()
    start()
    for _, phase in ipairs { "rewrite", "access", "timer" } do
      server:request("/" .. phase)
      assert.equal("42", nginx.eventually(function() return note(phase) ~= "" and note(phase) end))
    end
    server:request "/filters"
    for _, phase in ipairs { "header_filter", "body_filter", "log" } do
      local said = nginx.eventually(function() return note(phase) ~= "" and note(phase) end)
      assert.is_truthy(said:find(phase, 1, true), phase .. ": " .. said)
    end
    assert.equal("", server:alarms())
  end)

  it("FT-o15 works in init_worker, and in init works or refuses by name", function()
    start { init = "init_worker" }
    assert.equal("42", note "init_worker")
    assert.equal("42\n", server:request("/number?n=42").text)
    server:stop()
    start { init = "init" }
    local said = note "init"
    assert.is_true(said == "42" or said:find("init", 1, true) ~= nil, said)
    assert.equal("42\n", server:request("/number?n=42").text)
    assert.equal("", server:alarms())
  end)

  it("FT-o15 may be loaded in init_worker for the first time", function()
    start { replace = { ['init_by_lua_block { require("lab").init() }'] = "" } }
    assert.equal("7", (server:request("/number?n=7").text:gsub("%s+$", "")))
  end)

  it("FT-o23 starts although the database's host says nothing", function()
    local silent = assert(socket.bind("127.0.0.1", 0))
    local _, port = silent:getsockname()
    start { url = ("postgresql://u@127.0.0.1:%d/x"):format(port), init = "init_worker", patience = "0.5" }
    local said = nginx.eventually(function() return note "init_worker" ~= "" and note "init_worker" end)
    assert.is_truthy(said:find("connection", 1, true), said)
    assert.is_true(tonumber(note "init_worker_seconds") < 3)
    assert.equal("pong\n", server:request("/ping").text)
    silent:close()
  end)

  it("FT-o16 is not held up for ever by a statement in init_worker", function()
    start { init = "stall" }
    assert.is_truthy(note("stall"):find("timeout", 1, true), note "stall")
    assert.is_true(tonumber(note "stall_seconds") < 12)
    assert.equal("42\n", server:request("/number?n=42").text)
    assert.equal("", server:alarms())
  end)

  it("FT-o17 answers others while 64 requests sleep in the database", function()
    start { pool = "&pool_max_conns=64" }
    local pending = send_many(64, "/sleep?s=8")
    for _ = 1, 20 do assert.equal("pong\n", server:request("/ping").text) end
    assert.is_truthy(nginx.eventually(function() return running "pg_sleep" >= 60 end, 7))
    for _ = 1, 20 do assert.equal("pong\n", server:request("/ping").text) end
    assert.is_true(running "pg_sleep" > 0, "the worker was blocked until they woke")
    for _, request in ipairs(pending) do assert.equal(200, assert(request:answer()).status) end
    assert.equal("", server:alarms())
  end)

  it("answers requests that wait longer than a light thread waits at a time", function()
    start { pool = "&pool_max_conns=12" }
    local pending = {}
    for i = 1, 12 do -- at different moments between two looks for killed threads
      pending[i] = assert(server:send "/sleep?s=11")
      socket.sleep(0.07)
    end
    for _, request in ipairs(pending) do assert.equal(200, assert(request:answer()).status) end
    assert.equal("", server:alarms())
  end)

  it("FT-o18 gives each of 200 requests at once the answer to its own question", function()
    start { pool = "&pool_max_conns=4" }
    for _ = 1, 3 do
      for n, request in ipairs(send_many(200, "/number?n=#")) do
        assert.equal(n .. "\n", assert(request:answer()).text)
      end
    end
    assert.is_true(sessions() <= 4, sessions() .. " sessions")
    assert.equal("", server:alarms())
  end)

  it("FT-o19 answers every request when the backends are killed in flight", function()
    start { pool = "&pool_max_conns=8" }
    local pending = send_many(64, "/number?s=0.3&n=#")
    assert.is_truthy(nginx.eventually(function() return running "pg_sleep" > 0 end))
    assert(db:query "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lab'")
    local served = 0
    for n, request in ipairs(pending) do
      local answer = assert(request:answer())
      if answer.status == 200 then
        assert.equal(n .. "\n", answer.text)
        served = served + 1
      else
        assert.is_truthy(answer.text:find("connection", 1, true), answer.text)
      end
    end
    assert.is_true(served > 0)
    for n = 1, 20 do assert.equal(n .. "\n", server:request("/number?n=" .. n).text) end
    assert.equal("", server:alarms())
  end)

  -- ---- rows that nobody waits for ----

  local ROWS = 20000

  local function with_events(fn)
    assert(db:query "create schema lab")
    assert(db:query "create table lab.events (id uuid constraint events_pkey primary key, n bigint not null)")
    local spill = os.tmpname()
    os.remove(spill)
    local ok, err = pcall(fn, spill)
    os.execute("rm -rf " .. spill)
    assert(db:query "drop schema lab cascade")
    if not ok then error(err, 0) end
  end

  --- Each row is there once, in the end.
  local function all_stored(wanted)
    return nginx.eventually(function()
      local rows = assert(db:query "select count(*)::int8 as n, count(distinct n)::int8 as different from lab.events")
      return rows[1].n == wanted and rows[1].different == wanted
    end)
  end

  it("FT-o20 loses no row of a full audit queue when nginx quits", function()
    with_events(function(spill)
      start { spill = spill }
      assert.equal(ROWS .. "\n", server:request("/audit?n=" .. ROWS).text)
      server:stop "QUIT"
      start { spill = spill }
      assert.equal("1\n", server:request("/number?n=1").text)
      assert.is_truthy(all_stored(ROWS))
      assert.equal("", server:alarms())
    end)
  end)

  it("FT-o22 accepts an audit row in log, where nothing can wait", function()
    with_events(function()
      start()
      assert.equal("1\n", server:request("/number?n=1").text)
      for n = 1, 100 do server:request("/audited?n=" .. n) end
      assert.equal("accepted", note "audited")
      assert.is_truthy(all_stored(100))
      assert.equal("", server:alarms())
    end)
  end)

  local postgres = require("spec.support.pgctl").run
  if not postgres then
    pending "LARDER_TEST_PGCTL is not set: the server cannot be stopped"
    return
  end

  it("FT-o21 replays an audit queue that was full when nginx quit without a database", function()
    with_events(function(spill)
      start { spill = spill }
      assert.equal("1\n", server:request("/number?n=1").text)
      postgres "stop -m fast" -- nothing is flushed at once here: what was committed last would be lost with "immediate"
      local accepted = server:request("/audit?n=" .. ROWS).text
      server:stop "QUIT"
      postgres "start -w"
      assert.equal(ROWS .. "\n", accepted)
      assert.is_truthy(nginx.eventually(function() return db:query "select 1" end))
      start { spill = spill }
      assert.equal("1\n", server:request("/number?n=1").text)
      assert.is_truthy(all_stored(ROWS))
      assert.equal("", server:alarms())
    end)
  end)
end)
