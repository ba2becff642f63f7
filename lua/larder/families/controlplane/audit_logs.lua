--- Audit logs: appended, never changed; read by what they are about.

local ranges = require "larder.families.controlplane.ranges"
local read = require "larder.store.read"
local write = require "larder.store.write"
local misuse = require "larder.base.misuse"

local audit_logs = {
  get = { get_by = { "id" } },
  list_by_org = { list_by = { "org_id" } },
  list_by_app = { list_by = { "org_id", "app_id" } },
  list_by_user = { list_by = { "org_id", "user_id" } },
  list_by_action = { list_by = { "org_id", "action" } },
  list_by_request_id = { list_by = { "org_id", "request_id" } },
  list_by_date_range = ranges.listing "timestamp",
}

--- Append a row. Inside a transaction it is undone with it.
---@param row table
---@return table|nil row
---@return larder.Error? err
function audit_logs:insert(row)
  return write.methods.create(self, row)
end

--- Is there a row with this id?
---@param id string
---@return boolean|nil
---@return larder.Error? err
function audit_logs:exists(id)
  if id == nil or type(id) == "table" then misuse.raise("controlplane.audit_logs:exists needs an id") end
  local n, err = read.methods.count(self, { id = id })
  if not n then return nil, err end
  return n > 0
end

return audit_logs
