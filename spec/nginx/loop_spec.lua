-- How calls wait in nginx: light threads that are killed, a poller that is cut off or never comes.

local missing = require("spec.support.need").nginx()
if missing then return describe("waiting in nginx", function() pending(missing) end) end

local larder = require "larder"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local URL = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local mark = (URL:find("?", 1, true) and "&" or "?") .. "application_name=looped"

describe("waiting in nginx", function()
  local server, db

  local function start(conns, replace)
    server = nginx.start {
      dir = "spec/nginx/loop", replace = replace,
      env = { DATABASE_URL = URL .. mark .. "&pool_max_conns=" .. (conns or 4) },
    }
  end

  local function get(path) return (server:request(path).text:gsub("%s+$", "")) end

  local function running(text)
    return assert(db:query([[select count(*)::int8 as n from pg_stat_activity
      where application_name = 'looped' and state = 'active' and strpos(query, $1) > 0]], text))[1].n
  end

  local function numbers(n)
    local list = {}
    for i = 1, n do list[i] = assert(server:send("/number?n=" .. i)) end
    for i = 1, n do assert.equal(i .. "\n", assert(list[i]:answer()).text) end
  end

  setup(function()
    db = assert(larder.open(URL, { wait = false }))
    assert(db:query "drop table if exists public.looped_exit")
    assert(db:query "create table public.looped_exit (n int8)")
    assert(db:query "drop table if exists public.looped_numbers, public.looped_slow cascade")
    assert(db:query "drop function if exists public.looped_nap")
    assert(db:query "create table public.looped_numbers (n int8 constraint looped_numbers_pkey primary key)")
    assert(db:query "insert into public.looped_numbers select generate_series(1, 3000)")
    assert(db:query "analyze public.looped_numbers")
    assert(db:query "create table public.looped_slow (n int8)")
    assert(db:query [[create function public.looped_nap(row_n int8) returns int4 language plpgsql stable as $$
      begin perform pg_sleep(60) from public.looped_slow s where s.n = row_n; return 1; end $$]])
    assert(db:query "create view public.looped_view as select n, public.looped_nap(n) as napped from public.looped_numbers")
  end)
  teardown(function()
    assert(db:query "drop table public.looped_numbers, public.looped_slow cascade")
    assert(db:query "drop function public.looped_nap")
    assert(db:query "drop table public.looped_exit")
    db:close()
  end)
  after_each(function() server:stop() end)

  it("FT-l13 cancels the statement of a light thread that is killed", function()
    start()
    for _ = 1, 5 do assert.equal("killed", get "/kill") end
    assert.is_truthy(nginx.eventually(function() return running "killed" == 0 end, 5))
    numbers(50)
    assert.matches("^0 waiting", get "/memory")
    assert.equal("", server:alarms())
  end)

  it("FT-l14 undoes the transaction of a request that ended, and its connection is free again", function()
    start(1)
    assert.equal("left", get "/exit")
    assert.is_truthy(nginx.eventually(function() return running "left" == 0 end, 5))
    assert.equal("7", get "/number?n=7")
    assert.equal(0, #assert(db:query "select from public.looped_exit"))
    assert.equal("", server:alarms())
  end)

  it("gives back the page that a request had asked for early when it ended", function()
    start(1)
    for _ = 1, 3 do
      assert(db:query "insert into public.looped_slow values (1100)") -- a row of the third page
      assert.equal("left", get "/ahead")
      assert.equal(1, running "looped_view")
      assert.matches("^0 waiting", get "/memory") -- nothing of the request is left but garbage
      assert.is_truthy(nginx.eventually(function() return running "looped_view" == 0 end, 5))
      assert(db:query "delete from public.looped_slow")
      assert.equal("3000", get "/each")
    end
    assert.equal("", server:alarms())
  end)

  it("FT-l15 waits in coroutines of the program's own", function()
    start()
    assert.equal("55", get "/generate")
    assert.equal("", server:alarms())
  end)

  it("runs each call of a view as its tenant, beside those of others", function()
    start()
    local answers = {}
    for i = 1, 24 do answers[i] = assert(server:send("/view?tenant=t" .. i % 3)) end
    for i = 1, 24 do assert.equal(("t%dut%d|\n"):format(i % 3, i % 3), assert(answers[i]:answer()).text) end
    assert.equal("", server:alarms())
  end)

  it("FT-l16 goes on when the poller is cut off", function()
    start()
    for _ = 1, 20 do
      local cut = assert(server:send "/cut")
      numbers(20)
      assert.equal("cut\n", assert(cut:answer()).text)
    end
    assert.equal("", server:alarms())
  end)

  it("lets the poller go when nothing is to be done, and calls it again", function()
    start()
    assert.equal("1", get "/number?n=1")
    assert.equal("running", get "/poller")
    assert.is_truthy(nginx.eventually(function() return get "/poller" == "nil" end, 5))
    assert.equal("2", get "/number?n=2")
    assert.equal("running", get "/poller")
    assert.equal("", server:alarms())
  end)

  it("FT-l17 is slower, but works, when nginx runs no more timers", function()
    start(4, { ["lua_max_running_timers 64"] = "lua_max_running_timers 1" })
    assert.equal("occupied", get "/occupy")
    local started = socket.gettime()
    assert.equal("3", get "/number?n=3")
    assert.is_true(socket.gettime() - started < 6)
    assert.equal("", server:alarms "lua_max_running_timers are not enough")
  end)

  it("leaves at once when it has nothing to do", function()
    start()
    assert.equal("1", get "/number?n=1")
    local started = socket.gettime()
    server:signal "QUIT"
    assert.is_truthy(server:ended())
    assert.is_true(socket.gettime() - started < 2)
    assert.equal("", server:alarms())
  end)
end)
