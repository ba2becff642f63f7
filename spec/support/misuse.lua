-- Wrong arguments for a function of which the annotations are known, and what it must say to them.

local assert = require "luassert"

local misuse = {}

local unpack = table.unpack or unpack -- luacheck: ignore

local function proxy(of) return setmetatable({}, { __index = of, __pairs = function() return next, of end }) end
local function nothing() end

-- ---- values ----

--- By the names of arguments: one that fits.
misuse.VALID = {
  row = { k = 1 }, rows = { { k = 5 } }, where = { k = 1 }, changes = { v = 2 }, keys = { 1 }, sql = "select 1", fn = nothing,
  name = "keyed", list = { { k = 1 } }, store = "int4", on = { k = "k" }, from = { a = 1 }, text = "text", key = 1,
  condition = { k = 1 }, source = "a", sink = nothing, op = { op = "count" }, def = { name = "x", entities = {} },
  clock = nothing, timeout = 1, target = "memory:", t = {},
}

local VALUES = { number = 5, boolean = true, text = "x", ["function"] = nothing, table = { 7 } }

-- Words of a type by which it takes values of a kind.
local TAKES = {
  number = { "integer", "number" }, boolean = { "boolean" }, text = { "string" }, ["function"] = { "fun%(" },
  table = { "table", "larder", "%[%]", "^{", "^T$" },
}

local function takes(type_, kind)
  for _, word in ipairs(TAKES[kind]) do
    if type_:find(word) then return true end
  end
  return type_ == "any"
end

--- Values that are wrong for an argument of this type, by what they are called.
---@param param { name: string, type: string }
---@return table<string, any>
function misuse.wrong_for(param)
  local wrong, any = {}, param.type == "any" or param.type == "T"
  for kind, value in pairs(VALUES) do
    if not takes(param.type, kind) then wrong[kind] = value end
  end
  if param.name == "opts" then
    wrong["an unknown option"], wrong["a proxy"], wrong["a list"] = { no_such_option = 1 }, proxy { timeout = 1 }, { "timeout" }
  elseif takes(param.type, "table") and not any then
    wrong["a proxy"] = proxy {}
  end
  return wrong
end

-- ---- meeting them ----

--- A call raises a text with the name of the method at a line of the file `here`.
---@param here string
---@param what string    for messages
---@param method string
---@param call function
---@param ... any
function misuse.refused(here, what, method, call, ...)
  local ok, why = pcall(call, ...)
  assert.is_false(ok, what .. " was accepted")
  assert.is_string(why, what .. " raised no text")
  assert.truthy(why:find(here, 1, true), what .. " is blamed on another line: " .. why)
  assert.truthy(why:find(method, 1, true), what .. ": the method is not named: " .. why)
end

--- Each argument in turn is wrong or missing.
---@param here string
---@param object string
---@param name string
---@param params table[]  in their order, as the annotations have them
---@param call fun(...)
function misuse.meet(here, object, name, params, call)
  local args = {}
  for i, param in ipairs(params) do
    for kind, value in pairs(misuse.wrong_for(param)) do
      local given = { unpack(args, 1, i - 1) }
      given[i] = value
      misuse.refused(here, ("%s.%s: %s as %s"):format(object, name, kind, param.name), name, call, unpack(given, 1, i))
    end
    if not param.optional and param.type ~= "any" then
      misuse.refused(here, ("%s.%s: no %s"):format(object, name, param.name), name, call, unpack(args, 1, i - 1))
    end
    args[i] = misuse.VALID[param.name]
  end
end

return misuse
