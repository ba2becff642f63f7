-- Row-level security for single calls: db:with { tenant = …, role = … }. The tables of this spec belong to the role that
-- connects, which sees everything; the views run as a role that the policy holds for.

local larder = require "larder"
local loops = require "spec.support.loops"
local must = require "spec.support.must"
local unpack = require("larder.base.compat").unpack

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local CALLERS, ROUNDS, ROWS = 16, 6, 20

local SCHEMA = [[
drop schema if exists viewed cascade;
drop role if exists larder_viewer;
create role larder_viewer login;
create schema viewed;
create table viewed.notes (id int8 primary key, tenant_id text not null default current_setting('larder.tenant'), body text not null);
alter table viewed.notes enable row level security;
create policy own on viewed.notes using (tenant_id = current_setting('larder.tenant', true));
grant usage on schema viewed to larder_viewer;
grant select, insert, update, delete on viewed.notes to larder_viewer;
]]

larder.declare {
  name = "viewed",
  entities = { { name = "notes", table = "viewed.notes", fields = {
    { name = "id", type = "int8" },
    { name = "tenant_id", type = "text" },
    { name = "body", type = "text" },
  }, key = { name = "notes_pkey", "id" } } },
}

local plain

local function each_statement(sql)
  for statement in sql:gmatch "[^;]+;" do must(plain:query((statement:gsub(";", "")))) end
end

local function fill()
  must(plain:query "truncate viewed.notes")
  must(plain:query("insert into viewed.notes select i, case when i % 2 = 0 then 'even' else 'odd' end, 'note ' || i "
    .. "from generate_series(1, $1::int8) as i", ROWS))
end

