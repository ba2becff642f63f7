-- Every way through migrations besides plain up and down (spec/pg/migrate_spec.lua), on directories made for each case.

local larder = require "larder"
local migrate = require "larder.migrate"
local loops = require "spec.support.loops"
local made = require "spec.support.migrations"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local FILES = {
  ["1_one.up.sql"] = "create schema lw; create table lw.one (i int);\n",
  ["1_one.down.sql"] = "drop schema lw cascade;\n",
  ["2_two.up.sql"] = "create table lw.two (i int);\n",
  ["2_two.down.sql"] = "drop table lw.two;\n",
  ["20240101000000_three.sql"] = "-- migrate:up\ncreate table lw.three (i int);\n\n-- migrate:down\ndrop table lw.three;\n",
}
local THREE = 20240101000000

describe("migrations", function()
  local db, dir

  local function use(files)
    if dir then made.remove(dir) end
    dir = made.directory(files)
    return { dir = dir }
  end

  local function with(more)
    local files = {}
    for name, text in pairs(FILES) do files[name] = text end
    for name, text in pairs(more) do files[name] = text end
    return files
  end

  -- "up 1, up 2"
  local function done(list, err)
    local parts = {}
    for i, step in ipairs(assert(list, err)) do parts[i] = step.action .. " " .. step.version end
    return table.concat(parts, ", ")
  end

  local function states(opts)
    local list = {}
    for i, row in ipairs(assert(migrate.status(db, "lw", opts))) do list[i] = row.version .. " " .. row.state end
    return table.concat(list, ", ")
  end

  local function there(name)
    return assert(db:query("select to_regclass($1) is not null as ok", name))[1].ok
  end

  before_each(function()
    db = assert(larder.open(url))
    assert(db:query "drop schema if exists lw cascade")
    if there "larder.migration_journal" then assert(db:query "delete from larder.migration_journal where family = 'lw'") end
    if there "larder.schema_migrations" then assert(db:query "delete from larder.schema_migrations where family = 'lw'") end
  end)

  after_each(function()
    assert(db:query "drop schema if exists lw cascade")
    db:close()
    if dir then made.remove(dir) end
    dir = nil
  end)

  it("reads golang-migrate's and dbmate's names, and counts versions as numbers", function()
    local opts = use(FILES)
    assert.equal("up 1, up 2, up " .. THREE, done(migrate.up(db, "lw", opts)))
    assert.is_true(there "lw.three")
    assert.equal("down " .. THREE, done(migrate.down(db, "lw", opts)))
    assert.is_false(there "lw.three")
  end)

  it("applies some, goes to a version either way, and does the last ones again", function()
    local opts = use(FILES)
    assert.equal("up 1", done(migrate.up(db, "lw", { dir = dir, count = 1 })))
    assert.equal("up 2", done(migrate.up(db, "lw", { dir = dir, to = 2 })))
    assert.equal("up " .. THREE, done(migrate["goto"](db, "lw", THREE, opts)))
    assert.equal("down " .. THREE .. ", down 2", done(migrate["goto"](db, "lw", 1, opts)))
    assert.equal("", done(migrate["goto"](db, "lw", 1, opts)))
    assert(migrate.up(db, "lw", opts))
    assert.equal(("down %d, down 2, up 2, up %d"):format(THREE, THREE), done(migrate.redo(db, "lw", { dir = dir, count = 2 })))
    local _, err = migrate["goto"](db, "lw", 7, opts)
    assert.same({ "invalid", "unknown_version" }, { err.code, err.reason })
    assert.equal(("down %d, down 2, down 1"):format(THREE), done(migrate["goto"](db, "lw", 0, opts)))
  end)

  it("says what it would do, with the SQL, and does nothing", function()
    use(FILES)
    local steps = assert(migrate.up(db, "lw", { dir = dir, dry_run = true }))
    assert.equal("up 1, up 2, up " .. THREE, done(steps))
    assert.equal(FILES["2_two.up.sql"], steps[2].sql)
    assert.equal("create table lw.three (i int);\n\n", steps[3].sql)
    assert.equal("1 pending, 2 pending, " .. THREE .. " pending", states { dir = dir })
  end)

  it("tells of each step as it happens", function()
    local heard = {}
    use(with { ["2_two.up.sql"] = "select 1/0;\n" })
    local ok, err = migrate.up(db, "lw", { dir = dir, on_step = function(step, what)
      heard[#heard + 1] = what .. " " .. step.version
    end })
    assert.is_nil(ok)
    assert.same({ "begin 1", "done 1", "begin 2", "failed 2" }, heard)
    assert.equal("up 1", done(err.done))
    assert.same({ "2_two.up.sql", 1, 1 }, { err.file, err.line, err.place })
    assert.is_truthy(err.message:find("2_two.up.sql:1:1: ", 1, true))
  end)

  it("runs a file without a transaction statement by statement, and resumes it", function()
    local text = "-- larder: no-transaction\ncreate index concurrently one_i on lw.one (i);\n\n"
      .. "select 1 / (select count(*) from lw.one);\ncreate table lw.last (i int);\n"
    local opts = use(with { ["2_two.up.sql"] = text })
    local _, err = migrate.up(db, "lw", opts)
    assert.same({ "22012", "2_two.up.sql", 4 }, { err.sqlstate, err.file, err.line })
    assert.equal("1 applied, 2 unfinished, " .. THREE .. " pending", states(opts))
    _, err = migrate.up(db, "lw", opts)
    assert.same({ "dirty", "unfinished" }, { err.code, err.reason })
    assert.is_truthy(err.message:find("statement 2: select 1 /", 1, true), err.message)
    _, err = migrate.resume(db, "lw", use(with { ["2_two.up.sql"] = text:gsub("one_i", "other_i") }))
    assert.same({ "dirty", "edited" }, { err.code, err.reason })
    opts = use(with { ["2_two.up.sql"] = text })
    assert(db:query "insert into lw.one values (1)")
    assert.equal("up 2", done(migrate.resume(db, "lw", opts)))
    assert.is_true(there "lw.last")
    assert.equal("", done(migrate.resume(db, "lw", opts)))
    assert.equal("up " .. THREE, done(migrate.up(db, "lw", opts)))
  end)

  it("believes who resumes that the statement under way was done", function()
    local opts = use(with { ["2_two.up.sql"] = "-- larder: no-transaction\nselect 1/0;\ncreate table lw.two (i int);\n" })
    assert.is_nil((migrate.up(db, "lw", opts)))
    assert.equal("up 2", done(migrate.resume(db, "lw", { dir = dir, skip_statement = true })))
    assert.is_true(there "lw.two")
  end)

  it("runs migrations of data in Lua, with a state that a second run goes on from", function()
    local opts = use(with { ["2_two.up.sql"] = nil, ["2_two.down.sql"] = nil, ["3_fill.lua"] = [[
      return {
        up = function(db, step)
          for i = (step.state.last or 0) + 1, 4 do
            if i == 3 and not step.state.again then
              assert(step:save { last = 2, again = true })
              return nil, "the power went"
            end
            assert(db:query("insert into lw.one values ($1)", i))
            step:progress(i, 4)
          end
        end,
        down = function(db) return db:query "delete from lw.one" end,
      }]] })
    os.remove(dir .. "/2_two.up.sql")
    os.remove(dir .. "/2_two.down.sql")
    local told = {}
    opts.on_step = function(step, what, more) if what == "progress" then told[#told + 1] = step.version .. ":" .. more.done end end
    local _, err = migrate.up(db, "lw", opts)
    assert.is_truthy(err.message:find("3_fill.lua: the power went", 1, true), err.message)
    assert.equal("up 3", done(migrate.resume(db, "lw", opts)))
    assert.same({ "3:1", "3:2", "3:3", "3:4" }, told)
    assert.equal(4, assert(db:query "select count(*) as n from lw.one")[1].n)
    assert.equal(("up %d"):format(THREE), done(migrate.up(db, "lw", opts)))
    assert.equal(("down %d, down 3"):format(THREE), done(migrate.down(db, "lw", { dir = dir, count = 2 })))
    assert.equal(0, assert(db:query "select count(*) as n from lw.one")[1].n)
  end)

  it("takes over a database that was made by other means, and says what is true when told", function()
    local opts = use(FILES)
    assert.equal("baseline 1, baseline 2", done(migrate.baseline(db, "lw", 2, opts)))
    assert.is_false(there "lw.one")
    local _, err = migrate.baseline(db, "lw", 2, opts)
    assert.same({ "conflict", "not_empty" }, { err.code, err.reason })
    assert.equal("force 2", done(migrate.force(db, "lw", 1, opts)))
    assert.equal("1 applied, 2 pending, " .. THREE .. " pending", states(opts))
  end)

  it("takes over the record of golang-migrate and of dbmate", function()
    local tables = {
      ["golang-migrate"] = "create table lw.schema_migrations (version bigint primary key, dirty boolean not null);"
        .. " insert into lw.schema_migrations values (2, false)",
      dbmate = "create table lw.schema_migrations (version varchar primary key); insert into lw.schema_migrations values ('1'), ('002')",
    }
    for tool, sql in pairs(tables) do
      local opts = use(FILES)
      assert(db:query "drop schema if exists lw cascade")
      assert(db:query "create schema lw")
      local session = assert(db._engine:session {})
      assert(session:script(sql))
      session:rollback()
      local _, err = migrate.up(db, "lw", opts)
      assert.same({ "conflict", "foreign" }, { err.code, err.reason })
      assert.is_truthy(err.message:find("lw.schema_migrations of " .. tool, 1, true), err.message)
      assert.equal("baseline 1, baseline 2", done(migrate.adopt(db, "lw", opts)))
      _, err = migrate.adopt(db, "lw", opts)
      assert.same({ "conflict", "not_empty" }, { err.code, err.reason })
      assert.equal("1 applied, 2 applied, " .. THREE .. " pending", states(opts))
      assert.equal("up " .. THREE, done(migrate.up(db, "lw", opts)))
      assert(migrate.force(db, "lw", 0, opts))
    end
    local opts = use(FILES)
    assert(db:query "drop table lw.schema_migrations")
    assert.equal("no_table", select(2, migrate.adopt(db, "lw", opts)).reason)
    assert(db:query "create table lw.schema_migrations (version bigint primary key, dirty boolean not null)")
    assert(db:query "insert into lw.schema_migrations values (2, true)")
    assert.same("dirty", select(2, migrate.adopt(db, "lw", opts)).code)
    opts = use { ["1_one.up.sql"] = "create table lw.one (i int);\n" }
    assert.equal("foreign", select(2, migrate.up(db, "lw", opts)).reason)
    assert(migrate.up(db, "lw", { dir = dir, fresh = true }))
  end)

  it("repairs the record of files that were edited or removed", function()
    local opts = use(FILES)
    assert(migrate.up(db, "lw", opts))
    opts = use(with { ["1_one.up.sql"] = FILES["1_one.up.sql"] .. "-- a remark\n" })
    os.remove(dir .. "/20240101000000_three.sql")
    assert.equal("drift", select(2, migrate.up(db, "lw", opts)).code)
    assert.equal("repair 1, repair " .. THREE, done(migrate.repair(db, "lw", opts)))
    assert.equal("1 applied, 2 applied", states(opts))
  end)

  it("names the place of what a migration may not do, before anything runs", function()
    local cases = {
      { "select 1;\n  commit;\n", "own_transaction", 2, 3 },
      { "select 1;\n\n vacuum;\n", "needs_mark", 3, 2 },
      { "create index concurrently i on lw.one (i);\n", "needs_mark", 1, 1 },
      { "select 1;\n\\i other.sql\n", "psql", 2, 1 },
      { "copy lw.one from stdin;\n1\n\\.\n", "psql", 1, 1 },
      { "select $$;\n", "text", 1, 8 },
    }
    for _, case in ipairs(cases) do
      local _, err = migrate.up(db, "lw", use(with { ["2_two.up.sql"] = case[1] }))
      assert.same({ case[2], "2_two.up.sql", case[3], case[4] }, { err.reason, err.file, err.line, err.place }, case[1])
      assert.is_false(there "lw.one")
    end
    local _, err = migrate.up(db, "lw", use { ["1_a.sql"] = "-- +goose Up\nselect 1;\n" })
    assert.equal("section", err.reason)
    assert.is_truthy(err.hint:find "goose")
  end)

  it("says how to mend each mistake in a directory", function()
    local ok = "create table lw.x (i int);\n"
    local cases = {
      { { ["1_a.up.SQL"] = ok }, "name it NNNNNN_name.up.sql" }, { { ["V1__a.sql"] = ok }, "name it NNNNNN_name.up.sql" },
      { { ["1_a.up.sql"] = "\239\187\191" .. ok }, "without a byte order mark" }, { { ["1_a.up.sql"] = "" }, "write it" },
      { { ["1_a.up.sql"] = "\255\254c" }, "save it as UTF-8" }, { { ["1_a.up.sql"] = "a\0b" }, "save it as UTF-8" },
      { { ["1_a.down.sql"] = ok }, "write the way up" }, { { ["1_a.up.sql"] = ok, ["01_b.up.sql"] = ok }, "a version of its own" },
      { { ["1_a.up.sql"] = ok .. "select 1 \\gset\n" }, "say the same in SQL" }, { { ["1_a.up.sql"] = ok .. "select 'x" }, "close it" },
      { { ["1_a.sql"] = "-- +goose Up\n" .. ok }, "goose's layout" },
      { { ["1_a.up.sql"] = ok .. "copy lw.x from stdin;\n1\n\\.\n" }, "use insert" },
      { { ["1_a.up.sql"] = "-- larder: no transaction\n" .. ok }, "`no-transaction`" },
    }
    for _, case in ipairs(cases) do
      local _, err = migrate.up(db, "lw", use(case[1]))
      assert.is_truthy(err and err.hint and err.hint:find(case[2], 1, true), tostring(err))
      assert.is_truthy(err.file)
    end
    local opts = use { ["1_a.up.sql"] = "create schema lw;\n" }
    assert(require("lfs").mkdir(dir .. "/2_b.up.sql"))
    local _, err = migrate.up(db, "lw", opts)
    assert(require("lfs").rmdir(dir .. "/2_b.up.sql"))
    assert.same({ "unreadable", "2_b.up.sql" }, { err.reason, err.file })
    assert.is_truthy(err.message:find("is a directory", 1, true))
  end)

  it("names a body of code that commits, with its place", function()
    local _, err = migrate.up(db, "lw", use(with { ["2_two.up.sql"] = "select 1;\n do $$ begin commit; end $$;\n" }))
    assert.same({ "own_transaction", "2_two.up.sql", 2, 2 }, { err.reason, err.file, err.line, err.place })
    assert.is_truthy(err.hint:find("no-transaction", 1, true))
  end)

  it("checks files in Lua before anything runs, and undoes nothing in front of one without a way back", function()
    local opts = use(with { ["3_data.lua"] = "return {\n up = funktion() end }" })
    local _, err = migrate.up(db, "lw", opts)
    assert.same({ "syntax", "3_data.lua", 2 }, { err.code, err.file, err.line })
    assert.is_truthy(err.message:find "^3_data.lua:2: ")
    assert.is_false(there "lw.one")
    made.write(dir .. "/3_data.lua", "return {}")
    assert.equal("lua_file", select(2, migrate.up(db, "lw", opts)).reason)
    assert.is_false(there "lw.one")
    made.write(dir .. "/3_data.lua", "return { up = function()\n error 'boom' end }")
    _, err = migrate.up(db, "lw", opts)
    assert.same({ "3_data.lua", 2, "3_data.lua:2: boom" }, { err.file, err.line, err.message })
    assert(migrate.force(db, "lw", 2, opts))
    made.write(dir .. "/3_data.lua", "return { up = function() end }")
    assert(migrate.up(db, "lw", opts))
    _, err = migrate["goto"](db, "lw", 0, opts)
    assert.same({ "no_down", "3_data.lua" }, { err.reason, err.file })
    assert.is_truthy(err.hint:find("nothing was undone", 1, true))
    assert.is_true(there "lw.three")
  end)

  it("tells another file of an applied version from an edited one", function()
    assert(migrate.up(db, "lw", use(with {})))
    local opts = use(with { ["2_other.up.sql"] = "select 1;\n" })
    os.remove(dir .. "/2_two.up.sql")
    os.remove(dir .. "/2_two.down.sql")
    local _, err = migrate.up(db, "lw", opts)
    assert.same({ "drift", "edited" }, { err.code, err.reason })
    assert.is_truthy(err.message:find("version 000002 was applied as two, and 2_other.up.sql is another file", 1, true), err.message)
    assert.is_truthy(err.hint:find("a version of its own", 1, true))
  end)

  it("keeps what one file sets from the next", function()
    local opts = use {
      ["1_one.up.sql"] = "create schema lw; set search_path = lw; set role none; create temp table left_over (i int);"
        .. " create table here (i int);\n",
      ["2_two.up.sql"] = "create table lw.seen as select current_setting('search_path') as path,"
        .. " to_regclass('pg_temp.left_over')::text as temp;\n",
    }
    assert(migrate.up(db, "lw", opts))
    local row = assert(db:query "select path, temp from lw.seen")[1]
    assert.is_falsy(row.path:find "lw")
    assert.is_nil(row.temp)
  end)

  it("refuses to go on when a file lets the lock go", function()
    local opts = use(with { ["1_one.up.sql"] = FILES["1_one.up.sql"] .. "select pg_advisory_unlock_all();\n" })
    local _, err = migrate.up(db, "lw", opts)
    assert.same({ "locked", "lock_lost" }, { err.code, err.reason })
    assert.equal("1 applied, 2 pending, " .. THREE .. " pending", states(opts))
  end)

  it("needs no rights when nothing is pending", function()
    local opts = use(FILES)
    assert(migrate.up(db, "lw", opts))
    assert(db:query "drop role if exists lw_reader")
    assert(db:query "create role lw_reader login")
    assert(db:query "grant usage on schema larder to lw_reader")
    assert(db:query "grant select on all tables in schema larder to lw_reader")
    local reader = assert(larder.open(url, { pool = { min = 0 } }))
    reader:close()
    local as_reader = assert(larder.open((url:gsub("postgres@", "lw_reader@"))))
    assert.equal("", done(migrate.up(as_reader, "lw", opts)))
    as_reader:close()
    assert(db:query "drop owned by lw_reader")
    assert(db:query "drop role lw_reader")
  end)

  it("undoes a file that waits too long for a lock, and tries it again", function()
    local opts = use(FILES)
    assert(migrate.up(db, "lw", { dir = dir, count = 1 }))
    local reader = assert(db._engine:session {})
    assert(reader:script "begin; select * from lw.one")
    made.write(dir .. "/2_two.up.sql", "create table lw.before (i int); alter table lw.one add x int;\n")
    opts.table_timeout = 0.1
    local _, err = migrate.up(db, "lw", opts)
    assert.equal("lock_timeout", err.code)
    assert.is_false(there "lw.before")
    assert(reader:script "commit")
    reader:rollback()
    assert(migrate.up(db, "lw", opts))
    assert.is_true(there "lw.before")
  end)

  for name, loop in pairs { cqueues = loops.cqueues, luv = loops.luv } do
    it("holds up no event loop: " .. name, function()
      local opts = use(with { ["2_two.up.sql"] = "select pg_sleep(0.5); create table lw.two (i int);\n" })
      local mine = assert(larder.open(url, loop.options))
      local reads, over = 0, false
      loop.run(mine, function()
        assert.equal("up 1, up 2, up " .. THREE, done(migrate.up(mine, "lw", opts)))
        over = true
      end, function()
        while not over do
          assert(mine:query "select 1")
          reads = reads + 1
        end
      end)
      mine:close()
      assert.is_true(reads > 20, reads .. " reads")
    end)
  end

  it("name a family that nobody declared", function()
    for _, name in ipairs { "up", "down", "status", "redo" } do
      local ok, why = pcall(migrate[name], db, "contnt")
      assert.is_false(ok)
      assert.matches("no family is called contnt; did you mean content", why, 1, true)
    end
  end)
end)
