--- Drives count.sh: client instructions of W1 to W6, and how far they are from those in bench/counts.txt.

local measure = require "bench.measure"

local LUA, FILE, MOST = os.getenv "BENCH_LUA" or "lua5.4", "bench/counts.txt", 0.03
local update = (os.getenv "BENCH_UPDATE" or "0") ~= "0"

-- ---- the table: lines of "lua5.4 W1 47000" ----

local function read_table()
  local lines, expected = {}, {}
  for line in io.lines(FILE) do
    local lua, name, n = line:match "^(%S+) (%w+) (%d+)$"
    if lua == LUA then expected[name] = tonumber(n) end
    lines[#lines + 1] = line
  end
  return expected, lines
end

local function write_table(lines, counts)
  local file = assert(io.open(FILE, "w"))
  for _, line in ipairs(lines) do
    local lua, name = line:match "^(%S+) (%w+) %d+$"
    if lua == LUA and counts[name] then line = ("%s %s %.0f"):format(lua, name, counts[name]) end
    file:write(line, "\n")
  end
  file:close()
end

-- ---- all of it ----

local expected, lines = read_table()
local counts, dearer = {}, {}
measure.psql "-f bench/schema.sql"
io.stdout:setvbuf "line"
print(("| %s | in %s | now | now ÷ then |\n|---|---|---|---|"):format(LUA, FILE))
for _, workload in ipairs(measure.WORKLOADS) do
  local name = workload[1]
  if expected[name] and measure.chosen(os.getenv "BENCH_WORKLOADS", name) then
    local n = measure.instructions(".", workload, LUA)
    counts[name] = n
    print(("| %s %s | %d | %.0f | %.3f |"):format(name, workload[2], expected[name], n, n / expected[name]))
    if n > expected[name] * (1 + MOST) then dearer[#dearer + 1] = name end
  end
end
if update then
  write_table(lines, counts)
  print("\n" .. FILE .. " has these counts now: say in the commit why they changed")
elseif #dearer > 0 then
  print(("\nmore than %d %% dearer: %s"):format(MOST * 100, table.concat(dearer, ", ")))
  os.exit(1)
end
