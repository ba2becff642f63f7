-- A row that is answered as it was given has its JSON as a get would answer it: read from the text, or copied while the text is
-- made. Random documents of all that either way knows, with what turns a copy into a text to be read.

local larder = require "larder"
local rng = require "spec.support.random.rng"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local jit = rawget(_G, "jit")
local math_type = math.type or function() end -- luacheck: ignore 143
local ROUNDS = tonumber(os.getenv "RANDOM_ROUNDS") or 400

local FAMILY = {
  name = "given_json",
  entities = { { name = "rows", table = "public.given_json", key = { name = "given_json_pkey", "id" }, fields = {
    { name = "id", type = "int4" }, { name = "doc", type = "jsonb", null = true }, { name = "note", type = "text", null = true },
    { name = "more", type = "jsonb", null = true }, { name = "list", type = "text[]", null = true },
  } } },
}

-- ---- documents ----

local NUMBERS = {
  0, -0.0, 0.0, 1, 1.0, -1, 12, 0.1, 0.1 + 0.2, 1e15, 1e16, 1e18, 1e19, 1e22, 1e300, -1e300, 5e-324, 2.5e-10,
  2 ^ 53, 2 ^ 53 + 2, -2 ^ 60, 1 / 3,
}
if math_type(1) then NUMBERS[#NUMBERS + 1], NUMBERS[#NUMBERS + 2] = math.maxinteger, math.mininteger end -- luacheck: ignore 143
local TEXTS = { "", "a", "plain text", "ä€𐍈", "\"quoted\" \\ \n \1", "1", "null", ("long "):rep(40), "\127" }
local DECIMAL = getmetatable(larder.decimal "1")
local ODD = { function() return larder.decimal "1.50" end, function() return larder.decimal(("9"):rep(30)) end }
if jit then
  local ffi = require "ffi"
  ODD[#ODD + 1] = function() return ffi.new("int64_t", rng.int(1000)) end
  ODD[#ODD + 1] = function() return ffi.new("int64_t", 2 ^ 53) * rng.int(1000) end
end
local has_cjson, cjson = pcall(require, "cjson")
if has_cjson and cjson.empty_array then ODD[#ODD + 1] = function() return cjson.empty_array end end

local function scalar(odd)
  local kind = rng.int(10)
  if odd and rng.chance(2) then return rng.pick(ODD)() end
  if kind == 1 then return rng.chance(50) end
  if kind == 2 then return larder.null end
  return kind < 7 and rng.pick(NUMBERS) or rng.pick(TEXTS)
end

local shared -- a table that stands at several places

local function value(depth, odd)
  if depth == 0 or rng.chance(50) then return scalar(odd) end
  if rng.chance(5) and shared then return shared end
  local t, n = {}, rng.chance(3) and rng.pick { 15, 16, 17, 18, 120 } or rng.int(5) - 1 -- of an object 16 are copied
  if rng.chance(40) then
    if rng.chance(10) then
      for i = n, 1, -1 do t[i] = value(depth - 1, odd) end -- which pairs hands out in another order
    else
      for i = 1, n do t[i] = value(depth - 1, odd) end
    end
    if rng.chance(30) then larder.array(t) end
  else
    for i = 1, n do t[rng.chance(20) and rng.pick(TEXTS) or "m" .. i] = value(depth - 1, odd) end
    if rng.chance(10) then setmetatable(t, { __name = "hides nothing" }) end
  end
  shared = shared or t
  return t
end

local function deep(n)
  local t = rng.chance(50) and { "bottom" } or {}
  for _ = 1, n do t = rng.chance(50) and { t } or { down = t } end
  return t
end

local function document(odd)
  shared = nil
  if rng.chance(10) then return deep(12 + rng.int(8)) end -- 16 levels are copied
  local doc = value(4, odd)
  return type(doc) == "table" and doc or { doc }
end

-- ---- comparing ----

local function scalar_difference(a, b)
  if type(a) ~= type(b) or math_type(a) ~= math_type(b) then return ": " .. type(a) .. " or " .. type(b) end
  if type(a) == "number" and a == 0 and 1 / a ~= 1 / b then return ": the sign of zero" end
  return a ~= b and (": %s or %s"):format(tostring(a), tostring(b)) or nil
end

--- Where a and b differ, or nil. Unlike assert.same it tells 1 from 1.0, 0.0 from -0.0, and a list from an object.
local function difference(a, b, path)
  if type(a) ~= "table" or type(b) ~= "table" then
    local d = scalar_difference(a, b)
    return d and path .. d
  end
  if getmetatable(a) ~= getmetatable(b) then return path .. ": the metatable" end
  if getmetatable(a) == DECIMAL then return tostring(a) ~= tostring(b) and path .. ": the decimal" or nil end
  for k, v in pairs(a) do
    local d = difference(v, rawget(b, k), path .. "." .. tostring(k))
    if d then return d end
  end
  for k in pairs(b) do
    if rawget(a, k) == nil then return path .. "." .. tostring(k) .. ": only one has it" end
  end
end

--- Every table of t, into the set.
local function tables(t, set)
  if type(t) ~= "table" or set[t] then return set end
  set[t] = true
  for _, v in pairs(t) do tables(v, set) end
  return set
end

local function shares(a, b)
  local of_a = tables(a, {})
  for t in pairs(tables(b, {})) do
    if of_a[t] then return true end
  end
  return false
end

describe("the JSON of a row that is answered as given #pg", function()
  local db, rows, id

  setup(function()
    larder.declare(FAMILY)
    db = assert(larder.open(url, { wait = false, pool = { max = 1 } }))
    rows = db:stores("given_json").rows
  end)

  before_each(function()
    id = 0
    assert(db:query "drop table if exists public.given_json")
    assert(db:query [[create table public.given_json (id integer constraint given_json_pkey primary key, doc jsonb, note text,
      more jsonb, list text[])]])
    for _ = 1, 3 do -- the connection has its proof from now on
      id = id + 1
      assert(rows:create { id = id, doc = { a = id } })
    end
  end)

  teardown(function()
    db:query "drop table if exists public.given_json"
    db:close()
  end)

  local function create(row)
    id = id + 1
    row.id = id
    return assert(rows:create(row))
  end

  -- how often the connection ran the insert that returns no row
  local function unreturned()
    return assert(db:query [[select coalesce(sum(generic_plans + custom_plans), 0)::int4 as n from pg_prepared_statements
      where statement like 'insert%''now''::timestamptz%']])[1].n
  end

  it("is what a get answers and what the text says, in tables of its own", function()
    local seed = tonumber(os.getenv "RANDOM_SEED") or os.time()
    local before = unreturned()
    rng.seed(seed)
    for round = 1, ROUNDS do
      local odd = rng.chance(30)
      local doc, more = document(odd), rng.chance(20) and document(odd) or nil
      local text = larder.json.encode(doc)
      local made = create { doc = doc, more = more, note = "n", list = { "a", "b" } }
      local found = assert(rows:get(id))
      local d = difference(found, made, "row") or difference(larder.json.decode(text), made.doc, "doc")
      if not d and (shares(doc, made) or shares(more, made)) then d = "a table of the caller's" end
      if not d and shares(made.doc, made.more) then d = "a table twice" end
      assert(not d, ("RANDOM_SEED=%d, round %d: %s in %s"):format(seed, round, tostring(d), text))
    end
    assert.equal(ROUNDS, unreturned() - before)
  end)

  it("is not the caller's to change, nor the caller's the answer's", function()
    local doc = { list = { 1, { deep = true } }, name = "x" }
    local one, two = create { doc = doc }, create { doc = doc }
    one.doc.list[2].deep = "changed"
    one.doc.list[3] = 3
    assert.same({ list = { 1, { deep = true } }, name = "x" }, doc)
    assert.same(doc, two.doc)
    doc.list[2].deep = false
    assert.same({ list = { 1, { deep = true } }, name = "x" }, two.doc)
  end)

  it("has a list once for each place where it stands", function()
    local tag = { "t" }
    local made = create { doc = { a = tag, b = tag } }
    assert.same({ a = { "t" }, b = { "t" } }, made.doc)
    assert.is_false(rawequal(made.doc.a, made.doc.b))
  end)

  it("is refused as ever, and the next row is right", function()
    local loop = {}
    loop.again = { loop }
    for _, doc in ipairs { loop, { a = 0 / 0 }, { a = { print } }, { a = { b = { [1] = 1, x = 2 } } }, { a = "\255" } } do
      local row, err = rows:create { id = 0, doc = doc }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      assert.same({ a = { "b" } }, create({ doc = { a = { "b" } } }).doc)
    end
  end)
end)
