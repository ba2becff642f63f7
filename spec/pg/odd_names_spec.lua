-- A schema whose names are anything but words: pulled without a remark, checked without a difference, and answered on both engines
-- alike.

local larder = require "larder"
local check = require "larder.migrate.check"
local must = require "spec.support.must"
local odd = require "spec.support.odd_names"
local pull = require "larder.migrate.pull"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local DROP = odd.DROP

local function facts(err)
  return { code = err.code, message = err.message, constraint = err.constraint, column = err.column, detail = err.detail,
    fields = err.fields, table = err.table }
end

describe("names that are no words", function()
  local db, memory, text

  setup(function()
    db, memory = must(larder.open(url)), must(larder.open "memory:")
    text = odd.make(db)
  end)
  teardown(function()
    odd.drop(db)
    db:close()
    memory:close()
  end)

  -- fn's answers on both engines, which must be equal.
  local function both(fn)
    local answers = {}
    for i, place in ipairs { db, memory } do answers[i] = fn(place:stores "My_Shop", place) end
    assert.same(answers[2], answers[1])
    return answers[1]
  end

  before_each(function()
    for _, place in ipairs { db, memory } do must(place:truncate "My_Shop") end
  end)

  it("are pulled without a remark", function()
    assert.is_nil(text:find("left out", 1, true))
    assert.is_nil(text:find("database's alone", 1, true))
    for _, said in ipairs {
      [[name = "Order_Details", table = "\"My Shop\".\"Order Details\""]], [[name = "we_ird"]], [[name = "select"]],
      [[{ name = "_1st", column = "1st", type = "text" }]], [[name = "Unit_Price", column = "Unit Price"]],
      [[name = "Unit_Price_2", column = "Unit-Price"]], [[name = "gr__e", column = "größe"]], [[name = "a_b", column = "a\"b"]],
      [[sql_type = "\"My Shop\".\"My Mood\""]], [[name = "it_s", column = "it's"]],
    } do assert.is_truthy(text:find(said, 1, true), said .. " in\n" .. text) end
    assert.equal(text, pull.text(must(pull.read(db, "My Shop"))))
  end)

  it("are checked without a difference", function()
    local faults, beside = check(db, "My_Shop")
    assert.same({}, faults)
    assert.same({}, beside)
  end)

  it("are read alike", function()
    local seen = both(function(s)
      local seen, details = {}, s.Order_Details
      local function note(...) seen[#seen + 1] = { must(...) } end
      odd.fill(s)
      note(details:get("k", 2))
      local order = { order = { "-Unit_Price", "select" }, limit = 2 }
      repeat
        local rows, page = must(details:list(order))
        note(rows)
        order.after = page.next
      until not order.after
      note(details:list { where = { My_Mood = { gte = "it's bad" }, larder.matches(larder.path("it_s", "n"), 4) } })
      note(details:list { include = { we_ird = true }, limit = 2, columns = { "_1st", "select", "a_b" } })
      note(s.we_ird:list { include = { Order_Details = { limit = 1, order = { "-select" }, columns = { "select" } } } })
      note(details:list { columns = { "select", "we_ird.gr__e" }, where = { we_ird = { any = { x_y = "two" } } } })
      note(details:aggregate { groups = { "My_Mood" }, aggs = { { "sum", "Unit_Price", as = "worth" }, { "max", "select", as = "top" } },
        having = { worth = { gt = 1 } }, order = { "-worth" } })
      note(details:list { distinct = true, columns = { "a_b" } })
      note(details:count { Unit_Price_2 = DROP .. 3 })
      note(details:get_many { { "k", 5 }, { "k", 77 }, { "k", 1 } })
      local keys = {}
      for row in details:each { where = { DROP___x____ = { contains = { DROP } } } } do keys[#keys + 1] = row.select end
      note(keys)
      return seen
    end)
    assert.equal(13, #seen)
  end)

  it("are written alike", function()
    both(function(s, place)
      local seen, details = {}, s.Order_Details
      local function note(...) seen[#seen + 1] = { must(...) } end
      odd.fill(s)
      note(details:patch("k", 1, { Unit_Price = larder.increment("1.25"), DROP___x____ = larder.append { "x" },
        it_s = larder.merge { more = DROP } }))
      note(details:update_where({ a_b = 8 }, { My_Mood = "fine", Unit_Price = "3.00" }))
      note(s.we_ird:upsert({ x_y = "one", gr__e = 5 }, { key = "x_y", set = { gr__e = larder.excluded } }))
      note(s.we_ird:upsert { a_b = 8, x_y = "zwei", gr__e = 1 })
      note(details:delete("k", 3))
      note(details:count())
      note(details:create { _1st = "k", select = 30, Unit_Price_2 = "again", created_at = "2026-01-01T00:00:00Z" })
      note(details:restore("k", 3))
      note(details:list { order = { "select" } })
      note(details:create_many({ { _1st = "k", select = 5, created_at = "2026-01-01T00:00:00Z" },
        { _1st = "m", select = 6, created_at = "2026-01-01T00:00:00Z" } }, { on_conflict = "skip" }))
      local ok = place:transaction(function() must(details:purge("k", 1)) return nil, "no" end)
      note(ok == nil and "rolled back")
      note(s.select:create { ___drop_table_x____ = 1, _1 = DROP, a_b = "x" })
      note(s.select:get(1))
      note(details:list { order = { "_1st", "select" } })
      return seen
    end)
    assert.same({ { n = 0 } }, must(db:query [[select count(*)::int as n from "My Shop".x]]))
  end)

  it("come back as fields in what the server refuses", function()
    local seen = both(function(s)
      odd.fill(s)
      local seen = {}
      local function refused(ok, err)
        assert.is_nil(ok)
        seen[#seen + 1] = facts(err)
      end
      refused(s.we_ird:create { a_b = 7, x_y = "other" })
      refused(s.we_ird:create { a_b = 70, x_y = "one" })
      refused(s.Order_Details:create { _1st = "z", select = 1, a_b = 4711 })
      refused(s.we_ird:delete(8))
      refused(s.Order_Details:create { _1st = "z", select = 1, Unit_Price_2 = DROP, My_Mood = DROP })
      refused(s.Order_Details:create { _1st = "z" })
      refused(s.we_ird:update_where({ a_b = 8 }, { gr__e = larder.increment(-100) }))
      return seen
    end)
    assert.equal('we"ird key', seen[1].constraint)
    assert.equal("Key (a_b) already exists.", seen[1].detail)
    assert.equal("Key (x_y) already exists.", seen[2].detail)
    assert.equal('Key (a_b) is not present in table "we"ird".', seen[3].detail)
    assert.equal('Key (a_b) is still referenced from table "Order Details".', seen[4].detail)
    assert.is_string(seen[5].fields.My_Mood)
    assert.is_string(seen[6].fields.select)
    assert.equal("must be at least 0", seen[7].fields.gr__e)
  end)

  it("name the field of a null that only the server refuses", function()
    must(db:query [[alter table "My Shop"."Order Details" alter column "Unit Price" set not null]])
    local _, err = db:stores("My_Shop").Order_Details:create { _1st = "z", select = 1 }
    must(db:query [[alter table "My Shop"."Order Details" alter column "Unit Price" drop not null]])
    assert.same({ "not_null", "Unit_Price", "Unit_Price must not be null" }, { err.code, err.column, err.message })
  end)

  it("move both ways, by COPY and with indexes made anew", function()
    local report
    odd.fill(db:stores "My_Shop")
    must(larder.transfer(db, memory, { families = { "My_Shop" } }))
    must(db:truncate "My_Shop")
    report = must(larder.transfer(memory, db, { families = { "My_Shop" }, rebuild = true }))
    assert.is_not_nil(report)
    both(function(s) return { must(s.Order_Details:list()), must(s.we_ird:list()) } end)
    assert.is_true(must(db:stores("My_Shop").we_ird:create { x_y = "next" }).a_b > 9)
    local faults = check(db, "My_Shop")
    assert.same({}, faults)
  end)

  it("differ as the declaration says, and are made by it", function()
    must(db:query [[alter table "My Shop"."Order Details" drop constraint "to ""we""ird""", drop column "Unit Price"]])
    must(db:query [[drop index "My Shop"."only ""alive"""]])
    local faults, lines = check(db, "My_Shop"), {}
    for i, fault in ipairs(faults) do lines[i] = fault.message end
    assert.same({ "column Unit Price is missing", 'unique only "alive" is missing', 'reference to "we"ird" is missing',
      "no index on (Unit Price, -select)" }, lines)
    local session = must(db._engine:session {})
    for _, fault in ipairs(faults) do must(session:script(fault.sql)) end
    session:rollback()
    assert.same({}, (check(db, "My_Shop")))
    must(db:query [[drop schema "My Shop" cascade]])
    session = must(db._engine:session {})
    for _, fault in ipairs(check(db, "My_Shop")) do must(session:script(fault.sql)) end
    session:rollback()
    assert.same({}, (check(db, "My_Shop")))
  end)
end)

describe("a declared column", function()
  local function declared(field, other)
    return pcall(larder.declare, { name = "odd_columns", entities = { { name = "t", table = "public.t", key = { "id" },
      fields = { { name = "id", type = "int8" }, field, other } } } })
  end

  it("is refused when it is empty, misspelt, too long, no text, or another field's", function()
    for column, said in pairs { [""] = "1 to 63 bytes", [("x"):rep(64)] = "1 to 63 bytes", ["\255"] = "1 to 63 bytes",
      ["a\0b"] = "zero byte", id = "that of field id", [7] = "column must be text" } do
      local ok, why = declared { name = "a", column = column, type = "text" }
      assert.is_false(ok)
      assert.matches(said, tostring(why), 1, true)
    end
    local ok, why = declared { name = "a", colum = "b", type = "text" }
    assert.is_false(ok)
    assert.matches("did you mean", tostring(why), 1, true)
    ok, why = declared({ name = "a", column = "X", type = "text" }, { name = "b", column = "X", type = "text" })
    assert.is_false(ok)
    assert.matches('its column "X" is that of field a', tostring(why), 1, true)
  end)

  it("does not free the names of stores and fields", function()
    local ok, why = declared { name = 'a"b', type = "text" }
    assert.is_false(ok)
    assert.matches("letters, digits and underscores", tostring(why), 1, true)
  end)
end)

local function declare_parts()
  larder.declare { name = "odd_parts", entities = { {
    name = "events", table = [["odd ""parts"""."the 'events"]],
    fields = { { name = "id", column = "the id", type = "int8", default = { "identity" } },
      { name = "at", column = 'at "UTC"', type = "timestamptz" },
      { name = "firm", column = "Firm's", type = "text" }, { name = "words", column = "the; words", type = "text", max_len = 50 },
      { name = "loud", column = "LOUD!", type = "text", null = true, generated = 'upper("the; words")' } },
    key = { "at", "id" }, tenant = "firm", indexes = { { "firm", "-at" } }, uniques = { { "firm", "at" } },
    partition = { by = "at", every = "month" },
  }, {
    name = "notes", table = [["odd ""parts"""."no.tes"]], key = { "id" }, soft_delete = "gone",
    fields = { { name = "id", column = "I D", type = "int8" }, { name = "words", column = "the; words", type = "text" },
      { name = "gone", column = "is 'gone'", type = "timestamptz", null = true } },
    search = { vector = 'v "x', headline = "words", config = "english" },
  } } }
end

describe("a partitioned table with a search, of odd names", function()
  local db
  setup(function()
    db = must(larder.open(url))
    declare_parts()
  end)
  teardown(function()
    db:query [[drop schema "odd ""parts""" cascade]]
    db:close()
  end)
  it("is made from its declaration, and kept", function()
    local session = must(db._engine:session {})
    for _, fault in ipairs(must(check(db, "odd_parts"))) do must(session:script(fault.sql)) end
    session:rollback()
    assert.same({}, (must(check(db, "odd_parts"))))
    local events = db:stores("odd_parts").events
    local row = must(events:create { at = db:now(), firm = "f", words = "quick foxes" })
    local made = must(events:ensure_partitions { ahead = 1 }) -- and the row moves out of the default partition
    assert.equal(2, #made)
    assert.equal("QUICK FOXES", must(events:get(row.at, row.id)).loud)
    must(events:create { at = "2001-01-01T00:00:00Z", firm = "f", words = "old foxes" })
    local _, twice = events:create { at = row.at, firm = "f", words = "again" }
    assert.same({ "conflict",
      "the 'events_Firm's_at \"UTC\"_key", "Key (firm, at) already exists." }, { twice.code, twice.constraint, twice.detail })
    local notes = db:stores("odd_parts").notes
    must(notes:create_many { { id = 1, words = "quick foxes" }, { id = 2, words = "slow foxes" }, { id = 3, words = "fox" } })
    must(notes:delete(2))
    local rows = must(notes:search("foxes", { headline = true, where = { id = 1 } }))
    assert.equal(1, #rows)
    assert.equal(2, #must(notes:search "fox"))
    assert.is_string(rows[1].words)
    assert.is_truthy(rows[1].headline:find "<b>foxes</b>")
    assert.equal(row.id, must(events:get(row.at, row.id)).id)
    assert.equal(1, must(events:detach_partitions { before = "2002-01-01T00:00:00Z" }).rows)
    must(db:truncate "odd_parts")
    assert.equal(0, must(events:count()))
  end)
end)
