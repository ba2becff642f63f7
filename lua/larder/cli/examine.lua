--- What a server is, or will be, in trouble with. Each question answers rows of level ("ok", "look", "wrong") and message;
-- no row: nothing to say.

local unpack = require("larder.base.compat").unpack

local examine = {}

---@class larder.cli.Finding
---@field level "ok"|"look"|"wrong"
---@field topic string
---@field message string

---@class larder.cli.ExamineOptions
---@field long? number        seconds after which a transaction is a long one (300)
---@field processes? integer  how many processes have such a pool (1)

local SERVER = [[
select case when v >= 140000 then 'ok' else 'wrong' end as level,
       format('PostgreSQL %s%s%s', current_setting('server_version'), case when v < 140000 then ': larder needs 14' else '' end,
              case when pg_is_in_recovery() then ', a standby' else '' end) as message
from (select current_setting('server_version_num')::int) as s(v)]]

local SETTINGS = [[
select case when name = 'fsync' then 'wrong' else 'look' end as level,
       format('%s is %s: %s', name, setting, case name
         when 'fsync' then 'a crash of the machine may lose the database'
         when 'full_page_writes' then 'a crash of the machine may lose pages'
         when 'synchronous_commit' then 'a crash may lose the last commits'
         when 'autovacuum' then 'tables grow, and transaction numbers run out'
         else 'a program that forgets its transaction holds up all others for ever' end) as message
from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum') and setting = 'off'
   or name = 'idle_in_transaction_session_timeout' and setting = '0'
order by name]]

-- $1: connections that all pools together may have. The limits of the role and the database hold, too; -1: none.
local CONNECTIONS = [[
select case when pools > most then 'wrong' when pools > most - others or used > most * 0.8 then 'look' else 'ok' end as level,
       format('%s of %s connections are in use, %s of them by others; the pools of this program may take %s%s', used, most, others, pools,
              case when pools > most then ': more than there are'
                   when pools > most - others then ': more than are left'
                   else '' end) as message
from (select count(*) as used, count(*) filter (where application_name not like 'larder%') as others
      from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()) as u,
     (select least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
                   nullif((select rolconnlimit from pg_roles where rolname = current_user), -1),
                   nullif((select datconnlimit from pg_database where datname = current_database()), -1)) as most) as m,
     (select $1::int8 as pools) as p]]

-- $1: seconds
local TRANSACTIONS = [[
select 'look' as level, format('backend %s (%s) has had a transaction open for %s: %s', pid,
         coalesce(nullif(application_name, ''), 'no name'),
         case when seconds < 120 then seconds || ' seconds' else seconds / 60 || ' minutes' end, state) as message
from (select *, extract(epoch from clock_timestamp() - xact_start)::int as seconds from pg_stat_activity) as a
where seconds >= $1::float8 and pid <> pg_backend_pid() and backend_type = 'client backend'
union all
select 'wrong', format('prepared transaction %s of %s has been open for %s minutes: commit prepared or rollback prepared', gid, owner,
         extract(epoch from clock_timestamp() - prepared)::int / 60)
from pg_prepared_xacts
where database = current_database() and prepared <= clock_timestamp() - make_interval(secs => $1::float8)
order by 2 limit 10]]

local INVALID = [[
select 'wrong' as level,
       format('index %s is not valid: drop index concurrently %1$s, and make it again', i.indexrelid::regclass) as message
from pg_index i
where not i.indisvalid and i.indexrelid not in (select index_relid from pg_stat_progress_create_index where index_relid is not null)
order by 2]]

local UNUSED = [[
select 'look' as level, format('index %s (%s) was used by no query since statistics began', s.indexrelid::regclass,
         pg_size_pretty(pg_relation_size(s.indexrelid))) as message
from pg_stat_user_indexes s
join pg_index i on i.indexrelid = s.indexrelid
where s.idx_scan = 0 and not i.indisunique and pg_relation_size(s.indexrelid) > 10 * 1024 * 1024
order by pg_relation_size(s.indexrelid) desc limit 10]]

local NO_PARTITION = [[
select 'wrong' as level, format('table %s has no partition: every insert fails', c.oid::regclass) as message
from pg_class c
where c.relkind = 'p' and not exists (select from pg_inherits i where i.inhparent = c.oid)
order by 2]]

