-- Writers at once: coroutines of one event loop, which on PostgreSQL are as many connections of a pool.

local larder = require "larder"
local engines = require "spec.support.engines"
local loops = require "spec.support.loops"
local must = require "spec.support.must"
local rows = require "spec.support.csms"

local loop = loops.cqueues or loops.manual
local WRITERS = 16
local TIME = "2026-01-01T00:00:00Z"

local function opened(engine, max)
  local target = engine.name == "memory" and "memory:" or os.getenv "LARDER_TEST_URL"
  local opts = { pool = { max = max or WRITERS, min = 0 } }
  for name, value in pairs(loop.options) do opts[name] = value end
  return must(larder.open(target, opts))
end

for _, engine in ipairs(engines) do
  describe("writers of csms at once on " .. engine.name, function()
    local db, csms

    before_each(function()
      engine.fresh "csms"
      db = opened(engine)
      csms = db:stores "csms"
    end)

    after_each(function() db:close() end)

    teardown(engine.done)

    --- n copies of fn(i) side by side.
    local function at_once(n, fn)
      local fns = {}
      for i = 1, n do fns[i] = function() fn(i) end end
      loop.run(db, (table.unpack or unpack)(fns)) -- luacheck: ignore 113 143
    end

    --- Reads wait in the loop, too.
    local function inside(fn)
      local result
      loop.run(db, function() result = must(fn()) end)
      return result
    end

    it("MV-S6 keeps the names of all who merge settings at once", function()
      at_once(WRITERS, function(i)
        for round = 1, 5 do
          must(csms.settings:update("cs001", {
            ["name" .. i] = { value = tostring(round), status = "Pending" },
            shared = { value = tostring(i), status = "Accepted" },
          }))
        end
      end)
      local settings = inside(function() return csms.settings:lookup "cs001" end).settings
      for i = 1, WRITERS do assert.equal("5", settings["name" .. i].value) end
      assert.equal("Accepted", settings.shared.status)
    end)

    it("MV-X16 keeps every value of concurrent updates, and counts them exactly", function()
      loop.run(db, function()
        must(csms.transactions:create("cs001", "five", "T", "RFID", { rows.meter_value(TIME, 0) }, 0))
      end)
      at_once(5, function(i) must(csms.transactions:update("cs001", "five", { rows.meter_value(TIME, i) })) end)
      local tx = inside(function() return csms.transactions:find("cs001", "five") end)
      assert.equal(6, #tx.meter_values)
      assert.equal(5, tx.updated_seq_no_count)
    end)

    it("loses no event of a transaction that 16 writers begin, go on with and end", function()
      at_once(WRITERS, function(i)
        for round = 1, 5 do
          must(csms.transactions:update("cs001", "t", { rows.meter_value(TIME, i * 100 + round) }))
        end
        if i == 1 then must(csms.transactions:create("cs001", "t", "T", "RFID", { rows.meter_value(TIME, 1) }, 7)) end
        if i == 2 then must(csms.transactions:finish("cs001", "t", "X", "RFID", { rows.meter_value(TIME, 2) }, 9)) end
        if i == 3 then must(csms.transactions:update_cost("cs001", "t", "1.5")) end
      end)
      local tx = inside(function() return csms.transactions:find("cs001", "t") end)
      assert.same({ WRITERS * 5, 7, 9, "T", "1.5000" },
        { tx.updated_seq_no_count, tx.start_seq_no, tx.ended_seq_no, tx.id_token, tx.last_cost })
      local seen = {}
      for _, value in ipairs(tx.meter_values) do seen[value.sampled_values[1].value] = true end
      assert.equal(WRITERS * 5 + 2, #tx.meter_values)
      for i = 1, WRITERS do
        for round = 1, 5 do assert.is_true(seen[i * 100 + round]) end
      end
    end)

    it("MV-K11 inserts 10 tokens at once", function()
      at_once(10, function(i) must(csms.tokens:set(rows.token("T" .. i))) end)
      assert.equal(10, inside(function() return csms.tokens:count() end))
    end)

    it("MV-K12 sets one new token 10 times at once", function()
      at_once(10, function(i) must(csms.tokens:set(rows.token("T", { issuer = "I" .. i }))) end)
      assert.equal(1, inside(function() return csms.tokens:count() end))
    end)

    it("merges certificates that writers name in different orders", function()
      at_once(WRITERS, function(i)
        for round = 1, 5 do
          local list = {}
          for k = 1, 10 do
            local id = "c" .. (i % 2 == 0 and k or 11 - k)
            list[k] = rows.certificate(id, { certificate_data = i .. "/" .. round })
          end
          must(csms.install_certificates:update("cs001", list))
        end
      end)
      local list = inside(function() return csms.install_certificates:lookup "cs001" end).certificates
      local ids = rows.column("certificate_id", list)
      table.sort(ids)
      assert.same({ "c1", "c10", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9" }, ids)
      for _, certificate in ipairs(list) do assert.matches("/5$", certificate.certificate_data) end
    end)

    it("gives each number of a counter, and each id of a monitor, once", function()
      local numbers, ids = {}, {}
      at_once(WRITERS, function()
        for _ = 1, 5 do
          local number = must(csms.counters:next("cs001", "log"))
          numbers[#numbers + 1] = number
          local monitor = must(csms.variable_monitoring:set("cs001", {
            component_name = "c", variable_name = "v", monitor_type = "Delta", value = 1, severity = 1,
          }))
          ids[#ids + 1] = monitor.id
        end
      end)
      table.sort(numbers)
      table.sort(ids)
      for i = 1, WRITERS * 5 do assert.same({ i, i }, { numbers[i], ids[i] }) end
    end)

    it("keeps explicit ids of monitors apart from those given out meanwhile", function()
      local function monitor(value, id)
        return {
          id = id, component_name = "c", variable_name = "v", monitor_type = "Delta", value = value, severity = 1,
        }
      end
      at_once(WRITERS, function(i)
        must(csms.variable_monitoring:set("cs001", monitor(i, i % 2 == 0 and i or nil)))
      end)
      for i = 2, WRITERS, 2 do -- an id that was asked for is whose it was; one that is given out is new
        assert.equal(i, inside(function() return csms.variable_monitoring:lookup("cs001", i) end).value)
      end
    end)

    it("lets one of 16 have a connector", function()
      local taken, refused = 0, 0
      at_once(WRITERS, function(i)
        local row, err = csms.reservations:create("cs001", {
          reservation_id = i, connector_id = 1, id_tag = "T" .. i, expiry_date = "2999-01-01T00:00:00Z",
        })
        if row then
          taken = taken + 1
        else
          must(err.constraint == "reservations_active_key", tostring(err))
          refused = refused + 1
        end
      end)
      assert.same({ 1, WRITERS - 1 }, { taken, refused })
      assert.equal(1, #inside(function() return csms.reservations:list_active "cs001" end))
    end)

    it("lets one of 16 have a connector whose reservation is over", function()
      loop.run(db, function()
        must(csms.reservations:create("cs001", {
          reservation_id = 100, connector_id = 1, id_tag = "T", expiry_date = "2020-01-01T00:00:00Z",
        }))
      end)
      local taken = 0
      at_once(WRITERS, function(i)
        local row, err = csms.reservations:create("cs001", {
          reservation_id = i, connector_id = 1, id_tag = "T" .. i, expiry_date = "2999-01-01T00:00:00Z",
        })
        must(row or err.constraint == "reservations_active_key", tostring(err))
        taken = taken + (row and 1 or 0)
      end)
      assert.equal(1, taken)
    end)

    it("keeps a local list whole while 16 replace and change it", function()
      at_once(WRITERS, function(i)
        local full, part = {}, { { id_tag = "only" .. i } }
        for k = 1, 10 do
          local id_tag = "t" .. (i % 2 == 0 and k or 11 - k)
          full[k] = { id_tag = id_tag, info = { status = "Accepted", parent_id_tag = "p" .. i } }
        end
        full[11] = { id_tag = "only" .. i, info = { status = "Accepted" } }
        must(csms.local_lists:update("cs001", i, "Full", full))
        must(csms.local_lists:update("cs001", i, "Differential", part))
      end)
      local list = inside(function() return csms.local_lists:list "cs001" end)
      local parents = {}
      for _, entry in ipairs(list) do
        if entry.info.parent_id_tag then parents[entry.info.parent_id_tag] = true end
      end
      local n = 0
      for _ in pairs(parents) do n = n + 1 end
      assert.equal(1, n) -- all entries are of one full list
    end)

    it("stores the meter values of 16 writers", function()
      at_once(WRITERS, function(i)
        for round = 1, 5 do
          must(csms.meter_values:store("cs001", i % 2, "t" .. i, {
            rows.meter_value(TIME, i * 100 + round), rows.meter_value(TIME, i * 100 + round + 50),
          }))
        end
      end)
      assert.equal(WRITERS * 10, inside(function() return csms.meter_values:count() end))
    end)

    it("MV-G2 runs 50 mixed operations side by side on a small pool", function()
      db:close()
      db = opened(engine, 3)
      csms = db:stores "csms"
      at_once(50, function(i)
        local s = rows.station(i % 5)
        must(csms.auth:set(s, { security_profile = i % 3 }))
        must(csms.settings:update(s, { ["n" .. i] = { value = "1" } }))
        must(csms.runtime_details:set(s, { ocpp_version = "2.0.1" }))
        must(csms.install_certificates:update(s, { rows.certificate("c" .. i) }))
        must(csms.tokens:set(rows.token("T" .. i)))
        must(csms.transactions:create(s, "t" .. i, "T" .. i, "RFID", { rows.meter_value(TIME, i) }, 0))
        must(csms.transactions:finish(s, "t" .. i, nil, nil, nil, 1))
        must(csms.settings:lookup(s))
      end)
      loop.run(db, function()
        assert.equal(50, csms.tokens:count())
        assert.equal(50, csms.transactions:count { ended_seq_no = 1 })
        for i = 0, 4 do
          local n = 0
          for _ in pairs(must(csms.settings:lookup(rows.station(i))).settings) do n = n + 1 end
          assert.equal(10, n)
          assert.equal(10, #must(csms.install_certificates:lookup(rows.station(i))).certificates)
        end
      end)
    end)
  end)
end

if os.getenv "LARDER_TEST_URL" then
  describe("a deadlock of two who merge certificates", function()
    it("is run again by the one that loses it", function()
      engines[2].fresh "csms"
      local db = opened(engines[2])
      local csms, deadlocks = db:stores "csms", 0
      db:on("error", function(event)
        if event.err.code == "deadlock" then deadlocks = deadlocks + 1 end
      end)
      loop.run(db, function()
        must(csms.install_certificates:update("cs001", { rows.certificate "a", rows.certificate "b" }))
      end)
      -- the other one holds b, waits until the merge holds a and waits for b, and then asks for a
      local lock = "select from csms.charge_station_certificates where certificate_id = $1 for update"
      local locked, merged = false, false
      loop.run(db, function()
        must(db:transaction(function(tx)
          must(tx:query("set local deadlock_timeout = '60s'"))
          must(tx:query(lock, "b"))
          locked = true
          repeat
            local waiting = must(tx:query "select count(*) as n from pg_locks where not granted")
          until waiting[1].n > 0
          must(tx:query(lock, "a"))
        end))
      end, function()
        while not locked do must(db:query "select pg_sleep(0.01)") end
        must(csms.install_certificates:update("cs001", {
          rows.certificate("a", { certificate_data = "new" }), rows.certificate("b", { certificate_data = "new" }),
        }))
        merged = true
      end)
      assert.is_true(merged)
      assert.is_true(deadlocks > 0)
      loop.run(db, function()
        local list = must(csms.install_certificates:lookup "cs001").certificates
        assert.same({ "new", "new" }, rows.column("certificate_data", list))
      end)
      db:close()
      engines[2].done()
    end)
  end)
end
