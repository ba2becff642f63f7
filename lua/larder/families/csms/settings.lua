--- Settings of charge stations: one row a station, a JSON object of settings by name, so that a change of some
-- names is one statement and leaves the others alone.

local compat = require "larder.base.compat"
local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local support = require "larder.store.support"
local write = require "larder.store.write".methods
local records = require "larder.families.csms.records"

local unpack = compat.unpack

local settings = {}

local MERGED = { settings = expr.merge(expr.excluded) }
local STATUSES = { "Pending", "Accepted", "Rejected", "RebootRequired", "NotSupported" }
local IS_STATUS = support.names(unpack(STATUSES))
local MEMBERS = support.names("value", "status", "send_after")
local RECORD = support.names("charge_station_id", "settings", "created_at", "updated_at")

--- Is t a record as lookup returns it, and not its settings alone? A setting holds no tables, so the two
-- cannot be taken for one another.
local function is_record(t)
  if type(t.settings) ~= "table" then return false end
  for name in pairs(t) do
    if not RECORD[name] then return false end
  end
  for _, setting in pairs(t.settings) do
    if type(setting) ~= "table" then return false end
  end
  return true
end

local function given(value)
  return value ~= nil and value ~= core.null
end

--- A setting as it is stored; nil and what is wrong with it.
local function checked(setting)
  if type(setting) ~= "table" then return nil, "must be a table with value, status and send_after" end
  for name in pairs(setting) do
    if not MEMBERS[name] then return nil, ("has no member %s"):format(tostring(name)) end
  end
  if type(setting.value) ~= "string" or not core.utf8_valid(setting.value) then
    return nil, "value must be a text"
  end
  local status = given(setting.status) and setting.status or "Pending"
  if not IS_STATUS[status] then return nil, "status must be one of " .. table.concat(STATUSES, ", ") end
  local copy = { value = setting.value, status = status }
  if given(setting.send_after) then
    local time = core.time_parse(setting.send_after)
    if not time then return nil, "send_after must be a time" end
    copy.send_after = core.time_format(time)
  end
  return copy
end

local function all_checked(store, given_settings)
  local map, faults = {}, {}
  for name, setting in pairs(given_settings) do
    if type(name) ~= "string" or name == "" or not core.utf8_valid(name) then
      faults.settings = "must have names that are texts"
    else
      local why
      map[name], why = checked(setting)
      faults["settings." .. name] = why
    end
  end
  if next(faults) then return errors.invalid(faults, nil, { store = store.name, op = "update" }) end
  return map
end

--- Lay settings over those of the station, by name: a name that is mentioned is replaced whole, any other is
-- kept. One statement, so writers of different names never lose each other's.
---@param s string  charge station
---@param given_settings table<string, larder.csms.Setting>|larder.csms.Settings  by name; or a record, of which
-- the settings are taken
---@return larder.csms.Settings|nil record  all settings of the station
---@return larder.Error? err
settings.update = records.either(write.update, function(self, s, given_settings)
  records.need(self, "update", self._entity.key, 1, s)
  records.need_table(self, "update", "a table of settings", given_settings)
  local map, err = all_checked(self, is_record(given_settings) and given_settings.settings or given_settings)
  if not map then return nil, err end
  local rows
  rows, err = self:run({
    op = "insert", row = { charge_station_id = s, settings = map }, on_conflict = "update", set = MERGED,
    returning = true,
  }, "update")
  if not rows then return nil, err end
  return rows[1]
end)

settings.lookup = records.lookup
settings.list = records.list_by_station

return settings
