--- Which policies won, remembered for a while: least recently used entries leave first, and none lives longer than its
-- time. Keys are "org:app" or "org:app:user".

local core = require "larder.core"
local misuse = require "larder.base.misuse"

local Cache = {}
Cache.__index = Cache

local ANY = "-" -- no application

---@class larder.controlplane.CacheOptions
---@field capacity? integer  entries (1000)
---@field ttl? number        seconds (300)
---@field clock? fun(): integer  microseconds

---@param opts? larder.controlplane.CacheOptions
function Cache.new(opts)
  opts = opts or {}
  for name in pairs(opts) do
    if name ~= "capacity" and name ~= "ttl" and name ~= "clock" then
      misuse.raise("controlplane.cache: the cache has no option %q", tostring(name))
    end
  end
  local self = setmetatable({
    capacity = opts.capacity or 1000, ttl = (opts.ttl or 300) * 1000000, clock = opts.clock or core.now,
    hits = 0, misses = 0, evictions = 0,
  }, Cache)
  if self.capacity < 1 then misuse.raise("controlplane.cache: the cache needs a capacity of at least 1") end
  self:clear()
  return self
end

--- "org:app" or "org:app:user"
---@param org_id string
---@param app_id? string
---@param user_id? string
---@return string
function Cache.key(org_id, app_id, user_id)
  local key = org_id .. ":" .. (app_id or ANY)
  return user_id and key .. ":" .. user_id or key
end

-- The entries are a ring through `self.ring`, the latest used behind it.
local function unlink(entry)
  entry.prev.next, entry.next.prev = entry.next, entry.prev
end

local function link_first(self, entry)
  local ring = self.ring
  entry.prev, entry.next = ring, ring.next
  ring.next.prev, ring.next = entry, entry
end

local function remove(self, entry)
  unlink(entry)
  self.entries[entry.key] = nil
  self.size = self.size - 1
end

---@return any|nil value
function Cache:get(key)
  local entry = self.entries[key]
  if entry and tonumber(self.clock()) < entry.expires then
    unlink(entry)
    link_first(self, entry)
    self.hits = self.hits + 1
    return entry.value
  end
  if entry then remove(self, entry) end
  self.misses = self.misses + 1
  return nil
end

function Cache:set(key, value)
  local entry = self.entries[key]
  if entry then
    unlink(entry)
  else
    entry = { key = key }
    self.entries[key] = entry
    self.size = self.size + 1
  end
  entry.value, entry.expires = value, tonumber(self.clock()) + self.ttl
  link_first(self, entry)
  if self.size > self.capacity then
    remove(self, self.ring.prev)
    self.evictions = self.evictions + 1
  end
end

--- Forget one entry. Was it there?
---@return boolean
function Cache:invalidate(key)
  local entry = self.entries[key]
  if entry then remove(self, entry) end
  return entry ~= nil
end

local function sweep(self, dead)
  local n, entry = 0, self.ring.next
  while entry ~= self.ring do
    local following = entry.next
    if dead(entry) then
      remove(self, entry)
      n = n + 1
    end
    entry = following
  end
  return n
end

local function part(key, n)
  local at = 0
  for value in (key .. ":"):gmatch "(.-):" do
    at = at + 1
    if at == n then return value end
  end
end

--- Forget what concerns an organization, an application or a user.
---@return integer n  entries forgotten
function Cache:invalidate_org(org_id)
  return sweep(self, function(entry) return part(entry.key, 1) == org_id end)
end

---@return integer n
function Cache:invalidate_app(app_id)
  return sweep(self, function(entry) return part(entry.key, 2) == app_id end)
end

---@return integer n
function Cache:invalidate_user(user_id)
  return sweep(self, function(entry) return part(entry.key, 3) == user_id end)
end

--- Forget what is too old.
---@return integer n
function Cache:cleanup()
  local now = tonumber(self.clock())
  return sweep(self, function(entry) return entry.expires <= now end)
end

function Cache:clear()
  self.entries, self.size = {}, 0
  self.ring = {}
  self.ring.next, self.ring.prev = self.ring, self.ring
end

---@return { hits: integer, misses: integer, evictions: integer, size: integer, capacity: integer, hit_rate: number }
function Cache:stats()
  local asked = self.hits + self.misses
  return {
    hits = self.hits, misses = self.misses, evictions = self.evictions, size = self.size, capacity = self.capacity,
    hit_rate = asked > 0 and self.hits / asked or 0,
  }
end

return Cache
