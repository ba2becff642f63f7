-- What was once answered wrongly on PostgreSQL, with its right answer. reports_spec.lua lists what other specs hold.

local larder = require "larder"
local check = require "larder.migrate.check"
local migrate = require "larder.migrate"
local must = require "spec.support.must"
local migrations = require "spec.support.migrations"
local regress = require "spec.regress.stores"

describe("the right answer of a database with rules of its own #pg", function()
  local db, things

  before_each(function()
    db = assert(larder.open(regress.engines.postgres))
    things = regress.of(db).things
  end)
  after_each(function() db:close() end)

  local function trigger(event, body)
    must(db:query("create or replace function regress.act() returns trigger language plpgsql as $$ begin " .. body .. " end $$"))
    must(db:query("create trigger act before " .. event .. " on regress.things for each row execute function regress.act()"))
  end

  it("when a trigger takes a change: that it was not stored, and not that there is no row", function()
    must(things:create { id = "a", title = "one" })
    trigger("update", "if new.title = 'gone' then return null; end if; return new;")
    for what, call in pairs {
      patch = function() return things:patch("a", { title = "gone" }) end,
      update = function() return things:update { id = "a", title = "gone" } end,
      expected = function() return things:patch("a", { title = "gone" }, { where = { title = "one" } }) end,
    } do
      local row, err = call()
      assert.is_nil(row)
      assert.equal("check", err.code, what)
      assert.matches("did not store", err.message, 1, true)
    end
    assert.equal("not_found", select(2, things:patch("b", { title = "x" })).code)
    assert.equal("conflict", select(2, things:patch("a", { title = "x" }, { where = { title = "two" } })).code)
    assert.equal("two", must(things:patch("a", { title = "two" })).title)
  end)

  it("when a trigger takes a row that is written later: it is refused, and no duplicate", function()
    must(things:create { id = "there" })
    trigger("insert", "if new.title = 'gone' then return null; end if; return new;")
    for _, row in ipairs { { id = "a", title = "gone" }, { id = "there" }, { id = "b", title = "kept" }, { id = "b" } } do
      must(things:insert_async(row))
    end
    must(db:flush(20))
    local stats = things:writer_stats().stores["regress.things"]
    assert.same({ 1, 2, 1 }, { stats.written, stats.duplicates, stats.rejected })
    local refused = things:writer_stats().rejected_rows[1]
    assert.equal("a", refused.key.id)
    assert.equal("check", refused.err.code)
    assert.equal(2, things:count())
  end)

  it("when a policy lets a row be written and not read: it is written later like any other", function()
    must(db:query "drop role if exists larder_regress")
    must(db:query "create role larder_regress login")
    must(db:query "grant usage on schema regress to larder_regress")
    must(db:query "grant all on all tables in schema regress to larder_regress")
    must(db:query "alter table regress.things enable row level security")
    must(db:query "create policy see on regress.things for select using (title <> 'hidden')")
    must(db:query "create policy put on regress.things for insert with check (title <> 'never')")
    local other = assert(larder.open(regress.engines.postgres .. (regress.engines.postgres:find "?" and "&"
      or "?") .. "user=larder_regress"))
    local there = other:stores("regress").things
    for _, row in ipairs { { id = "a", title = "hidden" }, { id = "b", title = "seen" }, { id = "c", title = "never" } } do
      must(there:insert_async(row))
    end
    must(other:flush(20))
    local stats = there:writer_stats().stores["regress.things"]
    other:close()
    assert.equal(2, things:count { id = { "a", "b" } })
    assert.same({ 2, 0, 1 }, { stats.written, stats.duplicates, stats.rejected })
    must(db:query "drop owned by larder_regress")
    must(db:query "drop role larder_regress")
  end)

  it("when a partitioned table is referred to, or met by many rows at once: the declared names", function()
    must(db:query "drop table regress.kids; ")
    must(db:query "drop table regress.things")
    must(db:query [[create table regress.things (
      id text collate "C" not null, title text collate "C", n integer, big bigint, price numeric, "real" real, at timestamptz, doc jsonb,
      tags text[], constraint things_pkey primary key (id)) partition by hash (id)]])
    for i = 0, 1 do
      must(db:query(("create table regress.things_p%d partition of regress.things for values with (modulus 2, remainder %d)"):format(i, i)))
    end
    must(db:query [[create table regress.kids (id integer not null constraint kids_pkey primary key, thing text collate "C",
      constraint kids_thing_fkey foreign key (thing) references regress.things (id) on delete restrict)]])
    must(things:create_many { { id = "a" }, { id = "b" }, { id = "c" } })
    must(things.stores.kids:create { id = 1, thing = "a" })
    local ok, err = things:delete "a"
    assert.is_nil(ok)
    assert.equal('kids_thing_fkey', err.constraint)
    assert.equal('row is still referred to: constraint "kids_thing_fkey"', err.message)
    ok, err = things:delete_where(larder.all {})
    assert.is_nil(ok)
    assert.equal('kids_thing_fkey', err.constraint)
    ok, err = larder.transfer({ regress = { things = { { id = "a" } } } }, db, { families = { "regress" } })
    assert.is_nil(ok)
    assert.equal('things_pkey', err.constraint)
    ok, err = things:create_many { { id = "d" }, { id = "a" } }
    assert.is_nil(ok)
    assert.equal('things_pkey', err.constraint)
  end)

  it("when a column is generated: check names it, before an insert fails", function()
    must(db:query "alter table regress.things drop column big")
    must(db:query "alter table regress.things add big bigint generated always as (n * 2) stored")
    local faults = {}
    for _, fault in ipairs(must(check(db, "regress"))) do faults[#faults + 1] = tostring(fault.message or fault) end
    assert.matches("big", table.concat(faults, "\n"), 1, true)
    assert.matches("generated", table.concat(faults, "\n"), 1, true)
  end)

  it("when a column is an enum and declared text: drift, which names both types", function()
    must(db:query "create type regress.mood as enum ('sad', 'ok')")
    must(db:query "alter table regress.things alter title type regress.mood using null")
    for _, call in ipairs {
      function() return things:create { id = "a", title = "sad" } end, function() return things:find { title = "sad" } end,
      function() return things:list {} end,
    } do
      local row, err = call()
      assert.is_nil(row)
      assert.equal("drift", err.code)
      assert.equal("title", err.column)
      assert.matches("mood", err.message, 1, true)
    end
  end)

  it("when cursors are opened by the hundred: the statements in use stay prepared", function()
    local one = assert(larder.open(regress.engines.postgres, { pool = { max = 1 } }))
    for i = 1, 20 do must(one:query("select " .. i .. " as hot")) end
    local before = one:stats().evictions
    for _ = 1, 300 do
      local rows = one:each "select 1 as a"
      rows()
      rows:close()
    end
    assert.equal(before, one:stats().evictions)
    one:close()
  end)

  it("when no file descriptor is left: capacity, and not that the server is away", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local larder, files = require "larder", {}
      repeat files[#files + 1] = io.open "/dev/null" until not io.open "/dev/null"
      local db, err = larder.open(os.getenv "LARDER_TEST_URL")
      io.stdout:write(db and "opened" or err.code, "\n")
    ]]
    file:close()
    local pipe = assert(io.popen("ulimit -n 64; tools/lua.sh " .. os.getenv "LARDER_TEST_LUA" .. " " .. script))
    local said = pipe:read "*a"
    pipe:close()
    os.remove(script)
    assert.equal("capacity\n", said)
  end)

  it("when a session of the server only reads for a while: permission, which may be tried again", function()
    must(db:query "create role larder_reader")
    local ok, err = db:transaction({ read_only = true }, function() return things:create { id = "a" } end)
    must(db:query "drop role larder_reader")
    assert.is_nil(ok)
    assert.equal("permission 25006", err.code .. " " .. err.sqlstate)
    assert.equal("the transaction is read-only", err.message)
  end)
end)

