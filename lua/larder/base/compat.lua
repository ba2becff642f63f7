--- What Lua 5.4 and LuaJIT call by different names.

local compat = {}

compat.unpack = table.unpack or unpack -- luacheck: ignore 113 143

--- The arguments with their number.
function compat.pack(...)
  return { n = select("#", ...), ... }
end

--- The running coroutine; nil in the main one.
---@return thread|nil
function compat.coroutine()
  local co, main = coroutine.running()
  if main then return nil end
  return co
end

--- Could `require` find this module?
---@param name string
---@return boolean
function compat.has_module(name)
  if package.loaded[name] ~= nil or package.preload[name] then return true end
  return package.searchpath(name, package.path) ~= nil -- luacheck: ignore 143
end

return compat
