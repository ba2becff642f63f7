-- Random operations on a store with a field of every type: values at the edges, every operator, every kind of change.

local larder = require "larder"
local rng = require "spec.support.random.rng"

local pick, chance, int = rng.pick, rng.chance, rng.int
local null, array = larder.null, larder.array

local types = {}

-- Few values, so that they meet; each at an edge of its type or of what is written for it. A function makes a value anew.
local POOL = {
  f4 = { 0, 0.1, -0.1, 1.5, 16777217, 3.4e38, -0.0, 1e-40 },
  f8 = { 0, 0.1, -0.0, 1e300, -1e300, 5e-324, 9007199254740993, 2.5 },
  n = { "0", "-0.00", "1.50", "1.5", 1.5, "1e400", "NaN", "Infinity", "-Infinity", "99999999999999999999.999", "1e-300", 7 },
  small = { -5, 0, 1, 9, 10 },
  big = { 0, 1, -1, 7, 9007199254740992 },
  text = { "", "a", "A", "ab", "a b", "é", "É", "\\", "%", "_", "a%", "\n", "z\127", ("x"):rep(300) },
  at = {
    "2026-01-02T03:04:05.000006Z", "2026-01-02 03:04:05.000006+00", "1969-12-31T23:59:59.999999Z", "infinity", "-infinity",
    "4714-11-24T00:00:00Z BC", "0044-03-15 12:00:00+00 BC", "294276-12-31T23:59:59.999999Z", "2026-02-28T24:00Z", 0, 1.5,
  },
  doc = {
    function() return {} end, function() return array {} end, function() return { a = 1, b = array { 1, "x", null } } end,
    function() return { a = { b = { c = array {} } }, k = "é" } end,
    function() return array { 1, 2.5, larder.decimal "1e30", { a = 1 } } end,
    function() return "text" end, function() return 0.5 end, function() return false end,
    function() return { n = larder.decimal "18446744073709551616.5" } end, function() return { a = null } end,
  },
  texts = {
    function() return array {} end, function() return { "a" } end, function() return { "a", null, "" } end,
    function() return { "NULL", '"', "\\", "{}" } end, function() return { { "a", "b" }, { "c", null } } end,
  },
  whole = { 0, 1, -1, 2147483647, -2147483648, 41 },
  lim = { "-5.004", "-5.01", 0, "10.504", "10.505", "NaN", "10.5" }, share = { 0.1, -0.1, 0.1000001, 0, -0.0 },
  day = { "2026-01-01", "2026-12-31", "2025-12-31", "infinity", "2026-02-28" }, span = { 0, "P1M", "P30D", "P30DT0.000001S", "-1 days" },
  u1 = { 1, 2 }, u2 = { 1, 2 },
  flag = { true, false },
  token = { "00000000-0000-4000-8000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF" },
  bytes = { "", "\0", "\0\255", "\\x00", "'", ("\200"):rep(300) },
  shorts = { function() return { 1, null, -32768 } end, function() return array {} end, function() return { { 1, 2 }, { 3, 4 } } end },
  longs = { function() return { 9007199254740992, -1 } end, function() return array {} end, function() return { null } end },
  wholes = { function() return { 1, 2, 3 } end, function() return { 2 } end },
  f8s = { function() return { 0.1, -0.0, 1e300 } end, function() return { null, 5e-324 } end },
  ns = { function() return { "1.50", "1.5", "NaN" } end, function() return { "-0.0", null } end, function() return array {} end },
  ats = {
    function() return { "2026-01-02T03:04:05.000006Z", "infinity" } end, function() return { "0044-03-15 12:00:00+00 BC", null } end,
  },
  tokens = { function() return { "00000000-0000-4000-8000-000000000001" } end, function() return array {} end },
  blobs = { function() return { "", "\0\255", "\\", '"' } end, function() return { null } end },
  flags = { function() return { true, false, null } end, function() return { true } end },
  binary = { function() return { { a = 1 }, larder.array {}, null } end, function() return { 0.5 } end },
  docs = { function() return array {} end, function() return { { a = 1 }, null } end, function() return array { 1, "x" } end },
  f4s = { function() return { 0.1, 1.5, null } end, function() return array {} end, function() return { -0.0 } end },
  hour = { "00:00", "23:59:59.999999", "24:00:00", "10:30", "10:30:00.5", "10:30:00.500000" },
  hour0 = { "10:30:00.5", "10:30:01.5", "23:59:59.6", "24:00", "00:00:00.4", "24:00:00.1" },
  stamp = {
    "2026-01-02T03:04:05.000006", "2026-01-02 03:04:05.000006", "2026-01-02", "infinity", "-infinity", "4714-11-24T00:00:00 BC",
    "0001-01-01T00:00:00", "294276-12-31T23:59:59.999999",
  },
  stamp3 = { "2026-01-02T03:04:05.0005", "2026-01-02T03:04:05.001", "2026-12-31T23:59:59.9996", "infinity", "1969-12-31T23:59:59.9995" },
  date = {
    "2026-01-02", "2024-02-29", "infinity", "-infinity", "4714-11-24 BC", "5874897-12-31", "0001-01-01", "0001-12-31 BC",
  },
  gap = {
    0, "P1M", "P30D", "30 days", "P1Y", "12 mons", "-1 days", "P1DT-24H", "PT0.000001S", "1 year 2 mons -3 days 04:05:06.5", "PT720H",
  },
  gap2 = { "PT1.005S", "PT1.015S", "1.5", "P1M", "P29DT24H", 0.125, "1 hour ago" },
  mood = { "sad", "so so", "Ok", 'a "b", {c}', "NULL" },
  ip = {
    "10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "10.0.0.0/8", "0.0.0.0/0", "255.255.255.255",
    "::1", "::ffff:10.0.0.1", "::/0", "2001:db8::/32",
  },
  net = { "10.0.0.0/8", "10.0.0.0/9", "10.0.0.0", "0.0.0.0/0", "::/0", "2001:db8::/32", "10.0.0.0/32" },
  mac = { "08:00:2b:01:02:03", "08002b010203", "08-00-2B-01-02-03", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "0800.2b01.0203" },
  mac8 = { "08:00:2b:01:02:03", "08:00:2b:ff:fe:01:02:03", "00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff", "08002b:fffe010203" },
  code = { "", "a", "a  ", "ab", "ab ", "A", "é", "a\t", "a b", "%", "abc  " },
  word = { "", "a", "a  ", "ab", "A", "éééé", "a\t", "%", "abcd  " },
  bits = { "000", "001", "100", "111" }, some_bits = { "", "0", "00", "01", "010", "111111", "1" },
  r4 = {
    "empty", "(,)", "[1,5)", "[1,4]", "(0,4]", "[-2147483648,2147483647)", "(,3]", "[3,)", { lower = 3 }, { upper = 3, bounds = "(]" },
  },
  r8 = { "empty", "[1,5)", "[4,4]", "(4,5)", "(,3)", "[9007199254740992,)", "[-9223372036854775808,9223372036854775807)" },
  rn = { "empty", "[1,2.5]", "[1.0,2.50]", "(1,2.5]", "[2,NaN)", "(,2)", "[-Infinity,Infinity]", "(1,1)", "[1e300,)", "(,)" },
  rs = {
    "[2026-01-01,2026-01-02)", "(2026-01-01,2026-01-02]", "(,infinity)", "[-infinity,infinity]", "empty",
    '["2026-01-01 00:00:00","2026-01-02 00:00:00")',
  },
  rz = { "[2026-01-01T00:00Z,2026-01-02T00:00Z)", "[2026-01-01T02:00+02,2026-01-02T00:00Z)", "(,)", "empty", "[,2026-01-01T00:00Z]" },
  rd = {
    "[2026-01-01,2026-01-31]", "[2026-01-01,2026-02-01)", "(2026-01-15,)", "empty", "(,infinity]", "[-infinity,2026-01-01]",
    "[2026-01-01,2026-01-01)",
  },
  hours = { { "10:30:00.25", "24:00" }, { "10:30:00.35", null }, array {} },
  stamps = { { "2026-01-02T03:04:05.5", "infinity" }, { null, "2026-01-02T03:04:06.4" } },
  dates = { { "2026-01-02", null }, { { "0044-03-15 BC" }, { "infinity" } }, array {} },
  gaps = { { "P1M" }, { "30 days" }, { null, "PT720H", "PT1.5S" } },
  moods = {
    array {}, { "sad", "NULL", null }, { 'a "b", {c}', "Ok" },
    { { "Ok" }, { "so so" } }
  },
  ips = { { "10.0.0.1", "10.0.0.1/8" }, { "10.0.0.1/32", null, "::1" }, array {} },
  nets = { { "10.0.0.0/8" }, { "::/0", "10.0.0.0/32" } },
  macs = { { "08:00:2b:01:02:03" }, { "08002b010203", null } },
  mac8s = { { "08:00:2b:01:02:03" }, { "08:00:2b:ff:fe:01:02:03", null } },
  codes = { { "a", "ab " }, { "a  ", null }, array {} },
  words = { { "a", "ab " }, { "éééé", null, "" } },
  bitss = { { "001", null }, { "111" } },
  some_bitss = { { "", "01" }, { null, "111111" }, array {} },
  cents = { { "1.5", null }, { "1.504", 7 }, { "NaN" } },
  r4s = { { "[1,5)" }, { "[1,4]", null, "empty" }, { { lower = 3 } } },
  rns = { { "[1,2.5]" }, { "[1.0,2.50]", null }, array {} },
  rzs = { { "[2026-01-01T00:00Z,)" }, { "[2026-01-01T02:00+02,)", null } },
  rds = { { "[2026-01-01,2026-01-31]" }, { { "[2026-01-01,2026-02-01)" }, { "empty" } } },
}
POOL.raw = POOL.doc

