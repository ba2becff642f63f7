--- The manual page larder.1, from what argparse knows of the command line.

local man = {}

-- roff takes a backslash, a dash and a dot at the beginning of a line for its own.
local function text(s)
  return (s:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

local function bold(s) return "\\fB" .. text(s) .. "\\fR" end
local function italic(s) return "\\fI" .. text(s) .. "\\fR" end

-- "--to URL": the name of an option's value, or the option's own in capitals.
local function option_title(option)
  local names = {}
  for i, alias in ipairs(option._aliases) do names[i] = bold(alias) end
  local title, value = table.concat(names, ", "), option._argname
  if option._maxargs == 0 then return title end
  return title .. " " .. italic(value or (option._aliases[#option._aliases]:gsub("^%-+", ""):upper()))
end

local function add_options(lines, parser)
  for _, option in ipairs(parser._options) do
    if not option._hidden then
      local said = option._description or ""
      if option._choices then said = said .. " One of " .. table.concat(option._choices, ", ") .. "." end
      lines[#lines + 1] = ".TP\n" .. option_title(option) .. "\n" .. text(said)
    end
  end
end

local function synopsis(name, command)
  local parts = { bold(name) }
  if #command._commands > 0 then parts[#parts + 1] = italic "command" end
  for _, argument in ipairs(command._arguments) do
    local word = italic(argument._name) .. (argument._maxargs > 1 and " ..." or "")
    parts[#parts + 1] = argument._minargs == 0 and "[" .. word .. "]" or word
  end
  if #command._options > 1 then parts[#parts + 1] = "[" .. italic "options" .. "]" end
  return table.concat(parts, " ")
end

local function add_command(lines, command, prefix)
  local name = prefix .. command._name
  lines[#lines + 1] = ".SS " .. synopsis(name, command) .. "\n" .. text(command._description or "")
  for _, argument in ipairs(command._arguments) do
    if argument._description then lines[#lines + 1] = ".TP\n" .. italic(argument._name) .. "\n" .. text(argument._description) end
  end
  add_options(lines, command)
  for _, sub in ipairs(command._commands) do add_command(lines, sub, name .. " ") end
end

local EXIT = {
  { 0, "It was done." }, { 1, "It was tried and went wrong." },
  { 2, "It was not tried: the command line, the project file or a setting is wrong." },
  { 3, "The database is not what the declarations or files say." }, { 4, "migrate status --exit-code: something is pending." },
  { 5, "Another process holds the migration lock." },
}

local AROUND = {
  { section = "FILES", ".larder", "The project: Lua that returns a table. Looked for in the working directory and above it." },
  { "~/.larder_history", "What was typed into the console." },
  { section = "ENVIRONMENT", "DATABASE_URL, PGHOST, ...", "The database, where neither --url nor the project names one." },
  { "NO_COLOR", "When it is set, nothing is coloured." },
}

--- The page as roff.
---@param parser table  of argparse
---@return string
function man.page(parser)
  local lines = {
    '.TH LARDER 1 "" "larder" "User Commands"', ".SH NAME\nlarder \\- " .. text(parser._description:sub(1, 1):lower()
      .. parser._description:sub(2):gsub("%.$", "")),
    ".SH SYNOPSIS\n" .. bold "larder" .. " [" .. italic "options" .. "] " .. italic "command" .. " ...",
    ".SH DESCRIPTION\nWorks on one database and says first, on standard error, which one it is. Results go to standard output. "
      .. "Colours, progress lines and questions appear on a terminal only.",
    ".SH OPTIONS",
  }
  add_options(lines, parser)
  lines[#lines + 1] = ".SH COMMANDS"
  for _, command in ipairs(parser._commands) do add_command(lines, command, "") end
  lines[#lines + 1] = ".SH EXIT STATUS"
  for _, row in ipairs(EXIT) do lines[#lines + 1] = (".TP\n%d\n%s"):format(row[1], text(row[2])) end
  for _, row in ipairs(AROUND) do
    lines[#lines + 1] = (row.section and ".SH " .. row.section .. "\n" or "") .. ".TP\n" .. bold(row[1]) .. "\n" .. text(row[2])
  end
  return table.concat(lines, "\n") .. "\n"
end

return man
