-- The objects beside databases, stores and transactions meet every kind of wrong argument, and calls with a dot. Which they are the
-- reference says (tools/reference.lua): a part that is new there needs an object here.

local larder = require "larder"
local raw = require "larder.db.raw"
local reference = require "tools.reference"
local testing = require "larder.testing"
local wrong = require "spec.support.misuse"
require "spec.support.keyed"

local HERE = "misuse_objects_spec.lua:"
local unpack = table.unpack or unpack -- luacheck: ignore

-- Parts whose functions misuse_spec.lua meets.
local ELSEWHERE = { ["larder."] = true, ["db:"] = true, ["store:"] = true, ["tx:"] = true, ["p:"] = true, ["migrate."] = true }

local ALIASES = { ["larder.LetterFilter"] = "string|table|fun()" }

-- A session needs PostgreSQL; the object itself does not.
local function session_of()
  local session
  local ctx = { rollback = function() return true end }
  raw.session({ _engine = { session = function() return ctx end } }, {}, function(made) session = made end)
  return session
end

-- Without the `...` at the end.
local function named(params)
  local list = { unpack(params) }
  if #list > 0 and list[#list].name == "..." then list[#list] = nil end
  return list
end

describe("misuse of objects", function()
  local db = assert(larder.open "memory:")
  local manual = assert(larder.open("memory:", { loop = "manual" }))
  local frozen = testing.freeze(db)
  local objects = {
    ["session:"] = session_of(), ["cursor:"] = db:each "select 1", ["rows:"] = db:stores("keyed").int8:each(),
    ["letters:"] = assert(db:dead_letters()),
    ["decimal:"] = larder.decimal "1", ["runtime:"] = manual:runtime(), ["testing."] = testing, ["frozen:"] = frozen,
    ["factory:"] = testing.factory(db, "keyed"),
  }
  frozen:thaw()
  wrong.VALID.db, wrong.VALID.open, wrong.VALID.it, wrong.VALID.family = db, db, function() end, "keyed"
  wrong.VALID.time, wrong.VALID.other, wrong.VALID.scale, wrong.VALID.fixtures = 0, 1, 2, {}

  teardown(function()
    frozen:thaw()
    db:close()
    manual:close()
  end)

  for _, fn in ipairs((reference.functions())) do
    if not ELSEWHERE[fn.prefix] then
      for _, param in ipairs(fn.block.params) do param.type = ALIASES[param.type] or param.type end
      local name, is_method = fn.name, fn.prefix:sub(-1) == ":"
      local object = assert(objects[fn.prefix], "misuse_objects_spec.lua has no object for " .. fn.prefix)

      it(("in %s%s raises at the caller's line"):format(fn.prefix, name), function()
        local params = named(fn.block.params)
        wrong.meet(HERE, fn.prefix, name, params, function(...)
          if is_method then object[name](object, ...) else object[name](...) end
        end)
        if not fn.params:find("...", 1, true) and is_method then
          local args = {}
          for i, param in ipairs(params) do args[i] = wrong.VALID[param.name] or false end
          args[#params + 1] = "one too many"
          wrong.refused(HERE, name .. " with one more", name, function() object[name](object, unpack(args, 1, #params + 1)) end)
        end
      end)

      if is_method then
        it(("in %s%s with a dot is told"):format(fn.prefix, name), function()
          for _, self in ipairs { {}, "x", 5, print } do
            wrong.refused(HERE, name .. " with a dot", "with a colon", function() object[name](self) end)
          end
          wrong.refused(HERE, name .. " of nothing", "with a colon", function() object[name]() end)
        end)
      end
    end
  end

  it("in arithmetic with decimals raises at the caller's line", function()
    local one = larder.decimal "1"
    for kind, value in pairs { text = "x", table = {}, boolean = true, ["function"] = print, infinity = 1 / 0 } do
      for name, compute in pairs {
        ["+"] = function(v) return one + v end, ["-"] = function(v) return v - one end, ["*"] = function(v) return one * v end,
        ["/"] = function(v) return one / v end, cmp = function(v) return one:cmp(v) end,
      } do
        local ok, why = pcall(compute, value)
        if ok then -- what PostgreSQL computes with, too
          assert.is_true(kind == "infinity", kind .. " " .. name)
        else
          assert.truthy(why:find(HERE, 1, true), kind .. " " .. name .. ": " .. why)
        end
      end
    end
  end)
end)
