-- Fork stores: charging profiles, local lists, reservations, meter values, display messages, monitoring.

local larder = require "larder"
local core = require "larder.core"
local clock = require("spec.support.auth").clock
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local mv = rows.meter_value

local function over(row, more)
  for name, value in pairs(more or {}) do row[name] = value end
  return row
end

for _, engine in ipairs(engines) do
  describe("fork stores of csms on " .. engine.name, function()
    local db, csms

    before_each(function()
      db = engine.fresh "csms"
      csms = db:stores "csms"
    end)

    after_each(function() db:set_clock(nil) end)
    teardown(engine.done)

    describe("charging_profiles", function()
      local profiles

      before_each(function() profiles = csms.charging_profiles end)

      local function profile(id, more)
        return over({
          charging_profile_id = id, connector_id = 1, stack_level = 0, purpose = "TxDefaultProfile",
          kind = "Absolute", schedule = { rate_unit = "W", periods = { { start_period = 0, limit = 11000 } } },
        }, more)
      end

      local function ids(list, err) return rows.column("charging_profile_id", list, err) end

      it("sets and gets", function()
        local given = profile(1, {
          transaction_id = 7, recurrency = "Daily", kind = "Recurring", valid_from = "2026-01-01T00:00:00.000000Z",
          valid_to = "2026-02-01T00:00:00.000000Z",
          schedule = {
            rate_unit = "A", duration = 3600, start_schedule = "2026-01-01T00:00:00Z", min_charging_rate = 6.5,
            periods = { { start_period = 0, limit = 16.5, number_phases = 3 }, { start_period = 1800, limit = 8 } },
          },
        })
        assert(profiles:set("cs001", given))
        local found = assert(profiles:lookup("cs001", 1))
        for name, value in pairs(given) do assert.same(value, found[name]) end
        assert.is_nil((profiles:lookup("cs002", 1)))
      end)

      it("replaces the one with the same id", function()
        assert(profiles:set("cs001", profile(1)))
        assert(profiles:set("cs001", profile(1, { connector_id = 2 })))
        assert(profiles:set("cs002", profile(1)))
        assert.same({ 2 }, rows.column("connector_id", profiles:list "cs001"))
        assert.same({ 1 }, rows.column("connector_id", profiles:list "cs002"))
      end)

      it("lists by stack level and id, under each filter", function()
        assert(profiles:set("cs001", profile(3, { stack_level = 0 })))
        assert(profiles:set("cs001", profile(2, { stack_level = 1, connector_id = 2 })))
        assert(profiles:set("cs001", profile(1, { stack_level = 1, purpose = "TxProfile" })))
        assert.same({ 3, 1, 2 }, ids(profiles:list "cs001"))
        assert.same({ 3, 1 }, ids(profiles:list("cs001", { connector_id = 1 })))
        assert.same({ 1 }, ids(profiles:list("cs001", { purpose = "TxProfile" })))
        assert.same({ 1, 2 }, ids(profiles:list("cs001", { stack_level = 1 })))
        assert.same({ 2 }, ids(profiles:list("cs001", { stack_level = 1, connector_id = 2 })))
        assert.same({}, ids(profiles:list "cs002"))
        assert.has_error(function() profiles:list("cs001", { connector = 1 }) end)
      end)

      it("clears all, by id, by purpose, and nothing", function()
        local function fill()
          assert(profiles:set("cs001", profile(1)))
          assert(profiles:set("cs001", profile(2, { purpose = "TxProfile" })))
        end
        fill()
        assert(profiles:set("cs002", profile(1)))
        assert.equal(2, profiles:clear "cs001")
        assert.equal(0, profiles:clear "cs001")
        fill()
        assert.equal(1, profiles:clear("cs001", { charging_profile_id = 1 }))
        assert.equal(0, profiles:clear("cs001", { charging_profile_id = 2, purpose = "TxDefaultProfile" }))
        assert.equal(1, profiles:clear("cs001", { purpose = "TxProfile" }))
        assert.equal(1, profiles:count())
        assert.has_error(function() profiles:clear() end)
      end)

      it("composes a schedule of what begins within the duration", function()
        db:set_clock(clock())
        assert(profiles:set("cs001", profile(1, { schedule = { rate_unit = "W", min_charging_rate = 100, periods = {
          { start_period = 0, limit = 11000 }, { start_period = 3600, limit = 7000 },
          { start_period = 7200, limit = 3000 },
        } } })))
        assert.same({
          duration = 7200, rate_unit = "W", start_schedule = "2026-01-01T00:00:00.000000Z", min_charging_rate = 100,
          periods = { { start_period = 0, limit = 11000 }, { start_period = 3600, limit = 7000 } },
        }, assert(profiles:composite_schedule("cs001", 1, 7200)))
        assert.equal("[]", core.json_encode(assert(profiles:composite_schedule("cs001", 1, 0)).periods))
        assert.is_nil((profiles:composite_schedule("cs001", 1, 7200, "A")))
        assert.is_nil((profiles:composite_schedule("cs001", 2, 7200)))
        assert.is_nil((profiles:composite_schedule("cs002", 1, 7200)))
      end)

      local function limit(...)
        local schedule, err = profiles:composite_schedule("cs001", ...)
        assert.is_nil(err)
        return schedule and schedule.periods[1].limit
      end

      local function limited(watts)
        return { rate_unit = "W", periods = { { start_period = 0, limit = watts } } }
      end

      it("takes the station's limit before a default, then the higher stack level, then the nearer connector", function()
        assert(profiles:set("cs001", profile(1, { schedule = limited(11000) })))
        assert(profiles:set("cs001", profile(9, { purpose = "TxProfile", stack_level = 9, schedule = limited(1) })))
        assert.equal(11000, limit(1, 3600))
        assert(profiles:set("cs001", profile(3, { stack_level = 1, schedule = limited(7000) })))
        assert.equal(7000, limit(1, 3600))
        assert(profiles:set("cs001", profile(2, { stack_level = 1, schedule = limited(8000) })))
        assert(profiles:set("cs001", profile(0, { stack_level = 1, connector_id = 0, schedule = limited(9000) })))
        assert.equal(8000, limit(1, 3600))
        assert(profiles:set("cs001", profile(4, {
          purpose = "ChargePointMaxProfile", connector_id = 0, schedule = limited(32000),
        })))
        assert.equal(32000, limit(1, 3600))
        assert.equal(32000, limit(5, 3600, "W"))
      end)

      it("leaves out what is not valid yet, or no more", function()
        db:set_clock(clock()) -- 2026-01-01T00:00:00Z
        local now = "2026-01-01T00:00:00Z"
        assert(profiles:set("cs001", profile(1, { schedule = limited(1) })))
        local high = { purpose = "ChargePointMaxProfile" }
        local function with(more) return profile(2, over(over({ schedule = limited(2) }, high), more)) end
        for _, case in ipairs {
          { { valid_from = "2026-01-01T00:00:01Z" }, 1 }, { { valid_to = "2025-12-31T23:59:59Z" }, 1 },
          { { valid_to = now }, 1 }, { { valid_from = now }, 2 }, { { valid_to = "2026-01-01T00:00:01Z" }, 2 },
          { { valid_from = now, valid_to = "2027-01-01T00:00:00Z" }, 2 }, { {}, 2 },
        } do
          assert(profiles:set("cs001", with(case[1])))
          assert.equal(case[2], limit(1, 60))
        end
      end)

      it("refuses what is no profile", function()
        local cases = {
          { { purpose = "Fun" }, "purpose" }, { { kind = "Sometimes" }, "kind" },
          { { recurrency = "Hourly" }, "recurrency" }, { { connector_id = -1 }, "connector_id" },
          { { schedule = "fast" }, "schedule" }, { { schedule = { rate_unit = "kW", periods = {} } }, "schedule" },
          { { schedule = { rate_unit = "W" } }, "schedule" },
          { { schedule = { rate_unit = "W", periods = { { limit = 1 } } } }, "schedule" },
          { { schedule = { rate_unit = "W", periods = { { start_period = 0 } } } }, "schedule" },
          { { schedule = { rate_unit = "W", periods = {}, duration = 1.5 } }, "schedule" },
        }
        for _, case in ipairs(cases) do
          local _, err = profiles:set("cs001", profile(1, case[1]))
          assert.same({ "invalid", case[2] }, rows.fault(err))
        end
        assert.equal(0, profiles:count())
        for _, duration in ipairs { -1, 1.5, "60" } do
          assert.same({ "invalid", "duration" }, rows.fault(select(2, profiles:composite_schedule("cs001", 1, duration))))
        end
        assert.same({ "invalid", "unit" }, rows.fault(select(2, profiles:composite_schedule("cs001", 1, 60, "kW"))))
      end)
    end)

    describe("local_lists", function()
      local lists

      before_each(function() lists = csms.local_lists end)

      local function entry(id_tag, status, more)
        return { id_tag = id_tag, info = over({ status = status or "Accepted" }, more) }
      end

      it("has version 0 before there is one", function()
        assert.equal(0, lists:version "cs001")
        assert.same({}, assert(lists:list "cs001"))
      end)

      it("takes a full list, and another one in its place", function()
        assert.is_true(lists:update("cs001", 1, "Full", { entry "B", entry("A", "Blocked") }))
        assert.equal(1, lists:version "cs001")
        assert.same({ entry("A", "Blocked"), entry "B" }, assert(lists:list "cs001"))
        assert.is_true(lists:update("cs001", 2, "Full", { entry "C" }))
        assert.same({ entry "C" }, assert(lists:list "cs001"))
        assert.is_true(lists:update("cs001", 1, "Full", {}))
        assert.same({}, assert(lists:list "cs001"))
        assert.equal(1, lists:version "cs001")
      end)

      it("adds, removes and replaces by a differential list", function()
        assert(lists:update("cs001", 1, "Full", { entry "A", entry "B", entry "C" }))
        assert(lists:update("cs001", 2, "Differential", { entry "D" }))
        assert(lists:update("cs001", 3, "Differential", { { id_tag = "A" }, { id_tag = "none" } }))
        assert(lists:update("cs001", 4, "Differential", { entry("B", "Expired") }))
        assert.same({ entry("B", "Expired"), entry "C", entry "D" }, assert(lists:list "cs001"))
        assert.equal(4, lists:version "cs001")
        assert(lists:update("cs001", 5, "Differential", { entry "E", { id_tag = "E" }, { id_tag = "C" }, entry "C" }))
        assert.same({ "B", "C", "D" }, rows.column("id_tag", lists:list "cs001"))
        assert(lists:update("cs001", 6, "Differential", {}))
        assert.equal(6, lists:version "cs001")
      end)

      it("keeps optional fields, and clears them", function()
        local full = entry("A", "ConcurrentTx", { expiry_date = "2026-12-31T23:59:59Z", parent_id_tag = "P" })
        assert(lists:update("cs001", 1, "Full", { full }))
        assert.same({ full }, assert(lists:list "cs001"))
        assert(lists:update("cs001", 2, "Differential", { entry "A" }))
        assert.same({ entry "A" }, assert(lists:list "cs001"))
      end)

      it("keeps stations apart", function()
        assert(lists:update("cs001", 1, "Full", { entry "A" }))
        assert(lists:update("cs002", 5, "Full", { entry "B" }))
        assert.same({ 1, 5 }, { lists:version "cs001", lists:version "cs002" })
        assert(lists:update("cs001", 2, "Full", {}))
        assert.same({ entry "B" }, assert(lists:list "cs002"))
      end)

      it("changes nothing when something is refused", function()
        assert(lists:update("cs001", 1, "Full", { entry "A" }))
        local cases = {
          { 2, "Partial", {}, "kind" }, { 2, "Full", { { id_tag = "B" } }, "entries" },
          { 2, "Full", { { info = { status = "Accepted" } } }, "entries" }, { 2, "Full", { entry("B", "Odd") }, "status" },
          { -1, "Full", {}, "version" }, { 1.5, "Full", {}, "version" },
          { 2, "Full", { entry "B", entry(("x"):rep(37)) }, "id_tag" },
        }
        for _, case in ipairs(cases) do
          local ok, err = lists:update("cs001", case[1], case[2], case[3])
          assert.is_nil(ok)
          assert.same({ "invalid", case[4] }, rows.fault(err))
        end
        assert.equal(1, lists:version "cs001")
        assert.same({ entry "A" }, assert(lists:list "cs001"))
      end)
    end)

    describe("reservations", function()
      local reservations

      before_each(function()
        reservations = csms.reservations
        db:set_clock(clock()) -- 2026-01-01T00:00:00Z
      end)

      local function reservation(id, more)
        return over({
          charge_station_id = "cs001", reservation_id = id, connector_id = id, id_tag = "T",
          expiry_date = "2026-01-01T01:00:00Z",
        }, more)
      end

      local function make(id, more) return assert(reservations:create(reservation(id, more))) end
      local function status(id) return assert(reservations:lookup("cs001", id)).status end

      it("creates and gets", function()
        make(1, { parent_id_tag = "P" })
        local found = assert(reservations:lookup("cs001", 1))
        assert.same({ "cs001", 1, 1, "T", "P", "Accepted", "2026-01-01T01:00:00.000000Z" }, {
          found.charge_station_id, found.reservation_id, found.connector_id, found.id_tag, found.parent_id_tag,
          found.status, found.expiry_date,
        })
        assert.is_nil((reservations:lookup("cs001", 2)))
        assert(reservations:create("cs002", { reservation_id = 1, connector_id = 1, id_tag = "U",
          expiry_date = "2026-01-01T01:00:00Z" }))
        assert.equal("T", assert(reservations:lookup("cs001", 1)).id_tag)
      end)

      it("refuses an id that is there, and what is no reservation", function()
        make(1)
        local _, err = reservations:create(reservation(1, { connector_id = 5 }))
        assert.same({ "conflict", "reservations_pkey" }, { err.code, err.constraint })
        for _, name in ipairs { "charge_station_id", "connector_id", "reservation_id", "id_tag", "expiry_date" } do
          local row = reservation(2)
          row[name] = nil
          _, err = reservations:create(row)
          assert.same({ "invalid", name }, rows.fault(err))
        end
      end)

      it("cancels, and says when there is none or it has ended", function()
        make(1)
        make(2)
        assert.equal("Cancelled", assert(reservations:cancel("cs001", 1)).status)
        assert.equal("Cancelled", assert(reservations:cancel("cs001", 1)).status)
        local _, err = reservations:cancel("cs001", 9)
        assert.equal("not_found", err.code)
        _, err = reservations:cancel("cs002", 2)
        assert.equal("not_found", err.code)
        assert(reservations:update_status("cs001", 2, "Occupied"))
        _, err = reservations:cancel("cs001", 2)
        assert.same({ "invalid", "status" }, rows.fault(err))
        assert.equal("Occupied", status(2))
      end)

      it("goes from Accepted to any status, and from no other", function()
        for i, word in ipairs { "Faulted", "Occupied", "Rejected", "Unavailable", "Cancelled", "Expired" } do
          make(i)
          assert.equal(word, assert(reservations:update_status("cs001", i, word)).status)
          local _, err = reservations:update_status("cs001", i, "Accepted")
          assert.same({ "invalid", "status" }, rows.fault(err))
          assert.equal(word, status(i))
        end
        assert.same({ "invalid", "status" }, rows.fault(select(2, reservations:update_status("cs001", 1, "Lost"))))
        assert.equal("not_found", select(2, reservations:update_status("cs001", 99, "Expired")).code)
      end)

      it("lists the active ones of the station alone, oldest first", function()
        assert.same({}, assert(reservations:list_active "cs001"))
        make(3, { created_at = "2026-01-01T00:00:02Z" })
        make(1, { created_at = "2026-01-01T00:00:03Z" })
        make(2, { created_at = "2026-01-01T00:00:01Z" })
        make(4, { charge_station_id = "cs002" })
        assert(reservations:cancel("cs001", 1))
        assert.same({ 2, 3 }, rows.column("reservation_id", reservations:list_active "cs001"))
      end)

      it("finds the one of a connector, or none", function()
        make(7, { connector_id = 2 })
        assert.equal(7, assert(reservations:get_by_connector("cs001", 2)).reservation_id)
        assert.is_nil((reservations:get_by_connector("cs001", 1)))
        assert(reservations:cancel("cs001", 7))
        assert.is_nil((reservations:get_by_connector("cs001", 2)))
      end)

      it("expires those whose time is over, one of two, then none", function()
        make(1, { expiry_date = "2025-12-31T23:59:59Z" })
        make(2)
        make(3, { charge_station_id = "cs002", expiry_date = "2025-12-31T00:00:00Z" })
        assert(reservations:cancel("cs002", 3))
        assert.equal(1, reservations:expire())
        assert.same({ "Expired", "Accepted" }, { status(1), status(2) })
        assert.equal(0, reservations:expire())
      end)

      it("keeps one active reservation a connector; one whose time is over makes way", function()
        make(1, { connector_id = 1 })
        local _, err = reservations:create(reservation(2, { connector_id = 1 }))
        assert.same({ "conflict", "reservations_active_key" }, { err.code, err.constraint })
        make(3, { connector_id = 1, charge_station_id = "cs002" })
        db:set_clock(clock(1767225600000000 + 3600 * 1000000 + 1)) -- a moment behind the end of the first
        make(2, { connector_id = 1, expiry_date = "2026-01-01T02:00:00Z" })
        assert.same({ "Expired", "Accepted" }, { status(1), status(2) })
        assert(reservations:cancel("cs001", 2))
        make(4, { connector_id = 1, expiry_date = "2026-01-01T02:00:00Z" })
      end)

      it("leaves the caller's transaction alive when the connector is taken", function()
        make(1, { connector_id = 1 })
        assert(db:transaction(function()
          local _, err = reservations:create(reservation(2, { connector_id = 1 }))
          assert.equal("conflict", err.code)
          return reservations:create(reservation(3, { connector_id = 3 }))
        end))
        assert.equal("Accepted", status(3))
      end)
    end)

    describe("meter_values", function()
      local values

      before_each(function() values = csms.meter_values end)

      local function at(minute, value) return mv(("2026-01-01T00:%02d:00Z"):format(minute), value) end

      local function numbers(list, err)
        local all = {}
        for i, row in ipairs(assert(list, err)) do all[i] = row.meter_value.sampled_values[1].value end
        return all
      end

      it("stores and gets, newest first", function()
        assert.equal(2, values:store("cs001", 1, "tx", { at(1, 1), at(2, 2) }))
        assert.equal(1, values:store("cs001", 1, "", { at(3, 3) }))
        assert.equal(1, values:store("cs001", 0, nil, { at(4, 4) }))
        assert.equal(0, values:store("cs001", 1, "tx", {}))
        assert.same({ 3, 2, 1 }, numbers(values:get("cs001", 1)))
        assert.same({ 3, 2, 1 }, numbers(values:get("cs001", 1, 0)))
        assert.same({ 3, 2 }, numbers(values:get("cs001", 1, 2)))
        assert.same({ 4 }, numbers(values:get("cs001", 0)))
        assert.same({}, assert(values:get("cs002", 1)))
        local row = assert(values:get("cs001", 1, 1))[1]
        assert.same({ "cs001", 1, at(3, 3) }, { row.charge_station_id, row.evse_id, row.meter_value })
        assert.is_nil(row.transaction_id)
        assert.equal("tx", assert(values:get("cs001", 1, 2))[2].transaction_id)
      end)

      it("keeps equal times in the order of arrival, numbers exact and times as they were sent", function()
        local time = "2026-01-01T00:00:00.123456789+02:00"
        assert(values:store("cs001", 1, nil, { mv(time, 4294967296.25), mv(time, 0.1) }))
        local list = assert(values:get("cs001", 1))
        assert.same({ 0.1, 4294967296.25 }, numbers(list))
        assert.equal(time, list[1].meter_value.timestamp)
      end)

      it("queries under any filter, and under none", function()
        assert(values:store("cs001", 1, "a", { at(1, 1), at(2, 2) }))
        assert(values:store("cs001", 2, "b", { at(3, 3) }))
        assert(values:store("cs001", 2, nil, { at(4, 4) }))
        assert(values:store("cs002", 1, "a", { at(5, 5) }))
        local function query(filter)
          local list, total = values:query("cs001", filter)
          return numbers(list), assert(total)
        end
        assert.same({ { 4, 3, 2, 1 }, 4 }, { query() })
        assert.same({ { 4, 3 }, 2 }, { query { connector_id = 2 } })
        assert.same({ { 4, 3 }, 2 }, { query { evse_id = 2 } })
        assert.same({ { 2, 1 }, 2 }, { query { transaction_id = "a" } })
        assert.same({ { 3, 2 }, 2 }, { query { from = "2026-01-01T00:02:00Z", to = "2026-01-01T01:03:00+01:00" } })
        assert.same({ { 3 }, 4 }, { query { limit = 1, offset = 1 } })
        assert.same({ {}, 0 }, { query { transaction_id = "none" } })
      end)

      it("gives 100 unless said otherwise", function()
        local list = {}
        for i = 1, 120 do list[i] = mv("2026-01-01T00:00:00Z", i) end
        assert(values:store("cs001", 1, nil, list))
        local page, total = values:query "cs001"
        assert.same({ 100, 120, 120 }, { #page, total, #assert(values:get("cs001", 1)) })
      end)

      it("stores none when one is refused, and refuses pages out of range", function()
        local _, err = values:store("cs001", 1, nil, { at(1, 1), { timestamp = "now", sampled_values = {} } })
        assert.same({ "invalid", "meter_values" }, rows.fault(err))
        assert.equal(0, values:count())
        assert.same({ "invalid", "evse_id" }, rows.fault(select(2, values:store("cs001", -1, nil, { at(1, 1) }))))
        assert.same({ "invalid", "limit" }, rows.fault(select(2, values:query("cs001", { limit = 1001 }))))
        assert.same({ "invalid", "offset" }, rows.fault(select(2, values:query("cs001", { offset = -1 }))))
        assert.same({ "invalid", "limit" }, rows.fault(select(2, values:get("cs001", 1, -1))))
        assert.has_error(function() values:query("cs001", { connector = 1 }) end)
      end)
    end)

    describe("display_messages", function()
      local messages

      before_each(function() messages = csms.display_messages end)

      local function message(id, more)
        return over({ id = id, priority = "NormalCycle", message = { content = "Hello", format = "ASCII" } }, more)
      end

      it("sets and gets; created_at stays", function()
        local given = message(1, {
          state = "Charging", start_time = "2026-01-01T00:00:00.000000Z", end_time = "2026-01-02T00:00:00.000000Z",
          transaction_id = "t", message = { content = "<b>", format = "HTML", language = "en" },
        })
        local created = assert(messages:set("cs001", given)).created_at
        local found = assert(messages:lookup("cs001", 1))
        for name, value in pairs(given) do assert.same(value, found[name]) end
        found = assert(messages:set("cs001", message(1, { priority = "InFront" })))
        assert.same({ "InFront", created }, { found.priority, found.created_at })
        assert.is_nil(found.state)
        assert.is_nil((messages:lookup("cs002", 1)))
      end)

      it("lists all, by state, by priority, by both", function()
        assert(messages:set("cs001", message(2, { state = "Charging", priority = "AlwaysFront" })))
        assert(messages:set("cs001", message(1, { state = "Charging" })))
        assert(messages:set("cs001", message(3)))
        assert(messages:set("cs002", message(4)))
        local function ids(filter) return rows.column("id", messages:list("cs001", filter)) end
        assert.same({ 1, 2, 3 }, ids())
        assert.same({ 1, 2 }, ids { state = "Charging" })
        assert.same({ 2 }, ids { priority = "AlwaysFront" })
        assert.same({ 1 }, ids { state = "Charging", priority = "NormalCycle" })
        assert.same({}, ids { state = "Faulted" })
      end)

      it("deletes one, and all of a station", function()
        for i = 1, 3 do assert(messages:set("cs001", message(i))) end
        assert(messages:set("cs002", message(1)))
        assert.is_true((messages:delete("cs001", 2)))
        assert.is_true((messages:delete("cs001", 2)))
        assert.same({ 1, 3 }, rows.column("id", messages:list "cs001"))
        assert.equal(2, messages:delete_all "cs001")
        assert.equal(0, messages:delete_all "cs001")
        assert.equal(1, messages:count())
        assert.has_error(function() messages:delete_all() end)
      end)

      it("refuses what is no message", function()
        local cases = {
          { { priority = "Loud" }, "priority" }, { { state = "Asleep" }, "state" }, { { id = -1 }, "id" },
          { { message = "Hello" }, "message" }, { { message = { content = "x" } }, "message" },
          { { message = { content = "x", format = "PDF" } }, "message" },
          { { message = { content = "x", format = "URI", colour = "red" } }, "message" },
        }
        for _, case in ipairs(cases) do
          assert.same({ "invalid", case[2] }, rows.fault(select(2, messages:set("cs001", message(1, case[1])))))
        end
      end)
    end)

    describe("monitoring", function()
      local function monitor(more)
        return over({
          component_name = "EVSE", variable_name = "Power", monitor_type = "UpperThreshold", value = 11.5, severity = 3,
        }, more)
      end

      it("sets monitors, gives ids, gets and deletes", function()
        local monitors = csms.variable_monitoring
        local first = assert(monitors:set("cs001", monitor()))
        assert.same({ 1, 11.5, false }, { first.id, first.value, first.transaction })
        assert.equal(2, assert(monitors:set("cs001", monitor { id = 0, component_instance = "1" })).id)
        assert.equal(1, assert(monitors:set("cs002", monitor())).id)
        assert.same(first, assert(monitors:lookup("cs001", 1)))
        assert.is_nil((monitors:lookup("cs001", 9)))
        local again = assert(monitors:set("cs001", monitor { id = 1, value = 5 }))
        assert.same({ 5, first.created_at }, { again.value, again.created_at })
        assert.is_true((monitors:delete("cs001", 1)))
        assert.is_true((monitors:delete("cs001", 1)))
        assert.equal(3, assert(monitors:set("cs001", monitor())).id)
      end)

      it("never overwrites a monitor by an id of its own making", function()
        local monitors = csms.variable_monitoring
        for id = 1, 3 do assert(monitors:set("cs001", monitor { id = id, value = id })) end
        assert(monitors:set("cs002", monitor { id = 10 }))
        assert.equal(4, assert(monitors:set("cs001", monitor { value = 4 })).id)
        assert.equal(11, assert(monitors:set("cs002", monitor())).id)
        assert(monitors:set("cs001", monitor { id = 2, value = 22 }))
        assert.same({ 1, 22, 3, 4 }, rows.column("value", monitors:list "cs001"))
      end)

      it("lists 5 monitors as 3 and 2", function()
        local monitors = csms.variable_monitoring
        for _ = 1, 5 do assert(monitors:set("cs001", monitor())) end
        assert.same({ 1, 2, 3 }, rows.column("id", monitors:list("cs001", 0, 3)))
        assert.same({ 4, 5 }, rows.column("id", monitors:list("cs001", 3, 3)))
        assert.same({}, assert(monitors:list("cs002", 0, 3)))
        assert.same({ "invalid", "limit" }, rows.fault(select(2, monitors:list("cs001", 0, 1001))))
      end)

      it("refuses what is no monitor, and gives no id for it", function()
        local monitors = csms.variable_monitoring
        for name, value in pairs { monitor_type = "Guess", severity = 10, value = "high", id = -1 } do
          local _, err = monitors:set("cs001", monitor { [name] = value })
          assert.same({ "invalid", name }, rows.fault(err))
        end
        assert.equal(1, assert(monitors:set("cs001", monitor())).id)
      end)

      it("adds events and counts them", function()
        local events = csms.station_events
        for i = 1, 3 do
          local event = assert(events:add("cs001", {
            timestamp = ("2026-01-0%dT00:00:00Z"):format(i), event_type = "Alert", tech_code = "c" .. i, cleared = i == 2,
          }))
          assert.is_truthy(event.id and event.created_at)
        end
        assert(events:add("cs002", { timestamp = "2026-01-09T00:00:00Z", event_type = "Alert" }))
        local page, total = events:list("cs001", 0, 1)
        assert.same({ { "c3" }, 3 }, { rows.column("tech_code", page), total })
        assert.same({ "c3", "c2", "c1" }, rows.column("tech_code", events:list "cs001"))
        page, total = events:list "cs003"
        assert.same({ {}, 0 }, { page, total })
        assert.same({ "invalid", "event_type" },
          rows.fault(select(2, events:add("cs001", { timestamp = "2026-01-01T00:00:00Z" }))))
      end)

      it("adds reports and counts them", function()
        local reports = csms.device_reports
        local data = { components = { { name = "EVSE" } }, none = larder.null, list = larder.array {} }
        assert(reports:add("cs001", { request_id = 1, generated_at = "2026-01-01T00:00:00Z", report_data = data }))
        assert(reports:add("cs001", { request_id = 2, generated_at = "2026-01-02T00:00:00Z", report_type = "Full",
          report_data = '{"as":"text"}' }))
        local list, total = reports:list("cs001", 0, 10)
        assert.same({ { 2, 1 }, 2 }, { rows.column("request_id", list), total })
        assert.equal('{"as":"text"}', list[1].report_data)
        assert.equal(core.json_encode(data, true), core.json_encode(list[2].report_data, true))
      end)

      it("gives each number of a counter once", function()
        local counters = csms.counters
        assert.equal(1, counters:next("cs001", "log"))
        assert.equal(2, counters:next("cs001", "log"))
        assert.equal(1, counters:next("cs001", "other"))
        assert.equal(1, counters:next("cs002", "log"))
        assert.equal(7, counters:at_least("cs001", "log", 7))
        assert.equal(7, counters:at_least("cs001", "log", 3))
        assert.equal(8, counters:next("cs001", "log"))
      end)
    end)
  end)
end
