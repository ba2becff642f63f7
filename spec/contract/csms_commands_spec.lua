-- Fork stores: commands that wait to be sent, requests, statuses.

local clock = require("spec.support.auth").clock
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local TIME = "2026-01-01T00:00:00.000000Z"
local SENT = { "Pending", "Accepted", "Rejected" }

-- What each kind of command needs, and all that it may have.
local COMMANDS = {
  data_transfers = {
    required = { vendor_id = "V" }, all = { message_id = "M", data = "d", response_data = "r" },
    statuses = { "Pending", "Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId" },
  },
  clear_caches = { required = {}, all = {}, statuses = SENT },
  change_availabilities = {
    required = { type = "Inoperative" }, all = { connector_id = 0, evse_id = 1 },
    statuses = { "Pending", "Accepted", "Rejected", "Scheduled" },
  },
  certificate_queries = { required = {}, all = { certificate_type = "V2G" }, statuses = SENT },
  certificate_deletions = {
    required = { hash_algorithm = "SHA256", issuer_name_hash = "a", issuer_key_hash = "b", serial_number = "1" },
    all = {}, statuses = { "Pending", "Accepted", "Rejected", "NotFound" },
  },
  remote_start_transaction_requests = {
    required = { id_tag = "T" }, all = { connector_id = 1, charging_profile = '{"a":1}', request_type = "Start" },
    statuses = SENT,
  },
  remote_stop_transaction_requests = {
    required = { transaction_id = "1" }, all = { request_type = "Stop" }, statuses = SENT,
  },
  firmware_update_requests = {
    required = { location = "https://fw" },
    all = { retrieve_date = TIME, retries = 3, retry_interval = 60, signature = "s", signing_certificate = "c" },
    statuses = SENT,
  },
  diagnostics_requests = {
    required = { location = "ftp://x" },
    all = { start_time = TIME, stop_time = TIME, retries = 3, retry_interval = 60 }, statuses = SENT,
  },
  log_requests = {
    required = { log_type = "SecurityLog", request_id = 7, remote_location = "ftp://x" },
    all = { oldest_timestamp = TIME, latest_timestamp = TIME, retries = 3, retry_interval = 60 }, statuses = SENT,
  },
  reset_requests = { required = { type = "Soft" }, all = {}, statuses = SENT, at_once = true },
  unlock_connector_requests = {
    required = { connector_id = 1 }, all = {}, statuses = { "Pending", "Unlocked", "NotLocked", "Failed" },
    at_once = true,
  },
}

local STATUSES = {
  firmware_update_statuses = {
    all = { location = "https://fw", retrieve_date = TIME, retry_count = 2 },
    words = {
      "Downloading", "Downloaded", "DownloadFailed", "InstallationFailed", "Installing", "Installed", "Idle",
      "DownloadScheduled", "DownloadPaused", "InstallRebooting", "InstallScheduled", "InstallVerificationFailed",
      "InvalidSignature", "SignatureVerified",
    },
  },
  diagnostics_statuses = {
    all = { location = "ftp://x" }, words = { "Idle", "Uploaded", "UploadFailed", "Uploading" },
  },
  publish_firmware_statuses = {
    all = { location = "https://fw", checksum = "c", request_id = 3 },
    words = {
      "Idle", "Accepted", "Rejected", "DownloadScheduled", "Downloading", "Downloaded", "Published", "DownloadFailed",
      "DownloadPaused", "InvalidChecksum", "ChecksumVerified", "PublishFailed", "Failed",
    },
  },
  log_statuses = {
    all = { request_id = 3 },
    words = {
      "Idle", "Uploading", "Uploaded", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied",
    },
  },
}

local function over(...)
  local row = {}
  for _, part in ipairs { ... } do
    for name, value in pairs(part) do row[name] = value end
  end
  return row
end

local function assert_has(expected, row)
  for name, value in pairs(expected) do assert.same(value, row[name]) end
end

