-- Figures by group: distinct, having, order by anything in the result.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("figures on " .. engine.name, function()
    local db, posts

    before_each(function()
      db = engine.fresh "blog"
      local blog = db:stores "blog"
      posts = blog.posts
      for _, name in ipairs { "ann", "bob", "cid" } do assert(blog.users:create { id = name, email = name .. "@x" }) end
      local rows = {}
      for i = 1, 10 do
        rows[i] = {
          id = ("p%02d"):format(i), author_id = ({ "ann", "bob", "ann", "cid", "ann" })[i % 5 + 1], title = "t" .. i % 4,
          published = i % 3 ~= 0, likes = i % 4, score = i % 2 == 0 and "1.5" or i == 1 and "1.50" or nil,
          created_at = ("2026-01-0%dT0%d:30:00Z"):format(i % 2 + 1, i % 3),
        }
      end
      assert(posts:create_many(rows))
    end)

    teardown(engine.done)

    local function shown(rows, err)
      assert(rows, err)
      local lines = {}
      for i, row in ipairs(rows) do
        local cells = {}
        for name, value in pairs(row) do cells[#cells + 1] = name .. "=" .. tostring(value) end
        table.sort(cells)
        lines[i] = table.concat(cells, " ")
      end
      return table.concat(lines, "; ")
    end

    it("count each value once", function()
      assert.equal("authors=3 n=10 scores=1 titles=4", shown(posts:aggregate {
        aggs = {
          { "count", as = "n" }, { "count", "author_id", distinct = true, as = "authors" },
          { "count", "title", distinct = true, as = "titles" }, { "count", "score", distinct = true, as = "scores" },
        },
      }))
      assert.equal("all=15 once=6", shown(posts:aggregate {
        aggs = { { "sum", "likes", as = "all" }, { "sum", "likes", distinct = true, as = "once" } },
      }))
      assert.equal("author_id=ann titles=3; author_id=bob titles=2; author_id=cid titles=1", shown(posts:aggregate {
        aggs = { { "count", "title", distinct = true, as = "titles", filter = { likes = { gt = 0 } } } }, groups = { "author_id" },
      }))
    end)

    it("keep the groups that having says", function()
      local figures = { { "count", as = "n" }, { "sum", "likes", as = "likes" } }
      assert.equal("author_id=ann likes=9 n=6", shown(posts:aggregate {
        aggs = figures, groups = { "author_id" }, having = { n = { gt = 2 } },
      }))
      assert.equal("author_id=bob likes=3 n=2; author_id=cid likes=3 n=2", shown(posts:aggregate {
        aggs = figures, groups = { "author_id" }, having = larder.any { { author_id = "bob" }, { likes = { lt = 4 } } },
      }))
      assert.same({}, assert(posts:aggregate { aggs = figures, groups = { "author_id" }, having = { n = 77 } }))
      assert.same({}, assert(posts:aggregate { aggs = figures, having = { n = 0 } }))
    end)

    it("come in the order that is asked for, ended by the groups", function()
      local function ordered(order, more)
        local opts = { aggs = { { "count", as = "n" }, { "max", "score", as = "most" } }, groups = { "title" }, order = order }
        for k, v in pairs(more or {}) do opts[k] = v end
        local list = {}
        for i, row in ipairs(assert(posts:aggregate(opts))) do list[i] = row.title .. row.n end
        return table.concat(list, " ")
      end
      assert.equal("t02 t13 t23 t32", ordered(nil))
      assert.equal("t13 t23 t02 t32", ordered "n desc")
      assert.equal("t23 t13 t32 t02", ordered { "-n", "title desc" })
      assert.equal("t02 t13 t23 t32", ordered { { null = "most" }, "n", "title" })
      assert.equal("t32 t13 t02 t23", ordered { { rank = { { title = "t3" }, { most = "1.5", n = 3, title = "t1" } } }, "title" })
      assert.equal("t23 t02", ordered("n desc", { limit = 2, offset = 1 }))
      assert.equal("t02 t32", ordered("n, title", { having = { n = 2 } }))
    end)

    it("go by time buckets and by what is there", function()
      assert.equal("day=2026-01-02T00:00:00.000000Z n=5; day=2026-01-01T00:00:00.000000Z n=5", shown(posts:aggregate {
        aggs = { { "count", as = "n" } }, groups = { { "created_at", bucket = "day", as = "day" } }, order = "-day",
        having = { day = { gte = "2026-01-01T00:00:00Z" } },
      }))
      assert.equal("title=t0; title=t1; title=t2; title=t3", shown(posts:aggregate { groups = { "title" } }))
      assert(posts:delete "p01")
      assert.equal("n=9", shown(posts:aggregate { aggs = { { "count", as = "n" } } }))
      assert.equal("n=10", shown(posts:aggregate { aggs = { { "count", as = "n" } }, with_deleted = true }))
    end)

    it("refuse names that the result does not have", function()
      local function fault(field, opts)
        opts.aggs = opts.aggs or { { "count", as = "n" } }
        local rows, err = posts:aggregate(opts)
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
        if field then assert.is_string(err.fields[field]) end
      end
      fault("likes", { having = { likes = 1 } })
      fault("likes", { order = "likes" })
      fault("n", { having = { n = "many" } })
      fault(nil, { aggs = { { "count", distinct = true } } })
      fault(nil, { aggs = { { "count", "metadata", distinct = true } } })
      fault(nil, { aggs = { { "count", as = 'n" from x' } }, order = "n" })
      assert.has_error(function() posts:aggregate { agg = {} } end)
      assert.has_error(function() posts:aggregate() end)
    end)
  end)
end
