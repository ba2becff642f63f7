-- What PostgreSQL holds can be read, or says so where it stands: the other columns, rows and statements keep their answers.

local larder = require "larder"

local function declare()
  return larder.declare {
    name = "held", entities = { {
      name = "docs", table = "held.docs", key = { name = "docs_pkey", "id" },
      fields = {
        { name = "id", type = "text" }, { name = "j", type = "json", null = true }, { name = "b", type = "jsonb", null = true },
        { name = "list", type = "jsonb[]", null = true }, { name = "n", type = "int4", default = 0 },
      },
    } },
  }
end

describe("what PostgreSQL holds", function()
  local db, docs

  setup(function()
    declare()
    db = assert(larder.open(os.getenv "LARDER_TEST_URL"))
    assert(db:query "drop schema if exists held cascade")
    assert(db:query "create schema held")
    assert(db:query [[create table held.docs (id text constraint docs_pkey primary key, j json, b jsonb, list jsonb[],
      n integer not null default 0)]])
    docs = db:stores("held").docs
  end)

  teardown(function() db:close() end)

  before_each(function()
    assert(db:query "truncate held.docs")
    assert(db:query "insert into held.docs (id, j) values ('a', '{\"x\":1}')")
  end)

  local function put(id, text) assert(db:query("insert into held.docs (id, j) values ($1, $2::text::json)", id, text)) end

  it("is read where a text holds a zero byte or half a surrogate pair", function()
    put("zero", [[{"a":"x\u0000y","é":"é"}]])
    put("high", [["\ud800"]])
    put("low", [["é\udc00x"]])
    assert.equal("x\0y", assert(docs:get "zero").j.a)
    assert.equal("é", docs:get("zero").j["é"])
    assert.equal("\237\160\128", docs:get("high").j)
    assert.equal("é\237\176\128x", docs:get("low").j)
    assert.equal(4, #assert(docs:list {}))
    local none, err = docs:update(docs:get "zero") -- what JSONB could not hold is not written
    assert.is_nil(none)
    assert.is_string(err.fields.j)
  end)

  local function bad()
    put("deep", ("["):rep(2000) .. ("]"):rep(2000))
    put("big", '{"v":' .. ("["):rep(1500) .. ("]"):rep(1500) .. "}")
  end

  it("says so where it cannot be read, and the rest of the page is there", function()
    bad()
    local rows = assert(docs:list { order = "id" })
    assert.equal(3, #rows)
    assert.equal(1, rows[1].j.x)
    assert.equal("big", rows[2].id)
    local err = assert(larder.unreadable(rows[2].j))
    assert.equal("unsupported", err.code)
    assert.equal("j", err.column)
    assert.equal("held.docs", err.store)
    assert.matches("nested too deeply", err.message, 1, true)
    assert.matches("nested too deeply", larder.unreadable(rows[3].j).message, 1, true)
    assert.is_nil(larder.unreadable(rows[1].j))
    assert.is_nil(larder.unreadable(nil))
    assert.equal(0, rows[2].n)
  end)

  it("is never taken for an empty value", function()
    bad()
    local value = assert(docs:get "big").j
    local ok, why = pcall(function() return value.v end)
    assert.is_false(ok)
    assert.matches("unreadable_spec.lua:%d+: column j holds a value that cannot be read", why)
    assert.has_error(function() value.v = 1 end)
    assert.has_error(function() return #value end)
    assert.has_error(function() return pairs(value)(value) end)
    assert.matches("^unreadable", tostring(value))
    local none, err = docs:update(docs:get "big")
    assert.is_nil(none)
    assert.is_string(err.fields.j)
    local text
    text, err = larder.json.encode { j = value }
    assert.is_nil(text)
    assert.equal("invalid", err.code)
  end)

  it("does not make a write that was done an error", function()
    bad()
    assert.equal(2, assert(docs:patch("big", { n = 2 })).n)
    assert.equal(3, assert(docs:patch("big", { n = larder.increment() })).n)
    local row = assert(docs:upsert({ id = "big", n = 10 }, { only = { "n" } }))
    assert.equal(10, row.n)
    assert.is_table(larder.unreadable(row.j))
    local rows, n = db:query "update held.docs set n = 11 where id = 'big' returning id, j"
    assert.equal(1, n)
    assert.equal("big", rows[1].id)
    assert.is_table(larder.unreadable(rows[1].j))
    local seen = {}
    for each in docs:each { order = "id" } do seen[#seen + 1] = each.id end
    assert.same({ "a", "big", "deep" }, seen)
  end)

  it("leaves the other statements of a pipeline their answers", function()
    bad()
    local results = assert(db:pipeline(function(p)
      p:query "insert into held.docs (id) values ('one')"
      p:query "select j from held.docs where id = 'big'"
      p:query "insert into held.docs (id) values ('two')"
    end))
    assert.equal(1, results[1].affected)
    assert.is_table(larder.unreadable(results[2].rows[1].j))
    assert.equal(1, results[3].affected)
    assert.equal(5, docs:count())
  end)

  it("is the same in an array, and after a transfer to memory", function()
    assert(db:query("insert into held.docs (id, list) values ('big', array[$1::text::jsonb])", ("["):rep(1500) .. ("]"):rep(1500)))
    assert.is_table(larder.unreadable(assert(docs:get "big").list))
    assert(db:query "delete from held.docs where id = 'big'")
    bad()
    local memory = assert(larder.open "memory:")
    local report = assert(larder.transfer(db, memory, { families = { "held" }, verify = true }))
    assert.equal(3, report.written)
    local copies = memory:stores("held").docs
    assert.is_table(larder.unreadable(assert(copies:get "big").j))
    assert.equal(1, copies:get("a").j.x)
    assert.equal(3, #assert(copies:list {}))
    memory:close()
  end)
end)
