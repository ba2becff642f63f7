-- each in an order that no index has: one cursor in place of a sort a page. What an index has is paged, and holds nothing.

local larder = require "larder"
local loops = require "spec.support.loops"
local must = require "spec.support.must"
local unpack = require("larder.base.compat").unpack

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local ROWS, PAGE = 700, 50

local SCHEMA = [[
drop schema if exists each_rows cascade;
drop role if exists larder_each;
create schema each_rows;
create table each_rows.rows (id int8 constraint rows_pkey primary key, a int4 not null, b int4 not null, t text collate "C");
create table each_rows.kids (id int8 constraint kids_pkey primary key, row_id int8 not null
  constraint kids_row_id_fkey references each_rows.rows (id));
create index rows_b_idx on each_rows.rows (b, id);
create role larder_each login;
grant usage on schema each_rows to larder_each;
grant select on each_rows.rows to larder_each;
alter table each_rows.rows enable row level security;
create policy own on each_rows.rows using (a % 2 = current_setting('larder.tenant', true)::int4);
]]

larder.declare {
  name = "each_rows",
  entities = {
    { name = "rows", table = "each_rows.rows", key = { name = "rows_pkey", "id" }, fields = {
      { name = "id", type = "int8" }, { name = "a", type = "int4" }, { name = "b", type = "int4" },
      { name = "t", type = "text", null = true },
    } },
    { name = "kids", table = "each_rows.kids", key = { name = "kids_pkey", "id" },
      fields = { { name = "id", type = "int8" }, { name = "row_id", type = "int8" } },
      references = { { name = "kids_row_id_fkey", fields = { "row_id" }, to = "rows" } },
      relations = { { fields = { "row_id" }, to = "rows", as = "row", many = "kids" } } },
  },
}

