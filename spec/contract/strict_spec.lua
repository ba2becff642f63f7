-- Nothing found is not nothing asked: what a caller hands over is read in one way, and what cannot be meant is refused at the
-- caller's line.

local core = require "larder.core"
local larder = require "larder"
local engines = require "spec.support.engines"

-- A table that shows what it holds only through its metatable, as class libraries and read-only wrappers make them.
local function proxy(of)
  return setmetatable({}, { __index = of, __pairs = function() return next, of, nil end, __len = function() return #of end })
end

-- Conditions that turn out empty, or that no one can have meant.
local function empty_conditions()
  local row_filter = assert(larder.json.decode '{"filter":[]}').filter
  return {
    ["{}"] = {}, ["a proxy"] = proxy { page = "a" }, ["an empty proxy"] = setmetatable({}, { __index = {} }),
    ["an empty table with a metatable"] = setmetatable({}, { __name = "filter" }),
    ["an empty array"] = larder.array {}, ["an array of a JSON document"] = row_filter,
    ["{ {} }"] = { {} }, ["a condition at 2"] = { [2] = { page = "a" } }, ["at 0"] = { [0] = { page = "a" } },
    ["at 1.5"] = { [1.5] = { page = "a" } }, ["at -1"] = { [-1] = "x" }, ["behind a hole"] = { { page = "a" }, nil, { page = "b" } },
    ["a boolean as its key"] = { [true] = 1 }, ["not of nothing"] = larder.not_ {}, ["all of an empty one"] = larder.all { {} },
    ["any of an empty one"] = larder.any { { page = "a" }, {} }, ["a proxy inside"] = { page = "a", proxy { page = "b" } },
    ["operators in a proxy"] = { page = proxy { gt = "a" } },
  }
end

-- A call raises at a line of this file, and the text goes on with the pattern.
local function raises_here(pattern, call)
  local ok, said = pcall(call)
  assert.is_false(ok, pattern)
  assert.matches("strict_spec.lua:%d+: " .. pattern, said)
end

for _, engine in ipairs(engines) do
  describe("strictness on " .. engine.name, function()
    local db, visits, items

    before_each(function()
      db = engine.fresh "shop"
      local shop = db:stores "shop"
      visits, items = shop.visits, shop.items
      for _, page in ipairs { "a", "b", "c" } do assert(visits:create { page = page }) end
    end)

    teardown(engine.done)

    local function pages()
      local list = {}
      for row in visits:each { order = "page" } do list[#list + 1] = row.page end
      return table.concat(list, " ")
    end

    local METHODS = {
      find = function(w) return visits:find(w) end, count = function(w) return visits:count(w) end,
      list = function(w) return visits:list { where = w } end,
      each = function(w) return visits:each { where = w }() end,
      aggregate = function(w) return visits:aggregate { where = w, aggs = { { "count" } } } end,
      filter = function(w) return visits:aggregate { aggs = { { "count", filter = w } } } end,
      rank = function(w) return visits:list { order = { { rank = { w } } } } end,
      update_where = function(w) return visits:update_where(w, { page = "x" }) end,
      delete_where = function(w) return visits:delete_where(w) end,
      patch = function(w) return visits:patch(visits:find({ page = "a" }).id, { page = "x" }, { where = w }) end,
      update = function(w) return visits:update(visits:find { page = "a" }, { where = w }) end,
      exists = function(w) return items:count { larder.exists("visits", { page = "title" }, w) } end,
    }

    for method, call in pairs(METHODS) do
      it("refuses conditions that turn out empty or odd in " .. method, function()
        for name, where in pairs(empty_conditions()) do
          local ok, result, err = pcall(call, where)
          assert.is_true(not ok or result == nil and larder.is_error(err) and err.code == "invalid", method .. ": " .. name)
          if not ok then assert.matches("strict_spec.lua:%d+: ", tostring(result), 1, false) end
        end
        assert.equal("a b c", pages())
      end)
    end

    it("takes larder.all {} alone for every row", function()
      assert.equal(3, visits:count(larder.all {}))
      assert.equal(3, visits:count())
      assert.equal(1, visits:count { larder.all {}, page = "a" })
      assert.equal(0, visits:count { larder.not_(larder.all {}) })
      assert.equal(3, visits:delete_where(larder.all {}))
      assert.has_error(function() larder.any {} end)
      assert.has_error(function() larder.all { nil, { page = "a" } } end)
      assert.has_error(function() larder.all(proxy { { page = "a" } }) end)
      assert.has_error(function() larder.any { [1] = { page = "a" }, [3] = { page = "b" } } end)
    end)

    it("lets a list that holds nothing match nothing", function()
      assert.equal(0, visits:count { page = {} })
      assert.equal(0, visits:count { page = { ["in"] = {} } })
      assert.equal(3, visits:count { page = { not_in = {} } })
      local n, err = visits:delete_where { page = { not_in = proxy { "a", "b" } } }
      assert.is_nil(n)
      assert.matches("hides what it holds", err.fields.page, 1, true)
      assert.has_error(function() visits:delete_where { page = { "a", nil, "b" } } end)
      assert.equal("a b c", pages())
    end)

    it("calls a hole a hole, wherever a list stands", function()
      for what, call in pairs {
        ["the list of conditions"] = function() larder.all { { page = "a" }, nil, { page = "b" } } end,
        ["the condition"] = function() visits:count { { page = "a" }, nil, { page = "b" } } end,
        ["page"] = function() visits:count { page = { "a", nil, "b" } } end,
        ["the list of keys"] = function() visits:get_many { 1, nil, 2 } end,
        ["the list of rows"] = function() visits:create_many { { page = "a" }, nil, { page = "b" } } end,
        ["option columns"] = function() visits:list { columns = { "id", nil, "page" } } end,
        ["option order"] = function() visits:list { order = { "id", nil, "page" } } end,
        ["option only"] = function() visits:update({ id = 1 }, { only = { "id", nil, "page" } }) end,
      } do
        local ok, why = pcall(call)
        assert.is_false(ok)
        assert.matches(what .. " has a hole", why, 1, true)
      end
      for _, operator in ipairs { "in", "not_in" } do
        local _, err = visits:count { page = { [operator] = { "a", nil, "b" } } }
        assert.matches("has a hole", err.fields.page, 1, true)
      end
    end)

    it("sees a nil in a condition that larder.where makes", function()
      local params = { page = "b" }
      assert.equal("b", assert(visits:find(larder.where(params, "page"))).page)
      assert.equal(1, visits:count(larder.where(params, "page")))
      local ok, why = pcall(larder.where, params, "page", "emial")
      assert.is_false(ok)
      assert.matches("emial is missing", why, 1, true)
      assert.has_error(function() larder.where(params) end)
      assert.has_error(function() larder.where(nil, "page") end)
      assert.equal(larder.null, larder.where({ price = larder.null }, "price").price)
    end)

    it("gives the error of must back from a transaction, and runs it again when that may help", function()
      local runs = 0
      local none, err = db:transaction({ retries = 2 }, function()
        runs = runs + 1
        larder.must(nil, larder.is_error and require("larder.base.errors").new {
          code = "serialization", message = "again", retryable = true,
        })
      end)
      assert.is_nil(none)
      assert.equal("serialization", err.code)
      assert.equal(3, runs)
      none, err = db:transaction(function() larder.must(visits:create { pagee = "x" }) end)
      assert.is_nil(none)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.pagee)
    end)

    it("purges by a condition, and empties a family", function()
      assert(items:create { tenant_id = "t", title = "kept" })
      for i = 1, 3 do assert(items:delete("t", assert(items:create { tenant_id = "t", title = "gone " .. i }).id)) end
      assert.equal(4, items:count(larder.all {}, { with_deleted = true }))
      assert.equal(2, items:purge_where { deleted_at = { is_null = false }, title = { "gone 1", "gone 2" } })
      assert.equal(2, items:count(larder.all {}, { with_deleted = true }))
      assert.has_error(function() items:purge_where {} end)
      assert.is_true(db:truncate "shop")
      assert.equal(0, items:count(larder.all {}, { with_deleted = true }))
      assert.equal(0, visits:count())
      assert.has_error(function() db:truncate "shpo" end)
    end)

    it("refuses rows, changes and lists that hide what they hold", function()
      local id = assert(visits:find { page = "a" }).id
      assert.has_error(function() visits:create(proxy { page = "x" }) end)
      assert.has_error(function() visits:create_many(proxy { { page = "x" }, { page = "y" } }) end)
      assert.has_error(function() visits:create_many { proxy { page = "x" } } end)
      assert.has_error(function() visits:create_many { page = "x" } end)
      assert.has_error(function() visits:create_many { { page = "x" }, nil, { page = "y" } } end)
      assert.has_error(function() visits:upsert(proxy { id = id, page = "x" }) end)
      assert.has_error(function() visits:update(proxy { id = id, page = "x" }) end)
      assert.has_error(function() visits:patch(id, proxy { page = "x" }) end)
      assert.has_error(function() visits:patch(id, { "x" }) end)
      assert.has_error(function() visits:update_where({ id = id }, proxy { page = "x" }) end)
      assert.has_error(function() visits:insert_async(proxy { id = 7, page = "x" }) end)
      assert.has_error(function() visits:get_many(proxy { id }) end)
      assert.has_error(function() visits:get_many { id, nil, id } end)
      assert.has_error(function() visits:get_many { id = id } end)
      assert.has_error(function() visits:list { columns = proxy { "id" } } end)
      assert.has_error(function() visits:list { columns = { "id", nil, "page" } } end)
      assert.has_error(function() visits:list { order = { "id", nil, "page" } } end)
      assert.has_error(function() visits:update({ id = id, page = "x" }, { only = { "page", nil, "id" } }) end)
      assert.has_error(function() visits:aggregate { aggs = { { "count" }, nil, { "max", "id" } } } end)
      assert.has_error(function() visits:list(proxy { limit = 1 }) end)
      assert.equal("a b c", pages())
    end)

    it("refuses JSON and arrays that hide what they hold, by the field", function()
      for name, row in pairs {
        extra = { title = "x", extra = proxy { a = 1 } }, tags = { title = "x", tags = proxy { "a" } },
      } do
        row.tenant_id = "t"
        local none, err = items:create(row)
        assert.is_nil(none)
        assert.is_string(err.fields[name])
      end
      local _, err = items:create { tenant_id = "t", title = "x", extra = larder.increment(1) }
      assert.is_string(err.fields.extra)
      local row = assert(items:create { tenant_id = "t", title = "x" })
      _, err = items:patch("t", row.id, { extra = larder.merge(proxy { a = 1 }) })
      assert.is_string(err.fields.extra)
    end)

    it("takes tables whose metatable hides nothing", function()
      local row = setmetatable({ page = "d" }, { __name = "page", __tostring = function() return "page" end })
      assert.equal("d", assert(visits:create(row)).page)
      assert.equal(1, visits:count(setmetatable({ page = "d" }, { __jsontype = "object" })))
      assert.equal(1, visits:count { page = larder.array { "d" } })
    end)

    it("says which fields, operators and options were probably meant", function()
      local _, err = items:create { tenant_id = "t", titel = "x" }
      assert.equal("is not a field of items; did you mean title?", err.fields.titel)
      _, err = items:count { titl = "x" }
      assert.equal("is not a field of items; did you mean title?", err.fields.titl)
      _, err = items:count { title = { lik = "x" } }
      assert.equal("has no operator lik; did you mean like?", err.fields.title)
      local ok, why = pcall(items.list, items, "t", { wher = {} })
      assert.is_false(ok)
      assert.matches('shop.items:list: unknown option "wher"; did you mean where?', why, 1, true)
    end)

    it("reads nothing of a wrong type as if it were not there", function()
      local named = { larder.length "page", as = "n" }
      for why, call in pairs {
        ["group 1: bucket must be a text, not a number"] = function() visits:aggregate { groups = { { "at", bucket = 7 } } } end,
        ["group 2: bucket must be a text, not a boolean"] = function()
          visits:aggregate { groups = { "page", { "at", bucket = false } } }
        end,
        ["group 1: as must be a text, not a number"] = function() visits:aggregate { groups = { { "page", as = 7 } } } end,
        ["aggregate 2: as must be a text, not a boolean"] = function()
          visits:aggregate { aggs = { { "count" }, { "max", "id", as = false } } }
        end,
        ["aggregate 1: distinct must be a boolean, not a number"] = function()
          visits:aggregate { aggs = { { "count", "page", distinct = 1 } } }
        end,
        ["aggregate 1 must be a table, not a string"] = function() visits:aggregate { aggs = { "count" } } end,
        ["column 2: as must be a text, not a number"] = function() visits:list { columns = { "id", { "page", as = 7 } } } end,
        ["an item of order: desc must be a boolean, not a string"] = function()
          visits:list { order = { { by = "page", desc = "no" } } }
        end,
        ["an item of order takes desc beside by alone"] = function() visits:each { order = { { null = "page", desc = true } } }() end,
        ["an item of order is by, rank or null, one of them"] = function()
          visits:each { order = { { by = "page", null = "page" } } }()
        end,
      } do
        raises_here("shop.visits:%w+: " .. why:gsub("%p", "%%%0"), call)
      end
      for _, call in ipairs {
        function() return visits:list { columns = { 7 } } end, function() return visits:list { columns = { true, named } } end,
        function() return visits:aggregate { groups = { 7 } } end, function() return visits:aggregate { groups = { { 7 } } } end,
        function() return visits:aggregate { aggs = { { "count", false } } } end,
      } do
        local rows, err = call()
        assert.is_nil(rows)
        assert.matches("a field of visits is named by a text, not by a %w+", err.message)
      end
      local _, err = visits:aggregate { groups = { { "at", bucket = "" } } }
      assert.equal("must be minute, hour, day, week, month or year", err.fields.bucket)
    end)

    it("says which entry of an aggregate, a group or an order was probably meant", function()
      for why, call in pairs {
        ["aggregate 1 has no function 'coutn'; did you mean count?"] = function() visits:aggregate { aggs = { { "coutn" } } } end,
        ["aggregate 1 has no function 'median'"] = function() visits:aggregate { aggs = { { "median", "id" } } } end,
        ["aggregate 2 takes no 'flter'; did you mean filter?"] = function()
          visits:aggregate { aggs = { { "count" }, { "max", "id", flter = { page = "a" } } } }
        end,
        ["group 1 takes no 'buckt'; did you mean bucket?"] = function()
          visits:aggregate { groups = { { "at", buckt = "day" } } }
        end,
        ["column 1 takes no 'buckte'; did you mean bucket?"] = function() visits:list { columns = { { "at", buckte = "day" } } } end,
        ["an item of order takes no 'dsec'; did you mean desc?"] = function()
          visits:list { order = { { by = "page", dsec = true } } }
        end,
      } do
        raises_here("shop.visits:%w+: " .. why:gsub("%p", "%%%0"), call)
      end
      local _, err = visits:aggregate { groups = { { "at", bucket = "dya" } } }
      assert.equal("must be minute, hour, day, week, month or year; did you mean day?", err.fields.bucket)
      local counted = { { "count", as = "total" } }
      _, err = visits:aggregate { aggs = counted, having = { totl = 1 } }
      assert.matches("did you mean total?", err.fields.totl, 1, true)
      _, err = visits:aggregate { aggs = counted, groups = { "page" }, order = "-totl" }
      assert.matches("did you mean total?", err.fields.totl, 1, true)
      _, err = items:count { larder.exists("vists", { page = "title" }) }
      assert.matches("there is no store vists in this family; did you mean visits?", err.message, 1, true)
    end)

    it("says which methods were probably meant, and lets others be asked for", function()
      for call, why in pairs {
        [function() items:lst {} end] = "shop.items has no lst; did you mean list?",
        [function() items:Get("t", 1) end] = "shop.items has no Get; did you mean get?",
        [function() db:transction(function() end) end] = "a database has no transction; did you mean transaction?",
        [function() db:with({ tenant = "t" }):storse "shop" end] = "a database has no storse; did you mean stores?",
        [function() larder.opne "memory:" end] = "larder has no opne; did you mean open?",
      } do
        raises_here((why:gsub("%p", "%%%0")), call)
      end
      local _, err = db:transaction(function(tx) tx:actve() end)
      assert.matches("strict_spec.lua:%d+: a transaction has no actve; did you mean active%?", err)
      local rows = items:each {}
      local raised, said = pcall(function() rows:clsoe() end)
      assert.is_false(raised)
      assert.matches("strict_spec.lua:%d+: an iterator of each has no clsoe; did you mean close%?", said)
      assert.is_nil(rows.count)
      rows:close()
      -- what some stores have, what begins otherwise, and what is like no method
      for _, name in ipairs { "soft_delete", "restore", "search", "create_partition", "insert", "set", "_lst", "close" } do
        assert.is_nil(visits[name], name)
      end
      assert.is_nil(db.password)
      assert.is_nil(larder.version)
    end)

    it("blames the caller's line", function()
      local function line_of(fn)
        local ok, why = pcall(fn)
        assert.is_false(ok)
        return tonumber(tostring(why):match "strict_spec.lua:(%d+): ")
      end
      local function here() return debug.getinfo(2, "l").currentline end
      local at
      for _, call in ipairs {
        function() at = here() visits:find {} end, function() at = here() visits:list { limt = 1 } end,
        function() at = here() visits:list { columns = 5 } end, function() at = here() visits:aggregate(5) end,
        function() at = here() visits:aggregate { aggs = { { "count", As = "n" } } } end,
        function() at = here() visits:get() end, function() at = here() visits:patch(1) end,
        function() at = here() visits:each { page = 0 } end, function() at = here() items:get "t" end,
        function() at = here() visits.list {} end, function() at = here() visits.get(1) end,
      } do
        at = nil
        local line = line_of(call)
        assert.is_number(at)
        assert.equal(at, line)
      end
    end)

    it("says so when a dot stands in place of the colon", function()
      for _, call in ipairs {
        function() visits.list {} end, function() visits.get "x" end, function() visits.get(5) end, function() visits.count() end,
      } do
        local ok, why = pcall(call)
        assert.is_false(ok)
        assert.matches("with a colon", why, 1, true)
      end
    end)
  end)
end

describe("the shape of a table", function()
  it("is told by the core", function()
    assert.is_nil(core.shape_fault({ 1, 2 }, "list"))
    assert.is_nil(core.shape_fault({}, "list"))
    assert.is_nil(core.shape_fault({ a = 1 }, "record"))
    assert.is_nil(core.shape_fault({ 1, a = 1 }, "condition"))
    assert.matches("hole", core.shape_fault({ 1, nil, 3 }, "list"), 1, true)
    assert.matches("key 'a'", core.shape_fault({ 1, a = 1 }, "list"), 1, true)
    assert.matches("key 1", core.shape_fault({ 1 }, "record"), 1, true)
    assert.matches("not a number", core.shape_fault(5, "list"), 1, true)
    assert.matches("proxy", core.shape_fault(proxy {}, "record"), 1, true)
  end)
end)
