--- What a row costs its caller: `create`, which waits for the server, beside `insert_async`, which does not.
--
--   tools/with_pg.sh tools/lua.sh lua5.4 bench/audit.lua
--
-- BENCH_ROUNDS (5), BENCH_ROWS (20,000 a round for insert_async, a tenth of it for create). Both in every round, and medians of the
-- rounds, so that the ratios hold whatever the machine's mood.

local larder = require "larder"
local core = require "larder.core"

local ROUNDS = tonumber(os.getenv "BENCH_ROUNDS" or 5)
local ROWS = tonumber(os.getenv "BENCH_ROWS" or 20000)

larder.declare {
  name = "audit",
  entities = { {
    name = "logs", table = "audit.logs",
    fields = {
      { name = "id", type = "uuid", default = { "uuid" } },
      { name = "at", type = "timestamptz", stamp = "insert" },
      { name = "actor", type = "text" },
      { name = "action", type = "text" },
      { name = "detail", type = "jsonb", null = true },
    },
    key = { name = "logs_pkey", "id" },
  } },
}

local SCHEMA = {
  "drop schema if exists audit cascade", "create schema audit",
  [[create table audit.logs (
      id uuid not null, at timestamptz not null, actor text not null, action text not null, detail jsonb,
      constraint logs_pkey primary key (id))]],
}

local function row(i)
  return { actor = "user " .. i % 100, action = "update", detail = { item = i, before = "draft", after = "public" } }
end

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function percentile(sorted, p)
  return sorted[math.max(1, math.ceil(#sorted * p))]
end

--- Calls fn(row) n times → { rate, p50, p99, max } (microseconds a call)
local function timed(n, fn)
  local costs, clock = {}, core.clock
  local started = clock()
  for i = 1, n do
    local r = row(i)
    local before = clock()
    assert(fn(r))
    costs[i] = clock() - before
  end
  local seconds = clock() - started
  table.sort(costs)
  return { rate = n / seconds, p50 = percentile(costs, 0.5) * 1e6, p99 = percentile(costs, 0.99) * 1e6,
    max = costs[n] * 1e6, started = started }
end

local URL = os.getenv "LARDER_TEST_URL"
local db = assert(larder.open(URL, { writer = { queue = ROWS, batch = 500 } }))
for _, sql in ipairs(SCHEMA) do assert(db:query(sql)) end
local logs = db:stores("audit").logs
assert(logs:insert_async(row(0)))
assert(db:flush(30)) -- connected

local results = { create = {}, async = {}, spilling = {}, replaying = {} }
for round = 1, ROUNDS do
  collectgarbage()
  results.create[round] = timed(math.floor(ROWS / 10), function(r) return logs:create(r) end)
  collectgarbage()
  local async = timed(ROWS, function(r) return logs:insert_async(r) end)
  assert(db:flush(60))
  async.stored = ROWS / (core.clock() - async.started)
  results.async[round] = async
end

--- The same while rows go through files: the table is locked, so that all but the first go there (spilling), then it is free again
-- (replaying: the writer reads files and writes rows while callers go on).
local spool = os.tmpname()
os.remove(spool)
local spilling = assert(larder.open(URL, { writer = { queue = 1000, batch = 500, policy = "spill", spill = spool } }))
local spilled = spilling:stores("audit").logs
for round = 1, ROUNDS do
  collectgarbage()
  db:transaction(function()
    assert(db:query "lock table audit.logs in access exclusive mode")
    results.spilling[round] = timed(ROWS, function(r) return spilled:insert_async(r) end)
    return nil, "done"
  end)
  results.replaying[round] = timed(ROWS, function(r) return spilled:insert_async(r) end)
  assert(spilling:flush(120))
end
assert(spilled:writer_stats().spilled > ROUNDS * ROWS)
spilling:close()
os.execute("rm -rf " .. spool)
db:close()

local function of(name, field)
  local list = {}
  for i, result in ipairs(results[name]) do list[i] = result[field] end
  return median(list)
end

print "| | accepted, rows/s | stored, rows/s | caller, p50 µs | caller, p99 µs | caller, worst µs |"
print "|---|---|---|---|---|---|"
print(("| create | %.0f | %.0f | %.1f | %.1f | %.0f |"):format(of("create", "rate"), of("create", "rate"), of("create", "p50"),
  of("create", "p99"), of("create", "max")))
print(("| insert_async | %.0f | %.0f | %.1f | %.1f | %.0f |"):format(of("async", "rate"), of("async", "stored"), of("async", "p50"),
  of("async", "p99"), of("async", "max")))
for _, name in ipairs { "spilling", "replaying" } do
  print(("| insert_async, %s | %.0f | | %.1f | %.1f | %.0f |"):format(name, of(name, "rate"), of(name, "p50"), of(name, "p99"),
    of(name, "max")))
end
print(("| create ÷ insert_async | %.1f | %.1f | %.1f | %.1f | |"):format(of("async", "rate") / of("create", "rate"),
  of("async", "stored") / of("create", "rate"), of("create", "p50") / of("async", "p50"), of("create", "p99") / of("async", "p99")))
