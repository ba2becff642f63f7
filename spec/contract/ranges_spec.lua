-- Ranges: memory and PostgreSQL answer every comparison as PostgreSQL's own operators do.

local larder = require "larder"
local typed = require "spec.support.typed"

local POOL = {
  ir = { "empty", "(,)", "(,1)", "[1,5)", "[1,4]", "(1,5]", "[5,9)", "[4,)", "[2147483647,)", "[-2147483648,2147483647)" },
  nr = { "empty", "(,)", "[1,5)", "[1.0,5.00)", "(1,5]", "[5,5]", "(4.5,)", "[NaN,]", "(,-Infinity]" },
  tr = { "empty", "[2026-01-01,2026-01-02)", "[2026-01-01,2026-01-02]", "[2026-01-02,)", "(,infinity)" },
  dr = { "empty", "[2026-01-01,2026-01-31]", "(2026-01-31,)", "[5874897-12-31,)",
    "[2026-01-01,infinity)", "(,infinity]", "[infinity,infinity]" },
}
local ONE = {
  ir = { 1, 4, 5, 2147483647, -2147483648 }, nr = { 1, "4.5", "5.00", "NaN" }, tr = { "2026-01-01", "2026-01-02T00:00:00", "infinity" },
  dr = { "2026-01-31", "2026-02-01", "5874897-12-31", "infinity", "-infinity" },
}
local ELEMENT = { ir = "int4", nr = "numeric", tr = "timestamp", dr = "date" }
local TYPE = { ir = "int4range", nr = "numrange", tr = "tsrange", dr = "daterange" }
local SQL = { eq = "=", ne = "<>", lt = "<", lte = "<=", gt = ">", gte = ">=", contains = "@>", overlaps = "&&" }

describe("ranges", function()
  local pg, memory, server, twin

  setup(function()
    pg, memory = assert(larder.open(os.getenv "LARDER_TEST_URL")), assert(larder.open "memory:")
    server, twin = typed.stores(pg), typed.stores(memory)
  end)
  teardown(function() pg:close() memory:close() end)

  local function ids(store, where)
    local list = {}
    for i, row in ipairs(assert(store:list { where = where, order = "id" })) do list[i] = row.id end
    return list
  end

  -- What PostgreSQL says of rows of the same table, in SQL of its own.
  local function wanted(field, op, kind, operand)
    local list = {}
    local sql = ("select id from typed.rows where %s %s $1::text::%s order by id"):format(field, SQL[op], kind)
    for i, row in ipairs(assert(pg:query(sql, tostring(operand)))) do list[i] = row.id end
    return list
  end

  for field, pool in pairs(POOL) do
    it("compare, contain and overlap as in PostgreSQL: " .. TYPE[field], function()
      assert(server.rows:delete_where(larder.all {}))
      assert(twin.rows:delete_where(larder.all {}))
      for i, value in ipairs(pool) do
        for _, store in ipairs { server, twin } do assert(store.rows:create { id = i, [field] = value }) end
      end
      assert(server.rows:create { id = 100 })
      assert(twin.rows:create { id = 100 })
      for op in pairs(SQL) do
        for _, operand in ipairs(pool) do
          local want, where = wanted(field, op, TYPE[field], operand), { [field] = { [op] = operand } }
          assert.same(want, ids(server.rows, where), op .. " " .. operand)
          assert.same(want, ids(twin.rows, where), op .. " " .. operand)
        end
      end
      for _, value in ipairs(ONE[field]) do
        local want, where = wanted(field, "contains", ELEMENT[field], value), { [field] = { contains = value } }
        assert.same(want, ids(server.rows, where), tostring(value))
        assert.same(want, ids(twin.rows, where), tostring(value))
      end
    end)
  end

  it("are read from raw SQL, in arrays and beside types without a decoder, as from stores", function()
    local row = assert(pg:query "select int4range(1, 4, '[]') as r, array[daterange('2026-01-01', null), null] as rs")[1]
    assert.same({ r = "[1,5)", rs = { "[2026-01-01,)", larder.null } }, row)
    row = assert(pg:query "select tstzrange('2026-01-01Z', 'infinity') as r, point(1, 2) as p")[1]
    assert.same({ r = "[2026-01-01T00:00:00.000000Z,infinity)", p = "(1,2)" }, row)
    row = assert(pg:query "select array['b a'::tsvector] as v, point(1, 2) as p")[1]
    assert.same({ v = { "'a' 'b'" }, p = "(1,2)" }, row)
    assert.equal(true, assert(pg:query("select $1::daterange @> $2::date as yes", "[2026-01-01,)", "2026-01-02"))[1].yes)
  end)

  it("move by transfer between the engines and through a file", function()
    local path = os.tmpname()
    local files = larder.files({ ["typed.rows"] = path }, { format = "ndjson" })
    for _, store in ipairs { server, twin } do assert(store.rows:delete_where(larder.all {})) end
    for i, value in ipairs(POOL.nr) do
      assert(server.rows:create { id = i, nr = value, ir = POOL.ir[i], dr = POOL.dr[i], tr = POOL.tr[i], zr = { lower = i },
        lr = { upper = i } })
    end
    local rows = assert(server.rows:list { order = "id" })
    for _, way in ipairs { { pg, memory, { "typed" } }, { memory, files }, { files, pg } } do
      if way[2] == pg then assert(server.rows:delete_where(larder.all {})) end
      local report = assert(larder.transfer(way[1], way[2], { families = way[3], verify = way[2] ~= files or nil,
        overwrite = way[2] == files or nil }))
      assert.equal(#rows, report.written)
    end
    os.remove(path)
    assert.same(rows, assert(twin.rows:list { order = "id" }))
    assert.same(rows, assert(server.rows:list { order = "id" }))
  end)

  it("say what is wrong with a condition", function()
    for _, case in ipairs {
      { { ir = { overlaps = 5 } }, "must be a range" }, { { ir = { contains = "x" } }, "must be an integer" },
      { { ir = { contain = 5 } }, "did you mean contains" }, { { d = { overlaps = "2026-01-01" } }, "overlaps is for arrays and ranges" },
      { { d = { contains = "2026-01-01" } }, "contains is for jsonb, arrays and ranges" }, { { ir = { like = "[%" } }, "like is for text" },
    } do
      for _, store in ipairs { server, twin } do
        local n, err = store.rows:count(case[1])
        assert.is_nil(n)
        assert.matches(case[2], tostring(err) .. (err.fields and (err.fields.ir or "") or ""))
      end
    end
  end)

  it("find arrays that share an element", function()
    for _, store in ipairs { server, twin } do
      assert(store.rows:delete_where(larder.all {}))
      assert(store.rows:create { id = 1, vcs = { "a", larder.null } })
      assert(store.rows:create { id = 2, vcs = { "b", "c" } })
      assert(store.rows:create { id = 3, vcs = larder.array {} })
      assert.same({ 1 }, ids(store.rows, { vcs = { overlaps = { "a", larder.null, "x" } } }))
      assert.same({ 1, 2 }, ids(store.rows, { vcs = { overlaps = { "a", "c" } } }))
      assert.same({}, ids(store.rows, { vcs = { overlaps = { larder.null } } }))
    end
  end)
end)
