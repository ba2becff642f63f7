-- Every option of every public function meets every kind of wrong value: it raises at the caller's line and names the function or the
-- option, or answers `invalid`. The options are those that the annotations name, so that a new one is met without a word here.

local larder = require "larder"
local reference = require "tools.reference"
local wrong = require "spec.support.misuse"
require "spec.support.keyed"

local HERE = "misuse_options_spec.lua:"
local unpack = table.unpack or unpack -- luacheck: ignore

local functions, classes = reference.functions()

-- ---- the options of a function ----

-- "{ a?: type, b: type }" → fields
local function inline(text)
  local fields, rest = {}, text:sub(2, -2)
  for name, type_ in rest:gmatch "([%w_]+)%??:%s*([^,}]+)" do fields[#fields + 1] = { name = name, type = type_ } end
  return fields
end

local function add(into, fields)
  for _, field in ipairs(fields) do into[#into + 1] = field end
  return into
end

-- Of a type as the annotations write it: of each class in it, of the classes that these extend, and of tables written out.
local function fields_of(type_)
  local fields = {}
  for name in type_:gmatch "larder%.(%w+Options)" do
    local class = assert(classes[name], "no class " .. name)
    add(fields, class.fields)
    if class.parent then add(fields, fields_of("larder." .. class.parent)) end
  end
  for text in type_:gsub("fun%b()", ""):gmatch "%b{}" do add(fields, inline(text)) end
  return fields
end

-- What the functions take whose options stand behind `...`.
local READ, CHANGE, DELETE = "larder.ReadOptions", "larder.UpdateOptions", "{ timeout?: number }"
local BEHIND = {
  ["store:get"] = { READ, 1 }, ["store:exists"] = { READ, 1 },
  ["store:list"] = { "larder.ListOptions" }, ["store:each"] = { "larder.ListOptions" },
  ["store:count"] = { READ, { k = 1 } }, ["store:patch"] = { CHANGE, 1, { v = 2 } }, ["store:delete"] = { DELETE, 1 },
  ["store:soft_delete"] = { DELETE, 1 }, ["store:restore"] = { DELETE, 1 }, ["store:purge"] = { DELETE, 1 },
}

-- ---- values ----

local ALIASES = { ["larder.Where"] = "table", ["larder.Include"] = "table", ["larder.LoopName"] = "word", ["larder.Waiter"] = "fun()" }

local function wrong_values(type_)
  type_ = type_:gsub("larder%.%u%w+", function(name) return ALIASES[name] or "table" end)
  local values = wrong.wrong_for { name = "", type = type_ }
  if type_:find "integer" or type_:find "number" then values["NaN"], values["less than nothing"] = 0 / 0, -1 end
  if type_:find "integer" then values["a fraction"] = 1.5 end
  if type_:find "false" or type_:find "true" then values.boolean = nil end
  return values
end

-- ---- meeting them ----

describe("misuse of options", function()
  local db, other = assert(larder.open "memory:"), assert(larder.open "memory:")
  local store = db:stores("keyed").int4_alone
  local objects = {
    ["larder."] = larder, ["db:"] = db, ["store:"] = store, ["migrate."] = require "larder.migrate",
    ["testing."] = require "larder.testing",
  }
  wrong.VALID.db, wrong.VALID.family, wrong.VALID.version, wrong.VALID.open = db, "keyed", 1, db
  local ARGS = { ["larder.transfer"] = { db, other }, ["larder.files"] = { "/nowhere" } }

  teardown(function()
    db:close()
    other:close()
  end)

  local function told(what, name, option, call)
    local ok, answer, err = pcall(call)
    if ok then
      assert.is_nil(answer, what .. " was accepted")
      assert.is_true(larder.is_error(err), what .. " was accepted")
      assert.equal("invalid", err.code, what .. ": " .. tostring(err))
    else
      assert.is_string(answer, what .. " raised no text")
      assert.truthy(answer:find(HERE, 1, true), what .. " is blamed on another line: " .. answer)
      assert.truthy(answer:find(name, 1, true) or answer:find(option, 1, true), what .. ": nothing is named: " .. answer)
    end
  end

  local function meet(fn, type_, before)
    local object, is_method = objects[fn.prefix], fn.prefix:sub(-1) == ":"
    for _, field in ipairs(fields_of(type_)) do
      for kind, value in pairs(wrong_values(field.type)) do
        local args = { unpack(before) }
        args[#before + 1] = { [field.name] = value }
        if fn.params == "opts, fn" then args[#args + 1] = function() end end
        told(("%s%s: %s as %s"):format(fn.prefix, fn.name, kind, field.name), fn.name, field.name, function()
          local answer, err
          if is_method then answer, err = object[fn.name](object, unpack(args)) else answer, err = object[fn.name](unpack(args)) end
          if fn.name == "each" then return answer() end -- it looks at its options when it is asked for a row
          return answer, err
        end)
      end
    end
  end

  local met = 0
  for _, fn in ipairs(functions) do
    local full, params = fn.prefix .. fn.name, fn.block.params
    local last = params[#params]
    local takes = last and (last.name == "opts" or params[1].name == "opts") and (last.name == "opts" and last or params[1])
    if (takes or BEHIND[full]) and objects[fn.prefix] and objects[fn.prefix][fn.name] then
      met = met + 1
      it(("of %s is told"):format(full), function()
        local before = ARGS[full] or {}
        if BEHIND[full] then return meet(fn, BEHIND[full][1], { unpack(BEHIND[full], 2) }) end
        for i = 1, ARGS[full] and 0 or #params - 1 do
          if params[i] == takes then break end
          before[i] = wrong.VALID[params[i].name]
        end
        meet(fn, takes.type, before)
      end)
    end
  end

  it("was asked of all functions that take options", function() assert.is_true(met > 30, tostring(met)) end)
end)
