--- What stations said last: of themselves, their connectors, firmware, diagnostics and logs. updated_at is made by the
-- database's clock.

local expr = require "larder.base.expr"
local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

--- A store of one status a station.
local function status(name, table_name, words, own)
  local all = { fields.STATION, fields.word("status", words) }
  for _, field in ipairs(own) do all[#all + 1] = field end
  all[#all + 1] = fields.UPDATED
  return {
    name = name,
    table = "csms." .. table_name,
    fields = all,
    key = { name = table_name .. "_pkey", "charge_station_id" },
    tenant = "charge_station_id",
    methods = { set = records.setter(1), lookup = records.lookup },
  }
end

local LOCATION = { name = "location", type = "text", default = "", max_len = 1024 }

local connector_statuses = {
  name = "connector_statuses",
  table = "csms.connector_status",
  fields = {
    fields.STATION,
    fields.id "connector_id",
    fields.word("status", {
      "Available", "Charging", "Faulted", "Finishing", "Preparing", "Reserved", "SuspendedEV", "SuspendedEVSE",
      "Unavailable", "Occupied",
    }),
    fields.status("error_code", {
      "NoError", "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
      "LocalListConflict", "OtherError", "OverCurrentFailure", "OverVoltage", "PowerMeterFailure",
      "PowerSwitchFailure", "ReaderFailure", "ResetFailure", "UnderVoltage", "WeakSignal",
    }),
    fields.maybe_text("info", 255),
    fields.maybe_time "timestamp",
    fields.maybe_text("vendor_error_code", 255),
    fields.maybe_text("vendor_id", 255),
    fields.maybe_text("current_transaction_id", 36),
    fields.UPDATED,
  },
  key = { name = "connector_status_pkey", "charge_station_id", "connector_id" },
  tenant = "charge_station_id",
  methods = {
    set = records.setter(2),
    lookup = records.lookup,
    list = records.list_of_station({ "status", "error_code" }, { "connector_id" }),
  },
}

local stations = { set = records.setter(1), lookup = records.lookup }

-- A heartbeat that comes late does not turn the clock back.
local BEATEN = { connected = expr.excluded, last_heartbeat = expr.greatest(expr.excluded) }

--- The station gave a sign of life: it is connected.
---@param s string
---@param time? string|number  now by default
---@return table|nil status  as stored
---@return larder.Error? err
function stations:heartbeat(s, time)
  records.need(self, "heartbeat", self._entity.key, 1, s)
  local rows, err = self:run({
    op = "insert", row = { charge_station_id = s, connected = true, last_heartbeat = time or self.db:now() },
    on_conflict = "update", set = BEATEN, returning = true,
  }, "heartbeat")
  if not rows then return nil, err end
  return rows[1]
end

local station_statuses = {
  name = "station_statuses",
  table = "csms.charge_station_status",
  fields = {
    fields.STATION,
    fields.flag("connected", false),
    fields.maybe_time "last_heartbeat",
    fields.maybe_text("firmware_version", 255),
    fields.maybe_text("model", 255),
    fields.maybe_text("vendor", 255),
    fields.maybe_text("serial_number", 255),
    fields.UPDATED,
  },
  key = { name = "charge_station_status_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = stations,
}

return {
  status("firmware_update_statuses", "firmware_update_status", {
    "Downloading", "Downloaded", "DownloadFailed", "InstallationFailed", "Installing", "Installed", "Idle",
    "DownloadScheduled", "DownloadPaused", "InstallRebooting", "InstallScheduled", "InstallVerificationFailed",
    "InvalidSignature", "SignatureVerified",
  }, { LOCATION, fields.maybe_time "retrieve_date", fields.int("retry_count", { default = 0 }) }),
  status("diagnostics_statuses", "diagnostics_status", { "Idle", "Uploaded", "UploadFailed", "Uploading" },
    { LOCATION }),
  status("publish_firmware_statuses", "publish_firmware_status", {
    "Idle", "Accepted", "Rejected", "DownloadScheduled", "Downloading", "Downloaded", "Published", "DownloadFailed",
    "DownloadPaused", "InvalidChecksum", "ChecksumVerified", "PublishFailed", "Failed",
  }, {
    LOCATION, { name = "checksum", type = "text", default = "", max_len = 255 },
    fields.int("request_id", { default = 0 }),
  }),
  status("log_statuses", "log_status", {
    "Idle", "Uploading", "Uploaded", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied",
  }, { fields.int("request_id", { default = 0 }) }),
  connector_statuses,
  station_statuses,
}
