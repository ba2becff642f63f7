--- Drives compare.sh: every workload in both trees, in turns, and what one has over the other.

local function env(name, default) return os.getenv(name) or default end

local ROUNDS, SECONDS = tonumber(env("BENCH_ROUNDS", 5)), tonumber(env("BENCH_SECONDS", 0.7))
local ROWS, LUA, WHAT = tonumber(env("BENCH_ROWS", 50000)), env("BENCH_LUA", "lua5.4"), env("BENCH_WHAT", "time")
local TREES = { os.getenv "BENCH_BEFORE", os.getenv "BENCH_AFTER" }

-- name, what a unit is, the script and its arguments before the seconds
local function peer(workload) return "bench/peer.lua larder " .. workload end
local function call(kind) return "bench/calls.lua " .. kind end
local WORKLOADS = {
  { "W1", "get", peer "W1" }, { "W2", "create", peer "W2" }, { "W3", "transaction of three", peer "W3" },
  { "W4", "a row of a list of 10,000", peer "W4" }, { "W5", "a get of get_many of 100", peer "W5" },
  { "W6", "a row of a bulk load", peer "W6" }, { "W7", "get, 16 coroutines", peer "W7" },
  { "P1", "patch", call "patch" }, { "P2", "transaction of one patch", call "transaction" },
  { "M1", "memory: get", call "mem_get" }, { "M2", "memory: create", call "mem_create" }, { "M3", "memory: patch", call "mem_patch" },
  { "M4", "memory: exists", call "mem_exists" }, { "M5", "memory: find", call "mem_find" },
  { "M6", "memory: list of 100", call "mem_list" }, { "M7", "memory: transaction of one patch", call "mem_transaction" },
}

local function chosen(list, name) return list == nil or (" " .. list .. " "):find(" " .. name .. " ", 1, true) ~= nil end

local function median(list)
  table.sort(list)
  local middle = #list // 2
  return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

-- ---- one run ----

local url = assert(os.getenv "LARDER_TEST_TCP_URL")
local here = assert(io.popen "pwd"):read "l"
local runs = 0

local function psql(arguments)
  assert(os.execute(("psql -qXv ON_ERROR_STOP=1 -d '%s' %s >/dev/null"):format(url, arguments)))
end

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

-- The modules of a tree, the workloads of this one. under: a program to run Lua under.
local function run(tree, workload, seconds, rows, under)
  runs = runs + 1
  if workload[1] == "W6" then psql "-c 'truncate bench.bulk'" end
  local text = capture(("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;' LUA_CPATH='%s/build/%s/?.so;;' BENCH_URL='%s'"
    .. " timeout 300 %s %s %s %s %d c%d 2>&1"):format(tree, tree, here, tree, LUA, url, under or "", LUA, workload[3], seconds, rows, runs))
  if workload[1] == "W2" or workload[1] == "W3" then
    psql [[-c "delete from bench.users where id like 'new-%'" -c "vacuum bench.users"]]
  end
  local units, took, cpu = ("\n" .. text):match "\n(%d+) (%S+) (%S+) %d+%s"
  if not units then error(("%s in %s: %s"):format(workload[1], tree, text), 0) end
  return { units = tonumber(units), rate = units / took, cpu = cpu / units * 1e6, text = text }
end

local function each_workload(fn)
  for _, workload in ipairs(WORKLOADS) do
    if chosen(os.getenv "BENCH_WORKLOADS", workload[1]) then fn(workload) end
  end
end

-- ---- time ----