describe("each in an order that no index has", function()
  local db, rows

  setup(function()
    local plain = must(larder.open(url))
    for statement in SCHEMA:gmatch "[^;]+;" do must(plain:query((statement:gsub(";", "")))) end
    must(plain:query([[insert into each_rows.rows select n, n * 7919 % 101, n * 31 % 97, case when n % 3 > 0 then 't' || n % 40 end
      from generate_series(1, $1::int8) n]], ROWS))
    must(plain:query "insert into each_rows.kids select n, 1 + n % 300 from generate_series(1, 900) n")
    must(plain:query "analyze each_rows.rows")
    plain:close()
  end)
  teardown(function()
    local plain = must(larder.open(url))
    must(plain:query "drop schema each_rows cascade")
    must(plain:query "drop role larder_each")
    plain:close()
  end)

  before_each(function()
    db = must(larder.open(url, { pool = { max = 2, min = 0, acquire_timeout = 10 } }))
    rows = db:stores("each_rows").rows
  end)
  after_each(function() db:close() end)

  local function ids_of(opts)
    local ids = {}
    opts.page = opts.page or PAGE
    for row in rows:each(opts) do ids[#ids + 1] = row.id end
    return ids
  end

  local function told(order_by, condition)
    local ids = {}
    local sql = "select id from each_rows.rows where " .. (condition or "true") .. " order by " .. order_by
    for i, row in ipairs(must(db:query(sql))) do ids[i] = row.id end
    return ids
  end

  -- How many connections a loop holds when it has come past its first page.
  local function held(order)
    local n, busy = 0, nil
    for _ in rows:each { order = order, page = PAGE } do
      n = n + 1
      if n == 3 * PAGE then busy = db:stats().busy end
    end
    assert.equal(ROWS, n)
    return busy
  end

  it("gives every row once, in that order", function()
    for order, sql in pairs {
      a = "a, id", ["-a"] = "a desc, id", ["t"] = "t, id", ["-t"] = "t desc, id", ["a desc, b"] = "a desc, b, id", ["-b"] = "b desc, id",
    } do
      assert.same(told(sql), ids_of { order = order }, order)
      assert.same(told(sql, "b < 50"), ids_of { order = order, where = { b = { lt = 50 } } }, order)
    end
    local sorted = told "a, id"
    assert.same({ unpack(sorted, 1, 170) }, ids_of { order = "a", limit = 170 })
    assert.same({ unpack(sorted, 1, PAGE) }, ids_of { order = "a", limit = PAGE })
    assert.same({}, ids_of { order = "a", limit = 0 })
    local _, info = rows:list { order = "a", limit = 60 }
    assert.same({ unpack(sorted, 61) }, ids_of { order = "a", after = info.next })
    assert.same({ { id = sorted[1] } }, { rows:each { order = "a", columns = { "id" } }() })
  end)

  it("sorts once: it holds one connection, where an index has the order none", function()
    assert.equal(1, held "a")
    assert.equal(1, held "t")
    assert.equal(0, held "b")
    assert.equal(0, held(nil))
    assert.equal(0, held "id")
    must(db:query "create index rows_a_idx on each_rows.rows (a, id)")
    assert.equal(0, held "a")
    must(db:query "drop index each_rows.rows_a_idx")
    assert.equal(1, held "a")
    assert.equal(0, db:stats().busy)
  end)

  it("asks nothing and holds nothing when one page is all", function()
    local before = db:stats().queries
    assert.equal(40, #ids_of { order = "a", limit = 40 })
    assert.equal(40, #ids_of { order = "a", where = { id = { lte = 40 } } })
    assert.equal(2, db:stats().queries - before - db:stats().transactions)
  end)

  it("is of one snapshot behind the first page", function()
    local n, other = 0, must(larder.open(url, { pool = { max = 1 } }))
    for row in rows:each { order = "a", page = PAGE } do
      n = n + 1
      if n == PAGE + 1 then
        must(other:query "insert into each_rows.rows select 10000 + n, 1000, 1, 'new' from generate_series(1, 100) n")
        must(other:query "delete from each_rows.rows where id > 10000")
        must(other:query "update each_rows.rows set a = a")
      end
      assert.is_true(row.id <= ROWS)
    end
    other:close()
    assert.equal(ROWS, n)
  end)

  it("can be left early, and gives its connection back", function()
    for _ = 1, 4 do -- twice as often as there are connections
      local n = 0
      local all = rows:each { order = "a", page = PAGE }
      for _ in all do
        n = n + 1
        if n == 2 * PAGE then break end
      end
      all:close()
      assert.is_nil(all())
      assert.equal(0, db:stats().busy)
    end
    for _ = 1, 4 do
      local n = 0
      for _ in rows:each { order = "a", page = PAGE } do
        n = n + 1
        if n == 2 * PAGE then break end -- Lua 5.4 closes; on LuaJIT whoever meets the full pool collects
      end
    end
    must(db:transaction(function() return must(rows:get(1)) end))
    local all = rows:each { order = "a" }
    all:close() -- before its first row
    assert.is_nil(all())
  end)

  it("reads what is included, of the same snapshot", function()
    local n, kids = 0, 0
    for row in rows:each { order = "a", page = PAGE, include = { kids = true }, columns = { "a" } } do
      n, kids = n + 1, kids + #row.kids
      assert.is_nil(row.id)
      for _, kid in ipairs(row.kids) do assert.is_number(tonumber(kid.row_id)) end
    end
    assert.same({ ROWS, 900 }, { n, kids })
    n = 0
    for row in db:stores("each_rows").kids:each { order = "-row_id", page = PAGE, include = { "row" } } do
      n = n + 1
      assert.equal(row.row_id, row.row.id)
    end
    assert.equal(900, n)
    assert.equal(0, db:stats().busy)
  end)

  it("sees a transaction's own rows, and leaves it as it was", function()
    local _, err = db:transaction(function()
      must(rows:create { id = 9000, a = -5, b = 1 })
      local seen, pairs_of = {}, 0
      for row in rows:each { order = "a", page = PAGE } do seen[#seen + 1] = row.id end
      assert.equal(ROWS + 1, #seen)
      assert.equal(9000, seen[1])
      for outer in rows:each { order = "a", page = 300 } do
        for inner in rows:each { order = "-a", page = 300 } do
          pairs_of = pairs_of + 1
          if inner.id ~= outer.id and pairs_of % 650 == 0 then break end
        end
        if pairs_of > 3000 then break end
      end
      assert.is_true(pairs_of > 3000)
      assert.equal(ROWS + 1, must(rows:count()))
      return nil, "undo"
    end)
    assert.equal("undo", err)
    assert.equal(ROWS, must(rows:count()))
  end)

  it("runs as the view that it was called on", function()
    for tenant = 0, 1 do
      local view = must(db:with { tenant = tostring(tenant), role = "larder_each" })
      local n = 0
      for row in view:stores("each_rows").rows:each { order = "a", page = PAGE } do
        n = n + 1
        assert.equal(tenant, row.a % 2)
      end
      assert.equal(must(db:query("select count(*) as n from each_rows.rows where a % 2 = $1", tenant))[1].n, n)
    end
    must(rows:get(1))
    assert.equal("postgres", must(db:query "select current_user::text as u")[1].u)
  end)

  it("raises when its connection is lost on the way, and does not end as if that were all", function()
    local other = must(larder.open(url, { pool = { max = 1 } }))
    local n = 0
    local ok, err = pcall(function()
      for _ in rows:each { order = "a", page = PAGE } do
        n = n + 1
        if n == 2 * PAGE then
          must(other:query [[select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
            where state = 'idle in transaction' and query like '%larder_each_%' and pid <> pg_backend_pid()]])
        end
      end
    end)
    other:close()
    assert.is_false(ok)
    assert.equal("connection", err.code)
    assert.is_true(n >= 2 * PAGE and n < ROWS)
    assert.equal(ROWS, must(rows:count()))
  end)

  it("raises when its time is over", function()
    local session = assert(db:_migration_engine():session {})
    local n = 0
    local ok, err = pcall(function()
      for _ in rows:each { order = "a", page = PAGE, timeout = 0.2 } do
        n = n + 1
        if n == 1 then must(session:script "begin; lock table each_rows.rows in access exclusive mode") end
      end
    end)
    session:rollback()
    assert.is_false(ok)
    assert.equal(PAGE, n)
    assert.equal("timeout", err.code)
    assert.equal(0, db:stats().busy)
  end)

  for name, kind in pairs(loops) do
    it("waits in the loop of " .. name, function()
      local options = { pool = { max = 4 } }
      for k, v in pairs(kind.options) do options[k] = v end
      local shared, jobs, sums = must(larder.open(url, options)), {}, {}
      for i = 1, 4 do
        jobs[i] = function()
          local n, last = 0, nil
          for row in shared:stores("each_rows").rows:each { order = "a", page = PAGE, include = { "kids" } } do
            assert.is_true(last == nil or last <= row.a)
            n, last = n + 1, row.a
          end
          sums[i] = n
        end
      end
      kind.run(shared, unpack(jobs))
      shared:close()
      assert.same({ ROWS, ROWS, ROWS, ROWS }, sums)
    end)
  end
end)
