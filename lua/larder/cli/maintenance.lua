--- Making and dropping the database itself, from the database `postgres` of the same server.

local config = require "larder.config"
local core = require "larder.core"
local larder = require "larder"

local maintenance = {}

--- The name of the database, and a connection beside it.
---@param ctx larder.cli.Context
---@return string|nil name
---@return larder.Db|larder.Error db
function maintenance.open(ctx)
  local target = ctx.project:target(ctx.args)
  local found, err = config.resolve(target.migrations or target.url, {})
  if not found then return nil, err end
  if found.engine == "memory" then error("this command needs PostgreSQL", 0) end
  local settings = {}
  for name, value in pairs(found.settings) do settings[name] = value end
  local name = settings.dbname or settings.user
  if not name then error("which database? the settings name none", 0) end
  settings.dbname = name == "postgres" and "template1" or "postgres"
  ctx.database, ctx.throwaway = name, target.throwaway
  local db
  db, err = larder.open(settings, { pool = { min = 0, max = 1 } })
  if not db then return nil, err end
  return name, db
end

--- Names cannot be parameters.
---@param name string
---@return string
maintenance.quoted = core.sql_name

return maintenance
