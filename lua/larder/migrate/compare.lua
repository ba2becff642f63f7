--- One table: where the live catalogue differs from the declaration, with the SQL that mends it and the SQL that undoes that.

local catalog = require "larder.migrate.catalog"
local checks = require "larder.migrate.compare_checks"
local conditions = require "larder.migrate.conditions"
local core = require "larder.core"
local ddl = require "larder.migrate.ddl"
local types = require "larder.migrate.types"

local compare = {}

local ACTIONS = { a = "restrict", r = "restrict", c = "cascade", n = "set_null", d = "set_default" }

local function names(list)
  return table.concat(list, ", ")
end

-- A name may hold what stands between them.
local function same_names(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- Types of which one value has several texts.
local SPELLED = { date = true, timestamp = true, time = true, interval = true, timestamptz = true, inet = true, cidr = true,
  macaddr = true, macaddr8 = true, int4range = true, int8range = true, numrange = true, tsrange = true, tstzrange = true,
  daterange = true }

local function sorted_keys(map)
  local list = {}
  for name in pairs(map) do list[#list + 1] = name end
  table.sort(list)
  return list
end

---@class larder.migrate.Comparer
---@field db larder.Db
---@field decl larder.EntityDeclaration  as the schema describes it
---@field decls table<string, larder.EntityDeclaration>
---@field extra { partition?: table, search?: table }
---@field live table
---@field alter string  "alter table … "
---@field report fun(message: string, sql?: string|string[], undo?: string|string[], hint?: string)  hint: another statement that may
-- be meant
---@field note fun(message: string)  what only the database knows, and no declaration can say: not a difference
---@field renames table<string, string>  columns of this table that are to have another name: from the old name
local Comparer = {}
Comparer.__index = Comparer
Comparer.checks = checks.compare

-- ---- columns ----

--- The text PostgreSQL has for a declared literal default.
local function default_text(value)
  if type(value) == "table" then return core.json_encode(value, true) end
  return tostring(value)
end

-- Is the column's default the declared one? The expression is the catalogue's own, not a caller's.
function Comparer:same_default(field, column)
  local declared, kind = field.default, ddl.quoted_type(field)
  if SPELLED[field.type] then
    local rows, err = self.db:query(("select (%s)::%s = $1::text::%s as same"):format(column.default, kind, kind), declared)
    if not rows then return nil, err end
    return rows[1].same
  end
  if kind:find "%[%]$" then
    local rows, err = self.db:query(("select (%s)::%s = %s::%s as same"):format(column.default, kind, ddl.default_of(field), kind))
    if not rows then return nil, err end
    return rows[1].same
  end
  local rows, err = self.db:query(("select (%s)::text as value"):format(column.default))
  if not rows then return nil, err end
  local found = rows[1].value
  return found == default_text(declared) or type(declared) == "number" and tonumber(found) == declared
end

-- The expression is compared as it is written, where it is.
function Comparer:database_default(field, column)
  local wanted, name = field.default[2], ddl.name(field.name)
  if not column.default and column.identity == "" then
    self.report(("column %s: its default is declared to be the database's, which has none"):format(field.name),
      wanted and ("%salter column %s set default %s"):format(self.alter, name, wanted),
      ("%salter column %s drop default"):format(self.alter, name))
  elseif wanted and column.default and wanted ~= column.default then
    self.report(("column %s: declared default %s, in the database %s"):format(field.name, wanted, column.default),
      ("%salter column %s set default %s"):format(self.alter, name, wanted),
      ("%salter column %s set default %s"):format(self.alter, name, column.default))
  end
  return true
end

function Comparer:default(field, column)
  local declared, table_name = field.default, self.alter
  local is_made = type(declared) == "table" and not field.type:find "^json" and not field.type:find "%[%]$"
  if is_made and declared[1] == "database" then return self:database_default(field, column) end
  local made = is_made or field.stamp
  if declared == nil or declared == core.null or made then return true end
  local set = ("%salter column %s set default %s"):format(table_name, ddl.name(field.name), ddl.default_of(field) or "null")
  local reset = column.default and ("%salter column %s set default %s"):format(table_name, ddl.name(field.name), column.default)
    or ("%salter column %s drop default"):format(table_name, ddl.name(field.name))
  if not column.default then
    self.report(("column %s: declared default %s, none in the database"):format(field.name, default_text(declared)), set, reset)
    return true
  end
  local same, err = self:same_default(field, column)
  if same == nil then return nil, err end
  if not same then
    self.report(("column %s: declared default %s, in the database %s"):format(field.name, default_text(declared), column.default),
      set, reset)
  end
  return true
end

function Comparer:made_by_the_database(field, column)
  local name = ddl.name(field.name)
  if column.generated and not field.generated then
    self.report(("column %s is generated in the database, and declared as one to write"):format(field.name))
  elseif field.generated and not column.generated and field.type ~= "tsvector" then -- which a trigger may make
    self.report(("column %s is declared as generated, which it is not in the database"):format(field.name))
  elseif column.identity == "a" and not ddl.is_identity(field) then
    self.report(("column %s: always an identity in the database, and not declared as one"):format(field.name),
      ("%salter column %s set generated by default"):format(self.alter, name),
      ("%salter column %s set generated always"):format(self.alter, name))
  elseif ddl.is_identity(field) and column.identity == "" and not (column.default or ""):find "^nextval%(" then
    self.report(("column %s: declared an identity, which it is not in the database"):format(field.name),
      ("%salter column %s add generated by default as identity"):format(self.alter, name),
      ("%salter column %s drop identity"):format(self.alter, name))
  end
end

-- A column of the type, or one that stores take for it: a text with a limit that is declared, too.
local function has_type(column, wanted, field)
  if types.has_enum_type(field) then return column.enum == wanted end
  if column.type == wanted then return true end
  if wanted ~= "text" then return false end
  local length = checks.length_of(column)
  if length then return field.enum ~= nil or field.max_len ~= nil and field.max_len <= length end
  return column.type == "character varying" or column.type == "name"
end

function Comparer:labels(field, column)
  if not types.has_enum_type(field) or not column.labels or names(field.enum) == names(column.labels) then return end
  self.report(("column %s: declared labels %s, in the database %s"):format(field.name, names(field.enum), names(column.labels)),
    ddl.add_labels(field, column.labels))
end

function Comparer:column(field, column)
  local name, wanted = ddl.name(field.name), ddl.type_of(field)
  if not has_type(column, wanted, field) then
    self.report(("column %s: declared %s, in the database %s"):format(field.name, wanted, column.type),
      ("%salter column %s type %s%s using %s::%s"):format(self.alter, name, wanted, ddl.collate(self.decl, field), name, wanted),
      ("%salter column %s type %s%s using %s::%s"):format(self.alter, name, column.type,
        column.collation and " collate " .. ddl.name(column.collation) or "", name, column.type))
  end
  if column.not_null == (field.null == true) then
    local set = ("%salter column %s set not null"):format(self.alter, name)
    local drop = ("%salter column %s drop not null"):format(self.alter, name)
    self.report(("column %s: declared %s, in the database %s"):format(field.name, field.null and "null" or "not null",
      column.not_null and "not null" or "null"), field.null and drop or set, field.null and set or drop)
  end
  if column.unproved then
    self.report(("column %s: not null is not validated: old rows may be null"):format(field.name),
      ("%salter column %s set not null"):format(self.alter, name))
  end
  self:labels(field, column)
  self:made_by_the_database(field, column)
  return self:default(field, column)
end

-- Columns with another name than declared: the rest of the comparison sees them by their new one.
function Comparer:rename()
  local live = self.live
  for _, old in ipairs(sorted_keys(self.renames)) do
    local new, column = self.renames[old], live.columns[old]
    if column and not live.columns[new] then
      local rename = "%srename column %s to %s"
      self.report(("column %s is declared as %s"):format(old, new), rename:format(self.alter, ddl.name(old), ddl.name(new)),
        rename:format(self.alter, ddl.name(new), ddl.name(old)))
      column.name, live.columns[old], live.columns[new] = new, nil, column
      for _, list in ipairs { live.indexes_list, live.references_list } do
        for _, item in ipairs(list) do
          for i, name in ipairs(item.columns) do item.columns[i] = name == old and new or name end
        end
      end
    end
  end
end

-- A column that is not declared, and that holds what the missing one should: has it only got another name?
function Comparer:old_name(field)
  local declared, found = {}, nil
  for _, other in ipairs(self.decl.fields) do declared[other.name] = true end
  for _, column in ipairs(self.live.columns_list) do
    if not declared[column.name] and not column.generated and column.type == ddl.type_of(field) then
      if found then return nil end -- it may be either of them
      found = column.name
    end
  end
  return found
end

function Comparer:missing_column(field)
  if field.generated == true then
    self.report(("column %s is missing, and what generates it is not declared"):format(field.name))
    return
  end
  local sql = { ("%sadd column %s"):format(self.alter, ddl.column(self.decl, field)) }
  for _, check in ipairs(ddl.checks(self.decl, field)) do
    sql[#sql + 1] = ("%sadd constraint %s check (%s)"):format(self.alter, ddl.name(check.name), check.condition)
  end
  local old = self:old_name(field)
  self.report(("column %s is missing"):format(field.name), sql, ("%sdrop column %s"):format(self.alter, ddl.name(field.name)),
    old and ("%srename column %s to %s"):format(self.alter, ddl.name(old), ddl.name(field.name)))
end

function Comparer:columns()
  local known = {}
  for _, field in ipairs(self.decl.fields) do
    local column = self.live.columns[field.name]
    known[field.name] = true
    if not column then
      self:missing_column(field)
    else
      local ok, err = self:column(field, column)
      if not ok then return nil, err end
    end
  end
  for _, column in ipairs(self.live.columns_list) do
    if not known[column.name] and column.not_null and not column.default and column.identity == "" and not column.generated then
      self.report(("column %s is not declared, not null and has no default: inserts would fail"):format(column.name),
        ("%salter column %s drop not null"):format(self.alter, ddl.name(column.name)),
        ("%salter column %s set not null"):format(self.alter, ddl.name(column.name)))
    end
  end
  return true
end

function Comparer:vector()
  local spec = self.extra.search
  if not spec then return end
  local column = self.live.columns[spec.vector]
  if not column then
    self.report(("column %s, which search reads, is missing"):format(spec.vector))
  elseif column.type ~= "tsvector" or not column.generated then
    self.report(("column %s, which search reads, is %s, not a generated tsvector"):format(spec.vector, column.type))
  end
end

-- ---- uniques ----

local function same_value(declared, comparison)
  if declared == core.null then return comparison.op == "null" end
  return comparison.op == "=" and not comparison.length and tostring(declared) == tostring(comparison.value)
end

-- Is a live predicate the declared one?
local function same_condition(where, text)
  if (where == nil) ~= (text == nil) then return false end
  if where == nil then return true end
  local list, seen = conditions.read(text), {}
  for _, comparison in ipairs(list or {}) do
    if where[comparison.column] == nil or not same_value(where[comparison.column], comparison) then return false end
    seen[comparison.column] = true
  end
  for name in pairs(where) do
    if not seen[name] then return false end
  end
  return list ~= nil
end

function Comparer:mend_unique(unique, index)
  local sql, undo = {}, {}
  if index then
    sql[1] = ddl.drop_unique(self.decl, index.name, index.constraint)
    local old = {
      name = index.name, condition = index.where, nulls_distinct = not index.nulls_equal, deferrable = not index.immediate,
    }
    for i, name in ipairs(index.columns) do old[i] = name end
    undo[1] = ddl.add_unique(self.decl, old)
  end
  sql[#sql + 1] = ddl.add_unique(self.decl, unique)
  table.insert(undo, 1, ddl.drop_unique(self.decl, unique.name, unique.where == nil))
  return sql, undo
end

local function nulls_said(equal) return equal and "equal" or "different" end

function Comparer:unique(unique, index)
  local equal = unique.nulls_distinct == false
  if equal and self.live.server_version < 150000 then
    self.report(("unique %s: only PostgreSQL 15 and later have uniques in which nulls are equal"):format(unique.name))
  elseif not index then
    self.report(("unique %s is missing"):format(unique.name), self:mend_unique(unique))
  elseif not same_names(index.columns, unique) then
    self.report(("%s: declared on (%s), in the database on (%s)"):format(unique.name, names(unique), names(index.columns)),
      self:mend_unique(unique, index))
  elseif not same_condition(unique.where, index.where) then
    self.report(("%s: declared %s, in the database %s"):format(unique.name,
      unique.where and "where " .. ddl.condition(unique.where) or "for all rows",
      index.where and "where " .. index.where or "for all rows"),
      self:mend_unique(unique, index))
  elseif index.nulls_equal ~= equal then
    self.report(("%s: nulls are declared to be %s, and are %s in the database"):format(unique.name, nulls_said(equal),
      nulls_said(index.nulls_equal)),
      self:mend_unique(unique, index))
  elseif not index.immediate then
    self.report(("%s is deferrable: upsert cannot use it"):format(unique.name), self:mend_unique(unique, index))
  elseif not index.valid then
    self.report(("%s is not valid: PostgreSQL does not hold it"):format(unique.name), self:mend_unique(unique, index))
  end
end

-- Can a unique of a declaration have this condition?
local function declarable_condition(text, fields)
  local list = conditions.read(text)
  for _, comparison in ipairs(list or {}) do
    local says = comparison.op == "=" or comparison.op == "null"
    if not says or comparison.length or not fields[comparison.column] then return false end
  end
  return list ~= nil
end

-- Could a declaration say it?
function Comparer:declarable(index)
  local fields = {}
  for _, field in ipairs(self.decl.fields) do fields[field.name] = true end
  for _, name in ipairs(index.columns) do
    if not fields[name] then return false end
  end
  if index.where and not declarable_condition(index.where, fields) then return false end
  return index.immediate and not index.exclusion and index.plain
end

function Comparer:unknown_unique(index)
  if self:declarable(index) then
    self.report(("unique %s is not declared: memory would accept what PostgreSQL refuses"):format(index.name),
      ddl.drop_unique(self.decl, index.name, index.constraint))
  else
    self.note(("%s %s is the database's alone, and memory does not know it"):format(
      index.exclusion and "exclusion constraint" or "unique", index.name))
  end
end

function Comparer:uniques()
  local decl, known = self.decl, { [self.decl.key.name] = true }
  local key = self.live.indexes[decl.key.name]
  local add = ("%sadd constraint %s primary key (%s)"):format(self.alter, ddl.name(decl.key.name), ddl.names(decl.key))
  if not key or not key.key then
    self.report(("primary key %s is missing"):format(decl.key.name), add,
      ("%sdrop constraint %s"):format(self.alter, ddl.name(decl.key.name)))
  elseif not same_names(key.columns, decl.key) then
    local drop = ("%sdrop constraint %s"):format(self.alter, ddl.name(decl.key.name))
    self.report(("%s: declared on (%s), in the database on (%s)"):format(decl.key.name, names(decl.key), names(key.columns)),
      { drop, add }, { drop, ("%sadd constraint %s primary key (%s)"):format(self.alter, ddl.name(decl.key.name), ddl.names(key.columns)) })
  end
  for _, unique in ipairs(decl.uniques) do
    known[unique.name] = true
    local index = self.live.indexes[unique.name]
    self:unique(unique, index and index.unique and index or nil)
  end
  for _, index in ipairs(self.live.indexes_list) do
    if (index.unique or index.exclusion) and index.valid and not known[index.name] then self:unknown_unique(index) end
  end
end

-- ---- indexes ----

-- Serves an index the declared order, forwards or backwards? More columns behind do no harm.
local function serves(index, fields)
  if index.where or not index.valid or not index.plain or index.method ~= "btree" or #index.columns < #fields then return false end
  local turned
  for i, field in ipairs(fields) do
    local name, minus = field:gsub("^-", "")
    if index.columns[i] ~= name then return false end
    local differs = (minus > 0) ~= index.descending[i]
    if turned == nil then turned = differs end
    if turned ~= differs then return false end
  end
  return true
end

function Comparer:indexes()
  for _, fields in ipairs(self.decl.indexes) do
    local found = false
    for _, index in ipairs(self.live.indexes_list) do found = found or serves(index, fields) end
    if not found then
      local name, sql = ddl.index_name(self.decl, fields), { ddl.add_index(self.decl, fields) }
      if self.live.indexes[name] then table.insert(sql, 1, ddl.drop_unique(self.decl, name, false)) end
      self.report(("no index on (%s)"):format(names(fields)), sql, ddl.drop_unique(self.decl, name, false))
    end
  end
  for _, index in ipairs(self.live.indexes_list) do
    if not index.valid and not index.unique then
      self.report(("index %s is not valid: queries do not use it"):format(index.name),
        ddl.drop_unique(self.decl, index.name, false))
    end
  end
end

-- ---- references ----

function Comparer:mend_reference(ref, found)
  local sql, undo = {}, {}
  local drop = ("%sdrop constraint %s"):format(self.alter, ddl.name(ref.name))
  if found then sql[1] = drop end
  sql[#sql + 1] = ("%sadd %s"):format(self.alter, ddl.reference(ref, self.decls[ref.to]))
  undo[1] = drop
  if found then
    local old = {
      name = found.name, fields = found.columns, on_delete = ACTIONS[found.action],
      set_null = #found.cleared > 0 and found.cleared or nil,
    }
    undo[2] = ("%sadd %s"):format(self.alter, ddl.reference(old, { table = found.target, key = found.target_columns }))
  end
  return sql, undo
end

-- A table that is declared without its schema is one that the search path leads to.
local function with_schema(name)
  local schema, rest = core.sql_path(name)
  return schema and name or core.sql_join("public", rest)
end

local function reference_fault(ref, found, target)
  if not same_names(found.columns, ref.fields) then
    return ("declared on (%s), in the database on (%s)"):format(names(ref.fields), names(found.columns))
  end
  if found.target ~= with_schema(target.table) then
    return ("declared to %s, in the database to %s"):format(target.table, found.target)
  end
  if not same_names(found.target_columns, target.key) then
    return ("refers to (%s), and the key is (%s)"):format(names(found.target_columns), names(target.key))
  end
  if ACTIONS[found.action] ~= ref.on_delete then
    return ("declared on delete %s, in the database %s"):format(ref.on_delete, ACTIONS[found.action])
  end
  local cleared, declared = names(found.cleared), names(ref.set_null or {})
  if ref.on_delete == "set_null" and cleared ~= declared and not (cleared == "" and declared == names(ref.fields)) then
    return ("declared to clear (%s), in the database (%s)"):format(declared, cleared == "" and names(found.columns) or cleared)
  end
end

-- To a table or by a column that is not declared, or with an action that a declaration has no word for: the database's alone.
function Comparer:unknown_reference(found)
  local fields, target = {}, false
  for _, field in ipairs(self.decl.fields) do fields[field.name] = true end
  local declarable = ACTIONS[found.action] ~= "set_default"
  for _, name in ipairs(found.columns) do declarable = declarable and fields[name] ~= nil end
  for _, decl in pairs(self.decls) do target = target or found.target == with_schema(decl.table) end
  if declarable and target then
    self.report(("reference %s is not declared"):format(found.name), ("%sdrop constraint %s"):format(self.alter, ddl.name(found.name)))
  else
    self.note(("reference %s to %s is the database's alone, and memory does not know it"):format(found.name, found.target))
  end
end

-- Before version 15 a reference clears all of its columns or none.
function Comparer:can_clear(ref)
  return not ref.set_null or #ref.set_null == #ref.fields or self.live.server_version >= 150000
end

function Comparer:references()
  local known = {}
  for _, ref in ipairs(self.decl.references) do
    local found, target = self.live.references[ref.name], self.decls[ref.to]
    known[ref.name] = true
    if not self:can_clear(ref) then
      self.report(("reference %s: only PostgreSQL 15 and later clear some of its columns (%s)"):format(ref.name, names(ref.set_null)))
    elseif not found then
      self.report(("reference %s is missing"):format(ref.name), self:mend_reference(ref))
    else
      local fault = reference_fault(ref, found, target)
      if fault then
        self.report(("%s: %s"):format(ref.name, fault), self:mend_reference(ref, found))
      elseif not found.enforced then
        self.report(("reference %s is not enforced"):format(ref.name),
          ("%salter constraint %s enforced"):format(self.alter, ddl.name(ref.name)))
      elseif found.deferrable then
        self.note(("reference %s is deferrable: memory checks it at once"):format(ref.name))
      elseif not found.valid then
        self.report(("%s is not validated: old rows may break it"):format(ref.name),
          ("%svalidate constraint %s"):format(self.alter, ddl.name(ref.name)))
      end
    end
  end
  for _, name in ipairs(sorted_keys(self.live.references)) do
    if not known[name] then self:unknown_reference(self.live.references[name]) end
  end
end

-- ---- collations, partitions ----

-- The text fields that rows may be sorted by with an index: of the key, uniques and indexes. The tenant's is not among
-- them: it stands in front of the others and is compared for equality.
local function sorted_texts(decl)
  local set, list = {}, {}
  local function add(part)
    for _, name in ipairs(part) do set[(name:gsub("^-", ""))] = true end
  end
  add(decl.key)
  for _, unique in ipairs(decl.uniques) do add(unique) end
  for _, index in ipairs(decl.indexes) do add(index) end
  for _, field in ipairs(decl.fields) do
    if set[field.name] and types.is_text(field) and field.name ~= decl.tenant then list[#list + 1] = field.name end
  end
  return list
end

--- Stores order texts by bytes. Where a column does not, its indexes serve only lookups.
function Comparer:collations()
  local rows, err = catalog.unordered(self.db, ddl.qualified(self.decl.table), sorted_texts(self.decl))
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    if #row.indexes > 0 then
      local kind = self.live.columns[row.name].type
      local sql = ('%salter column %s type %s collate "C"'):format(self.alter, ddl.name(row.name), kind)
      self.report(('column %s: its collation "%s" does not order by bytes, so pages and ranges cannot use %s'):format(row.name,
        row.collation, names(row.indexes)), sql,
        ('%salter column %s type %s collate %s'):format(self.alter, ddl.name(row.name), kind, core.sql_name(row.collation)))
    end
  end
  return true
end

function Comparer:partitions()
  local spec = self.extra.partition
  if not spec then return end
  local wanted = ("RANGE (%s)"):format(ddl.name(spec.by))
  if self.live.partition_key ~= wanted then
    self.report(("declared to be partitioned by %s, in the database %s"):format(wanted, self.live.partition_key or "not partitioned"))
  end
end

-- ---- a view, a foreign table ----

--- Its columns are those declared. Whether they may be null, and what rows are told apart by, the catalogue does not know.
function Comparer:view()
  if not self.live then
    self.report "view is missing: larder does not make one"
    return true
  end
  for _, field in ipairs(self.decl.fields) do
    local column, wanted = self.live.columns[field.name], ddl.type_of(field)
    if not column then
      self.report(("column %s is missing"):format(field.name))
    elseif not has_type(column, wanted, field) then
      self.report(("column %s: declared %s, in the database %s"):format(field.name, wanted, column.type))
    end
  end
  return true
end

-- ---- a table ----

-- The enums of a missing table that are missing, too: each once, whatever tables have it.
function Comparer:add_enums(sql)
  for _, field in ipairs(self.decl.fields) do
    local name = types.has_enum_type(field) and types.enum_name(field)
    if name and not self.schemas["type " .. name] then
      self.schemas["type " .. name] = true
      local rows, err = self.db:query("select to_regtype($1) is not null as there", ddl.qualified(name))
      if not rows then return nil, err end
      if not rows[1].there then table.insert(sql, 1, ddl.create_enum(field)) end
    end
  end
  return true
end

local function missing(self)
  local schema = core.sql_path(self.decl.table)
  local sql = ddl.create_table(self.decl, self.decls, self.extra)
  local ok, failed = self:add_enums(sql)
  if not ok then return nil, failed end
  if schema and schema ~= "public" and not self.schemas[schema] then
    self.schemas[schema] = true
    local rows, err = self.db:query("select to_regnamespace(quote_ident($1)) is not null as there", schema)
    if not rows then return nil, err end
    if not rows[1].there then table.insert(sql, 1, "create schema " .. ddl.name(schema)) end
  end
  local undo = { "drop table " .. ddl.qualified(self.decl.table) }
  if sql[1]:find "^create schema" then undo[2] = "drop schema " .. ddl.name(schema) end
  self.report("table is missing", sql, undo)
  return true
end

--- Compare one table.
---@param args table  db, decl, decls, extra, schemas (a table that all calls of one comparison share), report, note, renames
---@return true|nil
---@return larder.Error? err
function compare.table(args)
  local self = setmetatable(args, Comparer)
  self.alter = ("alter table %s "):format(ddl.qualified(self.decl.table))
  local err
  self.live, err = catalog.table(self.db, ddl.qualified(self.decl.table))
  if err then return nil, err end
  if self.decl.read_only then return self:view() end
  if not self.live then return missing(self) end
  self:rename()
  local ok
  ok, err = self:columns()
  if not ok then return nil, err end
  self:vector()
  ok, err = self:checks()
  if not ok then return nil, err end
  self:uniques()
  self:references()
  self:indexes()
  self:partitions()
  return self:collations()
end

return compare
