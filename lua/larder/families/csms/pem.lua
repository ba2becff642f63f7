--- X.509 certificates as PEM, read by OpenSSL through luaossl (Debian: lua-luaossl, rock: luaossl).

local core = require "larder.core"
local errors = require "larder.base.errors"

local pem = {}

local X509, DIGEST = "openssl.x509", "openssl.digest"

local function invalid(what)
  return errors.invalid({ pem = what })
end

--- The label and the body of the first block.
local function first_block(text)
  local label, from = text:match "%-%-%-%-%-BEGIN ([^\r\n%-]+)%-%-%-%-%-()"
  if not label then return nil end
  local to = text:find("-----END " .. label .. "-----", from, true)
  if not to then return nil end
  return label, text:sub(from, to - 1)
end

--- Base64 without the breaks between lines, which may be of any length.
local function packed(body)
  return (body:gsub("%s", ""))
end

local LINE = ("."):rep(64) -- OpenSSL reads no line that is much longer

local function as_block(base64)
  return ("-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"):format((base64:gsub(LINE, "%0\n")))
end

--- The key of a certificate: SHA-256 of its DER in base64url without padding. It does not depend on how the
-- PEM is broken into lines, and who holds the DER alone can make it as well.
---@param text string  PEM; the first block counts
---@return string|nil hash
---@return larder.Error? err  `invalid` when it is no certificate, `unsupported` without luaossl
function pem.hash(text)
  if type(text) ~= "string" then return invalid "must be a text" end
  local label, body = first_block(text)
  if not label then return invalid "has no PEM block" end
  if label ~= "CERTIFICATE" then return invalid("is a block of type " .. label .. ", not CERTIFICATE") end
  local found, x509 = pcall(require, X509)
  if not found then
    return nil, errors.new { code = "unsupported", message = "certificates need the Lua module " .. X509,
      hint = "Debian: apt-get install lua-luaossl; LuaRocks: luarocks install luaossl" }
  end
  local base64 = packed(body)
  local ok, certificate = pcall(x509.new, as_block(base64), "PEM")
  if not ok then return invalid "holds no certificate that can be parsed" end
  -- OpenSSL does not look behind the certificate: what it read must be the whole body
  local _, whole = first_block(certificate:tostring "PEM")
  if packed(whole) ~= base64 then return invalid "holds more in its block than one certificate in DER" end
  local digest = require(DIGEST).new "sha256"
  return core.base64url(digest:final(certificate:tostring "DER"))
end

return pem
