-- Includes and nested creates, on a family that a user declared.

local larder = require "larder"
local engines = require "spec.support.engines"

local function column(rows, name)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row[name] end
  return table.concat(list, " ")
end

for _, engine in ipairs(engines) do
  describe("includes on " .. engine.name, function()
    local db, blog

    before_each(function()
      db = engine.fresh "blog"
      blog = db:stores "blog"
    end)

    teardown(engine.done)

    -- ann: a1 … a4 (a3 not published), bob: b1, cid: nothing
    local function fill()
      local tick = 0
      db:set_clock(function()
        tick = tick + 1000000
        return tick
      end)
      for _, name in ipairs { "ann", "bob", "cid" } do
        assert(blog.users:create { id = name, email = name .. "@x", name = name })
      end
      for _, title in ipairs { "a1", "a2", "a3", "a4", "b1" } do
        assert(blog.posts:create {
          id = title, author_id = title:find "^a" and "ann" or "bob", title = title, published = title ~= "a3",
          likes = tonumber(title:sub(2)), score = title == "a1" and "1.50" or nil,
        })
      end
      for i, name in ipairs { "writer", "admin" } do assert(blog.roles:create { id = "r" .. i, user_id = "ann", name = name }) end
      assert(blog.profiles:create { user_id = "ann", bio = "of Ann" })
      for i = 1, 3 do assert(blog.comments:create { post_id = "a" .. i, user_id = i < 3 and "bob" or nil, body = "c" .. i }) end
      assert(blog.visits:create { user_id = "bob", page = "/" })
      assert(blog.visits:create { user_id = "gone", page = "/x" })
    end

    -- ---- what is read ----

    it("reads lists, single rows and rows referred to, each with its exact types", function()
      fill()
      local ann = assert(blog.users:get("ann", { include = { posts = true, roles = true, profile = true } }))
      assert.equal("a4 a3 a2 a1", column(ann.posts, "title")) -- the other store's own order
      assert.equal("admin writer", column(ann.roles, "name"))
      assert.equal("of Ann", ann.profile.bio)
      assert.same(assert(blog.posts:get "a1"), ann.posts[4])
      assert.equal("1.50", ann.posts[4].score)
      local post = assert(blog.posts:get("b1", { include = { author = true } }))
      assert.same(assert(blog.users:get "bob"), post.author)
    end)

    it("has a list where there is nothing, and no single row", function()
      fill()
      local cid = assert(blog.users:get("cid", { include = { "posts", "roles", "profile" } }))
      assert.same({}, cid.posts)
      assert.equal("[]", larder.json.encode(cid.posts))
      assert.is_nil(cid.profile)
      local comment = assert(blog.comments:find({ body = "c3" }, { include = { user = true, post = { include = { "author" } } } }))
      assert.is_nil(comment.user)
      assert.equal("ann", comment.post.author.id)
    end)

    it("gives every row of a list its own", function()
      fill()
      local users = assert(blog.users:list { include = { posts = { order = "title" }, visits = true } })
      assert.equal("ann bob cid", column(users, "id"))
      assert.equal("a1 a2 a3 a4", column(users[1].posts, "title"))
      assert.equal("b1", column(users[2].posts, "title"))
      assert.same({}, users[3].posts)
      assert.equal("/", column(users[2].visits, "page"))
      local visits = assert(blog.visits:list { include = { user = { columns = { "name" } } } })
      assert.same({ name = "bob" }, visits[1].user)
      assert.is_nil(visits[2].user) -- no constraint stands behind it
    end)

    it("filters, orders and limits for each parent", function()
      fill()
      local wanted = { posts = { where = { published = true }, order = "likes desc", limit = 2, columns = { "title" } } }
      local users = assert(blog.users:list { include = wanted })
      assert.same({ { title = "a4" }, { title = "a2" } }, users[1].posts)
      assert.same({ { title = "b1" } }, users[2].posts)
      assert.same({}, users[3].posts)
      wanted.posts.offset = 1
      users = assert(blog.users:list { include = wanted })
      assert.same({ { title = "a2" }, { title = "a1" } }, users[1].posts)
      assert.same({}, users[2].posts)
      local ann = assert(blog.users:get("ann", { include = wanted }))
      assert.same({ { title = "a2" }, { title = "a1" } }, ann.posts)
      wanted.posts = { offset = 3, columns = { "title" } }
      assert.same({ { title = "a1" } }, assert(blog.users:list { include = wanted })[1].posts)
      assert.same({}, assert(blog.users:get("ann", { include = { posts = { limit = 0 } } })).posts)
    end)

    it("reads level under level, by one statement a level", function()
      fill()
      local statements = 0
      local stop = db:on("query", function() statements = statements + 1 end)
      local users = assert(blog.users:list {
        columns = { "name" },
        include = { posts = {
          order = "title", columns = { "title" },
          include = { comments = { include = { user = { columns = { "name" } } } } },
        } },
      })
      stop()
      assert.equal(4, statements)
      assert.equal("c1", users[1].posts[1].comments[1].body)
      assert.same({ name = "bob" }, users[1].posts[1].comments[1].user)
      assert.same({}, users[1].posts[4].comments)
      assert.is_nil(users[1].id) -- was read to join, but not asked for
      assert.is_nil(users[1].posts[1].id)
      assert.is_nil(users[1].posts[1].author_id)
    end)

    it("joins over several fields", function()
      for _, org in ipairs { "o1", "o2" } do
        for _, team in ipairs { "red", "blue" } do
          assert(blog.teams:create { org_id = org, id = team, name = org .. team })
          for i = 1, 3 do
            assert(blog.members:create {
              org_id = org, team_id = team, name = "m" .. i, rank = i, boss_team_id = i == 1 and "red" or nil,
            })
          end
        end
      end
      local teams = assert(blog.teams:list("o1", { include = { members = { order = "-rank", limit = 2 } } }))
      assert.equal("m3 m2", column(teams[1].members, "name"))
      assert.equal("o1", teams[2].members[1].org_id)
      local all = {}
      for team in blog.teams:each { page = 3, include = { members = { where = { rank = { lt = 3 } }, include = { "boss_team" } } } } do
        all[#all + 1] = team
        assert.equal("m1 m2", column(team.members, "name"))
        assert.equal(team.org_id, team.members[1].org_id)
        assert.equal(team.org_id .. "red", team.members[1].boss_team.name)
        assert.is_nil(team.members[2].boss_team)
      end
      assert.equal(4, #all)
      local members = assert(blog.members:list { order = "org_id, team_id, name", limit = 4, include = { "team" } })
      assert.equal("o1blue", members[1].team.name)
      assert.equal("o1red", members[4].team.name)
      assert.equal(members[1].team, members[2].team) -- one table for the rows that share it
    end)

    it("leaves out rows that are marked as deleted, on every level", function()
      fill()
      assert(blog.posts:delete "a4")
      assert(blog.users:delete "bob")
      local ann = assert(blog.users:get("ann", { include = { "posts" } }))
      assert.equal("a3 a2 a1", column(ann.posts, "title"))
      ann = assert(blog.users:get("ann", { include = { posts = { with_deleted = true } } }))
      assert.equal("a4 a3 a2 a1", column(ann.posts, "title"))
      assert.is_nil(assert(blog.posts:get("b1", { include = { "author" } })).author)
      assert.is_table(assert(blog.posts:get("b1", { include = { author = { with_deleted = true } } })).author)
    end)

    it("goes with pages, totals and each", function()
      fill()
      local page, info = assert(blog.users:list { limit = 2, total = true, include = { "roles" } })
      assert.equal("ann bob", column(page, "id"))
      assert.equal(3, info.total)
      assert.equal(2, #page[1].roles)
      page, info = assert(blog.users:list { limit = 2, after = info.next, include = { "roles" } })
      assert.equal("cid", column(page, "id"))
      assert.is_nil(info.next)
      local seen = {}
      for user in blog.users:each { page = 2, include = { posts = { limit = 1 } } } do seen[#seen + 1] = user.id .. #user.posts end
      assert.equal("ann1 bob1 cid0", table.concat(seen, " "))
    end)

    it("joins the transaction around it", function()
      fill()
      assert(db:transaction(function()
        assert(blog.posts:create { id = "b2", author_id = "bob", title = "b2" })
        local bob = assert(blog.users:get("bob", { include = { "posts" } }))
        assert.equal(2, #bob.posts)
        return true
      end))
      assert.is_false(db:in_transaction())
    end)

    it("follows a write", function()
      fill()
      local ann = assert(blog.users:patch("ann", { name = "Ann" }, { include = { posts = { limit = 1 } } }))
      assert.equal("Ann", ann.name)
      assert.equal("a4", ann.posts[1].title)
      ann.posts, ann.name = nil, "Anna"
      ann = assert(blog.users:update(ann, { include = { "roles" } }))
      assert.equal("Anna", ann.name)
      assert.equal(2, #ann.roles)
      local up = assert(blog.users:upsert({ id = "bob", email = "bob@x", name = "B" }, { include = { "posts" } }))
      assert.equal("b1", up.posts[1].title)
      local post = assert(blog.posts:create({ author_id = "bob", title = "b2" }, { include = { "author" } }))
      assert.equal("B", post.author.name)
      local none, err = blog.users:patch("nobody", { name = "x" }, { include = { "posts" } })
      assert.is_nil(none)
      assert.equal("not_found", err.code)
    end)

    -- ---- what is refused ----

    it("refuses what is no relation, and says what may be meant", function()
      local row, err = blog.users:list { include = { post = true } }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      assert.matches("did you mean posts?", err.fields.post, 1, true)
      row, err = blog.users:get("ann", { include = { posts = { include = { commets = true } } } })
      assert.is_nil(row)
      assert.matches("did you mean comments?", err.fields["posts.commets"], 1, true)
      _, err = blog.users:find({}, { include = { xyzzy = true } })
      assert.equal("is not a relation of blog.users", err.fields.xyzzy)
      assert.has_error(function() blog.users:each { include = { post = true } } end)
    end)

    it("refuses a level too many", function()
      local wanted = { "author" }
      for _ = 1, 4 do wanted = { author = { include = { posts = { include = wanted } } } } end
      local row, err = blog.posts:list { include = wanted }
      assert.is_nil(row)
      assert.matches("deeper than 8 levels", err.fields.include)
    end)

    it("refuses bad options, fields and limits of an include", function()
      fill()
      assert.has_error(function() blog.users:list { include = { posts = { limits = 3 } } } end)
      assert.has_error(function() blog.users:list { include = { posts = 3 } } end)
      assert.has_error(function() blog.users:list { include = true } end)
      for _, options in ipairs { { limit = -1 }, { limit = 1.5 }, { offset = -1 }, { where = { nonsense = 1 } }, { order = "nonsense" },
                                 { columns = { "nonsense" } } } do
        local rows, err = blog.users:list { include = { posts = options } }
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
      end
      assert.is_false(db:in_transaction())
    end)

    -- ---- conditions on related rows ----

    it("chooses rows by what belongs to them", function()
      fill()
      assert(blog.posts:create { id = "b2", author_id = "bob", title = "b2", published = false, deleted_at = "2026-01-01T00:00:00Z" })
      local function ids(where) return column(assert(blog.users:list { where = where, order = "id" }), "id") end
      assert.equal("ann bob", ids { posts = true })
      assert.equal("cid", ids { posts = false })
      assert.equal("ann bob", ids { posts = { any = larder.all {} } })
      assert.equal("ann", ids { posts = { any = { published = false } } }) -- b2 is deleted
      assert.equal("bob cid", ids { posts = { none = { published = false } } })
      assert.equal("bob cid", ids { posts = { all = { published = true } } })
      assert.equal("bob", ids { posts = { any = { likes = 1 }, all = { published = true } } })
      assert.equal("bob", ids { posts = true, roles = false, name = { like = "b%" } })
      assert.equal("ann", ids { profile = true, roles = { any = { name = { "admin" } } } })
      -- through a row that is referred to, and over several levels
      assert.equal("b1", column(assert(blog.posts:list { where = { author = { any = { name = "bob" } } } }), "id"))
      assert.equal("ann", ids { posts = { any = { title = "a1", comments = { any = { user = { any = { name = "bob" } } } } } } })
      assert.equal("ann cid", ids(larder.any { { posts = { any = { likes = 4 } } }, larder.not_ { posts = true } }))
      -- wherever a condition stands
      assert.equal(1, assert(blog.users:count { posts = { any = { likes = 2 } } }))
      local users = assert(blog.users:list { order = "id", include = { posts = { where = { comments = true }, order = "id" } } })
      assert.equal("a1 a2 a3", column(users[1].posts, "id"))
      assert.equal(2, assert(blog.posts:aggregate { aggs = { { "count", as = "n", filter = { comments = false } } } })[1].n)
      assert.equal("ann", ids { larder.exists("posts", { author_id = "id" }, { comments = { any = { body = "c3" } } }) })
      assert.equal(2, assert(blog.posts:update_where({ author = { any = { id = "bob" } } }, { likes = 7 }, { with_deleted = true })))
      assert.equal(1, assert(blog.roles:delete_where { name = "admin", user = { any = { id = "ann" } } }))
    end)

    it("refuses what a relation is not asked for", function()
      fill()
      for _, value in ipairs { 1, "x", { some = {} }, {}, larder.any { { likes = 1 } } } do
        local rows, err = blog.users:list { where = { posts = value } }
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
        assert.matches("takes true, false, or", err.fields.posts)
      end
      local _, err = blog.users:list { where = { posts = { any = { titel = "x" } } } }
      assert.matches("did you mean title", err.fields.titel)
      _, err = blog.users:list { where = { post = true } }
      assert.matches("is not a field", err.fields.post)
      _, err = blog.users:aggregate { aggs = { { "count", as = "n" } }, groups = { "name" }, having = { posts = true } }
      assert.matches("is not a field", err.fields.posts)
    end)

    -- ---- nested creates ----

    it("creates rows with what belongs to them, level under level", function()
      local user = assert(blog.users:create {
        email = "dot@x",
        posts = { { title = "one", comments = { { body = "first" }, { body = "second" } } }, { title = "two" } },
        roles = { { name = "dotter" } },
        profile = { bio = "of Dot" },
      })
      assert.equal(user.id, user.posts[1].author_id)
      assert.equal("one two", column(user.posts, "title"))
      assert.equal("first second", column(user.posts[1].comments, "body"))
      assert.equal(user.id, user.profile.user_id)
      local stored = assert(blog.users:get(user.id, {
        include = { posts = { order = "title", include = { "comments" } }, roles = true, profile = true },
      }))
      user.posts[2].comments = larder.array {}
      assert.same(user, stored)
      local empty = assert(blog.users:create { email = "e@x", posts = {} })
      assert.same({}, empty.posts)
    end)

    it("creates all of it or nothing", function()
      fill()
      local user, err = blog.users:create { id = "dot", email = "dot@x", posts = { { title = "one" } }, roles = { { name = "admin" } } }
      assert.is_nil(user)
      assert.equal("conflict", err.code)
      assert.equal("roles_name_key", err.constraint)
      assert.equal("blog.roles", err.store)
      assert.is_false(blog.users:exists "dot")
      assert.equal(0, blog.posts:count { title = "one" })
      user, err = blog.users:create { id = "dot", email = "dot@x", posts = { { title = "ok" }, { title = "" } } }
      assert.is_nil(user)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.title)
      assert.is_false(blog.users:exists "dot")
      -- inside a transaction the rest of it lives on
      assert(db:transaction(function()
        assert(blog.users:create { id = "eve", email = "eve@x" })
        assert.is_nil((blog.users:create { id = "dot", email = "dot@x", roles = { { name = "admin" } } }))
        return true
      end))
      assert.is_true(blog.users:exists "eve")
      assert.is_false(blog.users:exists "dot")
    end)

    it("reads nested rows as every other row is read: nothing that a table hides is lost", function()
      local function proxy(own, hidden, event) return setmetatable(own, { [event or "__index"] = hidden }) end
      for name, row in pairs {
        ["a proxy"] = proxy({ email = "x", posts = { { title = "a" } } }, { name = "Ann" }),
        ["a nested proxy"] = { email = "x", posts = { proxy({ title = "a" }, { likes = 9 }) } },
        ["a proxy two levels down"] = {
          email = "x", posts = { { title = "a", comments = { proxy({ body = "b" }, { user_id = "ann" }) } } },
        },
        ["a single nested proxy"] = { email = "x", profile = proxy({}, { bio = "b" }) },
        ["a list that is a proxy"] = { email = "x", posts = proxy({}, { { title = "a" } }) },
        ["a list with __pairs"] = { email = "x", posts = proxy({ { title = "a" } }, function() return next, {}, nil end, "__pairs") },
      } do
        local ok, why = pcall(blog.users.create, blog.users, row, { include = { posts = true } })
        assert.is_false(ok, name)
        assert.matches("include_spec.*blog%..*metatable", why, name)
      end
      for name, posts in pairs {
        ["a hole"] = { { title = "a" }, nil, { title = "b" } }, ["behind a hole"] = { { title = "a" }, [3] = { title = "b" } },
        ["at 0"] = { [0] = { title = "a" } }, ["at 1.5"] = { [1.5] = { title = "a" } },
        ["by name"] = { { title = "a" }, b = { title = "b" } },
      } do
        local row, err = blog.users:create { email = "x", posts = posts }
        assert.is_nil(row, name)
        assert.equal("must be a list of rows", err.fields.posts, name)
      end
      assert.equal(0, blog.users:count(larder.all {}))
      assert.equal(0, blog.posts:count(larder.all {}))
    end)

    it("blames the caller's line for a condition of an include", function()
      fill()
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, why = pcall(function() blog.users:list { include = { posts = { where = {} } } } end)
      assert.is_false(ok)
      assert.matches("include_spec.lua:" .. line .. ": blog.posts:list: the condition is empty", why, 1, true)
    end)

    it("refuses nested rows that cannot belong to the new one", function()
      fill()
      for _, case in ipairs {
        { blog.users, { email = "d@x", posts = { { title = "x", author_id = "ann" } } }, "author_id" },
        { blog.users, { email = "d@x", posts = "x" }, "posts" },
        { blog.users, { email = "d@x", posts = { title = "x" } }, "posts" },
        { blog.users, { email = "d@x", profile = { { bio = "x" } } }, "1" },
        { blog.posts, { title = "x", author = { email = "d@x" }, comments = {} }, "author" },
      } do
        local row, err = case[1]:create(case[2])
        assert.is_nil(row)
        assert.equal("invalid", err.code)
        assert.is_string(err.fields[case[3]], case[3])
      end
      assert.equal(3, blog.users:count())
    end)

    it("tells the first nested row that no database takes, before what stands in the way of another, and by its place", function()
      fill()
      for _, case in ipairs {
        { { id = "ann", email = "d@x", name = "D", posts = { { title = "a" }, { title = 5 } } }, "title", "row 2" }, -- ann is there
        { { email = "d@x", name = "D", posts = { { title = 5 } } }, "title", "" },
        { { email = 5, posts = { { title = 5 } } }, "email", "" },
      } do
        local row, err = blog.users:create(case[1])
        assert.is_nil(row)
        assert.equal("invalid", err.code)
        assert.is_string(err.fields[case[2]])
        assert.equal(case[3], err.detail or "")
      end
      local row, err = blog.users:create { id = "ann", email = "d@x", name = "D", posts = { { title = "a" } } }
      assert.is_nil(row)
      assert.equal("users_pkey", err.constraint)
      assert.equal(5, blog.posts:count())
    end)

    it("answers a nested create by one value", function()
      assert.equal(1, select("#", blog.users:create { email = "d@x", name = "D", posts = { { title = "a" } } }))
    end)
  end)
end

describe("a declaration with relations", function()
  local function declare(more)
    local entities = {
      {
        name = "a", table = "rel.a", key = { name = "a_pkey", "id" },
        fields = {
          { name = "id", type = "text" }, { name = "n", type = "int4", null = true }, { name = "j", type = "jsonb", null = true },
        },
      },
      {
        name = "b", table = "rel.b", key = { name = "b_pkey", "id" },
        fields = {
          { name = "id", type = "text" }, { name = "a_id", type = "text" }, { name = "n", type = "int4", null = true },
          { name = "j", type = "jsonb", null = true },
        },
      },
    }
    for k, v in pairs(more) do entities[2][k] = v end
    return function() larder.declare { name = "rel", entities = entities } end
  end

  local function ref(more)
    local t = { name = "b_a_fkey", fields = { "a_id" }, to = "a" }
    for k, v in pairs(more) do t[k] = v end
    return { references = { t } }
  end

  it("is refused when its relations cannot be", function()
    assert.error_matches(declare(ref { as = "n" }), "name of a field")
    assert.error_matches(declare(ref { as = "x", many = "id" }), "name of a field")
    assert.error_matches(declare(ref { one = "b" }), "is not unique")
    assert.error_matches(declare(ref { one = "b", many = "bs" }), "not both")
    assert.error_matches(declare(ref { as = "two words" }), "plain word")
    assert.error_matches(declare { relations = { { fields = { "a_id" }, to = "c", as = "x" } } }, "unknown store c")
    assert.error_matches(declare { relations = { { fields = { "nope" }, to = "a", as = "x" } } }, "unknown field nope")
    assert.error_matches(declare { relations = { { fields = { "n" }, to = "a", as = "x" } } }, "different types")
    assert.error_matches(declare { relations = { { fields = { "j" }, to = "a", to_fields = { "j" }, as = "x" } } }, "join nothing")
    assert.error_matches(declare { relations = { { fields = { "a_id", "n" }, to = "a", as = "x" } } }, "2 fields here and 1")
    assert.error_matches(declare { relations = { { fields = { "a_id" }, to = "a", az = "x" } } }, "unknown entry az")
    local bs = { fields = { "a_id" }, to = "a", many = "bs" }
    assert.error_matches(declare { relations = { bs, bs } }, "two relations")
  end)
end)
