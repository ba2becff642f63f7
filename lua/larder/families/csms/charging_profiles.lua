--- Charging profiles, and the schedule that they come to.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local fields = require "larder.families.csms.fields"
local lists = require "larder.families.csms.lists"
local records = require "larder.families.csms.records"

local charging_profiles = {}

local FILTERS = { "connector_id", "purpose", "stack_level" }
local CLEAR = records.filter { "charging_profile_id", "connector_id", "purpose", "stack_level" }
local UNITS = { W = true, A = true }

-- Whose limit counts: the station's, then the default, then that of one transaction; then the higher stack level. What
-- is left equal is decided by the nearer connector and the lower id.
local BEST_FIRST = {
  { rank = {
    { purpose = "ChargePointMaxProfile" }, { purpose = "TxDefaultProfile" }, { purpose = "TxProfile" },
  } },
  "-stack_level", "-connector_id", "charging_profile_id",
}

local function is_whole(n)
  return type(n) == "number" and n % 1 == 0
end

local function period_of(given)
  if type(given) ~= "table" then return nil, "must be a table" end
  if not is_whole(given.start_period) or given.start_period < 0 then
    return nil, "start_period must be a number of seconds"
  end
  if type(given.limit) ~= "number" then return nil, "limit must be a number" end
  return { start_period = given.start_period, limit = given.limit, number_phases = given.number_phases }
end

--- A copy of the schedule with its periods as a list.
local function prepare(row, store)
  local given = row.schedule
  local function invalid(what) return errors.invalid({ schedule = what }, nil, { store = store.name, op = "set" }) end
  if type(given) ~= "table" then return invalid "must be a table" end
  if not UNITS[given.rate_unit] then return invalid "rate_unit must be W or A" end
  if given.duration ~= nil and given.duration ~= core.null and not is_whole(given.duration) then
    return invalid "duration must be a number of seconds"
  end
  local periods, why = lists.map(given.periods, period_of)
  if not periods then return invalid("periods: " .. why) end
  local copy = {}
  for name, value in pairs(given) do copy[name] = value end
  copy.periods = periods
  row.schedule = copy
  return true
end

--- Store a profile whole, by station and charging_profile_id.
---@param s string
---@param profile larder.csms.ChargingProfile
---@return larder.csms.ChargingProfile|nil profile  as stored
---@return larder.Error? err
charging_profiles.set = records.setter(1, prepare)

charging_profiles.lookup = records.lookup

--- All profiles of a station, by stack level and id.
charging_profiles.list = records.list_of_station(FILTERS, { "stack_level", "charging_profile_id" })

--- Remove the profiles of a station that fit all that the filter names; without one, all of them.
---@param s string
---@param filter? { charging_profile_id?: integer, connector_id?: integer, purpose?: string, stack_level?: integer }
---@return integer|nil removed
---@return larder.Error? err
function charging_profiles:clear(s, filter)
  return self:run({ op = "delete", where = records.of_station(self, "clear", s, filter, CLEAR) }, "clear")
end

--- The best profile that holds now for the connector, or for the whole station.
local function best(self, s, connector_id, unit, now)
  local where = {
    charge_station_id = s, connector_id = { connector_id, 0 },
    expr.any { { valid_from = core.null }, { valid_from = { lte = now } } },
    expr.any { { valid_to = core.null }, { valid_to = { gt = now } } },
  }
  if unit then where.schedule = { contains = { rate_unit = unit } } end
  local rows, err = self:run({ op = "select", where = where, order = BEST_FIRST, limit = 1 }, "composite_schedule")
  if not rows then return nil, err end
  return rows[1]
end

--- The schedule that counts for a connector from now on, for a number of seconds: that of the best profile that is
-- valid now. nil when there is none.
---@param s string
---@param connector_id integer
---@param duration integer  seconds
---@param unit? "W"|"A"  of profiles with this unit alone
---@return larder.csms.ChargingSchedule|nil schedule
---@return larder.Error? err
function charging_profiles:composite_schedule(s, connector_id, duration, unit)
  records.need(self, "composite_schedule", { "charge_station_id", "connector_id", "duration" }, 3, s, connector_id,
    duration)
  if not is_whole(duration) or duration < 0 then
    return errors.invalid({ duration = "must be a number of seconds" }, nil, { store = self.name })
  end
  if unit ~= nil and not UNITS[unit] then
    return errors.invalid({ unit = "must be W or A" }, nil, { store = self.name })
  end
  local now = self.db:now()
  local profile, err = best(self, s, connector_id, unit, now)
  if not profile then return nil, err end
  local schedule = profile.schedule
  local periods = setmetatable({}, core.array_mt)
  for _, period in ipairs(schedule.periods) do
    if period.start_period < duration then periods[#periods + 1] = period end
  end
  return {
    duration = duration, start_schedule = now, rate_unit = schedule.rate_unit, periods = periods,
    min_charging_rate = schedule.min_charging_rate,
  }
end

local store = {
  name = "charging_profiles",
  table = "csms.charging_profiles",
  fields = {
    fields.STATION,
    fields.int "charging_profile_id",
    fields.id("connector_id", { default = 0 }),
    fields.maybe_int "transaction_id",
    fields.id("stack_level", { default = 0 }),
    fields.word("purpose", { "TxProfile", "TxDefaultProfile", "ChargePointMaxProfile" }),
    fields.word("kind", { "Absolute", "Relative", "Recurring" }),
    fields.maybe_word("recurrency", { "Daily", "Weekly" }),
    fields.maybe_time "valid_from",
    fields.maybe_time "valid_to",
    fields.json "schedule",
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "charging_profiles_pkey", "charge_station_id", "charging_profile_id" },
  tenant = "charge_station_id",
  methods = charging_profiles,
}

return { store }