--- Runs in turns, first the one, then the other tree first; each round gives one ratio of rates.
local function timed(workload)
  local rates, cpus, ratios, spent = { {}, {} }, { {}, {} }, {}, {}
  for round = 1, ROUNDS do
    local result = {}
    for turn = 1, 2 do
      local which = (round + turn) % 2 + 1
      result[which] = run(TREES[which], workload, SECONDS, ROWS)
      table.insert(rates[which], result[which].rate)
      table.insert(cpus[which], result[which].cpu)
    end
    ratios[round], spent[round] = result[2].rate / result[1].rate, result[1].cpu / result[2].cpu
  end
  table.sort(ratios)
  print(("| %s %s | %.0f | %.0f | %.2f | %.2f to %.2f | %.2f | %.2f | %.2f |"):format(workload[1], workload[2], median(rates[1]),
    median(rates[2]), median(ratios), ratios[1], ratios[#ratios], median(cpus[1]), median(cpus[2]), median(spent)))
end

-- ---- counts ----

local LONG = 4 -- times the first run

-- What a unit costs: the difference of a long and a short run, so that the start falls out.
local function difference(tree, workload, seconds, rows, under, read)
  local short = read(run(tree, workload, seconds, rows, under))
  local many = read(run(tree, workload, seconds * LONG, rows * LONG, under))
  local cost, units = {}, many.units - short.units
  for name, n in pairs(many.counts) do cost[name] = (n - (short.counts[name] or 0)) / units end
  return cost
end

local function read_instructions(result)
  local n = assert(result.text:match "Collected : (%d+)", "callgrind said nothing")
  return { units = result.units, counts = { Ir = tonumber(n) } }
end

local CALLS = os.tmpname()

local function read_calls(result)
  local counts = { all = 0 }
  for line in io.lines(CALLS) do
    local n, name = line:match "^%s*%S+%s+%S+%s+%S+%s+(%d+)%s+%d*%s*([%w_]+)$"
    if n and name ~= "total" then counts[name], counts.all = tonumber(n), counts.all + n end
  end
  return { units = result.units, counts = counts }
end

local NETWORK = { "sendto", "recvfrom", "poll", "epoll_wait", "epoll_ctl", "read", "write", "futex" }

local function calls_text(cost)
  local parts = {}
  for _, name in ipairs(NETWORK) do
    if (cost[name] or 0) >= 0.05 then parts[#parts + 1] = ("%s %.1f"):format(name, cost[name]) end
  end
  return ("%.1f (%s)"):format(cost.all, table.concat(parts, ", "))
end

local function counted(workload)
  local ir, calls = {}, {}
  local short = workload[1] == "W4" and 4 or 1 -- seconds; under callgrind a list of 10,000 takes some of them
  for i, tree in ipairs(TREES) do
    ir[i] = difference(tree, workload, short, 2000, "valgrind --tool=callgrind --callgrind-out-file=/dev/null", read_instructions).Ir
    calls[i] = calls_text(difference(tree, workload, 0.5, 2000, "strace -f -c -o " .. CALLS, read_calls))
  end
  print(("| %s %s | %.0f | %.0f | %.2f | %s | %s |"):format(workload[1], workload[2], ir[1], ir[2], ir[1] / ir[2], calls[1], calls[2]))
end

-- ---- nginx: each tree with its own benchmark, in turns ----

local function nginx()
  local sums = { {}, {} }
  for round = 1, ROUNDS do
    for turn = 1, 2 do
      local which = (round + turn) % 2 + 1
      local text = capture(("cd %s && env -u LARDER_TEST_URL -u LARDER_TEST_TCP_URL BENCH_ROUNDS=1 BENCH_PARTS=gets"
        .. " bench/nginx/run.sh 2>/dev/null"):format(TREES[which]))
      for connections, rate in text:gmatch "| (%d+) | larder | ([%d,]+) |" do
        sums[which][connections] = sums[which][connections] or {}
        table.insert(sums[which][connections], tonumber((rate:gsub(",", ""))))
      end
    end
  end
  for _, connections in ipairs { "1", "16", "64", "256" } do
    local a, b = sums[1][connections], sums[2][connections]
    if a and b then
      local ratios = {}
      for i = 1, math.min(#a, #b) do ratios[i] = b[i] / a[i] end
      print(("| %s | %.0f | %.0f | %.2f |"):format(connections, median(a), median(b), median(ratios)))
    end
  end
end

-- ---- all of it ----

psql "-f bench/schema.sql"
io.stdout:setvbuf "line"
print(("before: %s\nafter:  %s\nwith %s"):format(TREES[1], TREES[2], LUA))
if chosen(WHAT, "time") then
  print(("\n## Rates, %d rounds in turns; ratios are those of a round, above 1: the second is faster\n"):format(ROUNDS))
  print "| | before, a second | after | ratio | least to most | client CPU before, µs | after | ratio |\n|---|---|---|---|---|---|---|---|"
  each_workload(timed)
end
if chosen(WHAT, "count") then
  print "\n## Client instructions (callgrind, before ÷ after) and system calls (strace) a unit\n"
  print "| | instructions before | after | ratio | system calls before | after |\n|---|---|---|---|---|---|"
  each_workload(counted)
end
if chosen(WHAT, "nginx") then
  print(("\n## nginx: gets by key, requests a second, %d rounds in turns\n"):format(ROUNDS))
  print "| connections | before | after | ratio |\n|---|---|---|---|"
  nginx()
end
os.remove(CALLS)
