--- Drives compare.sh: every workload in both trees, in turns, and what one has over the other.

local measure = require "bench.measure"
local nginx = require "spec.support.nginx"

local chosen, psql = measure.chosen, measure.psql

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

-- ---- nginx: a worker of each tree, at one server, asked in turns ----

local NGINX_ROUNDS, NGINX_SECONDS = tonumber(env("BENCH_ROUNDS", 15)), 2 -- wrk takes whole seconds

local function worker(tree)
  return nginx.start {
    dir = tree .. "/bench/nginx/site",
    env = {
      LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(tree, tree), LUA_CPATH = tree .. "/build/luajit/?.so;;", VARIANT = "larder",
      DATABASE_URL = os.getenv "LARDER_TEST_TCP_URL" .. "?pool_max_conns=4&pool_acquire_timeout=10",
    },
  }
end

local function rate(server, connections)
  local result = server:load("/one", { connections = connections, seconds = NGINX_SECONDS }):result()
  local failed = result.refused + result.connect + result.read + result.write + result.timeout
  if failed > 0 or result.requests == 0 then error(result.text .. server:log(), 0) end
  return result.rate
end

local function compared(servers, connections)
  local rates, ratios = { {}, {} }, {}
  for _, server in ipairs(servers) do rate(server, connections) end -- warm: connections are opened, statements prepared
  for round = 1, NGINX_ROUNDS do
    local result = {}
    for turn = 1, 2 do
      local which = (round + turn) % 2 + 1
      result[which] = rate(servers[which], connections)
      table.insert(rates[which], result[which])
    end
    ratios[round] = result[2] / result[1]
  end
  local middle = median(ratios) -- sorts
  print(("| %d | %.0f | %.0f | %.2f | %.2f to %.2f |"):format(connections, median(rates[1]), median(rates[2]), middle, ratios[1],
    ratios[#ratios]))
end

local function in_nginx()
  local servers = {}
  local ok, err = pcall(function()
    for i, tree in ipairs(TREES) do servers[i] = worker(tree) end
    for _, connections in ipairs { 1, 16, 64, 256 } do compared(servers, connections) end
  end)
  for _, server in ipairs(servers) do server:stop() end -- else this program would wait for them at its end
  if not ok then error(err, 0) end
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
  print(("\n## nginx: gets by key, requests a second, %d rounds of %d s in turns\n"):format(NGINX_ROUNDS, NGINX_SECONDS))
  print "| connections | before | after | ratio | least to most |\n|---|---|---|---|---|"
  in_nginx()
end
os.remove(CALLS)
