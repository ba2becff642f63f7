--- Family `controlplane`: organizations, applications, users, policies, audit logs, inference requests, and the counters
-- that budgets and rate limits are held with.
--
-- An id is enough to get, change or delete a row, although keys begin with the organization: `get(id)`. Audit logs and
-- inference requests have no references: they outlive organizations, applications and users, and keep the ids.

local applications = require "larder.families.controlplane.applications"
local audit_logs = require "larder.families.controlplane.audit_logs"
local by_id = require "larder.families.controlplane.by_id"
local inference = require "larder.families.controlplane.inference"
local policies = require "larder.families.controlplane.policies"
local users = require "larder.families.controlplane.users"

local NEWEST_FIRST = { "-created_at", "id" }
local BY_PRIORITY = { "-priority", "-created_at", "id" }
local LATEST_FIRST = { "-timestamp", "id" }

-- ---- fields that several stores have ----

local ID = { name = "id", type = "uuid", default = { "uuid" } }
local ORG = { name = "org_id", type = "uuid" }
local APP = { name = "app_id", type = "uuid", null = true }
local USER = { name = "user_id", type = "uuid", null = true }
local CREATED = { name = "created_at", type = "timestamptz", stamp = "insert", immutable = true }
local UPDATED = { name = "updated_at", type = "timestamptz", stamp = "update" }

local function text(name, max, more)
  local field = { name = name, type = "text", min_len = 1, max_len = max }
  for k, v in pairs(more or {}) do field[k] = v end
  return field
end

-- May be empty or null.
local function note(name, max)
  return { name = name, type = "text", null = true, max_len = max }
end

local function whole(name, min)
  return { name = name, type = "int4", null = true, min = min }
end

local function json(name)
  return { name = name, type = "jsonb", null = true }
end

local function money(name, more)
  local field = { name = name, type = "numeric", precision = 18, scale = 6 }
  for k, v in pairs(more) do field[k] = v end
  return field
end

local function to_org(name)
  return { name = name, fields = { "org_id" }, to = "organizations", on_delete = "cascade" }
end

-- The generic methods with the id alone, and further ones.
local function methods(more)
  local all = {}
  for name, method in pairs(by_id) do all[name] = method end
  for name, method in pairs(more) do all[name] = method end
  return all
end

local organizations = {
  name = "organizations",
  table = "controlplane.organizations",
  fields = { ID, text("name", 255), text("slug", 100), CREATED, UPDATED },
  key = { name = "organizations_pkey", "id" },
  uniques = { { name = "unique_org_slug", "slug" } },
  indexes = { NEWEST_FIRST },
  tenant = "id",
  order = NEWEST_FIRST,
  methods = { get_by_slug = { get_by = { "slug" } }, delete = by_id.delete },
}

local application_store = {
  name = "applications",
  table = "controlplane.applications",
  fields = {
    ORG,
    ID,
    text("name", 255),
    text("api_key_hash", 255, { hidden = true, default = { "uuid" } }),
    { name = "api_key_id", type = "text", null = true, min_len = 1, max_len = 255 },
    CREATED,
    UPDATED,
  },
  key = { name = "applications_pkey", "org_id", "id" },
  uniques = {
    { name = "unique_application_id", "id" },
    { name = "unique_api_key_hash", "api_key_hash" },
    { name = "unique_api_key_id", "api_key_id" },
  },
  references = { to_org "fk_applications_org" },
  indexes = { { "org_id", "-created_at", "id" } },
  tenant = "org_id",
  order = NEWEST_FIRST,
  methods = methods(applications),
}

local user_store = {
  name = "users",
  table = "controlplane.users",
  fields = {
    ORG,
    ID,
    text("email", 255),
    text("cognito_sub", 255, { immutable = true }),
    { name = "role", type = "text", enum = { "admin", "member", "viewer" } },
    CREATED,
    UPDATED,
  },
  key = { name = "users_pkey", "org_id", "id" },
  uniques = {
    { name = "unique_user_email_per_org", "org_id", "email" },
    { name = "unique_user_id", "id" },
    { name = "unique_cognito_sub", "cognito_sub" },
  },
  references = { to_org "fk_users_org" },
  indexes = { { "org_id", "-created_at", "id" } },
  tenant = "org_id",
  order = NEWEST_FIRST,
  methods = methods(users),
}

