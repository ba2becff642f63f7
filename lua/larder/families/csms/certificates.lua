--- Certificates by the hash of their DER.

local fields = require "larder.families.csms.fields"
local pem = require "larder.families.csms.pem"
local records = require "larder.families.csms.records"

local certificates = {}

--- Store a certificate under its hash.
---@param text string  PEM
---@return string|nil hash  base64url of SHA-256 of the DER, without padding
---@return larder.Error? err  `invalid` when it is no certificate
function certificates:set(text)
  local hash, err = pem.hash(text)
  if not hash then
    err.store, err.op = self.name, "set"
    return nil, err
  end
  local row
  row, err = records.put(self, { certificate_hash = hash, certificate_data = text })
  if not row then return nil, err end
  return hash
end

--- The PEM text under a hash, or nil.
---@param hash string
---@return string|nil pem
---@return larder.Error? err
function certificates:lookup(hash)
  local row, err = records.lookup(self, hash)
  if not row then return nil, err end
  return row.certificate_data
end

local store = {
  name = "certificates",
  table = "csms.certificates",
  fields = { fields.text("certificate_hash", 64), fields.text "certificate_data", fields.CREATED, fields.UPDATED },
  key = { name = "certificates_pkey", "certificate_hash" },
  methods = certificates,
}

return { store }
