--- What a control plane does with its stores, beyond storing: `services.budgets(db:stores "controlplane")` and so on.

local AuditService = require "larder.families.controlplane.audit_service"
local Budgets = require "larder.families.controlplane.budgets"
local Cache = require "larder.families.controlplane.cache"
local PolicyEngine = require "larder.families.controlplane.policy_engine"
local RateLimits = require "larder.families.controlplane.rate_limits"

return {
  audit = AuditService.new,
  budgets = Budgets.new,
  cache = Cache.new,
  cache_key = Cache.key,
  policy_engine = PolicyEngine.new,
  rate_limits = RateLimits.new,
}
