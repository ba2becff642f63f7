--- larder doctor: what the server is, or will be, in trouble with.

local larder = require "larder"
local examine = require "larder.cli.examine"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "doctor" }

function command.describe(parser)
  local c = parser:command("doctor", "What the server is, or will be, in trouble with (exit code 1: something is wrong).")
  c:option("--long", "Seconds after which a transaction is a long one (300)."):convert(tonumber)
  c:option("--processes", "How many processes have such a pool, as workers of nginx do (1)."):convert(tonumber)
  c:flag("--json", "Print JSON.")
end

local COLOURS = { ok = "green", look = "yellow", wrong = "red" }

function command.run(ctx)
  return ctx:with_db(function(db)
    local list, err = examine.server(db, { long = ctx.args.long, processes = ctx.args.processes })
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
