--- What users can do beyond the generic methods: access by application, passwords.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"

local users = {}

local ACCESS = { tenant_id = "tenant_id", user_id = "id" }

--- Users with active access to an application, newest first; their own status is not looked at.
---@param tenant_id string
---@param app_id string
---@param opts? larder.ListOptions
---@return table[]|nil rows
---@return larder.ListAnswer info
function users:list_by_app(tenant_id, app_id, opts)
  if tenant_id == nil or app_id == nil then misuse.raise("auth.users:list_by_app needs the tenant and the application") end
  local granted = expr.exists("user_apps", ACCESS, { app_id = app_id, status = "active" })
  return self:_page("list_by_app", { tenant_id = tenant_id, granted }, opts)
end

local function changed(row, err)
  if not row then return nil, err end
  return true
end

--- Set the password. Hashing takes tens of milliseconds on purpose and blocks for that long.
---@param tenant_id string
---@param id string
---@param password string
---@return true|nil
---@return larder.Error? err
function users:set_password(tenant_id, id, password)
  if type(password) ~= "string" then misuse.raise("auth.users:set_password: the password must be a text") end
  if password == "" then
    return errors.invalid({ password = "must not be empty" }, nil, { store = self.name })
  end
  local cost = self.db._password
  local hash, err = core.password_hash(password, cost.ops, cost.mem)
  if not hash then return nil, err end
  return changed(self:patch(tenant_id, id, { password_hash = hash }))
end

--- Is this the user's password? A user without one has none that fits.
---@param tenant_id string
---@param id string
---@param password string
---@return boolean|nil
---@return larder.Error? err  `not_found` when there is no such user
function users:check_password(tenant_id, id, password)
  if tenant_id == nil or id == nil then misuse.raise("auth.users:check_password needs the tenant and the user") end
  local rows, err = self:run({
    op = "select", where = { tenant_id = tenant_id, id = id }, columns = { "password_hash" }, limit = 1,
  }, "check_password")
  if not rows then return nil, err end
  local row = rows[1]
  if not row then return self:get(tenant_id, id) end
  if type(password) ~= "string" or not row.password_hash then return false end
  if not core.password_check(row.password_hash, password) then return false end
  local cost = self.db._password
  if core.password_stale(row.password_hash, cost.ops, cost.mem) then
    -- the one moment the password is known; a failure only means the old cost stays
    self:set_password(tenant_id, id, password)
  end
  return true
end

--- Take the password away: none fits any more.
---@param tenant_id string
---@param id string
---@return true|nil
---@return larder.Error? err
function users:remove_password(tenant_id, id)
  return changed(self:patch(tenant_id, id, { password_hash = core.null }))
end

return users
