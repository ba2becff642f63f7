--- larder health: does the server answer?

local exit = require "larder.cli.exit"
local larder = require "larder"
local out = require "larder.cli.print"

local command = { name = "health" }

function command.describe(parser)
  local c = parser:command("health", "Ask the server whether it answers.")
  c:option("--timeout", "Seconds (2)."):convert(tonumber)
  c:flag("--json", "Print JSON.")
end

function command.run(ctx)
  return ctx:with_db(function(db)
    local health, err = db:health(ctx.args.timeout or 2)
    if not health then return out.complain(err) end
    if ctx.args.json then
      out.json(health)
    else
      local names = {}
      for name in pairs(health) do names[#names + 1] = name end
      table.sort(names)
      for _, name in ipairs(names) do
        local value = health[name]
        out.line("%-16s %s", name, type(value) == "table" and larder.json.encode(value) or tostring(value))
      end
    end
    return exit.OK
  end, { memory = true })
end

return command
