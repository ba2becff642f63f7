--- Where a charge station management system keeps its data: the section [storage] of a TOML file, STORAGE_* variables before it.

local config = require "larder.config"

local storage = {}

--- Open what the configuration names, and bring the tables up to date where it says `run_migrations`.
---@param opts? larder.OpenOptions
---@return larder.Db|nil db
---@return larder.Error? err
function storage.open(opts)
  local larder = require "larder"
  opts = opts or {}
  local cfg, err = config.resolve(nil, { getenv = opts.getenv, env_file = opts.env_file, config_file = opts.config_file })
  if not cfg then return nil, err end
  local db
  db, err = larder.open(nil, opts)
  if not db or not cfg.run_migrations then return db, err end
  local ok
  ok, err = db:migrate("csms", cfg.run_migrations)
  if ok then return db end
  db:close()
  return nil, err
end

return storage
