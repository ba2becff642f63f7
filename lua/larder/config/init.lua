--- Settings: from an argument, the environment, a `.env` file and a TOML file to what libpq and the pool
-- take.
--
-- Every value keeps the name of the place it came from, so that `larder config` can say so. Settings stay
-- keyword and value all the way: no connection text is ever put together, so nothing needs escaping.

local copied = require "larder.base.copied"
local errors = require "larder.base.errors"
local builder = require "larder.config.builder"
local conninfo = require "larder.config.conninfo"
local env = require "larder.config.env"
local values = require "larder.config.values"

local config = {}

---@class larder.Config
---@field engine "memory"|"postgres"
---@field settings table<string, string>  libpq keyword → value
---@field pool table<string, any>         pool setting → value; what is absent has the pool's own default
---@field sources table<string, string>   keyword, or "pool." and a pool setting → where it came from
---@field migrations? larder.Config       where migrations connect, when that is somewhere else
---@field replica? larder.Config          where reads go outside of transactions
---@field run_migrations? { dir?: string }  whoever opens the database is to migrate it: [storage.postgres] says so

---@class larder.ConfigOptions
---@field getenv? fun(name: string): string|nil  os.getenv by default
---@field env_file? string|true  a `.env` file; true: `./.env`
---@field config_file? string    a TOML file with [storage.postgres]
---@field pool? table            pool settings, before any other place
---@field replica? string|table  target for reads outside of transactions: a replica of the target
---@field migrations? string|table  target for migrations: a direct connection, when this one has a pooler

local function memory(source)
  return { engine = "memory", settings = {}, pool = {}, sources = { engine = source } }
end

-- ---- the groups of variables ----

local DB = {
  host = "DB_HOST", port = "DB_PORT", user = "DB_USER", password = "DB_PASSWORD", dbname = "DB_NAME",
}
local STORAGE = { host = "host", port = "port", dbname = "database", user = "user", password = "password",
  sslmode = "ssl_mode" }
local PRISMA = { host = "POSTGRES_HOST", port = "POSTGRES_PORT", user = "POSTGRES_USER",
  password = "POSTGRES_PASSWORD", dbname = "POSTGRES_DATABASE" }
local MEMORY_TYPES = { in_memory = true, memory = true, inmemory = true }

local function url_group(b)
  return b:text(b.lookup "DATABASE_URL")
end

local function libpq_group()
  return true -- PG* is added to every group
end

local function db_group(b)
  b:variables(DB, true)
  b:variables { sslmode = "DB_SSL_MODE" }
  b:variables { sslmode = "DB_SSLMODE" }
  b:set("host", "localhost", "default")
  b:set("port", "5432", "default")
  return true
end

--- Where the read replica is: [storage.postgres_read_only] with STORAGE_POSTGRES_READ_ONLY_* before it. An empty host
-- means none; the port is the primary's unless said; all else is as on the primary.
local function note_replica(b, file)
  local section = type(file.postgres_read_only) == "table" and file.postgres_read_only or {}
  local host, source = b.lookup "STORAGE_POSTGRES_READ_ONLY_HOST"
  if not host then host, source = section.host, (file.path or "file") .. ": storage.postgres_read_only.host" end
  if host == nil or host == "" then return end
  local port = b.lookup "STORAGE_POSTGRES_READ_ONLY_PORT" or section.port
  local checked = port and values.port(port)
  if port and not checked then b.faults["storage.postgres_read_only.port"] = "must be between 1 and 65535" end
  b.replica = { host = tostring(host), port = checked and tostring(checked) or nil, source = source }
end

--- run_migrations and migrations_path, which may begin with file://; without a path, the family's own files.
local function note_migrations(b, section)
  local variable = "STORAGE_POSTGRES_RUN_MIGRATIONS"
  local given = b.lookup(variable)
  local name = given and variable or "storage.postgres.run_migrations"
  if given == nil then given = section.run_migrations end
  if given == nil then return end
  local run = values.boolean(given)
  if run == nil then b.faults[name] = "must be true or false" end
  local path = b.lookup "STORAGE_POSTGRES_MIGRATIONS_PATH" or section.migrations_path
  if run then b.run_migrations = { dir = path and tostring(path):gsub("^file://", "") or nil } end
end

