--- Which policies hold for a request: resolve, remembered in a cache that other code tells what has changed.

local Cache = require "larder.families.controlplane.cache"
local misuse = require "larder.base.misuse"

local PolicyEngine = {}
PolicyEngine.__index = PolicyEngine

---@param stores table  db:stores "controlplane"
---@param opts? larder.controlplane.CacheOptions
function PolicyEngine.new(stores, opts)
  local policies = stores.policies
  local settings = { clock = function() return policies.db:_now() end }
  for name, value in pairs(opts or {}) do settings[name] = value end
  return setmetatable({ policies = policies, cache = Cache.new(settings) }, PolicyEngine)
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local t = {}
  for k, v in pairs(value) do t[k] = copy(v) end
  return setmetatable(t, getmetatable(value))
end

--- One winner for each type of policy, as of policies:resolve; from the cache when it is there. The tables are the
-- caller's.
---@param org_id string
---@param app_id? string
---@param user_id? string
---@return table<string, { level: string, policy: table }>|nil
---@return larder.Error? err
function PolicyEngine:evaluate(org_id, app_id, user_id)
  if org_id == nil then misuse.raise("policy_engine:evaluate needs the organization") end
  local key = Cache.key(org_id, app_id, user_id)
  local winners = self.cache:get(key)
  if not winners then
    local err
    winners, err = self.policies:resolve(org_id, app_id, user_id)
    if not winners then return nil, err end
    self.cache:set(key, winners)
  end
  return copy(winners)
end

--- A policy was made, changed or deleted: forget what it may have decided.
---@param row { org_id: string, app_id?: string, user_id?: string }
function PolicyEngine:changed(row)
  return self.cache:invalidate_org(row.org_id)
end

return PolicyEngine