-- Tables partitioned by one time: is there a partition for now, and for a month from now? Bounds are read as they are printed,
-- in the same session.
local MISSING_PARTITIONS = [[
with parted as (
  select t.partrelid as oid, t.partdefid <> 0 as has_default
  from pg_partitioned_table t
  join pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
  where t.partstrat = 'r' and t.partnatts = 1 and a.atttypid in ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
    and exists (select from pg_inherits i where i.inhparent = t.partrelid)
), bounds as (
  select p.oid, regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \(('([^']*)'|MINVALUE)\) TO \(('([^']*)'|MAXVALUE)\)$$) as b
  from parted p join pg_inherits i on i.inhparent = p.oid join pg_class c on c.oid = i.inhrelid
)
select case when p.has_default then 'look' when w.soon then 'look' else 'wrong' end as level,
       format('table %s has no partition for %s: %s', p.oid::regclass, case when w.soon then 'a month from now' else 'now' end,
              case when p.has_default then 'its rows go to the default one' else 'inserts of that time fail' end) as message
from parted p, (values (clock_timestamp(), false), (clock_timestamp() + interval '1 month', true)) as w(at, soon)
where not exists (select from bounds b where b.oid = p.oid and b.b is not null
  and coalesce(b.b[2]::timestamptz, '-infinity') <= w.at and coalesce(b.b[4]::timestamptz, 'infinity') > w.at)
order by 2]]

local ROW_SECURITY = [[
select 'look' as level, case when exists (select from pg_policy p where p.polrelid = c.oid)
         then format('table %s: its policies do not hold for its owner: alter table %1$s force row level security', c.oid::regclass)
         else format('table %s has row level security and no policy: only its owner sees rows', c.oid::regclass) end as message
from pg_class c
where c.relrowsecurity and (not exists (select from pg_policy p where p.polrelid = c.oid)
  or not c.relforcerowsecurity and pg_get_userbyid(c.relowner) = current_user)
union all
select 'look', format('table %s has no row level security, as others of its schema have', c.oid::regclass)
from pg_class c
where c.relkind in ('r', 'p') and not c.relispartition and not c.relrowsecurity
  and exists (select from pg_class o where o.relnamespace = c.relnamespace and o.relrowsecurity)
union all
select 'look', format('the role %s goes past row level security, which %s tables have', rolname, n)
from pg_roles, (select count(*) as n from pg_class where relrowsecurity) as t
where rolname = current_user and (rolsuper or rolbypassrls) and n > 0
order by 2]]

local SEQUENCES = [[
select case when share > 95 then 'wrong' else 'look' end as level,
       format('sequence %I.%I has used %s %% of its values', schemaname, sequencename, share) as message
from (select schemaname, sequencename,
             (100.0 * least(last_value, max_value_here) / max_value_here)::int as share
      from (select s.*, least(s.max_value, case a.atttypid when 'int2'::regtype then 32767::bigint
                               when 'int4'::regtype then 2147483647::bigint else s.max_value end) as max_value_here
            from pg_sequences s
            left join pg_depend d on d.objid = format('%I.%I', s.schemaname, s.sequencename)::regclass
              and d.classid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
            left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where s.last_value is not null and s.increment_by > 0) as l) as r
where share >= 80
order by share desc]]

local SLOTS = [[
select 'look' as level, format('replication slot %s is not used and keeps %s of log: pg_drop_replication_slot, if nobody comes back for it',
         slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))) as message
from pg_replication_slots
where not active and not temporary and not pg_is_in_recovery()
order by 2]]

local function pooler(db)
  local health, err = db:health()
  if not health then return nil, err end
  if not health.pooler then return { { level = "ok", message = "none in between" } } end
  return { { level = "look", message = "one that keeps no sessions stands in between: listen, sessions and migrations need a direct "
    .. "connection (--migrations-url, the option migrations)" } }
end

local function ask(sql, ...)
  local values = { ... }
  return function(db) return db:query(sql, unpack(values)) end
end

--- Everything that there is to say about the server.
---@param db larder.Db
---@param opts? larder.cli.ExamineOptions
---@return larder.cli.Finding[]|nil
---@return larder.Error? err
function examine.server(db, opts)
  opts = opts or {}
  local pools = db:stats().max * (opts.processes or 1)
  local questions, list = {
    { "server", ask(SERVER) }, { "pooler", pooler }, { "settings", ask(SETTINGS) }, { "connections", ask(CONNECTIONS, pools) },
    { "transactions", ask(TRANSACTIONS, opts.long or 300) }, { "indexes", ask(INVALID) }, { "indexes", ask(UNUSED) },
    { "partitions", ask(NO_PARTITION) }, { "partitions", ask(MISSING_PARTITIONS) }, { "row level security", ask(ROW_SECURITY) },
    { "sequences", ask(SEQUENCES) }, { "replication", ask(SLOTS) },
  }, {}
  for _, question in ipairs(questions) do
    local rows, err = question[2](db)
    if not rows then return nil, err end
    for _, row in ipairs(rows) do list[#list + 1] = { level = row.level, topic = question[1], message = row.message } end
  end
  return list
end

return examine