local function tenants_of(rows)
  local seen, list = {}, {}
  for _, row in ipairs(rows) do
    if not seen[row.tenant_id] then list[#list + 1] = row.tenant_id end
    seen[row.tenant_id] = true
  end
  table.sort(list)
  return table.concat(list, " ")
end

setup(function()
  plain = must(larder.open(url))
  each_statement(SCHEMA)
end)

teardown(function()
  must(plain:query "drop schema viewed cascade")
  must(plain:query "drop role larder_viewer")
  plain:close()
end)

local function behaviour(options, run)
  local db, even, odd

  before_each(function()
    fill()
    local target = { pool = { max = 3 } }
    for name, value in pairs(options) do target[name] = value end
    db = must(larder.open(url, target))
    even = must(db:with { tenant = "even", role = "larder_viewer" })
    odd = must(db:with { tenant = "odd", role = "larder_viewer" })
  end)
  after_each(function() db:close() end)

  -- Callers of one tenant change the same rows at once, each in the table's order, which every update changes: PostgreSQL may find
  -- that they wait for each other.
  local function update_all(notes, tenant)
    for _ = 1, 20 do
      local n, err = notes:update_where(larder.all {}, { body = tenant })
      if n then return n end
      assert(err.code == "deadlock" and err.retryable, tostring(err))
    end
    error "one deadlock after the other"
  end

  -- What tenant a single call of every kind sees or writes.
  local function look(view, tenant, i, round)
    local notes = view:stores("viewed").notes
    local mine, other = tenant == "even" and 2 or 1, tenant == "even" and 1 or 2
    assert(must(notes:get(mine)).tenant_id == tenant)
    local row, err = notes:get(other)
    assert(row == nil and err.code == "not_found", "a row of the other tenant was read")
    assert(notes:exists(other) == false)
    assert(must(notes:count()) >= ROWS / 2)
    assert(tenants_of(must(notes:list { limit = 1000 })) == tenant)
    assert(tenants_of(must(view:query "select tenant_id from viewed.notes")) == tenant)
    assert(must(view:query "select current_user::text as who, current_setting('larder.tenant') as tenant")[1].tenant == tenant)
    local id = 1000 + i * 100 + round
    assert(must(notes:create { id = id, tenant_id = tenant, body = "new" }).tenant_id == tenant)
    assert(update_all(notes, tenant) >= 1)
    assert(must(notes:delete(id)))
    local results = must(view:pipeline(function(p)
      p:query "select tenant_id from viewed.notes"
      p:query "select count(*)::int8 as n from viewed.notes where tenant_id <> current_setting('larder.tenant')"
      p:query "select tenant_id from viewed.notes"
    end))
    assert(tenants_of(results[1].rows) == tenant and tenants_of(results[3].rows) == tenant)
    assert(results[2].rows[1].n == 0)
  end

  it("shows each of two tenants its own rows, to many callers at once", function()
    local fns = {}
    for i = 1, CALLERS do
      fns[i] = function()
        for round = 1, ROUNDS do
          if (i + round) % 2 == 0 then look(even, "even", i, round) else look(odd, "odd", i, round) end
          -- a call without a context runs as the connection does: it sees both
          assert(tenants_of(must(db:stores("viewed").notes:list { limit = 1000 })) == "even odd")
          local setting = must(db:query "select current_setting('larder.tenant', true) as tenant, current_user::text as who")[1]
          assert(setting.tenant == larder.null or setting.tenant == nil or setting.tenant == "")
          assert(setting.who ~= "larder_viewer")
        end
      end
    end
    run(db, unpack(fns))
    local left = must(plain:query "select tenant_id, body, count(*)::int8 as n from viewed.notes group by 1, 2 order by 1")
    assert.same({ { "even", "even", ROWS / 2 }, { "odd", "odd", ROWS / 2 } },
      { { left[1].tenant_id, left[1].body, tonumber(left[1].n) }, { left[2].tenant_id, left[2].body, tonumber(left[2].n) } })
  end)

  it("refuses a row of another tenant, and leaves nothing behind when a statement fails", function()
    run(db, function()
      local row, err = even:stores("viewed").notes:create { id = 500, tenant_id = "odd", body = "foreign" }
      assert(row == nil and err.sqlstate == "42501", tostring(err))
      row, err = even:query "select 1/0"
      assert(row == nil and err.sqlstate == "22012")
      assert(must(db:query "select current_user::text as who")[1].who ~= "larder_viewer")
      local results = must(odd:pipeline({ atomic = false }, function(p)
        p:query "insert into viewed.notes values (501, 'even', 'foreign')"
        p:query "select tenant_id from viewed.notes"
      end))
      assert(results[1].err.sqlstate == "42501")
      assert(tenants_of(results[2].rows) == "odd")
    end)
    assert.equal(0, tonumber(must(plain:query "select count(*)::int8 as n from viewed.notes where id >= 500")[1].n))
  end)

  it("holds for a transaction and a cursor as a whole", function()
    run(db, function()
      must(even:transaction(function(tx)
        assert(tenants_of(must(even:stores("viewed").notes:list {})) == "even")
        assert(tenants_of(must(tx:query "select tenant_id from viewed.notes")) == "even")
        must(even:transaction(function() return must(even:stores("viewed").notes:create { id = 600, tenant_id = "even", body = "in" }) end))
        local row, err = odd:stores("viewed").notes:get(1)
        assert(row == nil and err.code == "invalid", "a call joined another tenant's transaction")
        row, err = odd:transaction(function() return true end)
        assert(row == nil and err.code == "invalid")
        row, err = odd:query "select 1"
        assert(row == nil and err.code == "invalid")
        for note in even:each { "select tenant_id from viewed.notes", page = 3 } do assert(note.tenant_id == "even") end
        assert(not pcall(function()
          for _ in odd:each "select tenant_id from viewed.notes" do error "a cursor joined another tenant's transaction" end
        end))
        return true
      end))
      local n = 0
      for note in odd:each { "select tenant_id from viewed.notes", page = 3 } do
        assert(note.tenant_id == "odd")
        n = n + 1
      end
      assert(n == ROWS / 2)
    end)
  end)

  it("carries further settings, for their call alone", function()
    run(db, function()
      local timed = must(db:with { settings = { ["app.user"] = "7", work_mem = "1MB" } })
      local row = must(timed:query "select current_setting('app.user') as a, current_setting('work_mem') as m")[1]
      assert(row.a == "7" and row.m == "1MB")
      row = must(db:query "select current_setting('app.user', true) as a, current_setting('work_mem') as m")[1]
      assert((row.a == nil or row.a == larder.null or row.a == "") and row.m ~= "1MB")
    end)
  end)

  it("tells that a role does not exist or must not be taken", function()
    run(db, function()
      local row, err = must(db:with { role = "larder_nobody" }):query "select 1"
      assert(row == nil and err.sqlstate == "22023", tostring(err))
      row, err = must(must(db:with { role = "larder_nobody" }):stores "viewed".notes):get(1)
      assert(row == nil and err.sqlstate == "22023", tostring(err))
    end)
  end)
end

describe("a view of a database whose role is nobody's member", function()
  it("cannot take another role", function()
    local db = must(larder.open((url:gsub("postgres@", "larder_viewer@"))))
    local row, err = must(db:with { role = "postgres" }):query "select 1"
    assert.is_nil(row)
    assert.equal("42501", err.sqlstate)
    assert.equal("larder_viewer", must(db:query "select current_user::text as who")[1].who)
    db:close()
  end)
end)

describe("a view of the database, blocking,", function()
  behaviour({ wait = false }, function(_, ...)
    for _, fn in ipairs { ... } do fn() end
  end)
end)

local names = {}
for name in pairs(loops) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  describe("a view of the database in the loop " .. name, function() behaviour(loops[name].options, loops[name].run) end)
end
