--- Reading a directory of migration files. Every fault is found here, before any SQL runs.

local lfs = require "lfs"
local core = require "larder.core"
local errors = require "larder.base.errors"

local files = {}

local function fail(reason, fmt, ...)
  return nil, errors.new { code = "invalid", reason = reason, message = fmt:format(...) }
end

--- Where the SQL of a built-in family lies: beside the installed Lua files, or in the checkout.
---@param family string
---@return string dir
function files.default_dir(family)
  local here = debug.getinfo(1, "S").source:match "^@(.*)migration_files%.lua$" or "./"
  local installed = here .. "sql/" .. family
  if lfs.attributes(installed, "mode") == "directory" then return installed end
  return here .. "../../sql/" .. family
end

local function slurp(path)
  local f, why = io.open(path, "rb")
  if not f then return fail("unreadable", "cannot read migration file: %s", why) end
  local text = f:read "*a" or ""
  f:close()
  return text
end

--- CRLF becomes LF, so that a checkout's line ends do not look like an edit.
local function load(path, file)
  local text, err = slurp(path)
  if not text then return nil, err end
  if text:sub(1, 3) == "\239\187\191" then return fail("bom", "%s begins with a byte order mark", file) end
  if text:find("\0", 1, true) then return fail("encoding", "%s contains a zero byte", file) end
  if not core.utf8_valid(text) then return fail("encoding", "%s is not valid UTF-8", file) end
  text = text:gsub("\r\n", "\n")
  if not text:find "%S" then return fail("empty", "%s is empty", file) end
  return text
end

local function marks(entry, sql)
  local first = sql:match "^[^\n]*"
  local mark = first:match "^%-%-%s*larder:%s*(.-)%s*$"
  if not mark then return true end
  if mark == "only plain" then
    entry.only_plain = true
    return true
  end
  if mark == "no-transaction" then
    return nil, errors.new { code = "unsupported", reason = "no_transaction",
      message = entry.file .. ": files outside a transaction are not supported yet" }
  end
  return fail("mark", "%s: unknown mark on the first line: %s", entry.file, mark)
end

local function add_up(found, dir, file, version, name)
  local other = found[version]
  if other then return fail("duplicate", "version %06d stands in two files: %s and %s", version, other.file, file) end
  local sql, err = load(dir .. "/" .. file, file)
  if not sql then return nil, err end
  local entry = { version = version, name = name, file = file, up_sql = sql, checksum = core.digest(sql) }
  found[version] = entry
  return marks(entry, sql)
end

local function names_of(dir)
  local names = {}
  if lfs.attributes(dir, "mode") ~= "directory" then
    return fail("no_directory", "no migration directory: %s", dir)
  end
  for file in lfs.dir(dir) do
    if file:find "%.sql$" then names[#names + 1] = file end
  end
  table.sort(names)
  return names
end

--- Read <dir>/NNNNNN_name.up.sql and .down.sql.
---@param dir string
---@return table[]|nil list  ascending by version: version, name, file, up_sql, checksum, only_plain, down_file, down_sql
---@return larder.Error? err  code `invalid`, `reason` one of duplicate, name, empty, bom, encoding, mark, orphan, no_directory, unreadable
function files.read(dir)
  local names, err = names_of(dir)
  if not names then return nil, err end
  local found, downs = {}, {}
  for _, file in ipairs(names) do
    local digits, name, way = file:match "^(%d%d%d%d%d%d)_([%w_]+)%.(%a+)%.sql$"
    if way ~= "up" and way ~= "down" then
      return fail("name", "%s is not named NNNNNN_name.up.sql or NNNNNN_name.down.sql", file)
    end
    if way == "up" then
      local ok
      ok, err = add_up(found, dir, file, tonumber(digits, 10), name)
      if not ok then return nil, err end
    else
      downs[#downs + 1] = { version = tonumber(digits, 10), name = name, file = file }
    end
  end
  for _, down in ipairs(downs) do
    local entry = found[down.version]
    if not entry or entry.name ~= down.name then return fail("orphan", "%s has no .up.sql file", down.file) end
    entry.down_file = down.file
    entry.down_sql, err = load(dir .. "/" .. down.file, down.file)
    if not entry.down_sql then return nil, err end
  end
  local list = {}
  for _, entry in pairs(found) do list[#list + 1] = entry end
  table.sort(list, function(a, b) return a.version < b.version end)
  return list
end

return files
