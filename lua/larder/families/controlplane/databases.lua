--- Where a control plane keeps its data: the main database, and one for audit logs where DATABASE_URL_AUDIT names it.

local config = require "larder.config"
local values = require "larder.config.values"

local databases = {}

-- What the variables are when they are not set, on a developer's machine only.
local DEVELOPMENT = {
  DB_HOST = "localhost", DB_PORT = "5432", DB_USER = "dev", DB_PASSWORD = "audit_password", DB_NAME = "audit",
  DB_SSLMODE = "disable",
}

local function is_set(value)
  return value ~= nil and value ~= ""
end

local LIFETIME, LIFETIME_DEFAULT = "DB_CONN_MAX_LIFETIME", "5m"

local function with_defaults(getenv)
  local environment = getenv "ENVIRONMENT"
  local developing = not (is_set(environment) and environment ~= "development" or is_set(getenv "DATABASE_URL"))
  return function(name)
    local value = getenv(name)
    if name == LIFETIME then return is_set(value) and values.seconds(value) and value or LIFETIME_DEFAULT end
    if is_set(value) or not developing then return value end
    return DEVELOPMENT[name]
  end
end

-- The environment of the audit database: its address is the main one there, the pool's limits hold for both.
local function of_audit(getenv, url)
  return with_defaults(function(name)
    if name == "DATABASE_URL" then return url end
    return getenv(name)
  end)
end

--- What the environment says: DATABASE_URL, or DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, DB_SSLMODE, with
-- DB_MAX_OPEN_CONNS, DB_MAX_IDLE_CONNS and DB_CONN_MAX_LIFETIME; DATABASE_URL_AUDIT; ENVIRONMENT. A number or duration
-- that cannot be read counts as not set.
---@param getenv? fun(name: string): string|nil  os.getenv by default
---@return { main: larder.Config, audit: larder.Config|nil }|nil
---@return larder.Error? err
function databases.resolve(getenv)
  getenv = getenv or os.getenv
  local main, err = config.resolve(nil, { getenv = with_defaults(getenv) })
  if not main then return nil, err end
  local url, audit = getenv "DATABASE_URL_AUDIT", nil
  if is_set(url) then
    audit, err = config.resolve(nil, { getenv = of_audit(getenv, url) })
    if not audit then return nil, err end
  end
  return { main = main, audit = audit }
end

--- Open both. Without DATABASE_URL_AUDIT the main database serves for audit logs, too.
---@param opts? larder.OpenOptions
---@return larder.Db|nil main
---@return larder.Db|larder.Error audit
function databases.open(opts)
  local larder = require "larder"
  local settings = {}
  for name, value in pairs(opts or {}) do settings[name] = value end
  local getenv = settings.getenv or os.getenv
  settings.getenv = with_defaults(getenv)
  local main, err = larder.open(nil, settings)
  if not main then return nil, err end
  local url = getenv "DATABASE_URL_AUDIT"
  if not is_set(url) then return main, main end
  local audit
  settings.getenv = of_audit(getenv, url)
  audit, err = larder.open(nil, settings)
  if audit then return main, audit end
  main:close()
  return nil, err
end

return databases
