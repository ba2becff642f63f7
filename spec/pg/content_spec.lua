-- What only a server shows of the family `content`: search, plans, health, missing tables.

local larder = require "larder"
local engines = require "spec.support.engines"

local missing = require("spec.support.need").server()
if missing then return describe("content on a server", function() pending(missing) end) end

describe("content on a server", function()
  local db, content, ann

  before_each(function()
    db = engines[2].fresh "content"
    content = db:stores "content"
    ann = assert(content.users:create { email = "ann@x", name = "Ann" })
  end)

  teardown(engines[2].done)

  local function post(title, text, more)
    local row = { author_id = ann.id, title = title, content = text, published = true }
    for k, v in pairs(more or {}) do row[k] = v end
    return assert(content.posts:create(row))
  end

  local function titles(...)
    local list = {}
    for i, row in ipairs(assert(...)) do list[i] = row.title end
    return list
  end

  it("NX-1 tells version, database, user and tables", function()
    local row = assert(db:query [[
      select version() as version, current_database() as name, current_user as who,
        (select count(*) from information_schema.tables where table_schema = 'content' and table_type = 'BASE TABLE') as tables]])[1]
    assert.is_truthy(row.version:find "^PostgreSQL")
    assert.same({ "larder", "postgres", 3 }, { row.name, row.who, row.tables })
  end)

  it("NX-2 says what to do when the tables are missing", function()
    assert(db:query "alter schema content rename to content_away")
    local _, err = content.users:count(larder.all {})
    assert(db:query "alter schema content_away rename to content")
    assert.is_truthy(err.hint and err.hint:find "migrate", tostring(err) .. " " .. tostring(err.hint))
  end)

  it("NX-12 finds words in title and content, the best first", function()
    post("Cooking", "A recipe with apples")
    post("Running databases", nil)
    post("Gardening", "Databases of plants run everywhere")
    post("Draft about databases", "x", { published = false })
    local rows = assert(content.posts:search "database run")
    assert.same({ "Running databases", "Gardening" }, titles(rows))
    assert.is_true(rows[1].rank > rows[2].rank and rows[2].rank > 0)
    assert.same({ "Ann", nil }, { rows[1].author_name, rows[1].headline })
    assert.is_nil(rows[1].search_vector)
    assert.same({ "Draft about databases" }, titles(content.posts:search("database", { published = false })))
    assert.same({ "Gardening" }, titles(content.posts:search("databases", { limit = 1, offset = 1 })))
    assert.same({}, assert(content.posts:search("database", { author_id = "nobody" })))
    assert.same({}, assert(content.posts:search("database", { limit = 0 })))
    local found = assert(content.posts:search("plants", { headline = true }))
    assert.is_truthy(found[1].headline:find("<b>plants</b>", 1, true))
  end)

  it("takes any text for a query, and never a syntax error", function()
    post("Tom & Jerry", "it's 100% \"quoted\" | (odd) : ! text")
    for _, text in ipairs { "", " ", "&", "tom &", "'", "''", "\"tom", "(", "a:*", "!", "\\", "<->", "%", "-", "or or", "😀",
      ("x "):rep(5000) } do
      assert.is_table((assert(content.posts:search(text))), text)
    end
    assert.same({ "Tom & Jerry" }, titles(content.posts:search "\"tom & jerry\" -cats"))
    assert.has_error(function() content.posts:search(nil) end)
    assert.has_error(function() content.posts:search("x", { order = "rank" }) end)
  end)

  it("searches, and filters metadata, by an index", function()
    assert(db:query([[insert into content.posts (id, author_id, title, content, published, metadata)
      select 'p' || n, $1, 'title ' || n, 'body number ' || n, true, jsonb_build_object('category', 'c' || n % 500)
      from generate_series(1, 20000) n]], ann.id))
    assert(db:query "vacuum analyze content.posts")
    local function plan(sql)
      local lines = {}
      for i, row in ipairs(assert(db:query("explain " .. sql))) do lines[i] = row["QUERY PLAN"] end
      return table.concat(lines, "\n")
    end
    assert.is_truthy(plan("select * from content.posts t, websearch_to_tsquery('english', '777') q(query)"
      .. " where t.search_vector @@ q.query"):find "posts_search_idx")
    assert.is_truthy(plan [[select * from content.posts where metadata @> '{"category": "c7"}']]:find "posts_metadata_idx")
    assert.same({ "title 777" }, titles(content.posts:search "777"))
    assert.equal(40, #assert(content.posts:list_by_category "c7"))
  end)

  it("takes a very long text, and finds its beginning", function()
    post("Long", "unusualword " .. ("filler "):rep(400000))
    assert.same({ "Long" }, titles(content.posts:search "unusualword"))
  end)

  it("NX-18 is not healthy when the server is away", function()
    local away, err = larder.open "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"
    assert.is_nil(away)
    assert.equal("connection", err.code)
  end)

  it("is what its migration makes", function()
    assert.same({}, assert(require "larder.migrate.check"(db, "content")))
  end)
end)
