--- One kind of call again and again: calls.lua KIND SECONDS
-- on memory ("mem_get" …) or on the server ("patch"); prints "units seconds cpu_seconds peak_kib" as peer.lua does.
-- With BENCH_STEPS it makes that many calls, whatever time they take. Keys and rows are made beforehand where they can be.

local larder = require "larder"
local now = require("larder.core").now
require "bench.family"

local kind, seconds = arg[1], tonumber(arg[2])
local call, memory = kind:gsub("^mem_", "")
local db = assert(larder.open(memory > 0 and "memory:" or os.getenv "BENCH_URL"))
local stores = db:stores "bench"
local users, made = stores.users, 0

local function user()
  made = made + 1
  local id = "call-" .. made
  return {
    tenant_id = "tenant-1", id = id, username = id, email = id, status = "active", full_name = "User Number",
    metadata = { role = "editor", tags = { "a", "b" }, logins = 12, prefs = { theme = "dark" } },
  }
end

local FIRST, LAST, at = 1, 200, 0
if memory > 0 then
  assert(stores.tenants:create { id = "tenant-1", name = "One" })
  for _ = FIRST, LAST do assert(users:create(user())) end
end

local ids = {}
for i = FIRST, LAST do ids[i] = memory > 0 and "call-" .. i or ("user-%06d"):format(10 * i + 1) end

local function draw()
  at = at % LAST + 1
  return ids[at]
end

local steps = {
  get = function() return users:get("tenant-1", draw()) end,
  exists = function() return users:exists("tenant-1", draw()) end,
  create = function() return users:create(user()) end,
  patch = function() return users:patch("tenant-1", draw(), { full_name = "Renamed" }) end,
  update = function()
    local row = user()
    row.id = draw()
    return users:update(row)
  end,
  find = function() return users:find { tenant_id = "tenant-1", email = draw() } end,
  list = function() return users:list { where = { tenant_id = "tenant-1" }, order = "id", limit = 100 } end,
  transaction = function()
    return db:transaction(function() return users:patch("tenant-1", draw(), { full_name = "Renamed" }) end)
  end,
}

local step = assert(steps[call], kind)
assert(step())
local units, cpu, start, wanted = 0, os.clock(), now(), tonumber(os.getenv "BENCH_STEPS")
local finish
repeat
  assert(step())
  units, finish = units + 1, now()
until wanted and units >= wanted or not wanted and finish - start >= seconds * 1e6
print(("%d %.6f %.6f 0"):format(units, (finish - start) / 1e6, os.clock() - cpu))
