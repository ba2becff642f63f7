-- How includes and nested creates travel: a round trip for each level, one for a row and all that it nests.

local compat = require "larder.base.compat"
local engines = require "spec.support.engines"
local larder = require "larder"
local loops = require "spec.support.loops"
local must = require "spec.support.must"
local wait = require "larder.base.wait"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local postgres = engines[2]

local USER = {
  id = "ann", email = "ann@x", profile = { bio = "of Ann" }, roles = { { id = "r1", name = "writer" } },
  posts = {
    { id = "p1", title = "one", comments = { { body = "a" }, { body = "b" } } }, { id = "p2", title = "two", comments = {} },
  },
}

describe("includes on postgres", function()
  local db, blog

  before_each(function()
    db = postgres.fresh "blog"
    blog = db:stores "blog"
  end)

  teardown(postgres.done)

  -- The store calls and transactions that fn makes.
  local function calls_of(on, fn)
    local seen = {}
    local function note(event) seen[#seen + 1] = (event.store and event.store .. "." or "") .. event.op end
    local ends = { on:on("query", note), on:on("transaction", note) }
    local result = must(fn())
    for _, stop in ipairs(ends) do stop() end
    return table.concat(seen, " "), result
  end

  it("asks for all relations of a level at once", function()
    must(blog.users:create(USER))
    must(blog.users:create { id = "bob", email = "bob@x", posts = { { id = "p3", title = "three" } } })
    local calls, users = calls_of(db, function()
      return blog.users:list { include = { posts = { order = "title", include = { comments = true } }, roles = true, profile = true } }
    end)
    assert.equal("blog.users.list blog.users.list blog.comments.list commit", calls)
    assert.equal("b", users[1].posts[1].comments[2].body)
    assert.equal("writer", users[1].roles[1].name)
    assert.equal("of Ann", users[1].profile.bio)
    assert.same({}, users[2].roles)
    assert.equal("three", users[2].posts[1].title)
  end)

  it("creates a row and all that it nests in one call, without a transaction", function()
    local calls, user = calls_of(db, function() return blog.users:create(USER) end)
    assert.equal("blog.users.create", calls)
    assert.same(user, must(blog.users:get("ann", {
      include = { posts = { order = "title", include = { comments = { order = "id" } } }, roles = true, profile = true },
    })))
    local _, err = blog.users:create { id = "bob", email = "bob@x", roles = { { id = "r2", name = "writer" } } }
    assert.equal("conflict blog.roles create roles_name_key", ("%s %s %s %s"):format(err.code, err.store, err.op, err.constraint))
    assert.is_false((blog.users:exists "bob"))
  end)

  it("does the same in a loop, by many at once", function()
    for name, loop in pairs(loops) do
      local looped, fns = must(larder.open(url, loop.options)), {}
      for i = 1, 16 do
        fns[i] = function()
          local id = name .. i
          must(looped:stores("blog").users:create {
            id = id, email = id .. "@x", posts = { { title = "one" }, { title = "two" } }, roles = { { name = id } },
          })
          local user = must(looped:stores("blog").users:get(id, { include = { posts = { order = "title" }, roles = true } }))
          assert.equal("two " .. id, user.posts[2].title .. " " .. user.roles[1].name)
          assert.equal("conflict", select(2, looped:stores("blog").users:create {
            id = id .. "b", email = id .. "b@x", roles = { { name = id } },
          }).code)
        end
      end
      loop.run(looped, compat.unpack(fns))
      assert.equal(16, must(blog.users:count { id = { like = name .. "%" } }))
      looped:close()
    end
  end)

  it("keeps a nested create whole that needs the row above it first", function()
    local visitor = must(blog.posts:create { id = "p9", author_id = must(blog.users:create { id = "u", email = "u@x" }).id,
      title = "nine", comments = { { body = "c" } } })
    assert.equal("c", visitor.comments[1].body)
  end)

  it("reads of each parent the rows that are wanted, where an index leads to them", function()
    local content = postgres.fresh "content":stores "content"
    local with = content.users.db
    must(with:query [[insert into content.users (id, email) values ('u1', 'a@x'), ('u2', 'b@x'), ('u3', 'c@x')]])
    must(with:query [[insert into content.posts (id, author_id, title, created_at)
      select 'p' || lpad(n::text, 5, '0'), 'u' || n % 2 + 1, 't' || n, timestamptz '2026-01-01' + n * interval '1 second'
      from generate_series(1, 20000) n]])
    must(with:query "analyze content.posts")
    local users = must(content.users:list { order = "id", include = { posts = { limit = 2, offset = 1 } } })
    assert.equal("t19998 t19996", users[1].posts[1].title .. " " .. users[1].posts[2].title)
    assert.equal("t19997 t19995", users[2].posts[1].title .. " " .. users[2].posts[2].title)
    assert.same({}, users[3].posts)
    local sql = must(with:query "select statement from pg_prepared_statements where statement like '%lateral%'")[1].statement
    local rows = must(with:query("explain (analyze, format json) " .. sql:gsub("%$1", "'{u1,u2,u3}'"):gsub("%$2", "2"):gsub("%$3", "1")))
    local text = larder.json.encode(rows[1]["QUERY PLAN"])
    assert.matches('"Index Name":"posts_author_idx"', text)
    for n in text:gmatch '"Actual Rows":(%d+)' do assert.is_true(tonumber(n) < 20, text) end
  end)
end)

describe("operations in a pipeline", function()
  local db, engine

  before_each(function()
    db = postgres.fresh "blog"
    engine = db._engine
  end)

  teardown(postgres.done)

  local function run(items) return wait.settle(db._wait, engine:pipeline(items, true)) end

  it("stand beside statements, each with the rows of its own store", function()
    local users, posts = db:_cstore("blog", "users"), db:_cstore("blog", "posts")
    local results = must(run {
      { store = users, op = { op = "insert", row = { id = "a", email = "a@x" }, returning = { "id", "email" } } },
      { store = posts, op = { op = "insert", rows = { { id = "p", author_id = "a", title = "t" } } } },
      { sql = "select count(*)::int4 as n from blog.posts" },
      { store = posts, op = { op = "select", columns = { "title" } } },
      { store = users, op = { op = "count" } },
    })
    assert.same({ { id = "a", email = "a@x" } }, results[1].rows)
    assert.equal(1, results[2].affected)
    assert.same({ { n = 1 } }, results[3].rows)
    assert.same({ { title = "t" } }, results[4].rows)
    assert.equal(1, results[5].affected)
  end)

  it("tell which store is at fault, before anything is sent and after", function()
    local users, posts = db:_cstore("blog", "users"), db:_cstore("blog", "posts")
    local _, err = run {
      { store = users, op = { op = "insert", row = { id = "a", email = "a@x" } } },
      { store = posts, op = { op = "insert", row = { id = "p", author_id = "a", title = "" }, name = "create" } },
    }
    assert.equal("invalid blog.posts create", ("%s %s %s"):format(err.code, err.store, err.op))
    local results = must(run {
      { store = users, op = { op = "insert", row = { id = "a", email = "a@x" } } },
      { store = posts, op = { op = "insert", row = { id = "p", author_id = "nobody", title = "t" }, name = "create" } },
    })
    assert.equal("canceled", results[1].err.code)
    assert.equal("foreign_key blog.posts create", ("%s %s %s"):format(results[2].err.code, results[2].err.store, results[2].err.op))
    assert.equal(0, must(db:stores("blog").users:count()))
  end)

  it("refuse what has no place there", function()
    local users = db:_cstore("blog", "users")
    for what, item in pairs {
      ["nothing to do"] = { store = users, op = { op = "select", limit = 0 } },
      ["a page"] = { store = users, op = { op = "select", page = true, limit = 2 } },
      ["larder.store"] = { store = {}, op = { op = "count" } },
      ["another engine"] = { store = must(larder.open "memory:"):_cstore("blog", "users"), op = { op = "count" } },
    } do
      local ok, why = pcall(engine.pipeline, engine, { item }, true)
      assert.is_false(ok, what)
      assert.matches(what, tostring(why), 1, true)
    end
    assert.equal(0, must(db:stores("blog").users:count()))
  end)
end)