describe("the right answer about migrations #pg", function()
  local db, dir

  local function forget()
    if not db:query "select from larder.schema_migrations limit 0" then return end
    must(db:query "delete from larder.schema_migrations where family = 'lm'")
  end

  before_each(function()
    db = assert(larder.open(regress.engines.postgres))
    must(db:query "drop schema if exists lm cascade")
    must(db:query "create schema lm")
    must(db:query "create schema if not exists larder")
    forget()
  end)
  after_each(function()
    must(db:query "drop schema if exists lm cascade")
    forget()
    db:close()
    if dir then migrations.remove(dir) end
    dir = nil
  end)

  local function up(files)
    dir = migrations.directory(files)
    return migrate.up(db, "lm", { dir = dir })
  end

  it("when a file's name ends in capitals: it is named, and not left out", function()
    local ok, err = up { ["000001_x.up.SQL"] = "create table lm.a (id int);", ["000002_y.up.sql"] = "create table lm.b (id int);" }
    assert.is_nil(ok)
    assert.equal("invalid", err.code)
    assert.equal("000001_x.up.SQL", err.file)
    assert.equal(0, must(db:query "select count(*) as n from pg_tables where schemaname = 'lm'")[1].n)
  end)

  it("when a text in a file holds a carriage return: it is stored", function()
    must(up { ["000001_x.up.sql"] = "create table lm.a (v text);\r\ninsert into lm.a values ('a\r\nb');\r\n" })
    assert.equal("a\r\nb", must(db:query "select v from lm.a")[1].v)
  end)

  it("when a file commits: refused before anything runs, also inside of DO", function()
    for _, text in ipairs {
      "begin; create table lm.c1 (id int); commit;", "create table lm.c1 (id int); commit; create table lm.c2 (x bad);",
      "create table lm.c1 (id int); end;", "rollback; create table lm.c1 (id int);",
      "create table lm.c1 (id int); do $$ begin commit; end $$;",
    } do
      local ok, err = up { ["000001_x.up.sql"] = text }
      assert.is_nil(ok)
      assert.equal("invalid", err.code, text)
      assert.is_false(must(db:query "select to_regclass('lm.c1') is not null as there")[1].there)
      migrations.remove(dir)
    end
    dir = nil
  end)
end)