--- [storage.postgres] with STORAGE_POSTGRES_* before it. The file's rules hold for both.
local function storage_group(b, file)
  note_replica(b, file)
  local section = type(file.postgres) == "table" and file.postgres or {}
  note_migrations(b, section)
  local text, source = b.lookup "STORAGE_POSTGRES_CONNECTION_STRING"
  if not text and section.connection_string then
    text, source = section.connection_string, file.path .. ": storage.postgres.connection_string"
  end
  if text then return b:text(text, source) end
  for keyword, name in pairs(STORAGE) do
    local variable = "STORAGE_POSTGRES_" .. name:upper()
    local value, from = b.lookup(variable)
    b:set(keyword, value, from, variable)
    if value == nil and section[name] ~= nil then
      b:set(keyword, section[name], file.path .. ": storage.postgres." .. name, "storage.postgres." .. name)
    end
  end
  for _, keyword in ipairs { "host", "dbname", "user", "password" } do
    if not b.settings[keyword] then
      b.faults["storage.postgres." .. STORAGE[keyword]] =
        ("is required (or STORAGE_POSTGRES_%s)"):format(STORAGE[keyword]:upper())
    end
  end
  b:set("port", not b.faults.STORAGE_POSTGRES_PORT and "5432" or nil, "default")
  return true
end

local function prisma_group(b)
  if not values.boolean(b.lookup "ENABLE_POSTGRES" or "false") then
    return errors.invalid({ ENABLE_POSTGRES = "is not true, so PostgreSQL is disabled" }, nil,
      { hint = "set ENABLE_POSTGRES=true, or remove the POSTGRES_* variables" })
  end
  local url, source = b.lookup "POSTGRES_PRISMA_URL"
  if url then
    if not conninfo.is_uri(url) then
      return errors.invalid({ POSTGRES_PRISMA_URL = "is not a PostgreSQL URL" })
    end
    return b:text(url, source, true)
  end
  if not b.lookup "POSTGRES_HOST" then
    return errors.invalid({ POSTGRES_PRISMA_URL = "is missing, and so is POSTGRES_HOST" })
  end
  b:variables(PRISMA)
  return true
end

local function has(lookup, ...)
  for _, name in ipairs { ... } do
    if lookup(name) then return true end
  end
  return false
end

--- The group of variables that names a server, or nil.
local function find_group(lookup, wanted)
  if wanted == "storage" then return storage_group end
  if lookup "DATABASE_URL" then return url_group end
  if has(lookup, "DB_HOST", "DB_NAME") then return db_group end
  local enabled = values.boolean(lookup "ENABLE_POSTGRES" or "")
  if enabled or has(lookup, "POSTGRES_PRISMA_URL", "POSTGRES_HOST") then return prisma_group end
  if has(lookup, "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE") then return libpq_group end
  return wanted and db_group or nil
end

--- STORAGE_TYPE and USE_POSTGRES choose the engine before anything else is looked at.
local function chosen_by_application(lookup, file)
  local kind, source = lookup "STORAGE_TYPE"
  if not kind and file.type then kind, source = file.type, file.path .. ": storage.type" end
  if kind then
    if MEMORY_TYPES[kind] then return "memory", source end
    if kind ~= "postgres" and kind ~= "postgresql" then
      return nil, select(2, errors.invalid({ [source] = "must be postgres or in_memory" }))
    end
    local named = file.postgres or has(lookup, "STORAGE_POSTGRES_HOST", "STORAGE_POSTGRES_CONNECTION_STRING")
    if named or not has(lookup, "DATABASE_URL", "DB_HOST") then return "storage" end
    return "postgres"
  end
  local use
  use, source = lookup "USE_POSTGRES"
  if use then return values.boolean(use) and "postgres" or "memory", source end
  return false
end

-- Memory loses everything at the end of the process, so that it must be asked for.
local function nothing_named()
  return errors.invalid({ target = "is not given, and no variable names a database" }, nil, {
    hint = "looked for DATABASE_URL, DB_HOST, DB_NAME, STORAGE_TYPE, USE_POSTGRES, ENABLE_POSTGRES, POSTGRES_PRISMA_URL, "
      .. 'POSTGRES_HOST, PGHOST, PGDATABASE, PGSERVICE; for the memory engine say "memory:" or LARDER_ENGINE=memory',
  })
