--- larder migrate …

local larder = require "larder"
local migration_files = require "larder.migrate.files"
local exit = require "larder.cli.exit"
local migrate = require "larder.migrate"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"

local command = { name = "migrate" }

-- ---- what is printed ----

local function step_line(step)
  local time = step.duration_ms and out.coloured(("  %d ms"):format(step.duration_ms), "dim") or ""
  return ("%-5s %06d %s%s"):format(step.action, step.version, step.name, time)
end

-- Each step when it is done; the one that runs on a terminal's last line.
local function teller(ctx)
  if ctx.args.json then return nil end
  return function(step, what, more)
    if what == "begin" then
      out.progress("%-5s %06d %s …", step.action, step.version, step.name)
    elseif what == "progress" then
      local share = more.total and more.total > 0 and out.bar(more.done / more.total) .. " " or ""
      out.progress("%06d %s %s%d%s", step.version, step.name, share, more.done, more.total and "/" .. more.total or "")
    else
      out.progress ""
      if what == "done" then out.line("%s", out.coloured(step_line(step), "green")) end
    end
  end
end

local function report(ctx, steps, err, none)
  if not steps then
    if ctx.args.json then
      out.json { error = { code = err.code, reason = err.reason, message = err.message, file = err.file, line = err.line },
        done = larder.array(err.done or {}) }
      out.complain(err)
      return err.code == "locked" and exit.LOCKED or err.code == "drift" and exit.DRIFT or exit.FAILED
    end
    local code = out.complain(err)
    if err.done and #err.done > 0 then out.note("  %d migrations before it are applied and stay", #err.done) end
    return code
  end
  if ctx.args.json then
    out.json(larder.array(steps))
  elseif #steps == 0 then
    out.line(none)
  end
  return exit.OK
end

-- Which lock each statement takes, as remarks, so that the whole stays SQL.
local function show_locks(locks)
  for _, item in ipairs(locks) do
    if item.lock then
      out.line("%s", out.coloured(("-- line %d: %s%s"):format(item.line, item.lock, item.table and " on " .. item.table or ""), "dim"))
    end
    if item.warning then out.line("%s", out.coloured("--   warning: " .. item.warning, "yellow")) end
  end
end

local function dry(ctx, steps, none)
  if ctx.args.json then
    out.json(larder.array(steps))
  elseif #steps == 0 then
    out.line(none)
  else
    for _, step in ipairs(steps) do
      out.line("-- %s", step_line(step))
      if step.sql then out.line("%s", (step.sql:gsub("%s+$", ""))) end
      show_locks(step.locks or {})
    end
  end
  return exit.OK
end

-- ---- running ----

local function options(ctx, more)
  local a = ctx.args
  local opts = {
    dir = a.dir or ctx.project:migrations_of(a.family), lock_timeout = a.lock_timeout, table_timeout = a.table_timeout,
    retries = a.retries, timeout = a.timeout, on_step = teller(ctx),
  }
  for name, value in pairs(more or {}) do opts[name] = value end
  return opts
end

-- A directory is enough; without one, the family must say where its files are.
local function each(ctx, fn)
  ctx.project:load()
  local a = ctx.args
  local list = a.dir and migration_files.read(a.dir)
  if list and #list == 0 then error(("no migration lies in %s; larder migrate create writes one"):format(a.dir), 0) end
  if not a.all then a.family = ctx:family_or_own(a.family) end
  if not a.all and not a.dir and not ctx.project:migrations_of(a.family) then ctx:families { a.family } end
  return ctx:with_db(fn)
end

local runs = {}

function runs.up(ctx)
  local a = ctx.args
  return each(ctx, function(db)
    local opts = options(ctx, { to = a.to, count = a.count, plain = a.plain, out_of_order = a.out_of_order, dry_run = a.dry_run,
      fresh = a.fresh })
    local steps, err = migrate.up(db, a.family, opts)
    if steps and a.dry_run then return dry(ctx, steps, "nothing to do") end
    return report(ctx, steps, err, "nothing to do")
  end)
end

-- What would be undone, what goes with it, and whether that is wanted.
local function destroys(ctx, plan)
  local n = 0
  for _, step in ipairs(plan) do
    n = n + (step.action == "down" and 1 or 0)
    for _, lost in ipairs(migrate.losses(step)) do out.note("%s: loses data: %s", lost.place, lost.sql) end
  end
  if n == 0 then return true end
  return ctx:may_destroy(("undo %d migration%s of %s"):format(n, n == 1 and "" or "s", ctx.args.family))
end

