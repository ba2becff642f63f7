-- Rows that nobody waits for: insert_async, flush, writer_stats.

local larder = require "larder"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("insert_async on " .. engine.name, function()
    local db, items, visits, before

    before_each(function()
      db = engine.fresh "shop"
      local shop = db:stores "shop"
      items, visits = shop.items, shop.visits
      before = items:writer_stats()
    end)

    teardown(engine.done)

    -- The writer lives as long as its database, which the specs may share.
    local function counted(name)
      return items:writer_stats()[name] - before[name]
    end

    it("writes rows with their defaults and stamps", function()
      assert.is_true(items:insert_async { tenant_id = "t", title = "Tea", price = "1.5", tags = { "hot" }, extra = { a = 1 } })
      assert.is_true(items:insert_async { tenant_id = "t", title = "Mate" })
      assert.is_true(items:flush(10))
      local tea = assert(items:get_by_title("t", "Tea"))
      assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", tea.id)
      assert.equal("1.50", tea.price)
      assert.equal(0, tea.stock)
      assert.same({ a = 1 }, tea.extra)
      assert.equal(tea.created_at, tea.updated_at)
      assert.equal(2, items:count())
      assert.equal(2, counted "queued")
      assert.equal(2, counted "written")
      assert.equal(0, items:writer_stats().depth)
    end)

    it("makes defaults when the row is accepted", function()
      local now = 1700000000000000
      db:set_clock(function() return now end)
      assert(items:insert_async { tenant_id = "t", title = "Tea" })
      now = now + 5000000
      assert(db:flush(10))
      assert.equal("2023-11-14T22:13:20.000000Z", assert(items:get_by_title("t", "Tea")).created_at)
    end)

    it("refuses at once what create refuses", function()
      local row = { tenant_id = "t", titel = "Tea", stock = "many" }
      local ok, err = items:insert_async(row)
      local _, twin = items:create(row)
      assert.is_nil(ok)
      assert.equal("invalid", err.code)
      assert.same(twin.fields, err.fields)
      assert.equal("shop.items", err.store)
      assert.equal("insert_async", err.op)
      ok, err = items:insert_async { tenant_id = "t", stock = -1 }
      assert.is_nil(ok)
      assert.is_string(err.fields.title)
      assert.is_string(err.fields.stock)
      assert.equal(0, counted "queued")
      assert.has_error(function() items:insert_async() end)
      assert.has_error(function() items:insert_async "row" end)
    end)

    it("needs a key that is not numbered by the server", function()
      local ok, err = visits:insert_async { page = "/" }
      assert.is_nil(ok)
      assert.equal("unsupported", err.code)
      assert.matches("id", err.message, 1, true)
      assert.is_true(visits:insert_async { id = 7, page = "/" })
      assert(visits:flush(10))
      assert.equal("/", assert(visits:get(7)).page)
    end)

    it("leaves a row whose key is there", function()
      local row = assert(items:create { tenant_id = "t", title = "Tea" })
      assert(items:insert_async { tenant_id = "t", id = row.id, title = "Coffee" })
      assert(items:insert_async { tenant_id = "t", id = row.id, title = "Tea" })
      assert(items:flush(10))
      assert.same(row, assert(items:get("t", row.id)))
      assert.equal(2, counted "duplicates")
      assert.equal(0, counted "rejected")
    end)

    it("FT-w5 tells of a row that the database refuses, and writes the others", function()
      local heard = {}
      local remove = db:on("error", function(event) heard[#heard + 1] = event end)
      local id = require("larder.core").uuid()
      assert(items:insert_async { tenant_id = "t", title = "Tea" })
      assert(items:insert_async { tenant_id = "t", id = id, title = "Tea" })
      assert(items:insert_async { tenant_id = "t", title = "Mate" })
      assert(items:flush(10))
      remove()
      assert.equal(2, items:count())
      assert.equal(1, counted "rejected")
      local stats = items:writer_stats()
      local last = stats.rejected_rows[#stats.rejected_rows]
      assert.equal("shop.items", last.store)
      assert.same({ tenant_id = "t", id = id }, last.key)
      assert.equal("conflict", last.err.code)
      assert.equal("items_title_key", last.err.constraint)
      assert.is_nil(last.err.message:find("Tea", 1, true))
      assert.equal("conflict", stats.last_error.code)
      assert.equal(1, #heard)
      assert.equal("insert_async", heard[1].op)
      assert.equal("shop.items", heard[1].store)
      assert.equal("conflict", heard[1].err.code)
    end)

    it("keeps the last sixteen refused rows", function()
      assert(items:create { tenant_id = "t", title = "Tea" })
      for _ = 1, 20 do assert(items:insert_async { tenant_id = "t", title = "Tea" }) end
      assert(items:flush(10))
      assert.equal(20, counted "rejected")
      assert.equal(16, #items:writer_stats().rejected_rows)
    end)

    it("is never part of a transaction", function()
      local ok = db:transaction(function()
        assert(items:create { tenant_id = "t", title = "Tea" })
        assert(items:insert_async { tenant_id = "t", title = "Mate" })
        return nil, "undone"
      end)
      assert.is_nil(ok)
      assert(items:flush(10))
      assert.is_nil(items:get_by_title("t", "Tea"))
      assert.equal("Mate", assert(items:get_by_title("t", "Mate")).title)
    end)

    it("waits for a row that an open transaction holds", function()
      local id = require("larder.core").uuid()
      db:transaction(function()
        assert(items:create { tenant_id = "t", id = id, title = "Tea" })
        assert(items:insert_async { tenant_id = "t", id = id, title = "Mate" })
        local ok, err = items:flush(0.3)
        assert.is_nil(ok)
        assert.equal("timeout", err.code)
        return nil, "undone"
      end)
      assert(items:flush(10))
      assert.equal("Mate", assert(items:get("t", id)).title)
    end)

    it("FT-w17 a row that an open transaction holds pauses its store alone", function()
      local id, heard = require("larder.core").uuid(), {}
      local other = engine.another and engine.another() or db
      local remove = db:on("parked", function(event) heard[#heard + 1] = event end)
      other:transaction(function()
        assert(other:stores("shop").items:create { tenant_id = "t", id = id, title = "Tea" })
        assert(items:insert_async { tenant_id = "t", id = id, title = "Mate" })
        for i = 1, 20 do assert(visits:insert_async { id = 500 + i, page = "/" }) end
        for _ = 1, 1000 do
          if items:writer_stats().stores["shop.visits"].depth == 0 then break end
          require("larder.core").sleep(0.005)
        end
        assert.equal(0, items:writer_stats().stores["shop.visits"].depth)
        assert.equal(1, items:writer_stats().stores["shop.items"].depth)
        return nil, "undone"
      end)
      assert(items:flush(10))
      remove()
      assert.equal("Mate", assert(items:get("t", id)).title)
      assert.equal(20, visits:count())
      for _, event in ipairs(heard) do assert.equal("shop.items", event.store) end
      assert.equal(0, items:writer_stats().parked)
    end)

    it("FT-w19 refused rows are dead letters: listed, replayed, discarded", function()
      local letters = assert(db:dead_letters())
      assert(letters:discard())
      local tea = assert(items:create { tenant_id = "t", title = "Tea" })
      for i = 1, 3 do assert(items:insert_async { tenant_id = "t", title = "Tea", extra = { n = i }, tags = { "hot" } }) end
      assert(items:flush(10))
      assert.equal(3, letters:count())
      assert.equal(3, letters:count "shop.items")
      assert.equal(0, letters:count "shop.visits")
      local list = assert(letters:list())
      assert.same({ n = 1 }, list[1].row.extra)
      assert.same({ "hot" }, list[1].row.tags)
      assert.equal("Tea", list[1].row.title)
      assert.equal("conflict", list[1].err.code)
      assert.equal("items_title_key", list[1].err.constraint)
      assert.is_true(list[1].accepted_at > 1e9 and list[1].refused_at >= list[1].accepted_at - 1)
      assert.equal(1, letters:discard(list[1]))
      assert.equal(2, letters:count())
      assert(items:delete("t", tea.id))
      assert.equal(2, letters:replay()) -- the first is stored, the second refused once more
      assert(items:flush(10))
      assert.equal(1, letters:count())
      assert.same({ n = 2 }, assert(items:get_by_title("t", "Tea")).extra)
      assert.equal(1, letters:discard(function(letter) return letter.row.extra.n == 3 end))
      assert.equal(0, letters:count())
      assert.equal(0, letters:replay())
      assert.has_error(function() letters:count(7) end)
    end)

    it("counts in the metrics", function()
      assert(items:insert_async { tenant_id = "t", title = "Tea" })
      assert(db:flush(10))
      local text = db:metrics()
      assert.matches("\nlarder_writer_queued_total %d+\n", text)
      assert.matches("\nlarder_writer_written_total %d+\n", text)
      assert.matches("\nlarder_writer_depth 0\n", text)
      assert.matches("# TYPE larder_writer_oldest_age_seconds gauge", text, 1, true)
    end)
  end)
end

describe("options of the writer", function()
  it("are checked when the database is opened", function()
    for _, writer in ipairs {
      { queu = 1 }, { queue = 0 }, { queue = 1.5 }, { queue = "10" }, { batch = -1 }, { interval = -1 }, { timeout = "1" }, { timeout = 0 },
      { policy = "wait" }, { policy = "spill" }, { spill = "" }, { spill = true }, { spill_bytes = 0 }, { close_timeout = 0 / 0 }, "spill",
    } do
      assert.has_error(function() larder.open("memory:", { writer = writer }) end)
    end
    assert(larder.open("memory:", { writer = { queue = 5, batch = 2, interval = 0, policy = "block", close_timeout = 1 } })):close()
  end)

  it("flush and statistics need no writer", function()
    local db = assert(larder.open "memory:")
    assert.is_true(db:flush())
    assert.matches("larder_writer_queued_total 0", db:metrics(), 1, true)
    assert.has_error(function() db:flush "soon" end)
    db:close()
  end)

  it("a closed database takes no rows", function()
    local db = engines[1].fresh "shop"
    local items = db:stores("shop").items
    assert(items:insert_async { tenant_id = "t", title = "Tea" })
    db:close()
    local ok, err = items:insert_async { tenant_id = "t", title = "Mate" }
    assert.is_nil(ok)
    assert.equal("closed", err.code)
    assert.equal(1, items:writer_stats().written)
  end)
end)
