-- Names of constraints that a declaration leaves out are those that PostgreSQL chooses for a table made without names.

local larder = require "larder"
local check = require "larder.migrate.check"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local LONG = ("long_table_name_"):rep(3) .. "with_an_end"     -- 59 bytes
local WIDE = ("w"):rep(60)
local FIELDS = { "first_of_the_fields_with_a_long_name", "second_of_the_fields_with_a_long_name" }

-- Two names that are cut to the same one must be given: PostgreSQL numbers them.
local function entity(name, one, other, i)
  return {
    name = name, key = { "id" }, uniques = { { one }, { name = "both_of_" .. i, one, other } },
    fields = { { name = "id", type = "int8" }, { name = one, type = "int8" }, { name = other, type = "int8" } },
    references = { { fields = { other }, to = name } },
  }
end

local TABLE = [[create table unnamed."%s" (id int8 primary key, "%s" int8 not null unique,
  "%s" int8 not null references unnamed."%s", constraint both_of_%d unique ("%s", "%s"))]]
local CASES = { { "short", "a", "b" }, { LONG, "a", "b" }, { "x" .. LONG, FIELDS[1], FIELDS[2] }, { "wide", WIDE, "s" },
  { WIDE, "a", FIELDS[1] } }

describe("constraints without names", function()
  local db
  setup(function()
    db = must(larder.open(url))
    local entities = {}
    must(db:query 'create schema unnamed')
    for i, case in ipairs(CASES) do
      local name, one, other = case[1], case[2], case[3]
      entities[i] = entity(name, one, other, i)
      must(db:query(TABLE:format(name, one, other, name, i, one, other)))
    end
    larder.declare { name = "unnamed", entities = entities }
  end)
  teardown(function()
    must(db:query "drop schema unnamed cascade")
    db:close()
  end)

  it("have the names that PostgreSQL gave", function()
    assert.same({}, must(check(db, "unnamed")))
  end)

  it("are named in errors as on memory", function()
    local memory = must(larder.open "memory:")
    for _, case in ipairs(CASES) do
      local named = {}
      for i, place in ipairs { db, memory } do
        local store = place:stores("unnamed")[case[1]]
        must(store:create { id = 1, [case[2]] = 1, [case[3]] = 1 })
        local _, twice = store:create { id = 2, [case[2]] = 1, [case[3]] = 1 }
        local _, alone = store:create { id = 3, [case[2]] = 3, [case[3]] = 4 }
        named[i] = { twice.constraint, alone.constraint }
      end
      assert.same(named[1], named[2])
      assert.equal(2, #named[1])
    end
    memory:close()
  end)
end)
