-- Ways that the memory engine takes to rows: whichever it is, the rows are the same.

local larder = require "larder"

local ROWS, WANTED = 4000, 2000

larder.declare {
  name = "paths",
  entities = { {
    name = "items", table = "paths.items", key = { name = "items_pkey", "id" },
    fields = { { name = "id", type = "int8" }, { name = "owner", type = "int8" }, { name = "rank", type = "int8" } },
    indexes = { { "owner" }, { "rank", "id" } },
  } },
}

describe("the memory engine", function()
  it("finds the rows of a long list by its index, also where another one has the order", function()
    local db = assert(larder.open "memory:")
    local items, rows, owners = db:stores("paths").items, {}, {}
    for i = 1, ROWS do rows[i] = { id = i, owner = i, rank = ROWS - i } end
    assert(items:create_many(rows))
    for i = 1, WANTED do owners[i] = i * 2 end
    local function ids(order)
      local list = {}
      for i, row in ipairs(assert(items:run { op = "select", where = { owner = owners }, order = order })) do list[i] = row.id end
      return list
    end
    local by_key, by_rank = ids { "id" }, ids { "rank", "id" }
    assert.equal(WANTED, #by_key)
    for i = 1, WANTED do
      assert.equal(owners[i], by_key[i])
      assert.equal(owners[WANTED + 1 - i], by_rank[i])
    end
    db:close()
  end)
end)
