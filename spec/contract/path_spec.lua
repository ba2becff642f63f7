-- Values inside of jsonb: in conditions, orders, groups and figures; deep merges and members set by their path.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("JSON paths on " .. engine.name, function()
    local db, posts, drafts

    local METADATA = {
      { theme = "dark", rating = 4.5, deep = { a = { b = "x" } }, tags = { "one", "two" }, ok = true },
      { theme = "light", rating = 10, deep = { a = { b = "y" } }, tags = larder.array {}, ok = false },
      { theme = "dark", rating = -3, deep = { a = 7 }, tags = { "two" } },
      { theme = 5, rating = "high", deep = larder.null, ok = "yes" },
      { theme = larder.null, ["0"] = "zero" },
      {},
      { theme = 'Dä"rk\n', rating = 100 },
    }

    before_each(function()
      db = engine.fresh "blog"
      local blog = db:stores "blog"
      posts, drafts = blog.posts, blog.drafts
      assert(blog.users:create { id = "ann", email = "ann@x" })
      for i, metadata in ipairs(METADATA) do
        assert(posts:create { id = "p" .. i, author_id = "ann", title = "t" .. i, metadata = metadata, created_at = i })
      end
    end)

    teardown(engine.done)

    local function ids(rows, err)
      assert(rows, err)
      local list = {}
      for i, row in ipairs(rows) do list[i] = row.id:sub(2) end
      return table.concat(list, " ")
    end

    local function found(path, value)
      return ids(posts:list { where = { larder.matches(path, value) }, order = "id" })
    end

    local function by_rating_of() return larder.path { "metadata", "rating", type = "numeric" } end
    local theme, rating = larder.path("metadata", "theme"), larder.path("metadata", "rating")

    it("compare with values of their own type", function()
      assert.equal("1 3", found(theme, "dark"))
      assert.equal("4", found(theme, 5))
      assert.equal("7", found(theme, 'Dä"rk\n'))
      assert.equal("1 2 3", found(theme, { "dark", "light" }))
      assert.equal("2", found(theme, { ne = "dark", ilike = "l%" }))
      assert.equal("2", found(theme, { not_in = { "dark", 'Dä"rk\n' } }))
      assert.equal("2 7", found(rating, { gte = 5 }))
      assert.equal("1", found(rating, 4.5))
      assert.equal("4", found(rating, "high"))
      assert.equal("1", found(larder.path("metadata", "ok"), true))
      assert.equal("2", found(larder.path("metadata", "ok"), false))
      assert.equal("1", found(larder.path("metadata", "deep", "a", "b"), "x"))
      assert.equal("3", found(larder.path("metadata", "deep"), { a = 7 }))
      assert.equal("", found(larder.path("metadata", "deep", "a", "b", "c"), "x"))
      assert.equal("1", found(larder.path { "metadata", "rating", type = "numeric" }, { eq = "4.50" }))
    end)

    it("say what is there", function()
      assert.equal("5 6", found(theme, larder.null))
      assert.equal("1 2 3 4 7", found(theme, { is_null = false }))
      assert.equal("4 5 6 7", found(larder.path("metadata", "deep"), { is_null = true }))
      assert.equal("1", found(larder.path("metadata", "tags", 1), "one"))
      assert.equal("1 3", found(larder.path("metadata", "tags", -1), "two"))
      assert.equal("5", found(larder.path("metadata", "0"), "zero"))
      assert.equal("1 3", found(larder.path("metadata", "tags"), { contains = larder.array { "two" } }))
      assert.equal("1 2", found(larder.path("metadata", "deep", "a"), { has_key = "b" }))
    end)

    it("go with other conditions", function()
      assert.equal("3", ids(posts:list { where = { id = { gt = "p1" }, larder.matches(theme, "dark") }, order = "id" }))
      assert.equal("1 2 3", ids(posts:list {
        where = larder.any { larder.matches(theme, "dark"), larder.all { larder.matches(rating, 10) } }, order = "id",
      }))
      assert.equal(2, assert(posts:count { larder.matches(theme, "dark") }))
      assert.equal(2, assert(posts:update_where({ larder.matches(theme, "dark") }, { likes = 9 })))
    end)

    it("order rows", function()
      local by_rating = larder.path { "metadata", "rating", type = "numeric" }
      assert.equal("3 1 2 7 4 5 6", ids(posts:list { order = { by_rating, "id" }, offset = 0 }))
      assert.equal("2 1", ids(posts:list { order = { { by = by_rating, desc = true }, "id" }, offset = 4, limit = 2 }))
      assert.equal("7 1 3 2 4 5 6", ids(posts:list { order = { theme }, offset = 0 }))
      assert.equal("p3", assert(posts:find({ title = { like = "t%" } }, { order = { by_rating } })).id)
      local rows, err = posts:list { order = { { rank = { { id = "p2" } } } } }
      assert.is_nil(rows)
      assert.is_string(err.fields.order)
    end)

    it("order rows that another path was asked of", function()
      assert.equal("3 1", ids(posts:list { where = { larder.matches(theme, "dark") }, order = { by_rating_of() }, offset = 0 }))
    end)

    it("make groups and figures", function()
      local rows = assert(posts:aggregate {
        groups = { { theme, as = "theme" } }, order = "n desc",
        aggs = {
          { "count", as = "n" }, { "sum", larder.path { "metadata", "rating", type = "numeric" }, as = "ratings" },
          { "max", larder.path("metadata", "deep", "a", "b"), as = "most" },
          { "count", larder.path("metadata", "tags", 1), distinct = true, as = "tags" },
        },
      })
      assert.same({ n = 3, ratings = "0", tags = 0 }, rows[1])
      assert.same({ theme = "dark", n = 2, ratings = "1.5", most = "x", tags = 2 }, rows[2])
      assert.same({ theme = 'Dä"rk\n', n = 1, ratings = "100", tags = 0 }, rows[3])
      assert.equal(4, #rows)
      rows = assert(posts:aggregate { groups = { { theme, as = "theme" } }, aggs = { { "count", as = "n" } }, having = { n = 2 } })
      assert.same({ { theme = "dark", n = 2 } }, rows)
    end)

    it("refuse what leads nowhere", function()
      for field, path in pairs { title = larder.path("title", "a"), nonsense = larder.path("nonsense", "a") } do
        local rows, err = posts:list { where = { larder.matches(path, "x") } }
        assert.is_nil(rows)
        assert.is_string(err.fields[field])
      end
      for _, path in ipairs { larder.path { "metadata", "a", type = "int4" }, larder.path("metadata", 0), larder.path("metadata", 1.5) } do
        local rows, err = posts:list { where = { larder.matches(path, "x") } }
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
      end
      local rows, err = posts:list { where = { larder.matches(rating, { gt = larder.null }) } }
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
      rows, err = posts:aggregate { groups = { { larder.path { "metadata", "deep", type = "jsonb" }, as = "deep" } } }
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
      assert.has_error(function() larder.path "metadata" end)
      assert.has_error(function() larder.matches(theme) end)
      assert.has_error(function() posts:list { where = { larder.matches("theme", "x") } } end)
    end)

    -- ---- changes ----

    local function settings(change, start)
      assert(drafts:upsert { id = "d", settings = start })
      return assert(drafts:patch("d", { settings = change })).settings
    end

    it("merge objects on every level", function()
      local start = { a = { b = { c = 1, d = 2 }, e = "x" }, list = { 1 }, plain = 1 }
      assert.same({ a = { b = { c = 1, d = 9, f = true }, e = "x" }, list = { 7 }, plain = { deep = { er = 1 } }, new = { x = {} } },
        settings(larder.merge_deep {
          a = { b = { d = 9, f = true } }, list = { 7 }, plain = { deep = { er = 1 } }, new = { x = {} },
        }, start))
      assert.same({ a = { b = larder.null, e = "x" }, list = { 1 }, plain = 1 },
        settings(larder.merge_deep { a = { b = larder.null } }, start))
      assert.same({ x = { y = 1 } }, settings(larder.merge_deep { x = { y = 1 } }, larder.null))
      assert.same({ x = { y = 1 } }, settings(larder.merge_deep { x = { y = 1 } }, larder.array { 1, 2 }))
      assert.same(start, settings(larder.merge_deep {}, start))
      assert.same({ ['a"b'] = { ["c.d"] = 2, e = 1 } },
        settings(larder.merge_deep { ['a"b'] = { ["c.d"] = 2 } }, { ['a"b'] = { e = 1 } }))
    end)

    it("set a member by its path, and make what is missing on the way", function()
      local start = { a = { b = { c = 1 }, e = "x" } }
      assert.same({ a = { b = { c = 2 }, e = "x" } }, settings(larder.set_path({ "a", "b", "c" }, 2), start))
      assert.same({ a = { b = { z = 1 }, e = "x" } }, settings(larder.set_path({ "a", "b" }, { z = 1 }), start)) -- replaced, not merged
      assert.same({ a = { b = { c = 1 }, e = { f = { g = larder.null } } } },
        settings(larder.set_path({ "a", "e", "f", "g" }, larder.null), start))
      assert.same({ a = "new" }, settings(larder.set_path({ "a" }, "new"), start))
      assert.same({ a = { b = 1 } }, settings(larder.set_path({ "a", "b" }, 1), larder.null))
    end)

    it("merge in an upsert, and at once with other changes", function()
      assert(drafts:create { id = "d", settings = { a = { b = 1 } } })
      local row = assert(drafts:upsert({ id = "d", settings = { first = true } }, { set = {
        settings = larder.merge_deep { a = { c = 2 } }, body = "x",
      } }))
      assert.same({ a = { b = 1, c = 2 } }, row.settings)
      assert.equal("x", row.body)
      assert.has_error(function() drafts:upsert({ id = "d" }, { set = { settings = larder.merge_deep(larder.excluded) } }) end)
    end)

    it("refuse to merge what is no object", function()
      assert(drafts:create { id = "d" })
      assert.has_error(function() larder.merge_deep "text" end)
      assert.has_error(function() larder.merge_deep { 1 } end)
      local row, err = drafts:patch("d", { body = larder.set_path({ "a" }, 1) })
      assert.is_nil(row)
      assert.is_string(err.fields.body)
      assert.has_error(function() larder.set_path({}, 1) end)
      assert.has_error(function() larder.set_path({ 1 }, 1) end)
      assert.has_error(function() larder.set_path({ "a" }) end)
    end)
  end)
end
