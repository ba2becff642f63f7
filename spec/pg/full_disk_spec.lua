-- A disk that is really full: a tablespace on a small file system, which only root can mount.

local larder = require "larder"
local made = require "spec.support.migrations"
local migrate = require "larder.migrate"
local need = require "spec.support.need"

local missing = need.own_server()
if missing then return describe("a full disk", function() pending(missing) end) end

local disk = os.tmpname()
os.remove(disk)
local ok, _, code = os.execute("tools/small_disk.sh mount " .. disk .. " 2>/dev/null")
if (type(ok) == "number" and ok or ok and 0 or code) ~= 0 then
  return describe("a full disk", function() pending "mounts are forbidden here" end)
end

local url = os.getenv "LARDER_TEST_URL"
local FILL = "insert into lfull.big select repeat(md5(i::text), 30) from generate_series(1, 20000) i;\n"

describe("a full disk", function()
  local db, dir

  local function use(text)
    if dir then made.remove(dir) end
    dir = made.directory {
      ["1_before.up.sql"] = "create table lfull.before (i int);\n",
      ["2_fill.up.sql"] = text .. "create table lfull.big (t text) tablespace lfull;\n" .. FILL .. "create table lfull.last (i int);\n",
    }
    return { dir = dir }
  end

  local function states()
    local list = {}
    for i, row in ipairs(assert(migrate.status(db, "lfull", { dir = dir }))) do list[i] = row.version .. " " .. row.state end
    return table.concat(list, ", ")
  end

  setup(function()
    db = assert(larder.open(url))
    assert(db:query "create schema lfull")
    local session = assert(db._engine:session {})
    assert(session:script("create tablespace lfull location '" .. disk .. "'"))
    session:rollback()
  end)

  before_each(function() assert(db:query "drop table if exists lfull.before, lfull.big, lfull.last") end)

  teardown(function()
    assert(db:query "drop schema lfull cascade")
    local session = assert(db._engine:session {})
    assert(session:script "checkpoint")
    assert(session:script "drop tablespace lfull")
    session:rollback()
    db:close()
    if dir then made.remove(dir) end
    os.execute("tools/small_disk.sh unmount " .. disk)
  end)

  it("FT-36 undoes the file that filled it, and names the statement", function()
    use ""
    local done, err = migrate.up(db, "lfull", { dir = dir })
    assert.is_nil(done)
    assert.same({ "capacity", "53100", "2_fill.up.sql", 2 }, { err.code, err.sqlstate, err.file, err.line })
    assert.is_truthy(err.message:find("No space left on device", 1, true), err.message)
    assert.equal(1, #err.done)
    assert.equal("1 applied, 2 pending", states())
    assert.is_false(assert(db:query "select to_regclass('lfull.big') is not null as v")[1].v)
    assert(migrate.force(db, "lfull", 0, { dir = dir }))
  end)

  it("FT-36 without a transaction the journal says where it stopped, and resume goes on once there is room", function()
    use "-- larder: no-transaction\n"
    local done, err = migrate.up(db, "lfull", { dir = dir })
    assert.is_nil(done)
    assert.same({ "53100", 3 }, { err.sqlstate, err.line })
    assert.equal("1 applied, 2 unfinished", states())
    done, err = migrate.resume(db, "lfull", { dir = dir })
    assert.is_nil(done)
    assert.equal("53100", err.sqlstate)
    assert.is_true(os.execute("tools/small_disk.sh grow " .. disk) and true)
    assert(migrate.resume(db, "lfull", { dir = dir }))
    assert.equal("1 applied, 2 applied", states())
    assert.equal(20000, assert(db:query "select count(*) as n from lfull.big")[1].n)
    assert(migrate.force(db, "lfull", 0, { dir = dir }))
  end)
end)
