--- The locations of nginx.conf: the same work, asked of the database by one of variants/.

local cjson = require "cjson"
local ffi = require "ffi"

ffi.cdef [[
typedef struct { long sec, nsec; } bench_time;
int clock_gettime(int clock, bench_time *t);
]]

local USERS, TENANTS = 100000, 10
local TICK = 0.001 -- seconds a look at the event loop sleeps

local variant = require("variants." .. os.getenv "VARIANT")
local serve = { start = variant.start or function() end }

function serve.ping() ngx.print "pong\n" end

--- A user by key, a random one.
function serve.one()
  local k = math.random(0, USERS - 1)
  local row, err = variant.get(("tenant-%d"):format(k % TENANTS), ("user-%06d"):format(k))
  if not row then
    ngx.status = 503
    return ngx.say(tostring(err))
  end
  ngx.print(cjson.encode(row))
end

function serve.sleep()
  local ok, err = variant.sleep(tonumber(ngx.var.arg_s))
  if not ok then
    ngx.status = 503
    return ngx.say(tostring(err))
  end
  ngx.print "slept\n"
end

local at = ffi.new "bench_time"
local MONOTONIC = 1

local function clock()
  ffi.C.clock_gettime(MONOTONIC, at)
  return tonumber(at.sec) + tonumber(at.nsec) / 1e9
end

--- How late the event loop comes back to one who sleeps a millisecond: percentiles in milliseconds.
function serve.stalls()
  local late, deadline = {}, clock() + tonumber(ngx.var.arg_s)
  repeat
    local before = clock()
    ngx.sleep(TICK)
    local now = clock()
    late[#late + 1] = (now - before - TICK) * 1e3
  until now > deadline
  table.sort(late)
  local function percentile(p) return late[math.max(1, math.ceil(#late * p))] end
  ngx.say(("%.3f %.3f"):format(percentile(0.5), percentile(0.99)))
end

return serve
