-- A real standby: another server that follows the test's.

local larder = require "larder"
local check = require "larder.migrate.check"
local lfs = require "lfs"
local made = require "spec.support.migrations"
local migrate = require "larder.migrate"
local need = require "spec.support.need"
local tool = require "spec.support.tool"

local missing = need.own_server()
if missing then return describe("a standby", function() pending(missing) end) end

local place = os.tmpname()
os.remove(place)
local pipe = assert(io.popen("tools/standby.sh start " .. place .. " 2>/dev/null"))
local query = pipe:read "*l"
pipe:close()
if not query then
  os.execute("tools/standby.sh stop " .. place)
  return describe("a standby", function() pending "no pg_basebackup of this server's version" end)
end

local url = os.getenv "LARDER_TEST_URL"
local standby = "postgresql://postgres@/larder?" .. query
local first_host, first_port = url:match "host=([^&]*)", url:match "port=([^&]*)"
local second_host, second_port = query:match "host=([^&]*)", query:match "port=([^&]*)"

-- Both servers, the standby first.
local function both(attrs)
  return ("postgresql://postgres@/larder?host=%s,%s&port=%s,%s&target_session_attrs=%s"):format(second_host, first_host, second_port,
    first_port, attrs)
end

describe("a standby", function()
  local db, reader, dir

  -- until the standby has what the primary has
  local function caught_up()
    local at = assert(db:query "select pg_current_wal_insert_lsn()::text as at")[1].at
    tool.wait_for("the standby", function()
      return assert(reader:query("select pg_last_wal_replay_lsn() >= $1::text::pg_lsn as ok", at))[1].ok
    end)
  end

  setup(function()
    db = assert(larder.open(url))
    assert(db:migrate "auth")
    assert(db:query "drop schema if exists lstand cascade")
    assert(db:query "create schema lstand")
    reader = assert(larder.open(standby))
    dir = made.directory { ["1_a.up.sql"] = "create table lstand.a (i int);\n", ["1_a.down.sql"] = "drop table lstand.a;\n" }
  end)

  teardown(function()
    reader:close()
    assert(migrate.force(db, "lstand", 0, { dir = dir }))
    assert(db:query "drop schema lstand cascade")
    db:close()
    made.remove(dir)
    os.execute("tools/standby.sh stop " .. place)
    assert.is_nil(lfs.attributes(place))
  end)

  it("refuses migrations before anything is done, and says what to do", function()
    caught_up()
    local done, err = migrate.up(reader, "lstand", { dir = dir })
    assert.is_nil(done)
    assert.same({ "permission", "read_only", "25006" }, { err.code, err.reason, err.sqlstate })
    assert.is_truthy(err.message:find("this server is a standby", 1, true), err.message)
    assert.is_truthy(err.hint:find("target_session_attrs=read-write", 1, true), err.hint)
    local code, text = tool.start(("--url '%s' migrate up lstand --dir %s"):format(standby, dir)):finish()
    assert.equal(1, code, text)
    assert.is_truthy(text:find("migrations need the primary", 1, true), text)
  end)

  it("shows what is pending, and has nothing to do when nothing is", function()
    caught_up()
    assert.equal("pending", assert(migrate.status(reader, "lstand", { dir = dir }))[1].state)
    assert.equal("up", assert(migrate.up(reader, "lstand", { dir = dir, dry_run = true }))[1].action)
    assert(migrate.up(db, "lstand", { dir = dir }))
    caught_up()
    assert.same({}, assert(migrate.up(reader, "lstand", { dir = dir })))
    assert.equal("applied", assert(migrate.status(reader, "lstand", { dir = dir }))[1].state)
    assert.same({}, assert(check(reader, "auth")))
  end)

  it("reads, and refuses what writes", function()
    assert(db:query "delete from auth.tenants where id = 'stand'")
    assert(db:stores("auth").tenants:create { id = "stand", name = "Stand", db_dsn = "x", db_schema = "x" })
    caught_up()
    local tenants = reader:stores("auth").tenants
    assert.equal("Stand", assert(tenants:get "stand").name)
    local row, err = tenants:create { id = "other", name = "Other", db_dsn = "x", db_schema = "x" }
    assert.is_nil(row)
    assert.same({ "permission", "25006" }, { err.code, err.sqlstate })
    assert.equal("Stand", assert(tenants:get "stand").name)
    assert(db:query "delete from auth.tenants where id = 'stand'")
  end)

  it("is passed over by target_session_attrs=read-write, also for migrations", function()
    local writer = assert(larder.open(both "read-write"))
    assert.is_false(assert(writer:query "select pg_is_in_recovery() as it")[1].it)
    assert(migrate.down(writer, "lstand", { dir = dir }))
    assert(migrate.up(writer, "lstand", { dir = dir }))
    writer:close()
    for attrs, wanted in pairs { standby = true, ["read-only"] = true, primary = false } do
      local other = assert(larder.open(both(attrs)))
      assert.equal(wanted, assert(other:query "select pg_is_in_recovery() as it")[1].it, attrs)
      other:close()
    end
  end)

  it("takes writes once it is promoted, and migrations with them", function()
    caught_up()
    assert(os.execute("tools/standby.sh promote " .. place))
    tool.wait_for("a primary", function() return not assert(reader:query "select pg_is_in_recovery() as it")[1].it end)
    assert(migrate.down(reader, "lstand", { dir = dir }))
    assert(migrate.up(reader, "lstand", { dir = dir }))
    assert(reader:query "insert into lstand.a values (1)")
    assert.equal(0, assert(db:query "select count(*) as n from lstand.a")[1].n)
  end)
end)
