-- A store of which the server makes every field: its rows are created from nothing.

local larder = require "larder"

local targets = { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" }

larder.declare {
  name = "numbered",
  entities = {
    {
      name = "tickets", table = "numbered.tickets", key = { name = "tickets_pkey", "id" },
      fields = { { name = "id", type = "int8", default = { "identity" } } },
    },
    {
      name = "notes", table = "numbered.notes", key = { name = "notes_pkey", "id" },
      fields = {
        { name = "id", type = "int8", default = { "identity" } }, { name = "note", type = "text", null = true, immutable = true },
      },
    },
  },
}

local SQL = {
  "drop schema if exists numbered cascade", "create schema numbered",
  "create table numbered.tickets (id int8 generated always as identity constraint tickets_pkey primary key)",
  "create table numbered.notes (id int8 generated always as identity constraint notes_pkey primary key, note text)",
}

for name, target in pairs(targets) do
  describe("a store of defaults alone on " .. name, function()
    local db, tickets

    before_each(function()
      db = larder.must(larder.open(target))
      if name ~= "memory" then
        for _, sql in ipairs(SQL) do larder.must(db:query(sql)) end
      end
      tickets = db:stores("numbered").tickets
    end)
    after_each(function() db:close() end)

    local function ids()
      local list = {}
      for row in tickets:each { order = "id" } do list[#list + 1] = tonumber(row.id) end
      return list
    end

    it("makes one row, and many", function()
      assert.equal(1, tonumber(larder.must(tickets:create {}).id))
      assert.equal(3, larder.must(tickets:create_many { {}, {}, {} }))
      assert.same({ 1, 2, 3, 4 }, ids())
    end)

    it("makes them in a transaction", function()
      larder.must(db:transaction(function()
        larder.must(tickets:create {})
        return tickets:create_many { {}, {} }
      end))
      assert.same({ 1, 2, 3 }, ids())
    end)

    it("takes a number that is given", function()
      assert.equal(7, tonumber(larder.must(tickets:create { id = 7 }).id))
      assert.same({ 7 }, ids())
    end)

    it("upserts where there is nothing to set, and the key is generated", function()
      local notes = db:stores("numbered").notes
      larder.must(notes:create { note = "first" })
      assert.equal("first", larder.must(notes:upsert { id = 1, note = "other" }).note)
      assert.equal("x", larder.must(notes:upsert { id = 9, note = "x" }).note)
      assert.equal("y", larder.must(notes:upsert { note = "y" }).note)
      assert.equal(3, larder.must(notes:count(larder.all {})))
    end)
  end)
end
