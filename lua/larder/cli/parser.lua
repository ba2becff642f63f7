--- The command line of the tool. Each file of larder.cli.commands is one command: `describe(parser)` adds it to the command line,
-- `run(context)` does it and answers the exit code.

local argparse = require "argparse"
local larder = require "larder"
local exit = require "larder.cli.exit"

local parser = {}

local COMMANDS = {
  "migrate", "new", "check", "diff", "pull", "doctor", "types", "config", "health", "wait", "createdb", "dropdb", "query",
  "seed", "keys", "export", "import", "transfer", "dump", "console", "throwaway",
}

---@return table commands  by name, and in the order of the help
function parser.commands()
  local by_name = {}
  for i, name in ipairs(COMMANDS) do
    local command = require("larder.cli.commands." .. name)
    by_name[name], by_name[i] = command, command
  end
  return by_name
end

---@param commands table
function parser.make(commands)
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

return parser
