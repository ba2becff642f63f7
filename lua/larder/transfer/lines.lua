--- The lines of a file, block by block: only one line and one block of it are in memory.

local BLOCK = 65536

local lines = {}
lines.__index = lines

--- Longest line (or CSV record) that is read unless an option says another.
lines.LONGEST = 16 * 1024 * 1024

---@class larder.Lines
---@field start integer  offset of the line that was read last
---@field line integer   its number, from 1

---@param file file*
---@param longest? integer  bytes
---@return larder.Lines
function lines.new(file, longest)
  return setmetatable({
    file = file, longest = longest or lines.LONGEST, buffer = "", at = 1, base = 0, line = 0, start = 0, ended = false,
  }, lines)
end

-- More of the file behind what is not read yet. As much again as is there, so that a long line is not copied too often.
local function fill(self)
  local rest = self.buffer:sub(self.at)
  local block, why = self.file:read(math.max(BLOCK, #rest))
  if why then return nil, why end
  if not block then
    self.ended = true
    block = ""
  end
  self.base = self.base + self.at - 1
  self.buffer, self.at = rest .. block, 1
  return true
end

--- Leave out a byte order mark. nil and a reason: the file is no UTF-8.
---@return boolean|nil
---@return string? why
function lines:begin()
  local ok, why = fill(self)
  if not ok then return nil, why end
  local two = self.buffer:sub(1, 2)
  if two == "\255\254" or two == "\254\255" then return nil, "it is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8" end
  if self.buffer:sub(1, 3) == "\239\187\191" then self.at = 4 end
  return true
end

-- Go on behind the end of a line that is too long to be kept.
local function skip_line(self)
  while true do
    local found = self.buffer:find("\n", self.at, true)
    if found then
      self.at = found + 1
      return
    end
    self.at = #self.buffer + 1
    if self.ended or not fill(self) then return end
  end
end

--- The next line and what ends it ("\n", "\r\n", or "" at the end of the file); nil at the end; nil and a reason when it
-- cannot be read; false when it is longer than allowed, and left out.
---@return string|false|nil text
---@return string? ending_or_why
function lines:next()
  local from = self.at
  while true do
    local found = self.buffer:find("\n", from, true)
    if not found and self.ended then
      if self.at > #self.buffer then return nil end
      found = #self.buffer + 1
    end
    if found then
      local last, ending = found - 1, found <= #self.buffer and "\n" or ""
      if ending ~= "" and last >= self.at and self.buffer:byte(last) == 13 then last, ending = last - 1, "\r\n" end
      self.start, self.line = self.base + self.at - 1, self.line + 1
      local text = self.buffer:sub(self.at, last)
      self.at = math.min(found, #self.buffer) + 1
      if #text > self.longest then return false end
      return text, ending
    end
    if #self.buffer - self.at >= self.longest then
      self.start, self.line = self.base + self.at - 1, self.line + 1
      skip_line(self)
      return false
    end
    from = #self.buffer - self.at + 2
    local ok, why = fill(self)
    if not ok then return nil, why end
  end
end

--- Offset of what is read next.
---@return integer
function lines:offset()
  return self.base + self.at - 1
end

--- Go to the offset at which line number `line` begins.
---@param offset integer
---@param line integer
---@return boolean|nil
---@return string? why
function lines:seek(offset, line)
  local ok, why = self.file:seek("set", offset)
  if not ok then return nil, why end
  self.buffer, self.at, self.base, self.line, self.ended = "", 1, offset, line - 1, false
  return true
end

return lines
