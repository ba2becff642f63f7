-- Transactions on a real server: retries, isolation, resolved commits.

local larder = require "larder"

-- busted's assert turns an error object into text; in a program plain assert keeps it.
local function must(value, err)
  if value == nil then error(err, 0) end
  return value
end

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("transactions on PostgreSQL", function()
  local db, other

  before_each(function()
    db, other = assert(larder.open(url)), assert(larder.open(url))
    assert(other:query "drop table if exists public.larder_tx")
    assert(other:query "create table public.larder_tx (id int8 primary key, n int8 not null)")
    assert(other:query "insert into public.larder_tx values (1, 0), (2, 0)")
  end)

  after_each(function()
    db:close()
    assert(other:query "drop table if exists public.larder_tx")
    other:close()
  end)

  it("sends nothing for an empty transaction", function()
    local before = db:stats().queries
    assert.is_true(db:transaction(function() return true end))
    assert.equal(before, db:stats().queries)
  end)

  it("retries a serialization failure and stops at the cap", function()
    local tries = 0
    local n = assert(db:transaction({ isolation = "serializable", retries = 5 }, function()
      tries = tries + 1
      local rows = must(db:query "select n from public.larder_tx where id = 1")
      if tries < 3 then assert(other:query "update public.larder_tx set n = n + 1 where id = 1") end
      must(db:query("update public.larder_tx set n = $1 where id = 1", rows[1].n + 1))
      return rows[1].n + 1
    end))
    assert.equal(3, tries)
    assert.equal(3, n)
    tries = 0
    local ok, err = db:transaction({ isolation = "serializable", retries = 2 }, function()
      tries = tries + 1
      assert(db:query "select n from public.larder_tx where id = 1")
      assert(other:query "update public.larder_tx set n = n + 1 where id = 1")
      return must(db:query "update public.larder_tx set n = 0 where id = 1")
    end)
    assert.is_nil(ok)
    assert.equal("serialization", err.code)
    assert.is_true(err.retryable)
    assert.equal(3, tries)
  end)

  it("does not retry a conflict", function()
    local tries = 0
    local ok, err = db:transaction({ retries = 5 }, function()
      tries = tries + 1
      return must(db:query "insert into public.larder_tx values (1, 1)")
    end)
    assert.is_nil(ok)
    assert.equal("conflict", err.code)
    assert.equal("larder_tx_pkey", err.constraint)
    assert.equal(1, tries)
  end)

  it("refuses writes in a read-only transaction", function()
    local _, err = db:transaction({ read_only = true }, function()
      return db:query "update public.larder_tx set n = 1"
    end)
    assert.equal("25006", err.sqlstate)
  end)

  it("resolves a commit whose answer was lost: committed", function()
    local killed
    db._engine:set_hook(function(point, pid)
      if point == "after_commit_sent" and not killed then
        killed = pid
        repeat
          local rows = assert(other:query("select n from public.larder_tx where id = 1"))
        until rows[1].n == 42
        assert(other:query("select pg_terminate_backend($1)", pid))
      end
    end)
    local ok, err = db:transaction(function()
      assert(db:query "update public.larder_tx set n = 42 where id = 1")
      return true
    end)
    db._engine:set_hook(nil)
    assert.is_number(killed)
    assert.is_true(ok, tostring(err))
  end)

  it("resolves a commit that never reached the server: aborted, retryable", function()
    local killed
    db._engine:set_hook(function(point, pid)
      if point == "before_commit" and not killed then
        killed = pid
        assert(other:query("select pg_terminate_backend($1)", pid))
        repeat
          local rows = assert(other:query("select count(*) as c from pg_stat_activity where pid = $1", pid))
        until rows[1].c == 0
      end
    end)
    local ok, err = db:transaction({ retries = 0 }, function()
      assert(db:query "update public.larder_tx set n = 43 where id = 1")
      return true
    end)
    db._engine:set_hook(nil)
    assert.is_number(killed)
    assert.is_nil(ok)
    assert.equal("connection", err.code)
    assert.equal(0, assert(other:query "select n from public.larder_tx where id = 1")[1].n)
  end)
end)
