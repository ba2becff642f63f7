-- get_many finds rows by the core's own keys: every spelling of a key that get takes, for every type.

local engines = require "spec.support.engines"
local keyed = require "spec.support.keyed"

for _, engine in ipairs(engines) do
  describe("get_many on " .. engine.name, function()
    local stores

    setup(function() stores = keyed.stores(engine.fresh(nil)) end)
    teardown(engine.done)

    for name, spec in pairs(keyed.TYPES) do
      it("finds a row by every spelling of a key of type " .. name, function()
        local alone, pair = stores[name .. "_alone"], stores[name]
        local one, other = assert(alone:create { k = spec[2], v = 1 }), assert(alone:create { k = spec[3], v = 2 })
        local both = assert(pair:create { k = spec[2], t = "x", v = 3 })
        for i, key in ipairs(keyed.spellings(name)) do
          assert.same(one, assert(alone:get(key)), i)
          assert.is_true(alone:exists(key), i)
          assert.same(one, assert(alone:find { k = key }), i)
          assert.same({ other, one, one }, assert(alone:get_many { spec[3], key, { key } }), i)
          assert.same({ false, both }, assert(pair:get_many { { key, "X" }, { key, "x" } }), i)
        end
      end)
    end

    it("answers in the order of the keys, over several statements", function()
      local store, keys, rows = stores.int4_alone, {}, {}
      for i = 1, 2100 do
        keys[i] = 100000 - i
        if i % 3 ~= 0 then rows[#rows + 1] = { k = 100000 - i, v = i } end
      end
      assert(store:create_many(rows))
      keys[2101] = keys[1]
      local got = assert(store:get_many(keys))
      assert.equal(2101, #got)
      for i = 1, 2100 do
        if i % 3 == 0 then assert.is_false(got[i]) else assert.equal(i, got[i].v) end
      end
      assert.equal(1, got[2101].v)
    end)

    it("finds zero by its other sign, and NaN by NaN", function()
      local store = stores.float8_alone
      assert(store:create { k = 0.0, v = 1 })
      assert(store:create { k = 0 / 0, v = 2 })
      local got = assert(store:get_many { -0.0, 0 / 0, 1 / 0 })
      assert.equal(1, got[1].v)
      assert.equal(2, got[2].v)
      assert.is_false(got[3])
    end)

    it("leaves out rows that are marked as deleted, unless told otherwise", function()
      local store = stores.text_alone
      assert(store:create { k = "gone" })
      assert(store:delete "gone")
      assert.same({ false }, assert(store:get_many { "gone" }))
      assert.equal("gone", assert(store:get_many({ "gone" }, { with_deleted = true }))[1].k)
    end)

    it("refuses keys that get refuses", function()
      for _, keys in ipairs { { "x" }, { 1.5 }, { {} }, { { 1, 2 } }, { false } } do
        local ok, rows, err = pcall(stores.int4_alone.get_many, stores.int4_alone, keys)
        assert.is_true(not ok or rows == nil and err.code == "invalid")
      end
    end)
  end)
end
