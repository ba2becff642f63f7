--- The program pg_dump: is it there, which version is it, and run it without a secret on a command line.

local config = require "larder.config"

local pg_dump = {}

-- Settings of libpq that the program reads from its environment.
local VARIABLES = {
  host = "PGHOST", hostaddr = "PGHOSTADDR", port = "PGPORT", dbname = "PGDATABASE", user = "PGUSER", password = "PGPASSWORD",
  passfile = "PGPASSFILE", service = "PGSERVICE", options = "PGOPTIONS", application_name = "PGAPPNAME", sslmode = "PGSSLMODE",
  sslcert = "PGSSLCERT", sslkey = "PGSSLKEY", sslrootcert = "PGSSLROOTCERT", sslcrl = "PGSSLCRL", channel_binding = "PGCHANNELBINDING",
  gssencmode = "PGGSSENCMODE", krbsrvname = "PGKRBSRVNAME", connect_timeout = "PGCONNECT_TIMEOUT",
  target_session_attrs = "PGTARGETSESSIONATTRS", require_auth = "PGREQUIREAUTH",
}

local function quoted(text)
  return "'" .. tostring(text):gsub("'", [['\'']]) .. "'"
end

--- How to get one for a server.
---@param major integer
---@return string
function pg_dump.how(major)
  return ("install postgresql-client-%d (apt.postgresql.org has every version), or name one with --pg-dump"):format(major)
end

--- The major version of the program.
---@param program string
---@return integer|nil
---@return string? why
function pg_dump.version(program)
  local pipe = assert(io.popen(quoted(program) .. " --version 2>/dev/null", "r"))
  local text = pipe:read "*a" or ""
  pipe:close()
  local major = text:match "pg_dump[^%d]*(%d+)"
  if major then return tonumber(major) end
  return nil, ("there is no program %s; %s, or use --declared for the SQL of declarations"):format(program,
    "install PostgreSQL's client programs (Debian: postgresql-client)")
end

--- Where it connects: directly, where migrations do.
---@param target { url: string?, migrations: string? }
---@return table|nil settings  libpq's keywords
---@return larder.Error? err
function pg_dump.settings(target)
  local found, err = config.resolve(target.url, { migrations = target.migrations })
  if not found then return nil, err end
  return config.migration_target(found).settings
end

--- Run it. The settings go to a shell through a pipe: neither ps nor a file ever shows them.
---@param program string
---@param settings table<string, any>  libpq's keywords
---@param arguments string[]
---@return integer exit_code
function pg_dump.run(program, settings, arguments)
  local status = os.tmpname()
  local lines = {}
  for name, value in pairs(settings) do
    if VARIABLES[name] and value ~= "" then lines[#lines + 1] = ("export %s=%s"):format(VARIABLES[name], quoted(value)) end
  end
  local words = { quoted(program) }
  for _, argument in ipairs(arguments) do words[#words + 1] = quoted(argument) end
  lines[#lines + 1] = table.concat(words, " ")
  lines[#lines + 1] = ("echo $? >%s"):format(quoted(status))
  io.stdout:flush()
  local shell = assert(io.popen("sh", "w"))
  shell:write(table.concat(lines, "\n"), "\n")
  shell:close()
  local f = io.open(status, "rb")
  local code = f and f:read "*a" or ""
  if f then f:close() end
  os.remove(status)
  return tonumber(code) or 1
end

return pg_dump
