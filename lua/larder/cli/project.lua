--- The user's project: a file `.larder`, found in the working directory or above it, that returns a table.
--
--   return {
--     require = { "app.schema" },                 -- modules that declare the families
--     load = { "schema.lua" },                    -- files that do; relative to the project
--     path = { "?.lua", "src/?.lua" },            -- put before Lua's own, relative to the project
--     migrations = { shop = "sql/shop" },         -- directories, where the declarations do not say
--     seeds = "seeds",                            -- directory of `larder seed`
--     url = "postgres://…",                       -- by default the environment
--     environments = {
--       test = { url = "postgres://localhost/app_test", throwaway = true },
--       production = { url_from = "PROD_DATABASE_URL", migrations_url_from = "PROD_DIRECT_URL" },
--     },
--   }

local families = require "larder.family"
local lfs = require "lfs"
local misuse = require "larder.base.misuse"

local project = {}

local KEYS = {
  require = "table", load = "table", path = "table", migrations = "table", seeds = "string", url = "string",
  migrations_url = "string", environments = "table", throwaway = "boolean",
}
local ENVIRONMENT_KEYS = {
  url = "string", url_from = "string", migrations_url = "string", migrations_url_from = "string", throwaway = "boolean",
}

local function exists(path)
  return lfs.attributes(path, "mode") == "file"
end

--- The file `.larder` of the directory, or of the nearest one above.
---@param dir string
---@return string|nil path
function project.find(dir)
  while true do
    local path = dir .. "/.larder"
    if exists(path) then return path end
    local above = dir:match "^(.+)/[^/]+$"
    if not above then return nil end
    dir = above
  end
end

local function check(t, keys, where)
  for name, value in pairs(t) do
    local kind = keys[name]
    if not kind then error(("%s: unknown entry %s%s"):format(where, tostring(name), misuse.hint(name, misuse.names(keys))), 0) end
    if type(value) ~= kind then error(("%s: %s must be a %s"):format(where, name, kind), 0) end
  end
end

local function read(path)
  local chunk, why = loadfile(path)
  if not chunk then error(why, 0) end
  local t = chunk()
  if type(t) ~= "table" then error(path .. ": must return a table", 0) end
  check(t, KEYS, path)
  for name, environment in pairs(t.environments or {}) do
    if type(environment) ~= "table" then error(("%s: environments.%s must be a table"):format(path, tostring(name)), 0) end
    check(environment, ENVIRONMENT_KEYS, ("%s: environments.%s"):format(path, name))
  end
  return t
end

local function absolute(dir, path)
  return path:sub(1, 1) == "/" and path or dir .. "/" .. path
end

local Project = {}
Project.__index = Project

local function joined(dir, own, given)
  local list = {}
  for _, item in ipairs(own or {}) do list[#list + 1] = dir and absolute(dir, item) or item end
  for _, item in ipairs(given or {}) do list[#list + 1] = item end
  return list
end

--- Read the project. Raises with the file and the place when it is wrong.
---@param args { load?: string[], require?: string[], project_file?: string }
---@return table
function project.open(args)
  local path = args.project_file or project.find(lfs.currentdir())
  if args.project_file and not exists(args.project_file) then
    error(args.project_file .. ": there is no such project file", 0)
  end
  local self = setmetatable({ path = path, dir = path and path:match "^(.*)/[^/]*$" or ".", settings = {} }, Project)
  if path then self.settings = read(path) end
  for _, pattern in ipairs(self.settings.path or (path and { "?.lua", "?/init.lua" } or {})) do
    package.path = absolute(self.dir, pattern) .. ";" .. package.path
  end
  self.files = joined(self.dir, self.settings.load, args.load)
  self.modules = joined(nil, self.settings.require, args.require)
  return self
end

-- A wrong declaration names the line of the user's that made it. One that is `return larder.declare …` has no line any more,
-- and the tool's own says nothing.
local function told(why)
  local text = tostring(why)
  local tool = arg and arg[0] and arg[0] .. ":"
  if tool and text:sub(1, #tool) == tool then text = text:sub(#tool + 1):gsub("^%d+: ", "") end
  return text
end

local function declare(value, where)
  if type(value) == "table" and getmetatable(value) == nil and value.name and value.entities then
    local larder = require "larder"
    local ok, why = pcall(larder.declare, value)
    if not ok then error(where .. ": " .. told(why), 0) end
  end
end

local function declared()
  local set = {}
  for _, name in ipairs(families.names()) do set[name] = families.known(name) ~= nil end
  return set
end

--- Run the user's declarations. A module or file may declare by itself, or return a declaration.
function Project:load()
  if self.families then return end
  local before = declared()
  self:run()
  self.families = {}
  for _, name in ipairs(families.names()) do
    if families.known(name) and not before[name] then self.families[#self.families + 1] = name end
  end
end

function Project:run()
  for _, name in ipairs(self.modules) do
    local ok, value = pcall(require, name)
    if not ok then error(("%s: module %s: %s"):format(self.path or "--require", name, told(value)), 0) end
    declare(value, name)
  end
  for _, file in ipairs(self.files) do
    local chunk, why = loadfile(file)
    if not chunk then error(why, 0) end
    local ok, value = pcall(chunk)
    if not ok then error(("%s: %s"):format(file, told(value)), 0) end
    declare(value, file)
  end
end

local function from_variable(name, what)
  local value = os.getenv(name)
  if not value or value == "" then error(("%s: the variable %s is not set"):format(what, name), 0) end
  return value
end

local function environment(self, name)
  local all = self.settings.environments or {}
  local found = all[name]
  if not found then
    local names = misuse.names(all)
    local known = #names > 0 and "it has " .. table.concat(names, ", ") or "it has none (environments = { … })"
    error(("no environment is called %s%s in %s: %s"):format(name, misuse.hint(name, names), self.path or ".larder", known), 0)
  end
  local where = ("environment %s of %s"):format(name, self.path or "the project")
  return {
    url = found.url or found.url_from and from_variable(found.url_from, where), source = where,
    migrations = found.migrations_url or found.migrations_url_from and from_variable(found.migrations_url_from, where),
    throwaway = found.throwaway == true,
  }
end

--- Where to connect.
---@param args { url?: string, env?: string, migrations_url?: string }
---@return { url: string?, migrations: string?, throwaway: boolean, source: string }
function Project:target(args)
  local s = self.settings
  local found = args.env and environment(self, args.env)
    or { url = s.url, migrations = s.migrations_url, throwaway = s.throwaway == true, source = s.url and self.path or "the environment" }
  if args.url then found.url, found.source = args.url, "--url" end
  found.migrations = args.migrations_url or found.migrations
  return found
end

--- The directory of a family's migrations, when the project names it.
---@param family string
---@return string|nil
function Project:migrations_of(family)
  local dir = (self.settings.migrations or {})[family]
  return dir and absolute(self.dir, dir)
end

--- A path of the project.
function Project:absolute(path)
  return absolute(self.dir, path)
end

return project
