local larder = require "larder"

-- get and exists of a memory database are functions of the core; what they cannot do must come out as ever.
describe("get and exists on memory", function()
  local db, tenants

  before_each(function()
    db = assert(larder.open "memory:")
    tenants = db:stores("auth").tenants
    assert(tenants:create { id = "a", name = "A", db_dsn = "secret", db_schema = "a" })
  end)

  after_each(function() db:close() end)

  it("are the store's own while nobody listens", function()
    assert.is_function(rawget(tenants, "get"))
    local remove = db:on("query", function() end)
    assert.is_nil(rawget(tenants, "get"))
    assert.equal("A", tenants:get("a").name)
    remove()
    assert.is_function(rawget(tenants, "exists"))
  end)

  it("answer", function()
    assert.equal("A", tenants:get("a").name)
    assert.is_true(tenants:exists "a")
    assert.is_false(tenants:exists "b")
    assert.is_false(tenants:exists "")
    local row, err = tenants:get "b"
    assert.is_nil(row)
    assert.equal("not_found", err.code)
    assert.equal("auth.tenants", err.store)
    assert.matches("id", err.message)
  end)

  it("give fresh rows", function()
    tenants:get("a").name = "changed"
    assert.equal("A", tenants:get("a").name)
  end)

  it("refuse keys that cannot be", function()
    for _, key in ipairs { "\255", "a\0" } do
      local there, err = tenants:exists(key)
      assert.is_nil(there)
      assert.equal("invalid", err.code)
      assert.equal("invalid", select(2, tenants:get(key)).code)
    end
    assert.equal("invalid", select(2, tenants:exists(1)).code)
  end)

  it("raise on a key that is not whole, at the line of the call", function()
    for _, call in ipairs {
      function() tenants:get() end,
      function() tenants:exists(nil) end,
      function() tenants:get(larder.null) end,
      function() tenants:exists {} end,
    } do
      local ok, why = pcall(call)
      assert.is_false(ok)
      assert.matches("direct_spec.lua:%d+: auth.tenants:%a+: argument 1 must be the value of id", why)
    end
  end)

  it("take options", function()
    assert.same({ name = "A" }, tenants:get("a", { columns = { "name" } }))
    assert.is_true(tenants:exists("a", {}))
    assert.has_error(function() tenants:get("a", { colums = {} }) end)
  end)

  it("see what their transaction sees", function()
    local here, row, inside
    local transaction = coroutine.wrap(function()
      db:transaction(function()
        tenants:create { id = "b", name = "B", db_dsn = "secret", db_schema = "b" }
        here, row = tenants:exists "b", tenants:get "b"
        inside = coroutine.wrap(function() return tenants:exists "b" end)()
        coroutine.yield()
        return nil, "undo"
      end)
    end)
    transaction()
    assert.is_false(tenants:exists "b")
    transaction()
    assert.is_true(here)
    assert.equal("B", row.name)
    assert.is_true(inside)
    assert.is_false(tenants:exists "b")
  end)

  it("serve the store they are called on", function()
    local second = assert(larder.open "memory:")
    local there = second:stores("auth").tenants
    assert.is_false(there.exists(there, "a"))
    assert.is_true(there.exists(tenants, "a"))
    second:close()
  end)

  it("know that the database is closed", function()
    db:close()
    assert.equal("closed", select(2, tenants:get "a").code)
    assert.equal("closed", select(2, tenants:exists "a").code)
  end)

  it("leave stores alone that hide rows or have methods of their own", function()
    local name = "direct_notes"
    larder.declare {
      name = name,
      entities = {
        {
          name = "notes", table = "notes", key = { name = "notes_pkey", "id" }, soft_delete = "gone_at",
          fields = { { name = "id", type = "int8" }, { name = "gone_at", type = "timestamptz", null = true } },
        },
        {
          name = "own", table = "own", key = { name = "own_pkey", "id" }, without = { "exists" },
          fields = { { name = "id", type = "int8" } }, methods = { get = function() return "own" end },
        },
      },
    }
    local stores = db:stores(name)
    assert(stores.notes:create { id = 1 })
    assert(stores.notes:delete(1))
    assert.equal("not_found", select(2, stores.notes:get(1)).code)
    assert.is_false(stores.notes:exists(1))
    assert.equal("own", stores.own:get(1))
    assert.is_nil(stores.own.exists)
  end)

  it("read keys of several types", function()
    local name = "direct_keys"
    larder.declare {
      name = name,
      entities = {
        {
          name = "keys", table = "keys", key = { name = "keys_pkey", "n", "u", "b" },
          fields = { { name = "n", type = "int4" }, { name = "u", type = "uuid" }, { name = "b", type = "bool" } },
        },
        {
          name = "short", table = "short", key = { name = "short_pkey", "n", "u" },
          fields = { { name = "n", type = "int4" }, { name = "u", type = "uuid" } },
        },
      },
    }
    local keys, short, u = db:stores(name).keys, db:stores(name).short, "00112233-4455-6677-8899-aabbccddeeff"
    assert(keys:create { n = 1, u = u, b = true })
    assert(short:create { n = 1, u = u })
    assert.is_true(keys:exists(1, u, true))
    assert.is_false(keys:exists(1, u, false))
    assert.is_true(short:exists(1, u))
    assert.is_true(short:exists(1, u:upper()))
    assert.equal(u, short:get(1, u).u)
    assert.is_false(short:exists(2, u))
    assert.equal("invalid", select(2, short:exists(1e15, u)).code)
    assert.equal("invalid", select(2, short:exists(1, "no uuid")).code)
  end)
end)
