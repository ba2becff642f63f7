-- What the engines once answered differently, or both wrongly.

local larder = require "larder"
local turns = require "spec.support.turns"
local twin = require "spec.support.twin"

-- Memory never waits for a lock; PostgreSQL gives up soon here, so that the two can be compared.
local function impatient(url)
  return url .. (url:find("?", 1, true) and "&" or "?") .. "options=-c%20lock_timeout%3D50ms"
end

local targets = { memory = "memory:", postgres = impatient(os.getenv "LARDER_TEST_URL") }

local function deep(n)
  local value = { k = 1 }
  for _ = 2, n do value = { k = value } end
  return value
end

for name, target in pairs(targets) do
  describe("one answer on " .. name, function()
    local db, s

    setup(function() db = assert(larder.open(target)) end)
    before_each(function()
      if name == "memory" then db:close() db = assert(larder.open(target)) end
      s = twin.stores(db)
    end)
    teardown(function() db:close() end)

    local function aggregate(store, ...)
      local rows, err = s[store]:aggregate { aggs = { ... } }
      if not rows then return nil, err.code, err.sqlstate end
      return rows[1]
    end

    it("finds a real by the number it was written with", function()
      assert(s.floats:create { k = 0.1, v = 1 })
      assert.equal(1, assert(s.floats:get(0.1)).v)
      assert.is_true(s.floats:exists(0.1))
      assert.equal(1, s.floats:count { k = 0.1 })
      assert.equal(1, s.floats:count { k = { 0.1, 7 } })
      assert.equal(0, s.floats:count { k = { ne = 0.1 } })
      assert.equal(0, s.floats:count { k = { gt = 0.1 } })
      assert.equal(2, assert(s.floats:patch(0.1, { v = 2 })).v)
      assert.equal(1, s.floats:delete_where { k = { gte = 0.1 } })
    end)

    it("applies a partial unique whose condition is a real", function()
      assert(s.types:create { id = 1, big = 7, f4 = 0.1 })
      assert(s.types:create { id = 2, big = 7, f4 = 0.2 })
      local row, err = s.types:create { id = 3, big = 7, f4 = 0.1 }
      assert.is_nil(row)
      assert.equal("types_half", err.constraint)
    end)

    it("reads back what append and merge made, however deep", function()
      assert(s.types:create { id = 1, doc = deep(512) })
      assert(s.types:patch(1, { doc = larder.append(larder.array { 1 }) }))
      local row = assert(s.types:get(1))
      assert.equal(2, #row.doc)
      assert.equal(1, #assert(s.types:list {}))
      assert.equal(0, s.types:count { doc = { has_key = "k" } })
      assert(s.types:patch(1, { doc = larder.append(larder.array { 2 }) }))
      assert.equal(3, #s.types:get(1).doc)
      local none, err = s.types:create { id = 2, doc = deep(513) }
      assert.is_nil(none)
      assert.equal("invalid", err.code)
    end)

    it("refuses contains on json[] before an engine is asked", function()
      assert(s.types:create { id = 1, docs = larder.array { 1 } })
      local n, err = s.types:count { docs = { contains = larder.array { 1 } } }
      assert.is_nil(n)
      assert.equal("invalid", err.code)
      assert.matches("json, xml and tsvector have no equality", err.message)
    end)

    it("appends a proposed null to a null array: an empty one", function()
      assert(s.types:create { id = 1 })
      local row = assert(s.types:upsert({ id = 1 }, { set = { texts = larder.append(larder.excluded) } }))
      assert.same({}, row.texts)
    end)

    it("averages what is beyond a double by an error, and floats without overflow", function()
      for _, n in ipairs { "1e400", "1e-400", "2e308" } do
        assert(s.types:create { id = 1, n = n })
        local _, code, state = aggregate("types", { "avg", "n" })
        assert.equal("invalid 22003", tostring(code) .. " " .. tostring(state))
        assert(s.types:delete(1))
      end
      assert(s.types:create { id = 1, f8 = 1e200, f4 = 1.5 })
      assert(s.types:create { id = 2, f8 = -1e200, f4 = 2.5 })
      assert.same({ avg = 0.0, half = 2.0 }, aggregate("types", { "avg", "f8" }, { "avg", "f4", as = "half" }))
      assert.same({}, aggregate("types", { "avg", "f8", filter = { id = 9 } }))
      assert(s.types:patch(1, { f8 = 5e-324 }))
      assert(s.types:patch(2, { f8 = 0 }))
      local _, code, state = aggregate("types", { "avg", "f8" }) -- half of the least number
      assert.equal("invalid 22003", tostring(code) .. " " .. tostring(state))
    end)

    it("computes no figure of a group that having refuses, unless it asks for it", function()
      for id, row in ipairs { { text = "a", n = "1e400" }, { text = "b", n = "1" }, { text = "b", n = "2" } } do
        assert(s.types:create { id = id, text = row.text, n = row.n })
      end
      local opts = { groups = { "text" }, aggs = { { "count", as = "rows" }, { "avg", "n", as = "half" } }, having = { rows = 2 } }
      assert.same({ { text = "b", rows = 2, half = 1.5 } }, assert(s.types:aggregate(opts)))
      opts.order = "-half"
      assert.same({ { text = "b", rows = 2, half = 1.5 } }, assert(s.types:aggregate(opts)))
      opts.having = larder.any { { rows = 2 }, larder.not_ { half = { lt = 0 } } }
      local rows, err = s.types:aggregate(opts)
      assert.is_nil(rows)
      assert.equal("22003", err.sqlstate)
    end)

    it("refuses a time bucket that begins before time does", function()
      assert(s.types:create { id = 1, at = "4714-11-24T00:00:00Z BC" })
      for bucket, good in pairs { day = true, hour = true, month = false, year = false } do
        local rows, err = s.types:aggregate { aggs = { { "count", as = "n" } }, groups = { { "at", bucket = bucket } } }
        assert.equal(good, rows ~= nil)
        if not good then assert.equal("invalid 22008", err.code .. " " .. tostring(err.sqlstate)) end
      end
    end)

    it("keeps the sign of a zero sum, and of equal numbers the last", function()
      assert(s.types:create { id = 1, f8 = -0.0, n = "1.000" })
      assert(s.types:create { id = 2, n = "1.0" })
      local row = aggregate("types", { "sum", "f8" }, { "max", "n" }, { "min", "n", as = "least" })
      assert.equal(-1 / 0, 1 / row.sum)
      assert.equal("1.0", row.max)
      assert.equal("1.0", row.least)
    end)

    it("calls a row that one upsert would change twice invalid", function()
      local n, err = s.parents:run { op = "insert", rows = { { id = 1 }, { id = 1 } }, on_conflict = "update" }
      assert.is_nil(n)
      assert.equal("invalid 21000", err.code .. " " .. err.sqlstate)
    end)

    it("needs one unique for an update on conflict", function()
      local n, err = s.parents:run { op = "insert", rows = { { id = 1 } }, on_conflict = "update", target = "*" }
      assert.is_nil(n)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.target)
      assert.has_error(function() s.parents:create_many({ { id = 1 } }, { on_conflict = "update" }) end)
    end)

    it("raises where get and exists have no key, at the caller's line", function()
      for _, method in ipairs { "get", "exists" } do
        for _, key in ipairs { larder.null, {} } do
          local ok, why = pcall(function() local row = s.types[method](s.types, key) return row end)
          assert.is_false(ok)
          assert.matches("twin_spec.lua:%d+: twin.types:%a+: argument 1 must be the value of id", why)
        end
      end
    end)

    it("says in the same words that a transaction only reads", function()
      local ok, err = db:transaction({ read_only = true }, function() return s.parents:create { id = 1 } end)
      assert.is_nil(ok)
      assert.equal("permission", err.code)
      assert.equal("the transaction is read-only", err.message)
    end)

    it("refuses a pattern that ends in the middle of an escape, whatever rows there are", function()
      for _, where in ipairs { { text = { like = "a\\" } }, { text = { ilike = "%\\\\\\" } } } do
        local n, err = s.types:count(where)
        assert.is_nil(n)
        assert.equal("invalid", err.code)
        assert.is_string(err.fields.text)
      end
      assert.equal(0, s.types:count { text = { like = "a\\\\" } })
    end)

    it("has one limit for the number of conditions", function()
      local list = {}
      for i = 1, 65001 do list[i] = { small = 1 } end
      local n, err = s.types:count(larder.any(list))
      assert.is_nil(n)
      assert.equal("invalid", err.code)
      assert.matches("more than 65000 values", err.message)
    end)

    it("holds declared limits through increment", function()
      assert(s.types:create { id = 1, small = 4 })
      assert.equal(10, assert(s.types:patch(1, { small = larder.increment(6) })).small)
      local row, err = s.types:patch(1, { small = larder.increment(1) })
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      assert.same({ small = "must be at most 10" }, err.fields)
      row, err = s.types:patch(1, { small = larder.increment(-16) })
      assert.is_nil(row)
      assert.same({ small = "must be at least -5" }, err.fields)
      row, err = s.types:upsert({ id = 1, small = 1 }, { set = { small = larder.increment(larder.excluded) } })
      assert.is_nil(row)
      assert.same({ small = "must be at most 10" }, err.fields)
      assert.equal(10, s.types:get(1).small)
      assert(s.types:create { id = 2 })
      assert.equal(7, assert(s.types:patch(2, { small = larder.increment(7) })).small)
      row, err = s.types:patch(2, { small = larder.increment(32767) })
      assert.is_nil(row)
      assert.same({ small = "must be at most 10" }, err.fields)
    end)

    it("refuses a lock outside of a transaction, which would lock nothing", function()
      for _, call in ipairs {
        function(opts) return s.parents:find({ id = 1 }, opts) end, function(opts) return s.parents:get(1, opts) end,
        function(opts) return s.parents:list(opts) end,
      } do
        local row, err = call { lock = "update" }
        assert.is_nil(row)
        assert.same({ "invalid", "locks nothing outside of a transaction" }, { err.code, err.fields.lock })
        assert(db:transaction(function()
          local _, why = call { lock = "update" }
          return not (why and why.code == "invalid")
        end))
      end
    end)

    -- ---- locks of transactions that take turns ----

    local function lock(store, where, how)
      return function()
        local row, err = s[store]:find(where, { lock = how })
        if row then return "row" end
        assert(err.table == nil, "the server names no table of a lock")
        return err.code
      end
    end

    local function code_of(fn)
      return function()
        local value, err = fn()
        if value then return "done" end
        return err.code .. " " .. (err.constraint or "-")
      end
    end

    local function with_parent()
      assert(s.parents:create { id = 1, name = "a" })
      assert(s.parents:create { id = 2, name = "b" })
      return turns.open(db), turns.open(db)
    end

    it("shares rows that are locked by share", function()
      local a, b = with_parent()
      assert.equal("row", a(lock("parents", { id = 1 }, "share")))
      assert.equal("row", b(lock("parents", { id = 1 }, "share")))
      assert.equal("done", b(code_of(function() return s.kids:create { id = 5, parent = 1 } end)))
      assert.equal("not_found", b(lock("parents", { id = 1 }, "update_skip")))
      assert.equal("lock_timeout -", b(code_of(function() return s.parents:patch(1, { v = 1 }) end)))
      a() b()
      assert.equal(1, assert(s.parents:patch(1, { v = 1 })).v)
    end)

    it("holds a parent while its child is not yet committed, against all but changes of other fields", function()
      local a, b = with_parent()
      assert.equal("done", a(code_of(function() return s.kids:create { id = 5, parent = 1 } end)))
      assert.equal("row", b(lock("parents", { id = 1 }, "share")))
      assert.equal("done", b(code_of(function() return s.parents:patch(1, { v = 1 }) end)))
      assert.equal("not_found", b(lock("parents", { id = 1 }, "update_skip")))
      assert.equal("lock_timeout", b(lock("parents", { id = 1 }, "update_nowait")))
      b()
      local c = turns.open(db)
      assert.equal("lock_timeout -", c(code_of(function() return s.parents:delete(1) end)))
      c()
      c = turns.open(db)
      assert.equal("lock_timeout -", c(code_of(function() return s.parents:patch(1, { name = "c" }) end)))
      c()
      a(nil, true)
      assert.is_true(s.parents:delete(1))
    end)

    it("lets go of a share with its savepoint", function()
      local a, b = with_parent()
      a(function()
        return db:transaction(function()
          assert(s.parents:find({ id = 1 }, { lock = "share" }))
          assert(s.kids:create { id = 5, parent = 2 })
          return nil, "undone"
        end)
      end)
      assert.equal(2, a(function() return s.parents:count() end)) -- a rollback to a savepoint travels with a statement
      assert.equal("row", b(lock("parents", { id = 1 }, "update_nowait")))
      assert.equal("row", b(lock("parents", { id = 2 }, "update_nowait")))
      a() b()
    end)

    it("sees the child that another transaction is moving away", function()
      assert(s.parents:create { id = 1 })
      assert(s.parents:create { id = 2 })
      assert(s.kids:create { id = 5, parent = 1 })
      local a, b = turns.open(db), turns.open(db)
      assert.equal("done", a(code_of(function() return s.kids:patch(5, { parent = 2 }) end)))
      assert.equal("foreign_key kids_parent_fkey", b(code_of(function() return s.parents:delete(1) end)))
      a() b()
    end)

    it("lets go of everything when a transaction fails, though it is still open", function()
      local a, b = with_parent()
      assert.equal("done", a(code_of(function() return s.parents:patch(1, { v = 1 }) end)))
      assert.equal("row", a(lock("parents", { id = 2 }, "update")))
      assert.equal("conflict parents_pkey", a(code_of(function() return s.parents:create { id = 2 } end)))
      assert.equal("done", b(code_of(function() return s.parents:patch(1, { v = 2 }) end)))
      assert.equal("row", b(lock("parents", { id = 2 }, "update_nowait")))
      assert.is_true(b())
      assert.is_nil((a()))
    end)

    it("locks what an upsert meets as for update when it names a unique field", function()
      local a, b = with_parent()
      assert.equal("done", a(code_of(function() return s.kids:create { id = 5, parent = 1 } end)))
      assert.equal("lock_timeout -", b(code_of(function() return s.parents:upsert { id = 1, name = "a" } end)))
      b()
      b = turns.open(db)
      assert.equal("done", b(code_of(function() return s.parents:upsert({ id = 1 }, { set = { v = 5 } }) end)))
      a() b()
    end)

    it("keeps a child out while the parent's unique field is changed", function()
      local a, b = with_parent()
      assert.equal("done", a(code_of(function() return s.parents:patch(1, { name = "z" }) end)))
      assert.equal("lock_timeout -", b(code_of(function() return s.kids:create { id = 5, parent = 1 } end)))
      a() b()
      a, b = turns.open(db), turns.open(db)
      assert.equal("done", a(code_of(function() return s.parents:patch(1, { v = 3 }) end)))
      assert.equal("done", b(code_of(function() return s.kids:create { id = 5, parent = 1 } end)))
      assert.is_true(a())
      assert.is_true(b())
    end)

    it("takes larder_n for a name like any other", function()
      larder.declare { name = "numbered", entities = {
        { name = "lists", fields = { { name = "id", type = "int4" } }, key = { "id" } },
        { name = "lines", fields = { { name = "id", type = "int4" }, { name = "larder_n", type = "int4", null = true },
          { name = "n1", column = "larder_n1", type = "int4", null = true }, { name = "list", type = "int4" } }, key = { "id" },
          references = { { fields = { "list" }, to = "lists", many = "lines" } } },
      } }
      if name ~= "memory" then
        assert(db:query "drop schema if exists numbered cascade")
        assert(db:query "create schema numbered")
        assert(db:query "create table numbered.lists (id int4 constraint lists_pkey primary key)")
        assert(db:query [[create table numbered.lines (id int4 constraint lines_pkey primary key, larder_n int4, larder_n1 int4,
          list int4 not null constraint lines_list_fkey references numbered.lists)]])
      end
      local stores = db:stores "numbered"
      assert(stores.lists:create_many { { id = 1 }, { id = 2 } })
      for i = 1, 8 do assert(stores.lines:create { id = i, larder_n = 10 - i, n1 = 20 - i, list = 1 + i % 2 }) end
      local lists = assert(stores.lists:list { order = "id",
        include = { lines = { order = "larder_n", limit = 2, offset = 1, columns = { "id", "larder_n", "n1" } } } })
      assert.same({ { id = 6, larder_n = 4, n1 = 14 }, { id = 4, larder_n = 6, n1 = 16 } }, lists[1].lines)
      assert.same({ { id = 5, larder_n = 5, n1 = 15 }, { id = 3, larder_n = 7, n1 = 17 } }, lists[2].lines)
      if name ~= "memory" then assert(db:query "drop schema numbered cascade") end
    end)
  end)
end
