--- No database: what nginx, Lua and JSON cost by themselves.
local none = {}

function none.get(tenant, id)
  return {
    tenant_id = tenant, id = id, username = id, email = id .. "@example.com", status = "active",
    full_name = "User Number 12", created_at = "2026-01-02T03:04:05.000006Z", updated_at = "2026-01-02T03:04:05.000006Z",
    metadata = { role = "editor", tags = { "a", "b" }, logins = 12, prefs = { theme = "dark" } },
  }
end

function none.sleep(seconds)
  ngx.sleep(seconds)
  return true
end

return none
