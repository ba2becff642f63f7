--- Drives the benchmark: every program on every workload, round by round, and one table at the end.
--
-- In a round each program runs between two runs of the limit, and its ratio is to their mean, so that the
-- machine's mood of the minute falls out. What is printed is the median of the rounds.

local function env(name, default) return os.getenv(name) or default end

local QUICK = env("BENCH_QUICK", "0") ~= "0"
local ROUNDS = tonumber(env("BENCH_ROUNDS", QUICK and 1 or 3))
local SECONDS = tonumber(env("BENCH_SECONDS", QUICK and 0.3 or 0.7))
local ROWS = tonumber(env("BENCH_ROWS", QUICK and 20000 or 100000))
local MEMORY_ROWS = QUICK and 10000 or 100000
local LIMIT = "limit"

local WORKLOADS = {
  { "W1", "get", "ops/s" }, { "W2", "create", "ops/s" }, { "W3", "transaction", "ops/s" },
  { "W4", "list of 10,000", "rows/s" }, { "W5", "100 gets", "gets/s" }, { "W6", "bulk", "rows/s" },
  { "W7", "16 workers", "ops/s" },
}

-- ---- programs ----

local function succeeds(command) return (os.execute("(" .. command .. ") >/dev/null 2>&1")) == true end

local function lua_peer(lua, name, needs)
  return {
    name = (lua == "luajit" and "luajit-" or "lua-") .. name:gsub("_", "-"),
    command = ("tools/lua.sh %s bench/peer.lua %s"):format(lua, name),
    missing = not succeeds(("tools/lua.sh %s -e 'require %q'"):format(lua, needs)) and needs,
  }
end

local function python_peer(name)
  local there = succeeds("/usr/bin/python3 -c 'import " .. name .. "'")
  return {
    name = "py-" .. name, command = "/usr/bin/python3 bench/peers/python.py " .. name,
    missing = not there and "python3-" .. name,
  }
end

local function pgx_peer()
  -- Debian's package of pgx, without any module of the network
  local build = "GO111MODULE=off GOPATH=/usr/share/gocode go build -o build/bench/pgx bench/peers/pgx.go"
  return {
    name = "go-pgx4", command = "build/bench/pgx",
    missing = not succeeds(build) and "golang-go and golang-github-jackc-pgx-v4-dev",
  }
end

local function pgmoon_peer(lua)
  local peer = lua_peer(lua, "pgmoon", "socket")
  if not os.getenv "PGMOON_PATH" then peer.missing = "PGMOON_PATH" end
  return peer
end

local limit = { name = LIMIT, command = "build/bench/limit limit" }
local programs = {
  { name = LIMIT .. "-alt", command = "build/bench/limit alt", only = { W1 = true, W3 = true, W5 = true } },
  lua_peer("lua5.4", "bare", "cjson"),
  lua_peer("luajit", "bare", "cjson"),
  lua_peer("lua5.4", "larder", "larder"),
  lua_peer("lua5.4", "larder_alt", "larder"),
  lua_peer("luajit", "larder", "larder"),
  lua_peer("lua5.4", "luadbi", "DBI"),
  lua_peer("lua5.4", "luasql", "luasql.postgres"),
  pgmoon_peer "lua5.4",
  python_peer "psycopg2",
  python_peer "psycopg",
  pgx_peer(),
}

local function listed(variable, name)
  local list = os.getenv(variable)
  return not list or (" " .. list .. " "):find(" " .. name .. " ", 1, true) ~= nil
end

-- ---- one run ----

local url = os.getenv "LARDER_TEST_TCP_URL"
local user, host, port, database = url:match "^postgresql://([^@]+)@([^:]+):(%d+)/(.+)$"
local environment = ("BENCH_URL='%s' BENCH_USER=%s BENCH_HOST=%s BENCH_PORT=%s BENCH_DB=%s"):format(
  url, user, host, port, database)

local function psql(arguments)
  assert(os.execute(("psql -qXv ON_ERROR_STOP=1 -d '%s' %s >/dev/null"):format(url, arguments)))
end

local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  return pipe:close() and text or nil
end

local runs = 0

--- One program on one workload → { rate, cpu (microseconds a unit), peak (MiB) }, or nil when it cannot.
local function measure(program, workload)
  runs = runs + 1
  if workload == "W6" then psql "-c 'truncate bench.bulk'" end
  local text = capture(("%s timeout 120 %s %s %s %d r%d"):format(
    environment, program.command, workload, SECONDS, ROWS, runs))
  if workload == "W2" or workload == "W3" then
    psql [[-c "delete from bench.users where id like 'new-%'" -c "vacuum bench.users"]]
  end
  local units, seconds, cpu, peak = (text or ""):match "^(%d+) (%S+) (%S+) (%d+)%s*$"
  if not units then
    if text and text:match "^skip" then return nil end
    program.broken = program.broken or {}
    program.broken[workload] = true
    return nil
  end
  return { rate = units / seconds, cpu = cpu / units * 1e6, peak = peak / 1024 }
