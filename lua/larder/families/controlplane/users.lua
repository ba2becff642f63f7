--- Users and what their role allows.

local users = {
  get_by_cognito_sub = { get_by = { "cognito_sub" } },
  get_by_email = { get_by = { "org_id", "email" } },
  list_by_org = { list_by = { "org_id" } },
}

---@param row { role: string }
---@return boolean
function users.is_admin(_, row)
  return row.role == "admin"
end

--- Admins and members.
---@param row { role: string }
---@return boolean
function users.can_manage_policies(_, row)
  return row.role == "admin" or row.role == "member"
end

return users
