--- Options tables: each function declares the names and types it takes, and everything else raises at the caller's line.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

local options = {}

---@class larder.OptionSet
---@field types table<string, string|string[]>
---@field kinds table<string, number|table<string, true>>  the same for core.options_fit
---@field names string[]

--- What options.read makes of no options. Nobody writes to it.
options.NONE = {}
local NONE = options.NONE

-- Lua's types as bits, and the limits that core.options_fit (csrc/lua/base/misuse.c) knows beside them.
local BOOLEAN, NUMBER, STRING, TABLE, FUNCTION, ANY = 2 ^ 1, 2 ^ 3, 2 ^ 4, 2 ^ 5, 2 ^ 6, 2 ^ 16 - 1
local NOT_NEGATIVE, WHOLE, FROM_ONE, A_LIST = 2 ^ 16, 2 ^ 17, 2 ^ 18, 2 ^ 19

-- kind → what a message calls it, and its number. A list of words is a kind of its own.
local KINDS = {
  any = { "anything", ANY },
  boolean = { "a boolean", BOOLEAN },
  string = { "a text", STRING },
  number = { "a number", NUMBER },
  seconds = { "a number of seconds, not negative", NUMBER + NOT_NEGATIVE },
  count = { "a whole number, not negative", NUMBER + NOT_NEGATIVE + WHOLE },
  positive = { "a whole number from 1", NUMBER + FROM_ONE + WHOLE },
  ["function"] = { "a function", FUNCTION },
  table = { "a table", TABLE },
  condition = { "a condition (a table)", TABLE },
  list = { "a list", TABLE + A_LIST },
  ["string|list"] = { "a text or a list", STRING + TABLE + A_LIST },
  ["string|boolean"] = { "a text or a boolean", STRING + BOOLEAN },
  ["string|table"] = { "a text or a table", STRING + TABLE },
  ["function|false"] = { "a function or false", FUNCTION },
}

--- The options that a function takes: name → kind ("boolean", "seconds", …) or the words it may be.
---@param types table<string, string|string[]>
---@return larder.OptionSet
function options.set(types)
  local kinds = {}
  for name, kind in pairs(types) do
    if type(kind) == "table" then
      kinds[name] = {}
      for _, word in ipairs(kind) do kinds[name][word] = true end
    else
      kinds[name] = assert(KINDS[kind], name)[2]
    end
  end
  return { types = types, kinds = kinds, names = misuse.names(types) }
end

--- A set with more options than another.
---@param set larder.OptionSet
---@param types table<string, string|string[]>
---@return larder.OptionSet
function options.extend(set, types)
  local all = {}
  for name, kind in pairs(set.types) do all[name] = kind end
  for name, kind in pairs(types) do all[name] = kind end
  return options.set(all)
end

local function refuse_value(method, name, kind, value)
  if type(value) == "table" and type(kind) == "string" and kind:find "list$" then
    misuse.raise("%s: option %s %s", method, name, core.shape_fault(value, "list"))
  end
  local wanted = type(kind) == "table" and (#kind > 1 and "one of " or "") .. table.concat(kind, ", ") or KINDS[kind][1]
  local got = type(value) == "string" and ("%q"):format(value) or type(value) == "number" and tostring(value) or misuse.kind(value)
  misuse.raise("%s: option %s must be %s, not %s", method, name, wanted, got)
end

local fits = core.options_fit

-- One option by itself; false is one of "function|false".
local function is_kind(set, name, value)
  return fits({ [name] = value }, set.kinds) or set.types[name] == "function|false" and value == false
end

--- The options themselves, an empty table for nil. Raises for what the function does not take. The core looks through
-- them; only where something is amiss they are looked at again, to say what.
---@param opts table|nil
---@param set larder.OptionSet
---@param owner string   "shop.items"
---@param method? string  "list"
---@return table
function options.read(opts, set, owner, method)
  if opts == nil then return NONE end
  if fits(opts, set.kinds) then return opts end
  local full = method and owner .. ":" .. method or owner
  if type(opts) ~= "table" then misuse.raise("%s: options must be a table, not %s", full, misuse.kind(opts)) end
  if getmetatable(opts) ~= nil then misuse.check_shape(opts, "record", full .. ": the table of options") end
  for name, value in next, opts do
    local kind = set.types[name]
    if kind == nil then
      misuse.raise("%s: unknown option %s%s", full, type(name) == "string" and ("%q"):format(name) or tostring(name),
        misuse.hint(name, set.names))
    end
    if not is_kind(set, name, value) then refuse_value(full, name, kind, value) end
  end
  return opts
end

return options
