-- A bulk load into an empty table reads the next rows while the server works on the last ones. Nothing of that may show:
-- which rows are stored, which one is refused, and what is left when it fails in between.

local larder = require "larder"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("rows that are read while others are loaded", function()
  local db

  setup(function()
    db = assert(larder.open(url))
    assert(db:query "drop schema if exists ahead cascade")
    assert(db:query "create schema ahead")
    assert(db:query [[create table ahead.items (id int8 not null, name text collate "C" not null,
      constraint items_pkey primary key (id), constraint items_name_key unique (name))]])
    larder.declare { name = "ahead", entities = { {
      name = "items", table = "ahead.items", key = { name = "items_pkey", "id" }, uniques = { { name = "items_name_key", "name" } },
      fields = { { name = "id", type = "int8" }, { name = "name", type = "text" } },
    } } }
    db:stores "ahead"
  end)

  before_each(function() assert(db:truncate "ahead") end)

  teardown(function()
    db:query "drop schema if exists ahead cascade"
    db:close()
  end)

  local function items(n, length)
    local rows = {}
    for i = 1, n do rows[i] = { id = i, name = ("name %d %s"):format(i, ("x"):rep(length or 0)) } end
    return rows
  end

  local function load(rows, opts, into)
    opts.families, opts.rebuild = { "ahead" }, true
    return larder.transfer({ ahead = { items = rows } }, into or db, opts)
  end

  local function stored()
    return assert(db:query "select count(*)::int8 as n, coalesce(sum(id), 0)::int8 as sum from ahead.items")[1]
  end

  local function has_its_unique()
    return #assert(db:query "select from pg_constraint where conrelid = 'ahead.items'::regclass and conname = 'items_name_key'") == 1
  end

  for _, chunk in ipairs { 1, 7, 300, 5000 } do
    it(("are all stored, %d at a time"):format(chunk), function()
      local n = chunk == 1 and 20 or 1000
      local last
      local report = assert(load(items(n), { chunk = chunk, verify = true, progress = function(p)
        if p.phase == "load" then last = p.done end
      end }))
      assert.same({ n, n, n, true }, { report.read, report.written, last, report.stores[1].rebuilt })
      assert.same({ n = n, sum = n * (n + 1) / 2 }, stored())
    end)
  end

  for where, at in pairs { ["the first"] = 2, ["a middle"] = 555, ["the last"] = 1000 } do
    it("name the row that the server refuses in " .. where .. " piece", function()
      local rows = items(1000)
      rows[at].name = rows[1].name
      local ok, err = load(rows, { chunk = 100 })
      assert.is_nil(ok)
      assert.same({ 1, at, "conflict", "items_name_key" },
        { #err.refused, err.refused[1].row.id, err.refused[1].err.code, err.refused[1].err.constraint })
      assert.equal(at, err.refused[1].index)
      assert.same({ 0, true }, { stored().n, has_its_unique() })
    end)

    it("name the key that is there twice in " .. where .. " piece", function()
      local rows = items(1000)
      rows[at].id = 1
      local ok, err = load(rows, { chunk = 100 })
      assert.is_nil(ok)
      assert.same({ 1, at, "items_pkey" }, { #err.refused, err.refused[1].index, err.refused[1].err.constraint })
      assert.equal(0, stored().n)
    end)

    it("name the row that is none in " .. where .. " piece", function()
      local rows = items(1000)
      rows[at].name = at
      local ok, err = load(rows, { chunk = 100 })
      assert.is_nil(ok)
      local first = err.refused[1]
      assert.same({ 1, at, "invalid", "name" }, { #err.refused, first.index, first.err.code, (next(first.err.fields)) })
      assert.equal(0, stored().n)
    end)
  end

  it("leave nothing when the caller's own function fails in between", function()
    local ok, err = load(items(2000, 500), { chunk = 500, progress = function(p)
      if p.done == 1000 then error("enough", 0) end
    end })
    assert.is_nil(ok)
    assert.matches("enough", tostring(err), 1, true)
    assert.same({ 0, true }, { stored().n, has_its_unique() })
    assert.equal(100, assert(load(items(100), {})).written)
  end)

  it("leave nothing when the server goes away in between", function()
    local other = assert(larder.open(url))
    local into = assert(larder.open(url .. "&application_name=ahead"))
    local ok, err = load(items(2000, 500), { chunk = 500, progress = function(p)
      if p.done ~= 1000 then return end
      assert(other:query "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ahead'")
    end }, into)
    assert.is_nil(ok)
    assert.is_true(err.code == "connection" or err.code == "closed", err.code)
    assert.same({ 0, true }, { stored().n, has_its_unique() })
    assert.equal(100, assert(load(items(100), {}, into)).written)
    into:close()
    other:close()
  end)
end)
