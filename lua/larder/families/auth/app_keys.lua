--- API keys: issued once, stored as a hash, verified by one indexed query.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local generic = require "larder.store.write".methods
local collector = require "larder.families.auth.last_used"
local misuse = require "larder.base.misuse"
local support = require "larder.store.support"

local BY_KEY_ID = { "tenant_id", "app_id", "key_id" }
-- With the hash, which no generic method selects.
local COLUMNS = {
  "tenant_id", "id", "app_id", "key_id", "prefix", "secret_hash", "key_type", "environment", "user_id",
  "name", "scopes", "metadata", "created_at", "expires_at", "last_used", "revoked", "revoked_at",
}
local ENVIRONMENTS = { live = true, test = true }
local ISSUE_FIELDS = {
  name = true, environment = true, scopes = true, expires_at = true, user_id = true, metadata = true,
  key_type = true,
}
local ID_BYTES = 16

-- get takes the internal id alone: it is unique across tenants.
local app_keys = {
  get = { get_by = { "id" } },
  get_by_key_id = { get_by = BY_KEY_ID },
  list_by_app = { list_by = { "tenant_id", "app_id" } },
  list_by_tenant = { list_by = { "tenant_id" } },
}

local function by_key_id(method, tenant_id, app_id, key_id)
  if tenant_id == nil or app_id == nil or key_id == nil then
    misuse.raise("auth.app_keys:%s needs the tenant, the application and the key id", method)
  end
  return { tenant_id = tenant_id, app_id = app_id, key_id = key_id }
end

local function missing(method)
  return errors.not_found("auth.app_keys", method, BY_KEY_ID)
end

-- ---- issuing ----

---@class larder.auth.NewKey
---@field name string
---@field environment? "live"|"test"  live by default
---@field scopes? string[]
---@field expires_at? string|number
---@field user_id? string   owner; "app:" and the application by default
---@field metadata? table
---@field key_type? string  "secret" by default

--- Make a key. The secret is returned here and never again.
---@param tenant_id string
---@param app_id string
---@param fields larder.auth.NewKey
---@return table|nil row
---@return string|larder.Error secret
function app_keys:issue(tenant_id, app_id, fields)
  if type(fields) ~= "table" then misuse.raise("auth.app_keys:issue needs the tenant, the application and a table of fields") end
  local environment = fields.environment or "live"
  if not ENVIRONMENTS[environment] then return errors.invalid({ environment = "must be live or test" }) end
  local row = {}
  for name, value in pairs(fields) do
    if not ISSUE_FIELDS[name] then misuse.raise("auth.app_keys:issue: a key cannot be issued with %q", tostring(name)) end
    row[name] = value
  end
  local secret, key_id, prefix, hash = core.apikey_make(environment)
  row.tenant_id, row.app_id, row.environment = tenant_id, app_id, environment
  row.id, row.key_id, row.prefix, row.secret_hash = "id_" .. core.random_hex(ID_BYTES), key_id, prefix, hash
  row.user_id = row.user_id or app_id and "app:" .. app_id
  local stored, err = self:create(row)
  if not stored then return nil, err end
  return stored, secret
end

--- A new key in place of an old one, in one transaction: same environment, scopes, owner and end; the old
-- one is revoked.
---@param tenant_id string
---@param app_id string
---@param key_id string
---@return table|nil row  of the new key
---@return string|larder.Error secret
function app_keys:rotate(tenant_id, app_id, key_id)
  support.conditions(self, "rotate", BY_KEY_ID, 3, tenant_id, app_id, key_id)
  return self.db:transaction(function()
    local old, err = self:get_by_key_id(tenant_id, app_id, key_id, { lock = "update" })
    if not old then return nil, err end
    if old.revoked then return errors.invalid({ key_id = "belongs to a revoked key" }) end
    local row, secret = self:issue(tenant_id, app_id, self:_successor(old))
    if not row then return nil, secret end
    local revoked
    revoked, err = self:revoke(tenant_id, app_id, key_id)
    if not revoked then return nil, err end
    return row, secret
  end)
end

