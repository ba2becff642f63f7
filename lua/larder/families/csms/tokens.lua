--- Tokens that drivers identify themselves with.

local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

local tokens = {
  name = "tokens",
  table = "csms.tokens",
  fields = {
    fields.text("uid", 36),
    fields.text("country_code", 2, { min_len = 2 }),
    fields.text("party_id", 3),
    fields.word("type", { "AD_HOC_USER", "APP_USER", "OTHER", "RFID" }),
    fields.text("contract_id", 255),
    fields.maybe_text("visual_number", 64),
    fields.text("issuer", 255),
    fields.maybe_text("group_id", 36),
    fields.flag("valid", true),
    fields.maybe_text("language_code", 2),
    fields.word("cache_mode", { "ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER" }),
    { name = "last_updated", type = "timestamptz", default = { "now" } },
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "tokens_pkey", "uid" },
  indexes = { { "contract_id", "uid" } },
  filters = { contract_id = "contract_id", valid = "valid" },
  methods = { set = records.setter(1), lookup = records.lookup, list = records.list_by_position },
}

return { tokens }
