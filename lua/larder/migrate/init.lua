--- Migrations: ordered SQL files, each applied in one transaction together with its version row.
--
-- Layout: <dir>/NNNNNN_name.up.sql and .down.sql. Tables: larder.schema_migrations (what is applied now) and
-- larder.migration_history (every up and down there ever was).
--
-- Why the version row is in the file's own transaction: a dirty flag written apart blocks every deploy after a failure that
-- left nothing behind. Why a try-lock in a loop: a blocking advisory lock holds a snapshot while it waits.

local core = require "larder.core"
local errors = require "larder.base.errors"
local files = require "larder.migrate.files"

local migrate = {}

-- One lock for all families of a database: their files may refer to each other.
local LOCK_KEY = 7810201938420631

local TABLES = [[
create schema if not exists larder;
create table if not exists larder.schema_migrations (
  family      text collate "C" not null,
  version     bigint           not null,
  name        text             not null,
  checksum    text             not null,
  skipped     boolean          not null default false,
  applied_at  timestamptz      not null default clock_timestamp(),
  duration_ms bigint           not null,
  applied_by  text             not null default session_user,
  constraint schema_migrations_pkey primary key (family, version)
);
create table if not exists larder.migration_history (
  id          bigint generated always as identity,
  family      text collate "C" not null,
  version     bigint           not null,
  name        text             not null,
  action      text             not null,
  checksum    text             not null,
  at          timestamptz      not null default clock_timestamp(),
  duration_ms bigint           not null,
  done_by     text             not null default session_user,
  constraint migration_history_pkey primary key (id),
  constraint migration_history_action_check check (action in ('up', 'down', 'skip'))
);
]]

local INSERT_VERSION = [[
insert into larder.schema_migrations (family, version, name, checksum, skipped, duration_ms)
values ($1, $2, $3, $4, $5, $6)]]

local DELETE_VERSION = [[delete from larder.schema_migrations where family = $1 and version = $2]]

local INSERT_HISTORY = [[
insert into larder.migration_history (family, version, name, action, checksum, duration_ms)
values ($1, $2, $3, $4, $5, $6)]]

local APPLIED = [[
select version, name, checksum, skipped, applied_at, duration_ms, applied_by
from larder.schema_migrations
where family = $1
order by version]]

local HOLDER = [[
select a.pid, a.application_name, extract(epoch from now() - a.backend_start)::int8 as age
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid::int8 = $1 and l.objid::int8 = $2]]

local function fail(code, reason, fmt, ...)
  return nil, errors.new { code = code, reason = reason, message = fmt:format(...) }
end

local function query(session, sql, ...)
  return session:query(sql, { n = select("#", ...), ... })
end

-- ---- the lock ----

local function holder_text(session)
  local high, low = math.floor(LOCK_KEY / 0x100000000), LOCK_KEY % 0x100000000
  local rows = query(session, HOLDER, high, low)
  local who = rows and rows[1]
  if not who then return "another process" end
  return ("backend %d (%s, connected for %d s)"):format(who.pid, who.application_name or "no name", who.age)
end

local function lock(session, seconds)
  local give_up = core.now() + seconds * 1e6
  while true do
    local rows, err = query(session, "select pg_try_advisory_lock($1) as ok", LOCK_KEY)
    if not rows then return nil, err end
    if rows[1].ok then return true end
    if core.now() >= give_up then
      return fail("locked", "locked", "migrations are being run by %s", holder_text(session))
    end
    rows, err = query(session, "select pg_sleep(0.1)")
    if not rows then return nil, err end
  end
end

local function unlock(session)
  return query(session, "select pg_advisory_unlock($1)", LOCK_KEY)
end

-- ---- the plan ----

local function by_version(list)
  local map = {}
  for _, item in ipairs(list) do map[item.version] = item end
  return map
end