end

local function chosen(lookup, file)
  local engine, source = lookup "LARDER_ENGINE"
  if not engine then return chosen_by_application(lookup, file) end
  if engine == "memory" or engine == "postgres" then return engine, source end
  return nil, select(2, errors.invalid({ LARDER_ENGINE = "must be postgres or memory" }))
end

local function from_environment(b, file)
  local wanted, source = chosen(b.lookup, file)
  if wanted == nil then return nil, source end
  if wanted == "memory" then return memory(source) end
  local group = find_group(b.lookup, wanted)
  if not group then return nothing_named() end
  local ok, err = group(b, file)
  if not ok then return nil, err end
  b:limits()
  b:libpq()
  return b:finish()
end

-- ---- targets given as arguments ----

local ALIASES = { database = "dbname", username = "user", ssl_mode = "sslmode" }
local NOT_SETTINGS = { url = true, pool = true, engine = true }

local ENGINES = { memory = true, postgres = true, postgresql = true }

-- The connection string in a table of settings. An empty one would stand for libpq's own defaults: some other server.
local function read_url(b, url)
  if url == nil then return true end
  if type(url) ~= "string" or not url:find "%S" then return errors.invalid({ url = "must be a connection string" }) end
  return b:text(url, "argument url")
end

local function read_setting(b, name, value)
  if type(name) ~= "string" or type(value) == "table" or type(value) == "function" then
    b.faults[tostring(name)] = "is not a setting"
  elseif conninfo.is_ours(name) then
    local setting = conninfo.pool_setting(name)
    if setting then b:set_pool(setting, value, "argument") end
    if not setting then b.faults[name] = "is not a pool setting" end
  elseif conninfo.unknown(ALIASES[name] or name) then
    b.faults[name] = conninfo.unknown(ALIASES[name] or name)
  elseif type(value) ~= "string" and type(value) ~= "number" then
    b.faults[name] = "must be a text or a number"
  else
    b:set(ALIASES[name] or name, value, "argument", name)
  end
end

local function from_table(b, target)
  if target.engine ~= nil and not ENGINES[target.engine] then return errors.invalid({ engine = "must be memory or postgres" }) end
  if target.engine == "memory" then return memory "argument" end
  local ok, err = read_url(b, target.url)
  if not ok then return nil, err end
  for name, value in pairs(target) do
    if not NOT_SETTINGS[name] then read_setting(b, name, value) end
  end
  b:libpq()
  return b:finish()
end

local function from_text(b, text)
  if text == "memory:" or text == "memory" then return memory "argument" end
  if not text:find "%S" then return errors.invalid({ target = "is an empty text" }) end
  local ok, err = b:text(text, "argument")
  if not ok then return nil, err end
  b:libpq()
  return b:finish()
end

local function from_target(b, target, file)
  local nothing = target == nil or type(target) == "table" and next(target) == nil
  if nothing then return from_environment(b, file) end
  if type(target) == "string" then return from_text(b, target) end
  if type(target) == "table" then return from_table(b, target) end
  error("a target is nothing, a text or a table, not a " .. type(target), 0)
end

-- The same, without faults: memory has no use for a pool, but is given none that is misspelt.
local function without_faults(b, target, file)
  local cfg, err = from_target(b, target, file)
  if not cfg then return nil, err end
  if next(b.faults) then return errors.invalid(b.faults) end
  return cfg
end

-- Does a variable beside which POSTGRES_URL_NON_POOLING stands name the server?
local function is_from_environment(cfg, lookup)
  local source = cfg.sources.host
  return source ~= nil and (source == select(2, lookup "POSTGRES_PRISMA_URL") or source == select(2, lookup "DATABASE_URL"))
end

--- Where migrations connect: what the caller says, LARDER_MIGRATIONS_URL, or POSTGRES_URL_NON_POOLING beside
--- POSTGRES_PRISMA_URL or DATABASE_URL.
local function add_migrations(cfg, lookup, opts)
  local target = opts.migrations
  if target == nil then target = lookup "LARDER_MIGRATIONS_URL" end
  if not target and is_from_environment(cfg, lookup) then
    local url, source = lookup "POSTGRES_URL_NON_POOLING"
    if not url or not source then return cfg end
    local b = builder.new(lookup)
    local ok, err = b:text(url, source, true)
    if not ok then return nil, err end
    local direct
    direct, err = b:finish()
    if not direct then return nil, err end
    cfg.migrations = direct
    return cfg
  end
  if not target then return cfg end
  local direct, err = config.resolve(target, { getenv = opts.getenv, env_file = opts.env_file, migrations = false })
  if not direct then return nil, err end
  cfg.migrations = direct
  return cfg
