--- Declarations from a live schema: what a program that meets an existing database begins with.

local catalog = require "larder.migrate.catalog"
local conditions = require "larder.migrate.conditions"
local core = require "larder.core"
local types = require "larder.migrate.types"

local pull = {}

local unpack = require("larder.base.compat").unpack

local VIEWS = { v = true, m = true, f = true }
local ACTIONS = { a = "restrict", r = "restrict", c = "cascade", n = "set_null", d = "set_default" }

local TABLES = [[
select c.relname::text as name, c.relkind in ('r', 'p') as is_table,
       case c.relkind when 'v' then 'a view' when 'm' then 'a materialized view' when 'f' then 'a foreign table' end as kind
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
order by c.relname]]

-- What the core takes for the name of a family, store or field.
local function nameable(name)
  return #name <= 63 and name:find "^[A-Za-z_][A-Za-z0-9_]*$" ~= nil
end

-- A plain word made of any name: what is no letter or digit becomes "_". A word that is taken gets a number.
local function plain_name(name, taken)
  local word = nameable(name) and name
    or name:gsub("[\128-\191]", ""):gsub("[^A-Za-z0-9_]", "_"):gsub("^%d", "_%0"):sub(1, 63)
  local made, n = word, 1
  while taken[made] do
    n = n + 1
    local number = ("_%d"):format(n)
    made = word:sub(1, 63 - #number) .. number
  end
  taken[made] = true
  return made
end

-- Every name → its word. Names that are plain words keep them, whatever stands before.
local function plain_names(list)
  local words, taken = {}, {}
  for _, name in ipairs(list) do
    if nameable(name) then words[name] = plain_name(name, taken) end
  end
  for _, name in ipairs(list) do words[name] = words[name] or plain_name(name, taken) end
  return words
end

-- ---- fields ----

-- The value of a default that is a literal: 'a'::text, 'new'::app.state, 7, (-1), true, '{}'::jsonb, '{}'::text[].
local function literal(text, kind)
  local quoted, cast = text:match "^'(.*)'::(.+)$"
  if cast and not cast:gsub('"[^"]*"', "q"):find "^[%w_%s.]+$" then return nil end
  quoted = quoted or text:match "^'(.*)'$"
  if quoted then
    local value = quoted:gsub("''", "'")
    if kind == "json" or kind == "jsonb" then return core.json_decode(value) end
    return tonumber(value) and (kind:find "^int" or kind:find "^float") and tonumber(value) or value
  end
  local bare = text:gsub("::[%w%s]+$", ""):gsub("^%((.*)%)$", "%1")
  if bare == "true" or bare == "false" then return bare == "true" end
  if kind == "numeric" and tonumber(bare) then return bare end
  return tonumber(bare)
end

local function literal_of(text, kind)
  if not kind:find "%[%]$" then return literal(text, kind) end
  if text:find "^'{}'::.+%[%]$" then return setmetatable({}, core.array_mt) end
end

local function default_of(field, column)
  local text = column.default
  if column.identity ~= "" or text and text:find "^nextval%(" then
    field.default = { "identity" }
  elseif (text == "now()" or text == "CURRENT_TIMESTAMP") and field.type == "timestamptz" then -- of others it is the session's time
    if column.name == "updated_at" then field.stamp = "update"
    elseif column.name == "created_at" then field.stamp = "insert"
    else field.default = { "now" } end
  elseif text == "gen_random_uuid()" then
    field.default = { "uuid" }
  elseif text then
    field.default = literal_of(text, field.type)
    if field.default ~= nil or text:find "^NULL" then return true end
    if field.type:find "^json" or field.type:find "%[%]$" then return false end
    field.default = { "database", text }
  end
  return true
end

-- The field's type; nil: larder has no such type.
local function declared_type(column)
  if not column.enum then return types.declared(column.type) end
  local enum, array = column.enum:gsub("%[%]$", "")
  return { type = array > 0 and "enum[]" or "enum", sql_type = enum, enum = column.labels }
end

-- Why a column cannot be declared; nil: it can.
local function undeclarable(column)
  if not declared_type(column) then return types.why_not(column) end
end

local function field_of(column, name, notes)
  local why = undeclarable(column)
  if why then
    local needed = column.not_null and not column.default and column.identity == "" and not column.generated
    notes[#notes + 1] = ("column %s is %s: it is left out%s"):format(column.name, why,
      needed and ", and since it is not null and has no default, inserts fail" or "")
    return nil
  end
  local field = declared_type(column)
  field.name, field.null, field.comment = name, not column.not_null or nil, column.comment
  if name ~= column.name then field.column = column.name end
  if column.domain then notes[#notes + 1] = ("column %s: what the domain %s checks"):format(column.name, column.domain) end
  if column.generated or field.type == "tsvector" then
    field.generated = column.generated and column.default or true
  elseif not default_of(field, column) then
    notes[#notes + 1] = ("column %s: the default %s"):format(column.name, column.default)
  end
  return field
end

-- The limits of a field as its rows are read: the catalogue prints times by DateStyle.
local function read_limits(db, field, bounds)
  for _, name in ipairs { "min", "max" } do
    local text = bounds[name]
    if type(text) == "string" then
      local rows, err = db:query(("select $1::text::%s as value"):format(types.sql(field)), text)
      if not rows then return nil, err end
      bounds[name] = rows[1].value
    end
  end
  return true
end

local function add_checks(db, live, by_name, notes)
  for _, check in ipairs(live.checks_list) do
    local column, bounds = conditions.bounds(check.condition)
    local field = column and by_name[column]
    if field and conditions.declarable(bounds, field.type) then
      local ok, err = read_limits(db, field, bounds)
      if not ok then return nil, err end
      for key, value in pairs(bounds) do field[key] = value end
    else
      notes[#notes + 1] = ("check %s: %s"):format(check.name, check.condition)
    end
  end
  return true
end

-- ---- uniques and indexes ----

local function where_of(text, by_name)
  local where = {}
  for _, comparison in ipairs(conditions.read(text) or { {} }) do
    local field = comparison.column and by_name[comparison.column]
    if not field or comparison.length then return nil end
    if comparison.op == "null" then
      where[field.name] = core.null
    elseif comparison.op == "=" then
      local value = comparison.value
      where[field.name] = field.type:find "int" and tonumber(value) or value
    else
      return nil
    end
  end
  return where
end

local function all_known(columns, by_name)
  for _, name in ipairs(columns) do
    if not by_name[name] then return false end
  end
  return true
end

-- The fields of columns; a column that is left out has none, and keeps its name.
local function fields_of(columns, by_name)
  local list = {}
  for i, name in ipairs(columns) do list[i] = by_name[name] and by_name[name].name or name end
  return list
end

local function named(index, by_name)
  local list = fields_of(index.columns, by_name)
  list.name = index.name
  return list
end

local function index_of(index, by_name)
  local list = {}
  for i, name in ipairs(fields_of(index.columns, by_name)) do list[i] = (index.descending[i] and "-" or "") .. name end
  return list
end

local function add_unique(decl, index, by_name, notes)
  local unique = named(index, by_name)
  if not index.immediate then
    notes[#notes + 1] = ("unique %s: it is deferrable"):format(index.name)
    return
  end
  if index.nulls_equal then unique.nulls_distinct = false end
  if index.where then
    unique.where = where_of(index.where, by_name)
    if not unique.where then
      notes[#notes + 1] = ("unique %s: the condition %s cannot be declared"):format(index.name, index.where)
      return
    end
  end
  decl.uniques[#decl.uniques + 1] = unique
end

local function add_indexes(live, decl, by_name, notes)
  for _, index in ipairs(live.indexes_list) do
    local plain = all_known(index.columns, by_name) and index.valid and index.method == "btree" and index.plain
    if index.key then
      decl.key, decl.unkeyed = named(index, by_name), not all_known(index.columns, by_name)
    elseif index.exclusion then
      notes[#notes + 1] = ("exclusion constraint %s"):format(index.name)
    elseif plain and index.unique then
      add_unique(decl, index, by_name, notes)
    elseif plain and not index.where then
      decl.indexes[#decl.indexes + 1] = index_of(index, by_name)
    else
      notes[#notes + 1] = ("%s %s"):format(index.unique and "unique" or "index", index.name)
    end
  end
end

-- ---- references ----

local function add_references(live, decl, stores, by_name, notes)
  for _, found in ipairs(live.references_list) do
    local to = stores[found.target]
    if to and ACTIONS[found.action] ~= "set_default" and all_known(found.columns, by_name) then
      if found.deferrable then
        notes[#notes + 1] = ("reference %s is checked later than a declared one: it is deferrable"):format(found.name)
      end
      decl.references[#decl.references + 1] = {
        name = found.name, fields = fields_of(found.columns, by_name), to = to, on_delete = ACTIONS[found.action],
        set_null = #found.cleared > 0 and fields_of(found.cleared, by_name) or nil,
      }
    else
      notes[#notes + 1] = ("reference %s to %s"):format(found.name, found.target)
    end
  end
end

local function singular(name)
  return name:gsub("ies$", "y"):gsub("sses$", "ss"):gsub("([^s])s$", "%1")
end

-- What a row calls the row it refers to, and what that one calls those: names that are free on both sides.
local function name_relations(list, by_store)
  local taken = {}
  for _, decl in ipairs(list) do
    taken[decl.name] = {}
    for _, field in ipairs(decl.fields) do taken[decl.name][field.name] = true end
  end
  local function free(store, ...)
    for _, name in ipairs { ... } do
      if nameable(name) and not taken[store][name] then
        taken[store][name] = true
        return name
      end
    end
    return plain_name((select(-1, ...)), taken[store])
  end
  for _, decl in ipairs(list) do
    for _, ref in ipairs(decl.references) do
      local last = ref.fields[#ref.fields]
      local by_field = last:gsub("_id$", "")
      ref.as = free(decl.name, by_field ~= last and by_field or singular(ref.to), singular(ref.to), ref.name)
      if by_store[ref.to] then ref.many = free(ref.to, decl.name, decl.name .. "_by_" .. by_field, ref.name) end
    end
  end
end

-- Targets of references first.
local function ordered(list, by_store)
  local result, state = {}, {}
  local function visit(decl)
    if state[decl.name] then return end
    state[decl.name] = true
    for _, ref in ipairs(decl.references) do visit(by_store[ref.to]) end
    result[#result + 1] = decl
  end
  for _, decl in ipairs(list) do visit(decl) end
  return result
end

local function fields_by_field(decl)
  local map = {}
  for _, field in ipairs(decl.fields) do map[field.name] = field end
  return map
end

-- A materialized view has a key when a unique index says so; of other views the catalogue knows none. What else it has is not declared.
local function make_read_only(decl)
  local by_field = fields_by_field(decl)
  decl.read_only = true
  for _, unique in ipairs(decl.uniques) do
    if not decl.key and not unique.where then
      decl.key = { unpack(unique) }
      for _, name in ipairs(unique) do by_field[name].null = nil end
    end
  end
  decl.uniques, decl.indexes, decl.references = {}, {}, {}
end

-- The column of RANGE ("the time"); nil: it is partitioned otherwise.
local function range_column(text)
  local column = text and text:match "^RANGE %((.+)%)$"
  if not column or column:find '^[^"].*,' then return nil end
  local quoted = column:match '^"(.*)"$'
  return quoted and quoted:gsub('""', '"') or column
end

local function read_table(db, schema, name, store, stores)
  local table_name = core.sql_join(schema, name)
  local live, err = catalog.table(db, core.sql_table(table_name))
  if not live then return nil, err end
  local decl = { name = store, table = table_name, fields = {}, uniques = {}, references = {}, indexes = {},
    comment = live.comment, notes = {} }
  local by_name, list = {}, {}
  for i, column in ipairs(live.columns_list) do list[i] = column.name end
  local words = plain_names(list)
  for _, column in ipairs(live.columns_list) do
    local field = field_of(column, words[column.name], decl.notes)
    decl.fields[#decl.fields + 1] = field
    by_name[column.name] = field
  end
  local ok
  ok, err = add_checks(db, live, by_name, decl.notes)
  if not ok then return nil, err end
  add_indexes(live, decl, by_name, decl.notes)
  add_references(live, decl, stores, by_name, decl.notes)
  local by = range_column(live.partition_key)
  if by and by_name[by] and by_name[by].type == "timestamptz" then
    decl.partition = { by = by_name[by].name, every = "month" }
  elseif live.partition_key then
    decl.notes[#decl.notes + 1] = "partitioned by " .. live.partition_key
  end
  if VIEWS[live.kind] then make_read_only(decl) end
  if by_name.deleted_at and by_name.deleted_at.null and not decl.read_only then decl.soft_delete = "deleted_at" end
  return decl
end

-- Why a table cannot be declared; nil: it can.
local function refused(row, decl)
  if not row.is_table and not decl.key then
    return ("is %s, of which no key is known: declare it with read_only = true and the key that its rows have"):format(row.kind)
  end
  if not decl.key then return "has no primary key" end
  if decl.unkeyed then return "has a primary key with a column that cannot be declared" end
end

-- References to tables that are left out.
local function drop_references(list, by_store)
  for _, decl in ipairs(list) do
    for i = #decl.references, 1, -1 do
      local ref = decl.references[i]
      if not by_store[ref.to] then
        decl.notes[#decl.notes + 1] = ("reference %s to %s, which is left out"):format(ref.name, ref.to)
        table.remove(decl.references, i)
      end
    end
  end
end

--- The schemas that have tables, without those of the server and of larder itself.
---@param db larder.Db
---@return { name: string, tables: integer }[]|nil
---@return larder.Error? err
function pull.schemas(db)
  return db:query [[
select n.nspname::text as name, count(*) as tables
from pg_namespace n
join pg_class c on c.relnamespace = n.oid and c.relkind in ('r', 'p') and not c.relispartition
where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'larder')
group by n.nspname order by n.nspname]]
end

--- Read every table of a schema. What cannot be declared is left out and named.
---@param db larder.Db
---@param schema string
---@return { name: string, entities: table[], left_out: string[] }|nil family  a declaration, with comment and notes beside it;
-- left_out: "t has no primary key"
---@return larder.Error? err
function pull.read(db, schema)
  local rows, err = db:query(TABLES, schema)
  if not rows then return nil, err end
  local stores, list, left_out, by_store, all = {}, {}, {}, {}, {}
  for i, row in ipairs(rows) do all[i] = row.name end
  local words = plain_names(all)
  for _, row in ipairs(rows) do
    if row.is_table then stores[core.sql_join(schema, row.name)] = words[row.name] end
  end
  for _, row in ipairs(rows) do
    local decl
    decl, err = read_table(db, schema, row.name, words[row.name], stores)
    if not decl then return nil, err end
    local why = refused(row, decl)
    if why then
      left_out[#left_out + 1] = row.name .. " " .. why
    else
      list[#list + 1], by_store[decl.name] = decl, decl
    end
  end
  drop_references(list, by_store)
  name_relations(list, by_store)
  return { name = plain_name(schema, {}), schema = schema, entities = ordered(list, by_store), left_out = left_out }
end

-- ---- as text ----

local ORDER = {
  "name", "column", "type", "sql_type", "null", "default", "generated", "stamp", "enum", "min_len", "max_len", "min", "max", "precision",
  "scale",
}

local function key_text(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" and key or ("[%q]"):format(key)
end

local function value_text(value)
  if value == core.null then return "larder.null" end
  if type(value) == "string" then return (("%q"):format(value):gsub("\\\n", "\\n")) end
  if type(value) ~= "table" then return tostring(value) end
  if next(value) == nil then return core.json_encode(value, true) == "[]" and "larder.array {}" or "{}" end
  local parts, seen = {}, {}
  for i, item in ipairs(value) do parts[i], seen[i] = value_text(item), true end
  local keys = {}
  for key in pairs(value) do
    if not seen[key] then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i = #keys, 1, -1 do
    if keys[i] == "name" then table.insert(parts, 1, "name = " .. value_text(value.name)) table.remove(keys, i) end
  end
  for _, key in ipairs(keys) do parts[#parts + 1] = key_text(key) .. " = " .. value_text(value[key]) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local function field_text(field)
  local parts = {}
  for _, key in ipairs(ORDER) do
    if field[key] ~= nil then parts[#parts + 1] = key .. " = " .. value_text(field[key]) end
  end
  local remark = field.comment and " -- " .. field.comment:gsub("%s+", " ") or ""
  return ("        { %s },%s\n"):format(table.concat(parts, ", "), remark)
end

local function list_text(name, list)
  if #list == 0 then return "" end
  local parts = {}
  for i, item in ipairs(list) do parts[i] = "        " .. value_text(item) .. ",\n" end
  return ("      %s = {\n%s      },\n"):format(name, table.concat(parts))
end

local function entity_text(decl)
  local parts = {}
  local function add(text) parts[#parts + 1] = text end
  if decl.comment then add(("    -- %s\n"):format((decl.comment:gsub("%s+", " ")))) end
  for _, note in ipairs(decl.notes) do add(("    -- The database's alone: %s\n"):format((note:gsub("%s+", " ")))) end
  add(("    {\n      name = %q, table = %s,\n      fields = {\n"):format(decl.name, value_text(decl.table)))
  for _, field in ipairs(decl.fields) do add(field_text(field)) end
  add(("      },\n      key = %s,\n"):format(value_text(decl.key)))
  for _, name in ipairs { "uniques", "references", "indexes" } do add(list_text(name, decl[name])) end
  if decl.read_only then add "      read_only = true,\n" end
  if decl.soft_delete then add(("      soft_delete = %q,\n"):format(decl.soft_delete)) end
  if decl.partition then add(("      partition = %s,\n"):format(value_text(decl.partition))) end
  add "    },\n"
  return table.concat(parts)
end

--- The declaration as a Lua file.
---@param family table  of pull.read
---@return string
function pull.text(family)
  local parts = { ("-- Written by larder pull %s.\nlocal larder = require \"larder\"\n\n"):format((family.schema:gsub("%s", " "))) }
  for _, name in ipairs(family.left_out) do parts[#parts + 1] = ("-- Left out: %s.\n"):format((name:gsub("%s+", " "))) end
  parts[#parts + 1] = ("return larder.declare {\n  name = %q,\n  entities = {\n"):format(family.name)
  for _, decl in ipairs(family.entities) do parts[#parts + 1] = entity_text(decl) end
  parts[#parts + 1] = "  },\n}\n"
  return table.concat(parts)
end

return pull
