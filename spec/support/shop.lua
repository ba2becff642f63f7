-- A family as a user would declare it: soft delete, a partial unique, an identity key.

local larder = require "larder"

return {
  name = "shop",
  entities = {
    {
      name = "items",
      table = "shop.items",
      fields = {
        { name = "tenant_id", type = "text", min_len = 1 },
        { name = "id", type = "uuid", default = { "uuid" } },
        { name = "title", type = "text", min_len = 1, max_len = 200 },
        { name = "price", type = "numeric", precision = 12, scale = 2, null = true },
        { name = "stock", type = "int4", default = 0, min = 0 },
        { name = "tags", type = "text[]", null = true },
        { name = "extra", type = "jsonb", null = true },
        { name = "created_at", type = "timestamptz", stamp = "insert" },
        { name = "updated_at", type = "timestamptz", stamp = "update" },
        { name = "deleted_at", type = "timestamptz", null = true },
      },
      key = { name = "items_pkey", "tenant_id", "id" },
      uniques = { { name = "items_title_key", "tenant_id", "title", where = { deleted_at = larder.null } } },
      indexes = { { "tenant_id", "-created_at", "id" } },
      tenant = "tenant_id",
      soft_delete = "deleted_at",
      order = "-created_at",
      scope = { "tenant_id" },
      filters = { tag = function(tag) return { tags = { contains = { tag } } } end },
      methods = {
        get_by_title = { get_by = { "tenant_id", "title" } },
        sell = function(self, tenant, id)
          return self:patch(tenant, id, { stock = larder.increment(-1) })
        end,
      },
      without = { "aggregate" },
    },
    {
      name = "visits",
      table = "shop.visits",
      fields = {
        { name = "id", type = "int8", default = { "identity" } },
        { name = "page", type = "text" },
        { name = "at", type = "timestamptz", default = { "now" } },
      },
      key = { name = "visits_pkey", "id" },
    },
  },
}
