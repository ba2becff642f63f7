-- Fields of related rows in SQL: each relation is joined once, by the other store's key; nothing is asked for each row.

local engines = require "spec.support.engines"
local larder = require "larder"
local must = require "spec.support.must"

local postgres = engines[2]

describe("fields of a related row on postgres", function()
  local db, blog, posts

  before_each(function()
    db = postgres.fresh "blog"
    blog = db:stores "blog"
    posts = blog.posts
    must(db:query [[insert into blog.users (id, email, name, created_at, updated_at, deleted_at)
      select 'u' || lpad(n::text, 4, '0'), n || '@x', 'name ' || n % 500, now(), now(), case when n % 10 = 0 then now() end
      from generate_series(1, 2000) n]])
    must(db:query [[insert into blog.posts (id, author_id, title, likes, created_at, metadata)
      select 'p' || lpad(n::text, 5, '0'), 'u' || lpad((n % 2000 + 1)::text, 4, '0'), 't' || n, n % 7,
        timestamptz '2026-01-01' + n * interval '1 second', '{}' from generate_series(1, 10000) n]])
    must(db:query [[insert into blog.comments (post_id, user_id, body)
      select 'p' || lpad(n::text, 5, '0'), 'u' || lpad(n::text, 4, '0'), 'c' from generate_series(1, 200) n]])
    must(db:query "analyze blog.users, blog.posts, blog.comments")
  end)

  teardown(postgres.done)

  local function count_of(text, what)
    local _, n = text:gsub(what, "")
    return n
  end

  --- The statement that fn() made the server prepare, and how it is carried out for these values.
  local function statement_of(fn, ...)
    local values = select("#", ...) > 0 and "(" .. table.concat({ ... }, ", ") .. ")" or ""
    must(db:query "deallocate all")
    return must(db:transaction(function(tx)
      fn()
      local found = must(tx:query [[select name, statement from pg_prepared_statements where statement like '%blog%as t%'
        and statement not like '%pg_prepared%']])
      assert.equal(1, #found)
      must(tx:query "set local plan_cache_mode = force_custom_plan")
      local lines = {}
      for i, row in ipairs(must(tx:query("explain (analyze, costs off, timing off, summary off) execute " .. found[1].name .. values))) do
        lines[i] = row["QUERY PLAN"]
      end
      return { sql = found[1].statement, plan = table.concat(lines, "\n") }
    end))
  end

  it("joins each relation once, however often it is named", function()
    local s = statement_of(function()
      local rows = must(posts:list {
        where = { ["author.name"] = "name 7", ["author.email"] = { ne = "x" } }, order = "author.email, id", limit = 3,
        columns = { "title", "author.name", { larder.lower "author.email", as = "mail" } },
      })
      assert.same({ "1007@x", "1007@x", "1007@x" }, { rows[1].mail, rows[2].mail, rows[3].mail })
    end, "'name 7'", "'x'", 3)
    assert.equal(1, count_of(s.sql, "left join"))
    assert.equal(0, count_of(s.plan, "SubPlan"), s.plan)
    assert.matches("posts_author_idx", s.plan) -- from the authors of that name to their posts
  end)

  it("reads of a page's rows theirs alone, by the key's index", function()
    local s = statement_of(function()
      must(posts:list { order = "id", limit = 20, columns = { "title", "author.name" } })
    end, 20)
    assert.equal(0, count_of(s.plan, "SubPlan"), s.plan)
    assert.matches("Index Scan using users_pkey", s.plan)
    local join = s.plan:match "Left Join %(actual rows=(%d+)" -- of the page's rows, and not of all
    assert.equal("20", join, s.plan)
  end)

  it("asks nothing for each row of a count, a group or a figure, nor in the condition on a relation", function()
    local counted = statement_of(function()
      assert.equal(1000, must(posts:count { ["author.name"] = larder.null }))
    end)
    local grouped = statement_of(function()
      local rows = must(posts:aggregate {
        aggs = { { "count", as = "n" }, { "max", "author.email", as = "mail" } }, groups = { "author.name" },
        having = { n = { gt = 1 } }, order = "author_name", limit = 2,
      })
      assert.same({ "name 1", 20 }, { rows[1].author_name, rows[1].n })
    end, 1, 2)
    local some = statement_of(function()
      assert.equal(1, must(posts:count { comments = { any = { ["user.email"] = "7@x" } } }))
    end, "'7@x'")
    for _, s in ipairs { counted, grouped, some } do
      assert.equal(0, count_of(s.plan, "SubPlan"), s.plan)
      assert.equal(1, count_of(s.sql, "left join"), s.sql)
    end
  end)

  it("keeps rows that lead nowhere, and none twice", function()
    assert.equal(10000, must(posts:count(larder.any { { ["author.name"] = larder.null }, { ["author.name"] = { ne = "" } } })))
    local seen, n = {}, 0
    for post in posts:each { order = "-author.name, id", page = 700, columns = { "id", "author.name" } } do
      assert.is_nil(seen[post.id])
      seen[post.id], n = true, n + 1
    end
    assert.equal(10000, n)
  end)

  it("is the same statement in whatever order relations are named", function()
    must(db:query "deallocate all")
    local conditions = { { "post.author.name", "n" }, { "post.title", "t" }, { "user.email", "e" }, { "user.name", "n" } }
    for i = 1, 4 do
      local where = {}
      for k = 1, 4 do
        local condition = conditions[(i + k) % 4 + 1]
        where[condition[1]] = condition[2]
      end
      assert.equal(0, must(blog.comments:count(where)))
    end
    local found = must(db:query [[select statement from pg_prepared_statements where statement like '%comments%'
      and statement not like '%pg_prepared%']])
    assert.equal(1, #found)
    assert.equal(3, count_of(found[1].statement, "left join"))
  end)

  it("stays a subquery where rows are changed or locked", function()
    local s = statement_of(function()
      assert.equal(20, must(posts:update_where({ ["author.name"] = "name 7" }, { likes = 9 })))
    end, 9, "'name 7'")
    assert.equal(0, count_of(s.sql, "left join"))
    must(db:transaction(function()
      local rows = must(posts:list { where = { ["author.name"] = "name 7" }, lock = "update", limit = 100 })
      assert.equal(20, #rows)
      return true
    end))
    assert.equal(20, must(posts:delete_where { ["author.name"] = "name 7" }))
  end)
end)
