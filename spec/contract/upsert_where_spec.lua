-- upsert under a condition: what holds of the row in the way decides whether it is changed.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("an upsert with a condition on " .. engine.name, function()
    local db, posts, users

    before_each(function()
      db = engine.fresh "blog"
      local blog = db:stores "blog"
      posts, users = blog.posts, blog.users
      assert(users:create { id = "ann", email = "ann@x", name = "Ann" })
      assert(posts:create { id = "p1", author_id = "ann", title = "one", likes = 3 })
    end)

    teardown(engine.done)

    local function refused(row, err)
      assert.is_nil(row)
      assert.equal("conflict", err.code)
      assert.is_nil(err.sqlstate)
    end

    it("creates the row that is not there", function()
      local row = assert(posts:upsert({ id = "p2", author_id = "ann", title = "two" }, { where = { likes = 77 } }))
      assert.equal("two", row.title)
    end)

    it("changes the row that it holds of, and no other", function()
      local newer = { id = "p1", author_id = "ann", title = "newer", likes = 5 }
      refused(posts:upsert(newer, { where = { likes = { gt = 5 } } }))
      refused(posts:upsert(newer, { where = { score = { gt = 0 } } })) -- null is not true
      assert.equal("one", assert(posts:get "p1").title)
      assert.equal("newer", assert(posts:upsert(newer, { where = { likes = { lt = 5 } } })).title)
      refused(posts:upsert(newer, { where = { likes = { lt = 5 } } }))
      assert.equal(6, assert(posts:upsert(newer, { set = { likes = larder.increment(1) }, where = { ["author.name"] = "Ann" } })).likes)
      refused(posts:upsert(newer, { where = { larder.matches(larder.length "title", 7) }, only = { "title" } }))
    end)

    it("speaks of the unique that is named", function()
      refused(users:upsert({ id = "bob", email = "ann@x", name = "Bob" }, {
        key = "email", where = { name = larder.null }, only = { "name" },
      }))
      assert.equal("Bob", assert(users:upsert({ id = "bob", email = "ann@x", name = "Bob" }, {
        key = "email", where = { name = "Ann" }, only = { "name" },
      })).name)
    end)

    it("leaves what is refused as it was, in a transaction too", function()
      assert(db:transaction(function()
        refused(posts:upsert({ id = "p1", author_id = "ann", title = "no" }, { where = { likes = 0 } }))
        assert.equal("one", assert(posts:get "p1").title)
        return true
      end))
    end)

    it("refuses conditions that are none", function()
      local row, err = posts:upsert({ id = "p1", author_id = "ann", title = "x" }, { where = { like = 1 } })
      assert.is_nil(row)
      assert.is_string(err.fields.like)
      assert.has_error(function() posts:upsert({ id = "p1", author_id = "ann", title = "x" }, { where = {} }) end)
      row, err = posts:run { op = "insert", row = { id = "p9", author_id = "ann", title = "x" }, where = { likes = 1 } }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
    end)
  end)
end
