-- nginx as a throw-away: a directory of its own below /tmp, a free port, and gone with the program that started it.

local http = require "spec.support.http"
local lfs = require "lfs"
local must = require "spec.support.must"
local socket = require "socket"

local DEADLINE = 15 -- seconds for nginx to do as it is told

---@class spec.Nginx
---@field port integer
---@field prefix string
local Nginx = {}
Nginx.__index = Nginx

local nginx = {}

-- ---- small things ----

local function slurp(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text
end

local function spit(path, text)
  local file = must(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function output(command)
  local pipe = must(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Ask fn until it answers something true; after the deadline, nil.
function nginx.eventually(fn, seconds)
  local deadline = socket.gettime() + (seconds or DEADLINE)
  repeat
    local result = fn()
    if result then return result end
    socket.sleep(0.02)
  until socket.gettime() > deadline
  return nil
end

local function free_port()
  local server = must(socket.bind("127.0.0.1", 0))
  local _, port = server:getsockname()
  server:close()
  return port
end

-- ---- starting ----

--- What larder.so of LuaJIT and the checkout's Lua need, and what the test says. LARDER_NGINX_BUILD names another build of it
-- than the program's own; LARDER_NGINX_PRELOAD a sanitizer's libraries, when that build needs them.
local function environment(more)
  local here = lfs.currentdir()
  local env = {
    LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(here, here),
    LUA_CPATH = ("%s/%s/luajit/?.so;;"):format(here, os.getenv "LARDER_NGINX_BUILD" or os.getenv "LARDER_BUILD" or "build"),
  }
  local preload = os.getenv "LARDER_NGINX_PRELOAD"
  if preload then
    -- an abort is a worker that ended on a signal, which alarms() tells; what nginx itself never frees is not larder's
    env.LD_PRELOAD, env.ASAN_OPTIONS, env.UBSAN_OPTIONS = preload, "detect_leaks=0:abort_on_error=1", "print_stacktrace=1"
  end
  for name, value in pairs(more or {}) do env[name] = value end
  local words = {}
  for name, value in pairs(env) do words[#words + 1] = name .. "=" .. quote(value) end
  return table.concat(words, " ")
end

--- The directory: a copy of opts.dir, its nginx.conf changed, a place for what nginx writes.
local function furnish(opts)
  local prefix = output "mktemp -d /tmp/larder-nginx.XXXXXX":gsub("%s+$", "")
  must(os.execute(("cp -R %s/. %s/ && mkdir -p %s/run"):format(quote(opts.dir), prefix, prefix)))
  local conf = must(slurp(prefix .. "/nginx.conf"))
  for from, to in pairs(opts.replace or {}) do
    local first, last = conf:find(from, 1, true)
    must(first, "nginx.conf has no " .. from)
    conf = conf:sub(1, first - 1) .. to .. conf:sub(last + 1)
  end
  spit(prefix .. "/nginx.conf", conf)
  return prefix
end

--- Start nginx. opts: dir (with an nginx.conf that listens on 8080), env, replace (text in nginx.conf → text),
-- path (of which any answer says that nginx is there).
---@return spec.Nginx
function nginx.start(opts)
  local self = setmetatable({ port = free_port(), looked = 0 }, Nginx)
  local replace = { ["listen 8080"] = "listen 127.0.0.1:" .. self.port }
  for from, to in pairs(opts.replace or {}) do replace[from] = to end
  self.prefix = furnish { dir = opts.dir, replace = replace }
  -- Root's workers stay root: the checkout and the server's socket may be closed to everybody else.
  local root = output "id -u":match "^0%s" and " user root;" or ""
  -- The kernel ends nginx when this program dies, however it dies.
  self.pipe = must(io.popen(("%s exec setpriv --pdeathsig TERM nginx -p %s/ -c nginx.conf -g 'daemon off;%s' 2>%s/run/stderr"):format(
    environment(opts.env), self.prefix, root, self.prefix)))
  local up = nginx.eventually(function() return http.request(self.port, opts.path or "/ping", { timeout = 5 }) end)
  if not up then
    local said = (slurp(self.prefix .. "/run/stderr") or "") .. self:log()
    self:stop "TERM"
    error("nginx did not start:\n" .. said, 2)
  end
  return self
end

-- ---- the running nginx ----

function Nginx:request(path, opts) return http.request(self.port, path, opts) end

function Nginx:send(path, opts) return http.send(self.port, path, opts) end

--- Process id of the master; nil when it has ended.
function Nginx:master()
  local pid = tonumber(slurp(self.prefix .. "/run/nginx.pid") or "")
  return pid and lfs.attributes("/proc/" .. pid) and pid or nil
end

--- Process ids of the workers.
function Nginx:workers()
  local pids, master = {}, self:master()
  if not master then return pids end
  for pid in output("ps -o pid= --ppid " .. master):gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
  table.sort(pids)
  return pids
end

--- Send a signal to the master, or to another process.
function Nginx:signal(name, pid)
  must(os.execute(("kill -%s %d"):format(name, pid or must(self:master(), "nginx has ended"))))
end

--- Wait until nginx has ended by itself; true when it has.
function Nginx:ended(seconds)
  return nginx.eventually(function() return not self:master() end, seconds) or false
end

--- End it and remove its directory. "QUIT", the default, lets requests finish; an nginx that does not end is an error.
function Nginx:stop(signal)
  if not self.pipe then return end
  local master, workers, obeyed = self:master(), self:workers(), true
  if master then
    self:signal(signal or "QUIT")
    obeyed = self:ended()
    if not obeyed then
      for _, pid in ipairs(workers) do os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) end
      self:signal("KILL", master)
    end
  end
  self.pipe:close() -- waits for the end
  self.pipe = nil
  self.last_log = self:log()
  os.execute("rm -rf " .. self.prefix)
  must(obeyed, "nginx did not end when it was told to")
end

function Nginx:log()
  return slurp(self.prefix .. "/run/error.log") or self.last_log or ""
end

--- Lines of the log since the last look that nobody expected: warnings and whatever is worse.
---@param ... string  patterns of lines that are expected
function Nginx:alarms(...)
  local found, log = {}, self:log()
  local fresh = log:sub(self.looked + 1)
  self.looked = #log
  for line in fresh:gmatch "[^\n]+" do
    local serious = line:find "%[alert%]" or line:find "%[crit%]" or line:find "%[emerg%]" or line:find "%[error%]" or line:find "%[warn%]"
      or line:find "Sanitizer" or line:find "runtime error:"
    for i = 1, select("#", ...) do
      if serious and line:find((select(i, ...))) then serious = nil end
    end
    if serious then found[#found + 1] = line end
  end
  return table.concat(found, "\n")
end

-- ---- load ----

local Load = {}
Load.__index = Load

--- wrk against a path, beside the test. opts: connections, seconds, key, close (a connection for each request).
function Nginx:load(path, opts)
  local words = { "wrk", "-t1", "--latency", "-c" .. (opts.connections or 16), "-d" .. (opts.seconds or 2) .. "s",
    "--timeout", "10s" }
  if opts.key then words[#words + 1] = "-H " .. quote("Authorization: Bearer " .. opts.key) end
  if opts.close then words[#words + 1] = "-H 'Connection: close'" end
  words[#words + 1] = quote(("http://127.0.0.1:%d%s"):format(self.port, path))
  return setmetatable({ pipe = must(io.popen(table.concat(words, " ") .. " 2>&1")) }, Load)
end

-- "1.23ms" as milliseconds.
local function milliseconds(text)
  local number, unit = (text or ""):match "^([%d%.]+)(%a+)$"
  return number and tonumber(number) * ({ us = 1e-3, ms = 1, s = 1e3, m = 6e4 })[unit]
end

--- Wait for its end: { requests, refused (neither 2xx nor 3xx), connect, read, write, timeout, rate (requests a second),
-- p50, p99 (milliseconds), text }.
function Load:result()
  local text = self.pipe:read "*a"
  self.pipe:close()
  local requests = must(text:match "(%d+) requests in", text)
  local connect, read, write, timeout = text:match "Socket errors: connect (%d+), read (%d+), write (%d+), timeout (%d+)"
  return {
    requests = tonumber(requests), refused = tonumber(text:match "Non%-2xx or 3xx responses: (%d+)" or 0),
    connect = tonumber(connect or 0), read = tonumber(read or 0), write = tonumber(write or 0),
    timeout = tonumber(timeout or 0), rate = tonumber(text:match "Requests/sec:%s+([%d%.]+)"),
    p50 = milliseconds(text:match "\n%s+50%%%s+(%S+)"), p99 = milliseconds(text:match "\n%s+99%%%s+(%S+)"), text = text,
  }
end

return nginx
