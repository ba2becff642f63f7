-- Stores and operations of larder.core, on the memory engine.

local core = require "larder.core"
local things = require "spec.support.core_things"

local null = core.null

local function where(kind, t)
  t.kind = kind
  return setmetatable(t, core.pred_mt)
end

local function expr(kind, value)
  return setmetatable({ kind = kind, value = value }, core.expr_mt)
end

local function ids(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.owner .. row.id end
  return table.concat(list, " ")
end

describe("a store of larder.core", function()
  local engine, store, owners

  before_each(function() engine, store, owners = things.open() end)
  after_each(function() engine:close() end)

  local function create(owner, id, more)
    local row = { owner = owner, id = id }
    for k, v in pairs(more or {}) do row[k] = v end
    return assert(store:create(row))
  end

  local function fault(field, rows, err)
    assert.is_nil(rows)
    assert.equal("invalid", err.code)
    assert.is_string(err.fields[field], tostring(err))
    return err.fields[field]
  end

  local function found(op)
    op.op = "select"
    return ids(assert(store:run(op)))
  end

  describe("create, get and exists", function()
    it("returns the row as stored, with defaults and stamps and without secrets", function()
      engine:set_clock(function() return 1767322800000006 end)
      local row = create("a", 1, { title = "one", secret = "s" })
      assert.equal("new", row.state)
      assert.equal("2026-01-02T03:00:00.000006Z", row.created_at)
      assert.equal(row.created_at, row.updated_at)
      assert.equal(36, #row.uid)
      assert.is_number(row.seq)
      assert.is_nil(row.secret)
      assert.is_nil(row.at)
      assert.same(row, store:get("a", 1))
    end)

    it("says that a key is not there", function()
      local row, err = store:get("a", 99)
      assert.is_nil(row)
      assert.equal("not_found", err.code)
      assert.equal("spec.things", err.store)
      assert.equal("get", err.op)
      assert.is_false(store:exists("a", 99))
      create("a", 99)
      assert.is_true(store:exists("a", 99))
    end)

    it("takes the values of the key, and leaves every other call to the method in Lua", function()
      local function is_left(...) assert.equal(0, select("#", ...)) end
      for _, name in ipairs { "get", "exists" } do
        is_left(store[name](store, "a"))
        is_left(store[name](store, "a", 1, {}))
        is_left(store[name](store, "a", nil))
        is_left(store[name](store, "a", null))
        is_left(store[name](store, { "a" }, 1))
      end
      create("a", 1)
      is_left(store:patch("a", 1))
      is_left(store:patch("a", 1, {}))
      is_left(store:patch("a", 1, setmetatable({}, { __index = { title = "t" } })))
      is_left(store:patch("a", nil, { title = "t" }))
      is_left(store:patch("a", 1, { title = "t" }, {}))
      fault("id", store:get("a", "x"))
      fault("owner", store:get(1, 1))
      fault("owner", store:exists("\255", 1))
      fault("id", store:patch("a", "x", { title = "t" }))
    end)

    it("changes fields by the key", function()
      local row = create("a", 1)
      local patched = assert(store:patch("a", 1, { title = "new" }))
      row.title, row.updated_at = "new", patched.updated_at
      assert.same(row, patched)
      fault("owner", store:patch("a", 1, { owner = "b" }))
      fault("nonsense", store:patch("a", 1, { nonsense = 1 }))
      assert.has_error(function() store:patch("a", 1, { title = "t", [1] = 2 }) end)
      local none, err = store:patch("a", 9, { title = "t" })
      assert.is_nil(none)
      assert.equal("not_found patch spec.things", ("%s %s %s"):format(err.code, err.op, err.store))
    end)

    it("reports every fault of a row at once", function()
      local row, err = store:create { owner = "a", id = "x", title = 5, flag = 0, nonsense = 1 }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      local names = {}
      for name in pairs(err.fields) do names[#names + 1] = name end
      table.sort(names)
      assert.same({ "flag", "id", "nonsense", "title" }, names)
    end)

    it("refuses what the declaration refuses", function()
      fault("owner", store:create { id = 1 })
      fault("title", store:create { owner = "a", id = 1, title = "01234567890" })
      fault("state", store:create { owner = "a", id = 1, state = "other" })
      fault("whole", store:create { owner = "a", id = 1, whole = -11 })
      fault("small", store:create { owner = "a", id = 1, small = 40000 })
      fault("title", store:create { owner = "a", id = 1, title = "a\0b" })
      fault("title", store:create { owner = "a", id = 1, title = "\255" })
    end)

    it("names the constraint that is broken", function()
      create("a", 1, { title = "x" })
      local _, err = store:create { owner = "a", id = 1 }
      assert.equal("conflict", err.code)
      assert.equal("things_pkey", err.constraint)
      _, err = store:create { owner = "a", id = 2, title = "x" }
      assert.equal("things_title_key", err.constraint)
      _, err = store:create { owner = "z", id = 2 }
      assert.equal("foreign_key", err.code)
      assert.equal("spec.things", err.store)
      assert.equal("create", err.op)
    end)

    it("raises when a row is no table, or an option is unknown", function()
      assert.has_error(function() store:create("x") end)
      assert.has_error(function() store:create({ owner = "a", id = 1 }, { nonsense = 1 }) end)
      assert.has_error(function() store:create({ owner = "a", id = 1 }, { timeout = -1 }) end)
      assert.has_error(function() store:create({ owner = "a", id = 1 }, { timeout = "1" }) end)
    end)
  end)

  describe("select", function()
    before_each(function()
      create("a", 1, { title = "one", whole = 10, at = "2026-01-01T00:00:00Z", doc = { k = 1, list = { 1, 2 } } })
      create("a", 2, { title = "two", whole = 20, state = "old", tags = { "x", "y" } })
      create("b", 1, { title = "One", whole = 30, doc = { k = 2 } })
      create("b", 2, { flag = true })
    end)

    it("gives all rows in key order, and an empty list", function()
      assert.equal("a1 a2 b1 b2", found {})
      assert.same({}, store:run { op = "select", where = { id = 77 } })
    end)

    it("understands every operator", function()
      assert.equal("a1 a2", found { where = { owner = "a" } })
      assert.equal("a1 b1", found { where = { id = { 1 } } })
      assert.equal("", found { where = { id = {} } })
      assert.equal("b2", found { where = { title = null } })
      assert.equal("b2", found { where = { whole = { is_null = true } } })
      assert.equal("a1 a2 b1", found { where = { whole = { is_null = false } } })
      assert.equal("b2", found { where = { whole = { eq = null } } })
      assert.equal("a1 a2 b1", found { where = { whole = { ne = null } } })
      assert.equal("a1", found { where = { whole = { eq = 10 } } })
      assert.equal("a2 b1", found { where = { whole = { ne = 10 } } })
      assert.equal("a2", found { where = { whole = { gt = 10, lt = 30 } } })
      assert.equal("a1 a2 b1", found { where = { whole = { gte = 10, lte = 30 } } })
      assert.equal("a1", found { where = { title = { like = "o%" } } })
      assert.equal("a1 b1", found { where = { title = { ilike = "o%" } } })
      assert.equal("a1 b1", found { where = { whole = { ["in"] = { 10, 30 } } } })
      assert.equal("a2", found { where = { whole = { not_in = { 10, 30 } } } })
      assert.equal("a1", found { where = { doc = { contains = { k = 1 } } } })
      assert.equal("a1", found { where = { doc = { has_key = "list" } } })
      assert.equal("b1", found { where = { doc = { k = 2 } } })
      assert.equal("a2", found { where = { tags = { contains = { "y" } } } })
      assert.equal("a2", found { where = { tags = { "x", "y" } } })
      assert.equal("a1", found { where = { at = "2026-01-01T01:00:00+01:00" } })
    end)

    it("joins conditions with any, all and not", function()
      assert.equal("a1 b2", found { where = where("any", { { whole = 10 }, { flag = true } }) })
      assert.equal("a1", found { where = where("all", { { owner = "a" }, { id = 1 } }) })
      assert.equal("b1 b2", found { where = where("not", { { owner = "a" } }) })
      assert.equal("a2", found { where = { owner = "a", where("not", { { id = 1 } }) } })
      assert.has_error(function() found { where = where("any", {}) } end)
      assert.equal("a1 a2 b1 b2", found { where = where("all", {}) })
      assert.equal("b1", found { where = { { owner = "b" }, { id = 1 } } })
    end)

    it("finds rows by keys, and by rows of another store", function()
      assert.equal("a2 b1", found { where = where("keys", { { "b", 1 }, { "a", 2 }, { "c", 9 } }) })
      local of_ann = where("exists", { store = "owners", on = { id = "owner" }, where = { name = "Ann" } })
      assert.equal("a1 a2", found { where = of_ann })
      assert.equal("a1 a2 b1 b2", found { where = where("exists", { store = "owners", on = { id = "owner" } }) })
      local mine = where("exists", { store = "things", on = { owner = "id" }, where = { whole = { gt = 25 } } })
      assert.equal("b", assert(owners:run { op = "select", where = mine })[1].id)
    end)

    it("names the field or operator it does not know", function()
      fault("nonsense", store:run { op = "select", where = { nonsense = 1 } })
      fault("title", store:run { op = "select", where = { title = { almost = 1 } } })
      fault("whole", store:run { op = "select", where = { whole = "x" } })
      fault("whole", store:run { op = "select", where = { whole = { 1, null } } })
      fault("whole", store:run { op = "select", where = { whole = { is_null = 1 } } })
      fault("title", store:run { op = "select", where = { title = { like = 1 } } })
      fault("whole", store:run { op = "select", where = { whole = 2 ^ 40 } })
      assert.has_error(function() store:run { op = "select", where = where("keys", { { "a" } }) } end)
      fault("nonsense", store:run { op = "select", where = where("exists", { store = "owners", on = { nonsense = "id" } }) })
      local _, err = store:run { op = "select", where = where("exists", { store = "nothing", on = {} }) }
      assert.equal("invalid", err.code)
      _, err = store:run { op = "select", where = { whole = { like = "x" } } }
      assert.equal("invalid", err.code)
      local endless = {}
      endless[1] = endless
      _, err = store:run { op = "select", where = endless }
      assert.equal("invalid", err.code)
    end)

    it("raises for what is no condition at all", function()
      assert.has_error(function() store:run { op = "select", where = 1 } end)
      assert.has_error(function() store:run { op = "select", where = where("perhaps", {}) } end)
      assert.has_error(function() store:run { op = "select", where = where("not", {}) } end)
      assert.has_error(function() store:run { op = "select", where = where("exists", { store = "owners" }) } end)
    end)

    it("orders", function()
      assert.equal("b1 a2 a1 b2", found { order = { { null = "whole" }, "-whole" } })
      assert.equal("b2 b1 a2 a1", found { order = "whole desc" })
      assert.equal("b2 b1 a2 a1", found { order = { "-whole" } })
      assert.equal("a2 a1 b2 b1", found { order = " owner , id desc " })
      assert.equal("b1 a2 a1 b2", found { order = { { rank = { { whole = 30 }, { state = "old" } } }, "owner" } })
      assert.equal("a1 a2 b1 b2", found { order = "owner asc" })
    end)

    it("names a wrong order", function()
      fault("nonsense", store:run { op = "select", order = "nonsense" })
      fault("order", store:run { op = "select", order = "id sideways" })
      fault("order", store:run { op = "select", order = "id desc desc" })
      fault("order", store:run { op = "select", order = "id,," })
      fault("order", store:run { op = "select", order = { {} } })
      fault("order", store:run { op = "select", order = { "-" } })
      local _, err = store:run { op = "select", order = "doc" }
      assert.equal("invalid", err.code)
      assert.has_error(function() store:run { op = "select", order = 5 } end)
    end)

    it("limits", function()
      assert.equal("a1 a2", found { limit = 2 })
      assert.equal("b1", found { limit = 1, offset = 2 })
      assert.equal("", found { limit = 0 })
      fault("limit", store:run { op = "select", limit = -1 })
      fault("offset", store:run { op = "select", offset = -1 })
      assert.has_error(function() store:run { op = "select", limit = "x" } end)
      assert.has_error(function() store:run { op = "select", limit = 1.5 } end)
      assert.equal("a1 b1", found { per = { "owner", limit = 1 } })
      fault("nonsense", store:run { op = "select", per = { "nonsense", limit = 1 } })
    end)

    it("answers a limit of 0 without asking, but checks what is asked", function()
      fault("nonsense", store:run { op = "select", limit = 0, where = { nonsense = 1 } })
      assert.same({}, store:run { op = "select", limit = 0, page = true })
    end)

    it("pages with cursors that belong to their order", function()
      local seen, cursor, first = {}, nil, nil
      repeat
        local rows, after = store:run { op = "select", page = true, limit = 1, order = "-owner", columns = { "id", "owner" },
          after = cursor }
        seen[#seen + 1] = ids(rows)
        cursor = after
        first = first or after
      until not cursor
      assert.equal("b1 b2 a1 a2", table.concat(seen, " "))
      local _, err = store:run { op = "select", page = true, limit = 1, order = "owner", after = first }
      assert.equal("invalid", err.code)
      _, err = store:run { op = "select", page = true, limit = 1, order = "-owner", after = "nonsense" }
      assert.equal("invalid", err.code)
      _, err = store:run { op = "select", page = true, limit = 1, order = { { null = "whole" } } }
      assert.equal("invalid", err.code)
      assert.has_error(function() store:run { op = "select", page = true } end)
      assert.has_error(function() store:run { op = "select", page = true, limit = 1, after = {} } end)
    end)

    it("pages by fields that it does not show", function()
      local rows, cursor = store:run { op = "select", page = true, limit = 3, order = "-whole", columns = { "title" } }
      assert.same({ {}, { title = "One" }, { title = "two" } }, rows)
      rows = store:run { op = "select", page = true, limit = 3, order = "-whole", columns = { "title" }, after = cursor }
      assert.same({ { title = "one" } }, rows)
    end)

    it("shows the columns asked for, secrets when they are named", function()
      assert(store:run { op = "update", where = { owner = "a", id = 1 }, set = { secret = "s" } })
      local rows = store:run { op = "select", where = { owner = "a", id = 1 }, columns = { "secret", "id" } }
      assert.same({ { secret = "s", id = 1 } }, rows)
      fault("nonsense", store:run { op = "select", columns = { "nonsense" } })
      assert.equal("invalid", select(2, store:run { op = "select", columns = {} }).code)
      assert.has_error(function() store:run { op = "select", columns = 5 } end)
    end)

    it("finds rows by keys that it does not show, or in part", function()
      local function by(columns)
        local keys = require("larder.base.expr").keys { { "a", 2 }, { "a", 99 }, { "a", 1 }, { "a", 2 } }
        return store:run { op = "select", where = keys, columns = columns, plain = true, by_key = true }
      end
      local whole, title, id = by(nil), by { "title" }, by { "title", "id" }
      assert.equal(2, whole[1].id)
      for i = 1, 4 do
        if i == 2 then
          assert.same({ false, false, false }, { whole[i], title[i], id[i] })
        else
          assert.same({ title = whole[i].title }, title[i])
          assert.same({ title = whole[i].title, id = whole[i].id }, id[i])
        end
      end
    end)

    it("takes locks and unordered reads", function()
      assert.equal("a1", found { where = { owner = "a", id = 1 }, lock = "update" })
      assert.has_error(function() store:run { op = "select", lock = "very" } end)
      assert.equal(4, #store:run { op = "select", plain = true })
    end)
  end)

  describe("insert", function()
    it("inserts rows and counts them, or returns them", function()
      assert.equal(2, store:run { op = "insert", rows = { { owner = "a", id = 1 }, { owner = "a", id = 2, title = "t" } } })
      local rows = store:run { op = "insert", row = { owner = "a", id = 3 }, returning = { "id", "state" } }
      assert.same({ { id = 3, state = "new" } }, rows)
      assert.equal(0, store:run { op = "insert", rows = {} })
      assert.same({}, store:run { op = "insert", rows = {}, returning = true })
      assert.equal(3, store:run { op = "count" })
    end)

    it("is all or nothing, and says which row is wrong", function()
      local n, err = store:run { op = "insert", rows = { { owner = "a", id = 1 }, { owner = "a", id = "x" } } }
      fault("id", n, err)
      assert.equal("row 2", err.detail)
      n, err = store:run { op = "insert", rows = { { owner = "a", id = 1 }, { owner = "a", id = 1 } } }
      assert.is_nil(n)
      assert.equal("conflict", err.code)
      assert.equal(0, store:run { op = "count" })
    end)

    it("gives identities in all rows or in none", function()
      fault("seq", store:run { op = "insert", rows = { { owner = "a", id = 1 }, { owner = "a", id = 2, seq = 7 } } })
      local rows = store:run { op = "insert", rows = { { owner = "a", id = 2, seq = 7 } }, returning = { "seq" } }
      assert.same({ { seq = 7 } }, rows)
    end)

    it("skips or updates on conflict", function()
      create("a", 1, { title = "one", whole = 1, doc = { x = 1 } })
      local row = { owner = "a", id = 1, title = "new" }
      assert.equal(0, store:run { op = "insert", row = row, on_conflict = "skip" })
      assert.same({}, store:run { op = "insert", row = row, on_conflict = "skip", returning = true })
      local rows = store:run { op = "insert", row = row, on_conflict = "update", returning = true }
      assert.equal("new", rows[1].title)
      assert.equal(1, rows[1].whole)
      rows = store:run {
        op = "insert", row = { owner = "a", id = 1, doc = { y = 2 }, whole = 5, title = "late" }, on_conflict = "update",
        set = {
          doc = setmetatable({ kind = "merge", excluded = true }, core.expr_mt),
          whole = expr("increment", 10), state = "old", title = setmetatable({ kind = "excluded" }, core.expr_mt),
        },
        returning = true,
      }
      assert.same({ x = 1, y = 2 }, rows[1].doc)
      assert.equal(11, rows[1].whole)
      assert.equal("old", rows[1].state)
      assert.equal("late", rows[1].title)
    end)

    it("takes another unique as the target", function()
      assert(owners:run { op = "insert", row = { id = "c", name = "C" }, on_conflict = "update", target = "owners_pkey" })
      fault("target", owners:run { op = "insert", row = { id = "c", name = "C" }, on_conflict = "update", target = "x" })
      assert.has_error(function() owners:run { op = "insert", row = {}, on_conflict = "explode" } end)
    end)

    it("raises without rows", function()
      assert.has_error(function() store:run { op = "insert" } end)
      assert.has_error(function() store:run { op = "insert", rows = 5 } end)
      assert.has_error(function() store:run { op = "insert", rows = { 5 } } end)
      assert.has_error(function() store:run { op = "insert", rows = {}, row = {} } end)
    end)
  end)

  describe("update and delete", function()
    before_each(function()
      create("a", 1, { title = "one", whole = 10, doc = { list = { 1 } }, tags = { "x" } })
      create("a", 2, { title = "two" })
    end)

    it("sets values, null and defaults", function()
      assert.equal(1, store:run { op = "update", where = { id = 1 }, set = { title = null, state = "old" } })
      local row = store:get("a", 1)
      assert.is_nil(row.title)
      assert.equal("old", row.state)
      assert.equal(2, store:run { op = "update", set = { state = expr "default" } })
      assert.equal("new", store:get("a", 1).state)
    end)

    it("computes", function()
      local rows = store:run { op = "update", where = { id = 1 }, returning = true, set = {
        whole = expr("increment", 5), doc = expr("merge", { more = true }), tags = expr("append", { "y" }),
        ratio = expr("coalesce", 1.5), small = expr("greatest", 3),
      } }
      assert.equal(15, rows[1].whole)
      assert.same({ list = { 1 }, more = true }, rows[1].doc)
      assert.same({ "x", "y" }, rows[1].tags)
      assert.equal(1.5, rows[1].ratio)
      assert.equal(3, rows[1].small)
    end)

    it("stamps unless told not to", function()
      engine:set_clock(function() return 1800000000000000 end)
      local before = store:get("a", 1).updated_at
      assert(store:run { op = "update", where = { id = 1 }, set = { title = "x" }, keep_stamps = true })
      assert.equal(before, store:get("a", 1).updated_at)
      assert(store:run { op = "update", where = { id = 1 }, set = { title = "y" } })
      assert.equal("2027-01-15T08:00:00.000000Z", store:get("a", 1).updated_at)
    end)

    it("refuses what cannot be set", function()
      fault("nonsense", store:run { op = "update", set = { nonsense = 1 } })
      fault("id", store:run { op = "update", set = { id = 7 } })
      fault("created_at", store:run { op = "update", set = { created_at = 0 } })
      fault("state", store:run { op = "update", set = { state = null } })
      fault("whole", store:run { op = "update", set = { whole = "x" } })
      fault("title", store:run { op = "update", set = { title = expr("increment", 1) } })
      assert.has_error(function() store:run { op = "update", set = { title = expr "excluded" } } end)
      assert.has_error(function() store:run { op = "update", set = { title = expr "magic" } } end)
      assert.has_error(function() store:run { op = "update", set = 5 } end)
      assert.has_error(function() store:run { op = "update" } end)
    end)

    it("deletes and returns", function()
      local rows = store:run { op = "delete", where = { id = 1 }, returning = { "title" } }
      assert.same({ { title = "one" } }, rows)
      assert.equal(1, store:run { op = "delete" })
      assert.equal(0, store:run { op = "delete" })
      create("a", 1)
      assert.equal(1, owners:run { op = "delete", where = { id = "a" } })
      assert.equal(0, store:run { op = "count" })
    end)
  end)

  describe("aggregate", function()
    before_each(function()
      create("a", 1, { whole = 10, price = "1.5", at = "2026-01-01T10:20:00Z" })
      create("a", 2, { whole = 20, price = "2.25", at = "2026-01-01T10:40:00Z", state = "old" })
      create("b", 1, { whole = 30, at = "2026-01-01T11:00:00Z" })
    end)

    it("counts, sums and groups", function()
      assert.same({ { count = 3 } }, store:run { op = "aggregate", aggs = { { "count" } } })
      local rows = store:run { op = "aggregate", groups = { "owner" }, aggs = {
        { "sum", "whole", as = "total" }, { "avg", "whole", as = "mean" }, { "min", "at", as = "first" },
        { "max", "whole", as = "most" }, { "sum", "price", as = "cost" },
        { "count", as = "old", filter = { state = "old" } },
      } }
      assert.same({
        { owner = "a", total = 30, mean = 15, first = "2026-01-01T10:20:00.000000Z", most = 20, cost = "3.750", old = 1 },
        { owner = "b", total = 30, mean = 30, first = "2026-01-01T11:00:00.000000Z", most = 30, cost = "0", old = 0 },
      }, rows)
    end)

    it("groups by a bucket of time, with limits", function()
      local op = { op = "aggregate", aggs = { { "count", as = "n" } }, groups = { { "at", bucket = "hour", as = "h" } } }
      assert.same({ { h = "2026-01-01T10:00:00.000000Z", n = 2 }, { h = "2026-01-01T11:00:00.000000Z", n = 1 } },
        store:run(op))
      op.limit, op.offset = 1, 1
      assert.same({ { h = "2026-01-01T11:00:00.000000Z", n = 1 } }, store:run(op))
      op.limit = 0
      assert.same({}, store:run(op))
    end)

    it("refuses what it cannot compute", function()
      fault("nonsense", store:run { op = "aggregate", aggs = { { "sum", "nonsense" } } })
      fault("nonsense", store:run { op = "aggregate", groups = { "nonsense" } })
      fault("bucket", store:run { op = "aggregate", groups = { { "at", bucket = "eon" } } })
      for _, op in ipairs {
        { aggs = { { "sum", "title" } } }, { groups = { { "whole", bucket = "hour" } } }, { aggs = {} },
        { aggs = { { "count" }, { "count" } } },
      } do
        op.op = "aggregate"
        local rows, err = store:run(op)
        assert.is_nil(rows)
        assert.equal("invalid", err.code)
      end
      assert.has_error(function() store:run { op = "aggregate", aggs = { { "median", "whole" } } } end)
      assert.has_error(function() store:run { op = "aggregate", aggs = 5 } end)
    end)
  end)

  it("raises for operations and options that do not exist", function()
    assert.has_error(function() store:run { op = "explode" } end)
    assert.has_error(function() store:run {} end)
    assert.has_error(function() store:run(5) end)
    assert.has_error(function() store:run { op = "select", wher = {} } end)
    assert.has_error(function() store:run { op = "count", rows = {} } end)
    assert.has_error(function() store:run { op = "select", timeout = {} } end)
    assert.has_error(function() store:run { op = "select", name = {} } end)
    assert.has_error(function() store:run { op = "select", tx = "x" } end)
  end)

  it("puts the method's name into its errors", function()
    local _, err = store:run { op = "select", name = "list", where = { x = 1 } }
    assert.equal("list", err.op)
    assert.equal("spec.things", err.store)
    _, err = store:run { op = "select", where = { x = 1 } }
    assert.equal("select", err.op)
  end)

  it("describes its entity in the words of a declaration", function()
    assert.equal("things", store:name())
    assert.equal("owner", store:fields()[1])
    local decl = store:describe()
    assert.equal("spec.things", decl.table)
    assert.same(things.declaration.entities[2].key, decl.key)
    assert.same(things.declaration.entities[2].uniques, decl.uniques)
    assert.same(things.declaration.entities[2].references, decl.references)
    assert.same(things.declaration.entities[2].indexes, decl.indexes)
    assert.equal("owner", decl.tenant)
    local again = core.schema { name = "spec", entities = { owners:describe(), decl } }
    assert.same(decl, engine:store(again, "things"):describe())
  end)

  it("calls nothing after the engine was closed", function()
    engine:close()
    for _, call in ipairs {
      function() return store:get("a", 1) end,
      function() return store:exists("a", 1) end,
      function() return store:create { owner = "a", id = 1 } end,
      function() return store:run { op = "select" } end,
      function() return store:scan() end,
      function() return engine:begin {} end,
    } do
      local result, err = call()
      assert.is_nil(result)
      assert.equal("closed", err.code)
    end
  end)
end)
