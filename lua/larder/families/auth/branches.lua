--- What branches can do beyond the generic methods.

local branches = {}

local support = require "larder.store.support"

local PARTS = { "street", "city", "state", "country" }

local function is_given(part)
  return type(part) == "string" and part ~= ""
end

--- Street, city, state and country with commas, then the postal code; what is missing is skipped.
---@param row { address: table? }
---@return string
function branches.full_address(self, row)
  support.check_row(self, "full_address", row)
  local address = type(row.address) == "table" and row.address or {}
  local parts = {}
  for _, name in ipairs(PARTS) do
    if is_given(address[name]) then parts[#parts + 1] = address[name] end
  end
  local text = table.concat(parts, ", ")
  if not is_given(address.postal_code) then return text end
  return text == "" and address.postal_code or text .. " " .. address.postal_code
end

return branches
