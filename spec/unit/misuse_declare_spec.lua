-- Every entry of a declaration meets every kind of wrong value: larder.declare raises at the caller's line and names itself or the store. The entries
-- are those that the annotations name, so that a new one is met without a word here.

local larder = require "larder"
local reference = require "tools.reference"
local wrong = require "spec.support.misuse"

local HERE, STORE = "misuse_declare_spec.lua:", "misuse_of_declare.things"

local _, classes = reference.functions()

-- A declaration with every part that the classes describe; changed(parts) puts something wrong into one of them.
local function declaration()
  local entity = {
    name = "things", table = "misuse.things",
    fields = {
      { name = "id", type = "int4" }, { name = "at", type = "timestamptz" }, { name = "n", type = "numeric", null = true },
      { name = "t", type = "text", null = true }, { name = "up", type = "int4", null = true },
      { name = "gone", type = "timestamptz", null = true },
    },
    key = { name = "things_pkey", "id" }, uniques = { { name = "things_t_key", "t" } }, indexes = { { "n" } },
    references = { { name = "things_up_fkey", fields = { "up" }, to = "things", as = "above", many = "below", on_delete = "cascade" } },
    soft_delete = "gone", order = "id", methods = {}, without = {},
  }
  return {
    EntityDeclaration = entity, FieldDeclaration = entity.fields[4], family = { name = "misuse_of_declare", entities = { entity } },
  }
end

-- What may stand there in any shape: a default is checked by the type of its field, a condition when it is used.
local ANYTHING = { ["FieldDeclaration.default"] = true }

-- Lists and records within an entity: wrong elements of them.
local ELEMENTS = {
  key = { { 5 }, { true }, { {} }, { "nope" }, { "id", "id" }, {}, { name = 5, "id" } },
  uniques = { { 5 }, { "t" }, { { 5 } }, { { "nope" } }, { {} }, { { name = 5, "t" } }, { { "t", where = 5 } },
    { { "t", where = { nope = 1 } } } },
  indexes = { { 5 }, { "n" }, { { 5 } }, { { "nope" } }, { {} } },
  references = {
    { 5 }, { {} }, { { name = "x", fields = { "up" } } }, { { name = "x", fields = 5, to = "things" } },
    { { name = "x", fields = { "up" }, to = 5 } },
    { { name = "x", fields = { "up" }, to = "nope" } }, { { name = "x", fields = { "nope" }, to = "things" } },
    { { name = "x", fields = { "up" }, to = "things", on_delete = "explode" } },
    { { name = "x", fields = { "up" }, to = "things", on_delete = 5 } },
    { { name = "x", fields = { "up" }, to = "things", as = 5 } }, { { name = "x", fields = { "up" }, to = "things", many = {} } },
    { { name = "x", fields = { "up" }, to = "things", nope = 1 } },
  },
  relations = {
    { 5 }, { {} }, { { fields = { "nope" }, to = "things" } }, { { fields = { "up" }, to = 5 } },
    { { fields = { "up" }, to = "things", as = 5 } },
  },
  fields = { { 5 }, { {} }, { { name = "x" } }, { { name = "x", type = "nope" } }, { { name = "", type = "text" } }, {} },
  scope = { { 5 }, { "nope" }, { {} } }, without = { { 5 }, { "nope" } },
  methods = { { x = 5 }, { x = {} }, { x = { get_by = { "nope" } } } },
  filters = { { x = 5 }, { x = "nope" } }, soft = { { nope = 1 }, { hides = 5 }, { set = 5 }, { set = { nope = 1 } } },
}

local function refused(what, parts)
  local ok, why = pcall(function() larder.declare(parts.family) end)
  assert.is_false(ok, what .. " was accepted")
  assert.is_string(why, what .. " raised no text")
  assert.truthy(why:find(HERE, 1, true), what .. " is blamed on another line: " .. why)
  assert.truthy(why:find("larder.declare", 1, true) or why:find(STORE, 1, true), what .. ": nothing is named: " .. why)
end

describe("misuse of declarations", function()
  for _, class in ipairs { "EntityDeclaration", "FieldDeclaration" } do
    for _, field in ipairs(classes[class].fields) do
      local full = class .. "." .. field.name
      if not ANYTHING[full] then
        it(("of %s is told"):format(full), function()
          for kind, value in pairs(wrong.wrong_for { name = "", type = field.type }) do
            local parts = declaration()
            parts[class][field.name] = value
            refused(kind .. " as " .. full, parts)
          end
          if not field.optional then
            local parts = declaration()
            parts[class][field.name] = nil
            refused("no " .. full, parts)
          end
        end)
      end
    end
  end

  for name, list in pairs(ELEMENTS) do
    it(("in %s of an entity is told"):format(name), function()
      for i, value in ipairs(list) do
        local parts = declaration()
        parts.EntityDeclaration[name] = value
        refused(("%s, wrong value %d"):format(name, i), parts)
      end
    end)
  end

  it("by unknown entries is told with what was meant", function()
    for class, name in pairs { EntityDeclaration = "feilds", FieldDeclaration = "tpye", family = "entites" } do
      local parts = declaration()
      parts[class][name] = 1
      refused(name, parts)
    end
  end)
end)
