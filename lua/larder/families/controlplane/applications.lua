--- Applications and their API keys. The hash of a key is looked for, compared in constant time, and never shown.

local core = require "larder.core"
local errors = require "larder.base.errors"
local options = require "larder.base.options"
local support = require "larder.store.support"

local BY_ID = { "id" }
local WITH_HASH = { "org_id", "id", "name", "api_key_hash", "api_key_id", "created_at", "updated_at" }
local ENVIRONMENTS = { live = true, test = true }
local KEY_OPTIONS = options.set { environment = "any" }

local applications = {
  get_by_api_key_hash = { get_by = { "api_key_hash" } },
  list_by_org = { list_by = { "org_id" } },
}

--- A new API key in place of the one before. The secret is returned here and never again.
---@param id string
---@param opts? { environment?: "live"|"test" }
---@return string|nil secret
---@return table|larder.Error row  of the application
function applications:issue_key(id, opts)
  opts = support.options(self, "issue_key", opts, KEY_OPTIONS)
  local environment = opts.environment or "live"
  if not ENVIRONMENTS[environment] then return errors.invalid({ environment = "must be live or test" }) end
  local secret, key_id, _, hash = core.apikey_make(environment)
  local row, err = self:_change("issue_key", { id = id }, { api_key_hash = hash, api_key_id = key_id }, {}, BY_ID)
  if not row then return nil, err end
  return secret, row
end

local function refused(reason)
  return nil, errors.new {
    code = "unauthorized", reason = reason, store = "controlplane.applications", op = "verify_key",
    message = "the API key is not valid",
  }
end

--- Whose key is this? One indexed query; a text that cannot be a key costs none.
---@param secret string
---@return table|nil row  of the application
---@return larder.Error? err  `unauthorized`
function applications:verify_key(secret)
  local key_id
  if type(secret) == "string" then key_id = core.apikey_parse(secret) end
  if not key_id then return refused "malformed" end
  local rows, err = self:run({ op = "select", columns = WITH_HASH, where = { api_key_id = key_id }, limit = 1 }, "verify_key")
  if not rows then return nil, err end
  local row = rows[1]
  -- the same work for an unknown key, so that time tells nothing
  if not core.apikey_verify(secret, row and row.api_key_hash) then return refused "unknown" end
  row.api_key_hash = nil
  return row
end

return applications
