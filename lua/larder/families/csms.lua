--- Family `csms`: charge stations, tokens, transactions, certificates, OCPI parties, locations; commands for
-- stations and what they answered. docs/csms.md lists the stores and their methods.
--
-- A contract's method takes its arguments in their order. Where a generic method has the same name, a table as
-- the first argument means the generic one. lookup of what is not there is nil without an error; get is not_found.

local PARTS = {
  "stations", "tokens", "transactions", "certificates", "ocpi", "locations", "commands", "statuses",
  "charging_profiles", "local_lists", "reservations", "meter_values", "display_messages", "monitoring",
}

local entities = {}
for _, part in ipairs(PARTS) do
  for _, entity in ipairs(require("larder.families.csms." .. part)) do entities[#entities + 1] = entity end
end

return { name = "csms", entities = entities }
