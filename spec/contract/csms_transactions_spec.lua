local larder = require "larder"
local clock = require("spec.support.auth").clock
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local mv = rows.meter_value

local T1, T2, T3 = "2026-01-01T10:00:00Z", "2026-01-01T10:10:00Z", "2026-01-01T10:20:00Z"

for _, engine in ipairs(engines) do
  describe("csms.transactions on " .. engine.name, function()
    local db, transactions

    before_each(function()
      db = engine.fresh "csms"
      transactions = db:stores("csms").transactions
    end)

    teardown(engine.done)

    local function create(s, tx, more)
      more = more or {}
      return assert(transactions:create(s, tx, "DEADBEEF", "ISO14443", more.values or { mv(T1, 100) },
        more.seq or 0, more.offline))
    end

    local function find(s, tx) return assert(transactions:find(s, tx)) end

    local function values_of(tx)
      local list = {}
      for i, value in ipairs(tx.meter_values) do list[i] = value.sampled_values[1].value end
      return list
    end

    it("MV-X1 finds nothing without an error", function()
      local found, err = transactions:find("cs001", "1234")
      assert.is_nil(found)
      assert.is_nil(err)
      _, err = transactions:get("cs001", "1234")
      assert.equal("not_found", err.code)
    end)

    it("MV-X2 creates and finds", function()
      create("cs001", "1234", { seq = 3 })
      local tx = find("cs001", "1234")
      assert.same({ "cs001", "1234", "DEADBEEF", "ISO14443", 3, 0, false }, {
        tx.charge_station_id, tx.transaction_id, tx.id_token, tx.token_type, tx.start_seq_no,
        tx.updated_seq_no_count, tx.offline,
      })
      assert.is_nil(tx.ended_seq_no)
      assert.is_nil(tx.last_cost)
      assert.same({ mv(T1, 100) }, tx.meter_values)
    end)

    it("MV-X3 adds the values when it is created again", function()
      create("cs001", "1234")
      create("cs001", "1234", { values = { mv(T2, 200) } })
      assert.same({ 100, 200 }, values_of(find("cs001", "1234")))
    end)

    it("MV-X4 adds the values of an update and counts it", function()
      create("cs001", "1234")
      assert(transactions:update("cs001", "1234", { mv(T2, 200) }))
      local tx = find("cs001", "1234")
      assert.same({ 100, 200 }, values_of(tx))
      assert.equal(1, tx.updated_seq_no_count)
    end)

    it("MV-X5 creates, updates and ends", function()
      create("cs001", "1234", { seq = 1 })
      assert(transactions:update("cs001", "1234", { mv(T2, 200) }))
      assert(transactions:finish("cs001", "1234", "OTHER", "ignored", { mv(T3, 300) }, 2))
      local tx = find("cs001", "1234")
      assert.same({ 100, 200, 300 }, values_of(tx))
      assert.same({ 2, 1, 1, "DEADBEEF", "ISO14443" },
        { tx.ended_seq_no, tx.updated_seq_no_count, tx.start_seq_no, tx.id_token, tx.token_type })
    end)

    it("MV-X6 makes a transaction whose end comes first", function()
      assert(transactions:finish("cs001", "1234", "DEADBEEF", "ISO14443", { mv(T3, 300) }, 2))
      local tx = find("cs001", "1234")
      assert.same({ "DEADBEEF", "ISO14443", 2, 0, 0 },
        { tx.id_token, tx.token_type, tx.ended_seq_no, tx.start_seq_no, tx.updated_seq_no_count })
      assert.same({ 300 }, values_of(tx))
    end)

    it("MV-X7 makes a skeleton for an update, which create fills", function()
      assert(transactions:update("cs001", "1234", { mv(T2, 200) }))
      local tx = find("cs001", "1234")
      assert.is_nil(tx.id_token)
      assert.same({ 1, 0 }, { tx.updated_seq_no_count, tx.start_seq_no })
      create("cs001", "1234", { seq = 7, offline = true })
      tx = find("cs001", "1234")
      assert.same({ "DEADBEEF", "ISO14443", 7, true, 1 },
        { tx.id_token, tx.token_type, tx.start_seq_no, tx.offline, tx.updated_seq_no_count })
      assert.same({ 200, 100 }, values_of(tx))
      assert.equal("2026-01-01T10:00:00.000000Z", tx.started_at)
    end)

    it("fills a skeleton by a create without meter values, and keeps when it began", function()
      assert(transactions:update("cs001", "1234", { mv(T2, 200) }))
      assert(transactions:create("cs001", "1234", "DEADBEEF", "ISO14443", nil, 7, true))
      local tx = find("cs001", "1234")
      assert.same({ "DEADBEEF", "ISO14443", 7, true, "2026-01-01T10:10:00.000000Z" },
        { tx.id_token, tx.token_type, tx.start_seq_no, tx.offline, tx.started_at })
      assert.same({ 200 }, values_of(tx))
    end)

    it("takes events in the order end, update, begin, and the end again", function()
      assert(transactions:finish("cs001", "t", "DEADBEEF", "ISO14443", { mv(T3, 300) }, 9))
      assert(transactions:update("cs001", "t", { mv(T2, 200) }))
      create("cs001", "t", { seq = 1 })
      assert(transactions:finish("cs001", "t", nil, nil, nil, 9))
      local tx = find("cs001", "t")
      assert.same({ 300, 200, 100 }, values_of(tx))
      assert.same({ 1, 1, 9 }, { tx.start_seq_no, tx.updated_seq_no_count, tx.ended_seq_no })
      assert.equal("2026-01-01T10:00:00.000000Z", tx.started_at)
    end)

    it("MV-X8 keeps whether it was offline", function()
      create("cs001", "1234", { offline = true })
      assert.is_true(find("cs001", "1234").offline)
    end)

    it("MV-X9 keeps several sampled values of one moment", function()
      local value = { timestamp = T1, sampled_values = {
        { value = 100, measurand = "Energy.Active.Import.Register" }, { value = 230, measurand = "Voltage" },
        { value = 16, measurand = "Current.Import" },
      } }
      create("cs001", "1234", { values = { value } })
      assert.same({ value }, find("cs001", "1234").meter_values)
    end)

    it("MV-X10 keeps all optional fields of a sampled value", function()
      local value = { timestamp = T1, sampled_values = { {
        context = "Transaction.Begin", location = "Outlet", measurand = "Power.Active.Import", phase = "L1",
        unit_of_measure = { unit = "W", multipler = 3 }, value = 12345.67,
      } } }
      create("cs001", "1234", { values = { value } })
      assert.same({ value }, find("cs001", "1234").meter_values)
    end)

    it("MV-X11 keeps no meter values as an empty list", function()
      create("cs001", "1234", { values = {} })
      assert(transactions:create("cs001", "none", "T", "RFID", nil, 0))
      for _, tx in ipairs { "1234", "none" } do
        assert.equal("[]", require("larder.core").json_encode(find("cs001", tx).meter_values))
      end
      assert(transactions:update("cs001", "1234", {}))
      assert(transactions:update("cs001", "1234", { { timestamp = T1, sampled_values = {} } }))
      local values = find("cs001", "1234").meter_values
      assert.equal(1, #values)
      assert.equal("[]", require("larder.core").json_encode(values[1].sampled_values))
    end)

    it("MV-X12 counts three updates", function()
      create("cs001", "1234")
      for i = 1, 3 do assert(transactions:update("cs001", "1234", { mv(T2, 100 + i) })) end
      local tx = find("cs001", "1234")
      assert.equal(3, tx.updated_seq_no_count)
      assert.same({ 100, 101, 102, 103 }, values_of(tx))
    end)

    it("MV-X13 lists all", function()
      for i = 1, 3 do create(rows.station(i), "t" .. i) end
      assert.same({ "t1", "t2", "t3" }, rows.column("transaction_id", transactions:list()))
      assert.equal(1, #assert(transactions:list { limit = 1 }))
    end)

    it("MV-X14 does not find another station's", function()
      create("cs001", "1234")
      assert.is_nil((transactions:find("cs002", "1234")))
    end)

    it("MV-X15 keeps the same id on two stations apart", function()
      create("cs001", "1234", { seq = 1 })
      create("cs002", "1234", { seq = 2, values = { mv(T2, 200) } })
      assert(transactions:update("cs002", "1234", { mv(T3, 300) }))
      assert(transactions:finish("cs001", "1234", nil, nil, nil, 5))
      assert.same({ 100 }, values_of(find("cs001", "1234")))
      assert.same({ 200, 300 }, values_of(find("cs002", "1234")))
      assert.equal(5, find("cs001", "1234").ended_seq_no)
      assert.is_nil(find("cs002", "1234").ended_seq_no)
    end)

    it("MV-X17 keeps the cost, makes a transaction for it, and keeps it exact", function()
      create("cs001", "1234")
      assert(transactions:update_cost("cs001", "1234", 15.50))
      local tx = find("cs001", "1234")
      assert.equal("15.5000", tx.last_cost)
      assert.equal(15.5, tonumber(tx.last_cost))
      assert.same({ 100 }, values_of(tx))
      assert(transactions:update_cost("cs001", "first", "0.1"))
      tx = find("cs001", "first")
      assert.same({ "0.1000", 0 }, { tx.last_cost, tx.updated_seq_no_count })
      create("cs001", "first", { seq = 4 })
      tx = find("cs001", "first")
      assert.same({ "0.1000", 4 }, { tx.last_cost, tx.start_seq_no })
      local _, err = transactions:update_cost("cs001", "1234", "much")
      assert.same({ "invalid", "last_cost" }, rows.fault(err))
    end)

    it("MV-X18 accepts a token that nobody knows", function()
      assert(transactions:create("cs001", "1234", "NOBODY", "RFID", nil, 0))
      assert.equal("NOBODY", find("cs001", "1234").id_token)
    end)

    it("MV-X19 ends one and leaves those of other stations", function()
      for i = 1, 3 do create(rows.station(i), "t" .. i) end
      for i = 1, 3 do assert.equal("t" .. i, assert(transactions:find_active(rows.station(i))).transaction_id) end
      assert(transactions:finish("cs001", "t1", "DEADBEEF", "ISO14443", nil, 1))
      assert.is_nil((transactions:find_active "cs001"))
      assert.equal(1, find("cs001", "t1").ended_seq_no)
      for i = 2, 3 do
        assert.equal("t" .. i, assert(transactions:find_active(rows.station(i))).transaction_id)
      end
    end)

    it("finds the newest active one", function()
      create("cs001", "old")
      create("cs001", "new", { values = { mv(T3, 1) } })
      create("cs001", "middle", { values = { mv(T2, 1) } })
      assert.equal("new", assert(transactions:find_active "cs001").transaction_id)
      assert(transactions:finish("cs001", "new", nil, nil, nil, 1))
      assert.equal("middle", assert(transactions:find_active "cs001").transaction_id)
    end)

    it("MV-X20 takes an end with number 0 for an end", function()
      create("cs001", "1234")
      assert(transactions:finish("cs001", "1234", nil, nil, nil, 0))
      assert.equal(0, find("cs001", "1234").ended_seq_no)
      assert.is_nil((transactions:find_active "cs001"))
      assert.equal(1, select(2, transactions:list_for_station("cs001", { status = "completed" })))
    end)

    it("MV-X21 lists a station's by status and start, the total before paging", function()
      for i = 1, 6 do
        create("cs001", "t" .. i, { values = { mv(("2026-01-0%dT00:00:00Z"):format(math.floor((i + 1) / 2)), i) } })
        if i <= 2 then assert(transactions:finish("cs001", "t" .. i, nil, nil, nil, i)) end
      end
      create("cs002", "other")
      local function ids(opts)
        local list, total = transactions:list_for_station("cs001", opts)
        return rows.column("transaction_id", list), assert(total)
      end
      assert.same({ { "t5", "t6", "t3", "t4", "t1", "t2" }, 6 }, { ids() })
      assert.same({ { "t5", "t6", "t3", "t4", "t1", "t2" }, 6 }, { ids { status = "" } })
      assert.same({ { "t5", "t6", "t3", "t4" }, 4 }, { ids { status = "active" } })
      assert.same({ { "t1", "t2" }, 2 }, { ids { status = "completed" } })
      assert.same({ { "t4", "t1" }, 6 }, { ids { status = "all", limit = 2, offset = 3 } })
      local from, to = "2026-01-01T00:00:00Z", "2026-01-02T01:00:00+01:00"
      assert.same({ { "t3", "t4", "t1", "t2" }, 4 }, { ids { from = from, to = to } })
      assert.same({ { "t5", "t6", "t3", "t4" }, 4 }, { ids { from = to } })
      assert.same({ {}, 6 }, { ids { limit = 0 } })
      assert.same({ {}, 0 }, { ids { from = "2027-01-01T00:00:00Z" } })
    end)

    it("refuses statuses, bounds and pages that there are not", function()
      local cases = {
        { { status = "running" }, "status" }, { { from = "then" }, "started_at" }, { { limit = -1 }, "limit" },
        { { limit = 1001 }, "limit" }, { { offset = -1 }, "offset" },
      }
      for _, case in ipairs(cases) do
        local _, err = transactions:list_for_station("cs001", case[1])
        assert.same({ "invalid", case[2] }, rows.fault(err))
      end
      assert.has_error(function() transactions:list_for_station("cs001", { state = "active" }) end)
      assert.has_error(function() transactions:list_for_station() end)
      assert.has_error(function() transactions:find "cs001" end)
    end)

    it("MV-X22 keeps registers exact: fractions, and beyond 32 and 53 bits", function()
      local int64 = larder.open and rawget(_G, "jit") and loadstring "return 9007199254740993LL" or nil -- luacheck: ignore 113
      local numbers = { 12345.678, 2147483648, 4294967296.5, 9007199254740991, 0.1, -1.5,
        int64 and int64() or math.tointeger(9007199254740992) + 1 }
      local values = {}
      for i, n in ipairs(numbers) do values[i] = mv(T1, n) end
      create("cs001", "1234", { values = values })
      for i, value in ipairs(values_of(find("cs001", "1234"))) do assert.is_true(value == numbers[i]) end
    end)

    it("MV-X23 gives times back as they were sent", function()
      local times = {
        "2026-01-01T10:00:00.123456789Z", "2026-01-01T10:00:00+02:00", "2026-01-01T10:00:00.5-11:30",
        "2026-01-01T10:00:00Z",
      }
      local values = {}
      for i, time in ipairs(times) do values[i] = mv(time, i) end
      create("cs001", "1234", { values = values })
      assert.same(times, rows.column("timestamp", find("cs001", "1234").meter_values))
    end)

    it("MV-X24 stores nothing of a create when its second meter value is refused", function()
      local bad = {
        { { timestamp = "10 o'clock", sampled_values = {} }, "timestamp" },
        { { sampled_values = {} }, "timestamp" },
        { { timestamp = T1 }, "sampled_values" },
        { { timestamp = T1, sampled_values = { { value = "100" } } }, "value must be a number" },
        { { timestamp = T1, sampled_values = { { value = 0 / 0 } } }, "value must be a number" },
        { { timestamp = T1, sampled_values = { { value = 1, unit = "W" } } }, "no member unit" },
        { { timestamp = T1, sampled_values = { { value = 1, unit_of_measure = { multiplier = 1 } } } }, "multiplier" },
        { { timestamp = T1, sampled_values = { { value = 1, phase = 1 } } }, "phase" },
        { "100 Wh", "must be a table" },
      }
      for _, case in ipairs(bad) do
        local ok, err = transactions:create("cs001", "1234", "T", "RFID", { mv(T1, 100), case[1] }, 0)
        assert.is_nil(ok)
        assert.same({ "invalid", "meter_values" }, rows.fault(err))
        assert.is_truthy(err.fields.meter_values:find("entry 2", 1, true))
        assert.is_truthy(err.fields.meter_values:find(case[2], 1, true))
      end
      assert.is_nil((transactions:find("cs001", "1234")))
      local _, err = transactions:create("cs001", ("x"):rep(37), "T", "RFID", nil, 0)
      assert.same({ "invalid", "transaction_id" }, rows.fault(err))
      _, err = transactions:finish("cs001", "1234", "T", "RFID", nil, nil)
      assert.same({ "invalid", "ended_seq_no" }, rows.fault(err))
      assert.equal(0, transactions:count())
    end)

    it("changes nothing of what it is given", function()
      local values = { mv(T1, 100) }
      create("cs001", "1234", { values = values })
      assert.same({ mv(T1, 100) }, values)
      values[1].sampled_values[1].value = 999
      find("cs001", "1234").meter_values[1].sampled_values[1].value = 999
      assert.same({ 100 }, values_of(find("cs001", "1234")))
    end)

    it("dates a transaction without meter values by the clock", function()
      db:set_clock(clock())
      assert(transactions:create("cs001", "1234", "T", "RFID", nil, 0))
      assert(transactions:finish("cs001", "1234", nil, nil, nil, 1))
      local tx = find("cs001", "1234")
      assert.same({ "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z" }, { tx.started_at, tx.ended_at })
      db:set_clock(nil)
    end)

    it("joins the caller's transaction", function()
      local ok, err = db:transaction(function()
        create("cs001", "1234")
        assert(transactions:update("cs001", "1234", { mv(T2, 200) }))
        return nil, "no"
      end)
      assert.same({ nil, "no" }, { ok, err })
      assert.is_nil((transactions:find("cs001", "1234")))
    end)

    it("keeps the generic methods: a table first", function()
      assert(transactions:create { charge_station_id = "cs001", transaction_id = "1234", started_at = T1 })
      assert.equal("1234", assert(transactions:find { charge_station_id = "cs001" }).transaction_id)
      assert.equal("1234", assert(transactions:patch("cs001", "1234", {})).transaction_id)
      local row = assert(transactions:patch("cs001", "1234", { offline = true }))
      row.offline = false
      assert.is_false(assert(transactions:update(row)).offline)
    end)
  end)
end
