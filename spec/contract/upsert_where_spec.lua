-- upsert under a condition: what holds of the row in the way decides whether it is changed.

local larder = require "larder"
local engines = require "spec.support.engines"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local loop = loops.cqueues or loops.manual
local WRITERS, ROUNDS = 16, 5

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

    for _, connections in ipairs { WRITERS, 3 } do
      -- Coroutines of one event loop, each of which takes a connection of the pool for each write, or waits for one.
      it(("decides one by one for %d writers at once with %d connections"):format(WRITERS, connections), function()
        local opts = { pool = { max = connections, min = 0 } }
        for name, value in pairs(loop.options) do opts[name] = value end
        local other = must(larder.open(engine.name == "memory" and "memory:" or os.getenv "LARDER_TEST_URL", opts))
        local store = other:stores "blog"
        local written, refusals = { n = 0 }, 0

        local function write(row, set, where)
          local stored, err = store.posts:upsert(row, { set = set, where = where })
          if stored then
            written.n = written.n + 1
            written[stored.id .. " " .. stored.likes] = (written[stored.id .. " " .. stored.likes] or 0) + 1
          else
            assert.equal("conflict", err.code, tostring(err))
            assert.is_nil(err.sqlstate)
            refusals = refusals + 1
          end
        end

        local writers = {}
        for i = 1, WRITERS do
          writers[i] = function()
            for round = 1, ROUNDS do
              -- a counter with a ceiling, then the newest of several versions
              write({ id = "counter", author_id = "ann", title = "n", likes = 1 }, { likes = larder.increment(1) }, { likes = { lt = 40 } })
              local version = (i * 7 + round * 11) % 97
              write({ id = "newest", author_id = "ann", title = "v" .. version, likes = version }, nil, { likes = { lt = version } })
            end
          end
        end
        if engine.name == "memory" then
          must(store.users:create { id = "ann", email = "ann@x" })
        end
        loop.run(other, (table.unpack or unpack)(writers)) -- luacheck: ignore 113 143

        local newest, counter, count, top = nil, nil, nil, 0
        loop.run(other, function()
          newest, counter = must(store.posts:get "newest"), must(store.posts:get "counter")
          count = must(store.posts:count { id = { "newest", "counter" } })
        end)
        for i = 1, WRITERS do
          for round = 1, ROUNDS do top = math.max(top, (i * 7 + round * 11) % 97) end
        end
        assert.same({ 2, 40, top, "v" .. top }, { count, counter.likes, newest.likes, newest.title })
        for n = 1, 40 do assert.equal(1, written["counter " .. n]) end -- each number was somebody's, once
        assert.equal(WRITERS * ROUNDS * 2, written.n + refusals)
        other:close()
      end)
    end
  end)
end
