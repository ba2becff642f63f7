-- Conditions with long lists: the memory engine looks rows up in them by hash, and that must not show.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("a condition with a long list on " .. engine.name, function()
    local items

    before_each(function()
      items = engine.fresh("shop"):stores("shop").items
      local rows = {}
      for i = 1, 60 do
        rows[i] = {
          tenant_id = "t", title = ("item %03d"):format(i), stock = i, extra = { n = i % 7 },
          price = i % 4 > 0 and ("%d.%d"):format(i, i % 3 * 5) or nil, created_at = i,
        }
      end
      assert(items:create_many(rows))
    end)
    teardown(engine.done)

    --- "3 6 …": the stocks of the rows found.
    local function found(where)
      local list = {}
      for i, row in ipairs(assert(items:list("t", { where = where, order = "stock", limit = 1000 }))) do list[i] = row.stock end
      return table.concat(list, " ")
    end

    local function every(n, make)
      local list = {}
      for i = n, 90, n do list[#list + 1] = make(i) end
      return list
    end

    local function number(i) return i end

    local EXPECTED = "3 6 9 12 15 18 21 24 27 30 33 36 39 42 45 48 51 54 57 60"

    it("finds what each of its values finds alone", function()
      assert.equal(EXPECTED, found { stock = { ["in"] = every(3, number) } })
      assert.equal(EXPECTED, found { title = { ["in"] = every(3, function(i) return ("item %03d"):format(i) end) } })
      local twice = every(3, number)
      for i = 1, 30 do twice[#twice + 1] = i * 3 end
      assert.equal(EXPECTED, found { stock = { ["in"] = twice } })
    end)

    it("takes equal numerics for equal, however they are written", function()
      local prices = every(3, function(i) return i .. ".000" end)
      assert.equal("3 6 9 15 18 21 27 30 33 39 42 45 51 54 57", found { price = { ["in"] = prices } })
    end)

    it("leaves a null open, also under not", function()
      local some = every(1, function(i) return i + 1000 end)
      assert.equal("", found { price = { ["in"] = some } })
      local not_in = found { price = { not_in = some } }
      assert.is_nil(not_in:find("4 ", 1, true) == 1 or not_in:find(" 8 ", 1, true))
      assert.equal("1 2 3 5 6", not_in:sub(1, 9))
    end)

    it("stands beside others, and in any", function()
      local threes, sevens = every(3, number), every(5, number)
      assert.equal("15 30 45 60", found { larder.all { { stock = { ["in"] = threes } }, { stock = { ["in"] = sevens } } } })
      local any = found { larder.any { { stock = { ["in"] = threes } }, { stock = { ["in"] = sevens } } } }
      assert.equal("3 5 6 9 10 12 15 18 20", any:sub(1, 22))
    end)

    it("compares JSON as JSON", function()
      local documents = {}
      for i = 1, 20 do documents[i] = { n = i + 3 } end
      local expected = {}
      for i = 1, 60 do if i % 7 > 3 then expected[#expected + 1] = i end end
      assert.equal(table.concat(expected, " "), found { extra = { ["in"] = documents } })
    end)
  end)
end
