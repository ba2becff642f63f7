--- Misuse raises: a text with the caller's line, the method and what was expected. What the world does wrong is an error object
-- instead (larder.base.errors).

local core = require "larder.core"

local misuse = {}

-- Files beside this one are larder's own: the line that is blamed is the first outside of them.
local home = debug.getinfo(1, "S").source:match "^(@.*[/\\])base[/\\]misuse%.lua$"
if home then core.own(home) end

--- Raise at the caller's line.
---@param fmt string
---@param ... any
function misuse.raise(fmt, ...)
  return core.misuse(fmt:format(...))
end

--- `; did you mean where?`, or an empty text when no name is near.
---@param name any
---@param names string[]
---@return string
function misuse.hint(name, names)
  local meant = core.nearest(name, names)
  return meant and ("; did you mean %s?"):format(meant) or ""
end

--- The keys of a set, sorted.
---@param set table<string, any>
---@return string[]
function misuse.names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- Let a table say which of its members was probably meant, when one is asked for that it does not have. A name that is near none of
-- them is nil, as in every table: so are names of larder's own, which begin with `_`, and those in `known`, so that
-- `if store.method then` may ask for what only some of its kind have.
---@generic T: table
---@param members T
---@param what string          "shop.items": who has them
---@param known? table<string, any>
---@return T
function misuse.spelled(members, what, known)
  local names
  return setmetatable(members, { __index = function(_, name)
    if type(name) ~= "string" or known and known[name] ~= nil then return nil end
    local first = name:sub(1, 1):lower() -- who mistypes a name, seldom does so at its beginning
    if first == "_" then return nil end
    if not names then
      names = {}
      for _, member in ipairs(misuse.names(members)) do
        if member:sub(1, 1) ~= "_" then names[#names + 1] = member end
      end
    end
    local meant = core.nearest(name, names)
    if meant and meant:sub(1, 1):lower() == first then misuse.raise("%s has no %s; did you mean %s?", what, name, meant) end
    return nil
  end })
end

--- Raise unless t is a list ("list": keys 1 to n and no other), a table with names as its keys ("record"), one with both
-- ("condition") or with any keys ("table"), without a metatable that hides what it holds.
---@param t any
---@param shape "list"|"record"|"condition"|"table"
---@param what string  "shop.items:get_many: the list of keys"
function misuse.check_shape(t, shape, what)
  local why = core.shape_fault(t, shape)
  if why then misuse.raise("%s %s", what, why) end
end

--- "a table", "nil", "text": what a value is, in a message.
---@param v any
---@return string
function misuse.kind(v)
  if v == nil then return "nil" end
  if v == core.null then return "null" end
  return "a " .. (type(v) == "cdata" and "cdata" or type(v))
end

--- Can v be called? A function, or a table that a class library made callable.
---@param v any
---@return boolean
function misuse.callable(v)
  local class = type(v) == "table" and getmetatable(v)
  return type(v) == "function" or type(class) == "table" and class.__call ~= nil
end

--- A method was called with a dot in place of the colon, or on something else.
---@param name string
---@param object string "a store": what it is a method of
function misuse.no_self(name, object)
  return misuse.raise("%s is a method of %s: call it with a colon, object:%s(…), not with a dot", name, object, name)
end

-- How many arguments one of larder's own methods takes behind the object; nil: any number, or it is a method of the user's.
local function most_arguments(method)
  local info = debug.getinfo(method, "Su")
  if not home or info.isvararg or info.source:sub(1, #home) ~= home then return nil end
  return math.max(info.nparams - 1, 0) -- one written with a dot does not look at its object
end

--- Raise when something stands behind the last argument that a method takes: it would be ignored.
---@param most integer
---@param what string  "shop.items:flush"
function misuse.check_count(most, what, ...)
  for i = most + 1, select("#", ...) do
    if (select(i, ...)) ~= nil then
      misuse.raise("%s takes %d argument%s at most, not %d", what, most, most == 1 and "" or "s", select("#", ...))
    end
  end
end

--- A function that takes no more than the arguments it names.
---@param method function
---@param name fun(self: any): string
---@return function
function misuse.counted(method, name)
  local most = most_arguments(method)
  if not most then return method end
  return function(self, ...)
    if select("#", ...) > most then misuse.check_count(most, name(self), ...) end
    return method(self, ...)
  end
end

-- By the number of its arguments: a function with one more, which must be nil. No list of arguments is made for a call.
local EXACT = {
  [0] = function(fn, check) return function(extra) if extra ~= nil then check(0, extra) end return fn() end end,
  function(fn, check) return function(a, extra) if extra ~= nil then check(1, a, extra) end return fn(a) end end,
  function(fn, check) return function(a, b, extra) if extra ~= nil then check(2, a, b, extra) end return fn(a, b) end end,
  function(fn, check) return function(a, b, c, extra) if extra ~= nil then check(3, a, b, c, extra) end return fn(a, b, c) end end,
}

--- A function that is no method and takes no more than the arguments it names: what would be ignored raises.
---@param fn function
---@param name string  "larder.merge"
---@return function
function misuse.exact(fn, name)
  local info = debug.getinfo(fn, "u")
  if info.isvararg then return fn end
  return EXACT[info.nparams](fn, function(n, ...) return misuse.check_count(n, name, ...) end)
end

--- Methods that say so when they are called on something else than their object, or with more arguments than they take.
---@param methods table<string, function>
---@param mark string   a field that every object has
---@param object string "a store": what they are methods of
---@param careful? table<function, true>  those that look by themselves: a wrapper costs as much as a short method
---@return table<string, function>
function misuse.guarded(methods, mark, object, careful)
  local guarded = {}
  for name, method in pairs(methods) do
    local most = most_arguments(method)
    guarded[name] = careful and careful[method] and method or function(self, ...)
      if type(self) ~= "table" or self[mark] == nil then return misuse.no_self(name, object) end
      if most and select("#", ...) > most then
        misuse.check_count(most, (self._entity and self._entity.full .. ":" or object .. ": ") .. name, ...)
      end
      return method(self, ...)
    end
  end
  return guarded
end

--- Guard methods of a class where they stand; the others are called by larder alone.
---@param class table
---@param names string[]
---@param mark string
---@param object string
function misuse.guard(class, names, mark, object)
  local methods = {}
  for _, name in ipairs(names) do methods[name] = class[name] end
  for name, method in pairs(misuse.guarded(methods, mark, object)) do class[name] = method end
end

return misuse
