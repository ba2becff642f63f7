-- Views, materialized views and foreign tables as stores: read like any other, written by nothing.

local larder = require "larder"

local url = os.getenv "LARDER_TEST_URL"
local targets = { memory = "memory:", postgres = url }
local load = rawget(_G, "loadstring") or load
local unpack = require("larder.base.compat").unpack

larder.declare {
  name = "seen",
  entities = {
    { name = "films", table = "seen.films", fields = { { name = "id", type = "int4" }, { name = "title", type = "text" },
      { name = "year", type = "int4", null = true } }, key = { name = "films_pkey", "id" } },
    { name = "recent", table = "seen.recent", read_only = true, fields = { { name = "id", type = "int4" },
      { name = "title", type = "text" } },
      key = { "id" }, relations = { { fields = { "id" }, to = "films", as = "film", one = "recent" } } },
    { name = "by_year", table = "seen.by_year", read_only = true, fields = { { name = "year", type = "int4" },
      { name = "n", type = "int8" } },
      key = { "year" } },
  },
}

local SQL = [[
drop schema if exists seen cascade;
create schema seen;
create table seen.films (id integer constraint films_pkey primary key, title text collate "C" not null, year integer);
create view seen.recent as select id, title from seen.films where year >= 2000;
create materialized view seen.by_year as select year, count(*) as n from seen.films where year is not null group by year;
create unique index by_year_key on seen.by_year (year);
]]

for name, target in pairs(targets) do
  describe("a read-only store on " .. name, function()
    local db, s

    before_each(function()
      db = assert(larder.open(target))
      if name ~= "memory" then
        local session = assert(db:_migration_engine():session {})
        assert(session:script(SQL))
        session:rollback()
      end
      s = db:stores "seen"
      assert(s.films:create_many { { id = 1, title = "A", year = 1999 }, { id = 2, title = "B", year = 2001 },
        { id = 3, title = "C", year = 2001 } })
      if name == "memory" then -- where a view is what tests fill it with
        assert(larder.transfer({ seen = { recent = { { id = 2, title = "B" }, { id = 3, title = "C" } }, by_year = { { year = 1999, n = 1 },
          { year = 2001, n = 2 } } } }, db, { families = { "seen" } }))
      else
        assert(db:query "refresh materialized view seen.by_year")
      end
    end)
    after_each(function() db:close() end)

    it("is read in every way", function()
      assert.same({ id = 2, title = "B" }, assert(s.recent:get(2)))
      assert.equal("not_found", select(2, s.recent:get(1)).code)
      assert.equal(3, assert(s.recent:find { title = "C" }).id)
      assert.equal(1, s.recent:count { title = { gt = "B" } })
      local page, info = s.recent:list { order = { "-title", "id" }, limit = 1 }
      assert.equal("C", page[1].title)
      assert.equal("B", assert(s.recent:list { order = { "-title", "id" }, limit = 1, after = info.next })[1].title)
      assert.equal(2001, assert(s.recent:list { include = { film = true } })[1].film.year)
      assert.equal(2, assert(s.films:count { recent = true }))
      assert.equal(3, assert(s.by_year:aggregate { aggs = { { "sum", "n", as = "all" } } })[1].all)
      local n = 0
      for _ in s.by_year:each { order = "year" } do n = n + 1 end
      assert.equal(2, n)
    end)

    it("is written by no method, and says why", function()
      local all = larder.all {}
      for method, args in pairs {
        create = { { id = 9, title = "X" } }, create_many = { { { id = 9, title = "X" } } }, update = { { id = 2, title = "X" } },
        patch = { 2, { title = "X" } }, upsert = { { id = 2, title = "X" } }, delete = { 2 }, delete_where = { all },
        update_where = { all, { title = "X" } }, insert_async = { { id = 9, title = "X" } },
      } do
        local done, err = s.recent[method](s.recent, unpack(args))
        assert.is_nil(done, method)
        assert.equal("unsupported", err.code)
        assert.equal("seen.recent is read-only: its rows are those of a view or a foreign table", err.message)
      end
      local made, err = s.films:create { id = 9, title = "X", recent = { id = 9, title = "X" } }
      assert.is_nil(made)
      assert.equal("unsupported", err.code)
      assert.equal(2, s.recent:count(all))
      assert.equal(3, s.films:count(all))
    end)

    it("moves to memory and to no table", function()
      local memory = assert(larder.open "memory:")
      assert(larder.transfer(db, memory, { families = { "seen" }, verify = true }))
      assert.same(s.by_year:list {}, memory:stores("seen").by_year:list {})
      if name ~= "memory" then
        assert(db:truncate "seen")
        local report = assert(larder.transfer(memory, db, { families = { "seen" } }))
        assert.equal(3, report.written)
        assert.equal(2, s.recent:count(larder.all {}))
      end
      memory:close()
    end)

    if name ~= "memory" then
      it("refuses operations below the methods, too", function()
        for _, op in ipairs { { op = "insert", row = { id = 9, title = "X" } }, { op = "delete", where = { id = 2 } },
          { op = "update", where = { id = 2 }, set = { title = "X" } } } do
          local done, err = s.recent:run(op)
          assert.is_nil(done)
          assert.equal("unsupported", err.code)
        end
      end)

      it("is compared by its columns, and pulled where its key is known", function()
        local check, pull = require "larder.migrate.check", require "larder.migrate.pull"
        assert.same({}, assert(check(db, "seen")))
        local text = pull.text(assert(pull.read(db, "seen")))
        assert.is_truthy(text:find("recent is a view, of which no key is known: declare it with read_only = true", 1, true), text)
        text = text:gsub('name = "seen"', 'name = "seen_pulled"', 1)
        assert(load(text, "=pulled"))()
        assert.same({}, assert(check(db, "seen_pulled")))
        local stores = db:stores "seen_pulled"
        assert.equal(2, assert(stores.by_year:get(2001)).n)
        assert.equal("unsupported", select(2, stores.by_year:delete(2001)).code)
        assert(db:query "drop view seen.recent")
        assert(db:query "drop materialized view seen.by_year")
        assert(db:query "create view seen.by_year as select year::int8 as year from seen.films")
        local messages = {}
        for i, fault in ipairs(assert(check(db, "seen"))) do messages[i] = fault.message .. tostring(fault.sql) end
        assert.same({ "view is missing: larder does not make onenil", "column year: declared integer, in the database bigintnil",
          "column n is missingnil" }, messages)
      end)
    end
  end)
end

describe("a declaration of a read-only store", function()
  local function declare(entry, value)
    local entity = { name = "v", read_only = true, fields = { { name = "id", type = "int4" } }, key = { "id" }, [entry] = value }
    return pcall(larder.declare, { name = "bad_view_" .. entry, entities = { entity } })
  end

  it("has no constraints", function()
    for entry, value in pairs { uniques = { { "id" } }, references = { { fields = { "id" }, to = "v" } }, indexes = { { "id" } } } do
      local ok, err = declare(entry, value)
      assert.is_false(ok)
      assert.matches("a read_only store has no " .. entry, tostring(err))
    end
  end)
end)
