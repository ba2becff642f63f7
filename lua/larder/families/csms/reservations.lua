--- Reservations of connectors: one that is Accepted a connector, which a partial unique holds.

local core = require "larder.core"
local errors = require "larder.base.errors"
local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"
local write = require "larder.store.write".methods

local reservations = {}

local STATUSES = { "Accepted", "Faulted", "Occupied", "Rejected", "Unavailable", "Cancelled", "Expired" }
local IS_STATUS = {}
for _, status in ipairs(STATUSES) do IS_STATUS[status] = true end
local OLDEST_FIRST = { "created_at", "reservation_id" }

local function is_given(value)
  return value ~= nil and value ~= core.null
end

--- Accepted reservations whose time is over become Expired.
local function expire(self, method, where)
  where.status, where.expiry_date = "Accepted", { lt = self.db:now() }
  return self:run({ op = "update", where = where, set = { status = "Expired" } }, method)
end

--- Make a reservation. While another one of the connector is Accepted and not over, it is a `conflict` on
-- reservations_active_key; one whose time is over makes way.
---@param s string
---@param reservation larder.csms.Reservation
---@return larder.csms.Reservation|nil reservation  as stored
---@return larder.Error? err  `conflict`: the connector is taken, or the id is
function reservations:create(s, reservation)
  local row = records.for_station(self, "create", s, reservation)
  local connector = { charge_station_id = row.charge_station_id, connector_id = row.connector_id }
  if not is_given(connector.charge_station_id) or not is_given(connector.connector_id) then
    return write.create(self, row) -- which says what is missing
  end
  return records.atomic(self, function()
    local n, err = expire(self, "create", connector)
    if not n then return nil, err end
    return write.create(self, row)
  end)
end

reservations.lookup = records.lookup

--- One statement from Accepted, or from the status that is wanted; any other is final.
local function change(self, method, s, id, status)
  records.need(self, method, self._entity.key, 2, s, id)
  local rows, err = self:run({
    op = "update", where = { charge_station_id = s, reservation_id = id, status = { "Accepted", status } },
    set = { status = status }, returning = true,
  }, method)
  if not rows then return nil, err end
  if rows[1] then return rows[1] end
  local found
  found, err = self:get(s, id)
  if not found then return nil, err end
  return errors.invalid({ status = ("cannot become %s: it is %s"):format(status, found.status) }, nil,
    { store = self.name, op = method })
end

--- Change the status. What is not Accepted has ended and stays as it is.
---@param s string
---@param id integer
---@param status string
---@return larder.csms.Reservation|nil reservation
---@return larder.Error? err  `not_found`; `invalid`: has ended in another way
function reservations:update_status(s, id, status)
  if not IS_STATUS[status] then
    return errors.invalid({ status = "must be one of " .. table.concat(STATUSES, ", ") }, nil, { store = self.name })
  end
  return change(self, "update_status", s, id, status)
end

--- Cancel; once more is no error.
---@param s string
---@param id integer
---@return larder.csms.Reservation|nil reservation
---@return larder.Error? err  `not_found`; `invalid`: has ended in another way
function reservations:cancel(s, id)
  return change(self, "cancel", s, id, "Cancelled")
end

--- The station's Accepted reservations, oldest first.
---@param s string
---@return larder.csms.Reservation[]|nil
---@return larder.Error? err
function reservations:list_active(s)
  records.need(self, "list_active", self._entity.key, 1, s)
  return self:_all("list_active", { charge_station_id = s, status = "Accepted" }, OLDEST_FIRST)
end

--- The Accepted reservation of a connector, or nil.
---@param s string
---@param connector_id integer
---@return larder.csms.Reservation|nil
---@return larder.Error? err
function reservations:get_by_connector(s, connector_id)
  records.need(self, "get_by_connector", { "charge_station_id", "connector_id" }, 2, s, connector_id)
  local rows, err = self:run({
    op = "select", where = { charge_station_id = s, connector_id = connector_id, status = "Accepted" }, limit = 1,
  }, "get_by_connector")
  if not rows then return nil, err end
  return rows[1]
end

--- Accepted reservations of all stations whose time is over become Expired.
---@return integer|nil n
---@return larder.Error? err
function reservations:expire()
  return expire(self, "expire", {})
end

local store = {
  name = "reservations",
  table = "csms.reservations",
  fields = {
    fields.STATION,
    fields.int "reservation_id",
    fields.id "connector_id",
    fields.text("id_tag", 36),
    fields.maybe_text("parent_id_tag", 36),
    fields.time "expiry_date",
    fields.status("status", STATUSES),
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "reservations_pkey", "charge_station_id", "reservation_id" },
  uniques = {
    { name = "reservations_active_key", "charge_station_id", "connector_id", where = { status = "Accepted" } },
  },
  indexes = { { "charge_station_id", "created_at", "reservation_id" } },
  tenant = "charge_station_id",
  methods = reservations,
}

return { store }
