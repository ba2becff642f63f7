--- Exact decimals: `larder.decimal "0.1" + "0.2"`. Numeric columns are texts, and larder.decimal computes with them;
-- numbers in JSON that no double holds are read as decimals, and written back as they were.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

---@class larder.Decimal
---@field text string  as PostgreSQL prints it
---@operator add(larder.Decimal|string|number): larder.Decimal
---@operator sub(larder.Decimal|string|number): larder.Decimal
---@operator mul(larder.Decimal|string|number): larder.Decimal
---@operator div(larder.Decimal|string|number): larder.Decimal
---@operator unm: larder.Decimal
local Decimal = {}

local mt = core.decimal_mt

local function is_decimal(v)
  return type(v) == "table" and getmetatable(v) == mt
end

-- What misuse.raise names is the line of whoever computes.
local function fault(err, method)
  return misuse.raise("%s: %s", method or "larder.decimal", err.message)
end

-- The normal form of an operand. method: "decimal:cmp", for messages.
local function text_of(v, method)
  if is_decimal(v) then return v.text end
  if type(v) ~= "string" and type(v) ~= "number" and type(v) ~= "cdata" then
    misuse.raise("%s: a number or its text is needed, not %s", method or "larder.decimal", misuse.kind(v))
  end
  local text, err = core.decimal_normal(v)
  if not text then fault(err, method) end
  return text
end

local function made(text, err)
  if not text then fault(err) end
  return setmetatable({ text = text }, mt)
end

local function scale_of(scale, method)
  if type(scale) ~= "number" or scale % 1 ~= 0 or scale < 0 or scale > 4096 then
    misuse.raise("%s: a scale is a whole number from 0 to 4096", method)
  end
  return scale
end

local function operator(compute)
  return function(a, b) return made(compute(text_of(a), text_of(b))) end
end

mt.__index = Decimal
mt.__add, mt.__sub = operator(core.decimal_add), operator(core.decimal_sub)
mt.__mul, mt.__div = operator(core.decimal_mul), operator(core.decimal_div)

function mt.__unm(a) return made(core.decimal_sub("0", a.text)) end

function mt.__tostring(a) return a.text end

function mt.__concat(a, b)
  return (is_decimal(a) and a.text or tostring(a)) .. (is_decimal(b) and b.text or tostring(b))
end

-- Lua asks for any two tables.
function mt.__eq(a, b)
  return is_decimal(a) and is_decimal(b) and core.decimal_cmp(a.text, b.text) == 0
end

function mt.__lt(a, b) return core.decimal_cmp(text_of(a), text_of(b)) < 0 end

function mt.__le(a, b) return core.decimal_cmp(text_of(a), text_of(b)) <= 0 end

--- -1, 0 or 1. On LuaJIT `<` takes two decimals only; cmp takes numbers and texts, too.
---@param other larder.Decimal|string|number
---@return integer
function Decimal:cmp(other)
  return core.decimal_cmp(self.text, text_of(other, "decimal:cmp"))
end

--- The quotient, rounded half away from zero to `scale` fraction digits. `a / b` has as many as PostgreSQL gives.
---@param other larder.Decimal|string|number
---@param scale integer  0 to 4096
---@return larder.Decimal
function Decimal:div(other, scale)
  return made(core.decimal_div(self.text, text_of(other, "decimal:div"), scale_of(scale, "decimal:div")))
end

--- Rounded half away from zero to `scale` fraction digits.
---@param scale integer  0 to 4096
---@return larder.Decimal
function Decimal:round(scale)
  return made(core.decimal_round(self.text, scale_of(scale, "decimal:round")))
end

--- The nearest Lua number.
---@return number
function Decimal:tonumber()
  return core.decimal_tonumber(self.text)
end

misuse.guard(Decimal, { "cmp", "div", "round", "tonumber" }, "text", "a decimal")
misuse.spelled(Decimal, "a decimal")

--- A decimal from a text ("12.50"), a Lua number, a 64-bit integer or a decimal. What is no number raises.
---@param v larder.Decimal|string|number
---@return larder.Decimal
local function decimal(v)
  if is_decimal(v) then return v end
  return made(text_of(v))
end

return decimal
