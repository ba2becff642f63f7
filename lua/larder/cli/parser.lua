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

-- Options and arguments that are numbers say their name when they are given something else.
local function name_numbers(command)
  for _, list in ipairs { command._options, command._arguments } do
    for _, item in ipairs(list) do
      if item._convert == tonumber then
        item._convert = function(text)
          local value = tonumber(text)
          if value then return value end
          return nil, ("%s must be a number, not '%s'"):format(item._aliases and item._aliases[#item._aliases] or item._name, text)
        end
      end
    end
  end
  for _, sub in ipairs(command._commands) do name_numbers(sub) end
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
  name_numbers(p)
  return p
end

-- The names of the commands that may follow, with what they do.
local function listed(command)
  local lines = { "", "", "Commands:" }
  for _, sub in ipairs(command._commands) do lines[#lines + 1] = ("  %-12s %s"):format(sub._name, sub._description or "") end
  return table.concat(lines, "\n")
end

--- Read a command line.
---@param p table      of parser.make
---@param argv string[]
---@return table|nil args  nil: it is wrong
---@return string? usage   of the command that it names, or the commands that it may name
---@return string? why
function parser.read(p, argv)
  local usage, why
  p.error = function(command, message) -- argparse calls it with the command that it had come to
    usage, why = command:get_usage(), message
    if why == "a command is required" then
      usage = usage .. listed(command)
      if command ~= p then why = ("a command is required behind %s"):format(command._name) end
    end
    error(why, 0)
  end
  local ok, args = pcall(p.parse, p, argv)
  if ok then return args end
  if not why then error(args, 0) end
  return nil, usage, why
end

return parser
