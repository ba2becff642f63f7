--- Messages that stations show.

local core = require "larder.core"
local errors = require "larder.base.errors"
local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

local display_messages = {}

local FORMATS = { ASCII = true, HTML = true, URI = true }
local MEMBERS = { content = true, language = true, format = true }

local function fault(message)
  if type(message) ~= "table" then return "must be a table with content and format" end
  for name in pairs(message) do
    if not MEMBERS[name] then return ("has no member %s"):format(tostring(name)) end
  end
  if type(message.content) ~= "string" then return "content must be a text" end
  if not FORMATS[message.format] then return "format must be ASCII, HTML or URI" end
  local language = message.language
  if language ~= nil and language ~= core.null and type(language) ~= "string" then return "language must be a text" end
  return nil
end

local function prepare(row, store)
  local why = fault(row.message)
  if why then return errors.invalid({ message = why }, nil, { store = store.name, op = "set" }) end
  return true
end

--- Store a message whole, by station and id; created_at stays.
display_messages.set = records.setter(1, prepare)

display_messages.lookup = records.lookup

--- All messages of a station by id, of a state or priority when these are named.
display_messages.list = records.list_of_station({ "state", "priority" }, { "id" })

--- Delete all messages of a station.
---@param s string
---@return integer|nil n
---@return larder.Error? err
function display_messages:delete_all(s)
  records.need(self, "delete_all", self._entity.key, 1, s)
  return self:run({ op = "delete", where = { charge_station_id = s } }, "delete_all")
end

local store = {
  name = "display_messages",
  table = "csms.display_messages",
  fields = {
    fields.STATION,
    fields.id "id",
    fields.word("priority", { "NormalCycle", "InFront", "AlwaysFront" }),
    fields.maybe_word("state", { "Charging", "Faulted", "Idle", "Unavailable" }),
    fields.maybe_time "start_time",
    fields.maybe_time "end_time",
    fields.maybe_text("transaction_id", 36),
    fields.json "message",
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "display_messages_pkey", "charge_station_id", "id" },
  tenant = "charge_station_id",
  methods = display_messages,
}

return { store }
