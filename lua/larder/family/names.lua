--- Names that a declaration leaves out: the table's, and those of its constraints as PostgreSQL would choose them
-- (https://www.postgresql.org/docs/current/sql-createtable.html: "If not specified, the system generates a name").

local clip = require "larder.base.clip"
local core = require "larder.core"
local misuse = require "larder.base.misuse"

local names = {}

local MOST = 63 -- bytes of an identifier: NAMEDATALEN - 1

-- The longer of the two is cut until both fit.
local function fit(first, second, room)
  local a, b = #first, #second
  while a + b > room do
    if a > b then a = a - 1 else b = b - 1 end
  end
  return clip(first, a), clip(second, b)
end

--- items, { "tenant_id", "title" }, "key" → "items_tenant_id_title_key"
---@param table_name string  without its schema
---@param fields string[]    columns; none: "items_pkey"
---@param label "pkey"|"key"|"fkey"
---@return string
function names.constraint(table_name, fields, label)
  local second = table.concat(fields, "_")
  local first
  first, second = fit(table_name, second, MOST - #label - (second == "" and 1 or 2))
  return second == "" and first .. "_" .. label or first .. "_" .. second .. "_" .. label
end

local function named(part, name)
  local copy = { name = name }
  for key, value in pairs(part) do copy[key] = value end
  return copy
end

local function is_text(value, fail, what)
  if type(value) ~= "string" then fail("%s must be a text, not %s", what, misuse.kind(value)) end
end

-- What the columns of fields are called; one that is not declared is refused later.
local function columns_of(decl)
  local columns = {}
  for _, field in ipairs(decl.fields) do columns[field.name] = field.column end
  return function(fields)
    local list = {}
    for i, name in ipairs(fields) do list[i] = type(columns[name]) == "string" and columns[name] or name end
    return list
  end
end

-- Parts of a list as they are, but for those without a name.
local function complete(list, what, fields_of, choose, fail)
  if list == nil then return nil end
  local why, all = core.shape_fault(list, "list"), {}
  if why then fail("%ss %s", what, why) end
  for i, part in ipairs(list) do
    local where = #list == 1 and what or ("%s %d"):format(what, i)
    why = core.shape_fault(part, "condition")
    if why then fail("%s %s", where, why) end
    local fields = fields_of(part, where)
    if part.name == nil then part = named(part, choose(fields)) end
    is_text(part.name, fail, where .. ": name")
    for _, field in ipairs(fields) do is_text(field, fail, where .. ": a field") end
    all[i] = part
  end
  return all
end

--- The entity's declaration with every name; the caller's stays as it is.
---@param family string
---@param decl larder.EntityDeclaration
---@param fail fun(fmt: string, ...: any)  raises, naming the entity
---@return larder.EntityDeclaration
function names.completed(family, decl, fail)
  local whole = {}
  for key, value in pairs(decl) do whole[key] = value end
  is_text(decl.name, fail, "name")
  if whole.table == nil then whole.table = family .. "." .. decl.name end
  is_text(whole.table, fail, "table")
  local own, columns = select(2, core.sql_path(whole.table)) or whole.table, columns_of(decl)
  local function chosen(label)
    return function(fields) return names.constraint(own, columns(fields), label) end
  end
  local function itself(part) return part end
  whole.key = complete({ decl.key }, "key", itself, function() return names.constraint(own, {}, "pkey") end, fail)[1]
  whole.uniques = complete(decl.uniques, "unique", itself, chosen "key", fail)
  whole.references = complete(decl.references, "reference", function(part, where)
    if type(part.fields) ~= "table" then fail("%s: fields must be a list of names, not %s", where, misuse.kind(part.fields)) end
    is_text(part.to, fail, where .. ": to")
    return part.fields
  end, chosen "fkey", fail)
  return whole
end

return names
