local larder = require "larder"
local family = require "larder.family"

local function decl(over)
  local entity = {
    name = "notes", table = "notes",
    fields = { { name = "id", type = "text" }, { name = "body", type = "text", null = true } },
    key = { name = "notes_pkey", "id" },
  }
  for k, v in pairs(over or {}) do entity[k] = v end
  return entity
end

local counter = 0
local function declare(over)
  counter = counter + 1
  return larder.declare { name = "family" .. counter, entities = { decl(over) } }
end

describe("declarations", function()
  it("make a family that a database opens", function()
    local made = declare()
    assert.same({ "notes" }, made.stores)
    local db = assert(larder.open "memory:")
    local notes = db:stores(made.name).notes
    assert(notes:create { id = "a", body = "text" })
    assert.equal("text", assert(notes:get "a").body)
    assert.equal(notes, db:stores(made.name).notes)
    assert.equal("larder.store (" .. made.name .. ".notes)", tostring(notes))
    db:close()
  end)

  it("are refused with the place of the fault", function()
    local function refused(over, text)
      local ok, err = pcall(declare, over)
      assert.is_false(ok)
      assert.matches(text, tostring(err), 1, true)
    end
    refused({ nonsense = 1 }, "nonsense")
    refused({ scope = { "nope" } }, "nope")
    refused({ methods = { x = { get_by = { "nope" } } } }, "nope")
    refused({ methods = { x = 5 } }, "x")
    refused({ fields = { { name = "id", type = "textt" } } }, "textt")
    refused({ fields = { { name = "id", type = "text", nul = true } } }, "nul")
    refused({ key = { name = "k", "nope" } }, "nope")
    assert.has_error(function() larder.declare { entities = {} } end)
    assert.has_error(function() larder.declare { name = "x" } end)
  end)

  it("of one name stand once", function()
    local made = declare()
    assert.has_error(function() larder.declare { name = made.name, entities = { decl() } } end)
  end)

  it("are found by name, and only there", function()
    assert.equal("auth", family.get("auth").name)
    assert.has_error(function() family.get "no_such_family" end)
    assert.has_error(function() family.get "../auth" end)
    local db = assert(larder.open "memory:")
    assert.has_error(function() return db:stores("auth").userz end)
    db:close()
  end)
end)
