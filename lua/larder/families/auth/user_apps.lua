--- Access of users to applications. A revoked grant stays as a record.

local core = require "larder.core"
local expr = require "larder.expr"
local status = require "larder.families.auth.status"

local user_apps = { is_active = status.is_granted, is_revoked = status.is_revoked }

local REGRANTED = { status = expr.excluded, granted_at = expr.excluded, revoked_at = expr.excluded }

--- Give access; once more: access again, granted now.
---@param tenant_id string
---@param app_id string
---@param user_id string
---@return table|nil grant
---@return larder.Error? err  `foreign_key` when there is no such application or user
function user_apps:grant(tenant_id, app_id, user_id)
  local row = {
    tenant_id = tenant_id, app_id = app_id, user_id = user_id, status = "active", revoked_at = core.null,
  }
  return self:upsert(row, { set = REGRANTED })
end

local function check_key(method, tenant_id, app_id, user_id)
  if tenant_id == nil or app_id == nil or user_id == nil then
    error(method .. " needs the tenant, the application and the user", 3)
  end
  return { tenant_id = tenant_id, app_id = app_id, user_id = user_id, status = "active" }
end

--- Take access away; where there is none, nothing happens.
---@param tenant_id string
---@param app_id string
---@param user_id string
---@return true|nil
---@return integer|larder.Error n  number of grants revoked
function user_apps:revoke(tenant_id, app_id, user_id)
  local where = check_key("revoke", tenant_id, app_id, user_id)
  local n, err = self:run({
    op = "update", where = where, set = { status = "revoked", revoked_at = self.db:now() },
  }, "revoke")
  if not n then return nil, err end
  return true, n
end

--- Is there active access? The status of tenant, application and user is not looked at.
---@param tenant_id string
---@param app_id string
---@param user_id string
---@return boolean|nil
---@return larder.Error? err
function user_apps:has_access(tenant_id, app_id, user_id)
  local where = check_key("has_access", tenant_id, app_id, user_id)
  local rows, err = self:run({ op = "select", where = where, columns = { "user_id" }, limit = 1 }, "has_access")
  if not rows then return nil, err end
  return rows[1] ~= nil
end

--- One field of every active grant under a condition, latest first.
local function collect(store, method, where, field)
  where.status = "active"
  local rows, err = store:_all(method, where, { "-granted_at", field })
  if not rows then return nil, err end
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row[field] end
  return ids
end

--- Ids of the applications that a user may use, latest grant first.
---@param tenant_id string
---@param user_id string
---@return string[]|nil ids
---@return larder.Error? err
function user_apps:list_user_apps(tenant_id, user_id)
  if tenant_id == nil or user_id == nil then error("list_user_apps needs the tenant and the user", 2) end
  return collect(self, "list_user_apps", { tenant_id = tenant_id, user_id = user_id }, "app_id")
end

--- Ids of the users who may use an application, latest grant first.
---@param tenant_id string
---@param app_id string
---@return string[]|nil ids
---@return larder.Error? err
function user_apps:list_app_users(tenant_id, app_id)
  if tenant_id == nil or app_id == nil then error("list_app_users needs the tenant and the application", 2) end
  return collect(self, "list_app_users", { tenant_id = tenant_id, app_id = app_id }, "user_id")
end

return user_apps
