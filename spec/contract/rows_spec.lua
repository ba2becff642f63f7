-- Rows of a list are made with the texts and table sizes of the row before: none of it may show.

local larder = require "larder"
local engines = require "spec.support.engines"

-- Documents that follow each other: alike, longer, shorter, of another kind, with names at another place.
local DOCUMENTS = {
  { role = "editor", tags = { "a", "b" }, prefs = { theme = "dark" } },
  { role = "editor", tags = { "a", "b" }, prefs = { theme = "dark" } },
  { role = "editor", tags = { "a" }, prefs = { theme = "light", size = 3 } },
  { tags = larder.array {}, role = "reader" },
  {},
  { role = { deep = { deeper = { "x", { y = larder.null } } } }, tags = "a" },
  "editor", 7, larder.array { 1, 2.5, true, "a" }, larder.array {},
  { prefs = { theme = "dark" }, role = "editor", tags = { "a", "b" } },
}

local function wide_document(n)
  local doc = { list = {} }
  for i = 1, n do
    doc["member " .. i], doc.list[i] = "text " .. i, ("long "):rep(i)
  end
  return doc
end

for _, engine in ipairs(engines) do
  describe("rows of a list on " .. engine.name, function()
    local items

    before_each(function() items = engine.fresh("shop"):stores("shop").items end)
    teardown(engine.done)

    local function create(i, document)
      return assert(items:create {
        tenant_id = "t", title = ("item %03d"):format(i), extra = document, created_at = i,
        tags = i % 3 > 0 and { "a", "tag " .. i % 2, "" } or nil, price = i % 2 == 0 and "1.50" or nil,
      })
    end

    -- every row of the list is the one that a get of it alone makes
    local function check(n)
      local rows = assert(items:list("t", { order = "created_at", limit = 1000 }))
      assert.equal(n, #rows)
      for i, row in ipairs(rows) do
        assert.equal(("item %03d"):format(i), row.title)
        assert.same(assert(items:get("t", row.id)), row)
      end
      return rows
    end

    it("are those that each has alone, however their documents differ", function()
      local n = 0
      for _ = 1, 3 do
        for _, document in ipairs(DOCUMENTS) do
          n = n + 1
          create(n, document)
        end
        n = n + 1
        create(n, nil)
      end
      local rows = check(n)
      assert.same(DOCUMENTS[1], rows[1].extra)
      assert.equal("light", rows[3].extra.prefs.theme)
      assert.same({}, rows[5].extra)
      assert.equal("editor", rows[7].extra)
      assert.is_nil(rows[12].extra)
    end)

    it("are right where a document has more texts and tables than are remembered", function()
      for i = 1, 12 do create(i, wide_document(i % 4 * 100)) end
      local rows = check(12)
      assert.equal("text 300", rows[11].extra["member 300"])
      assert.equal(100, #rows[9].extra.list)
    end)

    it("share no table with each other", function()
      for i = 1, 3 do create(i, { list = { "a" }, map = { b = "c" } }) end
      local rows = check(3)
      rows[1].extra.list[1], rows[1].extra.map.b, rows[1].tags[1] = "changed", "changed", "changed"
      assert.same({ "a" }, rows[2].extra.list)
      assert.equal("c", rows[2].extra.map.b)
      assert.equal("a", rows[2].tags[1])
    end)
  end)
end
