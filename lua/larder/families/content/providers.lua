--- Which database the family lives in, by the environment: the default provider, or the first one that is enabled.
--
-- larder is the provider `postgres`. Of the others it only knows the names, so that it can say what was looked at.

local config = require "larder.config"
local errors = require "larder.base.errors"

local providers = {}

local ORDER = { "postgres", "mongodb", "supabase", "cosmosdb", "sqlserver", "ibmcloud" }

local function switch_of(name)
  return "ENABLE_" .. name:upper()
end

local function is_on(getenv, name)
  return getenv(switch_of(name)) == "true"
end

--- The enabled providers, in the order in which they are tried: the default first.
---@param getenv fun(name: string): string|nil
---@return string[]|nil names  may be empty
---@return larder.Error? err  `invalid`: the default is none of the known ones
function providers.enabled(getenv)
  local default, known = getenv "DEFAULT_DATABASE_PROVIDER", {}
  for _, name in ipairs(ORDER) do known[name] = true end
  if default == nil or default == "" then default = ORDER[1] end
  if not known[default] then
    return errors.invalid({ DEFAULT_DATABASE_PROVIDER = "must be one of " .. table.concat(ORDER, ", ") })
  end
  local list = {}
  if is_on(getenv, default) then list[1] = default end
  for _, name in ipairs(ORDER) do
    if name ~= default and is_on(getenv, name) then list[#list + 1] = name end
  end
  return list
end

--- Where to connect. The first enabled provider that larder has is taken.
---@param getenv? fun(name: string): string|nil  os.getenv by default
---@return { provider: string, config: larder.Config }|nil
---@return larder.Error? err  `invalid`: none is enabled, or its address is missing; `unsupported`: only others are
function providers.resolve(getenv)
  getenv = getenv or os.getenv
  local list, err = providers.enabled(getenv)
  if not list then return nil, err end
  if #list == 0 then
    local switches = {}
    for i, name in ipairs(ORDER) do switches[i] = switch_of(name) end
    return errors.invalid(nil, "no database provider is enabled: none of " .. table.concat(switches, ", ") .. " is true",
      { hint = "set ENABLE_POSTGRES=true and POSTGRES_PRISMA_URL" })
  end
  for _, name in ipairs(list) do
    if name == "postgres" then
      local found
      found, err = config.resolve(nil, { getenv = getenv })
      if not found then return nil, err end
      return { provider = name, config = found }
    end
  end
  return nil, errors.new { code = "unsupported", message = "larder has no provider " .. table.concat(list, ", ")
    .. ": enable postgres" }
end

-- ---- what is written of it ----

local LEVELS = { error = 1, warn = 2, info = 3, debug = 4 }

-- event of the database → from which level on it is written
local WRITTEN = { error = "error", slow = "warn", connect = "info", transaction = "info", query = "debug" }

--- How much is written: DATABASE_LOG_LEVEL (info), and errors alone where NODE_ENV is production. nil: nothing, since PRISMA_LOGGING
-- is not true.
---@param getenv? fun(name: string): string|nil
---@return "error"|"warn"|"info"|"debug"|nil level
---@return larder.Error? err  `invalid`
function providers.log_level(getenv)
  getenv = getenv or os.getenv
  local level = getenv "DATABASE_LOG_LEVEL"
  if level == nil or level == "" then level = "info" end
  if not LEVELS[level] then return errors.invalid { DATABASE_LOG_LEVEL = "must be error, warn, info or debug" } end
  if getenv "PRISMA_LOGGING" ~= "true" then return nil end
  return getenv "NODE_ENV" == "production" and "error" or level
end

local function line_of(name, event)
  local what = event.store and event.store .. ":" .. event.op or event.op or name
  local text = ("larder %s: %s"):format(name, what)
  if event.duration then text = text .. (" %.1f ms"):format(event.duration * 1000) end
  return event.err and text .. ": " .. tostring(event.err) or text
end

--- Have write(line) called for what happens, as the environment says. Parameters and secrets are never part of a line.
---@param db larder.Db
---@param getenv? fun(name: string): string|nil
---@param write? fun(line: string)  to stderr by default
---@return (fun())|nil stop
---@return larder.Error? err  `invalid`
function providers.log(db, getenv, write)
  local level, err = providers.log_level(getenv)
  if err then return nil, err end
  write = write or function(line) io.stderr:write(line, "\n") end
  local stops = {}
  for name, from in pairs(WRITTEN) do
    if level and LEVELS[from] <= LEVELS[level] then
      stops[#stops + 1] = db:on(name, function(event) write(line_of(name, event)) end)
    end
  end
  return function()
    for _, stop in ipairs(stops) do stop() end
  end
end

return providers
