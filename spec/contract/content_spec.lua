local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local larder = require "larder"

for _, engine in ipairs(engines) do
  describe("content on " .. engine.name, function()
    local db, content, clock

    before_each(function()
      db = engine.fresh "content"
      content = db:stores "content"
      clock = clocks.clock()
      db:set_clock(clock)
    end)

    teardown(engine.done)

    local function user(email, more)
      clock.tick(1)
      local row = { email = email, name = email:match "^[^@]+" }
      for k, v in pairs(more or {}) do row[k] = v end
      return assert(content.users:create(row))
    end

    local function post(author, title, more)
      clock.tick(1)
      local row = { author_id = author.id, title = title }
      for k, v in pairs(more or {}) do row[k] = v end
      return assert(content.posts:create(row))
    end

    local function pluck(list, field, err)
      local values = {}
      for i, row in ipairs(assert(list, err)) do values[i] = row[field] end
      return values
    end

    it("NX-5 creates, reads with both relations, and deletes in order", function()
      local ann = user "ann@x"
      local hello = post(ann, "Hello")
      local role = assert(content.roles:create { user_id = ann.id, name = "editor" })
      local row = assert(content.users:get(ann.id, { include = { posts = true, roles = true } }))
      assert.same({ { "Hello" }, { "editor" } }, { pluck(row.posts, "title"), pluck(row.roles, "name") })
      assert.is_true(content.roles:delete(role.id))
      assert.is_true(content.posts:purge(hello.id))
      assert.is_true(content.users:purge(ann.id))
      for store, id in pairs { users = ann.id, posts = hello.id, roles = role.id } do
        local _, err = content[store]:delete(id)
        assert.equal("not_found", err.code)
      end
    end)

    it("NX-6 creates a user with posts and roles in one call, all or nothing", function()
      local made = assert(content.users:create {
        email = "ann@x", posts = { { title = "One", published = true } }, roles = { { name = "editor" } },
      }, { include = { posts = true, roles = true } })
      assert.same({ "One", "editor" }, { made.posts[1].title, made.roles[1].name })
      assert.equal(made.id, made.posts[1].author_id)
      local _, err = content.users:create {
        email = "bob@x", posts = { { title = "Two" } }, roles = { { name = "editor" }, { name = "editor" } },
      }
      assert.same({ "conflict", "unique_role_name_per_user" }, { err.code, err.constraint })
      assert.equal(1, assert(content.users:count(larder.all {})))
      assert.equal(1, assert(content.posts:count(larder.all {})))
    end)

    it("NX-7 has defaults, and ids that are never the same", function()
      local ann, seen = user "ann@x", {}
      local made = post(ann, "T")
      assert.same({ false, {} }, { made.published, made.metadata })
      assert.is_nil(made.content)
      for i = 1, 50 do
        local id = post(ann, "n" .. i).id
        assert.is_truthy(id:match "^c%w+$")
        assert.is_true(#id == 25 and not seen[id])
        seen[id] = true
      end
      clock.tick(5)
      local changed = assert(content.posts:patch(made.id, { title = "U" }))
      assert.equal(made.created_at, changed.created_at)
      assert.is_true(changed.updated_at > made.updated_at)
    end)

    it("NX-8 refuses an e-mail and a role name that are taken", function()
      local ann, bob = user "ann@x", user "bob@x"
      local _, err = content.users:create { email = "ann@x" }
      assert.same({ "conflict", "unique_user_email" }, { err.code, err.constraint })
      assert(content.roles:create { user_id = ann.id, name = "editor" })
      _, err = content.roles:create { user_id = ann.id, name = "editor" }
      assert.same({ "conflict", "unique_role_name_per_user" }, { err.code, err.constraint })
      assert(content.roles:create { user_id = bob.id, name = "editor" })
    end)

    it("NX-9 refuses a post of nobody, and to purge who has posts or roles", function()
      local _, err = content.posts:create { author_id = "nobody", title = "T" }
      assert.same({ "foreign_key", "posts_author_fkey" }, { err.code, err.constraint })
      local ann = user "ann@x"
      local made = post(ann, "T")
      _, err = content.users:purge(ann.id)
      assert.same({ "foreign_key", "posts_author_fkey" }, { err.code, err.constraint })
      assert.is_true(content.posts:purge(made.id))
      local role = assert(content.roles:create { user_id = ann.id, name = "editor" })
      _, err = content.users:purge(ann.id)
      assert.equal("roles_user_fkey", err.constraint)
      assert(content.roles:delete(role.id))
      assert.is_true(content.users:purge(ann.id))
    end)

    it("NX-10 lists users with their published posts, newest first", function()
      local ann, bob = user "ann@x", user "bob@x"
      post(ann, "old", { published = true })
      post(ann, "draft")
      post(ann, "new", { published = true })
      assert(content.roles:create { user_id = ann.id, name = "editor" })
      local list = assert(content.users:list {
        order = "email", include = { posts = { where = { published = true }, order = "-created_at" }, roles = true },
      })
      assert.same({ "ann@x", "bob@x" }, pluck(list, "email"))
      assert.same({ "new", "old" }, pluck(list[1].posts, "title"))
      assert.same({ "editor" }, pluck(list[1].roles, "name"))
      assert.same({ {}, {} }, { list[2].posts, list[2].roles })
      assert.equal(bob.id, list[2].id)
    end)

    it("NX-11 counts posts and names roles, the busiest first, none twice", function()
      local ann, bob, eve = user "ann@x", user "bob@x", user "eve@x"
      post(bob, "b")
      for i = 1, 3 do post(ann, "a" .. i) end
      assert(content.posts:delete(post(ann, "gone").id))
      assert(content.roles:create { user_id = ann.id, name = "b" })
      assert(content.roles:create { user_id = ann.id, name = "a" })
      local gone = user "gone@x"
      post(gone, "g")
      assert(content.users:delete(gone.id))
      local stats = assert(content.users:stats())
      assert.same({ "ann@x", "bob@x", "eve@x" }, pluck(stats, "email"))
      assert.same({ 3, 1, 0 }, pluck(stats, "post_count"))
      assert.same({ "a, b", "", "" }, pluck(stats, "roles"))
      assert.same({ ann.id, bob.id, eve.id }, pluck(stats, "id"))
      assert.same({ bob.id, eve.id }, pluck(content.users:stats { limit = 2, offset = 1 }, "id"))
      assert.same({ eve.id }, pluck(content.users:stats { limit = 2, offset = 2 }, "id"))
      assert.same({}, assert(content.users:stats { limit = 2, offset = 3 }))
    end)

    it("NX-13 finds posts by category and by tag in their metadata", function()
      local ann = user "ann@x"
      local one = post(ann, "one", { metadata = { category = "tech", tags = larder.array { "lua", "c" } } })
      local two = post(ann, "two", { metadata = { category = "life", tags = larder.array { "c" } } })
      post(ann, "three")
      assert.same({ one.id }, pluck(content.posts:list_by_category "tech", "id"))
      assert.same({ two.id, one.id }, pluck(content.posts:list_by_tag "c", "id"))
      assert.same({}, assert(content.posts:list_by_tag "rust"))
      assert.has_error(function() content.posts:list_by_tag() end)
    end)

    it("raises misuse inside of a method that has a transaction of its own", function()
      local ok, why = pcall(content.users.paginate, content.users, { where = {} })
      assert.is_false(ok)
      assert.matches("content_spec.*the condition is empty", why)
    end)

    it("NX-14 counts pages from 1, of 1 to 100 rows", function()
      for i = 1, 25 do user(("u%02d@x"):format(i)) end
      local page = assert(content.users:paginate { page = 1, page_size = 10, order = "email" })
      assert.same({ 10, 25, 1, 10, 3, true, false }, {
        #page.data, page.total, page.page, page.page_size, page.total_pages, page.has_next_page, page.has_previous_page,
      })
      page = assert(content.users:paginate { page = 3, page_size = 10, order = "email" })
      assert.same({ 5, false, true }, { #page.data, page.has_next_page, page.has_previous_page })
      assert.equal("u21@x", page.data[1].email)
      page = assert(content.users:paginate { page = 0, page_size = 1000 })
      assert.same({ 1, 100, 25 }, { page.page, page.page_size, #page.data })
      page = assert(content.users:paginate { page = 9 })
      assert.same({ {}, 10, false, true }, { page.data, page.page_size, page.has_next_page, page.has_previous_page })
      page = assert(content.users:paginate { where = { email = "u01@x" }, include = { posts = true } })
      assert.same({ 1, {} }, { page.total, page.data[1].posts })
    end)

    it("NX-16 marks as deleted: reads, counts and includes leave the row out", function()
      local ann = user "ann@x"
      local kept, gone = post(ann, "kept"), post(ann, "gone")
      assert.is_true(content.posts:delete(gone.id))
      local _, err = content.posts:get(gone.id)
      assert.equal("not_found", err.code)
      assert.equal(1, assert(content.posts:count { author_id = ann.id }))
      assert.same({ kept.id }, pluck(content.posts:list {}, "id"))
      assert.same({ kept.id }, pluck(assert(content.users:get(ann.id, { include = { posts = true } })).posts, "id"))
      _, err = content.posts:delete(gone.id)
      assert.equal("not_found", err.code)
      assert.is_true(content.posts:restore(gone.id))
      assert.equal(2, assert(content.posts:count { author_id = ann.id }))
      local role = assert(content.roles:create { user_id = ann.id, name = "editor" })
      assert.is_true(content.roles:delete(role.id))
      assert.is_nil(content.roles.restore)
      assert.is_true(content.users:delete(ann.id))
      local again = user "ann@x"
      assert.is_true(again.id ~= ann.id)
      _, err = content.users:restore(ann.id)
      assert.equal("conflict", err.code)
    end)

    it("upserts by e-mail, past a deleted one", function()
      local first = assert(content.users:upsert({ email = "admin@x", name = "one" }, { key = "email" }))
      local second = assert(content.users:upsert({ email = "admin@x", name = "two" }, { key = "email" }))
      assert.same({ first.id, "two" }, { second.id, second.name })
      assert(content.users:delete(first.id))
      local third = assert(content.users:upsert({ email = "admin@x", name = "three" }, { key = "email" }))
      assert.is_true(third.id ~= first.id)
      assert.equal(2, assert(content.users:create_many({ { email = "a@x" }, { email = "b@x" }, { email = "admin@x" } },
        { skip_duplicates = true })))
    end)

    it("NX-3 NX-17 shows what a transaction makes when it is committed, and nothing of one that fails", function()
      db:transaction(function()
        user "gone@x"
        error "no"
      end)
      assert.equal(0, assert(content.users:count(larder.all {})))
      assert(db:transaction(function()
        local ann = user "ann@x"
        post(ann, "one", { published = true })
        post(ann, "two")
        return content.roles:create { user_id = ann.id, name = "editor" }
      end))
      local ann = assert(content.users:find({ email = "ann@x" }, { include = { posts = true, roles = true } }))
      assert.same({ 2, 1 }, { #ann.posts, #ann.roles })
    end)

    it("NX-15 tries again what may succeed, and nothing else", function()
      local tries = 0
      local ok = db:transaction({ retries = 3 }, function()
        tries = tries + 1
        if tries < 3 then
          return nil, require("larder.base.errors").new { code = "serialization", message = "again", retryable = true }
        end
        return "done"
      end)
      assert.same({ "done", 3 }, { ok, tries })
      tries = 0
      user "ann@x"
      local _, err = db:transaction({ retries = 3 }, function()
        tries = tries + 1
        return content.users:create { email = "ann@x" }
      end)
      assert.same({ "conflict", 1 }, { err.code, tries })
    end)

    it("NX-18 is healthy", function()
      assert.is_true(assert(db:health()).ok)
    end)

    if engine.name == "memory" then
      it("has no full-text search in memory, and says so", function()
        local _, err = content.posts:search "hello"
        assert.equal("unsupported", err.code)
      end)
    end
  end)
end
