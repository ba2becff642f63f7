--- larder throwaway: a command with a PostgreSQL of its own.

local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "throwaway", json = false } -- what the program prints is its own

function command.describe(parser)
  local c = parser:command("throwaway", "Run a command with a PostgreSQL of its own, which is gone afterwards: DATABASE_URL names it.")
  c:argument("program", "The command and its arguments, behind --."):args "+"
end

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

-- os.execute answers a number on Lua 5.1, and true or nil with a word and a number on others.
local function code_of(ok, _, code)
  local status = type(ok) == "number" and ok or code
  if status and status > 255 then status = math.floor(status / 256) end -- a status of wait(2)
  return status or exit.FAILED
end

function command.run(ctx)
  local script = debug.getinfo(1, "S").source:sub(2):gsub("cli/commands/throwaway%.lua$", "testing/with_pg.sh")
  local words = {}
  for _, word in ipairs(ctx.args.program) do
    if word ~= "--" or #words > 0 then words[#words + 1] = quoted(word) end
  end
  if #words == 0 then
    out.note "throwaway needs a command: larder throwaway -- busted"
    return exit.MISUSE
  end
  local line = ("env -u LARDER_TEST_URL LARDER_PG_DATABASE_URL=yes %s %s"):format(
    quoted(script), table.concat(words, " "))
  return code_of(os.execute(line))
end

return command
