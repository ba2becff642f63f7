--- Loading an empty PostgreSQL table without its secondary indexes and constraints, which are made again afterwards: one sort
-- instead of a search for each row. All inside the caller's transaction, so nobody ever sees the table without them.
--
-- The primary key stays, and so does a unique that other tables refer to.

local rebuild = {}

-- Everything is quoted by the server; nothing of a caller becomes text. Object numbers keep the order in which indexes
-- were made: PostgreSQL checks uniques in that order, and both engines name the same constraint first.
local PLAN = [[
with t as (select to_regclass($1) as oid),
parts as (
  select 1 as phase, c.conindid::int8 as made,
         format('alter table %s drop constraint %I', t.oid::regclass, c.conname) as off,
         format('alter table %s add constraint %I %s', t.oid::regclass, c.conname, pg_get_constraintdef(c.oid)) as back
  from t
  join pg_constraint c on c.conrelid = t.oid and c.contype = 'u'
  where not exists (select from pg_constraint r where r.contype = 'f' and r.conindid = c.conindid)
  union all
  select 1, x.indexrelid::int8, format('drop index %s', x.indexrelid::regclass), pg_get_indexdef(x.indexrelid)
  from t
  join pg_index x on x.indrelid = t.oid
  where not x.indisprimary and not x.indisreplident and not x.indisclustered
    and not exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u', 'x', 'f'))
  union all
  select 2, c.oid::int8, format('alter table %s drop constraint %I', t.oid::regclass, c.conname),
         format('alter table %s add constraint %I %s', t.oid::regclass, c.conname, pg_get_constraintdef(c.oid))
  from t
  join pg_constraint c on c.conrelid = t.oid and c.contype = 'f' and c.conparentid = 0
)
select off, back
from parts
order by phase, made]]

local function run(db, list, field, from, to, step)
  for i = from, to, step do
    local ok, err = db:query(list[i][field])
    if not ok then return nil, err end
  end
  return true
end

--- Whoever works on the table now is not waited for: the caller loads the ordinary way then.
local function lock_timeout(db, value)
  local rows, err = db:query("select current_setting('lock_timeout') as old, set_config('lock_timeout', $1, true)", value)
  if not rows then return nil, err end
  return rows[1].old
end

--- Take secondary indexes and constraints off, call fn, put them back. The caller's transaction (or savepoint) undoes all
-- when this fails: a row that breaks a unique or a reference shows only at the end, and not which one it is.
---@param db larder.Db
---@param name string  the table as statements have it
---@param fn fun(): any, larder.Error?
---@return any result  of fn
---@return larder.Error? err
function rebuild.around(db, name, fn)
  local steps, err = db:query(PLAN, name) -- each { off =, back = }, in the order of making
  if not steps then return nil, err end
  local before, ok, result
  before, err = lock_timeout(db, "1s")
  if not before then return nil, err end
  ok, err = run(db, steps, "off", #steps, 1, -1)
  if not ok then return nil, err end
  ok, err = lock_timeout(db, before)
  if not ok then return nil, err end
  result, err = fn()
  if result == nil then return nil, err end
  ok, err = run(db, steps, "back", 1, #steps, 1)
  if not ok then return nil, err end
  return result
end

return rebuild
