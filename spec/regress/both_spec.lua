-- What was once answered wrongly, with its right answer: on both engines. reports_spec.lua lists what other specs hold.

local larder = require "larder"
local must = require "spec.support.must"
local regress = require "spec.regress.stores"

for name, url in pairs(regress.engines) do
  describe("the right answer on " .. name, function()
    local db, stores, things

    before_each(function()
      db = assert(larder.open(url))
      stores = regress.of(db)
      things = stores.things
    end)
    after_each(function() db:close() end)

    local function titles()
      local all = {}
      for row in things:each { order = "id" } do all[#all + 1] = row.title or "-" end
      return table.concat(all, " ")
    end

    it("when a row that was read is written back: JSON numbers beyond a double and 64 bits", function()
      for number in ("18446744073709551615 9223372036854775808 12345678901234567890.123 0.48812409112942318 1e-400 "
        .. "-9223372036854775808 9007199254740993 0.1 1e22"):gmatch "%S+" do
        must(things:upsert { id = "a", doc = must(larder.json.decode('{"v":' .. number .. "}")) })
        local row = must(things:get "a")
        must(things:patch("a", { doc = row.doc }))
        assert.equal(1, things:count { doc = { contains = { v = row.doc.v } } }, number)
        assert.equal(larder.json.encode(row.doc), larder.json.encode(must(things:get "a").doc))
        assert.equal(1, things:count { doc = { eq = must(larder.json.decode('{"v":' .. number .. "}")) } }, number)
      end
    end)

    it("when a JSON number is too large for a double: it is read, compared and written back, and is no infinity", function()
      local huge = "1" .. ("0"):rep(400)
      must(things:create { id = "a", doc = must(larder.json.decode('{"v":' .. huge .. "}")) })
      local row = must(things:get "a")
      assert.equal(huge, tostring(row.doc.v))
      assert.equal(huge, tostring(must(things:update(row)).doc.v))
    end)

    it("for every time that PostgreSQL prints or commonly accepts", function()
      local cases = {
        ["2024-01-01 00:00:00.123456+00"] = "2024-01-01T00:00:00.123456Z", ["2024-01-01 00:00:00-03"] = "2024-01-01T03:00:00.000000Z",
        ["2024-01-01T00:00:00+0000"] = "2024-01-01T00:00:00.000000Z", ["2024-01-01T00:00Z"] = "2024-01-01T00:00:00.000000Z",
        ["2024-01-01 00:00+00"] = "2024-01-01T00:00:00.000000Z", ["2024-01-01T24:00:00Z"] = "2024-01-02T00:00:00.000000Z",
        ["1900-01-01 00:00:00+05:21:10"] = "1899-12-31T18:38:50.000000Z", ["0044-03-15 12:00:00+00 BC"] = "0044-03-15T12:00:00.000000Z BC",
        ["10000-01-01 00:00:00+00"] = "10000-01-01T00:00:00.000000Z", ["294276-12-31 00:00:00+00"] = "294276-12-31T00:00:00.000000Z",
        infinity = "infinity",
      }
      for given, stored in pairs(cases) do
        must(things:upsert { id = "a", at = given })
        assert.equal(stored, must(things:get "a").at, given)
        assert.equal(1, things:count { at = given }, given)
        assert.equal(stored, must(things:list {})[1].at)
        for row in things:each {} do assert.equal(stored, row.at) end
      end
      for _, given in ipairs { "2024-01-01T00:00:00", "2024-01-01", "now", "2024-13-01T00:00:00Z" } do
        local row, err = things:create { id = "b", at = given }
        assert.is_nil(row)
        assert.is_string(err.fields.at, given)
      end
    end)

    it("when a bulk of key columns alone meets rows that are there", function()
      must(stores.pairs:create { a = 1, b = 1 })
      assert.equal(1, must(stores.pairs:upsert { a = 1, b = 1 }).a)
      assert.equal(1, must(stores.pairs:update { a = 1, b = 1 }).b)
      assert.equal(1, must(stores.pairs:patch(1, 1, {})).b)
      assert.equal(1, must(stores.pairs:create_many({ { a = 1, b = 1 }, { a = 2, b = 2 } }, { on_conflict = "skip" })))
      local report = must(larder.transfer({ regress = { pairs = { { a = 1, b = 1 }, { a = 3, b = 3 } } } }, db,
        { families = { "regress" }, on_conflict = "update", verify = true }))
      assert.equal(2, report.written + report.skipped)
      assert.equal(3, stores.pairs:count())
    end)

    it("when options are wrong in ways that were once raw errors of Lua", function()
      for what, call in pairs {
        where = function() things:list { where = 5 } end, count = function() things:count(5) end, each = function() things:each {
          where = 5 } end,
        aggregate = function() things:aggregate { where = 5, aggs = { { "count" } } } end, columns = function() things:list {
          columns = 5 } end,
        only = function() things:update({ id = "a" }, { only = 5 }) end, many = function() things:create_many { 5 } end,
        upsert = function() things:upsert({ id = "a" }, { only = 5 }) end, limit = function() things:each { limit = "5" } end,
        page = function() things:each { page = 0 } end, conflict = function() things:create_many({}, { on_conflict = "update" }) end,
        patch = function() things:patch("a", { n = 1 }, { where = 5 }) end, row = function() things:create_many { id = "a" } end,
      } do
        local ok, why = pcall(call)
        assert.is_false(ok, what)
        assert.matches("both_spec.lua:%d+: ", tostring(why))
      end
      for _, offset in ipairs { 1e300, -1, 0.5, "x", 0 / 0, math.huge } do
        local rows, err = things:list { offset = offset }
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
      end
    end)

    it("when a filter in an aggregate or a transfer is misspelt", function()
      must(things:create { id = "a" })
      for _, call in ipairs {
        function() things:aggregate { aggs = { { "count" } }, wher = { id = "zz" } } end,
        function() things:aggregate { aggs = { { "count", distinct = true, As = "n" } } } end,
        function() larder.transfer({ regress = { pairs = {} } }, db, { families = { "regress" }, dryrun = true }) end,
        function() larder.transfer({ regress = { pairs = {} } }, db, { families = { "regress" }, on_conflict = "ignroe" }) end,
        function() larder.transfer({ regress = { piars = {} } }, db, { families = { "regress" } }) end,
        function() larder.transfer({ regres = { pairs = {} } }, db, { families = { "regress" } }) end,
        function() larder.transfer({ pairs = {} }, db, { families = { "regress" } }) end,
        function() db:migrate("regress", { dryrun = true }) end, function() db:migrate("regress", "sql") end,
      } do
        local ok, result, err = pcall(call)
        assert.is_true(not ok or result == nil and err ~= nil)
      end
      for _, rows in ipairs { { { id = "b" }, nil, { id = "c" } }, { a = { id = "b" } } } do
        local ok, done, err = pcall(larder.transfer, { regress = { things = rows } }, db, { families = { "regress" }, verify = true })
        assert.is_true(not ok or done == nil and larder.is_error(err))
      end
      assert.equal("-", titles())
    end)

    it("when an empty page becomes JSON: a list", function()
      assert.equal("[]", larder.json.encode(must(things:list {})))
      assert.equal("[]", larder.json.encode(must(things:get_many {})))
      assert.equal("[]", larder.json.encode(must(things:create_many({}, { returning = true }))))
      assert.equal("[]", larder.json.encode(must(things:aggregate { aggs = { { "count", as = "n" } }, groups = { "title" } })))
    end)

    it("when an error is printed: store, method and place", function()
      local row, err = things:create { title = "x" }
      assert.is_nil(row)
      assert.matches("regress.things", tostring(err), 1, true)
      assert.matches("create", tostring(err), 1, true)
      assert.matches("id is required", tostring(err), 1, true)
      local ok, why = pcall(function() larder.must(things:create { title = "x" }) end)
      assert.is_false(ok)
      assert.is_string(why)
      assert.matches("both_spec.lua:%d+:.*regress.things.*id is required", why)
      row, err = things:create_many { { id = "a" }, { id = "b", titel = "x" } }
      assert.is_nil(row)
      assert.matches("titel is not a field of things; did you mean title? (row 2)", tostring(err), 1, true)
      local rows = { regress = { things = { { id = "a" }, { id = "b", n = "many" }, { id = "c" } } } }
      row, err = larder.transfer(rows, db, { families = { "regress" } })
      assert.is_nil(row)
      assert.matches("1 row was refused, nothing was written; the first: .*n must be an integer.* %(row 2%)$", tostring(err))
    end)

    it("when a coroutine works inside a transaction that resumes it", function()
      must(things:create { id = "a", n = 1 })
      local ok = db:transaction(function()
        must(things:patch("a", { n = 2 }))
        coroutine.wrap(function() must(things:patch("a", { n = 3 })) must(things:create { id = "inner" }) end)()
        local seen = {}
        local function rows()
          for row in things:each { order = "id" } do coroutine.yield(row) end
        end
        for row in coroutine.wrap(rows) do seen[#seen + 1] = row.id end
        assert.same({ "a", "inner" }, seen)
        return nil, "undo"
      end)
      assert.is_nil(ok)
      assert.equal(1, must(things:get "a").n)
      assert.is_false(things:exists "inner")
    end)

    it("when upsert and create meet the same row again and again, with every spelling of a real", function()
      must(things:create { id = "a", real = 0.1 })
      assert.equal(1, things:count { real = 0.1 })
      assert.equal(0, things:count { real = { ne = 0.1 } })
      assert.equal(0, things:count { real = { gt = 0.1 } })
      assert.equal(1, things:count { real = { 0.1, 5 } })
    end)

    it("when the limit of a field is met by increment, and a list has more than a page", function()
      must(things:create { id = "a", n = 5 })
      local row, err = things:patch("a", { n = larder.increment(100) })
      assert.is_nil(row)
      assert.equal("must be at most 10", err.fields.n)
      local rows, info = things:list { limit = 5000 }
      assert.equal(1, #rows)
      assert.equal(1000, info.limit)
    end)

    it("when a purely numeric text is compared: larder.decimal does it exactly", function()
      must(things:create { id = "a", price = "9.00" })
      must(things:create { id = "b", price = "10.00" })
      local a, b = larder.decimal(must(things:get "a").price), larder.decimal(must(things:get "b").price)
      assert.is_true(a < b)
      assert.equal("27.00", tostring(a * 3))
      assert.equal(2, things:count { price = { gte = a } })
    end)

    it("when a key is longer than an index takes", function()
      local text, n = {}, 1
      for i = 1, 5000 do -- what does not compress
        n = n * 48271 % 2147483647
        text[i] = string.char(33 + n % 90)
      end
      local row, err = things:create { id = table.concat(text) }
      if name == "memory" then return assert.is_table(row) end -- docs/differences.md
      assert.is_nil(row)
      assert.equal("invalid 54000", err.code .. " " .. err.sqlstate)
      assert.equal("things_pkey", err.constraint)
      assert.is_string(err.fields.id)
    end)

    it("when a restricted row is deleted, by code, constraint and words", function()
      must(things:create { id = "a" })
      must(stores.kids:create { id = 1, thing = "a" })
      local ok, err = things:delete "a"
      assert.is_nil(ok)
      assert.same({ "foreign_key", "kids_thing_fkey", "23503" }, { err.code, err.constraint, err.sqlstate })
      assert.matches("still referred to", err.message, 1, true)
      ok, err = stores.kids:create { id = 2, thing = "zz" }
      assert.is_nil(ok)
      assert.matches("refers to a missing row", err.message, 1, true)
    end)

    it("when rows are skipped: those that were there are not counted as written", function()
      must(things:create { id = "a" })
      assert.equal(1, must(things:create_many({ { id = "a" }, { id = "b" } }, { skip_duplicates = true })))
      must(things:insert_async { id = "a" })
      must(things:insert_async { id = "b" })
      must(things:insert_async { id = "c" })
      must(db:flush(10))
      local stats = things:writer_stats().stores["regress.things"]
      assert.same({ 1, 2, 0 }, { stats.written, stats.duplicates, stats.rejected })
    end)
  end)
end
