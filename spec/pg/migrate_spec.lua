-- The migration runner on a real server, with directories made for each case.

local lfs = require "lfs"
local larder = require "larder"
local check = require "larder.migrate.check"
local migrate = require "larder.migrate"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local function directory(files)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  for name, text in pairs(files) do write(dir .. "/" .. name, text) end
  return dir
end

local function remove(dir)
  for file in lfs.dir(dir) do
    if file:sub(1, 1) ~= "." then os.remove(dir .. "/" .. file) end
  end
  lfs.rmdir(dir)
end

local TWO = {
  ["000001_one.up.sql"] = "create table lm.one (id int8 primary key);\n",
  ["000001_one.down.sql"] = "drop table lm.one;\n",
  ["000002_two.up.sql"] = "create table lm.two (t text default ';');\ninsert into lm.two values ($$a;b$$);\n",
  ["000002_two.down.sql"] = "drop table lm.two;\n",
}

local function with(changes)
  local files = {}
  for name, text in pairs(TWO) do files[name] = text end
  for name, text in pairs(changes) do files[name] = text or nil end
  return files
end

describe("migrations", function()
  local db, dir

  local function use(files)
    if dir then remove(dir) end
    dir = directory(files)
    return { dir = dir, lock_timeout = 5 }
  end

  local function there(name)
    return assert(db:query("select to_regclass($1) is not null as ok", name))[1].ok
  end

  local function states(opts)
    local list = {}
    for i, row in ipairs(assert(migrate.status(db, "lm", opts))) do list[i] = row.version .. " " .. row.state end
    return table.concat(list, ", ")
  end

  before_each(function()
    db = assert(larder.open(url))
    assert(db:query "drop schema if exists lm cascade")
    assert(db:query "create schema lm")
    assert(db:query "create schema if not exists larder")
    if there "larder.schema_migrations" then
      assert(db:query "delete from larder.schema_migrations where family = 'lm'")
      assert(db:query "delete from larder.migration_history where family = 'lm'")
    end
  end)

  after_each(function()
    assert(db:query "drop schema if exists lm cascade")
    db:close()
    if dir then remove(dir) end
    dir = nil
  end)

  it("LK-M1 up applies in order, once, with history; down undoes one by one", function()
    local opts = use(TWO)
    assert.equal("1 pending, 2 pending", states(opts))
    local done = assert(migrate.up(db, "lm", opts))
    assert.same({ 1, 2 }, { done[1].version, done[2].version })
    assert.is_true(there "lm.two")
    assert.equal(0, #assert(migrate.up(db, "lm", opts)))
    assert.equal("1 applied, 2 applied", states(opts))
    assert.equal(2, assert(migrate.down(db, "lm", opts))[1].version)
    assert.is_false(there "lm.two")
    assert.equal("1 applied, 2 pending", states(opts))
    assert(migrate.down(db, "lm", { dir = dir, to = 0 }))
    assert.is_false(there "lm.one")
    local rows = assert(db:query "select action, version from larder.migration_history where family = 'lm' order by id")
    local history = {}
    for i, row in ipairs(rows) do history[i] = row.action .. row.version end
    assert.equal("up1 up2 down2 down1", table.concat(history, " "))
  end)

  it("a failing file leaves nothing behind, not even its own row", function()
    local opts = use(with { ["000002_two.up.sql"] = "create table lm.two (id int8);\nselect 1/0;\n" })
    local ok, err = migrate.up(db, "lm", opts)
    assert.is_nil(ok)
    assert.equal("22012", err.sqlstate)
    assert.equal("000002_two.up.sql", err.file)
    assert.is_false(there "lm.two")
    assert.equal("1 applied, 2 pending", states(opts))
    assert(migrate.up(db, "lm", use(TWO)))
    assert.equal("1 applied, 2 applied", states { dir = dir })
  end)

  it("a file that ends its own transaction is refused", function()
    local ok, err = migrate.up(db, "lm", use { ["000001_one.up.sql"] = "commit; begin; create table lm.one (id int8);" })
    assert.is_nil(ok)
    assert.equal("own_transaction", err.reason)
    assert.is_false(there "lm.one")
  end)

  it("every kind of wrong directory has its own error before anything runs", function()
    local cases = {
      duplicate = with { ["000002_other.up.sql"] = "select 1;" },
      empty = with { ["000003_three.up.sql"] = " \n" },
      bom = with { ["000003_three.up.sql"] = "\239\187\191select 1;" },
      encoding = with { ["000003_three.up.sql"] = "-- \228\nselect 1;" },
      name = with { ["three.up.sql"] = "select 1;" },
      orphan = with { ["000003_three.down.sql"] = "select 1;" },
      mark = with { ["000003_three.up.sql"] = "-- larder: perhaps\nselect 1;" },
    }
    for reason, files in pairs(cases) do
      local ok, err = migrate.up(db, "lm", use(files))
      assert.is_nil(ok)
      assert.equal("invalid", err.code)
      assert.equal(reason, err.reason)
      assert.is_false(there "lm.one")
    end
    local _, err = migrate.up(db, "lm", { dir = dir .. "/nowhere" })
    assert.equal("no_directory", err.reason)
  end)

  it("edited, missing and out-of-order files are told apart", function()
    assert(migrate.up(db, "lm", use(TWO)))
    local _, err = migrate.up(db, "lm", use(with { ["000001_one.up.sql"] = "create table lm.one (id int4);\n" }))
    assert.same({ "drift", "edited" }, { err.code, err.reason })
    _, err = migrate.up(db, "lm", use { ["000002_two.up.sql"] = TWO["000002_two.up.sql"] })
    assert.same({ "drift", "missing" }, { err.code, err.reason })
    assert(db:query "delete from larder.schema_migrations where family = 'lm' and version = 1")
    _, err = migrate.up(db, "lm", use(TWO))
    assert.same({ "invalid", "out_of_order" }, { err.code, err.reason })
  end)

  it("line ends do not count as an edit", function()
    assert(migrate.up(db, "lm", use(TWO)))
    local crlf = {}
    for name, text in pairs(TWO) do crlf[name] = text:gsub("\n", "\r\n") end
    assert.equal(0, #assert(migrate.up(db, "lm", use(crlf))))
  end)

  it("a held lock is reported with its holder", function()
    local session = assert(db._engine:session {})
    assert(session:query("select pg_advisory_lock(7810201938420631)", { n = 0 }))
    local pid = session:backend_pid()
    local opts = use(TWO)
    opts.lock_timeout = 0.3
    local ok, err = migrate.up(db, "lm", opts)
    assert.is_nil(ok)
    assert.equal("locked", err.code)
    assert.is_truthy(err.message:find(tostring(pid), 1, true), err.message)
    assert(session:query("select pg_advisory_unlock(7810201938420631)", { n = 0 }))
    session:rollback()
    assert(migrate.up(db, "lm", opts))
  end)

  it("the auth family's declarations match its migrations, up and down and up again", function()
    assert(db:migrate "auth")
    assert.same({}, assert(check(db, "auth")))
    assert(migrate.down(db, "auth", { to = 0 }))
    assert.is_false(there "auth.tenants")
    assert(db:migrate "auth")
    assert.same({}, assert(check(db, "auth")))
  end)

  it("drift is named", function()
    assert(db:migrate "auth")
    assert(db:query "alter table auth.users alter column full_name type varchar(7)")
    assert(db:query "alter table auth.apps drop constraint unique_app_name_per_tenant")
    local faults, text = assert(check(db, "auth")), ""
    for _, fault in ipairs(faults) do text = text .. fault.store .. ": " .. fault.message .. "\n" end
    assert.equal(2, #faults, text)
    assert.is_truthy(text:find("full_name", 1, true))
    assert.is_truthy(text:find("unique_app_name_per_tenant", 1, true))
    assert(migrate.down(db, "auth", { to = 0 }))
    assert(db:migrate "auth")
  end)
end)