-- What both refuse before anything is sent.
local REFUSED = {
  stamp = "2026-01-02T03:04:05Z", date = "2023-02-29", mood = "of no list", net = "10.0.0.1/8", code = "abcd", word = "abcde", bits = "11",
  some_bits = "0000000", r4 = "[5,1]", r8 = "[1,9223372036854775807]", moods = { "sad", "of no list" }, codes = { "abcd" },
  words = { "abcde" },
  bitss = { "1" }, cents = { "12345" }, hour = "24:00:01", ip = "10.1", mac = "08:00", gap = "P1.5M", rd = "[2026-01-01,infinity]x",
}

local ARRAYS = {
  "texts", "f4s", "shorts", "longs", "wholes", "f8s", "ns", "ats", "tokens", "blobs", "flags", "binary",
  "hours", "stamps", "dates", "gaps", "moods", "ips", "nets", "macs", "mac8s", "codes", "words", "bitss", "some_bitss", "cents",
  "r4s", "rns", "rzs", "rds",
}
local RANGES = { "r4", "r8", "rn", "rs", "rz", "rd" }
local SCALAR = { "f4", "f8", "n", "small", "big", "text", "at", "whole", "flag", "token", "bytes",
  "lim", "share", "day", "span", "u1", "u2", "hour", "hour0", "stamp", "stamp3", "date", "gap", "gap2", "mood", "ip", "net", "mac", "mac8",
  "code", "word", "bits", "some_bits" }
