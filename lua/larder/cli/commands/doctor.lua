--- larder doctor: what the server is, or will be, in trouble with.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "doctor" }

function command.describe(parser)
  local c = parser:command("doctor", "What the server is, or will be, in trouble with (exit code 1: something is wrong).")
  c:flag("--json", "Print JSON.")
end

-- Each answers rows of level ("ok", "look", "wrong") and message; no row: nothing to say.
local QUESTIONS = {
  { "server", [[
    select case when v >= 140000 then 'ok' else 'wrong' end as level,
           format('PostgreSQL %s%s%s', current_setting('server_version'), case when v < 140000 then ': larder needs 14' else '' end,
                  case when pg_is_in_recovery() then ', a standby' else '' end) as message
    from (select current_setting('server_version_num')::int) as s(v)]] },
  { "settings", [[
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
    order by name]] },
  { "connections", [[
    select case when used > most * 0.8 then 'look' else 'ok' end as level,
           format('%s of %s connections are in use; pools of all programs together must stay below', used, most) as message
    from (select (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,
                 current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most) as c]] },
  { "transactions", [[
    select 'look' as level, format('backend %s (%s) has had a transaction open for %s minutes: %s', pid,
             coalesce(nullif(application_name, ''), 'no name'), extract(epoch from clock_timestamp() - xact_start)::int / 60,
             state) as message
    from pg_stat_activity
    where xact_start < clock_timestamp() - interval '5 minutes' and pid <> pg_backend_pid() and backend_type = 'client backend'
    order by xact_start limit 10]] },
  { "indexes", [[
    select 'wrong' as level,
           format('index %s is not valid: drop index concurrently %1$s, and make it again', i.indexrelid::regclass) as message
    from pg_index i
    where not i.indisvalid and i.indexrelid not in (select index_relid from pg_stat_progress_create_index where index_relid is not null)
    order by 2]] },
  { "indexes", [[
    select 'look' as level, format('index %s (%s) was used by no query since statistics began', s.indexrelid::regclass,
             pg_size_pretty(pg_relation_size(s.indexrelid))) as message
    from pg_stat_user_indexes s
    join pg_index i on i.indexrelid = s.indexrelid
    where s.idx_scan = 0 and not i.indisunique and pg_relation_size(s.indexrelid) > 10 * 1024 * 1024
    order by pg_relation_size(s.indexrelid) desc limit 10]] },
  { "partitions", [[
    select 'wrong' as level, format('table %s has no partition: every insert fails', c.oid::regclass) as message
    from pg_class c
    where c.relkind = 'p' and not exists (select from pg_inherits i where i.inhparent = c.oid)
    order by 2]] },
  { "row level security", [[
    select 'look' as level, case when exists (select from pg_policy p where p.polrelid = c.oid)
             then format('table %s: its policies do not hold for its owner: alter table %1$s force row level security', c.oid::regclass)
             else format('table %s has row level security and no policy: only its owner sees rows', c.oid::regclass) end as message
    from pg_class c
    where c.relrowsecurity and (not exists (select from pg_policy p where p.polrelid = c.oid)
      or not c.relforcerowsecurity and pg_get_userbyid(c.relowner) = current_user)
    order by 2]] },
  { "sequences", [[
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
    order by share desc]] },
}

local COLOURS = { ok = "green", look = "yellow", wrong = "red" }

local function examine(db)
  local list = {}
  for _, question in ipairs(QUESTIONS) do
    local rows, err = db:query(question[2])
    if not rows then return nil, err end
    for _, row in ipairs(rows) do list[#list + 1] = { level = row.level, topic = question[1], message = row.message } end
  end
  return list
end

function command.run(ctx)
  return ctx:with_db(function(db)
    local list, err = examine(db)
    if not list then return out.complain(err) end
    local code = exit.OK
    for _, item in ipairs(list) do
      if item.level == "wrong" then code = exit.FAILED end
      if not ctx.args.json then
        out.line("%s  %s: %s", out.coloured(("%-5s"):format(item.level), COLOURS[item.level]), item.topic, item.message)
      end
    end
    if ctx.args.json then out.json(larder.array(list)) end
    return code
  end)
end

return command
