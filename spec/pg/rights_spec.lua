-- A right that is missing: the error says who may give it, and how.

local larder = require "larder"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("a role without rights", function()
  local owner, other, store

  setup(function()
    owner = assert(larder.open(url))
    for _, sql in ipairs { "drop schema if exists rights cascade", "drop role if exists larder_rights_spec",
      "create role larder_rights_spec", "create schema rights",
      "create table rights.notes (id integer constraint notes_pkey primary key, t text collate \"C\")" } do
      assert(owner:query(sql))
    end
    larder.declare { name = "rights", entities = { { name = "notes", table = "rights.notes",
      fields = { { name = "id", type = "int4" }, { name = "t", type = "text", null = true } }, key = { name = "notes_pkey", "id" } } } }
    local joined = url .. (url:find("?", 1, true) and "&" or "?")
    other = assert(larder.open(joined .. "options=-c%20role%3Dlarder_rights_spec"))
    store = other:stores("rights").notes
  end)
  teardown(function()
    other:close()
    assert(owner:query "drop schema rights cascade")
    assert(owner:query "drop role larder_rights_spec")
    owner:close()
  end)

  local function refused(hint, ok, err)
    assert.is_nil(ok)
    assert.equal("permission", err.code)
    assert.equal("42501", err.sqlstate)
    assert.matches(hint, err.hint)
  end

  it("is told of the grant for schema, table, and of none when it has them", function()
    refused("grant usage on schema rights to", store:list())
    assert(owner:query "grant usage on schema rights to larder_rights_spec")
    refused("grant select, insert, update, delete on table notes to", store:list())
    refused("grant select, insert, update, delete on table notes to", store:create { id = 1 })
    assert(owner:query "grant select, insert, update, delete on table rights.notes to larder_rights_spec")
    local row = assert(store:create { id = 1 })
    assert.equal(1, #assert(store:list()))
    assert(store:get(row.id))
  end)

  it("is not told of a grant where none would help", function()
    local ok, err = other:query "alter table rights.notes add x integer"
    assert.is_nil(ok)
    assert.equal("42501", err.sqlstate)
    assert.is_nil((err.hint or ""):match "grant")
  end)
end)
