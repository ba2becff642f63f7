--- OCPI: registrations by token, and the parties behind them by role, country and id.

local fields = require "larder.families.csms.fields"
local records = require "larder.families.csms.records"

local ocpi = {}

--- Store a registration whole.
---@param token string
---@param registration { status: "registered"|"pending" }
---@return table|nil registration  as stored
---@return larder.Error? err
ocpi.set_registration = records.setter(1)

--- The registration with this token, or nil.
ocpi.get_registration = records.lookup

--- Delete a registration; one that is not there is no error.
---@param token string
---@return true|nil
---@return integer|larder.Error n
function ocpi:delete_registration(token)
  return self:delete(token)
end

--- Store a party whole, by its role, country_code and party_id.
---@param party larder.csms.OcpiParty
---@return larder.csms.OcpiParty|nil party  as stored
---@return larder.Error? err
function ocpi:set_party(party)
  records.need_table(self, "set_party", "a party", party)
  return records.put(self.stores.ocpi_parties, party)
end

--- The party with this key, or nil.
---@param role string
---@param country_code string
---@param party_id string
---@return larder.csms.OcpiParty|nil party
---@return larder.Error? err
function ocpi:get_party(role, country_code, party_id)
  return records.lookup(self.stores.ocpi_parties, role, country_code, party_id)
end

--- All parties with a role, in the order of country and id.
---@param role string
---@return larder.csms.OcpiParty[]|nil parties
---@return larder.Error? err
function ocpi:list_parties(role)
  records.need(self, "list_parties", { "role" }, 1, role)
  return self.stores.ocpi_parties:_all("list_parties", { role = role }, { "country_code", "party_id" })
end

local registrations = {
  name = "ocpi",
  table = "csms.ocpi_registrations",
  fields = {
    fields.text("token", 255),
    fields.word("status", { "registered", "pending" }),
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "ocpi_registrations_pkey", "token" },
  methods = ocpi,
}

local parties = {
  name = "ocpi_parties",
  table = "csms.ocpi_parties",
  fields = {
    fields.text("role", 50),
    fields.text("country_code", 2, { min_len = 2 }),
    fields.text("party_id", 3),
    fields.text("url", 1024),
    fields.text("token", 255),
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "ocpi_parties_pkey", "role", "country_code", "party_id" },
  scope = { "role" },
  order = { "country_code", "party_id" },
}

return { registrations, parties }
