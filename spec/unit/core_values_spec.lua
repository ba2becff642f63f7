-- Values between Lua and the core: every type, both ways, and every bad input.

local core = require "larder.core"
local things = require "spec.support.core_things"

local null, array_mt = core.null, core.array_mt
local is_luajit = rawget(_G, "jit") ~= nil
local ffi = is_luajit and require "ffi"

--- An integer beyond 2^53, from its decimal text.
local function wide(text)
  if not is_luajit then return tonumber(text) end
  return assert(load("return " .. text .. "LL"))()
end

local function array(t)
  return setmetatable(t, array_mt)
end

describe("values of larder.core", function()
  local engine, store
  local next_id = 0

  before_each(function() engine, store = things.open() end)
  after_each(function() engine:close() end)

  local function stored(field, value)
    next_id = next_id + 1
    local row = assert(store:create { owner = "a", id = next_id, [field] = value })
    assert.same(row[field], store:get("a", next_id)[field])
    return row[field]
  end

  local function fault(field, value)
    next_id = next_id + 1
    local row, err = store:create { owner = "a", id = next_id, [field] = value }
    assert.is_nil(row)
    assert.equal("invalid", err.code)
    return assert(err.fields[field], tostring(err))
  end

  it("keeps integers exact to 64 bits", function()
    assert.equal(12, stored("seq", 12))
    assert.equal(12, stored("seq", 12.0))
    for _, text in ipairs { "9007199254740993", "9223372036854775807", "-9007199254740993" } do
      local value = stored("seq", wide(text))
      assert.equal(is_luajit and "cdata" or "number", type(value))
      assert.equal(wide(text), value)
    end
    local lowest = wide "-9223372036854775807" - 1
    assert.equal(lowest, stored("seq", lowest))
    assert.equal("number", type(stored("seq", 2 ^ 53)))
    assert.equal(32767, stored("small", 32767))
  end)

  it("refuses what is no integer, or does not fit", function()
    for _, value in ipairs { "1", 1.5, true, {}, 0 / 0, 1 / 0, 2 ^ 63 } do fault("seq", value) end
    assert.matches("out of range", fault("small", 32768))
    assert.matches("out of range", fault("small", -32769))
    assert.matches("at most", fault("whole", 1000001))
  end)

  if is_luajit then
    it("takes 64-bit cdata, unsigned ones when they fit", function()
      assert.equal(5, stored("seq", ffi.new("uint64_t", 5)))
      assert.equal(5, stored("small", ffi.new("int64_t", 5)))
      assert.equal(5, stored("ratio", ffi.new("int64_t", 5)))
      assert.equal("5.000", stored("price", ffi.new("int64_t", 5)))
      assert.same({ wide "9223372036854775807" }, stored("grid", { wide "9223372036854775807" }))
      fault("seq", ffi.new("uint64_t", -1))
      fault("seq", ffi.new("int[1]"))
      fault("title", wide "5")
      fault("doc", ffi.new("uint64_t", -1))
      fault("doc", { ffi.new("int[1]") })
      assert.is_true(store:exists("a", wide "0") == false)
    end)
  end

  it("keeps floats, booleans, texts and bytes", function()
    assert.equal(0.1, stored("ratio", 0.1))
    assert.equal(3, stored("ratio", 3))
    assert.equal(1 / 0, stored("ratio", 1 / 0))
    local nan = assert(store:create { owner = "a", id = 0, ratio = 0 / 0 }).ratio
    assert.is_true(nan ~= nan)
    assert.is_true(stored("flag", true))
    assert.is_false(stored("flag", false))
    assert.equal("é\n", stored("title", "é\n"))
    assert.equal("", stored("title", ""))
    assert.equal("a\0\255", stored("raw", "a\0\255"))
    for _, value in ipairs { "1", {}, true } do fault("ratio", value) end
    for _, value in ipairs { 0, 1, "true", {} } do fault("flag", value) end
    for _, value in ipairs { 5, true, {} } do assert.equal("must be text", fault("title", value)) end
    for _, value in ipairs { 5, true, {} } do fault("raw", value) end
    for _, value in ipairs { "\255", "\237\160\128", "a\0b", "\192\175" } do fault("title", value) end
  end)

  it("keeps numeric exact, and takes it as a string or a number", function()
    assert.equal("1.500", stored("price", "1.5"))
    assert.equal("2.000", stored("price", 2))
    assert.equal("0.100", stored("price", 0.1))
    assert.equal("-1200.000", stored("price", "-1.2e3"))
    assert.equal("123456789.013", stored("price", "123456789.0125"))
    assert.equal("NaN", stored("price", 0 / 0))
    for _, value in ipairs { "x", "1,5", " 1", "", true, {}, "1e12", 1 / 0 } do fault("price", value) end
  end)

  it("keeps uuids in lower case", function()
    assert.equal("6ba7b810-9dad-11d1-80b4-00c04fd430c8", stored("uid", "6BA7B810-9dad-11d1-80b4-00c04fd430c8"))
    for _, value in ipairs { "6ba7b810", "", 5, true, {} } do fault("uid", value) end
  end)

  it("keeps times in UTC to the microsecond", function()
    assert.equal("2026-01-02T03:04:05.000006Z", stored("at", "2026-01-02T03:04:05.000006Z"))
    assert.equal("2026-01-02T01:04:05.500000Z", stored("at", "2026-01-02t03:04:05.5+02:00"))
    assert.equal("1970-01-01T00:00:10.000000Z", stored("at", 10))
    assert.equal("1970-01-01T00:00:01.500000Z", stored("at", 1.5))
    assert.equal("1969-12-31T23:59:59.000000Z", stored("at", -1))
    assert.equal("1970-01-01T00:00:10.000000Z", stored("at", 10.0))
    for _, value in ipairs { "2026-01-02T03:04:05", "yesterday", true, {}, 1e300, 0 / 0 } do fault("at", value) end
  end)

  it("reads null as an absent field", function()
    assert.is_nil(stored("title", null))
    assert.is_nil(stored("doc", null))
    assert.is_nil(stored("tags", null))
    local row = store:get("a", next_id)
    for name in pairs(row) do assert.not_equal("tags", name) end
  end)

  describe("as JSON", function()
    it("keeps every value", function()
      local doc = {
        list = array { 1, 2.5, "x", true, false, null, {}, array {} }, empty = {}, none = array {}, nested = { a = { b = array { 1 } } },
        big = wide "9007199254740993", text = "é\"\\\n\t", zero = 0,
      }
      local back = stored("doc", doc)
      assert.same(doc, back)
      assert.equal(array_mt, getmetatable(back.list))
      assert.equal(array_mt, getmetatable(back.none))
      assert.is_nil(getmetatable(back.empty))
      assert.equal(null, back.list[6])
      assert.equal(wide "9007199254740993", back.big)
    end)

    it("takes scalars and lists by their keys", function()
      assert.equal("x", stored("doc", "x"))
      assert.equal(5, stored("doc", 5))
      assert.is_false(stored("doc", false))
      assert.same({ 1, 2 }, stored("doc", { 1, 2 }))
      assert.equal(array_mt, getmetatable(stored("doc", { 1 })))
      assert.is_nil(getmetatable(stored("doc", {})))
    end)

    it("names the field for what is no JSON", function()
      local endless = {}
      endless.again = endless
      local mixed = { 1, x = 2 }
      for _, value in ipairs {
        { [1] = 1, [3] = 3 }, mixed, { [true] = 1 }, { [1.5] = 1 }, { 0 / 0 }, { 1 / 0 }, { "\255" }, { "a\0" }, { ["a\0"] = 1 },
        { ["\255"] = 1 }, { print }, endless, { coroutine.create(print) }, array { a = 1 }, { io.stdout },
      } do
        fault("doc", value)
      end
    end)

    it("nests to 512 levels and no deeper", function()
      local function nest(n)
        local t = array {}
        for _ = 2, n do t = array { t } end
        return t
      end
      assert.is_table(stored("doc", nest(512)))
      fault("doc", nest(513))
    end)
  end)

  describe("as arrays", function()
    it("keeps any dimension, and null elements", function()
      assert.same({ "a", null, "é" }, stored("tags", { "a", null, "é" }))
      assert.same({}, stored("tags", {}))
      assert.equal(array_mt, getmetatable(stored("tags", {})))
      assert.same({ { 1, 2 }, { 3, null } }, stored("grid", { { 1, 2 }, { 3, null } }))
      assert.same({ { { { { { 7 } } } } } }, stored("grid", { { { { { { 7 } } } } } }))
      assert.same({ wide "9007199254740993" }, stored("grid", { wide "9007199254740993" }))
    end)

    it("refuses what is none", function()
      for _, value in ipairs {
        "x", 5, { a = 1 }, { "a", x = 1 }, { [2] = "a" }, { 1 }, { "\255" }, { { "a" }, { "b", "c" } }, { {} }, { { "a" }, "b" },
        { { { { { { { "x" } } } } } } },
      } do
        fault("tags", value)
      end
      for _, value in ipairs { { "1" }, { 1.5 }, { { 1 }, { "x" } }, { true } } do fault("grid", value) end
    end)
  end)

  it("does not change what it was given", function()
    local row = { owner = "a", id = 5, doc = { 1, { x = null } }, price = 1, ratio = 1, tags = { "x" } }
    assert(store:create(row))
    assert.same({ owner = "a", id = 5, doc = { 1, { x = null } }, price = 1, ratio = 1, tags = { "x" } }, row)
    assert.equal("number", type(row.price))
    local doc = store:get("a", 5).doc
    doc[2].x = "changed"
    assert.equal(null, store:get("a", 5).doc[2].x)
  end)
end)
