--- Commands that wait to be sent: at most one of a kind a station. A loop of the program's reads them in pages, sends
-- what is Pending and due, and writes the answer back.

local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

local SENT = { "Pending", "Accepted", "Rejected" }

--- A store of commands: its own fields, then status, send_after and stamps.
local function command(name, table_name, own, statuses)
  local all = { fields.STATION }
  for _, field in ipairs(own) do all[#all + 1] = field end
  all[#all + 1] = fields.status("status", statuses)
  all[#all + 1] = fields.SEND_AFTER
  all[#all + 1] = fields.CREATED
  all[#all + 1] = fields.UPDATED
  return {
    name = name,
    table = "csms." .. table_name,
    fields = all,
    key = { name = table_name .. "_pkey", "charge_station_id" },
    tenant = "charge_station_id",
    methods = { set = records.setter(1), lookup = records.lookup, list = records.list_by_station },
  }
end

--- A store of requests that are sent at once: no send_after, no pages by station.
local function request(name, table_name, own, statuses)
  return {
    name = name,
    table = "csms." .. table_name,
    fields = { fields.STATION, own, fields.status("status", statuses), fields.CREATED, fields.UPDATED },
    key = { name = table_name .. "_pkey", "charge_station_id" },
    tenant = "charge_station_id",
    methods = { set = records.setter(1), lookup = records.lookup },
  }
end

local RETRIES = fields.maybe_int "retries"
local RETRY_INTERVAL = fields.maybe_int "retry_interval"

return {
  command("data_transfers", "charge_station_data_transfer", {
    fields.text("vendor_id", 255), fields.maybe_text("message_id", 255), fields.maybe_text "data",
    fields.maybe_text "response_data",
  }, { "Pending", "Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId" }),
  command("clear_caches", "charge_station_clear_cache", {}, SENT),
  command("change_availabilities", "charge_station_change_availability", {
    fields.maybe_int "connector_id", fields.maybe_int "evse_id", fields.word("type", { "Operative", "Inoperative" }),
  }, { "Pending", "Accepted", "Rejected", "Scheduled" }),
  command("certificate_queries", "charge_station_certificate_queries", {
    fields.maybe_text("certificate_type", 50),
  }, SENT),
  command("certificate_deletions", "charge_station_certificate_deletions", {
    fields.text("hash_algorithm", 50), fields.text("issuer_name_hash", 255), fields.text("issuer_key_hash", 255),
    fields.text("serial_number", 255),
  }, { "Pending", "Accepted", "Rejected", "NotFound" }),
  command("remote_start_transaction_requests", "remote_start_transaction_requests", {
    fields.text("id_tag", 36), fields.maybe_int "connector_id", fields.maybe_text "charging_profile",
    fields.status("request_type", { "Start" }),
  }, SENT),
  command("remote_stop_transaction_requests", "remote_stop_transaction_requests", {
    fields.text("transaction_id", 36), fields.status("request_type", { "Stop" }),
  }, SENT),
  command("firmware_update_requests", "firmware_update_request", {
    fields.text("location", 1024), fields.maybe_time "retrieve_date", RETRIES, RETRY_INTERVAL,
    fields.maybe_text "signature", fields.maybe_text "signing_certificate",
  }, SENT),
  command("diagnostics_requests", "diagnostics_request", {
    fields.text("location", 1024), fields.maybe_time "start_time", fields.maybe_time "stop_time", RETRIES,
    RETRY_INTERVAL,
  }, SENT),
  command("log_requests", "log_request", {
    fields.word("log_type", { "DiagnosticsLog", "SecurityLog" }), fields.int "request_id",
    fields.text("remote_location", 1024), fields.maybe_time "oldest_timestamp", fields.maybe_time "latest_timestamp",
    RETRIES, RETRY_INTERVAL,
  }, SENT),
  request("reset_requests", "reset_request", fields.word("type", { "Soft", "Hard" }), SENT),
  request("unlock_connector_requests", "unlock_connector_request", fields.id "connector_id",
    { "Pending", "Unlocked", "NotLocked", "Failed" }),
}
