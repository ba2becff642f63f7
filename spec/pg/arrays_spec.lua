-- Arrays of enums, texts with a length and the server's own types, as a database that larder did not make has them.

local larder = require "larder"
local check = require "larder.migrate.check"
local pull = require "larder.migrate.pull"

local null, array = larder.null, larder.array
local load = rawget(_G, "loadstring") or load
local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local SQL = [[
drop schema if exists listed cascade;
drop schema if exists listed_types cascade;
create schema listed;
create schema listed_types;
create type listed_types."Mood" as enum ('sad', 'ok', 'very happy');
create domain listed_types.moods as listed_types."Mood"[];
create extension if not exists citext;
create table listed.rows (id integer constraint rows_pkey primary key, moods listed_types."Mood"[] default '{ok}',
  more listed_types.moods, codes character(3)[] collate "C", words citext[], docs xml[]);
]]

local MOOD = { "sad", "ok", "very happy" }

local function declare()
  larder.declare { name = "listed", entities = { { name = "rows", table = "listed.rows", fields = {
    { name = "id", type = "int4" },
    { name = "moods", type = "enum[]", sql_type = "listed_types.Mood", enum = MOOD, null = true, default = { "ok" } },
    { name = "more", type = "enum[]", sql_type = "listed_types.Mood", enum = MOOD, null = true },
    { name = "codes", type = "char(3)[]", null = true }, { name = "words", type = "citext[]", null = true },
    { name = "docs", type = "xml[]", null = true },
  }, key = { name = "rows_pkey", "id" } } } }
end

