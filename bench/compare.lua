--- Drives compare.sh: every workload in both trees, in turns, and what one has over the other.

local measure = require "bench.measure"

local chosen, psql, capture = measure.chosen, measure.psql, measure.capture

local function env(name, default) return os.getenv(name) or default end

local ROUNDS, SECONDS = tonumber(env("BENCH_ROUNDS", 5)), tonumber(env("BENCH_SECONDS", 0.7))
local ROWS, LUA, WHAT = tonumber(env("BENCH_ROWS", 50000)), env("BENCH_LUA", "lua5.4"), env("BENCH_WHAT", "time")
local TREES = { os.getenv "BENCH_BEFORE", os.getenv "BENCH_AFTER" }

local function median(list)
  table.sort(list)
  local middle = #list // 2
  return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

local function each_workload(fn)
  for _, workload in ipairs(measure.WORKLOADS) do
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
      result[which] = measure.run(TREES[which], workload, { lua = LUA, seconds = SECONDS, rows = ROWS })
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

local CALLS = os.tmpname()

local function read_calls()
  local counts = { all = 0 }
  for line in io.lines(CALLS) do
    local n, name = line:match "^%s*%S+%s+%S+%s+%S+%s+(%d+)%s+%d*%s*([%w_]+)$"
    if n and name ~= "total" then counts[name], counts.all = tonumber(n), counts.all + n end
  end
  return counts
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
  if not workload.steps then return end -- it runs for a time
  for i, tree in ipairs(TREES) do
    ir[i] = measure.instructions(tree, workload, LUA)
    calls[i] = calls_text(measure.difference(tree, workload, { lua = LUA, under = "strace -f -c -o " .. CALLS }, read_calls))
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
