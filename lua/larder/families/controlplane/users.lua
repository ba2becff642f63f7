--- Users and what their role allows.

local support = require "larder.store.support"

local users = {
  get_by_cognito_sub = { get_by = { "cognito_sub" } },
  get_by_email = { get_by = { "org_id", "email" } },
  list_by_org = { list_by = { "org_id" } },
}

---@param row { role: string }
---@return boolean
function users.is_admin(self, row)
  support.check_row(self, "is_admin", row)
  return row.role == "admin"
end

--- Admins and members.
---@param row { role: string }
---@return boolean
function users.can_manage_policies(self, row)
  support.check_row(self, "can_manage_policies", row)
  return row.role == "admin" or row.role == "member"
end

return users
