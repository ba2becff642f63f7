--- Policies: which ones apply to a request, and which one of each type wins.

local core = require "larder.core"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"
local support = require "larder.store.support"

local policies = {
  list_by_org = { list_by = { "org_id" } },
  list_by_app = { list_by = { "org_id", "app_id" } },
  list_by_user = { list_by = { "org_id", "user_id" } },
}

local function conditions(app_id, user_id)
  local any_app = { app_id = core.null }
  if app_id ~= nil then any_app = expr.any { { app_id = core.null }, { app_id = app_id } } end
  local of_user = user_id ~= nil and expr.all { { user_id = user_id }, any_app } or nil
  local of_app = app_id ~= nil and { user_id = core.null, app_id = app_id } or nil
  return of_user, of_app, { user_id = core.null, app_id = core.null }
end

local function given(...)
  local list = {}
  for i = 1, select("#", ...) do list[#list + 1] = (select(i, ...)) end
  return list
end

--- Every enabled policy that applies, in one query: those of the user first, then those of the application, then those
-- of the organization; inside a level by priority, then the newest first. A user's policy that is bound to another
-- application does not apply.
---@param org_id string
---@param app_id? string
---@param user_id? string
---@return table[]|nil rows
---@return larder.Error? err
function policies:get_applicable(org_id, app_id, user_id)
  if org_id == nil then misuse.raise("controlplane.policies:get_applicable needs the organization") end
  local of_user, of_app, of_org = conditions(app_id, user_id)
  local order = { "-priority", "-created_at", "id" }
  local ranks = given(of_user, of_app)
  if #ranks > 0 then table.insert(order, 1, { rank = ranks }) end
  return self:run({
    op = "select", order = order,
    where = expr.all { { org_id = org_id, enabled = true }, expr.any(given(of_user, of_app, of_org)) },
  }, "get_applicable")
end

--- The level that a policy belongs to.
---@param row { app_id: string?, user_id: string? }
---@return "user"|"app"|"org"
function policies.level(self, row)
  support.check_row(self, "level", row)
  if row.user_id ~= nil and row.user_id ~= core.null then return "user" end
  if row.app_id ~= nil and row.app_id ~= core.null then return "app" end
  return "org"
end

--- One winner for each type of policy: user before application before organization, then the higher priority.
---@param org_id string
---@param app_id? string
---@param user_id? string
---@return table<string, { level: "user"|"app"|"org", policy: table }>|nil winners  by policy_type
---@return larder.Error? err
function policies:resolve(org_id, app_id, user_id)
  local rows, err = self:get_applicable(org_id, app_id, user_id)
  if not rows then return nil, err end
  local winners = {}
  for _, row in ipairs(rows) do
    if not winners[row.policy_type] then winners[row.policy_type] = { level = self:level(row), policy = row } end
  end
  return winners
end

return policies
