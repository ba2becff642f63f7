-- Random operations on any family, made from its declaration: generic methods, includes and figures by group.

local larder = require "larder"
local computed = require "spec.support.random.computed"
local copied = require "larder.base.copied"
local rng = require "spec.support.random.rng"

local pick, chance, int = rng.pick, rng.chance, rng.int
local null, array = larder.null, larder.array

local declared = {}

-- ---- the family without methods of its own, and with a name for both ends of every reference ----

local function named(ref, entity)
  local copy = copied(ref)
  copy.as = ref.as or "to_" .. ref.fields[#ref.fields]
  if not ref.many and not ref.one then copy.many = "of_" .. entity.name .. "_" .. ref.fields[#ref.fields] end
  return copy
end

local function plain(entity, relations)
  local copy = copied(entity)
  copy.fields = {}
  for _, field in ipairs(entity.fields) do -- memory does not know what is generated
    if not field.generated then copy.fields[#copy.fields + 1] = field end
  end
  copy.methods, copy.without, copy.scope, copy.references = nil, nil, nil, nil
  if entity.references then
    copy.references = {}
    for i, ref in ipairs(entity.references) do copy.references[i] = named(ref, entity) end
  end
  for _, relation in ipairs(relations) do
    local own = copied(relation)
    own.only = nil
    if entity.name ~= relation.to and (not relation.only or relation.only[entity.name]) then
      own.many = "of_" .. entity.name .. "_" .. relation.fields[1]
      copy.relations = copy.relations or {}
      table.insert(copy.relations, own)
    end
  end
  return copy
end

--- A built-in family's tables under another name, with generic methods alone.
---@param name string
---@param relations? table[]  further relations; only = set of the stores that have them
---@param module? string       where the family is declared, when it is not a built-in one
function declared.generic(name, relations, module)
  local entities = {}
  for i, entity in ipairs(require(module or "larder.families." .. name).entities) do entities[i] = plain(entity, relations or {}) end
  return larder.declare { name = "generic_" .. name, entities = entities }, entities
end

-- ---- values: few, so that they meet ----

local TIMES = { "2026-01-01T00:00:00Z", "2026-01-01T10:30:00.5Z", "2026-02-03T00:00:00Z", "2025-12-31T23:59:59.999999Z" }

local JSON = {
  function() return {} end, function() return { a = 1, b = array { 1, "x", null } } end,
  function() return { a = { b = true }, city = "X" } end,
  function() return array { { a = 1 }, 2.5 } end, function() return { a = 2, k = "é" } end,
}

local WORDS = { "k1", "k2", "k3", "k4", "K1", "é", "k5", "k6", "k7", "k 8" }

local function fitted(text, field)
  if field.min_len and #text < field.min_len then text = text .. ("x"):rep(field.min_len - #text) end
  if field.max_len and #text > field.max_len then text = text:sub(1, field.max_len) end
  return text
end

local function uuid(field) return ("00000000-0000-4000-8000-00000000000%d"):format(int(field.few and 3 or 9)) end
local function whole(field) return (field.min or 0) + int(5) - 1 end
local function decimal() return pick { "0", "1.5", "1.50", "-3.1", "12.000001", 7 } end

local BY_TYPE = {
  text = function(field)
    if field.enum then return chance(1) and "of no list" or pick(field.enum) end
    return fitted(field.few and "k" .. int(3) or pick(WORDS), field)
  end,
  uuid = uuid, int2 = whole, int4 = whole, int8 = whole, numeric = decimal,
  float4 = function() return pick { 0, 0.5, 1.5 } end, float8 = function() return pick { 0, 0.5, 1.5 } end,
  bool = function() return chance(50) end, timestamptz = function() return pick(TIMES) end,
  json = function() return pick(JSON)() end, jsonb = function() return pick(JSON)() end,
  bytea = function() return pick { "", "\0\1" } end,
  date = function() return pick { "2026-01-01", "2025-12-31", "0044-03-15 BC", "infinity" } end,
  timestamp = function() return pick { "2026-01-01", "2026-01-01T00:00:00.0005", "2025-12-31 23:59:59.999999" } end,
  time = function() return pick { "00:00", "10:30:00.25", "24:00:00" } end,
  interval = function() return pick { "P1M", "30 days", "PT1.5S", "-1 days", "P1DT24H" } end,
  varchar = function(field) return fitted(pick(WORDS), field) end,
  inet = function() return pick { "10.0.0.1", "10.0.0.1/8", "::1", "::ffff:10.0.0.1" } end,
  cidr = function() return pick { "10.0.0.0/8", "10.0.0.0/9", "::/0", "10.0.0.0/32" } end,
  macaddr = function() return pick { "08:00:2b:01:02:03", "08002b010203", "ff:ff:ff:ff:ff:ff" } end,
  macaddr8 = function() return pick { "08:00:2b:01:02:03", "08:00:2b:ff:fe:01:02:03", "00:00:00:00:00:00:00:01" } end,
  bit = function(field) return pick { "0", "1" }:rep(field.max_len) end,
  varbit = function(field) return pick { "", "0", "01", "1", "010" }:sub(1, field.max_len) end,
  int4range = function() return pick { "empty", "(,)", "[1,5)", "[1,4]", "(1,9]", { lower = 3 }, { upper = 3, bounds = "(]" } } end,
  int8range = function() return pick { "empty", "[1,5)", "[4,4]", "(,3)", "[9007199254740992,)" } end,
  numrange = function() return pick { "empty", "[1,2.5]", "[1.0,2.50]", "(1,2.5]", "[2,NaN)", "(,2)" } end,
  tsrange = function() return pick { "[2026-01-01,2026-01-02)", "(2026-01-01,2026-01-02]", "(,infinity)", "empty" } end,
  tstzrange = function() return pick { "[2026-01-01T00:00Z,2026-01-02T00:00Z)", "[2026-01-01T02:00+02,2026-01-02T00:00Z)", "(,)" } end,
  daterange = function() return pick { "[2026-01-01,2026-01-31]", "[2026-01-01,2026-02-01)", "(2026-01-15,)", "empty", "(,infinity]" } end,
  ["inet[]"] = function() return pick { array {}, { "10.0.0.1", "10.0.0.1/32" }, { "::1", null } } end,
  ["cidr[]"] = function() return pick { array {}, { "10.0.0.0/8" } } end,
  ["macaddr[]"] = function() return pick { { "08:00:2b:01:02:03" }, { "08002b010203", null } } end,
  ["macaddr8[]"] = function() return pick { { "08:00:2b:01:02:03" }, array {} } end,
  ["varbit[]"] = function() return pick { { "", "1" }, { null, "01" } } end,
  enum = function(field) return pick(field.enum) end,
  char = function() return pick { "k1", "k2 ", "K1", "", "k\t" } end,
  ["date[]"] = function() return pick { array {}, { "2026-01-01" }, { "2025-12-31", null } } end,
  ["timestamp[]"] = function() return pick { { "2026-01-01" }, { null, "2025-12-31 10:00" } } end,
  ["time[]"] = function() return pick { { "10:30" }, { "24:00:00", null } } end,
  ["varchar[]"] = function(field) return pick { array {}, { field.max_len and "é" or "k1" }, { "k2", null }, { "k1", "k2" } } end,
  ["enum[]"] = function(field)
    return pick { array {}, { pick(field.enum) }, { pick(field.enum), null }, { { pick(field.enum) }, { pick(field.enum) } } }
  end,
  ["char[]"] = function() return pick { array {}, { "k1" }, { "k1 ", null }, { "K1", "" }, { "long" } } end,
  ["bit[]"] = function(field) local b = pick { "0", "1" }:rep(field.max_len) return pick { array {}, { b }, { b, null }, { "1" } } end,
  ["numeric[]"] = function() return pick { { "1.5", null }, { "1.50" }, { 7, "1.25" }, array {}, { "12345" } } end,
  ["int4range[]"] = function() return pick { array {}, { "[1,5)" }, { "[1,4]", null }, { "empty", { lower = 3 } } } end,
  ["int8range[]"] = function() return pick { { "[4,4]" }, { "[4,5)", null } } end,
  ["numrange[]"] = function() return pick { { "[1,2.5]" }, { "[1.0,2.50]" }, { null, "empty" }, array {} } end,
  ["tsrange[]"] = function() return pick { { "[2026-01-01,2026-01-02)" }, { "(,infinity)", null } } end,
  ["tstzrange[]"] = function() return pick { { "[2026-01-01T00:00Z,)" }, { "[2026-01-01T02:00+02,)", null } } end,
  ["daterange[]"] = function() return pick { { "[2026-01-01,2026-01-31]" }, { { "[2026-01-01,2026-02-01)" }, { null } } } end,
  ["interval[]"] = function() return pick { array {}, { "P1M" }, { "30 days" } } end,
  ["text[]"] = function() return pick { array {}, { "k1" }, { "k1", null, "k2" } } end,
}

local function value(field)
  if field.null and chance(15) then return null end
  return (BY_TYPE[field.type] or error("no values of " .. field.type))(field)
end

-- What an engine would choose by itself differs between two of them.
local function is_chosen(field)
  local default = type(field.default) == "table" and field.default[1]
  return default == "database" or default == "uuid" or default == "cuid" or default == "identity"
end

-- ---- an entity, sorted by what can be done with its fields ----

local SCALAR = { text = true, uuid = true, int2 = true, int4 = true, int8 = true, numeric = true, bool = true, timestamptz = true,
  date = true, timestamp = true, time = true, interval = true, varchar = true, char = true, enum = true,
  inet = true, cidr = true, macaddr = true, macaddr8 = true, bit = true, varbit = true, int4range = true, int8range = true,
  numrange = true, tsrange = true, tstzrange = true, daterange = true }
local UNRANKED = { bool = true, uuid = true, cidr = true, macaddr = true, macaddr8 = true, bit = true, varbit = true, int4range = true,
  int8range = true, numrange = true, tsrange = true, tstzrange = true, daterange = true } -- no min and max
local NUMBER = { int2 = true, int4 = true, int8 = true, numeric = true }

local function unique_fields(decl)
  local set = {}
  for _, unique in ipairs(decl.uniques or {}) do
    for _, name in ipairs(unique) do set[name] = true end
  end
  return set
end

-- varchar(5) is a varchar of at most 5.
local function plain_field(field)
  field = copied(field)
  local base, size, array_of = field.type:match "^(.-)%(([%d,]+)%)(.*)$"
  if base then field.type, field.max_len = base .. array_of, (base:find "char" or base:find "bit") and tonumber(size) or nil end
  return field
end

local function entity_of(made, decl)
  local e = {
    name = decl.name, fields = copied(decl.fields), key = {}, scalar = {}, ordered = {}, number = {}, json = {}, free = {},
    relations = {}, all = {}, soft = decl.soft_delete, by = {}, made = made,
  }
  local in_unique = unique_fields(decl)
  for i, field in ipairs(e.fields) do
    field = plain_field(field)
    field.few = field.name == decl.tenant
    e.fields[i], e.by[field.name] = field, field
    if not field.hidden then
      e.all[#e.all + 1] = field
      if SCALAR[field.type] then e.scalar[#e.scalar + 1] = field end
      if SCALAR[field.type] and not UNRANKED[field.type] then e.ordered[#e.ordered + 1] = field end
      if field.type == "jsonb" then e.json[#e.json + 1] = field end
    end
  end
  for i, name in ipairs(decl.key) do e.key[i] = e.by[name] end
  for _, field in ipairs(made.replaced) do
    e.free[#e.free + 1] = e.by[field.name]
    if NUMBER[field.type] and not in_unique[field.name] then e.number[#e.number + 1] = e.by[field.name] end
  end
  for name in pairs(made.relations) do e.relations[#e.relations + 1] = name end
  table.sort(e.relations)
  return e
end

local function row_of(e)
  local row = {}
  for _, field in ipairs(e.fields) do
    local needed = is_chosen(field) or not field.null and field.default == nil
    if not field.stamp and chance(needed and 99 or 45) then row[field.name] = value(field) end
  end
  if e.soft and chance(80) then row[e.soft] = nil end
  for _, field in ipairs(e.fields) do -- never left to an engine
    if is_chosen(field) and (row[field.name] == nil or row[field.name] == null) then row[field.name] = BY_TYPE[field.type](field) end
  end
  return row
end

--- A row with rows that belong to it, some levels down.
local function nest(family, e, row, depth)
  for _, name in ipairs(e.relations) do
    local relation = e.made.relations[name]
    if not relation.parent and chance(depth == 1 and 20 or 8) then
      local list, child = array {}, family.by[relation.entity.name]
      for i = 1, relation.many and int(3) or 1 do
        list[i] = depth < 3 and nest(family, child, row_of(child), depth + 1) or row_of(child)
        if chance(90) then
          for _, field in ipairs(relation.to) do list[i][field] = nil end
        end
      end
      row[name] = relation.many and list or list[1]
    end
  end
  return row
end

local function key_of(e)
  local key = {}
  for i, field in ipairs(e.key) do key[i] = BY_TYPE[field.type](field) end
  return key
end

-- ---- conditions, orders, changes ----

local COMPARE = { "eq", "ne", "lt", "lte", "gt", "gte" }

local function leaf(e)
  local field = pick(e.all)
  local kind = int(7)
  if kind == 7 then return computed.condition(e, function(f) return BY_TYPE[f.type](f) end) end
  if kind == 1 then return { [field.name] = { is_null = chance(50) } } end
  if kind == 2 and #e.json > 0 then return { [pick(e.json).name] = chance(50) and { contains = pick(JSON)() } or { has_key = "a" } } end
  if field.type:find "[^n]%[%]$" then -- json[] has no equality
    return { [field.name] = { [pick { "contains", "overlaps", "eq", "ne" }] = BY_TYPE[field.type](field) } }
  end
  field = pick(e.scalar)
  if kind == 3 then return { [field.name] = { value(field), value(field), value(field) } } end
  if kind == 4 then return { [field.name] = { [pick(COMPARE)] = BY_TYPE[field.type](field) } } end
  if kind == 5 and field.type == "text" then return { [field.name] = { [pick { "like", "ilike" }] = pick { "k%", "%1", "_1", "%é%" } } } end
  if field.type:find "range$" and chance(50) then
    return { [field.name] = { [pick { "contains", "overlaps" }] = BY_TYPE[field.type](field) } }
  end
  return { [field.name] = value(field) }
end

local where

-- A condition on the rows of a relation.
local function related(e, depth)
  local name = pick(e.relations)
  if chance(30) then return { [name] = chance(50) } end
  local child = e.others[e.made.relations[name].entity.name]
  return { [name] = { [pick { "any", "none", "all" }] = where(child, depth + 1) } }
end

function where(e, depth)
  local kind = (depth or 0) < 2 and int(10) or 10
  if kind == 1 then return larder.any { where(e, (depth or 0) + 1), where(e, (depth or 0) + 1) } end
  if kind == 2 then return larder.all { where(e, (depth or 0) + 1), where(e, (depth or 0) + 1) } end
  if kind == 3 then return larder.not_(where(e, (depth or 0) + 1)) end
  if kind == 4 and #e.relations > 0 then return related(e, depth or 0) end
  return leaf(e)
end

local function order(e)
  local list = {}
  for i = 1, int(2) do list[i] = (chance(50) and "-" or "") .. pick(e.scalar).name end
  if list[2] and list[1]:gsub("^%-", "") == list[2]:gsub("^%-", "") then list[2] = nil end
  return list
end

local function combined(field)
  return field.type:find "%[%]$" and chance(30) and larder.append(BY_TYPE[field.type](field)) or value(field)
end

local function change(e)
  local kind = int(8)
  if kind == 1 and #e.number > 0 then return pick(e.number).name, larder.increment(int(3) - 1) end
  if kind == 2 and #e.json > 0 then
    local field = pick(e.json)
    if e.by[field.name].hidden or field.immutable then return field.name, value(field) end
    return field.name, chance(50) and larder.merge { m = int(3), a = null } or larder.append(array { int(3) })
  end
  local field = pick(e.free)
  if kind == 3 and SCALAR[field.type] and field.type ~= "bool" then return field.name, larder.greatest(BY_TYPE[field.type](field)) end
  if kind == 4 then return field.name, larder.coalesce(BY_TYPE[field.type](field)) end
  if kind == 5 and not is_chosen(field) then return field.name, larder.default end
  return field.name, combined(field)
end

local function changes(e)
  local set = {}
  for _ = 1, int(3) do
    local name, to = change(e)
    set[name] = to
  end
  return set
end

-- ---- what is read with a row ----

local include

local function include_options(family, child, depth)
  return {
    where = chance(40) and where(child) or nil, order = chance(50) and order(child) or nil, limit = chance(40) and int(3) or nil,
    offset = chance(20) and int(2) or nil, columns = chance(20) and { pick(child.all).name } or nil,
    with_deleted = child.soft and chance(20) or nil,
    include = include(family, child, depth + 1),
  }
end

function include(family, e, depth)
  if #e.relations == 0 or depth > 1 and (depth > 3 or chance(50)) then return nil end
  local plan = {}
  for _ = 1, int(2) do
    local name = pick(e.relations)
    local child = family.by[e.made.relations[name].entity.name]
    plan[name] = chance(40) or include_options(family, child, depth)
  end
  return plan
end

local BUCKETS = { "minute", "hour", "day", "week", "month", "year" }
local FIGURES = { "count", "sum", "avg", "min", "max" }

-- Equal values that print differently ("1.5" and "1.50", a month and 30 days) are one group; which of them is shown, SQL does not say.
local SPELLINGS = { numeric = true, interval = true, char = true, numrange = true }

local function one_spelling(list)
  local field = pick(list)
  while SPELLINGS[field.type] do field = list[int(#list)] end
  return field
end

local function agg(e, as)
  local fn = pick(FIGURES)
  if (fn == "sum" or fn == "avg") and #e.number == 0 then fn = "max" end
  local field = (fn == "min" or fn == "max") and one_spelling(e.ordered) or pick(fn == "count" and e.scalar or e.number)
  if fn == "count" and chance(40) then return { "count", as = as } end
  return {
    fn, field.name, as = as, distinct = fn == "count" and chance(40) or nil, filter = chance(25) and where(e) or nil,
  }
end

local function groups(e)
  local first, second = one_spelling(e.scalar), one_spelling(e.scalar)
  local bucketed = first.type == "timestamptz" and { first.name, bucket = pick(BUCKETS), as = "bucket" }
  if chance(25) then return { computed.group(e, "computed"), chance(40) and second.name or nil } end
  return { bucketed or first.name, second.name ~= first.name and chance(40) and second.name or nil }
end

local function figures(e)
  local opts = { aggs = {}, where = chance(40) and where(e) or nil, with_deleted = e.soft and chance(20) or nil }
  for i = 1, int(3) do opts.aggs[i] = (chance(20) and computed.figure or agg)(e, "agg_" .. i) end
  if chance(75) then
    opts.groups = groups(e)
    if chance(40) then opts.order = { (chance(50) and "-" or "") .. "agg_1" } end
    if chance(30) then opts.limit = int(4) end
  end
  if opts.aggs[1][1] == "count" and chance(30) then opts.having = { agg_1 = { gt = int(3) - 1 } } end
  return opts
end

-- ---- operations ----

local unpack = table.unpack or unpack -- luacheck: ignore 143 113
local ops = {}

local function keyed(method, more)
  return function(family, e)
    local args = key_of(e)
    local n = #args
    if more then args[n + 1] = more(family, e) end
    return function(store) return store[method](store, unpack(args)) end
  end
end

local function with_row(method)
  return function(family, e)
    local row, opts = row_of(e), chance(20) and { include = include(family, e, 1) } or nil
    return function(store) return store[method](store, row, opts) end
  end
end

function ops.upsert_where(_, e)
  local row, opts = row_of(e), { where = where(e) }
  return function(store) return store:upsert(row, opts) end
end

ops.create, ops.upsert, ops.update = with_row "create", with_row "upsert", with_row "update"
function ops.nested(family, e)
  local row = nest(family, e, row_of(e), 1)
  return function(store) return store:create(row) end
end
ops.delete, ops.exists = keyed "delete", keyed "exists"
ops.patch = keyed("patch", function(_, e) return changes(e) end)
ops.get = keyed("get", function(family, e) return { include = include(family, e, 1), with_deleted = e.soft and chance(30) or nil } end)

function ops.create_many(_, e)
  local rows, skip = {}, chance(50) or nil
  for i = 1, int(4) do rows[i] = row_of(e) end
  return function(store) return store:create_many(rows, { skip_duplicates = skip }) end
end

function ops.list(family, e)
  local opts = {
    where = where(e), order = order(e), limit = int(5), total = chance(30) or nil, include = chance(60) and include(family, e, 1) or nil,
    with_deleted = e.soft and chance(30) or nil,
  }
  if chance(25) then opts.order, opts.offset = computed.order(e), chance(30) and int(3) - 1 or nil end
  if chance(15) then opts.columns = computed.columns(e) end
  return function(store)
    local page, info = store:list(opts)
    if not page then return nil, info end
    local second = info.next and store:list {
      where = opts.where, order = opts.order, limit = 3, after = info.next, with_deleted = opts.with_deleted, columns = opts.columns,
    }
    return { page = page, more = info.next ~= nil, total = info.total, second = second }
  end
end

function ops.distinct(_, e)
  local opts = { distinct = true, columns = groups(e), where = chance(50) and where(e) or nil, limit = int(6), offset = int(3) - 1 }
  return function(store) return store:list(opts) end
end

function ops.find(family, e)
  local condition, opts = where(e), { order = order(e), include = include(family, e, 1) }
  return function(store) return store:find(condition, opts) end
end

function ops.each(family, e)
  local opts = {
    where = where(e), order = chance(25) and computed.order(e) or order(e), page = int(3), limit = 12, include = include(family, e, 1)
  }
  return function(store)
    local rows = array {}
    for row in store:each(opts) do rows[#rows + 1] = row end
    return rows
  end
end

function ops.count(_, e)
  local condition = where(e)
  return function(store) return store:count(condition) end
end

function ops.aggregate(_, e)
  local opts = figures(e)
  return function(store) return store:aggregate(opts) end
end

function ops.get_many(_, e)
  local keys = { key_of(e), key_of(e), key_of(e) }
  return function(store) return store:get_many(keys) end
end

function ops.update_where(_, e)
  local condition, set = where(e), changes(e)
  return function(store) return store:update_where(condition, set) end
end

function ops.delete_where(_, e)
  local condition = larder.all { where(e), where(e) }
  return function(store) return store:delete_where(condition) end
end

for _, method in ipairs { "soft_delete", "restore", "purge" } do
  local plain_key = keyed(method)
  ops[method] = function(family, e)
    if e.soft and e.made.class.__index and chance(95) then return plain_key(family, e) end
    return ops.get(family, e)
  end
end

local WEIGHTS = {
  create = 34, upsert = 8, upsert_where = 5, distinct = 4,
  update = 5, patch = 10, get = 8, exists = 2, delete = 4, create_many = 6, list = 14, find = 4, each = 3,
  count = 3, aggregate = 14, get_many = 2, update_where = 2, delete_where = 1, soft_delete = 4, restore = 2, purge = 1, nested = 6,
}
local BAG = {}
for name in pairs(WEIGHTS) do BAG[#BAG + 1] = name end
table.sort(BAG)
for i = 1, #BAG do
  for _ = 2, WEIGHTS[BAG[i]] do BAG[#BAG + 1] = BAG[i] end
end

local MANY = { create_many = true, nested = true, update_where = true, delete_where = true }

--- The operations on a family: stores by name, each with what can be done with its fields.
function declared.operations(family, entities)
  local all = { by = {}, list = {} }
  for i, made in ipairs(family.entities) do
    all.list[i] = entity_of(made, entities[i])
    all.by[made.name] = all.list[i]
    all.list[i].others = all.by
  end
  --- One operation: { name, run = function(stores) }.
  function all.op()
    local e, name = pick(all.list), pick(BAG)
    local fn = ops[name](all, e)
    return { name = name .. " " .. e.name, size = 1, many = MANY[name], run = function(stores) return fn(stores[e.name]) end }
  end
  return all
end

return declared
