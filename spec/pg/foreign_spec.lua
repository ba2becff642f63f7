-- Foreign tables as read-only stores: of another server by postgres_fdw, of a file by file_fdw.

local larder = require "larder"
local check = require "larder.migrate.check"
local pull = require "larder.migrate.pull"

local url = os.getenv "LARDER_TEST_URL"

larder.declare { name = "abroad", entities = {
  { name = "owners", table = "abroad.owners", fields = { { name = "id", type = "int4" }, { name = "name", type = "text" } },
    key = { "id" } },
  { name = "things", table = "abroad.things", read_only = true, key = { "id" },
    fields = { { name = "id", type = "int4" }, { name = "owner_id", type = "int4", null = true }, { name = "name", type = "text" },
      { name = "price", type = "numeric", null = true }, { name = "at", type = "timestamptz", null = true } },
    relations = { { fields = { "owner_id" }, to = "owners", as = "owner", many = "things" } } },
} }

-- The server is this one, by another session: it is told how it is reached.
local SQL = [[
drop schema if exists abroad cascade;
create schema abroad;
drop schema if exists abroad_there cascade;
create schema abroad_there;
create extension if not exists postgres_fdw schema public;
drop server if exists abroad_server cascade;
drop server if exists abroad_away cascade;
do $$ begin
  execute format('create server abroad_server foreign data wrapper postgres_fdw options (host %L, port %L, dbname %L)',
    split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
end $$;
create server abroad_away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1', dbname 'none');
create user mapping for current_user server abroad_server;
create user mapping for current_user server abroad_away;
create table abroad_there.things (id int4 primary key, owner_id int4, name text collate "C" not null, price numeric, at timestamptz);
insert into abroad_there.things values (1, 1, 'a', 1.50, '2026-01-01Z'), (2, 1, 'b', 2, null), (3, null, 'c', null, null),
  (4, 2, 'B', 4, null);
create table abroad.owners (id int4 primary key, name text collate "C" not null);
insert into abroad.owners values (1, 'Ann'), (2, 'Bob'), (3, 'Cid');
create foreign table abroad.things (id int4 not null, owner_id int4, name text collate "C" not null, price numeric, at timestamptz)
  server abroad_server options (schema_name 'abroad_there', table_name 'things');
create foreign table abroad.away (id int4 not null) server abroad_away;
]]

describe("a foreign table", function()
  local db, s, why

  local function script(sql)
    local session = assert(db:_migration_engine():session {})
    local ok, err = session:script(sql)
    session:rollback()
    return ok, err
  end

  setup(function()
    db = assert(larder.open(url))
    local there = assert(db:query [[select count(*) as n from pg_available_extensions where name = 'postgres_fdw']])[1].n
    if there == 0 then why = "the server has no postgres_fdw" return end
    assert(script(SQL))
    s = db:stores "abroad"
  end)
  teardown(function()
    if not why then
      script "drop schema abroad cascade; drop schema abroad_there cascade; drop server abroad_server, abroad_away cascade"
    end
    db:close()
  end)

  local function test(title, fn)
    it(title, function()
      if why then return pending(why) end
      fn()
    end)
  end

  test("is left out by pull with a remark, and agrees with a declaration by hand", function()
    local found = assert(pull.read(db, "abroad"))
    local said = table.concat(found.left_out, "\n")
    assert.is_truthy(said:find("things is a foreign table, of which no key is known: declare it with read_only = true", 1, true), said)
    assert.same({}, (assert(check(db, "abroad"))))
    assert(db:query "alter foreign table abroad.things alter column price type float8")
    assert.matches("column price: declared numeric, in the database double precision", assert(check(db, "abroad"))[1].message)
    assert(db:query "alter foreign table abroad.things alter column price type numeric")
  end)

  test("is read in every way", function()
    assert.same({ id = 1, owner_id = 1, name = "a", price = "1.50", at = "2026-01-01T00:00:00.000000Z" }, assert(s.things:get(1)))
    assert.equal("not_found", select(2, s.things:get(9)).code)
    assert.equal(3, assert(s.things:find { owner_id = larder.null }).id)
    assert.equal(2, s.things:count { name = { gte = "a" }, price = { gt = "0.5" } })
    local seen, after = {}, nil
    repeat
      local page, info = s.things:list { order = "-price, id", limit = 1, after = after }
      seen[#seen + 1] = page[1].id
      after = info.next
    until not after
    assert.same({ 3, 4, 2, 1 }, seen)
    local ids = {}
    for row in s.things:each { page = 2 } do ids[#ids + 1] = row.id end
    assert.same({ 1, 2, 3, 4 }, ids)
    assert.same({ { owner_id = 1, n = 2, sum = "3.50" }, { owner_id = 2, n = 1, sum = "4" } },
      assert(s.things:aggregate { groups = { "owner_id" }, where = { owner_id = { is_null = false } }, order = "owner_id",
        aggs = { { "count", as = "n" }, { "sum", "price", as = "sum" } } }))
  end)

  test("is included, and includes", function()
    assert.equal("Ann", assert(s.things:get(2, { include = { "owner" } })).owner.name)
    local owners = assert(s.owners:list { include = { things = { order = "-id", limit = 1 } } })
    assert.same({ 2, 4 }, { owners[1].things[1].id, owners[2].things[1].id })
    assert.equal(0, #owners[3].things)
    assert.equal(1, s.owners:count { things = { any = { price = { gt = 3 } } } })
    assert.equal(2, s.things:count { ["owner.name"] = "Ann" })
  end)

  test("is written by nothing", function()
    for _, method in ipairs { "create", "update", "patch", "upsert", "delete", "create_many", "update_where", "delete_where" } do
      local none, err = s.things[method](s.things, { id = 1, name = "x" }, { name = "x" })
      assert.is_nil(none)
      assert.equal("unsupported", err.code)
    end
    assert.equal(4, assert(db:query "select count(*) as n from abroad_there.things")[1].n)
  end)

  test("of a server that is down answers what the server says", function()
    larder.declare { name = "abroad_away", entities = { { name = "away", table = "abroad.away", read_only = true, key = { "id" },
      fields = { { name = "id", type = "int4" } } } } }
    local away = db:stores("abroad_away").away
    local none, err = away:get(1)
    assert.is_nil(none)
    assert.equal("08001", err.sqlstate)
    assert.matches("abroad_away.away:get", tostring(err))
    assert.matches("abroad_away", tostring(err))
    assert.equal(4, s.things:count(larder.all {})) -- the connection to this server is as good as before
    assert.is_table(db:health())
  end)

  test("of a file is read", function()
    local there = assert(db:query [[select count(*) as n from pg_available_extensions where name = 'file_fdw']])[1].n
    if there == 0 then return pending "the server has no file_fdw" end
    assert(script [[
      create extension if not exists file_fdw schema public;
      drop server if exists abroad_files cascade;
      create server abroad_files foreign data wrapper file_fdw;
      do $$
      declare path text := current_setting('data_directory') || '/larder_abroad.csv';
      begin
        execute format('copy (select i as id, %L || i as name from generate_series(1, 3) i) to %L with (format csv)', 'n', path);
        execute format('create foreign table abroad.lines (id int4, name text collate "C") server abroad_files
          options (filename %L, format %L)', path, 'csv');
      end $$]])
    larder.declare { name = "abroad_lines", entities = { { name = "lines", table = "abroad.lines", read_only = true, key = { "id" },
      fields = { { name = "id", type = "int4" }, { name = "name", type = "text" } } } } }
    local lines = db:stores("abroad_lines").lines
    assert.equal("n2", assert(lines:get(2)).name)
    assert.equal(2, lines:count { name = { gt = "n1" } })
    assert(script "drop server abroad_files cascade")
  end)
end)
