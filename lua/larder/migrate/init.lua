--- Migrations: ordered files, each applied in one transaction together with its version row (docs/migrations.md).
--
-- The work is done by the core beside the caller (csrc/core/migrate), so no event loop is held up.

local core = require "larder.core"
local errors = require "larder.base.errors"
local files = require "larder.migrate.files"
local foreign = require "larder.migrate.foreign"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local Runner = require "larder.migrate.runner"

local migrate = {}

---@class larder.MigrateOptions
---@field dir? string            directory of the files; by default the declaration's, or the built-in family's
---@field lock_timeout? number   seconds to wait for another process that migrates (30)
---@field table_timeout? number  seconds that a statement may wait for a lock; then the file is undone and tried again
---@field retries? integer       how often (0)
---@field timeout? number        seconds that a statement may take; none by default
---@field on_step? fun(step: table, what: "begin"|"done"|"failed"|"progress", more: any)

---@class larder.MigrationStep
---@field version integer
---@field name string
---@field action "up"|"down"|"skip"
---@field file string
---@field duration_ms? integer   of what was done

local COMMON = {
  dir = "string", lock_timeout = "seconds", table_timeout = "seconds", retries = "count", timeout = "seconds",
  on_step = "function",
}
local function set(more)
  return options.extend(options.set(COMMON), more)
end

local UP = set { fresh = "boolean", to = "count", count = "positive", plain = "boolean", dry_run = "boolean", out_of_order = "boolean" }
local DOWN = set { to = "count", steps = "positive", count = "positive", dry_run = "boolean" }
local GOTO = set { plain = "boolean", dry_run = "boolean", out_of_order = "boolean" }
local REDO = set { count = "positive", plain = "boolean", dry_run = "boolean" }
local RESUME = set { skip_statement = "boolean" }
local STATUS = options.set { dir = "string", lock_timeout = "seconds" }
local RECORD = options.set { dir = "string", lock_timeout = "seconds" }

local function is_memory(db)
  return db:kind() == "memory"
end

-- What every function here is called with; opts come back read.
local function arguments(name, known, db, family, opts)
  if type(db) ~= "table" or type(db.kind) ~= "function" then misuse.raise("%s needs a database, not %s", name, misuse.kind(db)) end
  if type(family) ~= "string" then misuse.raise("%s needs the name of a family, not %s", name, misuse.kind(family)) end
  return options.read(opts, known, name)
end

local function check_version(name, version)
  if type(version) == "number" and version >= 0 and version % 1 == 0 then return end
  misuse.raise("%s needs a version: a whole number, not %s", name, type(version) == "number" and version or misuse.kind(version))
end

local function fail(code, reason, fmt, ...)
  return nil, errors.new { code = code, reason = reason, message = fmt:format(...) }
end

-- Nothing is left behind, whatever fn does.
local function with_runner(db, family, opts, fn)
  local runner, err = Runner.new(db, family, opts)
  if not runner then return nil, err end
  local function finish(ok, ...)
    runner:close()
    if not ok then error(..., 0) end
    return ...
  end
  return finish(pcall(fn, runner))
end

-- What is planned, without a lock and without any right to write.
local function look(runner, request)
  local ok, err = runner:job "history"
  if not ok then return nil, err end
  return runner:plan(request)
end

-- What each statement does, with the lines of its file.
local function locks_of(sql, first_line)
  local locks = core.statement_locks(sql)
  for _, lock in ipairs(locks) do lock.line = lock.line + first_line - 1 end
  return locks
end

local function planned(steps)
  local list = {}
  for i, step in ipairs(steps) do
    local down = step.action == "down"
    local item = { version = step.version, name = step.name, action = step.action, no_transaction = step.no_transaction,
      file = down and step.down_file or step.file }
    if not step.bare and step.action ~= "skip" then item.sql = down and step.down_sql or not down and step.up_sql or nil end
    if item.sql and not step.lua then item.locks = locks_of(item.sql, down and step.down_line or step.up_line) end
    list[i] = item
  end
  return list
