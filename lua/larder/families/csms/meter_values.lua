--- Meter values that stations send apart from transactions' events: one row a value, a history without references.

local errors = require "larder.base.errors"
local options = require "larder.base.options"
local support = require "larder.store.support"
local fields = require "larder.families.csms.fields"
local meter = require "larder.families.csms.meter"
local records = require "larder.families.csms.records"

local meter_values = {}

local NEWEST_FIRST = { "-measured_at", "-id" }
local WHERE = { "charge_station_id", "evse_id" }
local FILTER = options.set {
  connector_id = "any", evse_id = "any", transaction_id = "any", from = "any", to = "any", limit = "any",
  offset = "any",
}
local DEFAULT_LIMIT = 100

--- Store meter values: all or none.
---@param s string
---@param evse_id integer  0: the station's own meter; the connector in OCPP 1.6
---@param transaction_id string|nil  nil or "": none
---@param values larder.csms.MeterValue[]
---@return integer|nil n  how many
---@return larder.Error? err
function meter_values:store(s, evse_id, transaction_id, values)
  records.need(self, "store", WHERE, 2, s, evse_id)
  local list, err = meter.checked(self, "store", values)
  if not list then return nil, err end
  if transaction_id == "" then transaction_id = nil end
  if transaction_id ~= nil and type(transaction_id) ~= "string" then
    return errors.invalid({ transaction_id = "must be a text" }, nil, { store = self._entity.full, op = "store" })
  end
  local rows = {}
  for i, value in ipairs(list) do
    rows[i] = {
      charge_station_id = s, evse_id = evse_id, transaction_id = transaction_id, measured_at = meter.time(value),
      meter_value = value,
    }
  end
  if #rows == 0 then return 0 end
  return self:run({ op = "insert", rows = rows }, "store")
end

--- Values of one EVSE, newest first.
---@param s string
---@param evse_id integer
---@param limit? integer  0 or nothing: all
---@return larder.csms.StoredMeterValue[]|nil
---@return larder.Error? err
function meter_values:get(s, evse_id, limit)
  records.need(self, "get", WHERE, 2, s, evse_id)
  local where = { charge_station_id = s, evse_id = evse_id }
  if limit == nil or limit == 0 then return self:_all("get", where, NEWEST_FIRST) end
  local n, err = records.limit(self, "limit", limit, nil, 1)
  if not n then return nil, err end
  return self:run({ op = "select", where = where, order = NEWEST_FIRST, limit = n }, "get")
end

--- A page of a station's values, newest first, and how many there are in all pages. What is not named is no filter.
---@param s string
---@param filter? { evse_id?: integer, connector_id?: integer, transaction_id?: string, from?: string|number, to?: string|number, limit?: integer, offset?: integer }
-- connector_id: the same as evse_id. from and to: bounds of the time, both inclusive. limit: 100 by default.
---@return larder.csms.StoredMeterValue[]|nil rows
---@return integer|larder.Error total
function meter_values:query(s, filter)
  records.need(self, "query", WHERE, 1, s)
  filter = support.options(self, "query", filter, FILTER)
  local evse_id = filter.evse_id
  if evse_id == nil then evse_id = filter.connector_id end
  local where = {
    charge_station_id = s, evse_id = evse_id, transaction_id = filter.transaction_id,
    measured_at = records.between(filter.from, filter.to),
  }
  return records.page_and_total(self, "query", where, NEWEST_FIRST, filter.offset, filter.limit or DEFAULT_LIMIT)
end

local store = {
  name = "meter_values",
  table = "csms.meter_values",
  fields = {
    fields.STATION,
    { name = "id", type = "int8", default = { "identity" } },
    fields.id "evse_id",
    fields.maybe_text("transaction_id", 36),
    fields.time "measured_at",
    fields.json "meter_value",
  },
  key = { name = "meter_values_pkey", "charge_station_id", "id" },
  indexes = {
    { "charge_station_id", "-measured_at", "-id" }, { "charge_station_id", "evse_id", "-measured_at", "-id" },
  },
  tenant = "charge_station_id",
  order = NEWEST_FIRST,
  methods = meter_values,
}

return { store }
