-- The generic methods, on stores that a user declared.

local larder = require "larder"
local engines = require "spec.support.engines"

local function titles(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.title end
  return list
end

for _, engine in ipairs(engines) do
  describe("a store on " .. engine.name, function()
    local db, items, visits

    before_each(function()
      db = engine.fresh "shop"
      local shop = db:stores "shop"
      items, visits = shop.items, shop.visits
    end)

    teardown(engine.done)

    local function fill(n)
      for i = 1, n do
        assert(items:create { tenant_id = "t", title = ("item %03d"):format(i), stock = i, created_at = i })
      end
    end

    -- ---- create and get ----

    it("fills defaults and stamps, and returns the row as stored", function()
      local row = assert(items:create { tenant_id = "t", title = "Tea", price = "1.5", tags = { "hot" } })
      assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", row.id)
      assert.equal("1.50", row.price)
      assert.equal(0, row.stock)
      assert.equal(row.created_at, row.updated_at)
      assert.is_nil(row.deleted_at)
      assert.same(row, assert(items:get("t", row.id)))
      assert.same(row, assert(items:get_by_title("t", "Tea")))
      assert.is_true(items:exists("t", row.id))
    end)

    it("refuses unknown fields and bad values by name", function()
      local row, err = items:create { tenant_id = "t", titel = "Tea", stock = -1 }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      assert.equal("shop.items", err.store)
      assert.is_string(err.fields.titel)
      row, err = items:create { tenant_id = "t", stock = -1 }
      assert.is_nil(row)
      assert.is_string(err.fields.title)
      assert.is_string(err.fields.stock)
      assert.equal(0, items:count())
    end)

    it("counts up an identity key", function()
      local one, two = assert(visits:create { page = "/" }), assert(visits:create { page = "/x" })
      assert.is_true(two.id > one.id)
      assert.same(one, assert(visits:get(one.id)))
    end)

    it("raises where a key is incomplete", function()
      assert.has_error(function() items:get "t" end)
      assert.has_error(function() items:get("t", nil) end)
      assert.has_error(function() items:delete("t", larder.null) end)
      assert.has_error(function() items:exists "t" end)
      assert.has_error(function() items:patch("t", { stock = 1 }) end)
      assert.has_error(function() items:get("t", "x", { no_such_option = true }) end)
    end)

    -- ---- lists ----

    it("lists 50 rows by default, at most 1,000, none for limit 0", function()
      local rows = {}
      for i = 1, 1010 do rows[i] = { tenant_id = "t", title = "item " .. i } end
      assert.equal(1010, items:create_many(rows))
      local page, info = items:list "t"
      assert.equal(50, #page)
      assert.equal(50, info.limit)
      assert.is_string(info.next)
      page, info = items:list("t", { limit = 5000, total = true })
      assert.equal(1000, #page)
      assert.equal(1000, info.limit)
      assert.equal(1010, info.total)
      page, info = items:list("t", { limit = 0 })
      assert.same({}, page)
      assert.is_nil(info.next)
      local n, seen = 0, {}
      for row in items:each("t") do
        n = n + 1
        assert.is_nil(seen[row.id])
        seen[row.id] = true
      end
      assert.equal(1010, n)
    end)

    it("refuses limits that make no sense", function()
      for _, opts in ipairs {
        { limit = -1 }, { limit = 1.5 }, { limit = "5" }, { offset = -1 }, { limit = larder.all },
      } do
        local page, err = items:list("t", opts)
        assert.is_nil(page)
        assert.equal("invalid", err.code)
      end
      local _, err = items:list("t", { limit = larder.all })
      assert.matches("each", err.hint, 1, true)
      assert.has_error(function() items:list("t", { limt = 5 }) end)
    end)

    it("goes from page to page by cursor, in any order", function()
      fill(25)
      for _, order in ipairs { "title", "-title", "stock desc, title", "created_at" } do
        local all, after = {}, nil
        repeat
          local page, info = items:list("t", { order = order, limit = 7, after = after })
          assert(page, info)
          for _, title in ipairs(titles(page)) do all[#all + 1] = title end
          after = info.next
        until not after
        local whole = titles(assert(items:list("t", { order = order })))
        assert.same(whole, all)
      end
      local _, info = items:list("t", { order = "title", limit = 7 })
      local page, err = items:list("t", { order = "stock", after = info.next })
      assert.is_nil(page)
      assert.equal("invalid", err.code)
      page, err = items:list("t", { after = "no cursor" })
      assert.is_nil(page)
      assert.equal("invalid", err.code)
    end)

    it("filters", function()
      fill(5)
      assert(items:create {
        tenant_id = "other", title = "item 001", tags = { "x", "y" }, extra = { a = { b = 1 } },
      })
      local function found(where)
        return titles(assert(items:list("t", { where = where, order = "title" })))
      end
      assert.same({ "item 002" }, found { stock = 2 })
      assert.same({ "item 002", "item 004" }, found { stock = { 2, 4, 99 } })
      assert.same({}, found { stock = {} })
      assert.same({ "item 002", "item 003" }, found { stock = { gte = 2, lt = 4 } })
      assert.same({ "item 004", "item 005" }, found { larder.not_ { stock = { lte = 3 } } })
      assert.same({ "item 001", "item 005" }, found { larder.any { { stock = 1 }, { title = "item 005" } } })
      assert.same({ "item 001", "item 005" }, found(larder.any { stock = 1, title = "item 005" }))
      assert.equal(5, #found { price = larder.null })
      assert.equal(5, #found { price = { is_null = true } })
      assert.same({ "item 001" }, found { title = { like = "%1" } })
      assert.same({ "item 001" }, found { title = { ilike = "ITEM%1" } })
      local other = assert(items:list("other", { tag = "x" }))
      assert.equal(1, #other)
      assert.equal(1, items:count { extra = { contains = { a = { b = 1 } } } })
      assert.equal(1, items:count { extra = { has_key = "a" } })
      assert.equal(1, items:count("other"))
      assert.equal(2, items:count("t", { stock = { gt = 3 } }))
      local rows, err = items:list("t", { where = { no_such_field = 1 } })
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.no_such_field)
    end)

    it("finds one row, and says by what it looked for none", function()
      fill(3)
      assert.equal("item 003", assert(items:find({ tenant_id = "t" }, { order = "-title" })).title)
      local row, err = items:find { tenant_id = "t", stock = 77 }
      assert.is_nil(row)
      assert.equal("not_found", err.code)
      assert.matches("stock, tenant_id", err.message, 1, true)
      assert.is_nil(err.message:find("77", 1, true))
    end)

    it("each is closed before its end, and gives no row then", function()
      fill(9)
      for _, order in ipairs { "id", "stock" } do
        local rows, n = items:each("t", { order = order, page = 2 }), 0
        for _ in rows do
          n = n + 1
          if n == 5 then break end
        end
        rows:close()
        assert.is_nil(rows())
        rows:close()
      end
    end)

    it("each shows what its own loop made of the rows that it had not reached", function()
      fill(9)
      local seen = {}
      for row in items:each("t", { order = "id", page = 2 }) do
        seen[#seen + 1] = row.title
        if #seen == 2 then -- the end of a page: the next one is not asked for before it is wanted
          for later in items:each("t", { where = { id = { gt = row.id } } }) do
            assert(items:patch("t", later.id, { title = "changed " .. later.stock }))
          end
        end
      end
      assert.equal(9, #seen)
      for i = 3, 9 do assert.matches("^changed ", seen[i]) end
    end)

    it("each takes conditions, an order and a limit, and raises what goes wrong", function()
      fill(10)
      local seen = {}
      for row in items:each("t", { where = { stock = { gt = 2 } }, order = "title", limit = 5, page = 2 }) do
        seen[#seen + 1] = row.title
      end
      assert.same({ "item 003", "item 004", "item 005", "item 006", "item 007" }, seen)
      local n = 0
      for _ in items:each { where = { tenant_id = "t" } } do n = n + 1 end
      assert.equal(10, n)
      local ok, err = pcall(function()
        for _ in items:each("t", { where = { nope = 1 } }) do n = n + 1 end
      end)
      assert.is_false(ok)
      assert.equal("invalid", err.code)
    end)

    it("gets many in the order of the keys, false where there is none", function()
      fill(3)
      local rows = assert(items:list("t", { order = "title" }))
      local missing = "00000000-0000-4000-8000-000000000000"
      local got = assert(items:get_many {
        { "t", rows[3].id }, { "t", missing }, { "t", rows[1].id:upper() }, { "t", rows[3].id },
        { "other", rows[1].id },
      })
      assert.equal(5, #got)
      assert.same(rows[3], got[1])
      assert.is_false(got[2])
      assert.same(rows[1], got[3])
      assert.same(rows[3], got[4])
      assert.is_false(got[5])
      assert.same({}, assert(items:get_many {}))
      local visit = assert(visits:create { page = "/" })
      assert.same({ visit, false }, assert(visits:get_many { visit.id, visit.id + 1 }))
    end)

    -- ---- changes ----

    it("replaces a row: what is absent becomes its default or null", function()
      local row = assert(items:create {
        tenant_id = "t", title = "Tea", price = 2, stock = 5, extra = { a = 1 },
      })
      local changed = assert(items:update {
        tenant_id = "t", id = row.id, title = "Green tea", created_at = "2001-01-01T00:00:00Z",
      })
      assert.equal("Green tea", changed.title)
      assert.is_nil(changed.price)
      assert.equal(0, changed.stock)
      assert.is_nil(changed.extra)
      assert.equal(row.created_at, changed.created_at)
      assert.is_true(changed.updated_at >= row.updated_at)
      local none, err = items:update { tenant_id = "t", id = row.id }
      assert.is_nil(none)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.title)
      none, err = items:update { tenant_id = "t", title = "x" }
      assert.is_nil(none)
      assert.is_string(err.fields.id)
    end)

    it("replaces a row by a key of three parts", function()
      local name = "thirds" .. engine.name
      larder.declare { name = name, entities = { {
        name = "seats", table = "shop.seats_of_three",
        fields = {
          { name = "hall", type = "text" }, { name = "row", type = "int4" }, { name = "seat", type = "int4" },
          { name = "taken_by", type = "text", null = true },
        },
        key = { name = "seats_of_three_pkey", "hall", "row", "seat" },
      } } }
      if db:kind() == "postgres" then
        assert(db:query [[create table shop.seats_of_three (hall text collate "C", "row" int4, seat int4, taken_by text collate "C",
          constraint seats_of_three_pkey primary key (hall, "row", seat))]])
      end
      local seats = db:stores(name).seats
      for seat = 1, 2 do assert(seats:create { hall = "north", row = 7, seat = seat }) end
      assert.equal("Dot", assert(seats:update { hall = "north", row = 7, seat = 2, taken_by = "Dot" }).taken_by)
      assert.is_nil(assert(seats:get("north", 7, 1)).taken_by)
      local none, err = seats:update { hall = "north", row = 7, seat = 3, taken_by = "Dot" }
      assert.same({ nil, "not_found", "update" }, { none, err.code, err.op })
      none, err = seats:update { hall = "north", seat = 2, taken_by = "Dot" }
      assert.same({ nil, "invalid", "is required" }, { none, err.code, err.fields.row })
    end)

    it("replaces only the fields that are asked for", function()
      local row = assert(items:create { tenant_id = "t", title = "Tea", price = 2, stock = 5 })
      row.title, row.stock, row.price = "Changed", nil, nil
      local changed = assert(items:update(row, { only = { "stock", "price" } }))
      assert.equal("Tea", changed.title)
      assert.equal(0, changed.stock)
      assert.is_nil(changed.price)
    end)

    it("patches with values and expressions", function()
      local row = assert(items:create {
        tenant_id = "t", title = "Tea", stock = 5, extra = { a = 1 }, tags = { "x" },
      })
      local changed = assert(items:patch("t", row.id, {
        stock = larder.increment(3), extra = larder.merge { b = 2 }, tags = larder.append { "y" },
        price = larder.coalesce "9.90",
      }))
      assert.equal(8, changed.stock)
      assert.same({ a = 1, b = 2 }, changed.extra)
      assert.same({ "x", "y" }, changed.tags)
      assert.equal("9.90", changed.price)
      changed = assert(items:patch("t", row.id, {
        stock = larder.greatest(4), extra = larder.null, price = larder.coalesce(1), tags = larder.default,
      }))
      assert.equal(8, changed.stock)
      assert.is_nil(changed.extra)
      assert.is_nil(changed.tags)
      assert.equal("9.90", changed.price)
      assert.equal(7, assert(items:sell("t", row.id)).stock)
      assert.same(assert(items:get("t", row.id)), assert(items:patch("t", row.id, {})))
      local none, err = items:patch("t", row.id, { id = "00000000-0000-4000-8000-000000000000" })
      assert.is_nil(none)
      assert.equal("invalid", err.code)
    end)

    it("changes a row only while a condition holds", function()
      local row = assert(items:create { tenant_id = "t", title = "Tea", stock = 1 })
      assert(items:patch("t", row.id, { stock = 0 }, { where = { stock = 1 } }))
      local none, err = items:patch("t", row.id, { stock = 5 }, { where = { stock = 1 } })
      assert.is_nil(none)
      assert.equal("conflict", err.code)
      none, err = items:patch("ghost", row.id, { stock = 5 }, { where = { stock = 1 } })
      assert.is_nil(none)
      assert.equal("not_found", err.code)
    end)

    it("upserts by the key and by a unique", function()
      local row = assert(items:upsert { tenant_id = "t", title = "Tea", stock = 1 })
      local again = assert(items:upsert({ tenant_id = "t", title = "Tea", stock = 7 }, { key = "title" }))
      assert.equal(row.id, again.id)
      assert.equal(7, again.stock)
      assert.is_true(again.updated_at >= row.updated_at)
      again = assert(items:upsert({ tenant_id = "t", title = "Tea", stock = 2, price = 1 }, {
        key = { "tenant_id", "title" }, set = { stock = larder.increment(larder.excluded) },
      }))
      assert.equal(9, again.stock)
      assert.is_nil(again.price)
      local coffee = { tenant_id = "t", id = row.id, title = "Coffee", stock = 3 }
      again = assert(items:upsert(coffee, { only = { "stock" } }))
      assert.equal("Tea", again.title)
      assert.equal(3, again.stock)
      assert.equal(1, items:count())
      assert.has_error(function() items:upsert({ tenant_id = "t", title = "x" }, { key = "stock" }) end)
    end)

    it("creates many, all or none, or without those that exist", function()
      assert(items:create { tenant_id = "t", title = "b" })
      local list = { { tenant_id = "t", title = "a" }, { tenant_id = "t", title = "b" } }
      local n, err = items:create_many(list)
      assert.is_nil(n)
      assert.equal("conflict", err.code)
      assert.equal("items_title_key", err.constraint)
      assert.equal(1, items:count())
      assert.equal(1, items:create_many(list, { skip_duplicates = true }))
      local rows = assert(items:create_many({ { tenant_id = "t", title = "c" } }, { returning = true }))
      assert.equal("c", rows[1].title)
      assert.equal(0, items:create_many {})
      n, err = items:create_many { { tenant_id = "t", title = "x" }, { tenant_id = "t" } }
      assert.is_nil(n)
      assert.equal("invalid", err.code)
      assert.equal("row 2", err.detail)
    end)

    it("changes and deletes by condition, but never by an empty one", function()
      fill(4)
      assert.equal(2, items:update_where({ tenant_id = "t", stock = { lte = 2 } }, { price = 5 }))
      assert.equal(2, items:count { price = 5 })
      assert.equal(1, items:delete_where { stock = 4 })
      assert.equal(3, items:count())
      for _, where in ipairs { false, {} } do
        assert.has_error(function() items:delete_where(where or nil) end)
        assert.has_error(function() items:update_where(where or nil, { price = 1 }) end)
      end
      assert.equal(3, items:delete_where(larder.all {}))
      assert.equal(0, items:count())
    end)

    -- ---- soft delete ----

    it("hides deleted rows, frees their names, restores and purges", function()
      local tea = assert(items:create { tenant_id = "t", title = "Tea" })
      assert.same({ true, 1 }, { items:delete("t", tea.id) })
      assert.same({ true, 0 }, { items:delete("t", tea.id) })
      local none, err = items:get("t", tea.id)
      assert.is_nil(none)
      assert.equal("not_found", err.code)
      assert.is_false(items:exists("t", tea.id))
      assert.equal(0, items:count())
      assert.same({}, assert(items:list "t"))
      assert.same({ false }, assert(items:get_many { { "t", tea.id } }))
      none, err = items:patch("t", tea.id, { stock = 1 })
      assert.is_nil(none)
      assert.equal("not_found", err.code)
      assert.is_string(assert(items:get("t", tea.id, { with_deleted = true })).deleted_at)
      assert.equal(1, items:count(larder.all {}, { with_deleted = true }))
      local other = assert(items:create { tenant_id = "t", title = "Tea" })
      local ok
      ok, err = items:restore("t", tea.id)
      assert.is_nil(ok)
      assert.equal("conflict", err.code)
      assert.same({ true, 1 }, { items:purge("t", other.id) })
      assert.same({ true, 1 }, { items:restore("t", tea.id) })
      assert.equal("Tea", assert(items:get("t", tea.id)).title)
      assert.same({ true, 1 }, { items:purge("t", tea.id) })
      assert.equal(0, items:count(larder.all {}, { with_deleted = true }))
    end)

    -- ---- figures ----

    it("aggregates", function()
      assert(visits:create_many { { page = "/a" }, { page = "/b" }, { page = "/a" } })
      local rows = assert(visits:aggregate { aggs = { { "count", as = "n" } }, groups = { "page" } })
      assert.same({ { page = "/a", n = 2 }, { page = "/b", n = 1 } }, rows)
      assert.is_nil(items.aggregate)
    end)
  end)
end
