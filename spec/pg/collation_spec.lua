-- Texts whose own collation orders by bytes need no COLLATE: pages, ranges and patterns use the indexes that are there.

local check = require "larder.migrate.check"
local larder = require "larder"
local need = require "spec.support.need"

local url = os.getenv "LARDER_TEST_URL"

larder.declare {
  name = "coll",
  entities = {
    {
      name = "items", table = "coll.items",
      fields = { { name = "tenant", type = "text" }, { name = "id", type = "text" }, { name = "title", type = "text", null = true } },
      key = { name = "items_pkey", "tenant", "id" },
      indexes = { { "tenant", "title" } },
      tenant = "tenant",
    },
  },
}

local function with_database(name) return (url:gsub("/[^/?]*%?", "/" .. name .. "?")) end

local LOCALES = {
  coll_c = "locale_provider libc lc_collate 'C' lc_ctype 'C'",
  coll_utf8 = "locale_provider libc lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'",
  coll_icu = "locale_provider icu icu_locale 'en-US' lc_collate 'C' lc_ctype 'C'",
}

local older = need.version(15) -- locale_provider
if older then return describe("collation #pg", function() pending(older) end) end

describe("collation #pg", function()
  local admin, db, s

  setup(function()
    admin = assert(larder.open(url))
    for name, locale in pairs(LOCALES) do
      assert(admin:query("drop database if exists " .. name))
      assert(admin:query(("create database %s template template0 encoding 'UTF8' %s"):format(name, locale)))
    end
  end)
  after_each(function() if db then db:close() db = nil end end)
  teardown(function()
    for name in pairs(LOCALES) do admin:query("drop database " .. name) end
    admin:close()
  end)

  --- Items of one tenant and of many others, in a database of that locale.
  local function open(name, collation)
    db = assert(larder.open(with_database(name), { pool = { max = 1, min = 1 } }))
    assert(db:query "drop schema if exists coll cascade")
    assert(db:query "create schema coll")
    assert(db:query(([[create table coll.items (
      tenant text %s not null, id text %s not null, title text %s, constraint items_pkey primary key (tenant, id))]])
      :format(collation, collation, collation)))
    assert(db:query "create index items_title on coll.items (tenant, title)")
    assert(db:query [[insert into coll.items select 't' || n % 20, md5(n::text), 'title ' || n from generate_series(1, 4000) n]])
    assert(db:query "analyze coll.items")
    s = db:stores("coll").items
    assert(s:get("t1", "none") == nil)
  end

  --- The plan of the statement that the call prepared, executed with these values.
  local function plan(call, ...)
    assert(call())
    local rows = assert(db:query("select name, statement from pg_prepared_statements where statement like $1"
      .. " order by prepare_time desc limit 1", '%"coll"."items"%'))
    local values = {}
    for i, v in ipairs { ... } do values[i] = type(v) == "number" and tostring(v) or "'" .. v .. "'" end
    local lines = {}
    for _, row in ipairs(assert(db:query(("explain execute %s (%s)"):format(rows[1].name, table.concat(values, ", "))))) do
      lines[#lines + 1] = row["QUERY PLAN"]
    end
    return table.concat(lines, "\n"), rows[1].statement
  end

  for _, name in ipairs { "coll_c", "coll_utf8" } do
    it("uses the indexes for pages and ranges in " .. name, function()
      open(name, "")
      local text, sql = plan(function() return s:list { where = { tenant = "t1" }, limit = 7 } end, "t1", 8)
      assert.matches("Index Scan using items_pkey", text)
      assert.not_matches("Sort", text)
      assert.not_matches("collate", sql)
      local _, info = s:list { where = { tenant = "t1" }, limit = 7 }
      text = plan(function() return s:list { where = { tenant = "t1" }, limit = 7, after = info.next } end, "t1", "t1", "5", 8)
      assert.matches("Index Scan using items_pkey", text)
      assert.matches("Index Cond.*ROW", text)
      text = plan(function() return s:count { tenant = "t1", id = { gte = "f5" } } end, "t1", "f5")
      assert.matches("Index Cond: .*id >= 'f5'", text)
      text = plan(function() return s:list { where = { tenant = "t1" }, order = "title", limit = 7 } end, "t1", 8)
      assert.matches("Index Scan using items_title", text)
    end)
  end

  it("uses them for patterns where the locale is C", function()
    open("coll_c", "")
    local text = plan(function() return s:count { tenant = "t1", id = { like = "fff%" } } end, "t1", "fff%")
    assert.matches("Index Cond: .*id >= 'fff'", text)
  end)

  it("orders by bytes in every database, whatever its collation", function()
    for _, name in ipairs { "coll_c", "coll_utf8", "coll_icu" } do
      for _, collation in ipairs { "", 'collate "C"', 'collate "und-x-icu"' } do
        open(name, collation)
        local list = { "_", "B", "a", "a b", "aB", "é", "\239\189\158", "\240\159\152\128" }
        for _, id in ipairs(list) do assert(s:create { tenant = "z", id = id, title = "x" }) end
        local got = {}
        for _, row in ipairs(assert(s:list { where = { tenant = "z" } })) do got[#got + 1] = row.id end
        assert.same({ "B", "_", "a", "a b", "aB", "é", "\239\189\158", "\240\159\152\128" }, got)
        assert.equal(2, s:count { tenant = "z", id = { lt = "a" } })
        assert.equal(1, s:count { tenant = "z", id = { ilike = "b" } })
        assert.equal(0, s:count { tenant = "z", id = { ilike = "É" } })
        db:close()
      end
    end
    db = nil
  end)

  it("goes through all rows without a sort, in a collation of its own", function()
    open("coll_icu", "")
    local n, seen = 0, {}
    for row in s:each { page = 100 } do
      n = n + 1
      assert.is_nil(seen[row.tenant .. row.id])
      seen[row.tenant .. row.id] = true
    end
    assert.equal(4000, n)
    local text = plan(function() return s:each { page = 100 }() end, "t1", "5", 101) -- of the second page
    assert.matches("Index Scan using items_pkey", text)
    assert.not_matches("Sort", text)
  end)

  it("is named by check where indexes cannot serve, with what to do", function()
    open("coll_icu", "")
    local messages = {}
    for _, fault in ipairs(assert(check(db, "coll"))) do messages[#messages + 1] = fault.message .. ": " .. fault.sql end
    table.sort(messages)
    assert.equal(2, #messages)
    assert.equal('column id: its collation "default" does not order by bytes, so pages and ranges cannot use items_pkey: '
      .. 'alter table coll.items alter column id type text collate "C";', messages[1])
    assert.matches("^column title: .* cannot use items_title: ", messages[2])
    db:close()
    open("coll_utf8", "")
    assert.same({}, assert(check(db, "coll")))
  end)
end)
