-- Annotations (LuaCATS) as the sources have them: functions with their parameters and answers, classes with their fields. A block is
-- { text = lines, params =, returns =, fields = lists of { name =, optional =, type =, text = } }.

local annotations = {}

-- "type  words" → the type, which may hold blanks inside of brackets and behind a colon or comma, and the words.
local function split_type(text)
  local depth = 0
  for i = 1, #text do
    local c = text:sub(i, i)
    if c:find "[%(%{<%[]" then depth = depth + 1 end
    if c:find "[%)%}>%]]" then depth = depth - 1 end
    if c == " " and depth == 0 and not text:sub(i - 1, i - 1):find "[:,|]" then
      return text:sub(1, i - 1), text:sub(i + 1):match "^%s*(.*)$"
    end
  end
  return text, ""
end

local function new_block() return { text = {}, params = {}, returns = {}, fields = {} } end

-- One line of a comment; returns the item that the next line without a mark of its own goes on with.
local function read_line(block, line, item)
  local name, mark, rest = line:match "^%-%-%-@param%s+([%w_%.]+)(%??)%s+(.*)$"
  if name then
    local kind, words = split_type(rest)
    block.params[#block.params + 1] = { name = name, optional = mark == "?", type = kind, text = words }
    return block.params[#block.params]
  end
  name, mark, rest = line:match "^%-%-%-@field%s+([%w_]+)(%??)%s+(.*)$"
  if name then
    local kind, words = split_type(rest)
    block.fields[#block.fields + 1] = { name = name, optional = mark == "?", type = kind, text = words }
    return block.fields[#block.fields]
  end
  rest = line:match "^%-%-%-@return%s+(.*)$"
  if rest then
    local kind, words = split_type(rest)
    block.returns[#block.returns + 1] = { type = kind, text = words }
    return block.returns[#block.returns]
  end
  if line:find "^%-%-%-@" then return nil end
  rest = line:match "^%-%-%-?%s?(.*)$"
  if item then
    item.text = (item.text .. " " .. rest):match "^%s*(.*)$"
  else
    block.text[#block.text + 1] = rest
  end
  return item
end

-- The function that a line begins: table, sign between, name, parameters.
local function function_of(line)
  local object, sign, name, params = line:match "^function ([%w_]+)([%.:])([%w_]+)%((.-)%)"
  if object then return object, sign, name, params end
  object, name, params = line:match '^(%w+)%["(%w+)"%] = function%((.-)%)'
  if object then return object, ".", name, params end
  object, name = line:match "^(%w+)%.([%w_]+) = [%w_]+%("
  return object, ":", name, "..."
end

--- What a source says, added to both tables.
---@param path string
---@param functions table<string, table[]>  path, sign (":" or ".") and the table's name → { name =, params =, block = }
---@param classes table<string, table>      name without "larder." → block; parent: the class that it extends
function annotations.read(path, functions, classes)
  local block, item = new_block(), nil
  for line in io.lines(path) do
    local named = line:match "^%-%-%-@class%s+larder%.([%w_]+)"
    if named then
      classes[named] = classes[named] or new_block()
      classes[named].parent = line:match ":%s*larder%.([%w_]+)" or classes[named].parent
      block, item = new_block(), nil
      block.class = classes[named]
    elseif line:find "^%-%-" then
      item = read_line(block.class or block, line, item)
    else
      local object, sign, name, params = function_of(line)
      if object and not block.class then
        local place = path .. sign .. object
        functions[place] = functions[place] or {}
        table.insert(functions[place], { name = name, params = params, block = block })
      end
      block, item = new_block(), nil
    end
  end
end

--- The functions of a source by "table.name": { params = those with a name, vararg = takes ..., method = called with a colon }.
---@param path string
---@return table<string, { params: table[], vararg: boolean, method: boolean }>
function annotations.of(path)
  local functions, found = {}, {}
  annotations.read(path, functions, {})
  for place, list in pairs(functions) do
    local sign, object = place:match "([%.:])([%w_]+)$"
    for _, fn in ipairs(list) do
      local params, vararg = {}, fn.params == "..."
      for i, param in ipairs(fn.block.params) do
        if i == #fn.block.params and param.name == "..." then vararg = true else params[#params + 1] = param end
      end
      found[object .. "." .. fn.name] = { params = params, vararg = vararg, method = sign == ":" }
    end
  end
  return found
end

return annotations
