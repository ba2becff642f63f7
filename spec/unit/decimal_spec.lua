-- Exact decimals, and numbers in JSON that no double holds.

local larder = require "larder"

local decimal, json = larder.decimal, larder.json

describe("larder.decimal", function()
  it("computes exactly", function()
    assert.equal("0.3", tostring(decimal "0.1" + decimal "0.2"))
    assert.equal("0.3", tostring(decimal "0.1" + "0.2"))
    assert.equal("1.60", tostring(2 - decimal "0.40"))
    assert.equal("-0.60", tostring(decimal "0.40" - 1))
    assert.equal("0.0200", tostring(decimal "0.10" * "0.20"))
    assert.equal("121932631356500531591068431581771069347203169112635269",
      tostring(decimal "123456789123456789123456789" * "987654321987654321987654321"))
    assert.equal("-99980001", tostring(decimal "-9999" * 9999))
    assert.equal("0", tostring(decimal "0" * "-5"))
    assert.equal("-12.50", tostring(-decimal "12.50"))
    assert.equal("0.00", tostring(-decimal "0.00"))
  end)

  it("divides to a scale, rounding half away from zero", function()
    assert.equal("3.33", tostring(decimal "10":div(3, 2)))
    assert.equal("0.67", tostring(decimal "2":div(3, 2)))
    assert.equal("-0.67", tostring(decimal "-2":div(3, 2)))
    assert.equal("1", tostring(decimal "0.5":div(1, 0)))
    assert.equal("-1", tostring(decimal "-1":div(2, 0)))
    assert.equal("100.00", tostring(decimal "99.995":div(1, 2)))
    assert.equal("0.0001", tostring(decimal "1":div("10000", 4)))
    assert.equal("2500", tostring(decimal "0.5":div("0.0002", 0)))
    assert.equal("12", tostring(decimal "123.45":div("10.2", 0)))
    assert.equal("3.3333333333333333", tostring(decimal "10" / 3))
    assert.equal("0.66666666666666666667", tostring(decimal "2" / 3))
    assert.equal("1.23", tostring(decimal "1.225":round(2)))
    assert.equal("-2", tostring(decimal "-1.5":round(0)))
    local ok, why = pcall(function() local d = decimal "1" / 0 return d end)
    assert.is_false(ok)
    assert.matches("decimal_spec.lua:%d+: larder.decimal: a decimal is divided by zero", why)
    assert.has_error(function() local d = decimal "1":div(3, -1) return d end)
    assert.has_error(function() local d = decimal "1":round(0.5) return d end)
  end)

  it("compares by value", function()
    assert.is_true(decimal "1.0" == decimal "1.000")
    assert.is_false(decimal "1.0" == {} or {} == decimal "1.0")
    assert.is_true(decimal "0.1" < decimal "0.10000000000000000001")
    assert.is_true(decimal "-2" <= decimal "-2.0")
    assert.equal(0, decimal "1.5":cmp(1.5))
    assert.equal(-1, decimal "9":cmp "10")
    assert.equal(1, decimal "1e3":cmp(999))
    assert.equal(0.1, decimal "0.1":tonumber())
    assert.equal("a 1.50 b", "a " .. decimal "1.50" .. " b")
  end)

  it("raises for what is no number, at the caller's line", function()
    for _, v in ipairs { "x", "", true, {} } do
      local ok, why = pcall(function() local d = decimal(v) return d end)
      assert.is_false(ok)
      assert.matches("decimal_spec.lua:%d+: larder.decimal: ", why)
    end
    local ok, why = pcall(function() local d = decimal "1" + "x" return d end)
    assert.is_false(ok)
    assert.matches("decimal_spec.lua:%d+:", why)
  end)

  it("keeps numbers in JSON that no double holds", function()
    for text, back in pairs {
      ["18446744073709551615"] = "18446744073709551615", ["9223372036854775809"] = "9223372036854775809",
      ["12345678901234567890.123"] = "12345678901234567890.123", ["0.48812409112942318"] = "0.48812409112942318",
      ["1e400"] = "1" .. ("0"):rep(400), ["-1e-400"] = "-0." .. ("0"):rep(399) .. "1", ["1e5000"] = "1e5000",
    } do
      local value = assert(json.decode('{"a":' .. text .. "}")).a
      assert.equal("table", type(value))
      assert.equal(back, tostring(value))
      assert.equal('{"a":' .. back .. "}", json.encode { a = value })
    end
  end)

  it("leaves other numbers in JSON as they are", function()
    for text, number in pairs {
      ["0.1"] = 0.1, ["1.10"] = 1.1, ["1e22"] = 1e22, ["100000000000000000000"] = 1e20, ["0.48812409112942"] = 0.48812409112942,
      ["5e-324"] = 5e-324, ["1.7976931348623157e308"] = 1.7976931348623157e308, ["0.0000"] = 0, ["0e999"] = 0,
      ["3.141592653589793"] = 3.141592653589793,
    } do
      assert.equal(number, json.decode(text))
    end
  end)

  it("and everything else do not depend on the locale", function()
    -- a process of its own: LOCPATH is read once
    local dir = os.tmpname()
    os.remove(dir)
    assert(os.execute(("mkdir %s && localedef -c -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1; true"):format(dir, dir)))
    local script = dir .. "/locale.lua"
    local file = assert(io.open(script, "w"))
    file:write [==[
      local larder = require "larder"
      assert(os.setlocale "de_DE.UTF-8", "the locale was not made")
      larder.declare { name = "locale", entities = { { name = "t", table = "locale.t",
        fields = { { name = "id", type = "int4" }, { name = "n", type = "numeric" }, { name = "doc", type = "jsonb" },
                   { name = "f", type = "float8" }, { name = "list", type = "numeric[]" } },
        key = { name = "t_pkey", "id" } } } }
      local db = assert(larder.open "memory:")
      local row = assert(db:stores("locale").t:create { id = 1, n = 1.5, doc = { 0.1, 123456.789e-7 }, f = 2.5, list = { 1.5, 2 } })
      assert(row.n == "1.5" and row.doc[1] == 0.1 and row.f == 2.5 and row.list[1] == "1.5")
      assert(db:stores("locale").t:count { n = 1.5 } == 1)
      assert(tostring(larder.decimal(0.5) + 0.25) == "0.75")
      assert(larder.json.encode { 0.5 } == "[0.5]" and larder.json.decode "1.25" == 1.25)
      local avg = assert(db:stores("locale").t:aggregate { aggs = { { "avg", "n" } } })[1].avg
      assert(avg == 1.5)
      assert(not db:metrics():find("%d,%d"))
      if os.getenv "LARDER_TEST_URL" then
        local pg = assert(larder.open(os.getenv "LARDER_TEST_URL"))
        local r = assert(pg:query("select $1::money::text as m, 1.5::float8 as f, 0.25::float4 as g, $2::numeric as n,"
          .. " current_date as d", 0.5, 1.5))[1]
        assert(r.m == "$0.50" and r.f == 1.5 and r.g == 0.25 and r.n == "1.5")
        assert(not pg:metrics():find("%d,%d"))
        pg:close()
      end
      print "fine"
    ]==]
    file:close()
    local lua = arg and arg[-1] or "lua"
    local i = -1
    while arg and arg[i] do lua, i = arg[i], i - 1 end
    -- glibc never frees what setlocale reads from LOCPATH, so LeakSanitizer is off in this process
    local command = ("ASAN_OPTIONS=${ASAN_OPTIONS}:detect_leaks=0 LOCPATH=%s LUA_PATH='%s' LUA_CPATH='%s' %s %s 2>&1"):format(
      dir, package.path, package.cpath, lua, script)
    local pipe = assert(io.popen(command))
    local said = pipe:read "*a"
    pipe:close()
    os.execute("rm -r " .. dir)
    assert.equal("fine\n", said)
  end)
end)