--- What the key that follows `old` is issued with.
function app_keys:_successor(old)
  local metadata = {}
  for name, value in pairs(type(old.metadata) == "table" and old.metadata or {}) do metadata[name] = value end
  metadata.rotated_from, metadata.rotated_at = old.key_id, self.db:now()
  return {
    name = old.name .. " (rotated)", environment = old.environment, scopes = old.scopes,
    user_id = old.user_id, key_type = old.key_type, metadata = metadata,
    expires_at = not self:is_expired(old) and old.expires_at or nil,
  }
end

-- ---- changing ----

--- Replace what may change of the key with this internal id; key_id, prefix, owner, tenant and application
-- stay.
---@param row table
---@param opts? table  as of the generic update
---@return table|nil row  as stored
---@return larder.Error? err
function app_keys:update(row, opts)
  if type(row) == "table" and row.tenant_id == nil and row.id ~= nil then
    local found, err = self:get(row.id)
    if not found then return nil, err end
    local whole = { tenant_id = found.tenant_id }
    for name, value in pairs(row) do whole[name] = value end
    row = whole
  end
  return generic.update(self, row, opts)
end

--- Revoke. A second time keeps the first revoked_at.
---@param tenant_id string
---@param app_id string
---@param key_id string
---@return table|nil row
---@return larder.Error? err  `not_found` when there is none
function app_keys:revoke(tenant_id, app_id, key_id)
  local where = by_key_id("revoke", tenant_id, app_id, key_id)
  local set = { revoked = true, revoked_at = expr.coalesce(self.db:now()) }
  return self:_change("revoke", where, set, {}, BY_KEY_ID)
end

--- Delete. Unlike in the other stores a key that is not there is `not_found`.
---@param tenant_id string
---@param app_id string
---@param key_id string
---@return true|nil
---@return integer|larder.Error n
function app_keys:delete(tenant_id, app_id, key_id)
  local n, err = self:run({ op = "delete", where = by_key_id("delete", tenant_id, app_id, key_id) }, "delete")
  if not n then return nil, err end
  if n == 0 then return missing "delete" end
  return true, n
end

-- ---- verifying ----

--- Is the key's time over?
---@param row { expires_at: string? }
---@return boolean
function app_keys:is_expired(row)
  support.check_row(self, "is_expired", row)
  if row.expires_at == nil or row.expires_at == core.null then return false end
  local at = core.time_parse(row.expires_at)
  if not at then support.misuse(self, "is_expired", "expires_at is no time") end
  return at <= self.db:_now()
end

--- One message for every reason: whoever shows a wrong key learns nothing from it.
local function refused(reason)
  return nil, errors.new {
    code = "unauthorized", reason = reason, store = "auth.app_keys", op = "verify",
    message = "the API key is not valid",
  }
end

--- Whose key is this? One indexed query; a text that cannot be a key costs none.
---@param secret string
---@param opts? { tenant_id?: string, timeout?: number }  with tenant_id a distributed table asks one node
---@return table|nil row
---@return larder.Error? err  `unauthorized` with err.reason malformed, unknown, revoked or expired
function app_keys:verify(secret, opts)
  local key_id, environment
  if type(secret) == "string" then key_id, environment = core.apikey_parse(secret) end
  if not key_id then return refused "malformed" end
  opts = opts or {}
  local rows, err = self:run({
    op = "select", columns = COLUMNS, limit = 1, timeout = opts.timeout,
    where = { key_id = key_id, tenant_id = opts.tenant_id },
  }, "verify")
  if not rows then return nil, err end
  local row = rows[1]
  -- the same work for an unknown key, so that time tells nothing
  if not core.apikey_verify(secret, row and row.secret_hash) then return refused "unknown" end
  row.secret_hash = nil
  if row.environment ~= environment then return refused "unknown" end
  if row.revoked then return refused "revoked" end
  if self:is_expired(row) then return refused "expired" end
  self:_uses():note(row, self.db:_now())
  return row
end

function app_keys:_uses()
  local uses = self._last_used
  if not uses then
    uses = collector(self)
    self._last_used = uses
  end
  return uses
end

--- Write what verify has collected.
---@return integer|nil n  number of keys
---@return larder.Error? err
function app_keys:flush_last_used()
  return self:_uses():flush()
end

return app_keys
