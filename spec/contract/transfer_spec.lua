-- Moving families: every pair of memory, PostgreSQL and plain tables.

local larder = require "larder"
local core = require "larder.core"
local zoo = require "spec.support.zoo"

local url = os.getenv "LARDER_TEST_URL"

local function people(n)
  local rows = {}
  for i = 1, n do
    rows[i] = {
      org_id = "o1", id = ("p%05d"):format(i), email = "e" .. i, score = i .. ".5", visits = i, weight = i / 4,
      active = i % 2 == 0, token = "00000000-0000-4000-8000-000000000001", blob = "\0" .. i,
      tags = { "a", larder.null }, updated_at = "2026-01-01T00:00:00.000001Z",
    }
  end
  return rows
end

local function tables(n)
  return {
    zoo = {
      orgs = { { id = "o1", name = "One", data = { list = larder.array {}, big = 9007199254740991, nothing = larder.null } } },
      people = people(n),
      teams = { { org_id = "o1", id = "t1", lead_id = "p00001" } },
    },
  }
end

local function memory() return larder.open "memory:" end
local function postgres() return larder.open(url) end

local function contents(stores)
  local all = {}
  for _, name in ipairs { "orgs", "people", "teams", "badges" } do
    local rows = larder.array {}
    for row in stores[name]:each() do rows[#rows + 1] = row end
    all[name] = rows
  end
  return core.json_encode(all, true)
end

local targets = { memory = memory, postgres = url and postgres }

for name, open in pairs(targets) do
  describe("transfer into " .. name, function()
    local to, stores

    before_each(function()
      to = assert(open())
      stores = zoo.stores(to)
    end)

    after_each(function() to:close() end)

    local function load(from, opts)
      opts.families = { "zoo" }
      return larder.transfer(from, to, opts)
    end

    it("LK-M2 moves plain tables and every value with them", function()
      local seen = {}
      local report = assert(load(tables(1200), { verify = true, chunk = 500, progress = function(at)
        seen[#seen + 1] = at.phase .. " " .. at.store .. " " .. at.done
      end }))
      assert.equal(1202, report.written)
      assert.is_true(report.verified)
      assert.is_truthy(table.concat(seen, ","):find("load people 500,load people 1000,load people 1200", 1, true))
      local row = assert(stores.people:get("o1", "p00002"))
      assert.equal("2.50", row.score)
      assert.equal("\0002", row.blob)
      assert.same({ "a", larder.null }, row.tags)
      assert.equal("2026-01-01T00:00:00.000001Z", row.updated_at)
      local org = assert(stores.orgs:get "o1")
      assert.equal("[]", core.json_encode(org.data.list))
      assert.equal(larder.null, org.data.nothing)
    end)

    it("LK-M2 copies all from another engine and back without a difference", function()
      local source = assert(memory())
      local from = zoo.stores(source)
      assert(larder.transfer(tables(300), source, { families = { "zoo" } }))
      assert(load(source, { verify = true, chunk = 100 }))
      assert.equal(contents(from), contents(stores))
      local back = assert(memory())
      local again = zoo.stores(back)
      assert(larder.transfer(to, back, { families = { "zoo" }, verify = true }))
      assert.equal(contents(from), contents(again))
      source:close()
      back:close()
    end)

    it("reports lists, which are lists as JSON when they are empty, too", function()
      assert.equal("[]", larder.json.encode(assert(load(tables(3), {})).refused))
      local rows = tables(1)
      rows.zoo.people[1].org_id = "nowhere"
      assert.equal(1, #assert(load(rows, { atomic = false, on_conflict = "skip" })).refused)
    end)

    it("an atomic transfer with a refused row writes nothing and hands every refused row back", function()
      local rows = tables(100)
      rows.zoo.people[41].email = "e7"
      rows.zoo.people[77].org_id = "nowhere"
      rows.zoo.people[90].visits = "many"
      local ok, err = load(rows, { chunk = 30 })
      assert.is_nil(ok)
      assert.equal(3, #err.refused)
      local codes = {}
      for _, item in ipairs(err.refused) do codes[item.row.id] = item.err.code end
      assert.same({ p00041 = "conflict", p00077 = "foreign_key", p00090 = "invalid" }, codes)
      for _, item in ipairs(err.refused) do assert.equal(item.row.id, rows.zoo.people[item.index].id) end
      assert.equal(0, stores.orgs:count())
      assert.equal(0, stores.people:count())
    end)

    it("a transfer that is not atomic keeps the good rows and hands the others back", function()
      local rows = tables(100)
      rows.zoo.people[41].email = "e7"
      rows.zoo.people[77].org_id = "nowhere"
      local report = assert(load(rows, { chunk = 30, atomic = false }))
      assert.equal(2, #report.refused)
      assert.equal("people_email_key", report.refused[1].err.constraint)
      assert.equal("p00041", report.refused[1].row.id)
      assert.same({ 41, 77 }, { report.refused[1].index, report.refused[2].index })
      assert.equal(98, stores.people:count())
    end)

    it("on_conflict skip keeps what is there, update replaces it", function()
      assert(load(tables(10), {}))
      local again = tables(12)
      for _, row in ipairs(again.zoo.people) do row.visits = 1000 end
      local report = assert(load(again, { on_conflict = "skip", verify = true }))
      assert.equal(2, report.written)
      assert.equal(12, report.skipped)
      assert.equal(1, assert(stores.people:get("o1", "p00001")).visits)
      report = assert(load(again, { on_conflict = "update", verify = true }))
      assert.equal(1000, assert(stores.people:get("o1", "p00001")).visits)
      assert.equal(0, report.skipped)
      local ok, err = load(again, {})
      assert.is_nil(ok)
      assert.equal("conflict", err.code)
    end)

    it("makes indexes and constraints again as they were, or loads the other way when a row is against it", function()
      local function catalogue()
        if to:kind() == "memory" then return {} end
        local rows = assert(to:query [[
          select conname as name, pg_get_constraintdef(oid) as def from pg_constraint where conrelid = 'zoo.people'::regclass
          union all
          select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where indrelid = 'zoo.people'::regclass
          order by 1, 2]])
        return rows
      end
      local before = catalogue()
      local rows = tables(50)
      rows.zoo.people[41].email = "e7"
      local ok, err = load(rows, { rebuild = true })
      assert.is_nil(ok)
      assert.same({ "p00041", "people_email_key" }, { err.refused[1].row.id, err.refused[1].err.constraint })
      assert.same(before, catalogue())
      local report = assert(load(tables(50), { rebuild = true, verify = true }))
      assert.equal(52, report.written)
      assert.equal(to:kind() == "postgres" or nil, report.stores[2].rebuilt)
      assert.same(before, catalogue())
      local _, conflict = stores.people:create { org_id = "o1", id = "new", email = "e1" }
      assert.equal("people_email_key", conflict.constraint)
    end)

    it("refuses a source that would be left out without a word", function()
      for text, case in pairs {
        ["none of the families"] = { { zoo = {}, orgs = { { id = "x" } } } }, ["no family zoo"] = { {} },
        ["no store poeple; did you mean people?"] = { { zoo = { poeple = { { id = "x" } } } } },
        ["hole"] = { { zoo = { orgs = { { id = "x" }, nil, { id = "y" } } } } },
        ["must be a list"] = { { zoo = { orgs = { id = "x" } } } },
        ["did you mean verify?"] = { tables(1), { verfy = true } },
        ["one of error, skip, update"] = { tables(1), { on_conflict = "ignroe" } },
        ["families must be"] = { tables(1), { families = {} } },
        ["no family is called zooo"] = { tables(1), { families = { "zooo" } } },
        ["proxy"] = { setmetatable({}, { __index = tables(1) }) },
      } do
        local opts = { families = { "zoo" } }
        for option, value in pairs(case[2] or {}) do opts[option] = value end
        local ok, why = pcall(larder.transfer, case[1], to, opts)
        assert.is_false(ok, text)
        assert.matches(text, tostring(why), 1, true)
      end
      assert.equal(0, stores.orgs:count())
      local report = assert(larder.transfer({ zoo = {} }, to, { families = { "zoo" }, verify = true }))
      assert.is_false(report.verified) -- nothing was read, so nothing was verified
    end)

    it("a dry run reports and writes nothing", function()
      local rows = tables(10)
      rows.zoo.people[3].email = "e1"
      local report = assert(load(rows, { dry_run = true }))
      assert.equal(1, #report.refused)
      assert.equal(11, report.written)
      assert.equal(0, stores.orgs:count())
    end)
  end)
end
