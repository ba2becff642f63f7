-- Columns of domains: over domains, arrays and enums, with checks and not null of their own.

local larder = require "larder"
local check = require "larder.migrate.check"
local pull = require "larder.migrate.pull"

local load_text = loadstring or load -- luacheck: ignore

local SQL = [[
drop schema if exists domained cascade;
create schema domained;
create type domained.mood as enum ('sad', 'ok', 'happy');
create domain domained.code as varchar(8);
create domain domained.upper_code as domained.code check (value = upper(value));
create domain domained.short_code as domained.upper_code constraint is_short check (length(value) <= 3);
create domain domained.price as numeric(8,2) constraint not_below check (value >= 0);
create domain domained.paid as domained.price not null;
create domain domained.list as int4[] constraint is_few check (cardinality(value) <= 2);
create domain domained.lists as domained.list;
create domain domained.feeling as domained.mood constraint no_sadness check (value <> 'sad');
create domain domained.deep as domained.feeling;
create table domained.rows (
  id int4 primary key, code domained.short_code, price domained.paid, list domained.lists, feeling domained.deep default 'ok',
  key domained.upper_code collate "C" unique, label domained.mood)]]

describe("columns of domains", function()
  local db, rows, text

  setup(function()
    db = assert(larder.open(os.getenv "LARDER_TEST_URL"))
    local session = assert(db:_migration_engine():session {})
    assert(session:script(SQL))
    session:rollback()
    text = pull.text(assert(pull.read(db, "domained")))
    assert(load_text(text))()
    rows = db:stores("domained").rows
  end)
  teardown(function() db:close() end)

  it("are declared with the type below all of them", function()
    local fields = {}
    for _, field in ipairs(db:_cstore("domained", "rows"):describe().fields) do
      fields[field.name] = { field.type, field.max_len or field.precision, field.null }
    end
    assert.same({ id = { "int4", nil, false }, code = { "varchar", 8, true }, price = { "numeric", 8, false },
      list = { "int4[]", nil, true }, label = { "enum", nil, true }, key = { "varchar", 8, true } }, fields)
    assert.is_truthy(text:find("column feeling is of a domain over an enum, for which PostgreSQL has no operators (alter column feeling "
      .. "type domained.mood): it is left out", 1, true), text)
    local differences = {}
    for i, fault in ipairs(assert(check(db, "domained"))) do differences[i] = fault.message end
    assert.equal("", table.concat(differences, "\n"))
  end)

  it("are read, written and compared", function()
    assert.same({ id = 1, code = "ABC", price = "1.50", list = { 1, 2 }, label = "happy", key = "K" },
      assert(rows:create { id = 1, code = "ABC", price = "1.5", list = { 1, 2 }, label = "happy", key = "K" }))
    assert(rows:create_many { { id = 2, code = "A", price = 2, label = "ok" }, { id = 3, price = 3, list = { 7 } } })
    assert.equal(1, assert(rows:find { code = { gt = "A" } }).id)
    assert.equal(2, rows:count { code = { like = "A%" } })
    assert.equal(1, rows:count { list = { contains = { 7 } } })
    assert.equal("6.50", assert(rows:aggregate { aggs = { { "sum", "price", as = "sum" } } })[1].sum)
    local page, info = rows:list { order = "price, id", limit = 1 }
    assert.equal(1, page[1].id)
    assert.equal(2, assert(rows:list { order = "price, id", limit = 1, after = info.next })[1].id)
    assert.equal("3.25", assert(rows:patch(2, { price = larder.increment "1.25", list = larder.append { 4 } })).price)
    assert.equal(1, assert(rows:upsert({ id = 9, price = 9, key = "K", code = "NEW" }, { key = "key" })).id)
    local memory = assert(larder.open "memory:")
    assert(larder.transfer(db, memory, { families = { "domained" }, verify = true }))
    assert(rows:delete_where(larder.all {}))
    assert(larder.transfer(memory, db, { families = { "domained" }, verify = true }))
    assert.equal(3, rows:count(larder.all {}))
    memory:close()
  end)

  for _, case in ipairs {
    { "is_short", { code = "ABCD" } }, { "upper_code_check", { code = "a" } }, { "not_below", { price = -1 } },
    { "is_few", { list = { 1, 2, 3 } } },
  } do
    it("answer what a domain checks: " .. case[1], function()
      assert(rows:upsert { id = 1, price = 1 })
      local none, err = rows:patch(1, case[2])
      assert.is_nil(none)
      assert.same({ "check", "23514", case[1] }, { err.code, err.sqlstate, err.constraint })
    end)
  end

  it("that are not null are required", function()
    local none, err = rows:create { id = 4 }
    assert.is_nil(none)
    assert.same({ price = "is required" }, err.fields)
  end)
end)