end

--- The primary's configuration with another host, and perhaps another port.
local function elsewhere(cfg, place)
  local replica = {
    engine = cfg.engine, settings = copied(cfg.settings), pool = copied(cfg.pool), sources = copied(cfg.sources),
  }
  replica.settings.host, replica.sources.host = place.host, place.source
  replica.settings.hostaddr, replica.sources.hostaddr = nil, nil
  if place.port then replica.settings.port, replica.sources.port = place.port, place.source end
  return replica
end

--- Where reads go outside of transactions, when that is another server.
local function add_replica(cfg, place, opts)
  if opts.replica == nil then
    cfg.replica = place and elsewhere(cfg, place) or nil
    return cfg
  end
  if cfg.engine == "memory" then return errors.invalid({ replica = "needs PostgreSQL: memory has none" }) end
  local replica, err = config.resolve(opts.replica, { getenv = opts.getenv, env_file = opts.env_file, pool = opts.pool })
  if not replica then return nil, err end
  if replica.engine ~= cfg.engine then return errors.invalid({ replica = "must be a PostgreSQL server" }) end
  cfg.replica = replica
  return cfg
end

--- The section [storage] of a TOML file; an empty one when none is named.
local function storage_file(path)
  if not path then return {} end
  local file, err = require "larder.config.toml"(path)
  if not file then return nil, err end
  file.path = path
  return file
end

-- Pool settings that stand beside the target and in it.
local function read_pools(b, beside, inside)
  for _, pool in ipairs { beside or {}, inside or {} } do
    for name, value in pairs(pool) do b:set_pool(name, value, "argument") end
  end
end

--- Work out what to open.
---@param target? string|table  nothing: the environment; "memory:"; a URI or key/value conninfo; a table
---@param opts? larder.ConfigOptions
---@return larder.Config|nil config
---@return larder.Error? err  `invalid`, with `fields`
function config.resolve(target, opts)
  opts = opts or {}
  local lookup, err = env.open(opts.getenv or os.getenv, opts.env_file)
  if not lookup then return nil, err end
  local file
  file, err = storage_file(target == nil and (opts.config_file or lookup "LARDER_CONFIG_FILE"))
  if not file then return nil, err end
  local b = builder.new(lookup)
  read_pools(b, opts.pool, type(target) == "table" and target.pool)
  local cfg
  cfg, err = without_faults(b, target, file)
  if not cfg then return nil, err end
  cfg, err = add_replica(cfg, b.replica, opts)
  if not cfg or cfg.engine == "memory" then return cfg, err end
  cfg.run_migrations = b.run_migrations
  return add_migrations(cfg, lookup, opts)
end

--- The configuration that migrations use: a direct connection, when another one was named for them.
---@param cfg larder.Config
---@return larder.Config
function config.migration_target(cfg)
  return cfg.migrations or cfg
end

local SECRETS = { password = true, sslpassword = true }

--- Every effective setting and where it came from, sorted by name; secrets hidden.
---@param cfg larder.Config
---@return { name: string, value: string, source: string }[]
function config.explain(cfg)
  local rows = { { name = "engine", value = cfg.engine, source = cfg.sources.engine or "settings" } }
  local function add(name, value, source)
    rows[#rows + 1] = { name = name, value = tostring(value), source = source }
  end
  for keyword, value in pairs(cfg.settings) do
    add(keyword, SECRETS[keyword] and "********" or value, cfg.sources[keyword])
  end
  for name, value in pairs(cfg.pool) do add("pool." .. name, value, cfg.sources["pool." .. name]) end
  for _, part in ipairs { "migrations", "replica" } do
    for _, row in ipairs(cfg[part] and config.explain(cfg[part]) or {}) do
      if row.source ~= "default" then add(part .. "." .. row.name, row.value, row.source) end
    end
  end
  table.sort(rows, function(a, b) return a.name < b.name end)
  return rows
end

return config
