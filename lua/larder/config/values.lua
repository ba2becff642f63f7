--- Values of settings: from text to what the pool takes.

local values = {}

local UNITS = { ns = 1e-9, us = 1e-6, ["\194\181s"] = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }

--- Seconds: a number, a text of digits, or a Go duration such as "1h30m", "250ms".
---@param v any
---@return number|nil
function values.seconds(v)
  if type(v) == "number" then return v end
  if type(v) ~= "string" then return nil end
  local plain = v:match "^%s*(%d+%.?%d*)%s*$"
  if plain then return tonumber(plain) end
  local total, at = 0, 1
  while at <= #v do
    local number, unit, stop = v:match("^(%d+%.?%d*)([^%d%.]+)()", at)
    if not number or not UNITS[unit] then return nil end
    total = total + tonumber(number) * UNITS[unit]
    at = stop
  end
  return at > 1 and total or nil
end

--- A whole number, from a number or a text of digits.
---@param v any
---@return integer|nil
function values.integer(v)
  local n = v
  if type(v) == "string" then n = v:match "^%s*%d+%s*$" and tonumber(v) end
  if type(n) ~= "number" or n % 1 ~= 0 then return nil end
  return math.floor(n)
end

local TRUE = { ["true"] = true, ["1"] = true, yes = true, on = true, t = true }
local FALSE = { ["false"] = true, ["0"] = true, no = true, off = true, f = true }

--- true, false, or nil when it is neither.
---@param v any
---@return boolean|nil
function values.boolean(v)
  if type(v) == "boolean" then return v end
  local s = tostring(v):lower()
  if TRUE[s] then return true end
  if FALSE[s] then return false end
  return nil
end

--- A TCP port as text.
---@param v any
---@return string|nil
function values.port(v)
  local n = values.integer(v)
  if n and n >= 1 and n <= 65535 then return ("%d"):format(n) end
  return nil
end

local SSL_MODES = {
  disable = true, allow = true, prefer = true, require = true, ["verify-ca"] = true, ["verify-full"] = true,
}

--- libpq's sslmode.
---@param v any
---@return string|nil
function values.sslmode(v)
  return SSL_MODES[v] and v or nil
end

return values
