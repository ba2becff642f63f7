--- What the tool prints: plain lines in a pipe, colours and a progress line on a terminal. Results go to standard output, what
-- is said beside them to standard error.

local larder = require "larder"
local exit = require "larder.cli.exit"

local has_term, term = pcall(require, "term")

local out = {}

local CODES = { red = 31, green = 32, yellow = 33, blue = 34, dim = 2, bold = 1 }

--- Is the stream a terminal? false where the package lua-term is missing.
---@param stream file*
---@return boolean
function out.is_terminal(stream)
  return has_term and term.isatty(stream) == true
end

local function colours(stream)
  local off = os.getenv "NO_COLOR"
  return out.is_terminal(stream) and (off == nil or off == "")
end

---@param text string
---@param colour "red"|"green"|"yellow"|"blue"|"dim"|"bold"
---@param stream? file*  standard output by default
---@return string
function out.coloured(text, colour, stream)
  if not colours(stream or io.stdout) then return text end
  return ("\27[%dm%s\27[0m"):format(CODES[colour], text)
end

--- A line of the result.
function out.line(fmt, ...)
  print(select("#", ...) > 0 and fmt:format(...) or fmt)
end

--- A line beside the result, behind what was printed before.
function out.note(fmt, ...)
  io.stdout:flush()
  io.stderr:write(fmt:format(...), "\n")
end

--- The result as JSON.
function out.json(value)
  print((assert(larder.json.encode(value))))
end

-- Characters, not bytes; colours take no room.
local function width(text)
  local bare = text:gsub("\27%[%d+m", "")
  return select(2, bare:gsub("[^\128-\191]", ""))
end

---@param text string
---@param n integer  columns of a terminal
function out.padded(text, n)
  return text .. (" "):rep(n - width(text))
end

-- What would move the cursor, or the line, of a terminal.
local function visible(text)
  return (text:gsub("[%z\1-\31\127]", function(c)
    local named = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
    return named[c] or ("\\x%02x"):format(c:byte())
  end))
end

--- At most n characters, on one line.
---@param text string
---@param n integer
function out.shortened(text, n)
  text = visible(text)
  if width(text) <= n then return text end
  local at, shown = 1, 0
  while shown < n - 1 do
    at = text:find("[^\128-\191]", at + 1)
    shown = shown + 1
  end
  return text:sub(1, at - 1) .. "…"
end

--- Rows in columns. `columns`: { { "title", key or function }, … }
---@param columns table[]
---@param rows table[]
function out.columns(columns, rows)
  local cells, widths = {}, {}
  for c, column in ipairs(columns) do widths[c] = width(column[1]) end
  for r, row in ipairs(rows) do
    cells[r] = {}
    for c, column in ipairs(columns) do
      local value = type(column[2]) == "function" and column[2](row) or row[column[2]]
      local text = value == nil and "" or tostring(value):gsub("[\r\n]+", " ")
      cells[r][c] = text
      widths[c] = math.max(widths[c], width(text))
    end
  end
  local function show(list, colour)
    local parts = {}
    for c, text in ipairs(list) do parts[c] = c < #list and out.padded(text, widths[c]) or text end
    local line = table.concat(parts, "  "):gsub("%s+$", "")
    out.line("%s", colour and out.coloured(line, colour) or line)
  end
  local titles = {}
  for c, column in ipairs(columns) do titles[c] = column[1] end
  show(titles, "bold")
  for _, list in ipairs(cells) do show(list) end
end

--- On a terminal: a line that is written over and over; in a pipe: nothing. Ended by an empty text.
function out.progress(fmt, ...)
  if not out.is_terminal(io.stderr) then return end
  io.stderr:write("\r\27[K", select("#", ...) > 0 and fmt:format(...) or fmt)
  io.stderr:flush()
end

--- A bar for a share of 0 to 1.
---@param share number
---@return string
function out.bar(share)
  local room = 24
  local full = math.floor(math.max(0, math.min(1, share)) * room + 0.5)
  return "[" .. ("#"):rep(full) .. ("."):rep(room - full) .. "]"
end

--- Where in our own files something was noticed is of no use to the reader, unless it is a fault of ours.
---@param err any
---@return string
function out.without_place(err)
  local text = tostring(err)
  if text:find "^[^:%s]+:%d+: attempt to " or text:find "^[^:%s]+:%d+: bad argument #" then
    return "a fault of larder, please report it: " .. text
  end
  while text:find "^[^:%s]+:%d+: " do text = text:gsub("^[^:%s]+:%d+: ", "", 1) end
  return text
end

-- The next command for what a first user meets, where the error itself names none.
local function next_command(err)
  if err.code == "connection" and err.message:find 'database ".-" does not exist' then return "`larder createdb` makes it" end
end

--- Says what went wrong, and what to do.
---@param err any
---@return integer exit_code
function out.complain(err)
  local text = out.without_place(err)
  io.stdout:flush()
  io.stderr:write(out.coloured("larder: ", "red", io.stderr), text, "\n")
  local is_error = larder.is_error(err)
  local hint = is_error and (err.hint or next_command(err))
  if hint and not text:find(hint, 1, true) then io.stderr:write("  hint: ", hint, "\n") end
  if is_error and err.detail and not text:find(err.detail, 1, true) then io.stderr:write("  detail: ", err.detail, "\n") end
  if is_error and err.code == "locked" then return exit.LOCKED end
  if is_error and err.code == "drift" then return exit.DRIFT end
  return exit.FAILED
end

--- The command line or the project is wrong.
---@return integer exit_code
function out.misuse(fmt, ...)
  io.stderr:write(out.coloured("larder: ", "red", io.stderr), fmt:format(...), "\n")
  return exit.MISUSE
end

return out
