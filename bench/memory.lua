--- The memory engine against a plain-Lua store: memory.lua plain|larder SECONDS ROWS
-- prints one line "name units_per_second" a workload, and "bytes a row". Seconds are those of the processor: nothing
-- waits here, and what else the machine does is left out as far as it can be.
local now = os.clock

local engine, seconds, rows = arg[1], tonumber(arg[2]), tonumber(arg[3])
local TENANTS, PAGE = 10, 1000

local function open_larder()
  local larder = require "larder"
  require "bench.family"
  local stores = assert(larder.open "memory:"):stores "bench"
  local users = stores.users
  return {
    add_tenant = function(id) assert(stores.tenants:create { id = id, name = id }) end,
    create = function(row) return assert(users:create(row)) end,
    get = function(tenant, id) return assert(users:get(tenant, id)) end,
    exists = function(tenant, id) return users:exists(tenant, id) end,
    list = function(tenant)
      return assert(users:list { where = { tenant_id = tenant }, order = "id", limit = PAGE })
    end,
  }
end

local function open_plain()
  local store = require("bench.peers.plain_lua").new()
  return {
    add_tenant = function(id) store:add_tenant(id) end,
    create = function(row) return assert(store:create(row)) end,
    get = function(tenant, id) return assert(store:get(tenant, id)) end,
    exists = function(tenant, id) return store:exists(tenant, id) end,
    list = function(tenant) return store:list(tenant, PAGE) end,
  }
end

local function resident_bytes()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s*(%d+)"
    if kib then return tonumber(kib) * 1024 end
  end
end

local function user(n)
  local id = ("user-%06d"):format(n)
  return {
    tenant_id = ("tenant-%d"):format(n % TENANTS), id = id, username = id, email = id .. "@example.com",
    status = "active", full_name = "User Number " .. n,
    metadata = { role = "editor", tags = { "a", "b" }, logins = n % 100, prefs = { theme = "dark" } },
  }
end

-- Keys are made beforehand, so that only the store is timed.
local KEYS = 4096
local tenants, ids, at = {}, {}, 0

local function make_keys()
  local seed = 42
  for i = 1, KEYS do
    seed = seed * 16807 % 2147483647
    local k = seed % rows
    tenants[i], ids[i] = ("tenant-%d"):format(k % TENANTS), ("user-%06d"):format(k)
  end
end

local function draw()
  at = at % KEYS + 1
  return tenants[at], ids[at]
end

local function timed(name, step)
  step()
  local units, start = 0, now()
  local finish
  repeat
    for _ = 1, 20 do step() end
    units = units + 20
    finish = now()
  until finish - start >= seconds
  print(("%s %.1f"):format(name, units / (finish - start)))
end

local store = engine == "larder" and open_larder() or open_plain()
for t = 0, TENANTS - 1 do store.add_tenant("tenant-" .. t) end

-- The rows are made beforehand, too, a batch at a time.
local function create_all()
  local BATCH, took = 500, 0
  for from = 0, rows - 1, BATCH do
    local batch = {}
    for n = from, math.min(from + BATCH, rows) - 1 do batch[#batch + 1] = user(n) end
    local start = now()
    for i = 1, #batch do store.create(batch[i]) end
    took = took + now() - start
  end
  return took
end

local before = resident_bytes()
print(("create %.1f"):format(rows / create_all()))
print(("bytes %.0f"):format((resident_bytes() - before) / rows))

make_keys()
timed("get", function() return store.get(draw()) end)
timed("exists", function() return store.exists(draw()) end)
timed("list", function() return store.list((draw())) end)
