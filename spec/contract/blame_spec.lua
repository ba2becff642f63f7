-- What is blamed is what is wrong: the field, the row of a list, the element of an array, and not what stands beside it.

local larder = require "larder"
local engines = require "spec.support.engines"

local HERE = "blame_spec.lua:%d+: "

for _, engine in ipairs(engines) do
  describe("what is blamed on " .. engine.name, function()
    local db, posts, items, visits, user

    before_each(function()
      engine.fresh "shop"
      db = engine.fresh "blog"
      posts = db:stores("blog").posts
      items, visits = db:stores("shop").items, db:stores("shop").visits
      user = larder.must(db:stores("blog").users:create { email = "a@b" })
    end)

    teardown(engine.done)

    local function says(text, answer, err)
      assert.is_nil(answer)
      assert.equal(text, tostring(err))
    end

    local function raises(why, call)
      local ok, said = pcall(call)
      assert.is_false(ok, why .. " was expected")
      assert.matches(HERE .. why:gsub("%p", "%%%0"), said)
    end

    it("of a condition, an order, a group or an aggregate is its field", function()
      for why, ask in pairs {
        ["find: metadata cannot be sorted: json, xml, tsvector, arrays have no order"] = { "find", { metadata = { gt = { 1 } } } },
        ["list: metadata cannot be sorted: json, xml, tsvector, arrays have no order"] = { "list", { order = "metadata" } },
        ["find: likes has another type: contains is for jsonb, arrays and ranges"] = { "find", { likes = { contains = 5 } } },
        ["find: likes has another type: overlaps is for arrays and ranges"] = { "find", { likes = { overlaps = 5 } } },
        ["find: likes has another type: like is for text"] = { "find", { likes = { like = "x" } } },
        ["find: title is no jsonb with keys"] = { "find", { title = { has_key = "x" } } },
        ["find: post_id cannot be joined with likes: of another type"] = { "find", { larder.exists("comments", { post_id = "likes" }) } },
        ["aggregate: title is of type text, which has no sum; possible are min, max and count"] = {
          "aggregate", { aggs = { { "sum", "title" } } },
        },
        ["aggregate: metadata makes no groups: json, xml, tsvector and arrays do not"] = {
          "aggregate", { groups = { "metadata" }, aggs = { { "count" } } },
        },
        ["aggregate: metadata has no order, and distinct needs one"] = {
          "aggregate", { aggs = { { "count", "metadata", distinct = true } } },
        },
        ["aggregate: an aggregate without aggs and groups computes nothing"] = { "aggregate", {} },
      } do
        local _, err = posts[ask[1]](posts, ask[2])
        says("invalid: blog.posts:" .. why, nil, err)
        local field = why:match "^%w+: ([%w_]+)"
        if field ~= "an" then assert.is_string(err.fields[field]) end
      end
    end)

    it("of a change is the field that it is not for, and not the value", function()
      local id = larder.must(posts:create { author_id = user.id, title = "x" }).id
      says("invalid: blog.posts:patch: title cannot be incremented: it is no number", posts:patch(id, { title = larder.increment(1) }))
      says("invalid: blog.posts:patch: title cannot be merged into: it is not jsonb", posts:patch(id, { title = larder.merge { a = 1 } }))
      says("invalid: blog.posts:patch: likes cannot be appended to: it is neither jsonb nor an array",
        posts:patch(id, { likes = larder.append "x" }))
      local change = "must be a value: larder.increment and its like are for changes"
      says("invalid: blog.posts:create: likes " .. change, posts:create { author_id = "x", title = "x", likes = larder.increment(1) })
      says("invalid: shop.items:create: tags " .. change, items:create { tenant_id = "t", title = "x", tags = larder.append "x" })
    end)

    it("of an array is the element", function()
      local row = { tenant_id = "t", title = "x", tags = { "a", 5 } }
      says("invalid: shop.items:create: tags element 2 must be text", items:create(row))
      row.stock = "many" -- another fault beside it
      local _, err = items:create(row)
      assert.same({ tags = "element 2 must be text", stock = "must be an integer" }, err.fields)
      says("invalid: shop.items:create_many: tags element 1 is not valid UTF-8 (byte 2) (row 2)",
        items:create_many { { tenant_id = "t", title = "x" }, { tenant_id = "t", title = "y", tags = { "a\255" } } })
    end)

    it("of an array is no other field, when there are more faults than an error holds", function()
      local fields, row = { { name = "id", type = "int4" } }, { id = 1 }
      for i = 1, 60 do fields[i + 1], row["tags" .. i] = { name = "tags" .. i, type = "text[]" }, { 5 } end
      larder.declare { name = "blamed", entities = {
        { name = "wide", table = "blamed.wide", fields = fields, key = { name = "wide_pkey", "id" } },
      } }
      local _, err = larder.must(db:stores "blamed").wide:create(row)
      local n = 0
      for _, fault in pairs(err.fields) do
        n = n + 1
        assert.equal("element 1 must be text", fault)
      end
      assert.is_true(n > 10 and n < 60)
    end)

    it("of a list of rows is the row", function()
      raises("shop.visits:create_many: row 2 must be a table, not a number", function() visits:create_many { { page = "a" }, 5 } end)
    end)

    it("of rows with a key that is taken, or that refer to nothing, is the one that has the key", function()
      local users, comments = db:stores("blog").users, db:stores("blog").comments
      local function row_of(store, rows, opts)
        local made, err = store:create_many(rows, opts)
        assert.is_nil(made)
        assert.is_not_nil(err.constraint)
        assert.equal(err.row and (" (row %d)"):format(err.row) or "", tostring(err):match '"([^"]*)$')
        return err.row
      end
      local function mails(...)
        local rows = {}
        for i, email in ipairs { ... } do rows[i] = { id = "u" .. i, email = email } end
        return rows
      end
      assert.equal(2, row_of(users, mails("x@y", "a@b", "y@y")))
      assert.equal(3, row_of(users, { { email = "1" }, { email = "2" }, { id = user.id, email = "3" } }))
      assert.is_nil(row_of(users, mails("x@y", "z@z", "x@y"))) -- both have it: which of them is at fault?
      assert.equal(1, row_of(users, { { id = user.id, email = "1" }, { email = "2" } }, { returning = true }))
      local post = larder.must(posts:create { author_id = user.id, title = "x" }).id
      assert.equal(2, row_of(comments, { { post_id = post, body = "b" }, { post_id = "n), (\"", body = "b" },
        { post_id = post, body = "b" } }))
      assert.is_nil(row_of(comments, { { post_id = "none", body = "b" }, { post_id = "none", body = "b" } }))
      local _, err = posts:create { author_id = user.id, title = "t", comments = { { body = "a" }, { body = "b", user_id = "nobody" } } }
      assert.same({ "blog.comments", "foreign_key", 2 }, { err.store, err.code, err.row })
      _, err = users:create { id = "one", email = "a@b" }
      assert.is_nil(err.row)
      _, err = users:create_many { { email = "x" }, { email = 7 } }
      assert.equal(2, err.row)
    end)

    it("of an operation is its name", function()
      raises("shop.visits:slect: there is no operation 'slect'; did you mean select?", function() visits:run { op = "slect" } end)
      raises("shop.visits:count: operation count takes no set", function() visits:run { op = "count", set = {} } end)
    end)

    it("of a transaction that goes on after a fault is the fault, and what to do is said", function()
      larder.must(items:create { tenant_id = "t", title = "x" })
      local _, err = db:transaction(function()
        items:create { tenant_id = "t", title = "x" }
        return items:create { tenant_id = "t", title = "y" }
      end)
      says("closed: shop.items:create: transaction was aborted by an earlier error; hint: return that error; what may fail and be "
        .. "followed by more goes into a transaction inside of this one", nil, err)
    end)

    it("of dead letters with a misspelt method is the method", function()
      local letters = assert(db:dead_letters())
      raises("a set of dead letters has no discrad; did you mean discard?", function() letters:discrad() end)
    end)

    if engine.name == "postgres" then
      it("of a role that is not there is the role", function()
        local _, err = db:with({ role = "larder_nobody" }):stores("shop").visits:list()
        assert.equal("invalid", err.code)
        assert.equal("the server has no such role, or does not take the value of a setting (db:with, set)", err.hint)
        assert.is_nil(tostring(err):find("nobody", 1, true))
      end)
    end
  end)
end
