-- each with read_ahead on both engines: the rows and the order are those of each without it; only how fresh a row is may differ.

local engines = require "spec.support.engines"
local larder = require "larder"
local rng = require "spec.support.random.rng"

for _, engine in ipairs(engines) do
  describe("each that reads ahead on " .. engine.name, function()
    local db, items

    before_each(function()
      db = engine.fresh "shop"
      items = db:stores("shop").items
    end)
    teardown(engine.done)

    local function fill(n)
      local rows = {}
      for i = 1, n do
        rows[i] = { tenant_id = "t", title = ("item %03d"):format(i), stock = i * 37 % 89, created_at = i * 53 % 101 }
      end
      if n > 0 then larder.must(items:create_many(rows)) end
    end

    local function titles(opts, ahead)
      local asked, list = { read_ahead = ahead }, {}
      for name, value in pairs(opts) do asked[name] = value end
      for row in items:each("t", asked) do list[#list + 1] = row.title .. (row.stock or "") end
      return list
    end

    it("gives the same rows in the same order, whatever is asked for", function()
      rng.seed(4711)
      local orders = { false, "id", "-created_at", "title", "stock", { "-stock", "title" } }
      for _, n in ipairs { 0, 1, 7, 60, 203 } do
        larder.must(items:delete_where(larder.all {}))
        fill(n)
        for _ = 1, 12 do
          local opts = {
            page = rng.int(40), order = orders[rng.int(#orders)] or nil,
            limit = rng.int(3) == 1 and rng.int(n + 6) - 1 or nil,
            where = rng.int(2) == 1 and { stock = { lt = rng.int(90) - 1 } } or nil,
            columns = rng.int(3) == 1 and { "title" } or nil,
          }
          if opts.order and n > 10 and rng.int(3) == 1 then
            local _, info = items:list("t", { order = opts.order, limit = rng.int(10) })
            opts.after = info.next
          end
          assert.same(titles(opts), titles(opts, true))
        end
      end
    end)

    it("is left early, by a break and by an error of the loop's body", function()
      fill(60)
      for left = 1, 25 do
        local n, all = 0, items:each("t", { page = 5, order = "id", read_ahead = true })
        for _ in all do
          n = n + 1
          if n == left then break end
        end
        all:close()
        assert.is_nil(all())
        assert.equal(left, n)
        all = items:each("t", { page = 5, order = "id", read_ahead = true })
        local ok, err = pcall(function()
          for _ in all do
            n = n + 1
            if n == 2 * left then error("the body's own", 0) end
          end
        end)
        all:close()
        assert.same({ false, "the body's own" }, { ok, err })
      end
      assert.equal(60, larder.must(items:count("t", larder.all {})))
    end)

    it("never gives a row twice, nor fails, when its loop changes and deletes rows to come", function()
      for page = 1, 9 do
        larder.must(items:delete_where(larder.all {}))
        fill(80)
        local seen, stays, n = {}, {}, 0
        for row in items:each("t", { page = page, order = "id", read_ahead = true }) do
          assert.is_nil(seen[row.id])
          seen[row.id] = true
          assert.is_true(row.stock < 100 or row.stock - 100 < 89) -- as it was, or as the loop has made it
          n = n + 1
          if n % 7 == 0 then
            local later = { tenant_id = "t", id = { gt = row.id }, stock = { lt = 100 } }
            larder.must(items:update_where(later, { stock = larder.increment(100) }))
          elseif n % 11 == 0 then
            local later = larder.must(items:list("t", { where = { id = { gt = row.id } }, order = "id", limit = 2 }))
            for _, other in ipairs(later) do larder.must(items:delete("t", other.id)) end
          end
          if n > 160 then error "the loop does not end" end
        end
        for _, row in ipairs(larder.must(items:list("t", { limit = 1000 }))) do stays[#stays + 1] = row.id end
        assert.is_true(#stays > 0 and #stays < 80)
        for _, id in ipairs(stays) do assert.is_true(seen[id]) end -- no other row is missed
      end
    end)

    it("raises what each raises without it", function()
      fill(10)
      for _, opts in ipairs { { where = { nope = 1 } }, { order = "nope" }, { columns = { "nope" } }, { after = "nope", order = "id" } } do
        local function raised(ahead)
          opts.read_ahead = ahead
          local _, err = pcall(function() for _ in items:each("t", opts) do error "there is a row" end end)
          return tostring(err)
        end
        assert.equal(raised(nil), raised(true))
      end
    end)

    it("takes true and false and nothing else, and only in each", function()
      for _, wrong in ipairs { 1, "yes", {} } do
        assert.has_error(function() items:each("t", { read_ahead = wrong }) end)
      end
      assert.has_error(function() items:list("t", { read_ahead = true }) end)
      fill(3)
      local n = 0
      for _ in items:each("t", { read_ahead = false, page = 1 }) do n = n + 1 end
      assert.equal(3, n)
    end)
  end)
end
