--- A configuration in the making: settings with their sources, and every fault that was met on the way.

local errors = require "larder.base.errors"
local conninfo = require "larder.config.conninfo"
local values = require "larder.config.values"

-- Is there a pooler that gives each transaction another session? One in session mode is as good as none.
local function pooler(v)
  if v == "session" then return false end
  if v == "transaction" then return true end
  return values.boolean(v)
end

local POOL_TYPES = {
  max = values.integer, min = values.integer, queue_max = values.integer, statement_cache = values.integer,
  connect_timeout = values.seconds, idle_timeout = values.seconds, lifetime = values.seconds,
  acquire_timeout = values.seconds, spin = values.seconds, statement_timeout = values.seconds,
  pgbouncer = pooler,
}
local WANTED = {
  [values.integer] = "must be a whole number", [values.seconds] = "must be a number of seconds, or a duration such as 1m30s",
  [pooler] = "must be true, false, session or transaction",
}
local POOL_DEFAULTS = {
  max = 25, min = 5, connect_timeout = 30, idle_timeout = 600, lifetime = 3600, acquire_timeout = 30,
  queue_max = 1000, statement_cache = 256, -- pgbouncer: the core finds out
}

local builder = {}
builder.__index = builder

---@param lookup fun(name: string): string|nil, string|nil
function builder.new(lookup)
  return setmetatable({ lookup = lookup, settings = {}, pool = {}, sources = {}, faults = {} }, builder)
end

local CHECKS = {
  port = { values.port, "must be between 1 and 65535" },
  sslmode = { values.sslmode, "must be disable, allow, prefer, require, verify-ca or verify-full" },
}

--- The first place that names a setting wins. `name` is what the fault is reported under.
function builder:set(keyword, value, source, name)
  if value == nil or self.settings[keyword] then return end
  local check = CHECKS[keyword]
  -- a list of hosts has a list of ports, which libpq checks
  if check and not (keyword == "port" and tostring(value):find(",", 1, true)) then
    local checked = check[1](value)
    if not checked then
      self.faults[name or keyword] = check[2]
      return
    end
    value = checked
  end
  self.settings[keyword], self.sources[keyword] = tostring(value), source
end

--- lenient: a value that cannot be read counts as none.
function builder:set_pool(name, value, source, lenient)
  if value == nil or self.pool[name] ~= nil then return end
  local convert = POOL_TYPES[name]
  if not convert then
    self.faults["pool." .. name] = "is not a pool setting"
    return
  end
  local converted = convert(value)
  if converted == nil then
    if not lenient then self.faults["pool." .. name] = WANTED[convert] end
    return
  end
  self.pool[name], self.sources["pool." .. name] = converted, source
end

function builder:text(text, source, prisma)
  local settings, pool = conninfo.parse(text, prisma)
  if not settings then return nil, pool end
  for keyword, value in pairs(settings) do self:set(keyword, value, source) end
  for name, value in pairs(pool) do self:set_pool(name, value, source) end
  return true
end

--- keyword → name of the variable that holds it.
function builder:variables(names, lenient_port)
  for keyword, name in pairs(names) do
    local value, source = self.lookup(name)
    if keyword == "port" and lenient_port and value and not values.port(value) then value = nil end
    self:set(keyword, value, source, name)
  end
end

-- What libpq itself would add from its environment.
local LIBPQ = {
  PGHOST = "host", PGHOSTADDR = "hostaddr", PGPORT = "port", PGDATABASE = "dbname", PGUSER = "user",
  PGPASSWORD = "password", PGPASSFILE = "passfile", PGSERVICE = "service", PGOPTIONS = "options",
  PGAPPNAME = "application_name", PGSSLMODE = "sslmode", PGSSLCERT = "sslcert", PGSSLKEY = "sslkey",
  PGSSLROOTCERT = "sslrootcert", PGSSLCRL = "sslcrl", PGSSLCRLDIR = "sslcrldir", PGSSLSNI = "sslsni",
  PGREQUIREPEER = "requirepeer", PGSSLMINPROTOCOLVERSION = "ssl_min_protocol_version",
  PGSSLMAXPROTOCOLVERSION = "ssl_max_protocol_version", PGGSSENCMODE = "gssencmode",
  PGKRBSRVNAME = "krbsrvname",
  PGCONNECT_TIMEOUT = "connect_timeout", PGCLIENTENCODING = "client_encoding",
  PGTARGETSESSIONATTRS = "target_session_attrs", PGCHANNELBINDING = "channel_binding",
}

--- A service file comes before the environment, so with one the rest is left to libpq.
function builder:libpq()
  local service, source = self.lookup "PGSERVICE"
  if service or self.settings.service then return self:set("service", service, source) end
  for name, keyword in pairs(LIBPQ) do
    local value, from = self.lookup(name)
    self:set(keyword, value, from, name)
  end
end

local LIMITS = { "DB_MAX_OPEN_CONNS", "DB_MAX_IDLE_CONNS", "DB_CONN_MAX_LIFETIME" }
local LIMIT_OF = { DB_MAX_OPEN_CONNS = "max", DB_MAX_IDLE_CONNS = "min", DB_CONN_MAX_LIFETIME = "lifetime" }

function builder:limits()
  for _, name in ipairs(LIMITS) do
    local value, source = self.lookup(name)
    self:set_pool(LIMIT_OF[name], value, source, true)
  end
end

function builder:finish_pool()
  local pool = self.pool
  -- libpq keeps its connect_timeout only in calls that block, which these are not
  self:set_pool("connect_timeout", self.settings.connect_timeout, self.sources.connect_timeout)
  if pool.max and pool.max < 1 then self.faults["pool.max"] = "must be at least 1" end
  if pool.min and pool.min > (pool.max or POOL_DEFAULTS.max) then
    self.faults["pool.min"] = "must not be greater than pool.max"
  end
  -- a small pool that says nothing of a minimum keeps all of its connections
  if pool.max and pool.max < POOL_DEFAULTS.min then self:set_pool("min", pool.max, "pool.max") end
  for name, value in pairs(POOL_DEFAULTS) do self:set_pool(name, value, "default") end
end

---@return larder.Config|nil
---@return larder.Error? err
function builder:finish()
  self:set("fallback_application_name", "larder", "default")
  self:finish_pool()
  if next(self.faults) then return errors.invalid(self.faults) end
  return { engine = "postgres", settings = self.settings, pool = self.pool, sources = self.sources }
end

return builder