--- Compare files with what is applied; every disagreement has its own error.
local function check(family, list, applied)
  local have = by_version(list)
  for _, row in ipairs(applied) do
    local file = have[row.version]
    if not file then
      return fail("drift", "missing", "%s: version %06d (%s) is applied, but its file is gone", family, row.version, row.name)
    end
    if file.checksum ~= row.checksum then
      return fail("drift", "edited", "%s: %s was edited after it was applied", family, file.file)
    end
  end
  local last = applied[#applied]
  local done = by_version(applied)
  for _, file in ipairs(list) do
    if last and file.version < last.version and not done[file.version] then
      return fail("invalid", "out_of_order", "%s: %s comes before version %06d, which is applied already",
        family, file.file, last.version)
    end
  end
  return true
end

local function applied_rows(session, family)
  local there, err = query(session, "select to_regclass('larder.schema_migrations') is not null as ok")
  if not there then return nil, err end
  if not there[1].ok then return {} end
  return query(session, APPLIED, family)
end

-- ---- one file ----

local function has_citus(session)
  local rows, err = query(session, "select exists (select from pg_extension where extname = 'citus') as ok")
  if not rows then return nil, err end
  return rows[1].ok
end

--- True while the transaction that began with the file is still the one that runs: a file that ends its own transaction
-- would leave its version row outside.
local function same_transaction(session, xid)
  local rows, err = query(session, "select pg_current_xact_id()::text = $1 as ok", xid)
  if not rows then return nil, err end
  return rows[1].ok
end

local function record(session, family, file, action, ms)
  if action == "down" then
    local ok, err = query(session, DELETE_VERSION, family, file.version)
    if not ok then return nil, err end
  else
    local ok, err = query(session, INSERT_VERSION, family, file.version, file.name, file.checksum, action == "skip", ms)
    if not ok then return nil, err end
  end
  return query(session, INSERT_HISTORY, family, file.version, file.name, action, file.checksum, ms)
end

local function inside(session, family, file, action, opts)
  local started = core.now()
  local rows, err = query(session, "select pg_current_xact_id()::text as xid")
  if not rows then return nil, err end
  local sql = action == "up" and file.up_sql or action == "down" and file.down_sql
  if sql then
    local ok
    ok, err = session:script(sql, { timeout = opts.timeout })
    if not ok then
      err.file = action == "up" and file.file or file.down_file
      return nil, err
    end
    ok, err = same_transaction(session, rows[1].xid)
    if ok == false then
      return fail("invalid", "own_transaction", "%s: %s ends its transaction itself (commit or rollback inside the file)",
        family, file.file)
    elseif ok == nil then
      return nil, err
    end
  end
  return record(session, family, file, action, math.floor((core.now() - started) / 1000))
end

local function run_file(session, family, file, action, opts)
  local ok, err = session:script("begin")
  if not ok then return nil, err end
  ok, err = inside(session, family, file, action, opts)
  if not ok then
    session:script("rollback")
    return nil, err
  end
  return session:script("commit")
end

-- ---- sessions ----

--- Run fn(session) on a connection of its own that holds the migration lock.
local function locked(db, opts, fn)
  local engine = db:_migration_engine()
  if engine:stats().pooler then
    return fail("unsupported", "pooler",
      "migrations need a direct connection: a transaction pooler would lose the lock (set POSTGRES_URL_NON_POOLING)")
  end
  local session, err = engine:session {}
  if not session then return nil, err end
  local ok
  ok, err = lock(session, opts.lock_timeout or 30)
  if not ok then
    session:rollback()
    return nil, err
  end
  local result
  result, err = fn(session)
  unlock(session)
  session:rollback()
  return result, err
end

local function is_memory(db)
  return db:kind() == "memory"
end

local function read(family, opts)
  return files.read(opts.dir or files.default_dir(family))
end

-- ---- what users call ----

--- What `up` does now, file by file; a dry run shows the same list.
---@return { file: table, action: "up"|"skip" }[]|nil steps
local function plan_up(session, list, applied, opts)
  local done, steps, citus = by_version(applied), {}, nil
  for _, file in ipairs(list) do
    if not done[file.version] and not (opts.to and file.version > opts.to) then
      if file.only_plain and citus == nil then
        local err
        citus, err = has_citus(session)
        if citus == nil then return nil, err end
      end
      local skip = file.only_plain and citus and not opts.plain
      steps[#steps + 1] = { file = file, action = skip and "skip" or "up" }
    end
  end
  return steps
end

local function run_up(session, family, list, applied, opts)
  local steps, err = plan_up(session, list, applied, opts)
  if not steps then return nil, err end
  local result = {}
  for i, step in ipairs(steps) do
    local ok = true
    if not opts.dry_run then ok, err = run_file(session, family, step.file, step.action, opts) end
    if not ok then return nil, err end
    result[i] = { version = step.file.version, name = step.file.name, action = step.action }
  end
  return result
end

--- Apply what is pending, up to opts.to. No-op on memory.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string, to?: integer, lock_timeout?: number, timeout?: number, plain?: boolean, dry_run?: boolean }
---@return { version: integer, name: string, action: string }[]|nil applied  what was done, in order
---@return larder.Error? err
function migrate.up(db, family, opts)
  opts = opts or {}
  local list, err = read(family, opts)
  if not list then return nil, err end
  if is_memory(db) then return {} end
  return locked(db, opts, function(session)
    local ok, applied
    if not opts.dry_run then
      ok, err = session:script(TABLES)
      if not ok then return nil, err end
    end
    applied, err = applied_rows(session, family)
    if not applied then return nil, err end
    ok, err = check(family, list, applied)
    if not ok then return nil, err end
    return run_up(session, family, list, applied, opts)
  end)
end

--- Undo the last opts.steps files (1 by default), or everything above opts.to. No-op on memory.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string, steps?: integer, to?: integer, lock_timeout?: number, timeout?: number }
---@return { version: integer, name: string, action: string }[]|nil undone  in the order it was done
---@return larder.Error? err
function migrate.down(db, family, opts)
  opts = opts or {}
  local list, err = read(family, opts)
  if not list then return nil, err end
  if is_memory(db) then return {} end
  return locked(db, opts, function(session)
    local applied, ok
    applied, err = applied_rows(session, family)
    if not applied then return nil, err end
    ok, err = check(family, list, applied)
    if not ok then return nil, err end
    local have, result = by_version(list), {}
    local steps = opts.to and #applied or opts.steps or 1
    for i = #applied, math.max(1, #applied - steps + 1), -1 do
      local row = applied[i]
      if opts.to and row.version <= opts.to then break end
      local file = have[row.version]
      if not file.down_sql and not row.skipped then
        return fail("invalid", "no_down", "%s: version %06d has no .down.sql file", family, file.version)
      end
      if row.skipped then file = setmetatable({ down_sql = false }, { __index = file }) end
      ok, err = run_file(session, family, file, "down", opts)
      if not ok then return nil, err end
      result[#result + 1] = { version = file.version, name = file.name, action = "down" }
    end
    return result
  end)
end

local function state_of(file, row)
  if not row then return "pending" end
  if not file then return "missing" end
  if file.checksum ~= row.checksum then return "edited" end
  return row.skipped and "skipped" or "applied"
end

--- Each version, whether it is applied, when, by whom and how long it took.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string }
---@return table[]|nil status  items: version, name, state ("applied", "pending", "skipped", "edited", "missing"), applied_at, duration_ms, applied_by
---@return larder.Error? err
function migrate.status(db, family, opts)
  opts = opts or {}
  local list, err = read(family, opts)
  if not list then return nil, err end
  local applied = {}
  if not is_memory(db) then
    local session
    session, err = db:_migration_engine():session {}
    if not session then return nil, err end
    applied, err = applied_rows(session, family)
    session:rollback()
    if not applied then return nil, err end
  end
  local have, done, result = by_version(list), by_version(applied), {}
  for _, file in ipairs(list) do
    local row = done[file.version] or {}
    result[#result + 1] = {
      version = file.version, name = file.name, state = state_of(file, done[file.version]),
      applied_at = row.applied_at, duration_ms = row.duration_ms, applied_by = row.applied_by,
    }
  end
  for _, row in ipairs(applied) do
    if not have[row.version] then
      result[#result + 1] = { version = row.version, name = row.name, state = "missing", applied_at = row.applied_at,
        duration_ms = row.duration_ms, applied_by = row.applied_by }
    end
  end
  table.sort(result, function(a, b) return a.version < b.version end)
  return result
end

return migrate
