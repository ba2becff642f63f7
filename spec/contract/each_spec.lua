-- each in an order that no index has: what is left behind the first page is put in order once, on both engines.

local engines = require "spec.support.engines"
local larder = require "larder"

local PAGE, ROWS = 10, 95

for _, engine in ipairs(engines) do
  describe("each without an index for its order on " .. engine.name, function()
    local db, items

    before_each(function()
      db = engine.fresh "shop"
      items = db:stores("shop").items
      local rows = {}
      for i = 1, ROWS do
        rows[i] = { tenant_id = "t", title = ("item %02d"):format(i), stock = i * 37 % ROWS, extra = { n = i % 7 }, created_at = i }
      end
      larder.must(items:create_many(rows))
    end)
    teardown(engine.done)

    local function each(opts)
      opts.page = opts.page or PAGE
      return items:each("t", opts)
    end

    local function count() return larder.must(items:count("t", larder.all {})) end

    local IN_ORDER = {}
    for i = 1, ROWS do IN_ORDER[i] = i - 1 end

    it("gives every row once, in that order", function()
      local stocks = {}
      for row in each { order = "stock" } do stocks[#stocks + 1] = row.stock end
      assert.same(IN_ORDER, stocks)
      local n, last = 0, nil
      for row in each { order = { { by = larder.path("extra", "n"), desc = true } },
        columns = { "title", { larder.path("extra", "n"), as = "n" } } } do
        n = n + 1
        assert.is_true(last == nil or last >= row.n)
        last = row.n
      end
      assert.equal(ROWS, n)
    end)

    it("ends with its limit", function()
      for _, limit in ipairs { 0, 1, PAGE, PAGE + 1, 3 * PAGE, ROWS, ROWS + 1 } do
        local n = 0
        for _ in each { order = "-stock", limit = limit } do n = n + 1 end
        assert.equal(math.min(limit, ROWS), n)
      end
    end)

    it("shows the moment at which its second page began, whatever the loop's body changes", function()
      local stocks = {}
      for row in each { order = "stock" } do
        stocks[#stocks + 1] = row.stock
        if #stocks > PAGE then
          larder.must(items:update_where({ tenant_id = "t", title = row.title }, { stock = 1000 + row.stock }))
          if #stocks % 20 == 0 then
            larder.must(items:create { tenant_id = "t", title = "new " .. #stocks, stock = 500, created_at = 1 })
          end
        end
      end
      assert.same(IN_ORDER, stocks)
      assert.equal(ROWS - PAGE, larder.must(items:count("t", { stock = { gte = 1000 } })))
    end)

    it("leaves transactions of the loop's body alone", function()
      local n = 0
      for row in each { order = "stock" } do
        n = n + 1
        if n == 2 * PAGE then
          local ok, err = db:transaction(function()
            larder.must(items:delete_where { tenant_id = "t", title = row.title })
            error("no", 0)
          end)
          assert.is_nil(ok)
          assert.is_not_nil(err)
          larder.must(db:transaction(function() return items:delete_where { tenant_id = "t", stock = ROWS - 1 } end))
        end
      end
      assert.equal(ROWS, n)
      assert.equal(ROWS - 1, count())
    end)

    it("runs in the transaction that is there, two at a time", function()
      larder.must(db:transaction(function()
        larder.must(items:create { tenant_id = "t", title = "uncommitted", stock = ROWS, created_at = 1 })
        local second, n = each { order = "-stock" }, 0
        for row in each { order = "stock" } do
          assert.equal(ROWS - row.stock, second().stock)
          n = n + 1
          if n == ROWS - 5 then break end
        end
        second:close()
        assert.equal(ROWS - 5, n)
        return true
      end))
      assert.equal(ROWS + 1, count())
    end)

    it("can be left early", function()
      for _ = 1, 30 do
        local all, n = each { order = "stock" }, 0
        for _ in all do
          n = n + 1
          if n == 2 * PAGE + 1 then break end
        end
        all:close()
        assert.is_nil(all())
      end
      for _ = 1, 30 do
        local n = 0
        for _ in each { order = "stock" } do
          n = n + 1
          if n == 2 * PAGE + 1 then break end
        end
      end
      assert.equal(ROWS, count())
    end)
  end)
end
