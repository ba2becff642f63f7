--- CSV as RFC 4180 and PostgreSQL have it: a field in quotes may hold the delimiter, quotes (doubled) and ends of lines; NULL is a
-- certain text without quotes (by default nothing at all), so "" is the empty text.

local csv = {}

-- ---- reading ----

-- A field in quotes that begins at `at` of the line: its value, and the place behind it. It may go on over further lines, which
-- `line.more` hands out. nil and why: it is malformed.
local function quoted(line, at)
  local parts, text = {}, line.text
  at = at + 1
  while true do
    local found = text:find('"', at, true)
    if not found then
      parts[#parts + 1], parts[#parts + 2] = text:sub(at), line.ending
      text, line.ending = line.more()
      if not text then return nil, "a quote is never closed" end
      line.text, at = text, 1
    elseif text:byte(found + 1) == 34 then
      parts[#parts + 1] = text:sub(at, found)
      at = found + 2
    else
      parts[#parts + 1] = text:sub(at, found - 1)
      return table.concat(parts), found + 1
    end
  end
end

local NONE = {}

--- The fields of a line without any quote, which most are.
---@return string[] fields
---@return table<integer, boolean> in_quotes
function csv.split(text, delimiter)
  local fields, n, at = {}, 0, 1
  while true do
    local found = text:find(delimiter, at, true)
    n = n + 1
    fields[n] = text:sub(at, found and found - 1 or -1)
    if not found then return fields, NONE end
    at = found + 1
  end
end

--- The fields of a record. `line.more() → text, ending` hands out what follows inside of quotes, or nil.
---@param line { text: string, ending: string, more: fun(): string|nil, string }  the first line of it
---@param delimiter string  one byte
---@return string[]|nil fields
---@return table<integer, boolean>|string in_quotes_or_why
function csv.parse(line, delimiter)
  local fields, in_quotes, n, at = {}, {}, 0, 1
  local mark, text = delimiter:byte(), line.text
  while true do
    n = n + 1
    if text:byte(at) == 34 then
      local value, behind = quoted(line, at)
      if not value then return nil, behind end
      fields[n], in_quotes[n], text, at = value, true, line.text, behind
      local byte = text:byte(at)
      if byte == nil then return fields, in_quotes end
      if byte ~= mark then return nil, ("field %d: there is text behind its closing quote"):format(n) end
      at = at + 1
    else
      local found = text:find(delimiter, at, true)
      local value = text:sub(at, found and found - 1 or -1)
      if value:find('"', 1, true) then return nil, ("field %d: a quote stands in a field that does not begin with one"):format(n) end
      fields[n] = value
      if not found then return fields, in_quotes end
      at = found + 1
    end
  end
end

-- ---- writing ----

--- One field. nil is NULL.
---@param text string|nil
---@param delimiter string
---@param null string
---@return string
function csv.field(text, delimiter, null)
  if text == nil then return null end
  local bare = text ~= null and text ~= "" and text ~= "\\." and not text:find '["\r\n]' and not text:find(delimiter, 1, true)
  if not bare or text:find "^%s" or text:find "%s$" then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

return csv
