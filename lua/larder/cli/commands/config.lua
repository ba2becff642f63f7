--- larder config: each effective setting and where it came from.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "config" }

function command.describe(parser)
  parser:command("config", "Each effective setting and where it came from; secrets hidden."):flag("--json", "Print JSON.")
end

function command.run(ctx)
  local target = ctx.project:target(ctx.args)
  local rows, err = larder.explain_config(target.url, { migrations = target.migrations })
  if not rows then return out.complain(err) end
  if ctx.args.json then
    out.json(larder.array(rows))
  else
    out.columns({ { "setting", "name" }, { "value", "value" }, { "from", "source" } }, rows)
  end
  return exit.OK
end

return command
