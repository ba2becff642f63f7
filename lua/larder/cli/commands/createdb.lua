--- larder createdb: the database that the settings name.

local exit = require "larder.cli.exit"
local maintenance = require "larder.cli.maintenance"
local out = require "larder.cli.print"

local command = { name = "createdb" }

function command.describe(parser)
  parser:command("createdb", "Make the database that the settings name, unless it is there.")
    :flag("--json", "Print JSON.")
end

function command.run(ctx)
  local name, db = maintenance.open(ctx)
  if not name then return out.complain(db) end
  local rows, err = db:query("select from pg_database where datname = $1", name)
  local made
  if rows and #rows == 0 then made, err = db:query("create database " .. maintenance.quoted(name)) end
  db:close()
  if not rows or (#rows == 0 and not made) then return out.complain(err) end
  if ctx.args.json then
    out.json { database = name, made = made ~= nil }
  else
    out.line(made and "made database %s" or "database %s is there", name)
  end
  return exit.OK
end

return command
