-- What may happen to a process that migrates, and to those beside it.

local larder = require "larder"
local fingerprint = require "larder.migrate.fingerprint"
local made = require "spec.support.migrations"
local migrate = require "larder.migrate"
local tool = require "spec.support.tool"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local LOCK = "7810201938420631"

describe("migrations under faults", function()
  local db, dir

  local function use(files)
    if dir then made.remove(dir) end
    dir = made.directory(files)
    return { dir = dir, lock_timeout = 30 }
  end

  local function ask(sql, ...)
    local rows = assert(db:query(sql, ...))
    return rows[1] and rows[1].v
  end

  local function there(name) return ask("select to_regclass($1) is not null as v", name) end

  local function states(opts)
    local list = {}
    for i, row in ipairs(assert(migrate.status(db, "lf", opts))) do list[i] = row.version .. " " .. row.state end
    return table.concat(list, ", ")
  end

  local function up_command(more, target)
    return ("--url '%s' migrate %s lf --dir %s"):format(target or url, more or "up", dir)
  end

  before_each(function()
    db = assert(larder.open(url))
    assert(db:query "drop schema if exists lf cascade")
    assert(db:query "create schema lf")
    assert(db:query "create table lf.noted (i int8)")
    assert(db:migrate "auth") -- makes the tables of the record
    for _, name in ipairs { "schema_migrations", "migration_history", "migration_journal" } do
      assert(db:query("delete from larder." .. name .. " where family = 'lf'"))
    end
  end)

  after_each(function()
    assert(db:query "drop schema if exists lf cascade")
    db:close()
    if dir then made.remove(dir) end
    dir = nil
  end)

  -- The k-th statement waits for a lock that the test holds; there the process is killed.
  local function killed_at(k, start)
    local gate = assert(db._engine:session {})
    assert(gate:query("select pg_advisory_lock($1)", { 770000 + k, n = 1 }))
    local process = tool.start(start)
    tool.wait_for("statement " .. k, function()
      return ask("select count(*) > 0 as v from pg_locks where locktype = 'advisory' and not granted and objid = $1", 770000 + k)
    end)
    process:kill()
    assert(gate:query("select pg_advisory_unlock($1)", { 770000 + k, n = 1 }))
    gate:rollback()
    tool.wait_for("the backend's end", function()
      return ask("select count(*) = 0 as v from pg_stat_activity where application_name like 'larder%' and pid in"
        .. " (select pid from pg_locks where locktype = 'advisory' and (classid::int8 << 32 | objid::int8) = " .. LOCK .. ")")
    end)
  end

  local function statement(k)
    return ("insert into lf.noted select %d from (select pg_advisory_lock_shared(%d)) x, pg_advisory_unlock_shared(%d);\n")
      :format(k, 770000 + k, 770000 + k)
  end

  local function noted()
    return ask "select coalesce(string_agg(i::text, ' ' order by i), '') as v from lf.noted"
  end

  it("FT-27 kill -9 at every statement of a file in a transaction", function()
    for k = 1, 3 do
      local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\n" .. statement(1) .. statement(2) .. statement(3) }
      killed_at(k, up_command())
      assert.equal("1 pending", states(opts))
      assert.is_false(there "lf.a")
      assert.equal("", noted())
      assert(migrate.up(db, "lf", opts))
      assert.equal("1 2 3", noted())
      assert(db:query "drop table lf.a")
      assert(db:query "truncate lf.noted")
      assert(migrate.force(db, "lf", 0, opts))
    end
  end)

  it("FT-27 kill -9 at every statement of a file without a transaction", function()
    for k = 1, 3 do
      local text = "-- larder: no-transaction\n" .. statement(1) .. statement(2) .. statement(3)
      local opts = use { ["1_a.up.sql"] = text }
      killed_at(k, up_command())
      assert.equal("1 unfinished", states(opts))
      local before = noted()
      assert.equal(({ "", "1", "1 2" })[k], (before:gsub(" ?" .. k .. "$", "")))
      local _, err = migrate.up(db, "lf", opts)
      assert.same({ "dirty", "unfinished" }, { err.code, err.reason })
      assert.is_truthy(err.message:find(("statement %d: insert into lf.noted select %d"):format(k, k), 1, true), err.message)
      if k > 1 then
        made.write(dir .. "/1_a.up.sql", (text:gsub("select 1", "select 1 + 0", 1)))
        _, err = migrate.resume(db, "lf", opts)
        assert.same({ "dirty", "edited" }, { err.code, err.reason })
        made.write(dir .. "/1_a.up.sql", text)
      end
      -- whether the statement under way was done is the person's to see
      opts.skip_statement = before:find(k .. "$") ~= nil
      assert(migrate.resume(db, "lf", opts))
      opts.skip_statement = nil
      assert.equal("1 2 3", noted())
      assert.equal("1 applied", states(opts))
      assert(db:query "truncate lf.noted")
      assert(migrate.force(db, "lf", 0, opts))
    end
  end)

  it("FT-27 kill -9 at every batch of a migration in Lua", function()
    local text = [[
      return { up = function(db, step)
        for i = (step.state.last or 0) + 1, 3 do
          assert(db:transaction(function(tx)
            assert(tx:query("insert into lf.noted select $1 from (select pg_advisory_xact_lock_shared($2)) x", i, 770000 + i))
            assert(step:save({ last = i }, tx))
            return true
          end))
        end
      end }]]
    for k = 1, 3 do
      local opts = use { ["1_a.lua"] = text }
      killed_at(k, up_command())
      assert.equal("1 unfinished", states(opts))
      assert.is_truthy(("1 2 3"):sub(1, #noted()) == noted(), noted())
      assert(migrate.resume(db, "lf", opts))
      assert.equal("1 2 3", noted())
      assert.equal("1 applied", states(opts))
      assert(db:query "truncate lf.noted")
      assert(migrate.force(db, "lf", 0, opts))
    end
  end)

  local function thirty(target)
    use {
      ["1_a.up.sql"] = "create table lf.a (i int);\ninsert into lf.noted values (1);\n",
      ["2_b.up.sql"] = "alter table lf.a add j int;\ninsert into lf.noted values (2);\n",
      ["3_c.up.sql"] = "-- larder: no-transaction\ncreate index concurrently a_i on lf.a (i);\ninsert into lf.noted values (3);\n",
    }
    local processes = {}
    for i = 1, 30 do processes[i] = tool.start(target .. (" migrate up lf --lock-timeout 120 --dir %s"):format(dir)) end
    for _, process in ipairs(processes) do
      local code, text = process:finish()
      assert.equal(0, code, text)
    end
    assert.equal("1 2 3", noted())
    assert.equal(3, ask "select count(*) as v from larder.migration_history where family = 'lf'")
  end

  it("FT-28 thirty processes at once apply each file once", function()
    thirty(("--url '%s'"):format(url))
  end)

  describe("through PgBouncer", function()
    local place, pooled

    before_each(function()
      place = os.tmpname()
      os.remove(place)
      local pipe = assert(io.popen("tools/pgbouncer.sh start " .. place .. " transaction"))
      pooled = pipe:read "*l"
      pipe:close()
      assert.is_truthy(pooled, "PgBouncer did not start")
    end)

    after_each(function() os.execute("tools/pgbouncer.sh stop " .. place) end)

    it("FT-31 migrations are refused behind a transaction pooler, with what to do", function()
      use { ["1_a.up.sql"] = "create table lf.a (i int);\n" }
      local code, text = tool.start(up_command("up", pooled)):finish()
      assert.equal(1, code, text)
      assert.is_truthy(text:find("migrations need a direct connection", 1, true), text)
      assert.is_truthy(text:find("--migrations-url", 1, true), text)
      assert.is_false(there "lf.a")
    end)

    it("FT-31 thirty processes with a direct URL for their migrations", function()
      thirty(("--url '%s' --migrations-url '%s'"):format(pooled, url))
    end)
  end)

  it("FT-29 the lock ends with the session that held it; a file that lets it go is an error", function()
    local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\n", ["2_b.up.sql"] = "create table lf.b (i int);\n" }
    local holder = assert(db._engine:session {})
    assert(holder:query("select pg_advisory_lock(" .. LOCK .. ")", { n = 0 }))
    local process = tool.start(up_command "up")
    tool.wait_for("a process that tries", function()
      return ask("select count(*) > 0 as v from pg_stat_activity where query like '%pg_try_advisory_lock%' and pid <> pg_backend_pid()")
    end)
    assert(db:query("select pg_terminate_backend($1)", holder:backend_pid()))
    local code, text = process:finish()
    assert.equal(0, code, text)
    assert.equal("1 applied, 2 applied", states(opts))
    holder:rollback()
    made.write(dir .. "/3_c.up.sql", "select pg_advisory_unlock(" .. LOCK .. ");\n")
    made.write(dir .. "/4_d.up.sql", "create table lf.d (i int);\n")
    local _, err = migrate.up(db, "lf", opts)
    assert.same({ "locked", "lock_lost" }, { err.code, err.reason })
    assert.is_false(there "lf.d")
  end)

  it("FT-29 the migrating session is ended by somebody in the middle of a file", function()
    local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\nselect pg_terminate_backend(pg_backend_pid());\n" }
    local _, err = migrate.up(db, "lf", opts)
    assert.equal("connection", err.code)
    assert.equal("1 pending", states(opts))
    made.write(dir .. "/1_a.up.sql", "create table lf.a (i int);\n")
    assert(migrate.up(db, "lf", opts))
  end)

  it("FT-30 two at once with an index made concurrently: no deadlock, and an invalid index is named", function()
    local opts = use { ["1_a.up.sql"] = "-- larder: no-transaction\ncreate unique index concurrently noted_i on lf.noted (i);\n" }
    local one, two = tool.start(up_command()), tool.start(up_command())
    local code, text = one:finish()
    assert.equal(0, code, text)
    code, text = two:finish()
    assert.equal(0, code, text)
    assert.equal("1 applied", states(opts))
    -- what a failed one leaves behind
    assert(db:query "drop index lf.noted_i")
    assert(db:query "insert into lf.noted values (1), (1)")
    assert(migrate.force(db, "lf", 0, opts))
    local _, err = migrate.up(db, "lf", opts)
    assert.equal("23505", err.sqlstate)
    assert.is_truthy(err.hint:find("drop index concurrently lf.noted_i", 1, true), err.hint)
    _, err = migrate.resume(db, "lf", opts)
    assert.is_truthy(err.hint and err.hint:find("drop index concurrently lf.noted_i", 1, true), tostring(err.hint))
    assert(db:query "truncate lf.noted")
    assert(db:query "drop index lf.noted_i")
    assert(migrate.resume(db, "lf", opts))
  end)

  it("FT-32 each way in which files disagree has its own error before anything runs", function()
    local ok = "create table lf.a (i int);\n"
    local cases = {
      { "duplicate", { ["1_a.up.sql"] = ok, ["01_b.up.sql"] = ok } },
      { "orphan", { ["1_a.up.sql"] = ok, ["2_b.down.sql"] = ok } },
      { "bom", { ["1_a.up.sql"] = ok, ["2_b.up.sql"] = "\239\187\191select 1;\n" } },
      { "encoding", { ["1_a.up.sql"] = ok, ["2_b.up.sql"] = "select 'caf\233';\n" } },
      { "empty", { ["1_a.up.sql"] = ok, ["2_b.up.sql"] = " \r\n\t" } },
      { "name", { ["1_a.up.sql"] = ok, ["second.up.sql"] = ok } },
    }
    for _, case in ipairs(cases) do
      local done, err = migrate.up(db, "lf", use(case[2]))
      assert.same({ false, case[1] }, { done ~= nil, err and err.reason })
      assert.is_false(there "lf.a")
    end
    assert(migrate.up(db, "lf", use { ["1_a.up.sql"] = ok, ["3_c.up.sql"] = "select 1;\n" }))
    assert.equal(0, #assert(migrate.up(db, "lf", use { ["1_a.up.sql"] = ok:gsub("\n", "\r\n"), ["3_c.up.sql"] = "select 1;\r\n" })))
    cases = {
      { "edited", { ["1_a.up.sql"] = ok .. "select 1;\n", ["3_c.up.sql"] = "select 1;\n" } },
      { "missing", { ["1_a.up.sql"] = ok } },
      { "out_of_order", { ["1_a.up.sql"] = ok, ["2_b.up.sql"] = ok, ["3_c.up.sql"] = "select 1;\n" } },
    }
    for _, case in ipairs(cases) do
      local _, err = migrate.up(db, "lf", use(case[2]))
      assert.equal(case[1], err and err.reason)
    end
  end)

  it("FT-33 texts are split where the server would", function()
    local text = table.concat({
      "create function lf.one() returns text language sql as $f$ select 'a;b' $f$;",
      "create function lf.two() returns int language sql begin atomic select 1; select 2; end;",
      "/* ; /* nested ; */ ; */ insert into lf.texts values (E'it\\'s;', ';', $$;$$);",
      "insert into lf.texts values (U&'\\003B', 'a''b;', $x$ $$;$$ $x$); -- ; the end",
      "insert into lf.texts values ('a\r\nb', $$c\r\nd;$$, E'e\r\n\\'f;')",
      ";;",
      "create rule r as on insert to lf.texts do also (insert into lf.noted values (1); insert into lf.noted values (2));",
      "insert into lf.texts select lf.one(), lf.two()::text, ''",
    }, "\r\n")
    assert(migrate.up(db, "lf", use { ["1_a.up.sql"] = "create table lf.texts (a text, b text, c text);\n" .. text }))
    local rows = assert(db:query "select a, b, c from lf.texts")
    assert.same({
      { a = "it's;", b = ";", c = ";" }, { a = ";", b = "a'b;", c = " $$;$$ " }, { a = "a\r\nb", b = "c\r\nd;", c = "e\r\n'f;" },
      { a = "a;b", b = "2", c = "" },
    }, rows)
    assert.equal("1 2", noted())
  end)

  for _, family in ipairs { "auth", "controlplane", "csms", "content" } do
    it("FT-34 up, down and up again leave the same catalogue: " .. family, function()
      local report = assert(fingerprint.verify(db, family))
      assert.same({}, report.differences)
      assert.is_true(#report.losses > 0) -- each of them drops its tables at the end
    end)
  end

  it("FT-34 names what a way down loses, before it asks and in verify", function()
    local down = "-- why\nalter table lf.a drop constraint a_i,\n  drop column j;\ndrop index lf.a_i;\n"
    use {
      ["1_a.sql"] = "-- migrate:up\ncreate table lf.a (i int);\n-- migrate:down\ndrop table lf.a;\n",
      ["2_b.up.sql"] = "alter table lf.a add j int, add constraint a_i check (i > 0);\ncreate index a_i on lf.a (i);\n",
      ["2_b.down.sql"] = down,
    }
    local places = {
      "2_b.down.sql:2: loses data: alter table lf.a drop constraint a_i, drop column j", "1_a.sql:4: loses data: drop table lf.a",
    }
    assert(migrate.up(db, "lf", { dir = dir }))
    local code, text = tool.start(up_command "down --to 0"):finish()
    assert.equal(2, code, text)
    for _, place in ipairs(places) do assert.is_truthy(text:find(place, 1, true), text) end
    assert.is_nil(text:find("drop index", 1, true))
    assert.equal("1 applied, 2 applied", states { dir = dir })
    code, text = tool.start("--yes " .. up_command "verify"):finish()
    assert.equal(0, code, text)
    for _, place in ipairs(places) do assert.is_truthy(text:find(place, 1, true), text) end
  end)

  it("FT-36 a full disk undoes the file, and says that it is one", function()
    local full = "do $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;\n"
    local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\n" .. full }
    local code, text = tool.start(up_command()):finish()
    assert.equal(1, code, text)
    assert.is_truthy(text:find("1_a.up.sql:2:1: ", 1, true), text)
    assert.is_truthy(text:find("No space left on device", 1, true), text)
    assert.is_false(there "lf.a")
    made.write(dir .. "/1_a.up.sql", "-- larder: no-transaction\ncreate table lf.a (i int);\n" .. full)
    local _, err = migrate.up(db, "lf", opts)
    assert.same({ "53100", 3 }, { err.sqlstate, err.line })
    assert.equal("1 unfinished", states(opts))
  end)

  it("a reader that stays long in front of a table is not blocked, and the file is tried again", function()
    local opts = use { ["1_a.up.sql"] = "alter table lf.noted add j int;\n" }
    local reader = assert(db._engine:session {})
    assert(reader:script "begin; select * from lf.noted")
    local process = tool.start(up_command "up --table-timeout 0.2 --retries 50")
    tool.wait_for("a statement that waits for the table", function()
      return ask "select count(*) > 0 as v from pg_locks where not granted and relation = 'lf.noted'::regclass"
    end)
    assert.equal("", noted()) -- others read between two tries
    assert(reader:script "commit")
    reader:rollback()
    local code, text = process:finish()
    assert.equal(0, code, text)
    assert.equal("1 applied", states(opts))
  end)

  it("a role that may not create says so, and nothing is recorded", function()
    local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\n" }
    assert(db:query "drop role if exists lf_plain")
    assert(db:query "create role lf_plain login")
    assert(db:query "grant usage on schema larder, lf to lf_plain")
    assert(db:query "grant select, insert, update, delete on all tables in schema larder to lf_plain")
    local plain = (url:gsub("postgres@", "lf_plain@"))
    local code, text = tool.start(up_command("up", plain)):finish()
    assert.equal(1, code, text)
    assert.is_truthy(text:find("permission denied for schema lf", 1, true), text)
    assert.equal("1 pending", states(opts))
    assert(db:query "drop owned by lf_plain")
    assert(db:query "drop role lf_plain")
  end)

  it("a server that only reads refuses, and nothing pending is no work for it", function()
    local opts = use { ["1_a.up.sql"] = "create table lf.a (i int);\n" }
    local standby = url .. "&options=-c%20default_transaction_read_only%3Don"
    local code, text = tool.start(up_command("up", standby)):finish()
    assert.equal(1, code, text)
    assert.is_truthy(text:find("read%-only") or text:find("read_only", 1, true), text)
    assert.equal("1 pending", states(opts))
    assert(migrate.up(db, "lf", opts))
    code, text = tool.start(up_command("up", standby)):finish()
    assert.equal(0, code, text)
    assert.is_truthy(text:find("nothing to do", 1, true), text)
  end)
end)
