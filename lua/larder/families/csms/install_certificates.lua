--- Certificates to be installed on charge stations: one row a certificate, in the order in which they were
-- first named.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local read = require "larder.store.read".methods
local write = require "larder.store.write".methods
local records = require "larder.families.csms.records"

local install_certificates = {}

local ORDER = { "charge_station_id", "position" }
local COLUMNS = {
  "charge_station_id", "certificate_id", "certificate_type", "certificate_data",
  "certificate_installation_status", "send_after",
}
-- position stays: a certificate keeps its place.
local MERGED = {
  certificate_type = expr.excluded, certificate_data = expr.excluded,
  certificate_installation_status = expr.excluded, send_after = expr.excluded,
}

local function by_id(a, b)
  return tostring(a.certificate_id) < tostring(b.certificate_id)
end

--- A row for each certificate. One that is named twice counts once, as it was named last: a statement cannot
-- change a row twice. New ones stand behind all that were named before, by the writer's clock. Every writer
-- takes the rows in the order of their ids, so that no two wait for each other.
local function rows_of(store, s, list)
  local rows, at, now = {}, {}, core.now()
  for i, certificate in ipairs(list) do
    if type(certificate) ~= "table" then
      return errors.invalid({ certificates = ("entry %d must be a table"):format(i) }, nil,
        { store = store.name, op = "update" })
    end
    local row = {}
    for name, value in pairs(certificate) do row[name] = value end
    row.charge_station_id = s
    local id = row.certificate_id
    local place = id ~= nil and at[id] or #rows + 1
    row.position = now + place
    rows[place] = row
    if id ~= nil then at[id] = place end
  end
  table.sort(rows, by_id)
  return rows
end

--- Lay certificates over those of the station, by certificate_id: a known one is replaced in its place, new
-- ones are appended in the order given, all others stay. One statement: all of it or nothing.
---@param s string  charge station
---@param list larder.csms.InstallCertificate[]|larder.csms.InstallCertificates  a list; or a record, of which
-- the certificates are taken
---@return true|nil
---@return larder.Error? err
install_certificates.update = records.either(write.update, function(self, s, list)
  records.need(self, "update", self._entity.key, 1, s)
  records.need_table(self, "update", "a list of certificates", list)
  local rows, err = rows_of(self, s, list.certificates or list)
  if not rows then return nil, err end
  if #rows == 0 then return true end
  local n
  n, err = records.retried(self, function()
    return self:run({ op = "insert", rows = rows, on_conflict = "update", set = MERGED }, "update")
  end)
  if not n then return nil, err end
  return true
end)

--- Rows in their order → one record a station.
local function by_station(rows)
  local list, last = {}, nil
  for _, row in ipairs(rows) do
    local s = row.charge_station_id
    if not last or last.charge_station_id ~= s then
      last = { charge_station_id = s, certificates = {} }
      list[#list + 1] = last
    end
    row.charge_station_id = nil
    last.certificates[#last.certificates + 1] = row
  end
  return list
end

local function certificates_of(self, method, where)
  local rows, err = self:run({ op = "select", where = where, order = ORDER, columns = COLUMNS }, method)
  if not rows then return nil, err end
  return by_station(rows)
end

--- All certificates of a station in their order; nil when it has none.
---@param s string
---@return larder.csms.InstallCertificates|nil record
---@return larder.Error? err
function install_certificates:lookup(s)
  records.need(self, "lookup", self._entity.key, 1, s)
  local list, err = certificates_of(self, "lookup", { charge_station_id = s })
  if not list then return nil, err end
  return list[1]
end

--- Ids of the next stations that have certificates.
local function next_stations(self, limit, previous)
  local groups, err = self:run({
    op = "aggregate", where = records.behind(previous), groups = { "charge_station_id" }, aggs = { { "count" } },
    limit = limit,
  }, "list")
  if not groups then return nil, err end
  local ids = {}
  for i, group in ipairs(groups) do ids[i] = group.charge_station_id end
  return ids
end

--- Records of the stations behind `previous`, in the order of their ids, each with all its certificates.
---@param page_size integer
---@param previous? string  the last station of the page before
---@return larder.csms.InstallCertificates[]|nil records
---@return larder.Error? err
install_certificates.list = records.either(read.list, function(self, page_size, previous)
  local limit, err = records.page_size(self, page_size)
  if not limit then return nil, err end
  while true do
    local ids
    ids, err = next_stations(self, limit, previous)
    if not ids then return nil, err end
    if #ids == 0 then return ids end
    local list
    list, err = certificates_of(self, "list", { charge_station_id = ids })
    if not list then return nil, err end
    -- an empty page means the end: when all of these were deleted between the two reads, the next ones count
    if #list > 0 then return list end
    previous = ids[#ids]
  end
end)

return install_certificates
