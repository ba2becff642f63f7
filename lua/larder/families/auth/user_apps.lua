--- Access of users to applications. A revoked grant stays as a record.

local core = require "larder.core"
local expr = require "larder.base.expr"
local status = require "larder.families.auth.status"
local misuse = require "larder.base.misuse"

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

--- Take access away; where there is none, nothing happens.
---@param tenant_id string
---@param app_id string
---@param user_id string
---@return true|nil
---@return integer|larder.Error n  number of grants revoked
function user_apps:revoke(tenant_id, app_id, user_id)
  if tenant_id == nil or app_id == nil or user_id == nil then
    misuse.raise("auth.user_apps:revoke needs the tenant, the application and the user")
  end
  local n, err = self:run({
    op = "update", where = { tenant_id = tenant_id, app_id = app_id, user_id = user_id, status = "active" },
    set = { status = "revoked", revoked_at = self.db:now() },
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
  local grant, err = self:get(tenant_id, app_id, user_id)
  if grant then return grant.status == "active" end
  if err.code == "not_found" then return false end
  return nil, err
end

--- One field of the active grants under a condition, latest first: of all, or with options of a page.
local function collect(store, method, where, field, opts)
  local rows, info
  where.status = "active"
  if opts then
    rows, info = store:_page(method, where, opts, { "-granted_at", field })
  else
    rows, info = store:_all(method, where, { "-granted_at", field })
  end
  if not rows then return nil, info end
  local ids = {}
  for i, row in ipairs(rows) do ids[i] = row[field] end
  return ids, info
end

--- Ids of the applications that a user may use, latest grant first: all, or with options a page.
---@param tenant_id string
---@param user_id string
---@param opts? larder.ListOptions
---@return string[]|nil ids
---@return larder.ListAnswer|nil info
function user_apps:list_user_apps(tenant_id, user_id, opts)
  if tenant_id == nil or user_id == nil then misuse.raise("auth.user_apps:list_user_apps needs the tenant and the user") end
  return collect(self, "list_user_apps", { tenant_id = tenant_id, user_id = user_id }, "app_id", opts)
end

--- Ids of the users who may use an application, latest grant first: all, or with options a page.
---@param tenant_id string
---@param app_id string
---@param opts? larder.ListOptions
---@return string[]|nil ids
---@return larder.ListAnswer|nil info
function user_apps:list_app_users(tenant_id, app_id, opts)
  if tenant_id == nil or app_id == nil then misuse.raise("auth.user_apps:list_app_users needs the tenant and the application") end
  return collect(self, "list_app_users", { tenant_id = tenant_id, app_id = app_id }, "user_id", opts)
end

return user_apps
