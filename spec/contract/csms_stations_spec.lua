local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local ZERO_TIME = "0001-01-01T00:00:00Z"

for _, engine in ipairs(engines) do
  describe("charge stations in csms on " .. engine.name, function()
    local csms

    before_each(function() csms = engine.fresh "csms":stores "csms" end)

    teardown(engine.done)

    --- All stations of all pages, one after the other.
    local function through_pages(store, size)
      local sizes, stations, previous = {}, {}, nil
      while true do
        local page = assert(store:list(size, previous))
        if #page == 0 then return sizes, stations, page end
        assert.is_true(page[1].charge_station_id ~= previous, "the page begins where the last one ended")
        sizes[#sizes + 1] = #page
        for _, record in ipairs(page) do stations[#stations + 1] = record.charge_station_id end
        previous = stations[#stations]
      end
    end

    local function all_stations(n)
      local list = {}
      for i = 1, n do list[i] = rows.station(i) end
      return list
    end

    describe("auth", function()
      it("MV-A1 sets and looks up profile, password and flag", function()
        assert(csms.auth:set("cs001", {
          security_profile = 1, base64_sha256_password = "DEADBEEF", invalid_username_allowed = true,
        }))
        local auth = assert(csms.auth:lookup "cs001")
        assert.equal("cs001", auth.charge_station_id)
        assert.equal(1, auth.security_profile)
        assert.equal("DEADBEEF", auth.base64_sha256_password)
        assert.is_true(auth.invalid_username_allowed)
      end)

      it("MV-A2 finds nothing without an error; get is the strict form", function()
        assert.same({ n = 1 }, { n = select("#", csms.auth:lookup "ghost") })
        assert.is_nil((csms.auth:lookup "ghost"))
        local _, err = csms.auth:get "ghost"
        assert.equal("not_found", err.code)
      end)

      it("MV-A3 replaces the whole record", function()
        assert(csms.auth:set("cs001", {
          security_profile = 1, base64_sha256_password = "DEADBEEF", invalid_username_allowed = true,
        }))
        assert(csms.auth:set("cs001", { security_profile = 2 }))
        local auth = assert(csms.auth:lookup "cs001")
        assert.equal(2, auth.security_profile)
        assert.equal("", auth.base64_sha256_password)
        assert.is_false(auth.invalid_username_allowed)
      end)

      it("MV-A4 keeps an empty password as an empty text", function()
        assert(csms.auth:set("cs001", { security_profile = 2, base64_sha256_password = "" }))
        assert.equal("", assert(csms.auth:lookup "cs001").base64_sha256_password)
      end)

      it("refuses a profile out of range, a station without a name and one too long", function()
        for _, profile in ipairs { -1, 128, 300 } do
          local _, err = csms.auth:set("cs001", { security_profile = profile })
          assert.same({ "invalid", "security_profile" }, rows.fault(err))
        end
        for _, station in ipairs { "", ("x"):rep(49) } do
          local _, err = csms.auth:set(station, {})
          assert.same({ "invalid", "charge_station_id" }, rows.fault(err))
        end
        assert.has_error(function() csms.auth:set "cs001" end)
        assert.has_error(function() csms.auth:lookup() end)
      end)

      it("takes the station of the argument before that of the record", function()
        assert(csms.auth:set("cs001", { charge_station_id = "cs002", security_profile = 1 }))
        assert.is_nil((csms.auth:lookup "cs002"))
        assert(csms.auth:set(assert(csms.auth:lookup "cs001")))
      end)
    end)

    describe("settings", function()
      local settings

      before_each(function() settings = csms.settings end)

      it("MV-S1 keeps new settings as they are, send_after included", function()
        local given = {
          foo = { value = "bar", status = "Pending", send_after = "2026-01-02T03:04:05.000006Z" },
          baz = { value = "qux", status = "Accepted" },
        }
        assert(settings:update("cs001", given))
        local record = assert(settings:lookup "cs001")
        assert.equal("cs001", record.charge_station_id)
        assert.same(given, record.settings)
      end)

      it("MV-S2 merges by name and replaces a setting whole", function()
        assert(settings:update("cs001", {
          foo = { value = "bar", status = "Pending", send_after = "2026-01-01T00:00:00Z" },
          baz = { value = "qux", status = "Pending", send_after = "2026-01-01T00:00:00Z" },
        }))
        local merged = assert(settings:update("cs001", { baz = { value = "quux", status = "Accepted" } }))
        local expected = {
          foo = { value = "bar", status = "Pending", send_after = "2026-01-01T00:00:00.000000Z" },
          baz = { value = "quux", status = "Accepted" },
        }
        assert.same(expected, merged.settings)
        assert.same(expected, assert(settings:lookup "cs001").settings)
      end)

      it("MV-S3 lists 25 stations in pages of 10", function()
        for i = 25, 1, -1 do
          assert(settings:update(rows.station(i), { n = { value = tostring(i), status = "Pending" } }))
        end
        local sizes, stations, last = through_pages(settings, 10)
        assert.same({ 10, 10, 5 }, sizes)
        assert.same(all_stations(25), stations)
        assert.same({}, last)
        assert.equal("12", assert(settings:list(2, "cs011"))[1].settings.n.value)
        assert.equal("cs001", assert(settings:list(1, ""))[1].charge_station_id)
      end)

      it("MV-S4 goes on behind a station that was deleted between two pages", function()
        for i = 1, 6 do assert(settings:update(rows.station(i), { n = { value = "1" } })) end
        local page = assert(settings:list(2))
        assert.same({ "cs001", "cs002" }, rows.column("charge_station_id", page))
        assert(settings:delete "cs002")
        assert(settings:delete "cs003")
        assert.same({ "cs004", "cs005" }, rows.column("charge_station_id", settings:list(2, "cs002")))
      end)

      it("MV-S5 deletes, and deletes again without an error", function()
        assert(settings:update("cs001", { foo = { value = "bar" } }))
        assert.is_true((settings:delete "cs001"))
        assert.is_nil((settings:lookup "cs001"))
        assert.is_true((settings:delete "cs001"))
      end)

      it("MV-S7 needs no other record of the station", function()
        assert(settings:update("no-auth", { foo = { value = "bar" } }))
        assert.equal("Pending", assert(settings:lookup "no-auth").settings.foo.status)
      end)

      it("MV-S8 shares nothing with what was passed or returned", function()
        local given = { foo = { value = "bar", status = "Pending" } }
        assert(settings:update("cs001", given))
        assert(settings:update("cs002", given))
        given.foo.value = "changed"
        local record = assert(settings:lookup "cs001")
        record.settings.foo.value = "changed too"
        assert.equal("bar", assert(settings:lookup "cs001").settings.foo.value)
        assert.equal("bar", assert(settings:lookup "cs002").settings.foo.value)
      end)

      it("takes a record as lookup returns it, and one of a setting called settings", function()
        assert(settings:update("cs001", { settings = { value = "odd" } }))
        local record = assert(settings:lookup "cs001")
        assert.equal("odd", record.settings.settings.value)
        assert(settings:update("cs002", record))
        assert.same(record.settings, assert(settings:lookup "cs002").settings)
        assert.is_nil((settings:lookup "cs003"))
        assert.same({}, assert(settings:update("cs003", {})).settings)
      end)

      it("orders stations by bytes, whatever the server's collation is", function()
        for _, s in ipairs { "b", "A", "a", "B", "_", "Z", "é" } do
          assert(settings:update(s, { foo = { value = s } }))
        end
        assert.same({ 3, 3, 1 }, (through_pages(settings, 3)))
        local _, stations = through_pages(settings, 3)
        assert.same({ "A", "B", "Z", "_", "a", "b", "é" }, stations)
      end)

      it("refuses what is no setting and says which", function()
        local cases = {
          { { foo = "bar" }, "settings.foo" },
          { { foo = { value = 10 } }, "settings.foo" },
          { { foo = { status = "Pending" } }, "settings.foo" },
          { { foo = { value = "x", status = "Done" } }, "settings.foo" },
          { { foo = { value = "x", send_after = "soon" } }, "settings.foo" },
          { { foo = { value = "x", sendAfter = "2026-01-01T00:00:00Z" } }, "settings.foo" },
          { { { value = "x" } }, "settings" },
        }
        for _, case in ipairs(cases) do
          local _, err = settings:update("cs001", case[1])
          assert.same({ "invalid", case[2] }, rows.fault(err))
        end
        assert.is_nil((settings:lookup "cs001"))
        assert.has_error(function() settings:update "cs001" end)
        assert.has_error(function() settings:update(nil, {}) end)
      end)

      it("refuses a size of page that is out of range", function()
        for _, size in ipairs { 0, -1, 1.5, 1001, 0 / 0, math.huge } do
          local _, err = settings:list(size)
          assert.same({ "invalid", "page_size" }, rows.fault(err))
        end
        assert.has_error(function() settings:list() end)
      end)

      it("keeps the generic methods: a table first, or by the key", function()
        assert(settings:update("cs001", { foo = { value = "bar" } }))
        local page, info = settings:list { limit = 1, total = true }
        assert.equal("cs001", page[1].charge_station_id)
        assert.equal(1, info.total)
        assert(settings:update { charge_station_id = "cs001", settings = {} })
        assert.same({}, assert(settings:get "cs001").settings)
      end)
    end)

    describe("install_certificates", function()
      local certificates

      before_each(function() certificates = csms.install_certificates end)

      it("MV-C1 keeps a certificate that may be sent at once", function()
        assert(certificates:update("cs001", { {
          certificate_id = "c1", certificate_type = "ChargeStation", certificate_data = "PEM",
          certificate_installation_status = "Pending",
        } }))
        assert.same({
          charge_station_id = "cs001",
          certificates = { {
            certificate_id = "c1", certificate_type = "ChargeStation", certificate_data = "PEM",
            certificate_installation_status = "Pending",
          } },
        }, assert(certificates:lookup "cs001"))
        assert(certificates:update("cs001", { rows.certificate("c1", { send_after = ZERO_TIME }) }))
        local found = assert(certificates:lookup "cs001").certificates[1]
        assert.equal("0001-01-01T00:00:00.000000Z", found.send_after)
        assert.is_nil((certificates:lookup "ghost"))
      end)

      it("MV-C2 replaces data and status of a known one", function()
        assert(certificates:update("cs001", { rows.certificate "c1" }))
        assert(certificates:update("cs001", { rows.certificate("c1", {
          certificate_data = "other", certificate_type = "MO", certificate_installation_status = "Accepted",
        }) }))
        local list = assert(certificates:lookup "cs001").certificates
        assert.equal(1, #list)
        assert.same({ "other", "MO", "Accepted" },
          { list[1].certificate_data, list[1].certificate_type, list[1].certificate_installation_status })
      end)

      it("MV-C3 appends another one and leaves the first alone", function()
        assert(certificates:update("cs001", { rows.certificate "z" }))
        local before = assert(certificates:lookup "cs001").certificates[1]
        assert(certificates:update("cs001", { rows.certificate "a" }))
        local list = assert(certificates:lookup "cs001").certificates
        assert.same({ "z", "a" }, rows.column("certificate_id", list))
        assert.same(before, list[1])
      end)

      it("MV-C4 merges over three", function()
        assert(certificates:update("cs001", {
          rows.certificate "c3", rows.certificate "c1", rows.certificate "c2",
        }))
        assert(certificates:update("cs001", {
          rows.certificate "c5", rows.certificate("c1", { certificate_data = "new" }), rows.certificate "c4",
        }))
        local list = assert(certificates:lookup "cs001").certificates
        assert.same({ "c3", "c1", "c2", "c5", "c4" }, rows.column("certificate_id", list))
        assert.equal("new", list[2].certificate_data)
        assert.equal("data of c3", list[1].certificate_data)
      end)

      it("MV-C5 lists stations in pages, each with all its certificates in order", function()
        for i = 25, 1, -1 do
          local list = {}
          for k = 1, 1 + i % 4 do list[k] = rows.certificate(("%s-%d"):format(rows.station(i), 9 - k)) end
          assert(certificates:update(rows.station(i), list))
        end
        local sizes, stations, last = through_pages(certificates, 10)
        assert.same({ 10, 10, 5 }, sizes)
        assert.same(all_stations(25), stations)
        assert.same({}, last)
        local record = assert(certificates:list(1, "cs006"))[1]
        assert.same({ "cs007-8", "cs007-7", "cs007-6", "cs007-5" },
          rows.column("certificate_id", record.certificates))
        assert.same(record, assert(certificates:lookup "cs007"))
      end)

      it("MV-C6 replaces send_after, and clears it", function()
        assert(certificates:update("cs001", { rows.certificate("c1", { send_after = "2026-01-01T00:00:00Z" }) }))
        assert(certificates:update("cs001", { rows.certificate("c1", { send_after = "2026-01-01T00:02:00Z" }) }))
        local function send_after() return assert(certificates:lookup "cs001").certificates[1].send_after end
        assert.equal("2026-01-01T00:02:00.000000Z", send_after())
        assert(certificates:update("cs001", { rows.certificate "c1" }))
        assert.is_nil(send_after())
      end)

      it("MV-C7 leaves the old list whole when one is refused", function()
        assert(certificates:update("cs001", { rows.certificate "c1" }))
        local before = assert(certificates:lookup "cs001")
        local _, err = certificates:update("cs001", {
          rows.certificate("c1", { certificate_data = "new" }), rows.certificate("c2", { certificate_type = "XYZ" }),
        })
        assert.same({ "invalid", "certificate_type" }, rows.fault(err))
        assert.same(before, assert(certificates:lookup "cs001"))
        _, err = certificates:update("cs001", { rows.certificate "c3", "no table" })
        assert.equal("invalid", err.code)
        _, err = certificates:update("cs001", { { certificate_type = "V2G", certificate_data = "x" } })
        assert.same({ "invalid", "certificate_id" }, rows.fault(err))
        assert.same(before, assert(certificates:lookup "cs001"))
      end)

      it("counts a certificate that is named twice once, as it was named last", function()
        assert(certificates:update("cs001", {
          rows.certificate "c1", rows.certificate "c2", rows.certificate("c1", { certificate_data = "last" }),
        }))
        local list = assert(certificates:lookup "cs001").certificates
        assert.same({ "c1", "c2" }, rows.column("certificate_id", list))
        assert.equal("last", list[1].certificate_data)
        assert.is_true(certificates:update("cs001", {}))
      end)

      it("takes a record as lookup returns it, and refuses pages out of range", function()
        assert(certificates:update("cs001", { rows.certificate "b", rows.certificate "a" }))
        assert(certificates:update("cs002", assert(certificates:lookup "cs001")))
        assert.same({ "b", "a" }, rows.column("certificate_id", assert(certificates:lookup "cs002").certificates))
        for _, size in ipairs { 0, -1, 1001 } do
          local _, err = certificates:list(size)
          assert.same({ "invalid", "page_size" }, rows.fault(err))
        end
      end)
    end)

    describe("runtime_details", function()
      it("MV-R1 sets and looks up", function()
        assert(csms.runtime_details:set("cs001", { ocpp_version = "1.6" }))
        assert.equal("1.6", assert(csms.runtime_details:lookup "cs001").ocpp_version)
      end)

      it("MV-R2 finds nothing without an error", function()
        local found, err = csms.runtime_details:lookup "ghost"
        assert.is_nil(found)
        assert.is_nil(err)
      end)

      it("MV-R3 updates, and null clears", function()
        local details = csms.runtime_details
        assert(details:set("cs001", { ocpp_version = "1.6" }))
        assert(details:set("cs001", {
          ocpp_version = "2.0.1", firmware_version = "1.2.3", model = "M", vendor = "V", serial_number = "S",
        }))
        local found = assert(details:lookup "cs001")
        assert.same({ "2.0.1", "1.2.3", "M", "V", "S" }, {
          found.ocpp_version, found.firmware_version, found.model, found.vendor, found.serial_number,
        })
        assert(details:set("cs001", { ocpp_version = "2.0.1", model = "M", vendor = larder.null }))
        found = assert(details:lookup "cs001")
        assert.equal("M", found.model)
        assert.is_nil(found.vendor)
        assert.is_nil(found.serial_number)
        local _, err = details:set("cs001", { model = "M" })
        assert.same({ "invalid", "ocpp_version" }, rows.fault(err))
      end)
    end)

    describe("trigger_messages", function()
      local triggers

      before_each(function() triggers = csms.trigger_messages end)

      it("MV-T1 sets and looks up", function()
        assert(triggers:set("cs001", {
          trigger_message = "BootNotification", trigger_status = "Pending", send_after = "2026-01-01T01:00:00+01:00",
        }))
        local found = assert(triggers:lookup "cs001")
        assert.same({ "BootNotification", "Pending", "2026-01-01T00:00:00.000000Z" },
          { found.trigger_message, found.trigger_status, found.send_after })
      end)

      it("MV-T2 keeps one a station", function()
        assert(triggers:set("cs001", { trigger_message = "BootNotification", send_after = 1 }))
        assert(triggers:set("cs001", { trigger_message = "Heartbeat", trigger_status = "Accepted" }))
        local found = assert(triggers:lookup "cs001")
        assert.same({ "Heartbeat", "Accepted" }, { found.trigger_message, found.trigger_status })
        assert.is_nil(found.send_after)
        assert.equal(1, triggers:count())
      end)

      it("MV-T3 deletes", function()
        assert(triggers:set("cs001", { trigger_message = "Heartbeat" }))
        assert.is_true((triggers:delete "cs001"))
        assert.is_nil((triggers:lookup "cs001"))
        assert.is_true((triggers:delete "cs001"))
      end)

      it("MV-T4 lists in pages by station", function()
        for i = 25, 1, -1 do assert(triggers:set(rows.station(i), { trigger_message = "Heartbeat" })) end
        local sizes, stations = through_pages(triggers, 10)
        assert.same({ 10, 10, 5 }, sizes)
        assert.same(all_stations(25), stations)
      end)

      it("MV-T5 keeps the connector, null and 1", function()
        assert(triggers:set("cs001", { trigger_message = "MeterValues", connector_id = 1 }))
        assert.equal(1, assert(triggers:lookup "cs001").connector_id)
        assert(triggers:set("cs001", { trigger_message = "MeterValues", connector_id = larder.null }))
        assert.is_nil(assert(triggers:lookup "cs001").connector_id)
      end)

      it("MV-T6 accepts the zero time and none", function()
        assert(triggers:set("cs001", { trigger_message = "Heartbeat", send_after = ZERO_TIME }))
        assert.equal("0001-01-01T00:00:00.000000Z", assert(triggers:lookup "cs001").send_after)
        assert(triggers:set("cs001", { trigger_message = "Heartbeat" }))
        assert.is_nil(assert(triggers:lookup "cs001").send_after)
      end)

      it("refuses messages and statuses that there are not", function()
        local _, err = triggers:set("cs001", { trigger_message = "Sing", trigger_status = "Loud" })
        assert.equal("invalid", err.code)
        assert.is_truthy(err.fields.trigger_message and err.fields.trigger_status)
      end)
    end)
  end)
end
