--- Monitors of variables, events and reports of stations, and the counters that number what stations are sent.

local core = require "larder.core"
local expr = require "larder.base.expr"
local read = require "larder.store.read".methods
local write = require "larder.store.write".methods
local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

-- ---- counters ----

local counters = {}

local NEXT = { value = expr.increment(1) }
local RAISED = { value = expr.greatest(expr.excluded) }

local function count(self, method, s, name, value, set)
  local rows, err = self:run({
    op = "insert", row = { charge_station_id = s, name = name, value = value }, on_conflict = "update", set = set,
    returning = { "value" },
  }, method)
  if not rows then return nil, err end
  return rows[1].value
end

--- The next number of a station's counter: 1, 2, … Each number is given out once, however many ask.
---@param s string
---@param name string
---@return integer|nil n
---@return larder.Error? err
function counters:next(s, name)
  records.need(self, "next", self._entity.key, 2, s, name)
  return count(self, "next", s, name, 1, NEXT)
end

--- Numbers up to n are taken: next goes on behind.
---@param s string
---@param name string
---@param n integer
---@return integer|nil n  where the counter stands
---@return larder.Error? err
function counters:at_least(s, name, n)
  records.need(self, "at_least", { "charge_station_id", "name", "number" }, 3, s, name, n)
  return count(self, "at_least", s, name, n, RAISED)
end

-- ---- monitors ----

local monitors = { lookup = records.lookup }

local COUNTER = "variable_monitoring"

--- Store a monitor whole. Without an id, or with id 0, it gets the station's next one. The counter is written first,
-- with a given id too, so an id is never given out that is there already.
---@param s string
---@param monitor larder.csms.Monitor
---@return larder.csms.Monitor|nil monitor  as stored, with its id
---@return larder.Error? err
function monitors:set(s, monitor)
  local row = records.for_station(self, "set", s, monitor)
  s = row.charge_station_id
  records.need(self, "set", self._entity.key, 1, s)
  local is_new = row.id == nil or row.id == 0 or row.id == core.null
  return records.atomic(self, function()
    local numbers, n, err = self.stores.counters
    if is_new then n, err = numbers:next(s, COUNTER) else n, err = numbers:at_least(s, COUNTER, row.id) end
    if not n then return nil, err end
    if not is_new then return records.put(self, row) end
    row.id = n
    return write.create(self, row)
  end)
end

--- A page of a station's monitors by id; 20 unless said.
---@param s string
---@param offset? integer
---@param limit? integer
---@return larder.csms.Monitor[]|nil
---@return larder.Error? err
monitors.list = records.either(read.list, function(self, s, offset, limit)
  records.need(self, "list", self._entity.key, 1, s)
  return records.page(self, "list", { charge_station_id = s }, { "id" }, offset, limit)
end)

-- ---- histories ----

--- `add(s, record)`: a row with an id of its own.
local function add(self, s, record)
  local row = records.for_station(self, "add", s, record)
  return write.create(self, row)
end

local ID = { name = "id", type = "int8", default = { "identity" } }

local counter_store = {
  name = "counters",
  table = "csms.counters",
  fields = { fields.STATION, fields.text("name", 100), { name = "value", type = "int8", default = 0 } },
  key = { name = "counters_pkey", "charge_station_id", "name" },
  tenant = "charge_station_id",
  methods = counters,
}

local monitor_store = {
  name = "variable_monitoring",
  table = "csms.variable_monitoring",
  fields = {
    fields.STATION,
    fields.id "id",
    fields.text("component_name", 255),
    fields.maybe_text("component_instance", 255),
    fields.text("variable_name", 255),
    fields.maybe_text("variable_instance", 255),
    fields.word("monitor_type", {
      "UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned",
    }),
    { name = "value", type = "float8" },
    { name = "severity", type = "int4", min = 0, max = 9 },
    fields.flag("transaction", false),
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "variable_monitoring_pkey", "charge_station_id", "id" },
  tenant = "charge_station_id",
  methods = monitors,
}

local event_store = {
  name = "station_events",
  table = "csms.charge_station_event",
  fields = {
    fields.STATION,
    ID,
    fields.time "timestamp",
    fields.text("event_type", 100),
    fields.maybe_text("tech_code", 255),
    fields.maybe_text "tech_info",
    fields.maybe_text "event_data",
    fields.maybe_text("component_id", 255),
    fields.maybe_text("variable_id", 255),
    fields.flag("cleared", false),
    fields.CREATED,
  },
  key = { name = "charge_station_event_pkey", "charge_station_id", "id" },
  indexes = { { "charge_station_id", "-timestamp", "-id" } },
  tenant = "charge_station_id",
  methods = { add = add, list = records.history_of_station { "-timestamp", "-id" } },
}

local report_store = {
  name = "device_reports",
  table = "csms.device_report",
  fields = {
    fields.STATION,
    ID,
    fields.int "request_id",
    fields.time "generated_at",
    fields.maybe_text("report_type", 100),
    fields.json("report_data", { null = true }),
    fields.CREATED,
  },
  key = { name = "device_report_pkey", "charge_station_id", "id" },
  indexes = { { "charge_station_id", "-generated_at", "-id" } },
  tenant = "charge_station_id",
  methods = { add = add, list = records.history_of_station { "-generated_at", "-id" } },
}

return { counter_store, monitor_store, event_store, report_store }
