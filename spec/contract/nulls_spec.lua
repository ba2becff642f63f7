-- Uniques in which nulls are equal: one answer from both engines.

local larder = require "larder"
local check = require "larder.migrate.check"
local ddl = require "larder.migrate.ddl"

local targets = { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" }
local null = larder.null

larder.declare { name = "nulled", entities = { {
  name = "rows", table = "nulled.rows", key = { "id" },
  fields = {
    { name = "id", type = "int4" }, { name = "a", type = "text", null = true }, { name = "b", type = "int4", null = true },
    { name = "c", type = "int4", null = true }, { name = "d", type = "int4", null = true },
    { name = "gone", type = "bool", default = false },
  },
  uniques = {
    { name = "rows_ab_key", "a", "b", nulls_distinct = false }, { name = "rows_c_key", "c" },
    { name = "rows_d_key", "d", where = { gone = false }, nulls_distinct = false },
  },
} } }

for name, target in pairs(targets) do
  describe("uniques with equal nulls on " .. name, function()
    local db, rows, old

    local function create_table()
      if db:kind() == "memory" then return end
      old = db:health().server_version < 150000
      assert(db:query "drop schema if exists nulled cascade")
      assert(db:query "create schema nulled")
      local decl = db:_cstore("nulled", "rows"):describe()
      if old then
        for _, unique in ipairs(decl.uniques) do unique.nulls_distinct = nil end
      end
      for _, sql in ipairs(ddl.create_table(decl, { rows = decl }, {})) do assert(db:query(sql)) end
    end

    before_each(function()
      db = assert(larder.open(target))
      create_table()
      rows = db:stores("nulled").rows
    end)
    after_each(function() db:close() end)

    local function test(title, fn)
      it(title, function()
        if old then
          local said = assert(check(db, "nulled"))
          assert.matches("only PostgreSQL 15 and later have uniques in which nulls are equal", said[1].message)
          return
        end
        fn()
      end)
    end

    local function taken(constraint, none, err)
      assert.is_nil(none)
      assert.same({ "conflict", constraint }, { err.code, err.constraint })
    end

    test("take one null, and several where nulls are distinct", function()
      assert(rows:create { id = 1, d = 1 })
      taken("rows_ab_key", rows:create { id = 2, d = 2 })
      assert(rows:create { id = 2, a = "x", d = 2 })
      taken("rows_ab_key", rows:create { id = 3, a = "x", d = 3 })
      assert(rows:create { id = 3, b = 1, d = 3 })
      taken("rows_ab_key", rows:create { id = 4, b = 1, d = 4 })
      taken("rows_ab_key", rows:patch(3, { b = null }))
      assert(rows:delete(1))
      assert(rows:patch(3, { b = null }))
      assert.equal(3, assert(rows:find { a = null, b = null }).id)
      assert.equal(2, rows:count { c = null })
    end)

    test("count within their condition", function()
      assert(rows:create { id = 1, b = 1 })
      taken("rows_d_key", rows:create { id = 2, b = 2 })
      assert(rows:create { id = 2, b = 2, gone = true })
      assert(rows:create { id = 3, b = 3, gone = true })
      taken("rows_d_key", rows:patch(3, { gone = false }))
      assert(rows:patch(1, { gone = true }))
      assert(rows:patch(3, { gone = false }))
    end)

    test("are what an upsert finds a row by", function()
      assert(rows:create { id = 1, d = 1, c = 1 })
      assert.equal(1, assert(rows:upsert({ id = 9, d = 1, c = 2 }, { key = "rows_ab_key" })).id)
      assert.equal(5, assert(rows:upsert({ id = 5, a = "x", d = 5, c = 3 }, { key = "rows_ab_key" })).id)
      assert.equal(5, assert(rows:upsert({ id = 6, a = "x", d = 5, c = 4 }, { key = { "a", "b" } })).id)
      assert.equal(2, rows:count(larder.all {}))
      local made = assert(rows:create_many({ { id = 10, d = 10 }, { id = 11, a = "y", d = 11 }, { id = 12, a = "y", d = 12 } },
        { skip_duplicates = true }))
      assert.equal(1, made)
    end)

    test("hold within a transaction, and are free behind its end", function()
      assert.is_nil((db:transaction(function()
        assert(rows:create { id = 1, d = 1 })
        taken("rows_ab_key", db:transaction(function() return rows:create { id = 2, d = 2 } end))
        return nil, "undone"
      end)))
      assert(rows:create { id = 2, d = 2 })
    end)
  end)
end

describe("a unique's nulls_distinct", function()
  it("is a boolean", function()
    local ok, err = pcall(larder.declare, { name = "nulled_faulty", entities = { { name = "rows", key = { "id" },
      fields = { { name = "id", type = "int4" } }, uniques = { { "id", nulls_distinct = "no" } } } } })
    assert.is_false(ok)
    assert.matches("nulls_distinct must be a boolean", tostring(err))
  end)
end)
