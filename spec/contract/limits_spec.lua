-- min and max of a declaration: the same answer from both engines, whatever wrote the value.

local larder = require "larder"
local ddl = require "larder.migrate.ddl"

local targets = { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" }

local function field(name, kind, min, max) return { name = name, type = kind, null = true, min = min, max = max } end

larder.declare { name = "limits", entities = { {
  name = "rows", table = "limits.rows", key = { "id" },
  fields = {
    { name = "id", type = "int4" }, field("n", "numeric", "-0.5", "99999999999999999999.25"), field("p", "numeric(6,2)", 0, "10.50"),
    field("f", "float8", -0.1, 0.1), field("r", "float4", nil, 0.1), field("d", "date", "2026-01-01", "2026-12-31"),
    field("t", "time", "08:00", "18:00"), field("ts", "timestamp(0)", nil, "2026-01-02T03:04:05"),
    field("at", "timestamptz", "2026-01-01T00:00:00+02:00", nil), field("iv", "interval", "PT0S", "P1M"), field("i", "int8", -5, 5),
    { name = "kept", type = "numeric", default = "1.5", min = 1 },
    field("open", "float8", 0), field("top", "numeric", nil, "Infinity"),
  },
} } }

-- field, a value at each limit, values beyond with what is said of them
local CASES = {
  { "n", { "-0.50", "99999999999999999999.25" }, { ["-0.51"] = "least -0.5", ["99999999999999999999.26"] = "most 99999999999999999999.25",
    NaN = "most 99999999999999999999.25", Infinity = "most 99999999999999999999.25", ["-Infinity"] = "least -0.5" } },
  { "p", { 0, "10.504", "-0.004" }, { ["10.505"] = "most 10.50", ["-0.006"] = "least 0" } },
  { "f", { -0.1, 0.1, 0 }, { [0.1000000001] = "most 0.1", [math.huge] = "most 0.1", [-math.huge] = "least -0.1" } },
  { "r", { 0.1, -math.huge }, { [0.1000001] = "most 0.1", [math.huge] = "most 0.1" } },
  { "d", { "2026-01-01", "2026-12-31" }, { ["2025-12-31"] = "least 2026-01-01", ["infinity"] = "most 2026-12-31",
    ["-infinity"] = "least 2026-01-01" } },
  { "t", { "08:00", "18:00:00" }, { ["07:59:59.999999"] = "least 08:00:00", ["24:00"] = "most 18:00:00" } },
  { "ts", { "2026-01-02T03:04:05.4", "-infinity" }, { ["2026-01-02T03:04:05.6"] = "most 2026-01-02T03:04:05.000000" } },
  { "at", { "2025-12-31T22:00:00Z", "infinity" }, { ["2025-12-31T21:59:59.999999Z"] = "least 2025-12-31T22:00:00.000000Z" } },
  { "iv", { 0, "P30D", "P1M" }, { ["P1MT0.000001S"] = "most P1M", ["-1 second"] = "least PT0S" } },
  { "i", { -5, 5 }, { [6] = "most 5", [-6] = "least -5" } },
  { "open", { 0, math.huge, 0 / 0 }, { [-5e-324] = "least 0" } },
  { "top", { "Infinity", "-Infinity", "1e400" }, { NaN = "most Infinity" } },
}

local function create_table(db)
  if db:kind() == "memory" then return end
  assert(db:query "drop schema if exists limits cascade")
  assert(db:query "create schema limits")
  local decl = db:_cstore("limits", "rows"):describe()
  for _, sql in ipairs(ddl.create_table(decl, { rows = decl }, {})) do assert(db:query(sql)) end
end

for name, target in pairs(targets) do
  describe("limits on " .. name, function()
    local db, rows

    before_each(function()
      db = assert(larder.open(target))
      create_table(db)
      rows = db:stores("limits").rows
    end)
    after_each(function() db:close() end)

    local function refused(what, said, none, err)
      assert.is_nil(none)
      assert.equal("invalid", err.code)
      assert.same({ [what] = "must be at " .. said }, err.fields)
    end

    for _, case in ipairs(CASES) do
      local what, inside, beyond = case[1], case[2], case[3]

      it("take what is within, and refuse what is beyond: " .. what, function()
        for i, value in ipairs(inside) do
          assert(rows:create { id = i, [what] = value })
          assert(rows:patch(i, { [what] = value }))
          assert(rows:upsert { id = i, [what] = value })
        end
        for value, said in pairs(beyond) do
          refused(what, said, rows:create { id = 100, [what] = value })
          refused(what, said, rows:patch(1, { [what] = value }))
          refused(what, said, rows:upsert { id = 1, [what] = value })
          refused(what, said, rows:update_where({ id = 1 }, { [what] = larder.greatest(value) }))
          local none, err = rows:create_many { { id = 101, [what] = inside[1] }, { id = 102, [what] = value } }
          assert.is_nil(none)
          assert.equal("invalid", err.code)
          assert.matches("must be at " .. said:gsub("%p", "%%%0"), tostring(err))
        end
        assert.equal(#inside, rows:count(larder.all {}))
      end)
    end

    it("hold for what an increment makes", function()
      assert(rows:create { id = 1, n = 1, p = "10.25", f = 0.05, r = 0, i = 4, open = 1, top = 1 })
      refused("n", "least -0.5", rows:patch(1, { n = larder.increment "-1.51" }))
      refused("n", "most 99999999999999999999.25", rows:patch(1, { n = larder.increment "NaN" }))
      refused("p", "most 10.50", rows:patch(1, { p = larder.increment "0.255" }))
      refused("f", "most 0.1", rows:patch(1, { f = larder.increment(0.06) }))
      refused("r", "most 0.1", rows:patch(1, { r = larder.increment(0.2) }))
      refused("i", "most 5", rows:patch(1, { i = larder.increment(2) }))
      refused("open", "least 0", rows:patch(1, { open = larder.increment(-1.5) }))
      refused("top", "most Infinity", rows:patch(1, { top = larder.increment "NaN" }))
      refused("i", "most 5", rows:upsert({ id = 1, i = 2 }, { set = { i = larder.increment(larder.excluded) } }))
      refused("p", "most 10.50", rows:upsert({ id = 1, p = 1 }, { set = { p = larder.increment(larder.excluded) } }))
      local row = assert(rows:patch(1, { n = larder.increment "-1.5", p = larder.increment "0.254", f = larder.increment(0.05),
        r = larder.increment(0.1), i = larder.increment(1), open = larder.increment(-1), top = larder.increment "Infinity" }))
      assert.same({ "-0.5", "10.50", 5, 0, "Infinity" }, { row.n, row.p, row.i, row.open, row.top })
      assert.equal(1, rows:count { f = { gt = 0.09 }, r = 0.1 })
    end)

    it("hold for rows that are moved", function()
      local from = { limits = { rows = { { id = 1, d = "2026-06-01" }, { id = 2, d = "2027-01-01" } } } }
      local none, err = larder.transfer(from, db, { families = { "limits" } })
      assert.is_nil(none)
      assert.matches("d must be at most 2026%-12%-31 %(row 2%)", tostring(err))
      assert.equal(0, rows:count(larder.all {}))
      from.limits.rows[2].d = "2026-12-31"
      assert(larder.transfer(from, db, { families = { "limits" } }))
      assert.equal(1, rows:count { d = "2026-12-31" })
    end)
  end)
end

describe("a declaration's limits", function()
  local function declare(kind, entries)
    entries.name, entries.type = "v", kind
    return pcall(larder.declare, { name = "limits_faulty", entities = { { name = "rows", key = { "id" },
      fields = { { name = "id", type = "int4" }, entries } } } })
  end

  for _, case in ipairs {
    { "date", { min = 5 }, "min of v must be a date" }, { "date", { max = "2026-02-30" }, "max of v must be a date" },
    { "numeric", { min = "x" }, "min of v must be a number" }, { "numeric", { max = "NaN" }, "max is NaN" },
    { "float8", { min = 0 / 0 }, "min is NaN" },
    { "int4", { min = 1.5 }, "min of v must be an integer" }, { "int2", { max = 40000 }, "out of range" },
    { "text", { min = "a" }, "numbers, times" }, { "citext", { max = "b" }, "numbers, times" },
    { "text", { min = 2 }, "a text's length has min_len and max_len" }, { "citext", { min = 2 }, "a text's length has min_len" },
    { "bool", { min = 1 }, "numbers, times" }, { "inet", { max = 7 }, "numbers, times" },
    { "int4[]", { min = 1 }, "numbers, times" }, { "inet", { min = "10.0.0.1" }, "numbers, times" },
    { "date", { min = "2026-01-02", max = "2026-01-01" }, "min is above max" },
    { "interval", { min = "P1M1D", max = "P30D" }, "min is above max" },
    { "numeric", { default = "0.5", min = 1 }, "default is not between min and max" },
  } do
    it(("are of the field's type: %s %s"):format(case[1], case[3]), function()
      local ok, err = declare(case[1], case[2])
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[3], 1, true), tostring(err))
    end)
  end
end)
