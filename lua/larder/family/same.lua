--- Are two declarations the same one, loaded twice?

-- A file that is loaded again makes new functions of the same text: they are the same when they stand at the same place.
local function same_function(a, b)
  local one, other = debug.getinfo(a, "S"), debug.getinfo(b, "S")
  return one.source == other.source and one.linedefined == other.linedefined and one.lastlinedefined == other.lastlinedefined
end

local function at(path, key)
  return path and path .. "." .. tostring(key) or tostring(key)
end

--- Where two declarations differ: "entities.1.fields.2.type"; nil when they do not.
---@param a any
---@param b any
---@param path? string
---@return string|nil
local function difference(a, b, path)
  if a == b then return nil end
  if type(a) == "function" and type(b) == "function" then return not same_function(a, b) and path or nil end
  if type(a) ~= "table" or type(b) ~= "table" then return path or "the whole" end
  for key, value in pairs(a) do
    local found = difference(value, b[key], at(path, key))
    if found then return found end
  end
  for key in pairs(b) do
    if a[key] == nil then return at(path, key) end
  end
  return nil
end

return difference
