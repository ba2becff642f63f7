--- The records of other tools: golang-migrate (`schema_migrations (version bigint, dirty boolean)`, the last version alone) and
-- dbmate (`schema_migrations (version varchar)`, one row a version).

local foreign = {}

local FIND = [[
select format('%I.%I', n.nspname, c.relname) as name,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'dirty' and not a.attisdropped) as dirty
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute v on v.attrelid = c.oid and v.attname = 'version' and not v.attisdropped
where c.relname = 'schema_migrations' and c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'larder'
order by n.nspname <> 'public', n.nspname
limit 1]]

---@class larder.migrate.Foreign
---@field tool "golang-migrate"|"dbmate"
---@field name string         the table
---@field dirty boolean
---@field applied fun(version: integer): boolean
---@field last integer        the highest version it knows; 0: none

--- The table of another tool.
---@param db larder.Db
---@return larder.migrate.Foreign|nil  nil without err: there is none
---@return larder.Error? err
function foreign.find(db)
  local rows, err = db:query(FIND)
  if not rows then return nil, err end
  if not rows[1] then return nil end
  local name, versions, last = rows[1].name, {}, 0
  local golang = rows[1].dirty
  -- the name is the catalogue's own
  rows, err = db:query(("select version::text as version, %s as dirty from %s"):format(golang and "dirty" or "false", name))
  if not rows then return nil, err end
  local dirty = false
  for _, row in ipairs(rows) do
    local version = tonumber(row.version)
    if version then
      versions[version], last = true, math.max(last, version)
      dirty = dirty or row.dirty
    end
  end
  return {
    tool = golang and "golang-migrate" or "dbmate", name = name, dirty = dirty, last = last,
    applied = function(version) return golang and version <= last or versions[version] == true end,
  }
end

return foreign
