--- The command line tool `larder` (docs/cli).

local larder = require "larder"
local Context = require "larder.cli.context"
local out = require "larder.cli.print"
local parsers = require "larder.cli.parser"

--- Run the tool.
---@param argv string[]
---@return integer exit_code
return function(argv)
  local commands = parsers.commands()
  local parser = parsers.make(commands)
  local args, usage, why = parsers.read(parser, argv)
  if not args then
    io.stderr:write(usage, "\n\n")
    return out.misuse("%s", why)
  end
  local ok, context = pcall(Context.new, args)
  if not ok then return out.misuse("%s", tostring(context)) end
  local code
  ok, code = pcall(commands[args.command].run, context)
  if ok then return code end
  if larder.is_error(code) then return out.complain(code) end
  return out.misuse("%s", out.without_place(code))
end
