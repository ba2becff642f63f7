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

--- fn, of up to six arguments, whose first is closed when the call of fn ends in any way: on Lua 5.4 also by
-- coroutine.close.
---@generic F: function
---@param fn F
---@return F
function compat.closing(fn)
  -- Named as this file, so that it counts as larder's own when the caller's line is looked for.
  if _VERSION == "Lua 5.1" then return fn end
  return assert(load([[
    local fn = ...
    return function(first, a, b, c, d, e)
      local _ <close> = first
      return fn(first, a, b, c, d, e)
    end
  ]], debug.getinfo(1, "S").source))(fn)
end

--- Could `require` find this module?
---@param name string
---@return boolean
function compat.has_module(name)
  if package.loaded[name] ~= nil or package.preload[name] then return true end
  return package.searchpath(name, package.path) ~= nil -- luacheck: ignore 143
end

return compat