end

--- Statements of a planned way down after which rows are gone for good: what drops a table or a column, or empties it. What a
-- body of code does, or a migration in Lua, is not seen.
---@param step table  of a dry run
---@return { place: string, sql: string }[]  place: "000002_x.down.sql:3"
function migrate.losses(step)
  if type(step) ~= "table" then misuse.raise("migrate.losses needs a step of a dry run, not %s", misuse.kind(step)) end
  local list = {}
  for _, lock in ipairs(step.action == "down" and step.locks or {}) do
    if lock.loses then
      list[#list + 1] = { place = ("%s:%d"):format(step.file, lock.line), sql = (lock.sql:gsub("%s+", " ")) }
    end
  end
  return list
end

-- Files that another tool has applied must not be applied again: its table knows one of them, and larder's knows none.
local function check_foreign(db, family, runner, opts)
  if opts.fresh or #runner:history().applied > 0 or runner.dir == files.default_dir(family) then return true end
  local found, err = foreign.find(db)
  if not found or found.last == 0 then return not err or nil, err end
  local list = files.read(runner.dir)
  for _, file in ipairs(list or {}) do
    if found.applied(file.version) then
      return nil, errors.new { code = "conflict", reason = "foreign",
        message = ("%s: %s of %s says that version %06d is applied, and larder has no record of it"):format(family, found.name,
          found.tool, file.version),
        hint = "`larder migrate adopt` takes its record over; --fresh says that it is not about these files" }
    end
  end
  return true
end

-- Plan once without the lock (nothing pending needs no rights), then with it: another process may have been faster.
local function run(db, family, opts, request, skip_statement)
  return with_runner(db, family, opts, function(runner)
    local steps, err = look(runner, request)
    -- a file that seems to have stopped may be under way in another process: the lock tells
    if not steps and (err.code ~= "dirty" or opts.dry_run) then return nil, err end
    if opts.dry_run then return planned(steps) end
    if steps and #steps == 0 then return {} end
    local ok
    ok, err = check_foreign(db, family, runner, opts)
    if ok then ok, err = runner:job "lock" end
    if not ok then return nil, err end
    steps, err = runner:plan(request)
    if not steps then return nil, err end
    return runner:run(steps, skip_statement)
  end)
end

-- ---- what users call ----

--- Apply what is pending: all, `count` files, or none above `to`. No-op on memory.
---@param db larder.Db
---@param family string
---@param opts? larder.MigrateOptions|{ to?: integer, count?: integer, plain?: boolean, dry_run?: boolean, out_of_order?: boolean, fresh?: boolean }
-- fresh: another tool's table of versions is not about these files; plain: apply files marked `only plain` also where tables are distributed; dry_run: only say what would be done, with the SQL
---@return larder.MigrationStep[]|nil applied  in order
---@return larder.Error? err  err.done: what was applied before it went wrong
function migrate.up(db, family, opts)
  opts = arguments("migrate.up", UP, db, family, opts)
  if is_memory(db) then return {} end
  return run(db, family, opts, {
    direction = "up", to = opts.to, count = opts.count, plain = opts.plain, out_of_order = opts.out_of_order,
  })
end

--- Undo the last `count` files (1), or everything above `to`. No-op on memory.
---@param db larder.Db
---@param family string
---@param opts? larder.MigrateOptions|{ count?: integer, to?: integer, dry_run?: boolean }
---@return larder.MigrationStep[]|nil undone  in the order it was done
---@return larder.Error? err
function migrate.down(db, family, opts)
  opts = arguments("migrate.down", DOWN, db, family, opts)
  if is_memory(db) then return {} end
  return run(db, family, opts, { direction = "down", to = opts.to, count = opts.count or opts.steps })
end

--- Up or down, until `version` is the last one that is applied; 0: none.
---@param db larder.Db
---@param family string
---@param version integer
---@param opts? larder.MigrateOptions|{ plain?: boolean, dry_run?: boolean, out_of_order?: boolean }
---@return larder.MigrationStep[]|nil done
---@return larder.Error? err
migrate["goto"] = function(db, family, version, opts)
  opts = arguments("migrate.goto", GOTO, db, family, opts)
  check_version("migrate.goto", version)
  if is_memory(db) then return {} end
  return run(db, family, opts, { direction = "goto", to = version, plain = opts.plain, out_of_order = opts.out_of_order })
end

--- Undo the last `count` files (1) and apply them again.
---@param db larder.Db
---@param family string
---@param opts? larder.MigrateOptions|{ count?: integer, plain?: boolean, dry_run?: boolean }
---@return larder.MigrationStep[]|nil done
---@return larder.Error? err
function migrate.redo(db, family, opts)
  opts = arguments("migrate.redo", REDO, db, family, opts)
  if is_memory(db) then return {} end
  return run(db, family, opts, { direction = "redo", count = opts.count, plain = opts.plain })
end

--- Go on with a file that was begun and not finished: statements that are done are not run again, the one under way is, unless
-- `skip_statement` says that it was done.
---@param db larder.Db
---@param family string
---@param opts? larder.MigrateOptions|{ skip_statement?: boolean }
---@return larder.MigrationStep[]|nil done  empty when there was nothing to resume
---@return larder.Error? err
function migrate.resume(db, family, opts)
  opts = arguments("migrate.resume", RESUME, db, family, opts)
  if is_memory(db) then return {} end
  return with_runner(db, family, opts, function(runner)
    local ok, err = runner:job "lock"
    if not ok then return nil, err end
    local open = runner:history().unfinished
    if not open then return {} end
    local steps
    steps, err = runner:plan {
      direction = open.down and "down" or "up", count = 1, out_of_order = true, resume = true,
    }
    if not steps then return nil, err end
    if not steps[1] or steps[1].version ~= open.version then
      return fail("dirty", "unfinished", "%s: version %06d was begun, and is not the next one: say what is true with force",
        family, open.version)
    end
    return runner:run(steps, opts.skip_statement)
  end)
end

-- Record versions under the lock, without running anything.
local function record(db, family, opts, what, fn)
  opts = arguments(what, RECORD, db, family, opts)
  if is_memory(db) then return {} end
  local list, err = files.read(files.dir(db, family, opts.dir))
  if not list then return nil, err end
  return with_runner(db, family, opts, function(runner)
    local ok
    ok, err = runner:job "lock"
    if not ok then return nil, err end
    local changes = {}
    for _, change in ipairs(fn(runner:history(), list)) do
      ok, err = runner:job("record", { action = change.action, version = change.version, applied = change.applied })
      if not ok then return nil, err end
      changes[#changes + 1] = { version = change.version, name = change.name, action = change.action }
    end
    return changes
  end)
end

local function by_version(list)
  local map = {}
  for _, item in ipairs(list) do map[item.version] = item end
  return map
end

--- Say what is true: versions up to `version` are applied, those above are not, and nothing is under way. Runs nothing.
---@param db larder.Db
---@param family string
---@param version integer
---@param opts? { dir?: string, lock_timeout?: number }
---@return { version: integer, name: string, action: string }[]|nil changes
---@return larder.Error? err
function migrate.force(db, family, version, opts)
  check_version("migrate.force", version)
  return record(db, family, opts, "migrate.force", function(history, list)
    local done, changes = by_version(history.applied), {}
    local open = history.unfinished and history.unfinished.version
    for _, file in ipairs(list) do
      local wanted = file.version <= version
      if wanted ~= (done[file.version] ~= nil) or file.version == open then
        changes[#changes + 1] = { action = "force", version = file.version, name = file.name, applied = wanted }
      end
    end
    return changes
  end)
end

-- Record the versions that is_applied names, where nothing is recorded yet.
local function record_applied(db, family, opts, what, is_applied)
  local refused = false
  local changes, err = record(db, family, opts, what, function(history, list)
    refused = #history.applied > 0
    local all = {}
    for _, file in ipairs(refused and {} or list) do
      if is_applied(file.version) then
        all[#all + 1] = { action = "baseline", version = file.version, name = file.name, applied = true }
      end
    end
    return all
  end)
  if refused then return fail("conflict", "not_empty", "%s: versions are recorded already; force changes them", family) end
  return changes, err
end

--- Take a database that was made by other means: versions up to `version` count as applied. Refused when anything is recorded.
---@param db larder.Db
---@param family string
---@param version integer
---@param opts? { dir?: string, lock_timeout?: number }
---@return { version: integer, name: string, action: string }[]|nil changes
---@return larder.Error? err
function migrate.baseline(db, family, version, opts)
  check_version("migrate.baseline", version)
  return record_applied(db, family, opts, "migrate.baseline", function(applied) return applied <= version end)
end

--- Take over the record of golang-migrate or dbmate: what its table says is applied counts as applied. Runs nothing, and leaves
-- the other tool's table as it is.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string, lock_timeout?: number }
---@return { version: integer, name: string, action: string }[]|nil changes
---@return larder.Error? err
function migrate.adopt(db, family, opts)
  arguments("migrate.adopt", RECORD, db, family, opts)
  if is_memory(db) then return {} end
  local found, err = foreign.find(db)
  if err then return nil, err end
  if not found then return fail("not_found", "no_table", "%s: no table schema_migrations of another tool is there", family) end
  if found.dirty then
    return fail("dirty", "unfinished", "%s: %s says that version %06d stopped in the middle: mend that with %s first", family,
      found.name, found.last, found.tool)
  end
  return record_applied(db, family, opts, "migrate.adopt", found.applied)
end

--- Make the record agree with the files: checksums of edited files are taken over, versions whose files are gone are forgotten.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string, lock_timeout?: number }
---@return { version: integer, name: string, action: string }[]|nil changes
---@return larder.Error? err
function migrate.repair(db, family, opts)
  return record(db, family, opts, "migrate.repair", function(history, list)
    local have, changes = by_version(list), {}
    for _, row in ipairs(history.applied) do
      local file = have[row.version]
      if not file or file.checksum ~= row.checksum then
        changes[#changes + 1] = { action = "repair", version = row.version, name = row.name, applied = file ~= nil }
      end
    end
    return changes
  end)
end

-- ---- status ----

local function state_of(file, row, open)
  if open == (file or row).version then return "unfinished" end
  if not row then return "pending" end
  if not file then return "missing" end
  if row.checksum ~= "" and file.checksum ~= row.checksum then return "edited" end
  return row.skipped and "skipped" or "applied"
end

local function status_rows(list, history)
  local have, done, result = by_version(list), by_version(history.applied), {}
  local open = history.unfinished and history.unfinished.version
  local function add(file, row)
    local known = row or {}
    result[#result + 1] = {
      version = (file or row).version, name = (file or row).name, state = state_of(file, row, open), file = file and file.file,
      applied_at = known.applied_at, duration_ms = known.duration_ms, applied_by = known.applied_by,
    }
  end
  for _, file in ipairs(list) do add(file, done[file.version]) end
  for _, row in ipairs(history.applied) do
    if not have[row.version] then add(nil, row) end
  end
  table.sort(result, function(a, b) return a.version < b.version end)
  return result
end

--- Each version, whether it is applied, when, by whom and how long it took. Needs no right but to read.
---@param db larder.Db
---@param family string
---@param opts? { dir?: string }
---@return table[]|nil status  version, name, state ("applied", "pending", "skipped", "edited", "missing", "unfinished"), file,
-- applied_at, duration_ms, applied_by
---@return larder.Error? err
function migrate.status(db, family, opts)
  opts = arguments("migrate.status", STATUS, db, family, opts)
  local list, err = files.read(files.dir(db, family, opts.dir))
  if not list then return nil, err end
  if is_memory(db) then return status_rows(list, { applied = {} }) end
  return with_runner(db, family, opts, function(runner)
    local ok
    ok, err = runner:job "history"
    if not ok then return nil, err end
    return status_rows(list, runner:history())
  end)
end

return migrate
