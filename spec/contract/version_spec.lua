-- Optimistic versions: who changes a row that was changed meanwhile is told.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("versions on " .. engine.name, function()
    local drafts, db

    before_each(function()
      db = engine.fresh "blog"
      drafts = db:stores("blog").drafts
    end)

    teardown(engine.done)

    it("begin with 1 and count each change", function()
      local row = assert(drafts:create { id = "d" })
      assert.equal(1, row.version)
      assert.equal(2, assert(drafts:patch("d", { body = "x" })).version)
      assert.equal(1, assert(drafts:update_where({ id = "d" }, { body = "y" })))
      assert.equal(3, assert(drafts:get "d").version)
      assert.equal(4, assert(drafts:upsert { id = "d", body = "z" }).version)
      assert.equal(5, assert(drafts:upsert({ id = "d" }, { set = { body = "a" } })).version)
      assert.equal(6, assert(drafts:update { id = "d", body = "b" }).version)
      assert.equal(7, assert(drafts:update({ id = "d", body = "b" }, { keep_stamps = true })).version)
      assert(drafts:delete "d")
      assert.equal(8, assert(drafts:get("d", { with_deleted = true })).version)
    end)

    it("refuse a change by who knows an older one", function()
      local mine = assert(drafts:create { id = "d", body = "first" })
      local yours = assert(drafts:get "d")
      mine.body = "mine"
      mine = assert(drafts:update(mine))
      assert.equal(2, mine.version)
      yours.body = "yours"
      for _, change in ipairs {
        function() return drafts:update(yours) end,
        function() return drafts:update(yours, { only = { "body" } }) end,
        function() return drafts:patch("d", { version = 1, body = "yours" }) end,
        function() return drafts:patch("d", { version = 2, body = "yours" }, { where = { body = "other" } }) end,
      } do
        local row, err = change()
        assert.is_nil(row)
        assert.equal("conflict", err.code)
        assert.equal("blog.drafts", err.store)
      end
      assert.equal("mine", assert(drafts:get "d").body)
      assert.equal(3, assert(drafts:patch("d", { version = 2, body = "yours" })).version)
      local row, err = drafts:update { id = "nobody", version = 1 }
      assert.is_nil(row)
      assert.equal("not_found", err.code)
    end)

    it("are not set by hand", function()
      assert(drafts:create { id = "d" })
      local n, err = drafts:update_where({ id = "d" }, { version = 9 })
      assert.is_nil(n)
      assert.is_string(err.fields.version)
      n, err = drafts:upsert({ id = "d" }, { set = { version = larder.excluded } })
      assert.is_nil(n)
      assert.is_string(err.fields.version)
    end)
  end)
end

describe("the declaration of a version", function()
  it("must be an integer that may change", function()
    for _, field in ipairs {
      { type = "text" }, { type = "int4", null = true }, { type = "int4", immutable = true }, { type = "int4", default = 3 },
    } do
      field.name, field.stamp = "version", "version"
      assert.error_matches(function()
        larder.declare { name = "vers", entities = { {
          name = "a", table = "vers.a", fields = { { name = "id", type = "text" }, field }, key = { name = "a_pkey", "id" },
        } } }
      end, "version")
    end
  end)
end)
