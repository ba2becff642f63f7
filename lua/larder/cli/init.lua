--- The command line tool `larder` (docs/cli). Each file of larder.cli.commands is one command: `describe(parser)` adds it to the
-- command line, `run(context)` does it and answers the exit code.

local argparse = require "argparse"
local larder = require "larder"
local Context = require "larder.cli.context"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local COMMANDS = {
  "migrate", "new", "check", "diff", "pull", "doctor", "types", "config", "health", "wait", "createdb", "dropdb", "query",
  "seed", "keys", "export", "import", "transfer", "throwaway",
}

local function load_commands()
  local by_name = {}
  for i, name in ipairs(COMMANDS) do
    local command = require("larder.cli.commands." .. name)
    by_name[name], by_name[i] = command, command
  end
  return by_name
end

local function make_parser(commands)
  local p = argparse("larder", "Typed stores for Lua: migrations, checks, data, settings.")
  p:option("--url", "memory:, a postgres:// URI or a key/value conninfo (default: the project file, then the environment).")
  p:option("--migrations-url", "Where migrations connect, when --url names a pooler.")
  p:option("-e --env", "An environment of the project file.")
  p:option("--project", "The project file (default: .larder here or above)."):target "project_file"
  p:option("-l --load", "A Lua file that declares families."):count "*"
  p:option("-r --require", "A module that declares families."):count "*"
  p:flag("-y --yes", "Do not ask before something is destroyed.")
  p:flag("-q --quiet", "Do not say which database it is.")
  p:flag("--version", "Print the version."):action(function()
    print("larder " .. larder._VERSION)
    os.exit(exit.OK)
  end)
  p:require_command(true):command_target "command"
  for _, command in ipairs(commands) do command.describe(p) end
  p:add_complete()
  return p
end

--- Run the tool.
---@param argv string[]
---@return integer exit_code
return function(argv)
  local commands = load_commands()
  local parser = make_parser(commands)
  local ok, args = parser:pparse(argv)
  if not ok then
    io.stderr:write(parser:get_usage(), "\n\n")
    return out.misuse("%s", args)
  end
  local context
  ok, context = pcall(Context.new, args)
  if not ok then return out.misuse("%s", tostring(context)) end
  local code
  ok, code = pcall(commands[args.command].run, context)
  if ok then return code end
  if larder.is_error(code) then return out.complain(code) end
  return out.misuse("%s", out.without_place(code))
end
