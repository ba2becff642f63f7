--- Lists inside of JSON fields: copied, so that nothing of the caller's is changed, and marked as arrays, so
-- that an empty one does not become an object.

local core = require "larder.core"

local lists = {}

--- A copy of a sequence, each item made by `copy(item)`, which may answer nil and what is wrong.
---@param list any
---@param copy fun(item: any): any, string?
---@return table|nil list
---@return string? why  what is wrong with it
function lists.map(list, copy)
  if type(list) ~= "table" then return nil, "must be a list" end
  local result, n = setmetatable({}, core.array_mt), 0
  for name in pairs(list) do
    if type(name) ~= "number" then return nil, "must be a list" end
    n = n + 1
  end
  for i = 1, n do
    local item, why = copy(list[i])
    if item == nil then return nil, ("entry %d %s"):format(i, why) end
    result[i] = item
  end
  return result
end

local function copy_table(item)
  if type(item) ~= "table" then return nil, "must be a table" end
  local copy = {}
  for name, value in pairs(item) do copy[name] = value end
  return copy
end

--- A copy of a list of tables.
---@return table|nil list
---@return string? why
function lists.of_tables(list)
  return lists.map(list, copy_table)
end

return lists
