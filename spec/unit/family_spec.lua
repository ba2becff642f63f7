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

  it("leave the names of constraints to PostgreSQL's rule, and the table to the family's", function()
    local authored = { name = "authored", entities = {
      { name = "authors", fields = { { name = "id", type = "int8" }, { name = "name", type = "text" } }, key = { "id" },
        uniques = { { "name", "id" } } },
      { name = "books", fields = { { name = "id", type = "int8" }, { name = "author_id", type = "int8" } }, key = { "id" },
        references = { { fields = { "author_id" }, to = "authors" } } },
    } }
    local db = assert(larder.open "memory:")
    local stores = db:stores(larder.declare(authored).name)
    assert.equal("authored.authors", stores.authors._entity.table)
    assert(stores.authors:create { id = 1, name = "Ann" })
    local _, err = stores.authors:create { id = 1, name = "Bob" }
    assert.equal("authors_pkey", err.constraint)
    _, err = stores.books:create { id = 1, author_id = 2 }
    assert.equal("books_author_id_fkey", err.constraint)
    assert.is_nil(authored.entities[1].table) -- the caller's table is left as it was
    assert.is_nil(authored.entities[1].key.name)
    assert.equal(larder.declare(authored).name, "authored")
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
    refused({ key = { { name = "k", "id" } } }, "key: entry 1 must be the name of a field, not a table")
    refused({ fields = { { name = "id", type = "tetx" } } }, "did you mean text?")
    refused({ fields = { { name = "id", type = "geography" } } }, "types are bool, int2")
    refused({ fields = { { name = "id", type = "text", nul = true } } }, "did you mean null?")
    refused({ fields = { { name = "id", type = "text" }, nil, { name = "b", type = "text" } } }, "hole")
    refused({ fields = { "id" } }, "field 1 must be a table")
    refused({ fields = { { type = "text" } } }, "field 1: name must be a text")
    refused({ soft_delet = "x" }, "did you mean soft_delete?")
    refused({ without = { "agregate" } }, "did you mean aggregate?")
    refused({ scope = { "idd" } }, "did you mean id?")
    refused({ uniques = { [2] = { name = "u", "id" } } }, "hole")
    refused({ uniques = { "id" } }, "unique must be a table, not a string")
    refused({ uniques = { { "id" }, { 7 } } }, "unique 2: a field must be a text, not a number")
    refused({ uniques = { setmetatable({ "id" }, { __index = {} }) } }, "unique")
    refused({ key = { name = 7, "id" } }, "key: name must be a text, not a number")
    refused({ table = 7 }, "table must be a text, not a number")
    refused({ references = { { to = "notes" } } }, "reference: fields must be a list of names, not nil")
    refused({ references = { { fields = { "id" } } } }, "reference: to must be a text, not nil")
    refused({ uniques = { { "body" }, { "body" } } }, "the name is taken by another constraint")
    local ok, why = pcall(declare, { nonsense = 1 })
    assert.is_false(ok)
    assert.matches("family_spec.lua:%d+: larder.declare: declaration of family", why)
    assert.has_error(function() larder.declare { entities = {} } end)
    assert.has_error(function() larder.declare { name = "x" } end)
  end)

  it("of one name stand once", function()
    local made = declare()
    assert.equal(made, larder.declare { name = made.name, entities = { decl() } })
    local ok, why = pcall(larder.declare, { name = made.name, entities = { decl { table = "others" } } })
    assert.is_false(ok)
    assert.matches("declared already, and differently: entities.1.table", why, 1, true)
    local function method(n) return { methods = { twice = function(_, x) return n * x end } } end
    made = declare(method(2))
    assert.equal(made, larder.declare { name = made.name, entities = { decl(method(2)) } })
    assert.has_error(function()
      larder.declare { name = made.name, entities = { decl { methods = { twice = function() end } } } }
    end)
  end)

  it("are found by name, and only there", function()
    assert.equal("auth", family.get("auth").name)
    assert.has_error(function() family.get "no_such_family" end)
    assert.has_error(function() family.get "../auth" end)
    local db = assert(larder.open "memory:")
    assert.has_error(function() return db:stores("auth").userz end)
    for name, said in pairs { autg = "no family is called autg; did you mean auth?",
      no_such_family = "no family is called no_such_family; larder.declare declares one" } do
      local _, why = pcall(function() return db:stores(name) end)
      assert.equal("db:stores: " .. said, (why:match ":%d+: (.*)"))
    end
    db:close()
  end)
end)
