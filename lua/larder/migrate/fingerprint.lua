--- The catalogue as text, line by line, so that two states of a database can be compared; and the proof that a family's
-- migrations can be undone.

local core = require "larder.core"
local migrate = require "larder.migrate"

local fingerprint = {}

-- Everything that a migration can make, apart from larder's own tables and what belongs to extensions.
local LINES = [[
with space as (
  select oid, nspname from pg_namespace
  where nspname !~ '^pg_' and nspname not in ('information_schema', 'larder')
)
select 'schema ' || nspname as line from space where nspname <> 'public'
union all
select format('relation %s.%s %s %s', n.nspname, c.relname, c.relkind, coalesce(array_to_string(c.reloptions, ','), ''))
from pg_class c join space n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
union all
select format('column %s.%s.%s %s %s %s %s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
  a.attnotnull, a.attidentity, a.attgenerated, coalesce(l.collname, ''), coalesce(pg_get_expr(d.adbin, d.adrelid), ''))
from pg_attribute a
join pg_class c on c.oid = a.attrelid join space n on n.oid = c.relnamespace
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_collation l on l.oid = a.attcollation and l.collname <> 'default'
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
union all
select format('constraint %s.%s %s %s %s', n.nspname, coalesce(c.relname, ''), o.conname, pg_get_constraintdef(o.oid), o.convalidated)
from pg_constraint o join space n on n.oid = o.connamespace left join pg_class c on c.oid = o.conrelid
union all
select format('index %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
from pg_index i join pg_class c on c.oid = i.indexrelid join space n on n.oid = c.relnamespace
union all
select format('view %s.%s %s', n.nspname, c.relname, pg_get_viewdef(c.oid))
from pg_class c join space n on n.oid = c.relnamespace where c.relkind in ('v', 'm')
union all
select format('function %s.%s(%s) %s', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), md5(p.prosrc))
from pg_proc p join space n on n.oid = p.pronamespace
where not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select format('trigger %s.%s %s', n.nspname, c.relname, pg_get_triggerdef(t.oid))
from pg_trigger t join pg_class c on c.oid = t.tgrelid join space n on n.oid = c.relnamespace where not t.tgisinternal
union all
select format('policy %s.%s %s %s %s %s', n.nspname, c.relname, p.polname, p.polcmd, coalesce(pg_get_expr(p.polqual, p.polrelid), ''),
  coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''))
from pg_policy p join pg_class c on c.oid = p.polrelid join space n on n.oid = c.relnamespace
union all
select format('enum %s.%s %s', n.nspname, t.typname,
  (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid))
from pg_type t join space n on n.oid = t.typnamespace where t.typtype = 'e'
union all
select format('domain %s.%s %s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod))
from pg_type t join space n on n.oid = t.typnamespace where t.typtype = 'd'
union all
select format('comment %s %s %s', d.objoid::regclass, d.objsubid, md5(d.description))
from pg_description d join pg_class c on c.oid = d.objoid join space n on n.oid = c.relnamespace
where d.classoid = 'pg_class'::regclass
order by 1]]

--- The lines of the catalogue, sorted.
---@param db larder.Db
---@return string[]|nil lines
---@return larder.Error? err
function fingerprint.lines(db)
  local rows, err = db:query(LINES)
  if not rows then return nil, err end
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = row.line end
  return lines
end

--- 64 hexadecimal digits that stand for the lines.
---@param lines string[]
---@return string
function fingerprint.digest(lines)
  return core.digest(table.concat(lines, "\n"))
end

--- Lines of one state that the other one does not have: "- …" of the first, "+ …" of the second.
---@param before string[]
---@param after string[]
---@return string[]
function fingerprint.compare(before, after)
  local count, differences = {}, {}
  for _, line in ipairs(before) do count[line] = (count[line] or 0) + 1 end
  for _, line in ipairs(after) do count[line] = (count[line] or 0) - 1 end
  for line, n in pairs(count) do
    if n ~= 0 then differences[#differences + 1] = (n > 0 and "- " or "+ ") .. line end
  end
  table.sort(differences)
  return differences
end

local function losses_of(db, family, opts)
  local plan, err = migrate["goto"](db, family, 0, { dir = opts and opts.dir, dry_run = true })
  if not plan then return nil, err end
  local list = {}
  for _, step in ipairs(plan) do
    for _, lost in ipairs(migrate.losses(step)) do list[#list + 1] = lost end
  end
  return list
end

--- Apply everything, undo it and apply it again: the catalogue must be the same after each way. For a database whose rows
-- may go.
---@param db larder.Db
---@param family string
---@param opts? larder.MigrateOptions
---@return { fingerprint: string, differences: string[], losses: { place: string, sql: string }[] }|nil  losses: statements of the
-- ways down that lose data
---@return larder.Error? err
function fingerprint.verify(db, family, opts)
  local states = {}
  local function note()
    local lines, err = fingerprint.lines(db)
    if not lines then return nil, err end
    states[#states + 1] = lines
    return true
  end
  local function run(way, ...)
    local ok, err = way(db, family, ...)
    if not ok then return nil, err end
    return note()
  end
  local ok, err = run(migrate["goto"], 0, opts)
  if ok then ok, err = run(migrate.up, opts) end
  local losses
  if ok then losses, err = losses_of(db, family, opts) end
  if losses then ok, err = run(migrate["goto"], 0, opts) end
  if ok then ok, err = run(migrate.up, opts) end
  if not ok then return nil, err end
  local differences = fingerprint.compare(states[1], states[3])
  for _, line in ipairs(fingerprint.compare(states[2], states[4])) do differences[#differences + 1] = line end
  return { fingerprint = fingerprint.digest(states[4]), differences = differences, losses = losses }
end

return fingerprint
