--- Connection texts: what is ours (pool_*, pgbouncer) and Prisma's is taken out, the rest is libpq's to read.

local core = require "larder.core"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"

local conninfo = {}

-- Parameters that are the pool's, whatever the form of the text: name → pool setting.
local OURS = {
  pool_max_conns = "max", pool_min_conns = "min", pool_max_conn_lifetime = "lifetime",
  pool_max_conn_idle_time = "idle_timeout", pool_acquire_timeout = "acquire_timeout",
  pool_connect_timeout = "connect_timeout",
  pool_queue_max = "queue_max",
  pool_statement_cache = "statement_cache", pool_statement_timeout = "statement_timeout", pool_spin = "spin",
  pgbouncer = "pgbouncer",
}

-- What Prisma adds to a URL: name → pool setting, or false where it means nothing here (tables carry their
-- schema).
local PRISMAS = {
  connection_limit = "max", pool_timeout = "acquire_timeout", socket_timeout = "statement_timeout",
  statement_cache_size = "statement_cache", schema = false, sslaccept = false, sslidentity = false,
}

local function is_ours(name, prisma)
  return OURS[name] ~= nil or name:sub(1, 5) == "pool_" or prisma and PRISMAS[name] ~= nil
end

--- Is it a parameter of the pool?
---@param name string
---@return boolean
function conninfo.is_ours(name)
  return is_ours(name, false)
end

--- The pool setting behind a parameter; nil when there is none.
---@param name string
---@return string|nil
function conninfo.pool_setting(name)
  return OURS[name]
end

local function unescape(s)
  return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- URI: the query's parts, one by one. A part that is not ours stays byte for byte.
local function split_uri(text, prisma)
  local base, query = text:match "^([^?]*)%?(.*)$"
  if not base then return text, {} end
  local kept, taken = {}, {}
  for part in query:gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=?(.*)$"
    name = unescape(name)
    if is_ours(name, prisma) then taken[name] = unescape(value) else kept[#kept + 1] = part end
  end
  if #kept == 0 then return base, taken end
  return base .. "?" .. table.concat(kept, "&"), taken
end

-- One value of a key/value text, from position `at`: value, position behind it. nil: libpq shall say what is
-- wrong.
local function read_value(text, at)
  local quoted = text:sub(at, at) == "'"
  local out, i = {}, quoted and at + 1 or at
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" then
      i = i + 1
      c = text:sub(i, i)
    elseif quoted and c == "'" then
      return table.concat(out), i + 1
    elseif not quoted and c:find "%s" then
      break
    end
    out[#out + 1] = c
    i = i + 1
  end
  if quoted then return nil end
  return table.concat(out), i
end

local function split_pairs(text, prisma)
  local kept, taken, at = {}, {}, 1
  while true do
    local from, behind, name = text:find("^%s*([^%s=]+)%s*=%s*", at)
    if not from then break end
    local value, stop = read_value(text, behind + 1)
    if not value then break end
    if is_ours(name, prisma) then taken[name] = value else kept[#kept + 1] = text:sub(from, stop - 1) end
    at = stop
  end
  kept[#kept + 1] = text:sub(at)
  return table.concat(kept, " "), taken
end

--- Does the text look like a URI?
---@param text string
---@return boolean
function conninfo.is_uri(text)
  return text:find "^postgres://" ~= nil or text:find "^postgresql://" ~= nil
end

-- libpq's keywords, for suggestions; a newer libpq may know more, so that it is asked, too.
local KEYWORDS = {}
for name in ([[host hostaddr port dbname user password passfile service options application_name fallback_application_name
  connect_timeout client_encoding sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir sslsni sslcompression requirepeer
  requiressl ssl_min_protocol_version ssl_max_protocol_version gssencmode gsslib krbsrvname channel_binding keepalives
  keepalives_idle keepalives_interval keepalives_count tcp_user_timeout target_session_attrs load_balance_hosts
  replication]]):gmatch "%S+" do
  KEYWORDS[name] = true
end

--- Why a name is no setting of a connection; nil: it is one.
---@param name string
---@return string|nil
function conninfo.unknown(name)
  if KEYWORDS[name] or name:find "^[%w_]+$" and core.parse_conninfo(name .. "=''") then return nil end
  local names = misuse.names(KEYWORDS)
  for ours in pairs(OURS) do names[#names + 1] = ours end
  return "is not a setting of a connection" .. (name == "ssl" and "; did you mean sslmode?" or misuse.hint(name, names))
end

-- What is wrong with a text that libpq cannot read. Only names that are nearly those of settings are told: anything else may be
-- part of a password.
local function fault_of(text)
  local wanted = 'write postgres://user@host/database, or settings as in "host=db1 dbname=app", or "memory:"'
  local scheme = text:match "^(%a[%w+.-]*):"
  if scheme and not conninfo.is_uri(text) then return ("%q is not a scheme of PostgreSQL: %s"):format(scheme, wanted) end
  if conninfo.is_uri(text) and text:gsub("%%%x%x", ""):find("%", 1, true) then
    return "in a URI, write %25 for '%' in a password"
  end
  local names = conninfo.is_uri(text) and (text:match "%?(.*)$" or ""):gmatch "%f[^&%z]([^=&]+)="
    or (" " .. text):gmatch "%s([%w_]+)%s*="
  for name in names do
    local why = conninfo.unknown(name)
    if why and why:find "did you mean" then return name .. " " .. why end
  end
  return wanted
end

local ESCAPES = "in a URI, write %2F for '/', %3F for '?' and %40 for '@' in a password"

-- A password that is not escaped is read in parts: user:pa/ss@host as host "user" and port "pa"; user:12/ss@host as host "user", port
-- 12 and database "ss@host". A database's name may hold an '@', but who writes no user, or a '/' behind it, means a password.
local function check_uri(text, settings)
  if settings.port and settings.port:find "[^%d,]" then return errors.invalid { port = "must be a number; " .. ESCAPES } end
  local path = text:match "^%a+://[^/?]*/([^?]*)" or ""
  if not settings.user and settings.port and path:find("@", 1, true) or path:find "@[^/]*/" then
    return errors.invalid({}, "the connection string is not valid: an '@' stands behind the host; " .. ESCAPES)
  end
  return true
end

--- Read a URI or key/value conninfo.
---@param text string
---@param prisma? boolean  the text is Prisma's: its own parameters are taken out as well
---@return table<string, string>|nil settings  libpq keyword → value
---@return table<string, string>|larder.Error pool  pool setting → text as given
function conninfo.parse(text, prisma)
  local rest, taken = (conninfo.is_uri(text) and split_uri or split_pairs)(text, prisma)
  local pool, unknown = {}, {}
  for name, value in pairs(taken) do
    local setting = OURS[name]
    if setting == nil and prisma then setting = PRISMAS[name] end
    if setting then pool[setting] = value end
    if setting == nil then unknown[name] = "is not a pool setting" end
  end
  if next(unknown) then return errors.invalid(unknown) end
  local settings, err = core.parse_conninfo(rest)
  if not settings then
    if err.code ~= "invalid" then return nil, err end
    return errors.invalid({}, "the connection string is not valid: " .. fault_of(text))
  end
  local good, misread = true, nil
  if conninfo.is_uri(text) then good, misread = check_uri(text, settings) end
  if not good then return nil, misread end
  return settings, pool
end

return conninfo
