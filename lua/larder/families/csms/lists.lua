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
  local fault = core.shape_fault(list, "list")
  if fault then return nil, type(list) == "table" and fault or "must be a list" end
  local result = setmetatable({}, core.array_mt)
  for i = 1, #list do
    local item, why = copy(list[i])
    if item == nil then return nil, ("entry %d %s"):format(i, why) end
    result[i] = item
  end
  return result
end

local function copy_table(item)
  local fault = core.shape_fault(item, "table")
  if fault then return nil, type(item) == "table" and fault or "must be a table" end
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
