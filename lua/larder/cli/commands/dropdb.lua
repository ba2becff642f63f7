--- larder dropdb: the database that the settings name.

local exit = require "larder.cli.exit"
local maintenance = require "larder.cli.maintenance"
local out = require "larder.cli.print"

local command = { name = "dropdb" }

function command.describe(parser)
  parser:command("dropdb", "Drop the database that the settings name, with everything in it."):flag("--json", "Print JSON.")
end

function command.run(ctx)
  local name, db = maintenance.open(ctx)
  if not name then return out.complain(db) end
  local fine, code = ctx:may_destroy("drop the database " .. name)
  if not fine then
    db:close()
    return code
  end
  local ok, err = db:query("drop database if exists " .. maintenance.quoted(name))
  db:close()
  if not ok then return out.complain(err) end
  if ctx.args.json then out.json { database = name, dropped = true } else out.line("dropped database %s", name) end
  return exit.OK
end

return command
