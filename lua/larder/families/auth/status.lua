--- What a row's status means. Each is a method of its store that looks at a row:
-- `auth.users:is_active(user)`.

local core = require "larder.core"
local support = require "larder.store.support"

local status = {}

local function is_set(value)
  return value ~= nil and value ~= core.null
end

---@param row { status: string }
---@return boolean
function status.is_active(self, row)
  support.check_row(self, "is_active", row)
  return row.status == "active"
end

---@param row { status: string }
---@return boolean
function status.is_suspended(self, row)
  support.check_row(self, "is_suspended", row)
  return row.status == "suspended"
end

--- Status deleted, or deleted_at set.
---@param row { status: string, deleted_at: string? }
---@return boolean
function status.is_deleted(self, row)
  support.check_row(self, "is_deleted", row)
  return row.status == "deleted" or is_set(row.deleted_at)
end

--- An access grant: status active and never revoked since.
---@param row { status: string, revoked_at: string? }
---@return boolean
function status.is_granted(self, row)
  support.check_row(self, "is_active", row)
  return row.status == "active" and not is_set(row.revoked_at)
end

--- An access grant: status revoked, or revoked_at set.
---@param row { status: string, revoked_at: string? }
---@return boolean
function status.is_revoked(self, row)
  support.check_row(self, "is_revoked", row)
  return row.status == "revoked" or is_set(row.revoked_at)
end

return status
