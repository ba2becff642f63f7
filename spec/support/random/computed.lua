-- Random expressions on an entity of spec/support/random/declared.lua: functions of its fields, and fields of related rows.

local larder = require "larder"
local rng = require "spec.support.random.rng"

local pick, chance, int = rng.pick, rng.chance, rng.int

local computed = {}

local TEXT = { text = true, varchar = true }
local INT = { int2 = true, int4 = true, int8 = true }
local TIME = { timestamptz = true, timestamp = true }
local UNITS = { "minute", "hour", "day", "week", "month", "year" }
local PARTS = { "year", "month", "day", "hour", "minute", "weekday" }

-- Fields of e whose type is in set, those of its related rows as "relation.field" among them.
local function fields_of(e, set, depth)
  local list = {}
  for _, field in ipairs(e.scalar) do
    if set == nil or set[field.type] then list[#list + 1] = { name = field.name, field = field } end
  end
  for _, name in ipairs(depth == 0 and e.relations or {}) do
    local relation = e.made.relations[name]
    if not relation.many then
      for _, found in ipairs(fields_of(e.others[relation.entity.name], set, 1)) do
        list[#list + 1] = { name = name .. "." .. found.name, field = found.field }
      end
    end
  end
  return list
end

local function one_of(e, set)
  local list = fields_of(e, set, 0)
  return #list > 0 and pick(list) or nil
end

local make = {}

function make.text(e)
  local a, b = one_of(e, TEXT), one_of(e, TEXT)
  if not a then return end
  local of = chance(30) and larder.coalesce(a.name, b.name, larder.value "k1") or a.name
  return pick { larder.lower, larder.upper } (of), "text"
end

function make.length(e)
  local a = one_of(e, TEXT)
  if a then return larder.length(a.name), "int8" end
end

-- int8, or numeric where a numeric is among the fields
local function number(e, depth)
  local a = one_of(e, { int2 = true, int4 = true, int8 = true, numeric = true })
  if not a then return end
  local of, kind = a.name, INT[a.field.type] and "int8" or "numeric"
  if depth > 1 or chance(30) then return larder.abs(of), kind end
  local other, other_kind = pick { 0, 1, 3, -2 }, "int8"
  if chance(50) then other, other_kind = number(e, depth + 1) end
  if chance(10) then other, other_kind = larder.value "0.25", kind end
  if other_kind == "int8" and kind == "int8" and type(other) == "table" and other.kind == "value" then other = 2 end
  return pick { larder.add, larder.sub, larder.mul, larder.coalesce } (of, other), other_kind == "numeric" and other_kind or kind
end

function make.number(e) return number(e, 0) end

function make.bucket(e)
  local a = one_of(e, TIME)
  if a then return larder.bucket(pick(UNITS), a.name), a.field.type end
end

function make.part(e)
  local a = one_of(e, TIME)
  if a then return larder.part(pick(PARTS), a.name), "int8" end
end

function make.field(e)
  local a = one_of(e)
  return larder.field(a.name), a.field.type, a.field
end

local KINDS = { "text", "length", "number", "number", "bucket", "part", "field", "field" }

--- An expression, its type, and the field that it is when it is one.
function computed.expression(e)
  local of, kind, field = make[pick(KINDS)](e)
  if of then return of, kind, field end
  return make.field(e)
end

--- A condition on one. value: field → a value of its type.
function computed.condition(e, value)
  local of, kind, field = computed.expression(e)
  if chance(20) then return { larder.matches(of, { is_null = chance(50) }) } end
  local function operand() return value(field or { type = kind }) end
  if chance(30) then return { larder.matches(of, { operand(), operand() }) } end
  return { larder.matches(of, { [pick { "eq", "ne", "lt", "lte", "gt", "gte" }] = operand() }) }
end

--- Items of an order.
function computed.order(e)
  local list = {}
  for i = 1, int(2) do
    local of = computed.expression(e)
    list[i] = chance(50) and { by = of, desc = true } or of
  end
  return list
end

--- Columns with some of them.
function computed.columns(e)
  local list = { pick(e.all).name }
  for i = 1, int(2) do list[i + 1] = { (computed.expression(e)), as = "computed_" .. i } end
  return list
end

--- A group under that name. Equal numerics may be written differently: none of those.
function computed.group(e, as)
  for _ = 1, 5 do
    local of, kind = computed.expression(e)
    if kind ~= "numeric" and kind ~= "numrange" and kind ~= "char" and kind ~= "interval" then return { of, as = as } end
  end
  return e.key[1].name
end

--- A figure of one.
function computed.figure(e, as)
  local of, kind = computed.expression(e)
  if (kind == "int8" or kind == "numeric") and chance(70) then return { pick { "sum", "avg" }, of, as = as } end
  return { "count", of, as = as, distinct = kind ~= "char" and chance(40) or nil }
end

return computed
