-- Expressions: functions of fields, fields of a related row; in conditions, orders, groups and figures.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("expressions on " .. engine.name, function()
    local db, blog, posts, comments

    before_each(function()
      db = engine.fresh "blog"
      blog = db:stores "blog"
      posts, comments = blog.posts, blog.comments
      assert(blog.users:create { id = "ann", email = "ann@x", name = "Zoe" })
      assert(blog.users:create { id = "bob", email = "Bob@x", name = "Älf" })
      assert(blog.users:create { id = "cid", email = "cid@x" })
      assert(blog.profiles:create { user_id = "bob", bio = "long" })
      local rows = {
        { "ann", "Äpfel", 4, "1.50", "2026-01-05T23:30:00Z" }, { "bob", "apples", 2, "-3", "2026-01-31T10:05:00Z" },
        { "cid", "PEARS", 7, nil, "2025-12-28T00:00:00Z" }, { "ann", "x", 0, "10", "2026-02-01T00:00:00Z" },
      }
      for i, r in ipairs(rows) do
        assert(posts:create {
          id = "p" .. i, author_id = r[1], title = r[2], likes = r[3], score = r[4], created_at = r[5],
          metadata = { n = i, lang = i % 2 == 0 and "EN" or nil },
        })
      end
      for i = 1, 4 do
        assert(comments:create { post_id = "p" .. i, user_id = i > 1 and ({ "ann", "bob", "cid" })[i - 1] or nil, body = "c" .. i })
      end
    end)

    teardown(engine.done)

    local function ids(rows, err)
      assert(rows, err)
      local list = {}
      for i, row in ipairs(rows) do list[i] = tostring(row.id):sub(2) end
      return table.concat(list, " ")
    end

    local function found(of, value) return ids(posts:list { where = { larder.matches(of, value) }, order = "id" }) end

    local function refused(field, rows, err)
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
      if field then assert.is_string(err.fields and err.fields[field], tostring(err)) end
      return err.fields and err.fields[field]
    end

    it("fold and measure texts as ASCII and characters", function()
      assert.equal("3", found(larder.lower "title", "pears"))
      assert.equal("1", found(larder.lower "title", "Äpfel"))
      assert.equal("2", found(larder.upper "title", "APPLES"))
      assert.equal("1 3", found(larder.length "title", 5))
      assert.equal("4", found(larder.length(larder.lower "title"), { lt = 3 }))
      assert.equal("2 4", found(larder.lower(larder.path("metadata", "lang")), "en"))
      assert.equal("2 3 4 1", ids(posts:list { order = { larder.lower "title" }, offset = 0 }))
    end)

    it("compute with numbers in their own type", function()
      assert.equal("2", found(larder.add("likes", "score"), "-1"))
      assert.equal("1 4", found(larder.mul("score", 2), { gte = "3.0" }))
      assert.equal("1 2 4", found(larder.abs "score", { gt = 1 }))
      assert.equal("3", found(larder.sub("likes", 5), { gt = 0 }))
      assert.equal("1", found(larder.add("likes", 0.5), "4.5"))
      assert.equal("2", found(larder.sub(larder.path("metadata", "n"), "likes"), 0))
      assert.equal("3", found(larder.coalesce("score", larder.value "99"), { gt = 50 }))
      assert.equal("3", found(larder.coalesce("score", "likes"), 7))
      local huge = larder.mul(larder.mul("likes", 9007199254740992), 9007199254740992)
      local rows, err = posts:list { where = { larder.matches(huge, 1) } }
      assert.is_nil(rows)
      assert.equal("22003", err.sqlstate)
    end)

    it("take times apart, in UTC", function()
      assert.equal("1 2", found(larder.part("month", "created_at"), 1))
      assert.equal("3", found(larder.part("year", "created_at"), 2025))
      assert.equal("1", found(larder.part("hour", "created_at"), 23))
      assert.equal("2", found(larder.part("minute", "created_at"), 5))
      assert.equal("3 4", found(larder.part("weekday", "created_at"), 7))
      assert.equal("1 2", found(larder.bucket("month", "created_at"), "2026-01-01T00:00:00Z"))
      assert(posts:create { id = "p5", author_id = "ann", title = "end", created_at = "infinity" })
      assert(posts:create { id = "p6", author_id = "ann", title = "begin", created_at = "-infinity" })
      assert.equal("5 6", found(larder.part("year", "created_at"), larder.null))
      assert.equal("5 6", found(larder.part("day", "created_at"), larder.null))
    end)

    it("reach the fields of one related row", function()
      assert.equal("1 4", found(larder.field "author.name", "Zoe"))
      assert.equal("2", ids(posts:list { where = { ["author.email"] = { ilike = "bob%" } } }))
      assert.equal("3", ids(posts:list { where = { ["author.name"] = larder.null } }))
      assert.equal("1 4 2 3", ids(posts:list { order = "author.name, id", offset = 0 }))
      assert.equal("3 2 1 4", ids(posts:list { order = { "-author.name", "id" }, offset = 0 }))
      assert.equal("1 4 2 3", ids(posts:list { order = { larder.lower "author.email", "id" }, offset = 0 }))
      assert.equal("2", found(larder.field "author.profile.bio", "long"))
      local of = assert(comments:list { where = { ["post.author.name"] = "Zoe" }, order = "id" })
      assert.equal(2, #of)
      assert(blog.users:delete "ann") -- marked as deleted: as an include, the row is not there
      assert.equal("1 3 4", ids(posts:list { where = { ["author.name"] = larder.null }, order = "id" }))
    end)

    it("make groups, figures and their orders", function()
      local rows = assert(posts:aggregate {
        groups = { "author.name", { larder.part("year", "created_at"), as = "year" } },
        aggs = { { "count", as = "n" }, { "sum", larder.mul("score", "likes"), as = "worth" }, { "max", "author.email", as = "mail" } },
        having = { larder.matches(larder.add("n", 1), { gte = 2 }) }, order = { "year", larder.lower "author_name" },
      })
      assert.same({
        { year = 2025, n = 1, worth = "0", mail = "cid@x" },
        { author_name = "Zoe", year = 2026, n = 2, worth = "6.00", mail = "ann@x" },
        { author_name = "Älf", year = 2026, n = 1, worth = "-6", mail = "Bob@x" },
      }, rows)
      assert.equal(2, #assert(posts:aggregate { groups = { { larder.bucket("year", "created_at"), as = "year" } } }))
      assert.equal(3, assert(posts:aggregate {
        aggs = { { "count", larder.length "title", distinct = true, as = "n", filter = { ["author.name"] = { gt = "A" } } } },
      })[1].n)
    end)

    it("stand in what is changed and deleted", function()
      assert.equal(2, assert(posts:update_where({ ["author.name"] = "Zoe" }, { likes = 50 })))
      assert.equal(2, assert(posts:count { larder.matches(larder.add("likes", 1), 51) }))
      assert.equal(1, assert(comments:delete_where { ["post.title"] = "x" }))
    end)

    local function walk(opts)
      local list, after = {}, nil
      for _ = 1, 20 do
        opts.after = after
        local page, info = posts:list(opts)
        assert(page, info)
        list[#list + 1] = ids(page)
        after = info.next
        if not after then return table.concat(list, "|") end
      end
      error "no end"
    end

    it("page by keyset", function()
      assert.equal("1|4|2|3", walk { order = "author.name, id", limit = 1 })
      assert.equal("3 2|1 4", walk { order = "-author.name, id", limit = 2 })
      assert.equal("4|3|1|2", walk { order = { larder.length "title", "title" }, limit = 1 })
      assert.equal("2 1|3 4", walk { order = { larder.coalesce("score", 5), "id" }, limit = 2 })
      assert.equal("2 1|4 3", walk { order = { larder.mul("score", 2) }, limit = 2 })
      assert.equal("3|4|1|2", walk { order = { { by = larder.mul("score", 2), desc = true } }, limit = 1 })
      local seen = {}
      for post in posts:each { order = { larder.path("metadata", "lang"), "author.email" }, page = 1 } do seen[#seen + 1] = post.id end
      assert.same({ "p2", "p4", "p1", "p3" }, seen)
      local _, info = posts:list { order = { larder.add("likes", 1) }, limit = 1 }
      local rows, err = posts:list { order = { larder.add("likes", 2) }, limit = 1, after = info.next }
      assert.is_string(refused("after", rows, err))
    end)

    it("stand among the columns", function()
      local rows = assert(posts:list {
        columns = { "id", "author.name", { larder.lower "title", as = "low" }, { larder.part("year", "created_at"), as = "year" } },
        order = "-likes", limit = 2,
      })
      assert.same({ { id = "p3", low = "pears", year = 2025 }, { id = "p1", author_name = "Zoe", low = "Äpfel", year = 2026 } }, rows)
      assert.same({ { low = "x" } }, assert(posts:list { columns = { { larder.lower "title", as = "low" } }, where = { id = "p4" } }))
      local row = assert(posts:get("p2", {
        columns = { { larder.add("likes", "score"), as = "sum" } }, include = { author = { columns = { "id" } } },
      }))
      assert.same({ sum = "-1", author = { id = "bob" } }, row)
      assert.equal("bob@x", assert(posts:find({ id = "p2" }, { columns = { { larder.lower "author.email", as = "mail" } } })).mail)
      refused(nil, posts:list { columns = { larder.lower "title" } })
      refused(nil, posts:list { columns = { "title", { larder.lower "title", as = "title" } } })
      refused("bucket", posts:list { columns = { { "created_at", bucket = "day", as = "day" } } })
    end)

    it("are different rows of columns", function()
      local function names(opts)
        opts.distinct = true
        local rows, info = posts:list(opts)
        local list = {}
        for i, row in ipairs(assert(rows, info)) do list[i] = tostring(row.author_name or row.author_id) end
        return table.concat(list, " "), info
      end
      assert.equal("ann bob cid", (names { columns = { "author_id" } }))
      assert.equal("nil Älf Zoe", (names { columns = { "author.name" }, order = "-author_name" }))
      assert.equal("bob cid", (names { columns = { "author_id" }, limit = 2, offset = 1 }))
      assert.equal(2, #assert(posts:list { distinct = true, columns = { { larder.part("year", "created_at"), as = "y" } } }))
      assert.equal("ann", (names { columns = { "author_id" }, where = { likes = { 0, 4 } } }))
      refused("total", posts:list { distinct = true, columns = { "author_id" }, total = true })
      refused("likes", posts:list { distinct = true, columns = { "author_id" }, order = "likes" })
      refused(nil, posts:list { distinct = true, columns = { "metadata" } })
      assert.has_error(function() posts:list { distinct = true } end)
    end)

    it("take decimals as they take numbers", function()
      assert.equal("1.55", assert(posts:patch("p1", { score = larder.increment(larder.decimal "0.05") })).score)
      assert.equal("9.00", assert(posts:patch("p1", { score = larder.greatest(larder.decimal "9.00") })).score)
      assert.equal("0.5", assert(posts:patch("p3", { score = larder.coalesce(larder.decimal "0.5") })).score)
      assert.equal("1 3", found(larder.mul("score", larder.decimal "0.5"), { gte = larder.decimal "0.25", lt = 5 }))
    end)

    it("refuse what has no such field, type or row", function()
      refused("autor", posts:list { order = "autor.name" })
      assert.truthy(refused("autor", posts:list { where = { ["autor.name"] = 1 } }):find "did you mean author")
      refused("nam", posts:list { where = { larder.matches(larder.field "author.nam", "x") } })
      refused("posts.title", blog.users:list { where = { ["posts.title"] = "x" } })
      refused("lower(likes)", posts:list { where = { larder.matches(larder.lower "likes", "x") } })
      refused("add(title, likes)", posts:list { where = { larder.matches(larder.add("title", "likes"), "x") } })
      assert.truthy(refused("liks", posts:list { where = { larder.matches(larder.add("liks", 1), 1) } }):find "did you mean likes")
      refused("add", posts:list { where = { larder.matches(larder.add(1, 2), 1) } })
      refused(nil, posts:aggregate { groups = { larder.length "title" } })
      assert.has_error(function() larder.bucket("dya", "created_at") end)
      assert.has_error(function() larder.lower() end)
      assert.has_error(function() larder.add("likes", larder.increment(1)) end)
      assert.has_error(function() larder.field(7) end)
      assert.has_error(function() posts:list { where = { larder.matches(larder.increment(1), 1) } } end)
    end)
  end)
end