local policy_store = {
  name = "policies",
  table = "controlplane.policies",
  fields = {
    ORG,
    ID,
    APP,
    USER,
    { name = "policy_type", type = "text", enum = {
      "rate_limit", "budget", "routing", "pii_detection", "injection_guard", "rag", "retry", "fallback", "load_balance",
    } },
    { name = "config", type = "jsonb" },
    { name = "priority", type = "int4", default = 0, min = 0 },
    { name = "enabled", type = "bool", default = true },
    CREATED,
    UPDATED,
  },
  key = { name = "policies_pkey", "org_id", "id" },
  uniques = { { name = "unique_policy_id", "id" } },
  references = {
    to_org "fk_policies_org",
    { name = "fk_policies_app", fields = { "org_id", "app_id" }, to = "applications", on_delete = "cascade" },
    { name = "fk_policies_user", fields = { "org_id", "user_id" }, to = "users", on_delete = "cascade" },
  },
  indexes = {
    { "org_id", "-priority", "-created_at", "id" },
    { "org_id", "app_id", "-priority", "-created_at", "id" },
    { "org_id", "user_id", "-priority", "-created_at", "id" },
  },
  tenant = "org_id",
  order = BY_PRIORITY,
  filters = { policy_type = "policy_type", enabled = "enabled" },
  methods = methods(policies),
}

local audit_store = {
  name = "audit_logs",
  table = "controlplane.audit_logs",
  fields = {
    ORG,
    { name = "timestamp", type = "timestamptz", default = { "now" } },
    ID,
    APP,
    USER,
    text("action", 100),
    text("resource_type", 100),
    { name = "resource_id", type = "uuid", null = true },
    json "details",
    note("ip_address", 45),
    note "user_agent",
    note("request_id", 255),
    note("model", 100),
    note("provider", 100),
    whole "tokens_used",
    money("cost", { null = true }),
    whole "latency_ms",
    whole "status_code",
    note "error_message",
  },
  key = { name = "audit_logs_pkey", "org_id", "timestamp", "id" },
  indexes = {
    { "org_id", "-timestamp", "id" },
    { "org_id", "app_id", "-timestamp", "id" },
    { "org_id", "user_id", "-timestamp", "id" },
    { "org_id", "action", "-timestamp", "id" },
    { "org_id", "request_id", "-timestamp", "id" },
    { "id" },
  },
  tenant = "org_id",
  order = LATEST_FIRST,
  partition = { by = "timestamp", every = "month" },
  filters = { provider = "provider", model = "model", resource_type = "resource_type" },
  methods = audit_logs,
}

local inference_store = {
  name = "inference_requests",
  table = "controlplane.inference_requests",
  fields = {
    ORG,
    ID,
    text("request_id", 255, { default = { "uuid" }, immutable = true }),
    { name = "app_id", type = "uuid" },
    USER,
    text("model", 100),
    text("provider", 100),
    note "prompt",
    json "messages",
    json "parameters",
    note "response",
    note("finish_reason", 100),
    whole("prompt_tokens", 0),
    whole("completion_tokens", 0),
    whole("total_tokens", 0),
    money("cost", { null = true }),
    whole "latency_ms",
    { name = "status", type = "text", default = "pending",
      enum = { "pending", "processing", "completed", "failed", "rejected" } },
    json "policies_applied",
    json "policy_violations",
    note("error_code", 100),
    note "error_message",
    note("ip_address", 45),
    note "user_agent",
    CREATED,
    { name = "started_at", type = "timestamptz", null = true },
    { name = "completed_at", type = "timestamptz", null = true },
  },
  key = { name = "inference_requests_pkey", "org_id", "id" },
  uniques = {
    { name = "unique_inference_request_id", "id" },
    { name = "unique_request_id", "request_id" },
  },
  indexes = {
    { "org_id", "-created_at", "id" },
    { "org_id", "app_id", "-created_at", "id" },
    { "org_id", "user_id", "-created_at", "id" },
    { "org_id", "status", "-created_at", "id" },
  },
  tenant = "org_id",
  order = NEWEST_FIRST,
  filters = { status = "status", model = "model", provider = "provider" },
  methods = methods(inference),
}

local budget_store = {
  name = "budget_usage",
  table = "controlplane.budget_usage",
  fields = {
    ORG,
    text("scope", 255),
    { name = "period", type = "text", enum = { "daily", "monthly" } },
    { name = "period_key", type = "text", min_len = 7, max_len = 10 },
    money("spent", { default = 0 }),
    { name = "requests", type = "int8", default = 0 },
    UPDATED,
  },
  key = { name = "budget_usage_pkey", "org_id", "scope", "period", "period_key" },
  indexes = { { "org_id", "period", "period_key", "-spent", "scope" } },
  tenant = "org_id",
}

local rate_store = {
  name = "rate_usage",
  table = "controlplane.rate_usage",
  fields = {
    ORG,
    text("scope", 255),
    { name = "metric", type = "text", enum = { "requests", "tokens" } },
    { name = "window_seconds", type = "int4", min = 1 },
    { name = "window_index", type = "int8" },
    { name = "used", type = "int8", default = 0 },
    { name = "ends_at", type = "timestamptz" },
  },
  key = { name = "rate_usage_pkey", "org_id", "scope", "metric", "window_seconds", "window_index" },
  indexes = { { "ends_at" } },
  tenant = "org_id",
}

return {
  name = "controlplane",
  entities = {
    organizations, application_store, user_store, policy_store, audit_store, inference_store, budget_store, rate_store,
  },
}
