--- Family `auth`: tenants, apps, branches, users, access grants, API keys.
--
-- delete of a tenant, app, branch, user or grant that is not there is silent; of an API key it is
-- `not_found`. Reads show rows marked as deleted unless asked with with_deleted = false.

local core = require "larder.core"
local app_keys = require "larder.families.auth.app_keys"
local branches = require "larder.families.auth.branches"
local status = require "larder.families.auth.status"
local user_apps = require "larder.families.auth.user_apps"
local users = require "larder.families.auth.users"

local NEWEST_FIRST = { "-created_at", "id" }

-- ---- fields that several stores have ----

local function id(name)
  return { name = name, type = "text", min_len = 1, max_len = 255 }
end

local function text(name, more)
  local field = { name = name, type = "text", min_len = 1, max_len = 255 }
  for k, v in pairs(more or {}) do field[k] = v end
  return field
end

local function one_of(name, default, ...)
  return { name = name, type = "text", enum = { ... }, default = default, blank = "default" }
end

local function json(name, default)
  return { name = name, type = "jsonb", null = true, default = default }
end

local function time(name)
  return { name = name, type = "timestamptz", null = true }
end

local CREATED = { name = "created_at", type = "timestamptz", stamp = "insert", immutable = true }
local UPDATED = { name = "updated_at", type = "timestamptz", stamp = "update" }

-- What soft_delete marks, and what a reader who does not want deleted rows leaves out.
local SOFT = {
  hides = false,
  set = { status = "deleted" },
  unset = { status = "active" },
  alive = { deleted_at = core.null, status = { ne = "deleted" } },
}

local tenants = {
  name = "tenants",
  table = "auth.tenants",
  fields = {
    id "id",
    text "name",
    { name = "domain", type = "text", null = true, default = "", max_len = 255 },
    { name = "db_dsn", type = "text", min_len = 1 },
    text "db_schema",
    one_of("status", "active", "active", "suspended", "deleted"),
    json "config",
    json "settings",
    json "metadata",
    CREATED,
    UPDATED,
    time "deleted_at",
  },
  key = { name = "tenants_pkey", "id" },
  uniques = { { name = "unique_tenant_name", "name" } },
  indexes = { NEWEST_FIRST, { "status", "-created_at", "id" } },
  tenant = "id",
  soft_delete = "deleted_at",
  soft = SOFT,
  order = NEWEST_FIRST,
  filters = { status = "status", domain = "domain" },
  methods = {
    get_by_name = { get_by = { "name" } },
    is_active = status.is_active,
    is_suspended = status.is_suspended,
    is_deleted = status.is_deleted,
  },
}

local apps = {
  name = "apps",
  table = "auth.apps",
  fields = {
    id "tenant_id",
    id "id",
    text "name",
    one_of("type", "web", "web", "mobile", "api", "desktop", "service"),
    one_of("status", "active", "active", "disabled"),
    json "config",
    json "metadata",
    CREATED,
    UPDATED,
  },
  key = { name = "apps_pkey", "tenant_id", "id" },
  uniques = { { name = "unique_app_name_per_tenant", "tenant_id", "name" } },
  references = {
    { name = "fk_apps_tenant", fields = { "tenant_id" }, to = "tenants", on_delete = "cascade" },
  },
  indexes = { { "tenant_id", "-created_at", "id" }, { "tenant_id", "type", "-created_at", "id" } },
  tenant = "tenant_id",
  order = NEWEST_FIRST,
  scope = { "tenant_id" },
  filters = { status = "status", type = "type" },
  methods = {
    get_by_name = { get_by = { "tenant_id", "name" } },
    list_by_type = { list_by = { "tenant_id", "type" } },
    is_active = status.is_active,
  },
}

local function in_address(member)
  return function(value) return { address = { contains = { [member] = value } } } end
end

local branch_store = {
  name = "branches",
  table = "auth.branches",
  fields = {
    id "tenant_id",
    id "app_id",
    id "id",
    text("code", { max_len = 100 }),
    text "name",
    one_of("type", "office",
      "headquarters", "regional", "store", "warehouse", "franchise", "office", "other"),
    one_of("status", "active", "active", "disabled"),
    json("address", {}),
    json("contact", {}),
    json "settings",
    json "metadata",
    CREATED,
    UPDATED,
  },
  key = { name = "branches_pkey", "tenant_id", "app_id", "id" },
  uniques = { { name = "unique_branch_code_per_app", "tenant_id", "app_id", "code" } },
  references = {
    { name = "fk_branches_app", fields = { "tenant_id", "app_id" }, to = "apps", on_delete = "cascade" },
  },
  indexes = {
    { "tenant_id", "app_id", "-created_at", "id" },
    { "tenant_id", "app_id", "type", "-created_at", "id" },
  },
  tenant = "tenant_id",
  order = NEWEST_FIRST,
  scope = { "tenant_id", "app_id" },
  filters = { status = "status", type = "type", city = in_address "city", country = in_address "country" },
  methods = {
    list_by_type = { list_by = { "tenant_id", "app_id", "type" } },
    get_by_code = { get_by = { "tenant_id", "app_id", "code" } },
    full_address = branches.full_address,
    is_active = status.is_active,
  },
}

