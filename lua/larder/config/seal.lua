--- Sealing small secrets that must be stored, such as the connection strings of tenants.

local core = require "larder.core"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"

local seal = {}

--- The key: 32 bytes, or 64 hex digits; by default of the variable LARDER_SEAL_KEY.
local function key_bytes(method, key)
  key = key or os.getenv "LARDER_SEAL_KEY"
  if key and #key == 32 then return key end
  if key and #key == 64 and not key:find "%X" then
    return (key:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  return errors.invalid({ key = "must be 32 bytes or 64 hex digits (LARDER_SEAL_KEY)" }, nil, { op = method })
end

local function check(method, text, key)
  if type(text) ~= "string" then misuse.raise("larder.%s: argument 1 must be a text, not %s", method, misuse.kind(text)) end
  if key ~= nil and type(key) ~= "string" then misuse.raise("larder.%s: the key must be a text, not %s", method, misuse.kind(key)) end
end

--- Encrypt and authenticate.
---@param text string
---@param key? string
---@return string|nil sealed  "sealed:v1:…"
---@return larder.Error? err
function seal.seal(text, key)
  check("seal", text, key)
  local bytes, err = key_bytes("seal", key)
  if not bytes then return nil, err end
  return core.seal(bytes, text)
end

--- Undo seal. A text that was never sealed comes back as it is, so that a column may hold both.
---@param text string
---@param key? string
---@return string|nil plain
---@return larder.Error? err  `unauthorized`: another key, or the text was changed
function seal.unseal(text, key)
  check("unseal", text, key)
  if text:sub(1, 7) ~= "sealed:" then return text end
  local bytes, err = key_bytes("unseal", key)
  if not bytes then return nil, err end
  return core.unseal(bytes, text)
end

return seal
