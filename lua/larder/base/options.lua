--- Options tables: each function declares the names and types it takes, and everything else raises at the caller's line.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

local options = {}

---@class larder.OptionSet
---@field types table<string, string|string[]>
---@field names string[]

local NONE = {}

local function is_list(v)
  return core.shape_fault(v, "list") == nil
end

-- kind → what a message calls it, and the test. A list of words is a kind of its own.
local KINDS = {
  any = { "anything", function() return true end },
  boolean = { "a boolean", function(v) return type(v) == "boolean" end },
  string = { "a text", function(v) return type(v) == "string" end },
  number = { "a number", function(v) return type(v) == "number" end },
  seconds = { "a number of seconds, not negative", function(v) return type(v) == "number" and v >= 0 end },
  count = { "a whole number, not negative", function(v) return type(v) == "number" and v >= 0 and v % 1 == 0 end },
  positive = { "a whole number from 1", function(v) return type(v) == "number" and v >= 1 and v % 1 == 0 end },
  ["function"] = { "a function", function(v) return type(v) == "function" end },
  table = { "a table", function(v) return type(v) == "table" end },
  condition = { "a condition (a table)", function(v) return type(v) == "table" end },
  list = { "a list", is_list },
  ["string|list"] = { "a text or a list", function(v) return type(v) == "string" or is_list(v) end },
  ["string|boolean"] = { "a text or a boolean", function(v) return type(v) == "string" or type(v) == "boolean" end },
  ["string|table"] = { "a text or a table", function(v) return type(v) == "string" or type(v) == "table" end },
  ["function|false"] = { "a function or false", function(v) return v == false or type(v) == "function" end },
}

local function one_of(words, value)
  for _, word in ipairs(words) do
    if word == value then return true end
  end
  return false
end

--- The options that a function takes: name → kind ("boolean", "seconds", …) or the words it may be.
---@param types table<string, string|string[]>
---@return larder.OptionSet
function options.set(types)
  for name, kind in pairs(types) do
    assert(type(kind) == "table" or KINDS[kind], name)
  end
  return { types = types, names = misuse.names(types) }
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
  local wanted = type(kind) == "table" and (#kind > 1 and "one of " or "") .. table.concat(kind, ", ") or KINDS[kind][1]
  local got = type(value) == "string" and ("%q"):format(value) or type(value) == "number" and tostring(value) or misuse.kind(value)
  misuse.raise("%s: option %s must be %s, not %s", method, name, wanted, got)
end

--- The options themselves, an empty table for nil. Raises for what the function does not take.
---@param opts table|nil
---@param set larder.OptionSet
---@param owner string   "shop.items"
---@param method? string  "list"
---@return table
function options.read(opts, set, owner, method)
  if opts == nil then return NONE end
  local full = method and owner .. ":" .. method or owner
  if type(opts) ~= "table" then misuse.raise("%s: options must be a table, not %s", full, misuse.kind(opts)) end
  if getmetatable(opts) ~= nil then misuse.check_shape(opts, "record", full .. ": the table of options") end
  for name, value in next, opts do
    local kind = set.types[name]
    if kind == nil then
      misuse.raise("%s: unknown option %s%s", full, type(name) == "string" and ("%q"):format(name) or tostring(name),
        misuse.hint(name, set.names))
    end
    local fits
    if type(kind) == "table" then fits = one_of(kind, value) else fits = KINDS[kind][2](value) end
    if not fits then refuse_value(full, name, kind, value) end
  end
  return opts
end

return options