local function backwards(ctx, none, fn)
  return each(ctx, function(db)
    local plan, err = fn(db, { dry_run = true })
    if not plan then return report(ctx, nil, err) end
    if ctx.args.dry_run then return dry(ctx, plan, none) end
    local fine, code = destroys(ctx, plan)
    if not fine then return code end
    local steps
    steps, err = fn(db, {})
    return report(ctx, steps, err, none)
  end)
end

function runs.down(ctx)
  local a = ctx.args
  return backwards(ctx, "nothing to undo", function(db, more)
    more.to, more.count = a.to, a.count or a.steps
    return migrate.down(db, a.family, options(ctx, more))
  end)
end

runs["goto"] = function(ctx)
  return backwards(ctx, "nothing to do", function(db, more)
    return migrate["goto"](db, ctx.args.family, ctx.args.version, options(ctx, more))
  end)
end

function runs.redo(ctx)
  return backwards(ctx, "nothing to do", function(db, more)
    more.count = ctx.args.count
    return migrate.redo(db, ctx.args.family, options(ctx, more))
  end)
end

function runs.resume(ctx)
  return each(ctx, function(db)
    local steps, err = migrate.resume(db, ctx.args.family, options(ctx, { skip_statement = ctx.args.skip_statement }))
    return report(ctx, steps, err, "nothing was under way")
  end)
end

local STATES = { applied = "green", pending = "yellow", skipped = "dim", edited = "red", missing = "red", unfinished = "red" }

local function status_code(ctx, rows)
  local pending, wrong = false, false
  for _, row in ipairs(rows) do
    pending = pending or row.state == "pending"
    wrong = wrong or row.state == "edited" or row.state == "missing" or row.state == "unfinished"
  end
  if wrong then return exit.DRIFT end
  return pending and ctx.args.exit_code and exit.PENDING or exit.OK
end

local COLUMNS = {
  { "version", function(r) return ("%06d"):format(r.version) end }, { "name", "name" },
  { "state", function(r) return out.coloured(r.state, STATES[r.state]) end }, { "applied", "applied_at" },
  { "took", function(r) return r.duration_ms and r.duration_ms .. " ms" end }, { "by", "applied_by" },
}

