-- The functions of the module larder.core, and its declarations.

local core = require "larder.core"

local null, array_mt = core.null, core.array_mt

local function invalid(v, err)
  assert.is_nil(v)
  assert.equal("invalid", err.code)
  return err
end

describe("larder.core", function()
  it("says its version, and has the sentinels of cjson", function()
    assert.is_string(core.version)
    assert.equal("userdata", type(core.null))
    assert.not_equal(core.null, core.PENDING)
    local ok, cjson = pcall(require, "cjson")
    if ok then
      assert.equal(cjson.null, core.null)
      assert.equal("[null]", cjson.encode { core.null })
    end
  end)

  it("keeps its metatables to itself", function()
    local engine = core.memory()
    assert.is_false(getmetatable(engine))
    assert.matches("^larder.engine: ", tostring(engine))
    assert.has_error(function() return engine.x.y end)
    assert.has_error(function() engine.kind(core.checksum()) end)
    assert.has_error(function() engine.kind({}) end)
    assert.has_error(function() engine.kind() end)
    engine:close()
  end)

  describe("JSON", function()
    local function both(text)
      return core.json_encode((assert(core.json_decode(text))))
    end

    it("goes both ways without loss", function()
      for _, text in ipairs {
        "[]", "{}", "null", "true", '"x"', "[1,2,3]", '{"a":[{}]}', "9223372036854775807", "-9223372036854775808", "1.5", "0", "-1",
        '[null,[],{},""]', '"\\u0001"', "[[[[]]]]", "1e+300", "0.1",
      } do
        assert.equal(text, both(text))
      end
      assert.equal('"é€😀"', both '"\\u00e9\\u20ac\\ud83d\\ude00"')
      assert.equal("[1]", both " [ 1 ] ")
    end)

    it("writes the canonical form on request", function()
      assert.equal('{"a": [1, {}], "bb": null}', core.json_encode({ bb = null, a = { 1, {} } }, true))
    end)

    it("refuses what is no JSON", function()
      for _, text in ipairs {
        "", " ", "[", "[1,]", "{", '{"a"}', '{"a":}', "tru", "01", "1.", "'x'", '"\\x"', '"\\u0000"', '"\\ud800"', '"\255"', "[1] 2",
        "NaN", '"a\nb"', ("["):rep(513), "\0",
      } do
        invalid(core.json_decode(text))
      end
      for text, place in pairs { ['{"a": 1,, }'] = 9, ["[1, 2"] = 6, ["[1, nix]"] = 5, ['["ab\\x"]'] = 5, ['["\195\164b\255"]'] = 6,
        ['["a\nb"]'] = 4, ["[1] 2"] = 5, ["-"] = 2, [""] = 1 } do
        local _, err = core.json_decode(text)
        assert.matches(("not JSON at byte %d: "):format(place), err.message, 1, true)
      end
      for _, v in ipairs { 0 / 0, 1 / 0, -1 / 0, print, { [2] = 1 }, { 1, a = 1 }, "\255", "\0", { [{}] = 1 } } do
        invalid(core.json_encode(v))
      end
      invalid(core.json_encode(coroutine.create(print)))
      invalid(core.json_encode(core.PENDING))
      assert.has_error(function() core.json_encode() end)
      assert.has_error(function() core.json_decode {} end)
    end)

    it("marks arrays", function()
      assert.equal(array_mt, getmetatable(core.json_decode "[]"))
      assert.is_nil(getmetatable(core.json_decode "{}"))
      assert.equal("[]", core.json_encode(setmetatable({}, array_mt)))
      assert.equal("{}", core.json_encode {})
      assert.equal("null", core.json_encode(nil))
      assert.equal("null", core.json_encode(null))
    end)

    it("writes a list in its order, however it was filled", function()
      local backwards, odd_first = {}, {}
      for i = 9, 1, -1 do backwards[i] = { i } end
      assert.equal("[[1],[2],[3],[4],[5],[6],[7],[8],[9]]", core.json_encode(backwards))
      for i = 1, 9, 2 do odd_first[i] = i end
      for i = 8, 2, -2 do odd_first[i] = i end
      assert.equal("[1,2,3,4,5,6,7,8,9]", core.json_encode(odd_first))
      local deep = 1
      for _ = 1, 200 do -- each element is looked at once
        local list = { [3] = 3, [2] = deep }
        list[1] = 1
        deep = list
      end
      assert.equal(("[1,"):rep(200) .. "1" .. (",3]"):rep(200), core.json_encode(deep))
    end)

    it("tells of a table that is no list before what is amiss in its elements", function()
      local KEYS = "must not hold a table whose keys are neither 1 to n nor all text"
      local function why(v) return select(2, core.json_encode(v)).message end
      for _, v in ipairs { { print, a = 1 }, { { { 0 / 0 } }, [3] = 1 }, { 1, 2, print, nil, 5 }, { { print, [1.5] = 1 } } } do
        assert.matches(KEYS, why(v), 1, true)
      end
      assert.matches("must not hold NaN", why { 1, { 0 / 0 } }, 1, true)
      local loop = {}
      loop[1], loop[2] = 1, loop
      assert.matches("is nested too deeply", why(loop), 1, true)
      loop.x = 1
      assert.matches(KEYS, why(loop), 1, true)
    end)

    it("works again after a refusal, and for large texts", function()
      invalid(core.json_encode { 1, { 2, { 0 / 0 } } })
      local long = ("x"):rep(200000)
      assert.equal('"' .. long .. '"', core.json_encode(long))
      assert.equal("[1]", core.json_encode { 1 })
    end)
  end)

  it("parses and formats times", function()
    local us = core.time_parse "2026-01-02T03:04:05.000006Z"
    assert.equal(1767323045000006, us)
    assert.equal("2026-01-02T03:04:05.000006Z", core.time_format(us))
    assert.equal(1500000, core.time_parse(1.5))
    assert.equal(2000000, core.time_parse(2))
    assert.is_nil(core.time_parse "nonsense")
    assert.is_nil(core.time_parse {})
    assert.is_nil(core.time_parse(0 / 0))
    assert.has_error(function() core.time_parse() end)
    assert.has_error(function() core.time_format "x" end)
    assert.is_true(core.now() > 1700000000000000)
    local before = core.clock()
    core.sleep(0.002)
    assert.is_true(core.clock() - before >= 0.002)
    assert.has_error(function() core.sleep(-1) end)
    assert.has_error(function() core.sleep(0 / 0) end)
  end)

  it("makes ids, digests and random digits", function()
    assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", core.uuid())
    assert.not_equal(core.uuid(), core.uuid())
    assert.matches("^c[%l%d]+$", core.cuid())
    assert.equal(25, #core.cuid())
    assert.equal(64, #core.digest "x")
    assert.not_equal(core.digest "x", core.digest "y")
    assert.equal("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8", core.digest "")
    assert.matches("^%x%x%x%x$", core.random_hex(2))
    assert.has_error(function() core.random_hex(0) end)
    assert.has_error(function() core.random_hex(65) end)
    assert.is_true(core.utf8_valid "é")
    assert.is_false(core.utf8_valid "\255")
  end)

  it("writes bytes as base64url without padding", function()
    assert.equal("", core.base64url "")
    assert.equal("_-8", core.base64url "\255\239")
    assert.equal("AAECAwQ", core.base64url "\0\1\2\3\4")
    assert.has_error(function() core.base64url() end)
  end)

  it("hashes and checks passwords", function()
    local hash = assert(core.password_hash("pw", 1, 8192))
    assert.matches("^%$argon2id%$", hash)
    assert.is_true(core.password_check(hash, "pw"))
    assert.is_false(core.password_check(hash, "other"))
    assert.is_false(core.password_check("nonsense", "pw"))
    assert.is_false(core.password_stale(hash, 1, 8192))
    assert.is_true(core.password_stale(hash))
    assert.has_error(function() core.password_hash({}) end)
    assert.has_error(function() core.password_hash("x", -1) end)
    local _, err = core.password_hash("pw", 1, 1)
    assert.is_string(err.code)
  end)

  it("makes, parses and verifies keys", function()
    assert.is_true(core.set_peppers(""))
    local secret, id, prefix, stored = core.apikey_make "live"
    assert.equal("lk_live", prefix)
    assert.equal("lk_live_" .. id, secret:sub(1, #prefix + 1 + #id))
    assert.same({ id, "live" }, { core.apikey_parse(secret) })
    assert.is_nil(core.apikey_parse(secret .. "x"))
    assert.is_nil(core.apikey_parse "")
    assert.same({ true, false }, { core.apikey_verify(secret, stored) })
    assert.same({ false, false }, { core.apikey_verify(secret, nil) })
    assert.same({ false, false }, { core.apikey_verify("nonsense", stored) })
    assert.same({ false, false }, { core.apikey_verify((core.apikey_make "live"), stored) })
    assert.is_true(core.set_peppers("1:" .. ("ab"):rep(32)))
    assert.same({ true, true }, { core.apikey_verify(secret, stored) })
    local text = ("cd"):rep(32)
    local err = invalid(core.set_peppers("1:" .. text .. "!"))
    assert.not_matches(text, tostring(err), 1, true)
    assert.has_error(function() core.apikey_make "Live" end)
    assert.has_error(function() core.apikey_make "" end)
    core.set_peppers ""
  end)

  it("seals and unseals", function()
    local key = ("k"):rep(32)
    local sealed = assert(core.seal(key, "host=db password=x\0y"))
    assert.not_matches("password", sealed)
    assert.equal("host=db password=x\0y", core.unseal(key, sealed))
    assert.equal("", core.unseal(key, (core.seal(key, ""))))
    local text, err = core.unseal(("x"):rep(32), sealed)
    assert.is_nil(text)
    assert.equal("unauthorized", err.code)
    assert.equal("unauthorized", select(2, core.unseal(key, "nonsense")).code)
    assert.has_error(function() core.seal("short", "x") end)
  end)

  it("parses connection strings as libpq does", function()
    assert.same({ host = "h", port = "1", user = "u", password = "p w", dbname = "d", sslmode = "require" },
      core.parse_conninfo "postgres://u:p%20w@h:1/d?sslmode=require")
    assert.same({ host = "h", dbname = "a b" }, core.parse_conninfo "host=h dbname='a b'")
    local v, err = core.parse_conninfo "host=h secret_option=geheim"
    assert.is_nil(v)
    assert.equal("invalid", err.code)
    assert.not_matches("geheim", tostring(err))
    assert.has_error(function() core.parse_conninfo {} end)
  end)

  describe("errors", function()
    it("read well with tostring, .. and assert", function()
      local err = core.error { code = "conflict", message = "there is one" }
      assert.equal("conflict: there is one", tostring(err))
      assert.equal("conflict: there is one!", err .. "!")
      assert.equal("!conflict: there is one", "!" .. err)
      assert.equal("conflict: there is oneconflict: there is one", err .. err)
      assert.is_false(err.retryable)
      assert.equal(core.error_mt, getmetatable(err))
      assert.equal("x: x", tostring(core.error { code = "x" }))
    end)

    it("need a code", function()
      assert.has_error(function() core.error {} end)
      assert.has_error(function() core.error "x" end)
    end)
  end)

  describe("a declaration", function()
    local function entity(more)
      local e = {
        name = "t", table = "s.t", key = { name = "t_pkey", "id" },
        fields = { { name = "id", type = "text" }, { name = "n", type = "int8", null = true } },
      }
      for k, v in pairs(more or {}) do e[k] = v end
      return { name = "fam", entities = { e } }
    end

    local function field(more)
      local f = { name = "x", type = "text" }
      for k, v in pairs(more) do f[k] = v end
      return entity { fields = { { name = "id", type = "text" }, f } }
    end

    local function refused(decl, pattern)
      local ok, err = pcall(core.schema, decl)
      assert.is_false(ok)
      assert.is_string(err)
      assert.matches(pattern, err)
    end

    it("that is right is taken", function()
      assert.matches("^larder.schema: ", tostring(core.schema(entity())))
      core.schema(field { type = "jsonb", default = {} })
      core.schema(field { type = "jsonb", default = { "now" } })
      core.schema(field { type = "timestamptz", default = { "now" } })
      core.schema(field { type = "text[]", default = { "a" } })
      core.schema(field { type = "numeric", precision = 10, scale = 2, default = "1.5" })
    end)

    it("that is wrong raises and names the place", function()
      refused(5, "table expected")
      refused({}, "name is missing")
      refused({ name = "fam", entities = { 5 } }, "fam.*an entity must be a table")
      refused({ name = "fam", nonsense = 1 }, "nonsense")
      refused(entity { nonsense = 1 }, "nonsense")
      refused(entity { table = 5 }, "table must be text")
      refused(entity { table = "a.b.c" }, "fam.t")
      refused(entity { key = false }, "key must be a table")
      refused(entity { key = { "id" } }, "name is missing")
      refused(entity { key = { name = "t_pkey", "nope" } }, "nope")
      refused(entity { key = { name = "t_pkey", 5 } }, "list of names")
      refused(entity { fields = {} }, "fam.t")
      refused(entity { uniques = { { name = "u" } } }, "fam.t")
      refused(entity { uniques = { { name = "u", "n", where = { nope = 1 } } } }, "nope")
      refused(entity { uniques = { { name = "u", "n", where = { n = "x" } } } }, "n must be an integer")
      refused(entity { references = { { name = "r", fields = { "id" }, to = "nowhere" } } }, "nowhere")
      refused(entity { references = { { name = "r", fields = { "id" }, to = "t", on_delete = "explode" } } }, "on_delete")
      refused(entity { indexes = { { "-nope" } } }, "nope")
      refused(entity { indexes = { 5 } }, "an index must be a table")
      refused(entity { tenant = "nope" }, "nope")
      refused(entity { soft_delete = "n" }, "soft_delete")
    end)

    it("refuses wrong fields", function()
      refused(field { type = "texto" }, "texto")
      refused(field { type = "[]" }, "there is no type")
      refused(field { nonsense = 1 }, "nonsense")
      refused(field { null = 1 }, "null must be a boolean")
      refused(field { max_len = "x" }, "max_len must be an integer")
      refused(field { max_len = -1 }, "max_len is out of range")
      refused(field { stamp = "never" }, "stamp")
      refused(field { enum = "x" }, "enum must be a table")
      refused(field { enum = { 5 } }, "list of names")
      refused(field { default = 5 }, "x must be text")
      refused(field { type = "int8", default = { "soon" } }, "x must be an integer")
      refused(field { type = "int8", default = { "now" } }, "fam.t")
      refused(field { name = "a\0b" }, "zero byte")
      refused(field { name = "id" }, "declared twice")
      refused({ name = "fam", entities = { { name = "t", table = "t", fields = { 5 } } } }, "a field must be a table")
    end)

    it("is looked up by its stores' names", function()
      local engine, schema = core.memory(), core.schema(entity())
      assert.equal("t", engine:store(schema, "t"):name())
      assert.has_error(function() engine:store(schema, "u") end)
      assert.has_error(function() engine:store({}, "t") end)
      engine:close()
    end)
  end)

  it("counts its memory and fails on request", function()
    collectgarbage()
    local before = core.mem_live()
    local engine = core.memory()
    assert.is_true(core.mem_live() > before)
    engine:close()
    core.mem_fail_at(1)
    local v, err = core.memory()
    core.mem_fail_at(0)
    assert.is_nil(v)
    assert.equal("capacity", err.code)
    core.mem_fail_at(0)
    assert.is_false(core.mem_failed())
  end)
end)
