--- The file of refused rows: NDJSON, one object a row, with its place in the source, the error, and the record as it stands there.

local core = require "larder.core"
local errors = require "larder.base.errors"

local BLOCK = 65536

local refused = {}
refused.__index = refused

--- Nothing is opened before there is something to write.
---@param path string
function refused.new(path)
  return setmetatable({ path = path, length = 0 }, refused)
end

local function failed(why)
  return nil, errors.new { code = "internal", message = "refused rows cannot be written: " .. tostring(why) }
end

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- The row of a source that has no records. What no JSON can hold is left out: family, store and index tell which row it is.
local function row_of(item)
  if item.record or not item.row then return nil end
  return core.json_encode(item.row)
end

local ORDER = { "file", "line", "index", "store", "code", "constraint", "message", "record", "record_hex" }

local function line_of(item)
  local utf8 = not item.record or core.utf8_valid(item.record)
  local found = {
    file = item.file, line = item.line, index = item.index, store = item.family .. "." .. item.store, code = item.err.code,
    constraint = item.err.constraint, message = tostring(item.err), record = utf8 and item.record or nil,
    record_hex = not utf8 and hex(item.record) or nil,
  }
  local parts = {}
  for _, name in ipairs(ORDER) do
    if found[name] ~= nil then parts[#parts + 1] = ('"%s":%s'):format(name, (assert(core.json_encode(found[name])))) end
  end
  local row = row_of(item)
  if row then parts[#parts + 1] = '"row":' .. row end
  return "{" .. table.concat(parts, ",") .. "}\n"
end

--- Write rows, so that they are in the file when the process is killed.
---@param items table[]  as the report has them
---@return boolean|nil
---@return larder.Error? err
function refused:write(items)
  if #items == 0 then return true end
  if not self.file then
    local why
    self.file, why = io.open(self.path, self.length == 0 and "wb" or "ab")
    if not self.file then return failed(why) end
  end
  for _, item in ipairs(items) do
    local text = line_of(item)
    local ok, why = self.file:write(text)
    if not ok then return failed(why) end
    self.length = self.length + #text
  end
  local ok, why = self.file:flush()
  if not ok then return failed(why) end
  return true
end

local function copy(from, to, length)
  while length > 0 do
    local block = from:read(math.min(BLOCK, length))
    if not block then break end
    local ok, why = to:write(block)
    if not ok then return nil, why end
    length = length - #block
  end
  return to:close()
end

--- Go on behind the first `length` bytes: what a killed process wrote behind them belongs to rows that it did not commit.
---@param length integer
---@return boolean|nil
---@return larder.Error? err
function refused:continue(length)
  self:close()
  self.length = 0
  if length == 0 then
    os.remove(self.path)
    return true
  end
  local from = io.open(self.path, "rb")
  if not from then return true end -- taken away meanwhile
  local size = from:seek "end"
  from:seek "set"
  self.length = math.min(size, length)
  local ok, why = true, nil
  if size > length then
    local to
    to, why = io.open(self.path .. ".part", "wb")
    ok = to and copy(from, to, length)
    if ok then ok, why = os.rename(self.path .. ".part", self.path) end
  end
  from:close()
  if not ok then return failed(why) end
  return true
end

function refused:close()
  if self.file then self.file:close() end
  self.file = nil
end

return refused
