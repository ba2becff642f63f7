--- Drives the benchmark in nginx: variants in turn, round after round, medians at the end.

local larder = require "larder"
local cpu = require "bench.nginx.cpu"
local lfs = require "lfs"
local nginx = require "spec.support.nginx"

local function env(name, default) return os.getenv(name) or default end

local QUICK = env("BENCH_QUICK", "0") ~= "0"
local ROUNDS = tonumber(env("BENCH_ROUNDS", QUICK and 1 or 4))
local SECONDS = tonumber(env("BENCH_SECONDS", QUICK and 1 or 3))
local CONNECTIONS = { 1, 16, 64, 256 }
local SLEEP = 0.1
local SLEEPERS, FEW_SLEEPERS, FAST = 64, 8, 16

local url = assert(os.getenv "LARDER_TEST_TCP_URL")
local user, host, port, database = url:match "^postgresql://([^@]+)@([^:]+):(%d+)/(.+)$"
local here = lfs.currentdir()
local db = assert(larder.open(url .. "?application_name=driver"))

local VARIANTS = { "larder", "pgmoon", "none" }
if not os.getenv "PGMOON_PATH" then
  print "skipped: pgmoon (PGMOON_PATH is not set); its columns are empty"
  VARIANTS = { "larder", "none" }
end

-- ---- running ----

--- One nginx worker. pool: connections that larder may open.
local function start(variant, pool)
  local server = nginx.start {
    dir = "bench/nginx/site",
    env = {
      LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(here, here, here),
      VARIANT = variant, PGMOON_PATH = env("PGMOON_PATH", ""),
      DATABASE_URL = ("%s?application_name=bench-larder&pool_max_conns=%d&pool_acquire_timeout=10"):format(url, pool),
      BENCH_HOST = host, BENCH_PORT = port, BENCH_USER = user, BENCH_DB = database,
    },
  }
  server.variant, server.worker = variant, server:workers()[1]
  return server
end

local function sessions(server)
  local pids = {}
  local rows = assert(db:query("select pid from pg_stat_activity where application_name = $1", "bench-" .. server.variant))
  for i, row in ipairs(rows) do pids[i] = row.pid end
  return pids
end

local function load(server, path, connections, seconds)
  return server:load(path, { connections = connections, seconds = seconds or SECONDS })
end

local function checked(server, result)
  local failed = result.refused + result.connect + result.read + result.write + result.timeout
  if failed > 0 or result.requests == 0 then
    io.stderr:write(("%s: requests failed\n%s%s\n"):format(server.variant, result.text, server:log()))
  end
  return result
end

local function stalls(server)
  local text = server:request("/stalls?s=" .. SECONDS, { timeout = 60 }).text
  local p50, p99 = text:match "^(%S+) (%S+)"
  return { p50 = tonumber(p50), p99 = tonumber(p99) }
end

-- ---- samples and tables ----

local samples = {}