end

-- ---- rounds ----

local function median(list)
  if #list == 0 then return nil end
  table.sort(list)
  local middle = #list // 2
  return #list % 2 == 1 and list[middle + 1] or (list[middle] + list[middle + 1]) / 2
end

local samples = {} -- [program][workload] = list of results

local function keep(program, workload, result)
  samples[program.name] = samples[program.name] or {}
  samples[program.name][workload] = samples[program.name][workload] or {}
  table.insert(samples[program.name][workload], result)
end

local function takes_part(program, workload)
  return not program.missing and (not program.only or program.only[workload])
    and not (program.broken and program.broken[workload]) and listed("BENCH_ONLY", program.name)
end

local function round(workload)
  local before
  for _, program in ipairs(programs) do
    if takes_part(program, workload) then
      before = before or assert(measure(limit, workload), "the limit cannot run")
      local result = measure(program, workload)
      if result then
        local after = assert(measure(limit, workload), "the limit cannot run")
        result.ratio = result.rate / ((before.rate + after.rate) / 2)
        keep(limit, workload, after)
        keep(program, workload, result)
        before = after
      end
    end
  end
end

-- ---- the table ----

local function thousands(n)
  local text = ("%.0f"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (text:gsub("^,", ""))
end

local function column(program, workload, field)
  local values = {}
  for _, result in ipairs(samples[program.name] and samples[program.name][workload] or {}) do
    values[#values + 1] = result[field]
  end
  return median(values)
end

local function rate_cell(program, workload)
  local rate = column(program, workload, "rate")
  if not rate then return program.broken and program.broken[workload] and "failed" or "-" end
  return ("%s (%.2f)"):format(thousands(rate), program == limit and 1 or column(program, workload, "ratio"))
end

local function plain_cell(format, field)
  return function(program, workload)
    local value = column(program, workload, field)
    return value and format:format(value) or "-"
  end
end

--- with_unit: the column heads name each workload's own.
local function print_table(title, cell, with_unit)
  local head = { "peer" }
  for _, w in ipairs(WORKLOADS) do
    head[#head + 1] = ("%s %s%s"):format(w[1], w[2], with_unit and ", " .. w[3] or "")
  end
  print(("\n## %s\n\n| %s |\n|%s"):format(title, table.concat(head, " | "), ("---|"):rep(#head)))
  local function line(program)
    if not samples[program.name] and not program.broken then return end
    local row = { program.name }
    for _, w in ipairs(WORKLOADS) do row[#row + 1] = cell(program, w[1]) end
    print("| " .. table.concat(row, " | ") .. " |")
  end
  line(limit)
  for _, program in ipairs(programs) do line(program) end
end

-- ---- the memory engine ----

local MEMORY = { { "get", "gets/s" }, { "create", "creates/s" }, { "list", "lists of 1,000/s" },
  { "exists", "exists/s" }, { "bytes", "bytes a row" } }

local function memory_run(lua, engine, into)
  local text = capture(("timeout 300 tools/lua.sh %s bench/memory.lua %s %s %d"):format(
    lua, engine, SECONDS, MEMORY_ROWS))
  for name, value in (text or ""):gmatch "(%a+) (%S+)\n" do
    into[name] = into[name] or {}
    table.insert(into[name], tonumber(value))
  end
end

local function memory_table(lua)
  local plain, larder = {}, {}
  for _ = 1, ROUNDS do
    memory_run(lua, "plain", plain)
    memory_run(lua, "larder", larder)
  end
  for _, item in ipairs(MEMORY) do
    local name, unit = item[1], item[2]
    local p, l = plain[name] and median(plain[name]), larder[name] and median(larder[name])
    local ratio = p and l and ("%.2f"):format(l / p) or "-"
    local both = { p and thousands(p) or "-", l and thousands(l) or "-" }
    print(("| %s, %s | %s | %s | %s |"):format(lua, unit, both[1], both[2], ratio))
  end
end

-- ---- all of it ----

psql "-f bench/schema.sql"
io.stdout:setvbuf "line"
for _, program in ipairs(programs) do
  if program.missing then print(("skipped: %s (%s is not there)"):format(program.name, program.missing)) end
end
for n = 1, ROUNDS do
  for _, workload in ipairs(WORKLOADS) do
    if listed("BENCH_WORKLOADS", workload[1]) then
      io.stderr:write(("round %d of %d: %s\n"):format(n, ROUNDS, workload[1]))
      round(workload[1])
    end
  end
end

print_table("Medians (ratio to the limit's runs just before and after)", rate_cell, true)
print_table("Client CPU, microseconds a unit", plain_cell("%.1f", "cpu"))
print_table("Peak memory of the client, MiB", plain_cell("%.0f", "peak"))
if listed("BENCH_WORKLOADS", "memory") then
  print "\n## Memory engine\n\n| | plain Lua | larder | larder ÷ plain |\n|---|---|---|---|"
  memory_table "lua5.4"
  memory_table "luajit"
end
