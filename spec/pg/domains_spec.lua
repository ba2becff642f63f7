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
  key domained.upper_code collate "C" unique, label domained.mood);
create table domained.pairs (
  id int4 constraint pairs_pkey primary key, "Code" domained.short_code, low domained.price, high domained.price);
create function domained.watch() returns trigger language plpgsql as $$ begin
  if new.id = 13 then new."Code" := 'ABCD'; end if;
  return new; end $$;
create trigger watch before insert on domained.pairs for each row execute function domained.watch()]]

larder.declare { name = "domained_pairs", entities = { { name = "pairs", table = "domained.pairs", key = { name = "pairs_pkey", "id" },
  fields = { { name = "id", type = "int4" }, { name = "label", column = "Code", type = "varchar", max_len = 8, null = true },
    { name = "low", type = "numeric", precision = 8, scale = 2, null = true },
    { name = "high", type = "numeric", precision = 8, scale = 2, null = true } } } } }

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
      assert.same({ "rows", (next(case[2])) }, { err.table, err.column })
    end)
  end

  it("name the field whose value the domain does not take, whatever wrote it", function()
    local pairs_of = db:stores("domained_pairs").pairs
    local bad, good = { id = 1, label = "ABCD" }, { id = 2, label = "AB" }
    assert(pairs_of:create(good))
    local calls = {
      create = function() return pairs_of:create(bad) end,
      upsert = function() return pairs_of:upsert(bad) end,
      patch = function() return pairs_of:patch(2, { label = "ABCD" }) end,
      update_where = function() return pairs_of:update_where({ id = 2 }, { label = "ABCD" }) end,
      create_many = function() return pairs_of:create_many { { id = 3 }, bad } end,
      transaction = function() return db:transaction(function() return pairs_of:create(bad) end) end,
      transfer = function() return larder.transfer({ domained_pairs = { pairs = { bad } } }, db, { families = { "domained_pairs" } }) end,
      insert_async = function()
        assert(pairs_of:insert_async(bad))
        db:flush(20)
        return nil, pairs_of:writer_stats().rejected_rows[1].err
      end,
    }
    for name, call in pairs(calls) do
      local none, err = call()
      assert.is_nil(none, name)
      if name == "transfer" then err = err.refused[1].err end
      assert.same({ "check", "is_short", "pairs", "label" }, { err.code, err.constraint, err.table, err.column }, name)
    end
  end)

  it("name no field where several are of the domain, or where a trigger made the value", function()
    local pairs_of = db:stores("domained_pairs").pairs
    for constraint, row in pairs { not_below = { id = 5, low = -1 }, is_short = { id = 13 } } do
      local none, err = pairs_of:create(row)
      assert.is_nil(none)
      assert.equal("check", err.code)
      assert.equal(constraint, err.constraint)
      assert.is_nil(err.column)
      assert.is_nil(err.table)
    end
  end)

  it("that are not null are required", function()
    local none, err = rows:create { id = 4 }
    assert.is_nil(none)
    assert.same({ price = "is required" }, err.fields)
  end)
end)