local user_store = {
  name = "users",
  table = "auth.users",
  fields = {
    id "tenant_id",
    id "id",
    text "username",
    text "email",
    { name = "full_name", type = "text", null = true, default = "", max_len = 255 },
    one_of("status", "active", "active", "suspended", "deleted"),
    { name = "password_hash", type = "text", null = true, hidden = true },
    json "metadata",
    CREATED,
    UPDATED,
    time "deleted_at",
  },
  key = { name = "users_pkey", "tenant_id", "id" },
  uniques = {
    { name = "unique_username_per_tenant", "tenant_id", "username" },
    { name = "unique_email_per_tenant", "tenant_id", "email" },
  },
  references = {
    { name = "fk_users_tenant", fields = { "tenant_id" }, to = "tenants", on_delete = "cascade" },
  },
  indexes = { { "tenant_id", "-created_at", "id" }, { "tenant_id", "status", "-created_at", "id" } },
  tenant = "tenant_id",
  soft_delete = "deleted_at",
  soft = SOFT,
  order = NEWEST_FIRST,
  scope = { "tenant_id" },
  filters = { status = "status" },
  methods = {
    get_by_username = { get_by = { "tenant_id", "username" } },
    get_by_email = { get_by = { "tenant_id", "email" } },
    list_by_app = users.list_by_app,
    set_password = users.set_password,
    check_password = users.check_password,
    remove_password = users.remove_password,
    is_active = status.is_active,
    is_suspended = status.is_suspended,
    is_deleted = status.is_deleted,
  },
}

local grant_store = {
  name = "user_apps",
  table = "auth.user_apps",
  fields = {
    id "tenant_id",
    id "app_id",
    id "user_id",
    one_of("status", "active", "active", "revoked"),
    { name = "granted_at", type = "timestamptz", default = { "now" } },
    time "revoked_at",
  },
  key = { name = "user_apps_pkey", "tenant_id", "app_id", "user_id" },
  references = {
    { name = "fk_user_apps_user", fields = { "tenant_id", "user_id" }, to = "users", on_delete = "cascade" },
    { name = "fk_user_apps_app", fields = { "tenant_id", "app_id" }, to = "apps", on_delete = "cascade" },
  },
  indexes = {
    { "tenant_id", "user_id", "-granted_at", "app_id" },
    { "tenant_id", "app_id", "-granted_at", "user_id" },
  },
  tenant = "tenant_id",
  order = { "-granted_at", "app_id", "user_id" },
  scope = { "tenant_id" },
  filters = { status = "status" },
  methods = user_apps,
}

local key_store = {
  name = "app_keys",
  table = "auth.app_keys",
  fields = {
    id "tenant_id",
    id "id",
    { name = "app_id", type = "text", min_len = 1, max_len = 255, immutable = true },
    text("key_id", { immutable = true }),
    text("prefix", { max_len = 50, immutable = true }),
    { name = "secret_hash", type = "text", min_len = 1, hidden = true },
    text("key_type", { max_len = 50, default = "secret" }),
    one_of("environment", "live", "live", "test"),
    { name = "user_id", type = "text", null = true, max_len = 255, immutable = true },
    text "name",
    json "scopes",
    json "metadata",
    CREATED,
    time "expires_at",
    time "last_used",
    { name = "revoked", type = "bool", default = false },
    time "revoked_at",
  },
  key = { name = "app_keys_pkey", "tenant_id", "id" },
  uniques = { { name = "unique_app_key_id", "id" }, { name = "unique_key_id", "key_id" } },
  references = {
    { name = "fk_app_keys_app", fields = { "tenant_id", "app_id" }, to = "apps", on_delete = "cascade" },
  },
  indexes = { { "tenant_id", "-created_at", "id" }, { "tenant_id", "app_id", "-created_at", "id" } },
  tenant = "tenant_id",
  order = NEWEST_FIRST,
  scope = { "tenant_id" },
  filters = { environment = "environment", revoked = "revoked" },
  methods = app_keys,
}

return { name = "auth", entities = { tenants, apps, branch_store, user_store, grant_store, key_store } }