for _, engine in ipairs(engines) do
  describe("fork stores of csms on " .. engine.name, function()
    local db, csms

    before_each(function()
      db = engine.fresh "csms"
      csms = db:stores "csms"
    end)

    teardown(engine.done)

    for name, kind in pairs(COMMANDS) do
      describe(name, function()
        it("sets, gets and deletes", function()
          local store = csms[name]
          local full = over(kind.required, kind.all, { status = kind.statuses[2] })
          if not kind.at_once then full.send_after = TIME end
          assert_has(full, assert(store:set("cs001", full)))
          assert_has(full, assert(store:lookup "cs001"))
          local created = assert(store:lookup "cs001").created_at
          local bare = assert(store:set("cs001", kind.required))
          assert_has(over(kind.required, { status = "Pending", created_at = created }), bare)
          for field in pairs(kind.all) do
            if field ~= "request_type" then assert.is_nil(bare[field]) end
          end
          assert.is_nil(bare.send_after)
          assert.equal(1, store:count())
          assert.is_true((store:delete "cs001"))
          local found, err = store:lookup "cs001"
          assert.same({}, { found, err })
          assert.is_true((store:delete "cs001"))
        end)

        it("knows its statuses and no other", function()
          local store = csms[name]
          for _, status in ipairs(kind.statuses) do
            assert.equal(status, assert(store:set("cs001", over(kind.required, { status = status }))).status)
          end
          local _, err = store:set("cs001", over(kind.required, { status = "Lost" }))
          assert.same({ "invalid", "status" }, rows.fault(err))
          for field in pairs(kind.required) do
            local row = over(kind.required)
            row[field] = nil
            _, err = store:set("cs001", row)
            assert.same({ "invalid", field }, rows.fault(err))
          end
        end)

        if not kind.at_once then
          it("lists in pages by station, whatever was deleted between", function()
            local store = csms[name]
            for i = 5, 1, -1 do assert(store:set(rows.station(i), kind.required)) end
            assert.same({ "cs001", "cs002" }, rows.column("charge_station_id", store:list(2)))
            assert(store:delete "cs002")
            assert.same({ "cs003", "cs004" }, rows.column("charge_station_id", store:list(2, "cs002")))
            assert.same({ "cs005" }, rows.column("charge_station_id", store:list(2, "cs004")))
            assert.same({}, assert(store:list(2, "cs005")))
            assert.same({ "invalid", "page_size" }, rows.fault(select(2, store:list(0))))
          end)
        end
      end)
    end

    it("keeps the answer to a data transfer", function()
      assert(csms.data_transfers:set("cs001", { vendor_id = "V", data = "question" }))
      assert(csms.data_transfers:set("cs001", {
        vendor_id = "V", data = "question", status = "Accepted", response_data = "answer",
      }))
      assert.equal("answer", assert(csms.data_transfers:lookup "cs001").response_data)
    end)

    for name, kind in pairs(STATUSES) do
      it("sets and gets " .. name .. ", every status of them", function()
        local store = csms[name]
        assert.is_nil((store:lookup "cs001"))
        assert.equal("not_found", select(2, store:get "cs001").code)
        db:set_clock(clock())
        for _, status in ipairs(kind.words) do
          local full = over(kind.all, { status = status })
          assert(store:set("cs001", full))
          assert_has(over(full, { updated_at = TIME }), assert(store:lookup "cs001"))
        end
        db:set_clock(nil)
        assert(store:set("cs001", { status = "Idle" }))
        assert.is_nil(assert(store:lookup "cs001").retrieve_date)
        local _, err = store:set("cs001", { status = "Dreaming" })
        assert.same({ "invalid", "status" }, rows.fault(err))
      end)
    end

    describe("connector_statuses", function()
      it("sets, gets and lists by connector", function()
        local store = csms.connector_statuses
        local full = {
          status = "Faulted", error_code = "GroundFailure", info = "i", timestamp = TIME, vendor_error_code = "e",
          vendor_id = "v", current_transaction_id = "t",
        }
        assert(store:set("cs001", 2, full))
        assert(store:set("cs001", 1, { connector_id = 9, status = "Available" }))
        assert(store:set("cs002", 1, { status = "Charging" }))
        assert_has(full, assert(store:lookup("cs001", 2)))
        assert.equal("NoError", assert(store:lookup("cs001", 1)).error_code)
        assert.is_nil((store:lookup("cs001", 3)))
        assert.is_nil((store:lookup("cs001", 9)))
        assert.same({ 1, 2 }, rows.column("connector_id", store:list "cs001"))
        assert.same({ 2 }, rows.column("connector_id", store:list("cs001", { status = "Faulted" })))
        assert.same({}, assert(store:list "cs003"))
        for _, case in ipairs { { status = "Dancing" }, { status = "Charging", error_code = "Tired" } } do
          assert.equal("invalid", select(2, store:set("cs001", 1, case)).code)
        end
        assert.same({ "invalid", "connector_id" }, rows.fault(select(2, store:set("cs001", -1, full))))
        assert.has_error(function() store:set("cs001", full) end)
        assert.has_error(function() store:lookup "cs001" end)
      end)
    end)

    describe("station_statuses", function()
      it("sets and gets; a heartbeat makes the row and connects the station", function()
        local store = csms.station_statuses
        assert.is_nil((store:lookup "cs001"))
        local status = assert(store:heartbeat("cs001", "2026-01-01T00:00:00Z"))
        assert.same({ true, TIME }, { status.connected, status.last_heartbeat })
        local full = {
          connected = false, last_heartbeat = TIME, firmware_version = "1", model = "m", vendor = "v",
          serial_number = "s",
        }
        assert(store:set("cs001", full))
        assert_has(full, assert(store:lookup "cs001"))
        status = assert(store:heartbeat("cs001", "2026-01-01T00:10:00Z"))
        assert_has(over(full, { connected = true, last_heartbeat = "2026-01-01T00:10:00.000000Z" }), status)
        status = assert(store:heartbeat("cs001", "2026-01-01T00:05:00Z"))
        assert.equal("2026-01-01T00:10:00.000000Z", status.last_heartbeat)
        db:set_clock(clock(1767312000000000))
        assert.equal("2026-01-02T00:00:00.000000Z", assert(store:heartbeat "cs001").last_heartbeat)
        db:set_clock(nil)
      end)
    end)
  end)
end
