-- Acts of the demo that break things and load them: a server that dies under load, 64 clients of nginx over 4 connections, and what
-- larder says to five typos. Each says so when the machine lacks what it needs.

local larder = require "larder"

local must = larder.must

local acts = {}

local function here() -- the directory of the checkout, if this is one
  local pipe = assert(io.popen "pwd")
  local dir = pipe:read "*l"
  pipe:close()
  return dir
end

local function seconds() return larder.now() / 1e6 end

local function works(command)
  local ok = os.execute(command .. " >/dev/null 2>&1")
  return ok == true or ok == 0
end

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- ---- a server that dies ----

local TENANT, LOAD, DEATH = "tenant-1", 3, 0.8 -- seconds of writing, and after how many of them the server dies

local function one_user(i)
  local id = ("crash-%06d"):format(i)
  return { tenant_id = TENANT, id = id, username = id, email = id .. "@example.org" }
end

-- Write until the time is over. A row whose answer was lost is tried again: it is there already, or it is not.
local function write_under_load(auth, kill, live)
  local acknowledged, found, failures, started, killed, longest = {}, 0, 0, seconds(), false, 0
  local i, begun = 1, nil
  while seconds() - started < LOAD or begun do
    if not killed and seconds() - started > DEATH then
      killed = true
      kill()
    end
    local row, err = auth.users:create(one_user(i))
    if row or err.code == "conflict" then
      if err and err.code == "conflict" then found = found + 1 end
      if begun then longest, begun = math.max(longest, seconds() - begun), nil end
      acknowledged[i], i = { TENANT, one_user(i).id }, i + 1
    else
      failures, begun = failures + 1, begun or seconds()
    end
    live("%d rows acknowledged, %d errors", #acknowledged, failures)
  end
  return acknowledged, found, failures, longest
end

--- Kill the server in the middle of a load, and count.
function acts.death(url, tell)
  local control = os.getenv "LARDER_TEST_PGCTL"
  if not control then return tell.say "left out: only a throw-away server (make demo) may be killed" end
  -- a commit is acknowledged when it is written, whatever the server's settings say
  local db = must(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "options=-c%20synchronous_commit%3Don"))
  local auth = db:stores "auth"
  local acknowledged, found, failures, longest = write_under_load(auth, function()
    os.execute(control .. " restart -m immediate >/dev/null 2>&1 &")
  end, tell.live)
  local stored = 0
  for from = 1, #acknowledged, 1000 do
    local keys = {}
    for i = from, math.min(from + 999, #acknowledged) do keys[#keys + 1] = acknowledged[i] end
    for _, row in ipairs(must(auth.users:get_many(keys))) do stored = stored + (row and 1 or 0) end
  end
  tell.say("the server was stopped in the middle of its work (pg_ctl -m immediate) while rows were written one by one")
  tell.say("%d rows acknowledged, %d of them stored; %d calls failed, the service was back after %.1f s", #acknowledged, stored,
    failures, longest)
  if found > 0 then tell.say("%d answers were lost; trying again found the row: conflict", found) end
  tell.verdict(stored == #acknowledged, "nothing that was acknowledged is lost", "rows are missing")
  db:close()
  return stored == #acknowledged
end

-- ---- nginx ----

local CONFIG = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
%s
worker_processes 1; pid nginx.pid; error_log error.log warn; daemon on;
env DATABASE_URL; env LUA_PATH; env LUA_CPATH;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  init_worker_by_lua_block {
    local larder = require "larder"
    db = larder.must(larder.open(os.getenv "DATABASE_URL", { lazy = true, pool = { max = 4 } }))
  }
  server {
    listen 127.0.0.1:%d;
    location = /user {
      content_by_lua_block {
        local user, err = db:stores("auth").users:get("tenant-1", ("user-%%04d"):format(math.random(1000)))
        if not user then ngx.status = 500 ngx.say(tostring(err)) return end
        ngx.say(require("larder").json.encode(user))
      }
    }
  }
}
]]

local function start_nginx(dir, url, port)
  local root = here()
  local file = assert(io.open(dir .. "/nginx.conf", "w"))
  file:write(CONFIG:format(output "id -u":match "^0" and "user root;" or "", port))
  file:close()
  local paths = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/luajit/?.so;;'"):format(root, root, root)
  return ("env %s DATABASE_URL='%s' nginx -p '%s/' -c nginx.conf"):format(paths, url, dir)
end

--- 64 clients at once through one nginx worker that has four connections.
function acts.nginx(url, tell)
  url = os.getenv "LARDER_TEST_TCP_URL" or url
  if not (works "command -v nginx" and works "command -v wrk" and works "test -f build/luajit/larder/core.so") then
    return tell.say "left out: it needs nginx with its Lua module, wrk, and larder built for LuaJIT (make demo sees to that)"
  end
  local dir = os.tmpname()
  os.remove(dir)
  assert(works(("mkdir '%s'"):format(dir)))
  local port = 20000 + larder.now() % 10000
  local line = start_nginx(dir, url, port)
  local refused = output(line)
  tell.live "64 clients for three seconds …"
  local text = output(("wrk -t1 -c64 -d3s --latency http://127.0.0.1:%d/user"):format(port))
  local db = must(larder.open(url))
  local sessions = must(db:query "select count(*) as n from pg_stat_activity where application_name = 'larder' and pid <> pg_backend_pid()")
  db:close()
  works(line .. " -s stop")
  local rate, p99, bad = text:match "Requests/sec:%s+([%d%.]+)", text:match "99%%%s+(%S+)", text:match "Non%-2xx[^\n]*"
  works(("rm -r '%s'"):format(dir))
  if not rate then return tell.say("it did not work out: %s", refused ~= "" and refused or text) end
  tell.say("%d requests a second by 64 clients, 99 of 100 within %s; one read by key each", math.floor(rate + 0.5), p99)
  tell.say("the server had %d sessions of larder; %s", sessions[1].n, bad or "every answer was a 200")
  return bad == nil
end

-- ---- typos ----

local TYPOS = {
  { 'auth.users:lst "tenant-1"', function(_, auth) return auth.users:lst "tenant-1" end },
  { 'auth.users:list("tenant-1", { were = { status = "active" } })',
    function(_, auth) return auth.users:list("tenant-1", { were = { status = "active" } }) end },
  { 'auth.users:find { tenant_id = "tenant-1", emial = "a@b" }',
    function(_, auth) return auth.users:find { tenant_id = "tenant-1", emial = "a@b" } end },
  { 'auth.users.get("tenant-1", "user-0001")', function(_, auth) return auth.users.get("tenant-1", "user-0001") end },
  { 'db:transaction({ isolaton = "serializable" }, fn)',
    function(db) return db:transaction({ isolaton = "serializable" }, function() end) end },
}

--- What larder says to five typos.
function acts.typos(db, tell)
  local all = true
  for _, typo in ipairs(TYPOS) do
    local ok, first, second = pcall(typo[2], db, db:stores "auth")
    local answer = ok and second or not ok and first
    tell.say("%s", typo[1])
    tell.answer(tostring(answer):gsub("^[^%s]*%.lua:%d+: ", ""))
    all = all and answer ~= nil
  end
  return all
end

return acts
