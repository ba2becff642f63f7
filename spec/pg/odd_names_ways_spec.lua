-- Names that are no words, on the ways around the plain methods: raw SQL, pipelines, cursors, COPY, savepoints, queues, the kit for
-- tests, annotations and the tool.

local larder = require "larder"
local annotate = require "larder.cli.annotate"
local cli = require "spec.support.cli"
local family = require "larder.family"
local luacats = require "spec.support.luacats"
local must = require "spec.support.must"
local odd = require "spec.support.odd_names"
local testing = require "larder.testing"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local DROP = odd.DROP

describe("names that are no words", function()
  local db, memory, text, stores

  setup(function()
    db, memory = must(larder.open(url)), must(larder.open "memory:")
    text = odd.make(db)
    stores = db:stores "My_Shop"
  end)
  teardown(function()
    odd.drop(db)
    db:close()
    memory:close()
  end)
  before_each(function()
    for _, place in ipairs { db, memory } do must(place:truncate "My_Shop") end
  end)

  it("are the result columns of pipelines and raw cursors", function()
    odd.fill(stores)
    local results = must(db:pipeline(function(p)
      p:query([[select "1st", "DROP; ""x"" --" as "q;'"" ä" from "My Shop"."Order Details" where "select" = $1]], 1)
      p:query([[select "größe" from "My Shop"."we""ird" where "a""b" = $1]], 8)
    end))
    assert.same({ { ["1st"] = "k", ["q;'\" ä"] = { DROP } } }, results[1].rows)
    assert.same({ { ["größe"] = 2 } }, results[2].rows)
    local seen = {}
    for row in db:each({ [[select "select", "a""b" from "My Shop"."Order Details" order by 1]], page = 2 }) do
      seen[#seen + 1] = { row.select, row['a"b'] }
    end
    assert.same({ { 1, 8 }, { 2, 7 }, { 3, 8 }, { 4, 7 }, { 5, 8 } }, seen)
  end)

  it("are walked by each, in an order that has an index and in one that has none", function()
    for _, place in ipairs { db, memory } do
      local s = place:stores "My_Shop"
      odd.fill(s)
      for order, wanted in pairs { ["-Unit_Price, select"] = "25143", ["-Unit_Price_2"] = "54321", ["My_Mood, -select"] = "32154" } do
        local seen = {}
        for row in s.Order_Details:each { order = order, page = 2, include = { we_ird = true } } do
          seen[#seen + 1] = row.select
          assert.equal(row.a_b, row.we_ird.a_b)
        end
        assert.equal(wanted, table.concat(seen), order)
      end
    end
  end)

  it("are savepoints of raw SQL around nested transactions", function()
    must(db:transaction(function(tx)
      must(tx:query [[savepoint "a ""b; ä"]])
      must(stores.we_ird:create { a_b = 70, x_y = "gone" })
      must(tx:query [[rollback to savepoint "a ""b; ä"]])
      db:transaction(function()
        must(stores.we_ird:create { a_b = 71, x_y = "undone" })
        return nil, "no"
      end)
      must(stores.we_ird:create { a_b = 72, x_y = "stays" })
      must(tx:query [[release savepoint "a ""b; ä"]])
      return true
    end))
    local keys = {}
    for i, row in ipairs(must(stores.we_ird:list())) do keys[i] = row.a_b end
    assert.same({ 72 }, keys)
  end)

  it("are copied in, out and between databases", function()
    assert.equal(2, must(db:copy_in([[copy "My Shop"."select" ("""; drop table x; --", "$1") from stdin (format csv)]], "5,x\n6,y\n")))
    local pieces = {}
    must(db:copy_out([[copy "My Shop"."select" to stdout (format csv, header)]], function(piece) pieces[#pieces + 1] = piece end))
    assert.equal('"""; drop table x; --",$1,"a\nb"\n5,x,\n6,y,\n', table.concat(pieces))
    odd.fill(stores)
    must(larder.transfer(db, memory, { families = { "My_Shop" }, verify = true }))
    for _, way in ipairs { "update", "skip" } do
      local report = must(larder.transfer(memory, db, { families = { "My_Shop" }, on_conflict = way, verify = way == "update" }))
      assert.equal(way == "skip" and 10 or 0, report.skipped)
    end
    local _, err = larder.transfer(memory, db, { families = { "My_Shop" } })
    assert.equal('we"ird key', err.constraint)
    assert.equal(10, #err.refused)
  end)

  it("come back as they were given, and as they are stored", function()
    odd.fill(stores)
    for i = 100, 105 do -- the first proves the table, the others need not ask for their rows
      local made = must(stores.Order_Details:create { _1st = "g", select = i, Unit_Price = "1.00", Unit_Price_2 = "g" .. i, a_b = 7,
        DROP___x____ = { DROP }, it_s = { [DROP] = 1 }, created_at = "2026-01-01T00:00:00Z" })
      assert.same(must(stores.Order_Details:get("g", i)), made)
      made = must(stores.we_ird:create { a_b = i, x_y = "g" .. i })
      assert.same(must(stores.we_ird:get(i)), made)
    end
  end)

  it("are written by the writer, and are dead letters where the table refuses them", function()
    for _, place in ipairs { db, memory } do
      local s = place:stores "My_Shop"
      must(s.select:insert_async { ___drop_table_x____ = 1, _1 = "a", a_b = "b" })
      must(s.Order_Details:insert_async { _1st = "k", select = 1, Unit_Price_2 = DROP })
      must(s.Order_Details:insert_async { _1st = "l", select = 1, Unit_Price_2 = DROP })
      must(s.Order_Details:insert_async { _1st = "k", select = 2, a_b = 4711 })
      must(place:flush(10))
      assert.equal("b", must(s.select:get(1)).a_b)
      local letters, seen = must(place:dead_letters()), {}
      for _, letter in ipairs(letters:list "My_Shop.Order_Details") do
        seen[letter.row._1st .. letter.row.select] = { letter.err.code, letter.err.constraint, letter.row.Unit_Price_2 }
      end
      assert.same({ l1 = { "conflict", 'only "alive"', DROP }, k2 = { "foreign_key", 'to "we"ird"' } }, seen)
      must(s.we_ird:create { a_b = 4711, x_y = "late" })
      assert.equal(2, must(letters:replay "My_Shop.Order_Details"))
      must(place:flush(10))
      assert.is_true(s.Order_Details:exists("k", 2))
      assert.equal(1, letters:count())
      letters:discard()
    end
  end)

  it("keep the contract, and are made by factories", function()
    for _, place in ipairs { db, memory } do
      assert.same({}, testing.conformance("My_Shop", place).failed)
      must(place:truncate "My_Shop")
      local made = testing.factory(place, "My_Shop"):create("Order_Details", { Unit_Price = 3, My_Mood = "fine" })
      assert.same({ "3.00", "fine" }, { made.Unit_Price, made.My_Mood })
    end
  end)

  it("have annotations that can be read, a label of several lines among them", function()
    larder.declare { name = "odd_types", entities = { { name = "function", table = [["odd.types"."end"]], key = { "end" },
      fields = { { name = "end", column = "1st", type = "int8" },
        { name = "mood", column = "Mood;", type = "enum", sql_type = [["odd.types"."m""ood"]],
          enum = { "a\nb", 'c"d\\', "---@class X", "\1" } } },
    } } }
    for name, wanted in pairs { My_Shop = { "---@class My_Shop.WeIrd.Row", "---@field DROP___x____? string[]",
        [["fine"|"so \"so\""|"it's bad"]] },
      odd_types = { [["a\nb"|"c\"d\\"|"---@class X"|"\1"]], "---@field end integer" } } do
      local lines = annotate.family(family.get(name), function(store) return db:_cstore(name, store):describe() end)
      assert.same({}, luacats.check(name, lines, {}, {}))
      for _, said in ipairs(wanted) do assert.is_truthy(lines:find(said, 1, true), said) end
    end
  end)

  it("are exported, imported, checked and shown by the tool", function()
    odd.fill(stores)
    local tool = cli.new { DATABASE_URL = url }
    finally(function() tool:remove() end)
    tool:file("decl.lua", text)
    tool:file(".larder", 'return { load = { "decl.lua" } }')
    local function works(command)
      local out, code = tool:run(command, true)
      assert.equal(0, code, command .. "\n" .. out)
      return out
    end
    works "check"
    for _, format in ipairs { "ndjson", "csv" } do
      works("export My_Shop -o " .. format .. " --format " .. format)
      works("import " .. format .. " --on-conflict update --verify")
      local out, code = tool:run("import " .. format, true)
      assert.equal(1, code)
      local line = format == "csv" and 2 or 1
      assert.is_truthy(out:find(("%s/My_Shop.we_ird.%s:%d: My_Shop.we_ird: duplicate value violates unique constraint \"we\"ird key\"")
        :format(format, format, line), 1, true), out)
    end
    local shown = tool:run([[query 'select "größe", "a""b" from "My Shop"."we""ird" order by 2 limit 1' --json]])
    assert.same({ { ['a"b'] = 7, ["größe"] = 0 } }, larder.json.decode(shown))
  end)
end)
