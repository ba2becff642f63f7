--- Charge stations: credentials, settings, what they said when they booted, certificates to install, messages
-- to trigger. No table refers to another one: a station needs no row before it has settings.

local fields = require "larder.families.csms.fields"
local install_certificates = require "larder.families.csms.install_certificates"
local records = require "larder.families.csms.records"
local settings = require "larder.families.csms.settings"

local STATION, CREATED, UPDATED, SEND_AFTER = fields.STATION, fields.CREATED, fields.UPDATED, fields.SEND_AFTER

local auth = {
  name = "auth",
  table = "csms.charge_stations",
  fields = {
    STATION,
    { name = "security_profile", type = "int2", default = 0, min = 0, max = 127 },
    { name = "base64_sha256_password", type = "text", default = "", max_len = 255 },
    fields.flag("invalid_username_allowed", false),
    CREATED,
    UPDATED,
  },
  key = { name = "charge_stations_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = { set = records.setter(1), lookup = records.lookup },
}

local settings_store = {
  name = "settings",
  table = "csms.charge_station_settings",
  fields = { STATION, fields.json("settings", { default = {} }), CREATED, UPDATED },
  key = { name = "charge_station_settings_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = settings,
}

local certificates = {
  name = "install_certificates",
  table = "csms.charge_station_certificates",
  fields = {
    STATION,
    fields.text("certificate_id", 255),
    { name = "position", type = "int8", default = 0 },
    fields.word("certificate_type", { "ChargeStation", "EVCC", "V2G", "MO", "MF", "CSMS" }),
    fields.text "certificate_data",
    fields.status("certificate_installation_status", { "Pending", "Accepted", "Rejected" }),
    SEND_AFTER,
    CREATED,
    UPDATED,
  },
  key = { name = "charge_station_certificates_pkey", "charge_station_id", "certificate_id" },
  indexes = { { "charge_station_id", "position" } },
  tenant = "charge_station_id",
  order = { "charge_station_id", "position" },
  methods = install_certificates,
}

local runtime_details = {
  name = "runtime_details",
  table = "csms.charge_station_runtime",
  fields = {
    STATION,
    fields.text("ocpp_version", 10),
    fields.maybe_text("firmware_version", 255),
    fields.maybe_text("model", 255),
    fields.maybe_text("vendor", 255),
    fields.maybe_text("serial_number", 255),
    CREATED,
    UPDATED,
  },
  key = { name = "charge_station_runtime_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = { set = records.setter(1), lookup = records.lookup },
}

local trigger_messages = {
  name = "trigger_messages",
  table = "csms.charge_station_triggers",
  fields = {
    STATION,
    fields.word("trigger_message", {
      "BootNotification", "Heartbeat", "StatusNotification", "FirmwareStatusNotification",
      "DiagnosticStatusNotification", "MeterValues", "SignChargingStationCertificate", "SignV2GCertificate",
      "SignCombinedCertificate", "PublishFirmwareStatusNotification", "NotifyReport", "NotifyMonitoringReport",
      "LogStatusNotification",
    }),
    fields.status("trigger_status", { "Pending", "Accepted", "Rejected", "NotImplemented" }),
    fields.maybe_int "connector_id",
    SEND_AFTER,
    CREATED,
    UPDATED,
  },
  key = { name = "charge_station_triggers_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = { set = records.setter(1), lookup = records.lookup, list = records.list_by_station },
}

return { auth, settings_store, certificates, runtime_details, trigger_messages }
