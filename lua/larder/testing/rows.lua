--- Rows made from a declaration: what a store must accept, whatever it is a store of.

local core = require "larder.core"

local rows = {}
rows.__index = rows

-- ---- values ----

local DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

-- Different for different n as long as there is room.
local function text(n, field)
  if field.enum then return field.enum[n % #field.enum + 1] end
  local s = ""
  repeat
    local d = n % 36
    s, n = DIGITS:sub(d + 1, d + 1) .. s, (n - d) / 36
  until n < 1
  local least = math.max(field.min_len or 0, 1)
  if #s < least then s = ("x"):rep(least - #s) .. s end
  if field.max_len then s = s:sub(-field.max_len) end
  return s
end

local function whole(n, field)
  local least, most = field.min or 0, field.max or 30000
  return least + n % math.max(1, math.min(most, 30000) - least + 1)
end

local function numeric(n, field)
  local digits = field.precision and field.precision - (field.scale or 0) or 9
  return tostring(math.floor(n % 10 ^ math.min(digits, 9)))
end

local function mac(n, head)
  return ("%s:%02x:%02x:%02x"):format(head, math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
end

local function bits(n, field)
  local list = {}
  for i = field.max_len or 32, 1, -1 do list[i], n = n % 2, math.floor(n / 2) end
  return table.concat(list)
end

local function day(n) return core.time_format(core.now() - n % 100000 * 86400000000):sub(1, 10) end

local function numbers(n) return ("[%d,%d)"):format(n % 30000, n % 30000 + 5) end

local MAKE = {
  bool = function(n) return n % 2 == 0 end,
  int2 = whole, int4 = whole, int8 = whole, numeric = numeric, text = text, bytea = text,
  float4 = function(n) return n % 1000 + 0.5 end,
  float8 = function(n) return n % 1000 + 0.5 end,
  uuid = function() return core.uuid() end,
  timestamptz = function(n) return core.time_format(core.now() - n % 100000 * 1000000) end,
  varchar = text, char = text, enum = text,
  date = day,
  timestamp = function(n) return (core.time_format(core.now() - n % 100000 * 1000000):gsub("Z", "")) end,
  time = function(n) return ("%02d:%02d:%02d"):format(math.floor(n / 3600) % 24, math.floor(n / 60) % 60, n % 60) end,
  interval = function(n) return ("PT%dS"):format(n) end,
  inet = function(n) return ("10.%d.%d.%d"):format(math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256) end,
  cidr = function(n) return ("10.%d.%d.0/24"):format(math.floor(n / 256) % 256, n % 256) end,
  macaddr = function(n) return mac(n, "08:00:2b") end, macaddr8 = function(n) return mac(n, "08:00:2b:00:00") end,
  bit = bits, varbit = bits, citext = text, xml = function(n) return ("<n>%d</n>"):format(n) end,
  int4range = numbers, int8range = numbers, numrange = numbers, daterange = function(n) return ("[%s,)"):format(day(n)) end,
  tsrange = function(n) return ("[%sT00:00,)"):format(day(n)) end, tstzrange = function(n) return ("[%sT00:00Z,)"):format(day(n)) end,
  json = function(n) return { n = n % 1000 } end,
  jsonb = function(n) return { n = n % 1000 } end,
}

-- Fields with limits that are no integers.
local function within(n, field)
  local low, high = tonumber(field.min), tonumber(field.max)
  if not field.type:find "^float" and field.type ~= "numeric" then return field.min == nil and field.max or field.min end
  low = low or high and high - 1000
  if not low or not high then return field.type == "numeric" and ("%.0f"):format(math.ceil(low) + n % 1000) or low + n % 1000 end
  return low + (high - low) * (n % 1000) / 1000
end

--- A value for a field, another one each time as far as its type allows.
function rows:value(field)
  self.n = self.n + 1
  local base = field.type:match "^%w+"
  local limited = (field.min ~= nil or field.max ~= nil) and not base:find "^int%d"
  local value = limited and within(self.n, field) or MAKE[base](self.n, field)
  return field.type:find "%[" and setmetatable({ value }, core.array_mt) or value
end

-- ---- rows ----

local function is_null(field) return field.null == true end

-- The server or the core makes it.
local function is_made(field)
  local default = type(field.default) == "table" and not field.type:find "json" and field.default[1]
  return field.generated ~= nil or field.stamp ~= nil or default and default ~= "database"
end

function rows:parent(name, given)
  local known = self.parents[name]
  if known then
    local fits = true
    for field, value in pairs(given) do fits = fits and known[field] == value end
    if fits then return known end
  end
  local row = self:create(name, given)
  self.parents[name] = row
  return row
end

-- Refer to rows that exist, where a reference must refer to one.
function rows:refer(decl, row)
  for _, ref in ipairs(decl.references or {}) do
    local needed = true
    for _, field in ipairs(ref.fields) do needed = needed and not is_null(decl.by_name[field]) end
    if needed and ref.to ~= decl.name then
      local target, given = self.decls[ref.to], {}
      for i, field in ipairs(ref.fields) do given[target.key[i]] = row[field] end
      local parent = self:parent(ref.to, given)
      for i, field in ipairs(ref.fields) do row[field] = parent[target.key[i]] end
    end
  end
end

--- A row that can be created.
---@param name string  of the store
---@param given? table  fields that are to have these values
---@return table
function rows:make(name, given)
  local decl, row = self.decls[name], {}
  for field, value in pairs(given or {}) do row[field] = value end
  self:refer(decl, row)
  for _, field in ipairs(decl.fields) do
    local referring = is_null(field) and decl.refers[field.name]
    if row[field.name] == nil and not is_made(field) and not referring and field.name ~= decl.soft_delete then
      row[field.name] = self:value(field)
    end
  end
  return row
end

--- Create one, below the store's own methods.
---@return table row  as stored
function rows:create(name, given)
  local made, err = self.set[name]:run { op = "insert", row = self:make(name, given), returning = true }
  return assert(made, err)[1]
end

local function describe(db, family, name)
  local decl = db:_cstore(family, name):describe()
  decl.by_name, decl.refers = {}, {}
  for _, field in ipairs(decl.fields) do decl.by_name[field.name] = field end
  for _, ref in ipairs(decl.references or {}) do
    for _, field in ipairs(ref.fields) do decl.refers[field] = true end
  end
  return decl
end

--- A maker of rows of a family on a database.
---@param db larder.Db
---@param family string
function rows.new(db, family)
  local self = setmetatable({ set = db:stores(family), decls = {}, parents = {} }, rows)
  self.n = tonumber(core.random_hex(4), 16) % 1000000007
  for _, name in ipairs(db:_family(family).stores) do self.decls[name] = describe(db, family, name) end
  return self
end

return rows
