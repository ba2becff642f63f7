--- larder types: annotations (LuaCATS) of the user's own families, for an editor.

local annotate = require "larder.cli.annotate"
local exit = require "larder.cli.exit"
local family = require "larder.family"
local larder = require "larder"
local out = require "larder.cli.print"

local command = { name = "types" }

function command.describe(parser)
  local c = parser:command("types", "Annotations (LuaCATS) of families, for an editor.")
  c:argument("family", "Families (default: those of the project)."):args "*"
  c:flag("--json", "Print { families, text } as JSON.")
end

function command.run(ctx)
  local names = ctx:families_or_own(ctx.args.family)
  local db = assert(larder.open "memory:") -- declarations alone: no server is asked
  local lines = { "---@meta\n-- Written by larder types.\n" }
  for _, name in ipairs(names) do
    lines[#lines + 1] = annotate.family(family.get(name), function(store) return db:_cstore(name, store):describe() end)
  end
  db:close()
  local text = table.concat(lines, "\n")
  if ctx.args.json then out.json { families = larder.array(names), text = text .. "\n" } else out.line("%s", text) end
  return exit.OK
end

return command