local function keep(...)
  local level = samples
  local path = { ... }
  for i = 1, #path - 2 do
    level[path[i]] = level[path[i]] or {}
    level = level[path[i]]
  end
  local name = path[#path - 1]
  level[name] = level[name] or {}
  table.insert(level[name], path[#path])
end

--- The median of what was kept under these names; nil when there is nothing. Only once all is measured: it sorts.
local function median_of(...)
  local list = samples
  for _, name in ipairs { ... } do
    list = list[name]
    if list == nil then return nil end
  end
  table.sort(list)
  local middle = #list // 2
  return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

local function cell(format, value) return value and format:format(value) or "" end

local function heading(title, head)
  print(("\n## %s\n\n| %s |\n|%s"):format(title, table.concat(head, " | "), ("---|"):rep(#head)))
end

local function line(cells) print("| " .. table.concat(cells, " | ") .. " |") end

-- ---- gets ----

local function measure_gets(server, connections)
  local name = server.variant
  load(server, "/one", connections, 1):result() -- warm: connections are opened, statements prepared
  local before = cpu.look(server.worker, sessions(server))
  local result = checked(server, load(server, "/one", connections):result())
  local pids = sessions(server)
  local nginx_us, threads_us, server_us = cpu.per_request(before, cpu.look(server.worker, pids), result.requests)
  keep("gets", connections, name, "rate", result.rate)
  keep("gets", connections, name, "p50", result.p50)
  keep("gets", connections, name, "p99", result.p99)
  keep("gets", connections, name, "sessions", #pids)
  keep("gets", connections, name, "nginx", nginx_us)
  keep("gets", connections, name, "threads", threads_us)
  keep("gets", connections, name, "server", server_us)
  keep("gets", connections, name, "cpu", nginx_us + threads_us + server_us)
  return result.rate
end

local function limit()
  local pipe = assert(io.popen(("BENCH_URL='%s' build/bench/limit limit W7 %s 0 x"):format(url, SECONDS)))
  local units, seconds = pipe:read("a"):match "^(%d+) (%S+)"
  pipe:close()
  return units / seconds
end

local function gets()
  local servers = {}
  for i, variant in ipairs(VARIANTS) do servers[i] = start(variant, 4) end
  for _, connections in ipairs(CONNECTIONS) do -- upwards: a pool never shrinks here
    local rate = {}
    for _, server in ipairs(servers) do rate[server.variant] = measure_gets(server, connections) end
    keep("limit", limit())
    keep("gets", connections, "limit ratio", rate.larder / samples.limit[#samples.limit])
    if rate.pgmoon then keep("gets", connections, "ratio", rate.larder / rate.pgmoon) end
  end
  for _, server in ipairs(servers) do server:stop() end
end

local function print_gets()
  heading("Gets by key, one worker", { "connections", "", "requests/s", "p50 ms", "p99 ms", "server connections",
    "CPU µs a request: nginx + threads + server" })
  for _, connections in ipairs(CONNECTIONS) do
    for _, variant in ipairs { "larder", "pgmoon", "none" } do
      local function m(field) return median_of("gets", connections, variant, field) end
      line { connections, variant, cell("%.0f", m "rate"), cell("%.2f", m "p50"), cell("%.2f", m "p99"),
        cell("%.0f", variant ~= "none" and m "sessions" or nil),
        m "cpu" and ("%.0f + %.0f + %.0f = %.0f"):format(m "nginx", m "threads", m "server", m "cpu") or "" }
    end
  end
  heading("Ratios, medians of the rounds", { "connections", "larder ÷ pgmoon, requests/s", "p99, pgmoon ÷ larder",
    "CPU, pgmoon ÷ larder", ("larder ÷ C limit (8 threads, %.0f ops/s)"):format(median_of "limit") })
  for _, connections in ipairs(CONNECTIONS) do
    local function over(field)
      local other = median_of("gets", connections, "pgmoon", field)
      return other and other / median_of("gets", connections, "larder", field)
    end
    line { connections, cell("%.2f", median_of("gets", connections, "ratio")), cell("%.2f", over "p99"),
      cell("%.2f", over "cpu"), cell("%.2f", median_of("gets", connections, "limit ratio")) }
  end
end

-- ---- a worker whose requests sleep ----

--- fn beside a load that runs from a little before to a little after it.
local function beside(server, path, connections, fn)
  local sleepers = load(server, path, connections, SECONDS + 2)
  os.execute "sleep 1"
  local result = fn()
  checked(server, sleepers:result())
  return result
end

-- The first one waits and has hardly anything else to do; in the second 64 requests end and begin together ten times a
-- second; the third is as busy as it can be.
local STATES = { "64 sleep 1.5 s", "64 sleep 0.1 s", "64 get" }
local PATHS = { [STATES[1]] = "/sleep?s=1.5", [STATES[2]] = "/sleep?s=" .. SLEEP, [STATES[3]] = "/one" }
local PROBES = {
  ping = function(server) return checked(server, load(server, "/ping", 1):result()) end,
  late = stalls,
}

--- Each state right after an idle worker, so that the ratio is of the same minute.
local function loop(server)
  for name, probe in pairs(PROBES) do
    for _, state in ipairs(STATES) do
      local idle = probe(server)
      local busy = beside(server, PATHS[state], SLEEPERS, function() return probe(server) end)
      for _, field in ipairs { "p50", "p99" } do
        keep("loop", server.variant, "idle", name .. field, idle[field])
        keep("loop", server.variant, state, name .. field, busy[field])
      end
      keep("loop", server.variant, state, name .. "ratio", busy.p99 / idle.p99)
    end
  end
end

local function loops()
  for _, variant in ipairs(VARIANTS) do
    local server = start(variant, SLEEPERS)
    load(server, "/sleep?s=" .. SLEEP, SLEEPERS, 1):result() -- warm: the connections are there
    loop(server)
    server:stop()
  end
end

local function print_loops()
  heading("The event loop: /ping on one connection, and how late it wakes who sleeps 1 ms", { "", "state", "/ping p50 ms",
    "/ping p99 ms", "÷ idle", "late p50 ms", "late p99 ms", "÷ idle" })
  for _, variant in ipairs { "larder", "pgmoon", "none" } do
    for _, state in ipairs { "idle", STATES[1], STATES[2], STATES[3] } do
      local function m(field) return cell("%.2f", median_of("loop", variant, state, field)) end
      line { variant, state, m "pingp50", m "pingp99", m "pingratio", m "latep50", m "latep99", m "lateratio" }
    end
  end
end

-- ---- fast requests beside slow ones ----

local function mixed()
  for _, variant in ipairs(VARIANTS) do
    local server = start(variant, FAST)
    load(server, "/one", FAST, 1):result()
    load(server, "/sleep?s=" .. SLEEP, FEW_SLEEPERS, 1):result()
    local function fast() return checked(server, load(server, "/one", FAST):result()) end
    local alone = fast()
    local with = beside(server, "/sleep?s=" .. SLEEP, FEW_SLEEPERS, fast)
    keep("mixed", variant, "alone", alone.rate)
    keep("mixed", variant, "with", with.rate)
    keep("mixed", variant, "ratio", with.rate / alone.rate)
    keep("mixed", variant, "p50", with.p50)
    keep("mixed", variant, "p99", with.p99)
    server:stop()
  end
end

local function print_mixed()
  heading(("%d connections get, %d sleep; larder with %d connections to the server"):format(FAST, FEW_SLEEPERS, FAST),
    { "", "gets/s alone", "gets/s beside sleepers", "ratio", "p50 ms", "p99 ms" })
  for _, variant in ipairs { "larder", "pgmoon", "none" } do
    local function m(field) return median_of("mixed", variant, field) end
    line { variant, cell("%.0f", m "alone"), cell("%.0f", m "with"), cell("%.2f", m "ratio"), cell("%.2f", m "p50"),
      cell("%.2f", m "p99") }
  end
end

-- ---- all of it ----

assert(os.execute(("psql -qXv ON_ERROR_STOP=1 -d '%s' -f bench/schema.sql >/dev/null"):format(url)))
io.stdout:setvbuf "line"
for n = 1, ROUNDS do
  for _, part in ipairs { { "gets", gets }, { "loop", loops }, { "mixed", mixed } } do
    if (" " .. env("BENCH_PARTS", "gets loop mixed") .. " "):find(" " .. part[1] .. " ", 1, true) then
      io.stderr:write(("round %d of %d: %s\n"):format(n, ROUNDS, part[1]))
      part[2]()
    end
  end
  table.insert(VARIANTS, 1, table.remove(VARIANTS)) -- nobody is always the first
end
if samples.gets then print_gets() end
if samples.loop then print_loops() end
if samples.mixed then print_mixed() end
db:close()
