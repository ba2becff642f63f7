--- Drift: is the live catalogue what the declarations say? Columns, types, null, defaults, uniques, references.

local core = require "larder.core"

local COLUMNS = [[
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null,
       pg_get_expr(d.adbin, d.adrelid) as default, a.attidentity <> '' as identity, a.attgenerated <> '' as generated
from pg_attribute a
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
order by a.attnum]]

-- Texts that are not ordered by bytes, each with the btree indexes that hold it.
local UNORDERED = [[
select a.attname::text as name, c.collname::text as collation,
       array(select distinct i.relname::text
             from pg_index x
             join pg_class i on i.oid = x.indexrelid
             join pg_am m on m.oid = i.relam and m.amname = 'btree'
             where x.indrelid = a.attrelid and a.attnum = any(x.indkey::int2[])
             order by 1) as indexes
from pg_attribute a
join pg_collation c on c.oid = a.attcollation
join pg_database d on d.datname = current_database()
where a.attrelid = to_regclass($1) and a.attname = any($2::text[]) and not coalesce(]] .. core.bytewise_sql .. ", false)"

local UNIQUES = [[
select i.relname as name, x.indisprimary as is_key, x.indpred is not null as partial,
       array(select a.attname::text
             from unnest(x.indkey::int2[]) with ordinality as k(num, pos)
             join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.num
             where k.pos <= x.indnkeyatts
             order by k.pos) as columns
from pg_index x
join pg_class i on i.oid = x.indexrelid
where x.indrelid = to_regclass($1) and x.indisunique and x.indisvalid]]

local REFERENCES = [[
select c.conname as name, c.confrelid::regclass::text as target, c.confdeltype::text as action,
       array(select a.attname::text
             from unnest(c.conkey) with ordinality as k(num, pos)
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num
             order by k.pos) as columns
from pg_constraint c
where c.conrelid = to_regclass($1) and c.contype = 'f' and c.conparentid = 0]]

-- As format_type() prints them.
local SQL_NAMES = {
  bool = "boolean", int2 = "smallint", int4 = "integer", int8 = "bigint", float4 = "real", float8 = "double precision",
  numeric = "numeric", text = "text", bytea = "bytea", uuid = "uuid", timestamptz = "timestamp with time zone",
  json = "json", jsonb = "jsonb",
}
local ACTIONS = { a = "restrict", r = "restrict", c = "cascade", n = "set_null", d = "set_default" }

local function sql_type(field)
  local base, array = field.type:match "^(%w+)(%[?%]?)$"
  local name = SQL_NAMES[base] or base
  if base == "numeric" and field.precision and field.precision > 0 then
    name = ("numeric(%d,%d)"):format(field.precision, field.scale or 0)
  end
  return name .. array
end

local function by_name(list)
  local map = {}
  for _, item in ipairs(list) do map[item.name] = item end
  return map
end

local function names(list)
  return table.concat(list, ", ")
end

--- The text PostgreSQL has for a declared literal default.
local function default_text(value)
  if type(value) == "table" then return core.json_encode(value, true) end
  return tostring(value)
end

local function check_default(db, field, column, report)
  local declared = field.default
  local made_by_larder = type(declared) == "table" and type(declared[1]) == "string" or field.stamp
  if declared == nil or made_by_larder then return true end
  if not column.default then
    report("column %s: declared default %s, none in the database", field.name, default_text(declared))
    return true
  end
  -- the expression is the catalogue's own, not a caller's
  local rows, err = db:query(("select (%s)::text as value"):format(column.default))
  if not rows then return nil, err end
  if rows[1].value ~= default_text(declared) then
    report("column %s: declared default %s, in the database %s", field.name, default_text(declared), column.default)
  end
  return true
end

local function check_columns(db, decl, columns, report)
  local live = by_name(columns)
  for _, field in ipairs(decl.fields) do
    local column = live[field.name]
    if not column then
      report("column %s is missing", field.name)
    else
      if column.type ~= sql_type(field) then
        report("column %s: declared %s, in the database %s", field.name, sql_type(field), column.type)
      end
      if column.not_null == (field.null == true) then
        report("column %s: declared %s, in the database %s", field.name, field.null and "null" or "not null",
          column.not_null and "not null" or "null")
      end
      local ok, err = check_default(db, field, column, report)
      if not ok then return nil, err end
    end
    live[field.name] = nil
  end
  for name, column in pairs(live) do
    if column.not_null and not column.default and not column.identity and not column.generated then
      report("column %s is not declared, not null and has no default: inserts would fail", name)
    end
  end
  return true
end

local function check_uniques(decl, uniques, report)
  local live = by_name(uniques)
  local function one(unique, is_key)
    local index = live[unique.name]
    live[unique.name] = nil
    if not index then
      report("%s %s is missing", is_key and "primary key" or "unique", unique.name)
    elseif names(index.columns) ~= names(unique) then
      report("%s: declared on (%s), in the database on (%s)", unique.name, names(unique), names(index.columns))
    elseif index.partial ~= (unique.where ~= nil) then
      report("%s: partial in one place only", unique.name)
    end
  end
  one(decl.key, true)
  for _, unique in ipairs(decl.uniques or {}) do one(unique, false) end
  for name in pairs(live) do report("unique %s is not declared: memory would accept what PostgreSQL refuses", name) end
end

local function check_references(decl, references, tables, report)
  local live = by_name(references)
  for _, ref in ipairs(decl.references or {}) do
    local found = live[ref.name]
    live[ref.name] = nil
    if not found then
      report("reference %s is missing", ref.name)
    else
      if names(found.columns) ~= names(ref.fields) then
        report("%s: declared on (%s), in the database on (%s)", ref.name, names(ref.fields), names(found.columns))
      end
      if found.target:gsub('"', "") ~= tables[ref.to] then
        report("%s: declared to %s, in the database to %s", ref.name, tables[ref.to], found.target)
      end
      if ACTIONS[found.action] ~= ref.on_delete then
        report("%s: declared on delete %s, in the database %s", ref.name, ref.on_delete, ACTIONS[found.action])
      end
    end
  end
  for name in pairs(live) do report("reference %s is not declared", name) end
end

-- The text fields that rows may be sorted by with an index: of the key, uniques and indexes. The tenant's is not among
-- them: it stands in front of the others and is compared for equality.
local function sorted_texts(decl)
  local set, list = {}, {}
  local function add(part)
    for _, name in ipairs(part) do set[(name:gsub("^-", ""))] = true end
  end
  add(decl.key)
  for _, unique in ipairs(decl.uniques or {}) do add(unique) end
  for _, index in ipairs(decl.indexes or {}) do add(index) end
  for _, field in ipairs(decl.fields) do
    if set[field.name] and field.type == "text" and field.name ~= decl.tenant then list[#list + 1] = field.name end
  end
  return list
end

--- Stores order texts by bytes. Where a column does not, its indexes serve only lookups.
local function check_collations(db, decl, report)
  local texts = sorted_texts(decl)
  if #texts == 0 then return true end
  local rows, err = db:query(UNORDERED, decl.table, texts)
  if not rows then return nil, err end
  for _, row in ipairs(rows) do
    if #row.indexes > 0 then
      report('column %s: its collation "%s" does not order by bytes, so pages and ranges cannot use %s: '
        .. 'alter table %s alter column %s type text collate "C"', row.name, row.collation, names(row.indexes), decl.table, row.name)
    end
  end
  return true
end

local function check_store(db, decl, tables, faults)
  local function report(fmt, ...)
    faults[#faults + 1] = { store = decl.name, table = decl.table, message = fmt:format(...) }
  end
  local columns, err = db:query(COLUMNS, decl.table)
  if not columns then return nil, err end
  if #columns == 0 then
    report "table is missing"
    return true
  end
  local ok
  ok, err = check_columns(db, decl, columns, report)
  if not ok then return nil, err end
  local uniques, references
  uniques, err = db:query(UNIQUES, decl.table)
  if not uniques then return nil, err end
  check_uniques(decl, uniques, report)
  references, err = db:query(REFERENCES, decl.table)
  if not references then return nil, err end
  check_references(decl, references, tables, report)
  return check_collations(db, decl, report)
end

--- Compare a family's declarations with the live catalogue.
---@param db larder.Db
---@param name string  family
---@return { store: string, table: string, message: string }[]|nil faults  empty when nothing differs; always empty on memory
---@return larder.Error? err
local function check(db, name)
  if db:kind() == "memory" then return {} end
  local family, decls, tables, faults = db:_family(name), {}, {}, {}
  for i, store in ipairs(family.stores) do
    decls[i] = db:_cstore(name, store):describe()
    tables[store] = decls[i].table
  end
  for _, decl in ipairs(decls) do
    local ok, err = check_store(db, decl, tables, faults)
    if not ok then return nil, err end
  end
  return faults
end

return check
