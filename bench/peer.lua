--- Runs one workload with one Lua client: peer.lua PEER WORKLOAD SECONDS ROWS TAG
-- prints "units seconds cpu_seconds peak_kib", or "skip" when the peer does not do that workload. With BENCH_STEPS it makes that many
-- steps, whatever time they take.
--
-- A peer (bench/peers/*.lua) is a table: connect(target) → connection, then functions of a connection:
-- get(db, tenant, id), create(db, user), transaction(db, user), list(db, tenant) → rows, batch(db, keys),
-- bulk(db, users); and, when it can overlap its waiting,
-- concurrent(target, workers, connections, draw, seconds) → gets, seconds.

-- larder's clock, also for the others: Lua has none that is finer than a second.
local now = require("larder.core").now

local USERS, TENANTS, BATCH, WORKERS, CONNECTIONS = 100000, 10, 100, 16, 8
local STAMP = "2025-12-07T14:40:26.865664Z"

local STEPS = tonumber(os.getenv "BENCH_STEPS")

local peer_name, workload, seconds, rows, tag = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4]), arg[5]
local target = {
  url = os.getenv "BENCH_URL", host = os.getenv "BENCH_HOST", port = os.getenv "BENCH_PORT",
  user = os.getenv "BENCH_USER", database = os.getenv "BENCH_DB",
}

-- ---- keys: every program draws the same ones ----

local seed = 42

local function draw()
  seed = seed * 16807 % 2147483647
  local k = seed % USERS
  return ("tenant-%d"):format(k % TENANTS), ("user-%06d"):format(k)
end

local made = 0

local function fresh(name)
  local id = ("new-%s-%d"):format(name, made)
  local user = {
    tenant_id = ("tenant-%d"):format(made % TENANTS), id = id, username = id, email = id .. "@example.com",
    status = "active", full_name = "User Number",
    metadata = { role = "editor", tags = { "a", "b" }, logins = 12, prefs = { theme = "dark" } },
  }
  made = made + 1
  return user
end

-- Rows for the next steps, made while the clock stands.
local SLICE, slice, taken = 200, {}, 0

local function make_rows()
  for i = 1, SLICE do slice[i] = fresh(tag) end
  taken = 0
end

local function next_row()
  taken = taken + 1
  return slice[taken]
end

-- ---- running ----

local function peak_kib()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s*(%d+)"
    if kib then return tonumber(kib) end
  end
end

local function report(units, took, cpu) -- microseconds, seconds
  print(("%d %.6f %.6f %d"):format(units, took / 1e6, cpu, peak_kib()))
end

local function is_over(steps, took)
  if STEPS then return steps >= STEPS end
  return took >= seconds * 1e6
end

--- Repeat a step, which returns its units, for the time that was asked for. The first one meets cold caches. prepare: called
-- before every SLICE of steps, while the clock stands.
local function timed(step, prepare)
  if prepare then prepare() end
  step()
  local units, steps, took, cpu = 0, 0, 0, 0
  repeat
    if prepare then prepare() end
    local left, cpu_start, start = prepare and SLICE or math.huge, os.clock(), now()
    local passed
    repeat
      units, steps, left = units + step(), steps + 1, left - 1
      passed = now() - start
    until left == 0 or is_over(steps, took + passed)
    took, cpu = took + passed, cpu + os.clock() - cpu_start
  until is_over(steps, took)
  report(units, took, cpu)
end

local function bulk(peer)
  local users = {}
  for i = 1, rows do
    users[i] = fresh "bulk"
    users[i].created_at, users[i].updated_at = STAMP, STAMP
  end
  local db = peer.connect(target)
  local cpu_start, start = os.clock(), now()
  peer.bulk(db, users)
  report(rows, now() - start, os.clock() - cpu_start)
end

--- A client that blocks: 16 coroutines take turns over 8 connections, and nothing overlaps.
local function take_turns(peer)
  local connections, workers, turn = {}, {}, 0
  for i = 1, CONNECTIONS do connections[i] = peer.connect(target) end
  for i = 1, WORKERS do
    workers[i] = coroutine.wrap(function()
      while true do
        peer.get(connections[(i - 1) % CONNECTIONS + 1], draw())
        coroutine.yield(1)
      end
    end)
  end
  timed(function()
    turn = turn % WORKERS + 1
    return workers[turn]()
  end)
end

local function concurrent(peer)
  if not peer.concurrent then return take_turns(peer) end
  local cpu_start = os.clock()
  local units, took = peer.concurrent(target, WORKERS, CONNECTIONS, draw, seconds)
  report(units, took * 1e6, os.clock() - cpu_start)
end

local function keys()
  local list = {}
  for i = 1, BATCH do list[i] = { draw() } end
  return list
end

-- What a workload needs of a peer, its step, and what that needs.
local steps = {
  W1 = { "get", function(peer, db) peer.get(db, draw()) return 1 end },
  W2 = { "create", function(peer, db) peer.create(db, next_row()) return 1 end, make_rows },
  W3 = { "transaction", function(peer, db) peer.transaction(db, next_row()) return 1 end, make_rows },
  W4 = { "list", function(peer, db) return #peer.list(db, (draw())) end },
  W5 = { "batch", function(peer, db) peer.batch(db, keys()) return BATCH end },
}
local wholes = { W6 = { "bulk", bulk }, W7 = { "get", concurrent } }

local peer = require("bench.peers." .. peer_name)
local step, whole = steps[workload], wholes[workload]
if not peer[(step or whole)[1]] then
  print "skip"
elseif step then
  local db = peer.connect(target)
  timed(function() return step[2](peer, db) end, step[3])
else
  whole[2](peer)
end
