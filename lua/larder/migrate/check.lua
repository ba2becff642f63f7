--- Drift: is the live catalogue what the declarations say? Columns, types, null, defaults, identities, generated columns, keys,
-- uniques and their conditions, references and their actions, checks, indexes, collations, partitions.

local core = require "larder.core"
local columns = require "larder.migrate.columns"
local compare = require "larder.migrate.compare"
local files = require "larder.migrate.files"

---@class larder.Drift
---@field store string
---@field table string
---@field message string
---@field sql? string    statements that mend it, with a semicolon behind each
---@field undo? string   statements that undo that
---@field hint? string   other statements that may be meant: a column was given another name
---@field loses? boolean after `sql` rows or values are gone for good
---@field skipped? string  the file that was left out on purpose (`only plain`) and would have made it; not a difference then
---@field alone? boolean  the database's alone: no declaration can say it; not a difference

local SKIPPED = [[
select version, name from larder.schema_migrations where family = $1 and skipped]]

-- The texts of the files that were left out on purpose: what they would have made is not missing.
local function skipped_texts(db, family)
  local rows, err = db:query "select to_regclass('larder.schema_migrations') is not null as there"
  if not rows then return nil, err end
  if not rows[1].there then return {} end
  rows, err = db:query(SKIPPED, family)
  if not rows or #rows == 0 then return rows and {}, err end
  local list = files.read(files.dir(db, family))
  local texts, versions = {}, {}
  for _, row in ipairs(rows) do versions[row.version] = true end
  for _, file in ipairs(list or {}) do
    if versions[file.version] then texts[#texts + 1] = { file = file.file, text = file.up_sql } end
  end
  return texts
end

local function skipped_by(texts, name)
  if not name then return nil end
  for _, item in ipairs(texts) do
    if item.text:find(core.sql_name(name), 1, true) then return item.file end
    for word in item.text:gmatch "[%w_]+" do
      if word == name then return item.file end
    end
  end
end

local function script(statements)
  if type(statements) == "table" then statements = table.concat(statements, ";\n") end
  return statements and statements .. ";"
end

local function loses(sql)
  for _, lock in ipairs(sql and core.statement_locks(sql) or {}) do
    if lock.loses then return true end
  end
end

-- What a message says is missing, where a file that was left out may have made it.
local function missing_name(message, decl)
  if message == "table is missing" then return select(2, core.sql_path(decl.table)) end
  return message:match "^unique (.+) is missing$" or message:match "^reference (.+) is missing$"
    or message:match "^primary key (.+) is missing$"
end

local function describe(db, name)
  return columns.family(db:_family(name), function(store) return db:_cstore(name, store):describe() end)
end

--- Compare a family's declarations with the live catalogue.
---@param db larder.Db
---@param name string  family
---@param renames? table<string, table<string, string>>  by table ("shop.items"), then from the old name: columns to be renamed
---@return larder.Drift[]|nil faults  empty when nothing differs; always empty on memory
---@return larder.Error|larder.Drift[]? err  of a comparison that was made: what is missing on purpose, and what is the database's alone
local function check(db, name, renames)
  if db:kind() == "memory" then return {}, {} end
  local texts, err = skipped_texts(db, name)
  if not texts then return nil, err end
  local list, by_store, extras = describe(db, name)
  local faults, on_purpose, schemas = {}, {}, {}
  for i, decl in ipairs(list) do
    local function report(message, sql, undo, hint)
      local fault = { store = decl.name, table = decl.table, message = message, sql = script(sql), undo = script(undo),
        hint = script(hint) }
      fault.skipped = skipped_by(texts, missing_name(message, decl))
      fault.loses = loses(fault.sql)
      local into = fault.skipped and on_purpose or faults
      into[#into + 1] = fault
    end
    local function note(message)
      on_purpose[#on_purpose + 1] = { store = decl.name, table = decl.table, message = message, alone = true }
    end
    local ok
    ok, err = compare.table {
      db = db, decl = decl, decls = by_store, schemas = schemas, report = report, note = note,
      renames = renames and renames[decl.table] or {},
      extra = extras[i],
    }
    if not ok then return nil, err end
  end
  return faults, on_purpose
end

return check
