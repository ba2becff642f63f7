--- The tables of bench/schema.sql as a larder family.
local larder = require "larder"

local function users_of(name, table_name)
  return {
    name = name, table = table_name,
    fields = {
      { name = "tenant_id", type = "text" },
      { name = "id", type = "text" },
      { name = "username", type = "text" },
      { name = "email", type = "text" },
      { name = "status", type = "text" },
      { name = "full_name", type = "text" },
      { name = "metadata", type = "jsonb" },
      { name = "created_at", type = "timestamptz", stamp = "insert" },
      { name = "updated_at", type = "timestamptz", stamp = "update" },
      { name = "deleted_at", type = "timestamptz", null = true },
    },
    key = { name = name .. "_pkey", "tenant_id", "id" },
    uniques = {
      { name = name .. "_username_key", "tenant_id", "username" },
      { name = name .. "_email_key", "tenant_id", "email" },
    },
    references = {
      { name = name .. "_tenant_fkey", fields = { "tenant_id" }, to = "tenants", on_delete = "cascade" },
    },
  }
end

return larder.declare {
  name = "bench",
  entities = {
    {
      name = "tenants", table = "bench.tenants",
      fields = { { name = "id", type = "text" }, { name = "name", type = "text" } },
      key = { name = "tenants_pkey", "id" },
    },
    users_of("users", "bench.users"),
    users_of("bulk", "bench.bulk"),
  },
}
