--- Places with their EVSEs and connectors, as OCPI describes them.

local core = require "larder.core"
local errors = require "larder.base.errors"
local fields = require "larder.families.csms.fields"
local lists = require "larder.families.csms.lists"
local records = require "larder.families.csms.records"

--- Lists stay lists when they are empty: "no EVSEs" is an empty list, "EVSEs are not known" none at all.
local function prepare(row, store)
  if row.evses == nil or row.evses == core.null then return true end
  local evses, why = lists.of_tables(row.evses)
  if not evses then return errors.invalid({ evses = why }, nil, { store = store.name }) end
  for i, evse in ipairs(evses) do
    if evse.connectors ~= nil and evse.connectors ~= core.null then
      evse.connectors, why = lists.of_tables(evse.connectors)
      if why then
        return errors.invalid({ [("evses[%d].connectors"):format(i)] = why }, nil, { store = store.name })
      end
    end
  end
  row.evses = evses
  return true
end

local locations = {
  name = "locations",
  table = "csms.locations",
  fields = {
    fields.text("id", 48),
    fields.maybe_text("name", 255),
    fields.text("address", 255),
    fields.text("city", 255),
    fields.maybe_text("postal_code", 10),
    fields.text("country", 3, { min_len = 2 }),
    fields.json "coordinates",
    fields.maybe_text("parking_type", 50),
    fields.json("evses", { null = true }),
    { name = "last_updated", type = "timestamptz", default = { "now" } },
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "locations_pkey", "id" },
  methods = { set = records.setter(1, prepare), lookup = records.lookup, list = records.list_by_position },
}

return { locations }
