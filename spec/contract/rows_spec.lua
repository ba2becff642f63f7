-- Rows are made with the texts and table sizes of the row before, in a list and one by one: none of it may show.

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

-- A value below n tables, lists and objects in turns, each beside numbers that only their digits tell.
local function nested(n)
  local value = larder.decimal "1e400"
  for i = 1, n do
    value = i % 2 == 0 and { a = value, b = larder.decimal "0.12345678901234567890" } or { value, larder.null }
  end
  return value
end

local function members(n)
  local doc = {}
  for i = 1, n do doc["m" .. i] = i % 7 == 0 and { i } or i end
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

    it("are whole, however deep and wide their documents are, and whatever stood there before", function()
      local documents = { nested(500), nested(500), members(10000), nested(20), members(10001), {}, members(17), members(63), nested(512) }
      for i, document in ipairs(documents) do create(i, document) end
      for i, row in ipairs(check(#documents)) do assert.same(documents[i], row.extra) end
    end)

    -- The documents as they are stored: null stands for itself, numbers and tables are equal.
    it("are as right when each is read alone, in any order", function()
      local ids = {}
      for i, document in ipairs(DOCUMENTS) do ids[i] = create(i, document).id end
      for round = 1, 3 do
        for i = 1, #DOCUMENTS do
          local k = round == 2 and #DOCUMENTS + 1 - i or i
          local row = assert(items:get("t", ids[k]))
          assert.same(DOCUMENTS[k], row.extra)
          assert.equal(("item %03d"):format(k), row.title)
          assert.same(k % 3 > 0 and { "a", "tag " .. k % 2, "" } or nil, row.tags)
          assert.same(row.extra, assert(items:patch("t", ids[k], { title = row.title })).extra)
        end
      end
    end)

    it("are right when each text has another length, up to more than is remembered", function()
      local created = {}
      for i = 1, 80 do created[i] = create(i, { text = ("x"):rep(i), same = "same", n = i, list = { ("y"):rep(80 - i) } }) end
      for i = 1, 80 do
        local row = assert(items:get("t", created[i].id))
        assert.same({ text = ("x"):rep(i), same = "same", n = i, list = { ("y"):rep(80 - i) } }, row.extra)
        assert.same(row.extra, created[i].extra)
      end
    end)

    it("have their own texts, however near these are to those of the row before", function()
      local texts = {
        "editor", "edit", "editor2", "editor", 'edi"tor', 'edi"tor', "editor", "edi\\", "edi\\", "edi\\tor", "edi\ntor", "edi", "",
        "editor", "é", "é", "e", "\1", "editor", ("long "):rep(20), ("long "):rep(20), ("x"):rep(63), ("x"):rep(64), ("x"):rep(65),
      }
      for i, text in ipairs(texts) do create(i, { text = text, list = { text, "b" }, [text .. "!"] = { text } }) end
      for i, row in ipairs(check(#texts)) do
        local text = texts[i]
        assert.same({ text = text, list = { text, "b" }, [text .. "!"] = { text } }, row.extra)
      end
    end)

    it("share no table with each other", function()
      for i = 1, 3 do create(i, { list = { "a" }, map = { b = "c" } }) end
      local rows = check(3)
      rows[1].extra.list[1], rows[1].extra.map.b, rows[1].tags[1] = "changed", "changed", "changed"
      assert.same({ "a" }, rows[2].extra.list)
      assert.equal("c", rows[2].extra.map.b)
      assert.equal("a", rows[2].tags[1])
    end)

    it("share no table with each other when each is read alone", function()
      local id = create(1, { list = { "a" }, map = { b = "c" } }).id
      local first = assert(items:get("t", id))
      first.extra.list[1], first.extra.map.b, first.tags[1] = "changed", "changed", "changed"
      assert.same({ list = { "a" }, map = { b = "c" } }, assert(items:get("t", id)).extra)
    end)
  end)
end

describe("a row that is read while another one is made", function()
  local function finalized(fn)
    local newproxy = rawget(_G, "newproxy") -- Lua 5.1's way to an object with a finalizer
    if not newproxy then return setmetatable({}, { __gc = fn }) end
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = fn
    return proxy
  end

  it("by a finalizer leaves both as they are", function()
    local engine = engines[1].name == "memory" and engines[1] or engines[2]
    local items = engine.fresh("shop"):stores("shop").items
    local function document(i) return { role = "role " .. i, tags = { "a", "tag " .. i }, map = { ["name " .. i] = "text " .. i } } end
    local ids, read, over = {}, 0, false
    for i = 1, 2 do ids[i] = assert(items:create { tenant_id = "t", title = "item " .. i, extra = document(i) }).id end
    local function finalizer()
      if over then return end -- the collector may come to the last ones when the store is gone
      read = read + 1
      assert.same(document(2), assert(items:get("t", ids[2])).extra)
    end
    for round = 1, 300000 do -- how often the collector comes depends on all that is on the heap
      finalized(finalizer)
      local row = assert(items:get("t", ids[1]))
      if round % 100 == 0 or round < 3000 then
        assert.same(document(1), row.extra)
        assert.equal("item 1", row.title)
      end
      if round >= 3000 and read > 100 then break end
    end
    over = true
    assert.is_true(read > 100)
    engine.done()
  end)
end)
