--- Runs workloads of bench/peer.lua and bench/calls.lua with the modules of any built tree: what compare.lua and count.lua share.

local measure = {}

-- name, what a unit is, the script and its arguments before the seconds, steps of a short run that counts
local function peer(workload) return "bench/peer.lua larder " .. workload end
local function call(kind) return "bench/calls.lua " .. kind end
measure.WORKLOADS = {
  { "W1", "get", peer "W1", steps = 500 }, { "W2", "create", peer "W2", steps = 400 },
  { "W3", "transaction of three", peer "W3", steps = 150 }, { "W4", "a row of a list of 10,000", peer "W4", steps = 1 },
  { "W5", "a get of get_many of 100", peer "W5", steps = 5 }, { "W6", "a row of a bulk load", peer "W6", steps = 2000 },
  { "W7", "get, 16 coroutines", peer "W7" },
  { "P1", "patch", call "patch", steps = 400 }, { "P2", "transaction of one patch", call "transaction", steps = 200 },
  { "M1", "memory: get", call "mem_get", steps = 1000 }, { "M2", "memory: create", call "mem_create", steps = 500 },
  { "M3", "memory: patch", call "mem_patch", steps = 500 }, { "M4", "memory: exists", call "mem_exists", steps = 5000 },
  { "M5", "memory: find", call "mem_find", steps = 500 }, { "M6", "memory: list of 100", call "mem_list", steps = 10 },
  { "M7", "memory: transaction of one patch", call "mem_transaction", steps = 300 },
}

local LONG = 5 -- times the short run

--- Is name in a list of words? No list has all.
function measure.chosen(list, name) return list == nil or (" " .. list .. " "):find(" " .. name .. " ", 1, true) ~= nil end

local url = assert(os.getenv "LARDER_TEST_TCP_URL")
local here = assert(io.popen "pwd"):read "l"
local runs = 0

function measure.psql(arguments)
  assert(os.execute(("psql -qXv ON_ERROR_STOP=1 -d '%s' %s >/dev/null"):format(url, arguments)))
end

function measure.capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

-- Lua 5.4 makes the seed of its hashes from the clock and from addresses, and those of the stack move with the size of the environment. For
-- counts that are the same each time, the environment is no more than what is needed, and the clock stands still.

--- The modules of a tree, the workloads of this one. how: { lua =, seconds = or steps =, rows =, under = a program to run Lua under }
function measure.run(tree, workload, how)
  runs = runs + 1
  if workload[1] == "W6" then measure.psql "-c 'truncate bench.bulk'" end
  local text = measure.capture(("env -i PATH=/usr/local/bin:/usr/bin:/bin LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;'"
    .. " LUA_CPATH='%s/build/%s/?.so;;' BENCH_URL='%s' BENCH_STEPS=%s timeout 300 %s %s %s %s %d c%d 2>&1"):format(tree, tree, here,
    tree, how.lua, url, how.steps or "", how.under or "", how.lua, workload[3], how.seconds or 0, how.rows or how.steps, runs))
  if workload[1] == "W2" or workload[1] == "W3" then
    measure.psql [[-c "delete from bench.users where id like 'new-%'" -c "vacuum bench.users"]]
  end
  local units, took, cpu = ("\n" .. text):match "\n(%d+) (%S+) (%S+) %d+%s"
  if not units then error(("%s in %s: %s"):format(workload[1], tree, text), 0) end
  return { units = tonumber(units), rate = units / took, cpu = cpu / units * 1e6, text = text }
end

--- What a unit costs: the difference of a long and a short run, so that the start falls out. read(result) → { name = count }
function measure.difference(tree, workload, how, read)
  local cost, counts, units = {}, {}, {}
  for i, steps in ipairs { workload.steps, workload.steps * LONG } do
    local result = measure.run(tree, workload, { lua = how.lua, under = how.under, steps = steps })
    counts[i], units[i] = read(result), result.units
  end
  for name, n in pairs(counts[2]) do cost[name] = (n - (counts[1][name] or 0)) / (units[2] - units[1]) end
  return cost
end

local CALLGRIND = "env LD_PRELOAD=" .. here .. "/build/bench/fixed_clock.so valgrind --tool=callgrind --callgrind-out-file=/dev/null"

--- Instructions of the client, in user space, a unit.
function measure.instructions(tree, workload, lua)
  return measure.difference(tree, workload, { lua = lua, under = CALLGRIND }, function(result)
    return { Ir = tonumber((assert(result.text:match "Collected : (%d+)", "callgrind said nothing"))) }
  end).Ir
end

return measure
