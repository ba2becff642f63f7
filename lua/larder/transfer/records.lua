--- Rows of one file: records of CSV or lines of NDJSON, each with the place where it stands.

local core = require "larder.core"
local csv = require "larder.transfer.csv"
local errors = require "larder.base.errors"
local lines = require "larder.transfer.lines"
local misuse = require "larder.base.misuse"

local records = {}
records.__index = records

-- ---- faults ----

--- The file as a whole cannot be read further.
local function bad_file(self, fmt, ...)
  local message = fmt:format(...)
  return nil, errors.new { code = "invalid", store = self.store, file = self.path, line = self.lines.line,
    message = ("%s:%d: %s"):format(self.path, math.max(self.lines.line, 1), message) }
end

--- One record is no row.
local function bad_record(self, message)
  return { err = errors.new { code = "invalid", store = self.store, message = message } }
end

-- ---- CSV ----

local function list_of(names)
  return table.concat(names, ", ")
end

-- Raises nothing: what a file says is the world's.
local function check_header(self, names)
  local seen, known = {}, {}
  for _, field in ipairs(self.list) do known[#known + 1] = field.name end
  for i, name in ipairs(names) do
    if not self.by_name[name] then
      local other = #names == 1 and name:match "[;\t|]"
      if other then return bad_file(self, "the header has one column only; is %q the delimiter?", other) end
      return bad_file(self, "column %d: %s has no field %q%s", i, self.store, name, misuse.hint(name, known))
    end
    if seen[name] then return bad_file(self, "column %s stands in the header twice", name) end
    seen[name] = true
  end
  local missing = {}
  for _, field in ipairs(self.list) do
    if field.required and not seen[field.name] then missing[#missing + 1] = field.name end
  end
  if #missing > 0 then return bad_file(self, "columns are missing that %s requires: %s", self.store, list_of(missing)) end
  return true
end

-- What `csv.parse` asks for inside of quotes. Stops at a record that is too long: most likely a quote is not closed.
local function following(self, text, ending)
  local parts, size, line = { text, ending }, #text, self.lines.line
  return function()
    local more, more_ending = self.lines:next()
    if more == nil then
      self.broken = more_ending or ("the quote that opens in line %d is never closed"):format(line)
      return nil
    end
    size = size + #(more or "") + 2
    if more == false or size > self.lines.longest then
      self.broken = ("the record that begins in line %d is longer than %d bytes; is a quote not closed?"):format(line, self.lines.longest)
      return nil
    end
    parts[#parts + 1], parts[#parts + 2] = more, more_ending
    return more, more_ending
  end, parts
end

local function csv_fields(self, text, ending)
  if not text:find('"', 1, true) then
    local names, in_quotes = csv.split(text, self.opts.delimiter)
    return names, in_quotes, text
  end
  local more, parts = following(self, text, ending)
  local names, why = csv.parse({ text = text, ending = ending, more = more }, self.opts.delimiter)
  parts[#parts] = "" -- the end of the last line belongs to no field
  return names, why, table.concat(parts)
end

local function csv_row(self, values, in_quotes)
  if #values ~= #self.columns then
    return bad_record(self, ("the record has %d field%s, the header has %d"):format(#values, #values == 1 and "" or "s", #self.columns))
  end
  local row = {}
  for i, field in ipairs(self.columns) do
    local value, why = core.null, nil
    if values[i] ~= self.opts.null or in_quotes[i] then value, why = field.from_text(values[i]) end
    if why then return bad_record(self, field.name .. " " .. why) end
    row[field.name] = value
  end
  return { row = row }
end

local function read_csv(self, text, ending)
  local values, in_quotes, record = csv_fields(self, text, ending)
  if self.broken then return bad_file(self, "%s", self.broken) end
  local found = values and csv_row(self, values, in_quotes) or bad_record(self, in_quotes)
  found.record = record
  return found
end

local function begin_csv(self)
  local text, ending = self.lines:next()
  if not text then
    return bad_file(self, "%s", text == false and "the header is too long" or ending or "the file is empty: it has no header")
  end
  local names, why = csv_fields(self, text, ending)
  if not names then return bad_file(self, "%s", self.broken or why) end
  local ok, err = check_header(self, names)
  if not ok then return nil, err end
  self.columns = {}
  for i, name in ipairs(names) do self.columns[i] = self.by_name[name] end
  return true
end

-- ---- NDJSON ----

local function json_row(self, text)
  local object, err = core.json_decode(text)
  if object == nil then return bad_record(self, (err.message:gsub("^json_decode: ", ""))) end
  if type(object) ~= "table" or getmetatable(object) ~= nil then return bad_record(self, "the line must be a JSON object") end
  for name, value in pairs(object) do
    local field = self.by_name[name]
    if field and value ~= core.null then
      local made, why = field.from_json(value)
      if made == nil then return bad_record(self, name .. " " .. why) end
      object[name] = made
    end
  end
  return { row = object }
end

local function read_json(self, text)
  if self.lines.line == 1 and text:find "^%s*%[" then
    return bad_file(self, "it is one JSON array; write one object a line: jq -c '.[]'")
  end
  local found = json_row(self, text)
  found.record = text
  return found
end

-- ---- any format ----

local FORMATS = { csv = { read = read_csv, begin = begin_csv }, ndjson = { read = read_json } }

--- Open the records of a file. A wrong header, and what is no text in UTF-8, is an error.
---@param file file*
---@param at { path: string, store: string, list: table, by_name: table, opts: table }
---@return table|nil
---@return larder.Error? err
function records.open(file, at)
  local self = setmetatable(at, records)
  self.lines, self.index = lines.new(file, at.opts.max_line), 0
  local format = FORMATS[at.opts.format]
  self.read = format.read
  local ok, why = self.lines:begin()
  if not ok then return bad_file(self, "%s", why) end
  if format.begin then
    ok, why = format.begin(self)
    if not ok then return nil, why end
  end
  return self
end

--- The next record: `{ row = … }` or `{ err = … }`, with its place; nil at the end; nil, err.
function records:next()
  while true do
    local text, ending = self.lines:next()
    if text == nil then
      if ending then return bad_file(self, "%s", ending) end
      return nil
    end
    if text ~= "" then
      local line, offset = self.lines.line, self.lines.start
      local found, err
      if text then
        found, err = self:read(text, ending)
        if not found then return nil, err end
      else
        found = bad_record(self, ("the line is longer than %d bytes"):format(self.lines.longest))
      end
      self.index = self.index + 1
      found.place = { index = self.index, line = line, offset = offset, file = self.path, record = found.record }
      return found
    end
  end
end

--- Where the next record begins.
function records:position()
  return { offset = self.lines:offset(), line = self.lines.line + 1, index = self.index }
end

--- Go on at a position.
function records:seek(position)
  self.index = position.index
  local ok, why = self.lines:seek(position.offset, position.line)
  if not ok then return bad_file(self, "%s", why) end
  return true
end

return records