describe("arrays of other people's tables", function()
  local db, rows

  setup(declare)
  before_each(function()
    db = assert(larder.open(url))
    local session = assert(db:_migration_engine():session {})
    assert(session:script(SQL))
    session:rollback()
    rows = db:stores("listed").rows
  end)
  after_each(function() db:close() end)

  it("keep labels of a type in another schema, below a domain, too", function()
    assert.same({ "ok" }, assert(rows:create { id = 1 }).moods)
    local row = assert(rows:create { id = 2, moods = { "sad", null, "very happy" }, more = { { "ok" }, { "sad" } } })
    assert.same({ "sad", null, "very happy" }, row.moods)
    assert.same({ { "ok" }, { "sad" } }, row.more)
    assert.equal(2, assert(rows:find { more = { { "ok" }, { "sad" } } }).id)
    assert.equal(2, rows:count { moods = { overlaps = { "ok", "sad" } } })
    assert.equal(1, rows:count { more = { contains = { "sad" } } })
    assert.same({ { "ok" }, { "sad" }, { "ok" } }, assert(rows:patch(2, { more = larder.append { { "ok" } } })).more)
    assert.equal(2, assert(rows:create_many { { id = 3, moods = array {} }, { id = 4, moods = { "ok" }, more = null } }))
    assert.same(array {}, rows:get(3).moods)
  end)

  it("refuse a label that is none before anything is sent", function()
    assert(db:query "drop table listed.rows")
    for _, call in ipairs {
      function() return rows:create { id = 1, moods = { "ok", "glad" } } end,
      function() return rows:list { where = { moods = { contains = { "glad" } } } } end,
      function() return rows:patch(1, { moods = larder.append { "glad" } }) end,
    } do
      local answer, err = call()
      assert.is_nil(answer)
      assert.matches("^element %d must be one of sad, ok, very happy$", err.fields.moods)
    end
  end)

  it("read a label that the declaration has not as unreadable, the other columns as ever", function()
    assert(rows:create { id = 1, more = { "ok" } })
    for _ = 1, 3 do assert(rows:find { moods = { contains = { "ok" } } }) end -- prepared by now
    assert(db:query [[alter type listed_types."Mood" add value 'glad' before 'ok']])
    assert.equal(1, rows:count { moods = { contains = { "ok" } } })
    assert(db:query [[update listed.rows set moods = '{ok,glad}']])
    local row = assert(rows:get(1))
    assert.matches("'glad' is none of the declared labels", larder.unreadable(row.moods).message)
    assert.same({ "ok" }, row.more)
    local memory = assert(larder.open "memory:")
    local report, err = larder.transfer(db, memory, { families = { "listed" } })
    assert.is_nil(report)
    assert.same({ "drift", "a row of rows has a label that is none of the declared ones" }, { err.code, err.message })
    memory:close()
    assert.same({ "sad" }, assert(rows:patch(1, { moods = { "sad" } })).moods)
  end)

  it("begin where the server's do, and are read as lists", function()
    assert(db:query [[insert into listed.rows (id, moods, codes) values (1, '[0:1]={sad,ok}', '[5:6]={a,b}')]])
    local row = assert(rows:get(1))
    assert.same({ "sad", "ok" }, row.moods)
    assert.same({ "a  ", "b  " }, row.codes)
    assert.same({ "sad", "ok", "ok" }, assert(rows:patch(1, { moods = larder.append { "ok" } })).moods)
  end)

  it("may be long", function()
    local moods, codes = {}, {}
    for i = 1, 100000 do moods[i], codes[i] = MOOD[i % 3 + 1], "c" end
    local row = assert(rows:create { id = 1, moods = moods, codes = codes })
    assert.same(moods, row.moods)
    assert.equal(100000, #row.codes)
    assert.equal("c  ", row.codes[100000])
  end)

  it("go to the memory and back by COPY, which names the type of this database", function()
    local memory = assert(larder.open "memory:")
    assert(rows:create_many { { id = 1, moods = { "sad", null }, more = { { "ok" }, { "sad" } }, codes = { "a" } }, { id = 2 } })
    assert(larder.transfer(db, memory, { families = { "listed" }, verify = true }))
    assert.same({ "sad", null }, memory:stores("listed").rows:get(1).moods)
    assert(db:query "truncate listed.rows")
    assert(db:query [[alter table listed.rows alter moods drop default, alter moods type text[] using null, alter more type text[] ]])
    assert(db:query [[drop type listed_types."Mood" cascade]])
    assert(db:query [[create type listed_types."Mood" as enum ('sad', 'ok', 'very happy')]])
    assert(db:query [[alter table listed.rows alter moods type listed_types."Mood"[] using null,
      alter more type listed_types."Mood"[] using null]])
    for _, way in ipairs { "error", "skip", "update" } do
      local report, err = larder.transfer(memory, db, { families = { "listed" }, verify = true, on_conflict = way })
      assert.is_table(report, tostring(err))
      assert.same({ { "ok" }, { "sad" } }, rows:get(1).more)
      assert.same({ "ok" }, rows:get(2).moods)
      if way == "error" then assert(db:query "delete from listed.rows where id = 2") end
    end
    memory:close()
  end)

  it("of citext and xml are the server's, which memory says", function()
    local row = assert(rows:create { id = 1, words = { "Yes", null, "b,\"c" }, docs = { "<a>1</a>", null } })
    assert.same({ "Yes", null, "b,\"c" }, row.words)
    assert.same({ "<a>1</a>", null }, row.docs)
    assert.equal(1, assert(rows:find { words = { contains = { "YES" } } }).id)
    assert.equal(1, rows:count { words = { overlaps = { "no", "yeS" } } })
    assert.same({ "Yes", null, "b,\"c", "d" }, assert(rows:patch(1, { words = larder.append { "d" } })).words)
    assert.equal(2, assert(rows:create_many { { id = 2, words = { "x" } }, { id = 3, docs = { "<b/>" } } }))
    local none, err = rows:count { docs = { contains = { "<a>1</a>" } } }
    assert.is_nil(none)
    assert.matches("json, xml and tsvector have no equality", tostring(err))
    local memory = assert(larder.open "memory:")
    none, err = memory:stores("listed").rows:create { id = 1, words = { "x" } }
    assert.is_nil(none)
    assert.equal("unsupported", err.code)
    memory:close()
  end)

  it("of another type than the declared one are drift", function()
    assert(db:query [[alter table listed.rows alter moods drop default, alter moods type text[] using moods::text[] ]])
    local row, err = rows:get(1)
    assert.is_nil(row)
    assert.equal("drift", err.code)
    assert.matches('column "moods" of rows is text%[%] in the database', err.message)
    assert(db:query [[alter table listed.rows alter moods type listed_types."Mood" using moods[1]::listed_types."Mood"]])
    row, err = assert(larder.open(url)):stores("listed").rows:get(1)
    assert.is_nil(row)
    assert.equal("drift", err.code)
  end)

  it("are pulled and checked without drift, and new labels are told", function()
    assert.same({}, assert(check(db, "listed")))
    local text = pull.text(assert(pull.read(db, "listed")))
    for _, wanted in ipairs {
      'name = "moods", type = "enum[]", sql_type = "listed_types.Mood", null = true', 'name = "codes", type = "char[]", null = true',
      "max_len = 3", 'name = "words", type = "citext[]"', 'name = "docs", type = "xml[]"', 'name = "more", type = "enum[]"',
    } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
    text = text:gsub("\n  name = %b\"\",\n  entities", '\n  name = "listed_again",\n  entities', 1)
    assert(load(text, "=pulled"))()
    assert.same({}, assert(check(db, "listed_again")))
    assert(db:query [[alter type listed_types."Mood" rename value 'sad' to 'sadder']])
    local faults = assert(check(db, "listed"))
    assert.matches("column moods: declared labels sad, ok, very happy, in the database sadder", faults[1].message)
  end)

  it("come from raw statements, those of enums as the server's text", function()
    assert(db:query [[insert into listed.rows (id, moods, codes) values (1, '{sad,ok}', '{a,NULL}')]])
    local row = assert(db:query "select codes, moods::text[] as moods from listed.rows")[1]
    assert.same({ "a  ", null }, row.codes)
    assert.same({ "sad", "ok" }, row.moods)
    assert.equal("{sad,ok}", assert(db:query "select moods from listed.rows")[1].moods)
  end)
end)