for _, name in ipairs(RANGES) do SCALAR[#SCALAR + 1] = name end
local FIELDS = { "doc", "raw", "docs" }
for _, list in ipairs { ARRAYS, SCALAR } do
  for _, name in ipairs(list) do FIELDS[#FIELDS + 1] = name end
end

local function value(field)
  local v = chance(1) and REFUSED[field] or pick(POOL[field])
  if type(v) == "function" then return v() end
  return v
end

local function id() return int(12) end

local function row()
  local r = { id = id() }
  for _, field in ipairs(FIELDS) do
    if chance(22) then r[field] = chance(10) and null or value(field) end
  end
  return r
end

-- ---- conditions ----

local COMPARE = { "eq", "ne", "lt", "lte", "gt", "gte" }
local PATTERNS = { "%", "a%", "%b", "_", "a_b", "\\%", "\\\\", "A%", "é", "" }

local function list_of(field)
  local list = {}
  for i = 1, int(4) do list[i] = value(field) end
  return list
end

-- One value of a range's type.
local ELEMENTS = {
  r4 = { 1, 4, 5, -2147483648, 2147483647 }, r8 = { 4, 9007199254740992 }, rn = { 1, "2.50", "NaN", "-Infinity", "1e301" },
  rs = {
    "2026-01-02", "infinity", "-infinity" }, rz = { "2026-01-01T00:00:00Z", "2026-01-02T02:00:00+02" }, rd = { "2026-01-31", "infinity",
  },
}

local conditions = {
  function() local f = pick(SCALAR) return { [f] = { [pick(COMPARE)] = value(f) } } end,
  function() local f = pick(SCALAR) return { [f] = value(f) } end,
  function() local f = pick(SCALAR) return { [f] = list_of(f) } end,
  function() local f = pick(SCALAR) return { [f] = { not_in = list_of(f) } } end,
  function() return { [pick(FIELDS)] = { is_null = chance(50) } } end,
  function() return { [pick(FIELDS)] = null } end,
  function() return { text = { [chance(50) and "like" or "ilike"] = pick(PATTERNS) } } end,
  function() return { doc = { contains = value "doc" } } end,
  function() return { doc = { has_key = pick { "a", "n", "text", "x" } } } end,
  function() return { doc = { eq = value "doc" } } end,
  function() local f = pick(ARRAYS) return { [f] = { contains = value(f) } } end,
  function() return { f4s = { contains = { 0.1 } } } end,
  function() local f = pick(ARRAYS) return { [f] = { overlaps = value(f) } } end,
  function() local f = pick(RANGES) return { [f] = { [pick { "contains", "overlaps" }] = value(f) } } end,
  function() local f = pick(RANGES) return { [f] = { contains = pick(ELEMENTS[f]) } } end,
  function() return { word = { [chance(50) and "like" or "ilike"] = pick(PATTERNS) } } end,
  function() local f = pick(ARRAYS) return { [f] = { [pick(COMPARE)] = value(f) } } end,
  function() return { docs = { contains = value "docs" } } end, -- refused: json has no equality
  function() return { id = { lte = id() } } end,
}

-- ---- paths into JSON ----

local STEPS = { "a", "b", "c", "k", "n", "x", 1, 2, -1, 4 }
local PATH_TYPES = { "text", "numeric", "bool", "jsonb" }

local function path(type_)
  local p = { "doc", type = type_ }
  for i = 2, 1 + int(3) do p[i] = pick(STEPS) end
  return larder.path(p)
end

local BESIDE = {
  text = { "x", "\195\169", "", "true", "1" },
  numeric = { 1, "2.5", larder.decimal "18446744073709551616.5", "1e30" }, bool = { true, false },
}

local function path_condition()
  local type_ = pick { "text", "numeric", "bool" }
  local v = pick(BESIDE[type_])
  local p = path(chance(70) and type_ or nil)
  local kind = int(5)
  if kind == 1 then return larder.matches(p, { is_null = chance(50) }) end
  if kind == 2 then return larder.matches(p, { v, pick(BESIDE[type_]) }) end
  if kind == 3 and type_ == "text" then return larder.matches(p, { [pick { "like", "ilike" }] = pick(PATTERNS) }) end
  if kind == 4 then return larder.matches(path "jsonb", { contains = value "doc" }) end
  return larder.matches(p, { [pick(COMPARE)] = v })
end
for _ = 1, 3 do conditions[#conditions + 1] = path_condition end

local function where(depth)
  local kind = depth < 3 and int(10) or 10
  if kind == 1 then return larder.any { where(depth + 1), where(depth + 1) } end
  if kind == 2 then return larder.all { where(depth + 1), where(depth + 1) } end
  if kind == 3 then return larder.not_(where(depth + 1)) end
  return pick(conditions)()
end

-- ---- changes ----

local INCREMENT = {
  f4 = { 0.1, 1 }, f8 = { 0.5, 1e300 }, n = { "0.25", "1e300", "NaN" }, small = { 1, -7, 20 }, big = { 1, 9007199254740992 },
  lim = { "0.25", "-3.005", "NaN" }, share = { 0.05, -0.2 },
}

local changes = {
  function() local f = pick(FIELDS) return f, chance(20) and null or value(f) end,
  function() local f = pick { "f4", "f8", "n", "small", "big", "lim", "share" } return f, larder.increment(pick(INCREMENT[f])) end,
  function() local f = pick(SCALAR) return f, larder.greatest(value(f)) end,
  function() local f = pick(FIELDS) return f, larder.coalesce(value(f)) end,
  function() return "doc", larder.append(value "doc") end,
  function() return "doc", larder.merge { m = int(3), a = value "doc" } end,
  function() return "doc", larder.merge_deep { a = { b = value "doc" }, k = chance(50) and null or { c = int(3) } } end,
  function() return "doc", larder.set_path(pick { { "a" }, { "a", "b" }, { "n", "c", "k" } }, value "doc") end,
  function() local f = pick(ARRAYS) return f, larder.append(value(f)) end,
  function() return "whole", larder.increment(pick { 1, -1, 2147483647 }) end,
}

local function set()
  local list = {}
  for _ = 1, int(3) do
    local field, change = pick(changes)()
    list[field] = change
  end
  return list
end

local EXCLUDED = {
  function() return { [pick(FIELDS)] = larder.excluded } end,
  function() return { [pick { "small", "big", "n", "f4", "lim" }] = larder.increment(larder.excluded) } end,
  function() return { [chance(30) and "doc" or pick(ARRAYS)] = larder.append(larder.excluded) } end,
  function() return { [pick(SCALAR)] = larder.greatest(larder.excluded) } end,
  function() return { [pick(FIELDS)] = larder.coalesce(larder.excluded) } end,
  set,
}

-- ---- operations ----

local ORDERS = { "id", "-id", "text, -at", "-n", "f8", "-f4, text", "at desc, big", "small, n", "whole, -token", "flag", "-bytes",
  "lim, -day", "-share", "span", "hour, -ip", "-stamp", "gap", "-gap2, mood", "mood, -net", "mac desc, code", "-code", "word, -bits",
  "some_bits", "-r4", "rn, r8", "-rs, rd", "rz", "date, -mac8", "-ip", "-stamp3, hour0" }

local ops = {}

function ops.create() local r = row() return function(s) return s:create(r) end end
function ops.upsert()
  local r, opts = row(), chance(50) and { set = pick(EXCLUDED)() } or nil
  return function(s) return s:upsert(r, opts) end
end
function ops.patch() local k, c = id(), set() return function(s) return s:patch(k, c) end end
function ops.update() local r = row() return function(s) return s:update(r) end end
function ops.get() local k = id() return function(s) return s:get(k) end end
function ops.delete() local k = id() return function(s) return s:delete(k) end end
function ops.count() local w = where(1) return function(s) return s:count(w) end end
function ops.get_many()
  local keys = { id(), id(), id() }
  return function(s) return s:get_many(keys) end
end

function ops.create_many()
  local rows, skip = {}, chance(40)
  for i = 1, int(4) do rows[i] = row() end
  return function(s) return s:create_many(rows, { skip_duplicates = skip or nil }) end
end

function ops.list()
  local opts = { where = where(1), order = pick(ORDERS), limit = int(4), total = chance(30) or nil }
  return function(s)
    local page, info = s:list(opts)
    if not page then return nil, info end
    local second = info.next and s:list { where = opts.where, order = opts.order, limit = 3, after = info.next }
    return { page = page, more = info.next ~= nil, total = info.total, second = second }
  end
end

--- A cursor stays good while rows change between its pages.
function ops.walk()
  local order, page, change = pick(ORDERS), int(3), set()
  return function(s)
    local seen, after = array {}, nil
    repeat
      local rows, info = s:list { order = order, limit = page, after = after }
      if not rows then return nil, info end
      for _, r in ipairs(rows) do seen[#seen + 1] = r.id end
      after = info.next
      local last = rows[#rows]
      if last then s:patch(last.id, change) end
    until not after or #seen > 60
    return seen
  end
end

local function moves_along(changed)
  for _, name in ipairs { "big", "f4" } do
    local change = changed[name]
    if type(change) == "table" and change.kind == "increment" then return true end
  end
  return false
end

function ops.update_where()
  local w, c = where(1), set()
  -- The values of a unique move along by increments, and the order of the rows decides (docs/differences.md). By every other change
  -- a row that meets another's value on the way also ends on it: then both engines refuse.
  if moves_along(c) then c.big, c.f4, c.flag = nil, nil, true end
  return function(s) return s:update_where(w, c) end
end

function ops.delete_where()
  local w = larder.all { where(1), { id = { gt = 6 } } }
  return function(s) return s:delete_where(w) end
end

local NUMBERS = { "f8", "n", "small", "big", "whole" }


-- Of equal numbers that print differently ("1.5", "1.50"; 0.0, -0.0) SQL does not say which is the least, the distinct one or stands
-- for its group.
local ONE_SPELLING = {
  "small", "big", "text", "at", "whole", "flag", "hour", "hour0", "stamp", "stamp3", "date", "mood", "ip", "net", "mac",
  "mac8", "word", "bits", "some_bits", "r4", "r8", "rs", "rz", "rd",
}
local RANKED = { "small", "big", "text", "at", "whole", "hour", "hour0", "stamp", "stamp3", "date", "mood", "ip", "word", "mac", "r4" }

local function operand_of(fn)
  local added = fn == "sum" or fn == "avg"
  if chance(15) then return path(fn == "count" and "text" or "numeric"), false end
  local on = added and pick(NUMBERS) or fn == "count" and pick(SCALAR) or pick(RANKED)
  return on, fn == "count" or added and on ~= "f8" and on ~= "n"
end

local function agg(as)
  local fn = pick { "count", "count", "sum", "avg", "min", "max" }
  if fn == "count" and chance(40) then return { "count", as = as } end
  local on, may_be_distinct = operand_of(fn)
  local filter = chance(25) and where(2) or nil
  -- floats are added in the order of the rows, which SQL does not promise: one of them, or none
  if on == "f8" and fn ~= "count" then filter = { id = id() } end
  return { fn, on, as = as, filter = filter, distinct = may_be_distinct and chance(25) or nil }
end

local function group()
  local kind = int(4)
  if kind == 1 then return { pick { "at", "stamp" }, bucket = pick { "minute", "hour", "day", "week", "month", "year" }, as = "g" } end
  if kind == 2 then return { path(pick(PATH_TYPES)), as = "g" } end
  return pick(ONE_SPELLING)
end

function ops.aggregate()
  local opts = { aggs = {}, where = chance(50) and where(1) or nil }
  for i = 1, int(3) do opts.aggs[i] = agg("agg_" .. i) end
  if chance(60) then
    opts.groups = { group() }
    opts.having = opts.aggs[1][1] == "count" and chance(40) and { agg_1 = { [pick(COMPARE)] = int(3) - 1 } } or nil
    if chance(30) then opts.order = { "-agg_1" } end
  end
  return function(s) return s:aggregate(opts) end
end

local WEIGHTS = {
  create = 16, upsert = 14, patch = 14, update = 6, get = 6, delete = 4, count = 10, get_many = 3, create_many = 5, list = 10, walk = 2,
  update_where = 5, delete_where = 2, aggregate = 8,
}
local BAG = {}
for name in pairs(WEIGHTS) do BAG[#BAG + 1] = name end
table.sort(BAG)
for i = 1, #BAG do
  for _ = 2, WEIGHTS[BAG[i]] do BAG[#BAG + 1] = BAG[i] end
end

--- One operation: { name, run = function(stores) }.
function types.op()
  local name = pick(BAG)
  local fn = ops[name]()
  return { name = "types " .. name, size = 1, many = name:find "_where" and true or nil, run = function(s) return fn(s.types) end }
end

return types
