--- The command line tool `larder`. Exit codes: 0 done, 1 failed or wrong usage, 3 drift found.

local argparse = require "argparse"
local larder = require "larder"
local check = require "larder.migrate.check"
local migrate = require "larder.migrate"

local OK, FAILED, DRIFT = 0, 1, 3

--- Says what went wrong; where in our own files it was noticed is of no use to the reader.
local function complain(err)
  local text = tostring(err):gsub("^[^:%s]+%.lua:%d+: ", "")
  io.stderr:write("larder: ", text, "\n")
  return FAILED
end

local function print_json(value)
  print((larder.json.encode(value)))
end

local function open(args)
  return larder.open(args.url)
end

--- Open the database, run fn(db) and close it again, whatever happens.
local function with_db(args, fn)
  local db, err = open(args)
  if not db then return complain(err) end
  local ok, code = pcall(fn, db)
  db:close()
  if not ok then return complain(code) end
  return code
end

local function print_steps(steps, none)
  if #steps == 0 then print(none) end
  for _, step in ipairs(steps) do print(("%-5s %06d %s"):format(step.action, step.version, step.name)) end
end

local commands = {}

function commands.migrate_up(args)
  return with_db(args, function(db)
    local steps, err = migrate.up(db, args.family, { dir = args.dir, to = args.to, dry_run = args.dry_run })
    if not steps then return complain(err) end
    if args.json then print_json(larder.array(steps)) else print_steps(steps, "nothing to do") end
    return OK
  end)
end

function commands.migrate_down(args)
  return with_db(args, function(db)
    local steps, err = migrate.down(db, args.family, { dir = args.dir, to = args.to, steps = args.steps })
    if not steps then return complain(err) end
    if args.json then print_json(larder.array(steps)) else print_steps(steps, "nothing to undo") end
    return OK
  end)
end

function commands.migrate_status(args)
  return with_db(args, function(db)
    local rows, err = migrate.status(db, args.family, { dir = args.dir })
    if not rows then return complain(err) end
    if args.json then
      print_json(larder.array(rows))
      return OK
    end
    for _, row in ipairs(rows) do
      print(("%06d  %-40s %-8s %s"):format(row.version, row.name, row.state, row.applied_at or ""))
    end
    return OK
  end)
end

function commands.check(args)
  return with_db(args, function(db)
    local found = 0
    for _, family in ipairs(args.family) do
      local faults, err = check(db, family)
      if not faults then return complain(err) end
      for _, fault in ipairs(faults) do
        print(("%s.%s (%s): %s"):format(family, fault.store, fault.table, fault.message))
      end
      found = found + #faults
      if #faults == 0 then print(family .. ": no drift") end
    end
    return found == 0 and OK or DRIFT
  end)
end

function commands.config(args)
  local rows, err = larder.explain_config(args.url)
  if not rows then return complain(err) end
  for _, row in ipairs(rows) do print(("%-26s %-30s %s"):format(row.name, row.value, row.source)) end
  return OK
end

function commands.health(args)
  return with_db(args, function(db)
    local health, err = db:health(args.timeout)
    if not health then return complain(err) end
    print_json(health)
    return OK
  end)
end

local function family_options(command)
  command:argument("family", "Store family."):default "auth"
  command:option("--dir", "Directory of migration files (default: those of the family).")
  command:flag("--json", "Print JSON.")
end

local function parser()
  local p = argparse("larder", "Typed stores for Lua: migrations, checks, settings.")
  p:option("--url", "memory:, a postgres:// URI or a key/value conninfo (default: the environment).")
  p:flag("--version", "Print the version."):action(function()
    print("larder " .. larder._VERSION)
    os.exit(OK)
  end)
  p:require_command(true):command_target "command"
  local m = p:command("migrate", "Apply, undo or list migrations."):require_command(true):command_target "sub"
  local up = m:command("up", "Apply what is pending.")
  family_options(up)
  up:option("--to", "Stop after this version."):convert(tonumber)
  up:flag("--dry-run", "Only say what would be done.")
  local down = m:command("down", "Undo the last migration.")
  family_options(down)
  down:option("--to", "Undo everything above this version."):convert(tonumber)
  down:option("--steps", "How many to undo."):convert(tonumber)
  family_options(m:command("status", "What is applied, when and by whom."))
  p:command("check", "Compare declarations with the live catalogue (exit code 3: drift).")
    :argument("family", "Store families."):args "+"
  p:command("config", "Each effective setting and where it came from; secrets hidden.")
  p:command("health", "Ask the server whether it answers."):option("--timeout", "Seconds."):convert(tonumber):default "2"
  return p
end

--- Run the tool.
---@param argv string[]
---@return integer exit_code
return function(argv)
  local args = parser():parse(argv)
  local name = args.command == "migrate" and "migrate_" .. args.sub or args.command
  return commands[name](args)
end
