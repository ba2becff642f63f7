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

return providers
