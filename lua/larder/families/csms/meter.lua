--- Meter values as charge stations send them: checked, copied, stored as they are. Times stay the texts they
-- are, with their offset and every digit of a second, and numbers are exact.

local core = require "larder.core"
local errors = require "larder.base.errors"
local support = require "larder.store.support"
local lists = require "larder.families.csms.lists"

local meter = {}

local VALUE = support.names("timestamp", "sampled_values")
local SAMPLE = support.names("value", "context", "location", "measurand", "phase", "unit_of_measure")
local UNIT = support.names("unit", "multipler") -- spelled so in all data there is
local TEXTS = { "context", "location", "measurand", "phase" }

--- A copy of t without nulls; nil and a fault when it is no table or has members that are not known.
local function copied(t, known, what)
  if type(t) ~= "table" then return nil, what .. " must be a table" end
  local copy = {}
  for name, value in pairs(t) do
    if not known[name] then return nil, ("%s has no member %s"):format(what, tostring(name)) end
    if value ~= core.null then copy[name] = value end
  end
  return copy
end

local function is_number(v)
  if type(v) == "cdata" then return true end -- an int64; the core refuses any other
  return type(v) == "number" and v == v and v > -math.huge and v < math.huge
end

local function unit_of(sample)
  local unit, why = copied(sample.unit_of_measure, UNIT, "unit_of_measure")
  if not unit then return nil, why end
  if unit.unit ~= nil and type(unit.unit) ~= "string" then return nil, "unit must be a text" end
  if unit.multipler ~= nil and not (is_number(unit.multipler) and unit.multipler % 1 == 0) then
    return nil, "multipler must be a whole number"
  end
  return unit
end

local function sample_of(given)
  local sample, why = copied(given, SAMPLE, "sampled value")
  if not sample then return nil, why end
  if not is_number(sample.value) then return nil, "value must be a number" end
  for _, name in ipairs(TEXTS) do
    if sample[name] ~= nil and type(sample[name]) ~= "string" then return nil, name .. " must be a text" end
  end
  if sample.unit_of_measure ~= nil then
    sample.unit_of_measure, why = unit_of(sample)
    if why then return nil, why end
  end
  return sample
end

local function value_of(given)
  local value, why = copied(given, VALUE, "meter value")
  if not value then return nil, why end
  if type(value.timestamp) ~= "string" or not core.time_parse(value.timestamp) then
    return nil, "timestamp must be a time as in RFC 3339"
  end
  value.sampled_values, why = lists.map(value.sampled_values, sample_of)
  if why then return nil, "sampled_values: " .. why end
  return value
end

--- A copy of a list of meter values, ready to be stored. nil: none.
---@param store larder.Store
---@param method string
---@param values larder.csms.MeterValue[]|nil
---@return larder.csms.MeterValue[]|nil values
---@return larder.Error? err  `invalid`, which says where
function meter.checked(store, method, values)
  if values == nil or values == core.null then values = {} end
  local list, why = lists.map(values, value_of)
  if not list then
    return errors.invalid({ meter_values = why }, nil, { store = store.name, op = method })
  end
  return list
end

--- The time of one meter value; nil when there is none.
function meter.time(value)
  return value and value.timestamp
end

return meter