-- The family itself, or with --all every one that has migrations.
local function status_families(ctx)
  if not ctx.args.all then return { ctx.args.family } end
  local family, files, names = require "larder.family", require "larder.migrate.files", {}
  for _, name in ipairs(family.names()) do
    local known = family.known(name)
    local own = ctx.project:migrations_of(name) or known and known.migrations
    if own or files.is_built_in(name) then names[#names + 1] = name end
  end
  return names
end

function runs.status(ctx)
  return each(ctx, function(db)
    local all, columns = {}, COLUMNS
    for _, name in ipairs(status_families(ctx)) do
      local rows, err = migrate.status(db, name, { dir = ctx.args.dir or ctx.project:migrations_of(name) })
      if not rows then return report(ctx, nil, err) end
      for _, row in ipairs(rows) do
        row.family = name
        all[#all + 1] = row
      end
    end
    if ctx.args.all then columns = { { "family", "family" }, (require("larder.base.compat").unpack)(COLUMNS) } end
    if ctx.args.json then out.json(larder.array(all)) else out.columns(columns, all) end
    return status_code(ctx, all)
  end)
end

local function recorded(fn, what)
  return function(ctx)
    return each(ctx, function(db)
      local a = ctx.args
      local fine, code = ctx:may_destroy(what:format(a.family))
      if not fine then return code end
      local opts = { dir = a.dir or ctx.project:migrations_of(a.family), lock_timeout = a.lock_timeout }
      local changes, err
      if a.version then changes, err = fn(db, a.family, a.version, opts) else changes, err = fn(db, a.family, opts) end
      if changes and not a.json then
        for _, change in ipairs(changes) do out.line("%-8s %06d %s", change.action, change.version, change.name) end
      end
      return report(ctx, changes, err, "nothing to change")
    end)
  end
end

runs.force = recorded(migrate.force, "change what is recorded of %s, without running anything,")
runs.baseline = recorded(migrate.baseline, "record migrations of %s as applied, without running them,")
runs.adopt = recorded(migrate.adopt, "take over what another tool has recorded of %s")
runs.repair = recorded(migrate.repair, "make the record of %s agree with its files")

-- ---- new files ----

local TEMPLATES = {
  up = "-- %s\n", down = "-- undo: %s\n",
  lua = "-- %s\nreturn {\n  up = function(db, step)\n  end,\n  down = function(db, step)\n  end,\n}\n",
}

function runs.create(ctx)
  local a = ctx.args
  local dir, title = new_files.migrations(ctx, a.family), a.title:gsub("_", " ")
  local texts = a.lua and { [".lua"] = TEMPLATES.lua:format(title) }
    or { [".up.sql"] = TEMPLATES.up:format(title), [".down.sql"] = TEMPLATES.down:format(title) }
  local paths, err = new_files.migration(dir, a.title, texts, a.timestamp)
  if not paths then return out.complain(err) end
  return new_files.told(ctx, paths)
end

-- ---- verify ----

function runs.verify(ctx)
  local a = ctx.args
  return each(ctx, function(db)
    local fine, code = ctx:may_destroy(("apply, undo and apply again every migration of %s"):format(a.family))
    if not fine then return code end
    local fingerprint = require "larder.migrate.fingerprint"
    local report_, err = fingerprint.verify(db, a.family, options(ctx))
    if not report_ then return report(ctx, nil, err) end
    if a.json then
      report_.losses = larder.array(report_.losses)
      report_.differences = larder.array(report_.differences)
      out.json(report_)
      return #report_.differences == 0 and exit.OK or exit.DRIFT
    end
    for _, lost in ipairs(report_.losses) do out.line("%s: loses data: %s", lost.place, lost.sql) end
    if #report_.differences == 0 then
      out.line("%s: up, down and up again leave the same catalogue (%s)", a.family, report_.fingerprint:sub(1, 16))
    else
      for _, line in ipairs(report_.differences) do out.line("%s", line) end
    end
    return #report_.differences == 0 and exit.OK or exit.DRIFT
  end)
end

-- ---- the command line ----

local function common(c, may_be_left_out)
  local f = c:argument("family", may_be_left_out and "Family of stores (default: the project's, when it is one)." or "Family of stores.")
  if may_be_left_out then f:args "?" end
  c:option("--dir", "Directory of the migration files.")
  c:flag("--json", "Print JSON.")
  return c
end

local function limits(c)
  c:option("--lock-timeout", "Seconds to wait for another process that migrates (30)."):convert(tonumber)
  c:option("--table-timeout", "Seconds a statement may wait for a lock."):convert(tonumber)
  c:option("--retries", "How often a file that waited too long is tried again (0)."):convert(tonumber)
  c:option("--timeout", "Seconds a statement may take."):convert(tonumber)
  c:flag("--dry-run", "Print the SQL and do nothing.")
  return c
end

function command.describe(parser)
  local m = parser:command("migrate", "Apply, undo, list and repair migrations."):require_command(true):command_target "sub"
  local up = limits(common(m:command("up", "Apply what is pending."), true))
  up:option("--to", "Stop after this version."):convert(tonumber)
  up:option("--count", "How many."):convert(tonumber)
  up:flag("--plain", "Apply files marked `only plain` also where tables are distributed.")
  up:flag("--out-of-order", "Apply files below the last applied one, too.")
  up:flag("--fresh", "Another tool's table schema_migrations is not about these files.")
  local down = limits(common(m:command("down", "Undo the last migration."), true))
  down:option("--to", "Undo everything above this version."):convert(tonumber)
  down:option("--count", "How many."):convert(tonumber)
  down:option("--steps", "The same as --count."):convert(tonumber)
  local to = limits(common(m:command("goto", "Up or down, until this version is the last one.")))
  to:argument("version", "Version; 0: none."):convert(tonumber)
  local redo = limits(common(m:command("redo", "Undo the last migrations and apply them again."), true))
  redo:option("--count", "How many (1)."):convert(tonumber)
  local resume = limits(common(m:command("resume", "Go on with a file that stopped in the middle."), true))
  resume:flag("--skip-statement", "The statement that was under way is done.")
  local status = common(m:command("status", "What is applied, when and by whom."), true)
  status:flag("--exit-code", "Exit with 4 when something is pending.")
  status:flag("--all", "Every family that has migrations, the built-in ones too.")
  for _, row in ipairs {
    { "force", "Say what is applied, after a repair by hand. Runs nothing." },
    { "baseline", "Take a database made by other means: versions up to this one count as applied." },
  } do
    common(m:command(row[1], row[2])):argument("version", "Version."):convert(tonumber)
  end
  common(m:command("adopt", "Take over the record of golang-migrate or dbmate."), true)
  common(m:command("repair", "Make the record agree with edited and removed files."), true)
  common(m:command("verify", "Apply, undo, apply again: is the catalogue the same?"), true)
  local create = common(m:command("create", "Write empty files for a new migration."))
  create:argument("title", "What it does, like add_price.")
  create:flag("--lua", "A migration of data, in Lua.")
  create:flag("--timestamp", "A version made of the time.")
end

function command.run(ctx)
  return runs[ctx.args.sub](ctx)
end

return command
