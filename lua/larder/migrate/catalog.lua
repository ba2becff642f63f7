--- What the live catalogue says of one table.

local core = require "larder.core"

local catalog = {}

---@class larder.migrate.Column
---@field name string
---@field type string        as format_type() prints it; of a domain, that of what is below it, and below that
---@field domain? string      its domain
---@field enum? string        "schema.name" of its type, when that is an enum; "schema.name[]" of an array of one
---@field labels? string[]    of the enum, in their order
---@field over_enum boolean   its type is a domain over an enum
---@field not_null boolean
---@field unproved boolean    not null, and old rows may hold nulls all the same (from PostgreSQL 18)
---@field default? string    its expression
---@field identity string    "", "a" (always) or "d" (by default)
---@field generated boolean
---@field collation? string  of its own, when it is not the database's
---@field comment? string

---@class larder.migrate.Index
---@field name string
---@field columns (string|boolean)[]   false: an expression
---@field descending boolean[]
---@field unique boolean
---@field key boolean        of the primary key
---@field valid boolean
---@field immediate boolean
---@field nulls_equal boolean
---@field where? string      its condition
---@field method string
---@field constraint boolean it belongs to a constraint
---@field exclusion boolean  of an exclusion constraint
---@field plain boolean      with the default operator classes, and nulls where an order has them

local TABLE = [[
select c.oid::int8 as oid, c.relkind::text as kind, current_setting('server_version_num')::int8 as server_version,
       c.relrowsecurity as row_security, obj_description(c.oid, 'pg_class') as comment,
       case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as partition_key
from pg_class c
where c.oid = to_regclass($1)]]

local COLUMNS = [[
select a.attname::text as name, a.attnotnull or b.not_null as not_null, format_type(b.oid, b.mod) as type,
       case when t.oid <> a.atttypid then format_type(a.atttypid, a.atttypmod) end as domain,
       exists (select from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'n' and c.conkey = array[a.attnum]
         and not c.convalidated) as unproved,
       m.typname::text as enum, m.oid <> t.oid as is_enum_list, t.typtype = 'e' and t.oid <> a.atttypid as over_enum,
       (select n.nspname::text from pg_namespace n where n.oid = coalesce(m.typnamespace, t.typnamespace)) as type_schema,
       case when m.oid is not null then array(select e.enumlabel::text from pg_enum e where e.enumtypid = m.oid order by e.enumsortorder)
         end as labels,
       pg_get_expr(d.adbin, d.adrelid) as default, a.attidentity::text as identity, a.attgenerated <> '' as generated,
       case when l.collname <> 'default' then l.collname::text end as collation, col_description(a.attrelid, a.attnum) as comment
from pg_attribute a
cross join lateral (
  with recursive below(oid, mod, not_null) as (
    select a.atttypid, a.atttypmod, false
    union all
    select d.typbasetype, d.typtypmod, n.not_null or d.typnotnull from below n join pg_type d on d.oid = n.oid and d.typtype = 'd'
  )
  select n.oid, n.mod, n.not_null from below n join pg_type x on x.oid = n.oid and x.typtype <> 'd'
) b
join pg_type t on t.oid = b.oid
left join pg_type m on m.typtype = 'e' and (m.oid = t.oid and t.oid = a.atttypid or m.typarray = t.oid)
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_collation l on l.oid = a.attcollation
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
order by a.attnum]]

local INDEXES = [[
select i.relname::text as name, x.indisunique as unique, x.indisprimary as key, x.indisvalid as valid, x.indimmediate as immediate,
       coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false) as nulls_equal,
       pg_get_expr(x.indpred, x.indrelid) as where, m.amname::text as method,
       exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u', 'x')) as constraint,
       exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype = 'x') as exclusion,
       not exists (select from unnest(x.indclass::oid[]) as k(class) join pg_opclass o on o.oid = k.class where not o.opcdefault)
         and not exists (select from unnest(x.indoption::int2[]) as o(bits) where o.bits in (1, 2)) as plain,
       array(select coalesce(a.attname::text, '')
             from unnest(x.indkey::int2[]) with ordinality as k(num, pos)
             left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.num
             where k.pos <= x.indnkeyatts
             order by k.pos) as columns,
       array(select o.bits & 1 = 1
             from unnest(x.indoption::int2[]) with ordinality as o(bits, pos)
             order by o.pos) as descending
from pg_index x
join pg_class i on i.oid = x.indexrelid
join pg_am m on m.oid = i.relam
where x.indrelid = to_regclass($1)
order by i.relname]]

local REFERENCES = [[
select c.conname::text as name, t.relname::text as target, n.nspname::text as target_schema,
       c.confdeltype::text as action, c.convalidated as valid,
       c.condeferrable as deferrable, coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) as enforced,
       array(select a.attname::text
             from unnest(c.conkey) with ordinality as k(num, pos)
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num
             order by k.pos) as columns,
       array(select a.attname::text
             from unnest(c.confkey) with ordinality as k(num, pos)
             join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.num
             order by k.pos) as target_columns,
       array(select a.attname::text
             from jsonb_array_elements_text(coalesce(nullif(to_jsonb(c) -> 'confdelsetcols', 'null'), '[]')) as k(num)
             join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num::int2
             order by a.attnum) as cleared
from pg_constraint c
join pg_class t on t.oid = c.confrelid
join pg_namespace n on n.oid = t.relnamespace
where c.conrelid = to_regclass($1) and c.contype = 'f' and c.conparentid = 0
order by c.conname]]

-- Times in a check are printed as the session prints them, and some styles lose the zone: for this one statement it has another.
local CHECKS = [[
with style as materialized (
  select set_config('datestyle', 'ISO', true), set_config('timezone', 'UTC', true), set_config('intervalstyle', 'iso_8601', true))
select c.conname::text as name, pg_get_expr(c.conbin, c.conrelid) as condition, c.convalidated as valid,
       coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) as enforced
from style cross join pg_constraint c
where c.conrelid = to_regclass($1) and c.contype = 'c'
order by c.conname]]

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

local function plain(value)
  if value == core.null then return nil end
  return value
end

local function by_name(rows)
  local map = {}
  for _, row in ipairs(rows) do
    for key, value in pairs(row) do row[key] = plain(value) end
    map[row.name] = row
  end
  return map
end

--- Read a table.
---@param db larder.Db
---@param name string  as statements have it
---@return table|nil live  columns, indexes, references, checks: lists that are maps by name, too; nil without err: no such table
---@return larder.Error? err
function catalog.table(db, name)
  local found, err = db:query(TABLE, name)
  if not found then return nil, err end
  local live = found[1]
  if not live then return nil end
  for part, sql in pairs { columns = COLUMNS, indexes = INDEXES, references = REFERENCES, checks = CHECKS } do
    local rows
    rows, err = db:query(sql, name)
    if not rows then return nil, err end
    live[part], live[part .. "_list"] = by_name(rows), rows
  end
  for _, ref in ipairs(live.references_list) do ref.target = core.sql_join(ref.target_schema, ref.target) end
  for _, column in ipairs(live.columns_list) do
    if column.enum then column.enum = core.sql_join(column.type_schema, column.enum) .. (column.is_enum_list and "[]" or "") end
  end
  live.comment, live.partition_key = plain(live.comment), plain(live.partition_key)
  return live
end

--- Texts of these columns that are not ordered by bytes.
---@param db larder.Db
---@param name string
---@param columns string[]
---@return { name: string, collation: string, indexes: string[] }[]|nil
---@return larder.Error? err
function catalog.unordered(db, name, columns)
  if #columns == 0 then return {} end
  return db:query(UNORDERED, name, columns)
end

return catalog
