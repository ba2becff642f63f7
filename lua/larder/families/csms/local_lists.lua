--- Local authorization lists of stations: a version, and entries by tag.

local core = require "larder.core"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local read = require "larder.store.read".methods
local write = require "larder.store.write".methods
local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

local local_lists = {}

local INFO = { "status", "expiry_date", "parent_id_tag" }

--- The version of the station's list; 0 when there is none.
---@param s string
---@return integer|nil version
---@return larder.Error? err
function local_lists:version(s)
  local row, err = records.lookup(self.stores.local_list_versions, s)
  if row then return row.version end
  if err then return nil, err end
  return 0
end

local function invalid(store, name, what)
  return errors.invalid({ [name] = what }, nil, { store = store.name, op = "update" })
end

--- Entries → rows to store, and tags to remove. An entry that is named twice counts as it was named last.
local function sorted_out(store, s, entries, is_full)
  local rows, removed, at = {}, {}, {}
  for i, entry in ipairs(entries) do
    if type(entry) ~= "table" or type(entry.id_tag) ~= "string" then
      return invalid(store, "entries", ("entry %d must be a table with an id_tag"):format(i))
    end
    local info = entry.info
    if info == core.null then info = nil end
    if info == nil and is_full then
      return invalid(store, "entries", ("entry %d of a full list needs info"):format(i))
    end
    at[entry.id_tag] = info or false
  end
  for id_tag, info in pairs(at) do
    if info then
      local row = { charge_station_id = s, id_tag = id_tag }
      for _, name in ipairs(INFO) do row[name] = info[name] end
      rows[#rows + 1] = row
    else
      removed[#removed + 1] = id_tag
    end
  end
  table.sort(rows, function(a, b) return a.id_tag < b.id_tag end)
  return rows, removed
end

--- One transaction. The version's row is written first: who updates the same list waits there.
local function apply(self, s, version, is_full, rows, removed)
  local n, err = self.stores.local_list_versions:set(s, { version = version })
  if not n then return nil, err end
  if is_full or #removed > 0 then
    n, err = self:run({
      op = "delete", where = { charge_station_id = s, id_tag = not is_full and removed or nil },
    }, "update")
    if not n then return nil, err end
  end
  if #rows > 0 then
    n, err = self:run({ op = "insert", rows = rows, on_conflict = "update", set = records.replacement(self._entity) }, "update")
    if not n then return nil, err end
  end
  return true
end

--- Change the station's list. Full: the entries are all there is. Differential: entries with info are added or
-- replaced, entries without are removed. The version is what is given, whatever it was.
---@param s string
---@param version integer
---@param kind "Full"|"Differential"
---@param entries larder.csms.LocalListEntry[]
---@return true|nil
---@return larder.Error? err
local_lists.update = records.either(write.update, function(self, s, version, kind, entries)
  records.need(self, "update", self._entity.key, 1, s)
  records.need_table(self, "update", "a list of entries", entries)
  misuse.check_shape(entries, "list", self.name .. ":update: the list of entries")
  if kind ~= "Full" and kind ~= "Differential" then return invalid(self, "kind", "must be Full or Differential") end
  local rows, removed = sorted_out(self, s, entries, kind == "Full")
  if not rows then return nil, removed end
  return records.atomic(self, function() return apply(self, s, version, kind == "Full", rows, removed) end)
end)

--- All entries of the station's list, by tag.
---@param s string
---@return larder.csms.LocalListEntry[]|nil entries
---@return larder.Error? err
local_lists.list = records.either(read.list, function(self, s)
  records.need(self, "list", self._entity.key, 1, s)
  local rows, err = self:_all("list", { charge_station_id = s }, { "id_tag" })
  if not rows then return nil, err end
  for i, row in ipairs(rows) do
    local info = {}
    for _, name in ipairs(INFO) do info[name] = row[name] end
    rows[i] = { id_tag = row.id_tag, info = info }
  end
  return rows
end)

local entries = {
  name = "local_lists",
  table = "csms.local_auth_list_entries",
  fields = {
    fields.STATION,
    fields.text("id_tag", 36),
    fields.word("status", { "Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx" }),
    fields.maybe_text("expiry_date", 50),
    fields.maybe_text("parent_id_tag", 36),
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "local_auth_list_entries_pkey", "charge_station_id", "id_tag" },
  tenant = "charge_station_id",
  methods = local_lists,
}

local versions = {
  name = "local_list_versions",
  table = "csms.local_auth_list_versions",
  fields = { fields.STATION, fields.id "version", fields.UPDATED },
  key = { name = "local_auth_list_versions_pkey", "charge_station_id" },
  tenant = "charge_station_id",
  methods = { set = records.setter(1), lookup = records.lookup },
}

return { versions, entries }
