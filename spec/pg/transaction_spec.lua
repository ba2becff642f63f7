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

  it("runs nothing of a transaction whose BEGIN the session has forgotten", function()
    local one = assert(larder.open(url .. "&pool_min_conns=1&pool_max_conns=1"))
    must(one:query "create table public.larder_forgets (id int8)")
    must(one:query [[create function public.larder_forget() returns trigger language plpgsql as
      'begin execute ''deallocate all''; return null; end']])
    must(one:query [[create trigger forget after insert on public.larder_forgets
      for each statement execute function public.larder_forget()]])
    local function n() return assert(other:query "select n from public.larder_tx where id = 1")[1].n end
    local UPDATE = "update public.larder_tx set n = n + 1 where id = 1"
    for how, update in pairs {
      statement = function() return must(one:query(UPDATE)) end,
      pipeline = function() return must(one:pipeline(function(p) p:query(UPDATE) end)) end,
    } do
      must(one:transaction(update))
      local before = n()
      must(one:query "insert into public.larder_forgets values (1)") -- nobody is told that it forgets
      local ok, err = one:transaction(function()
        update()
        return nil, "left"
      end)
      assert.is_nil(ok)
      assert.is_true(err == "left" or err.retryable, how .. ": " .. tostring(err))
      assert.equal(before, n())
      must(one:transaction(update))
      must(one:query "insert into public.larder_forgets values (1)")
      must(one:transaction({ retries = 1 }, update))
      assert.equal(before + 2, n())
    end
    must(one:query "drop table public.larder_forgets")
    must(one:query "drop function public.larder_forget()")
    one:close()
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

  it("resolves a commit whose answer was lost by the id that an insert without a row has brought", function()
    assert(other:query "drop table if exists public.larder_given, public.larder_slow")
    assert(other:query "create table public.larder_given (id int4 primary key)")
    assert(other:query "create table public.larder_slow (id int4)")
    assert(other:query [[create or replace function public.larder_sleeps() returns trigger language plpgsql as
      $$ begin perform pg_sleep(60); return null; end $$]])
    assert(other:query [[create constraint trigger larder_slow after insert on public.larder_slow deferrable initially deferred
      for each row execute function public.larder_sleeps()]])
    larder.declare { name = "given_ids", entities = { {
      name = "rows", table = "public.larder_given", fields = { { name = "id", type = "int4" } },
      key = { name = "larder_given_pkey", "id" },
    } } }
    local rows, killed = db:stores("given_ids").rows, nil
    for id = 1, 3 do assert(db:transaction(function() return rows:create { id = id } end)) end
    db._engine:set_hook(function(point, pid)
      if point ~= "after_commit_sent" then return end
      killed = pid
      assert(other:query("select pg_terminate_backend($1)", pid))
    end)
    local ok, err = db:transaction(function()
      assert(db:query "insert into public.larder_slow values (1)")
      return rows:create { id = 4 }
    end)
    db._engine:set_hook(nil)
    assert.is_number(killed)
    assert.is_nil(ok)
    assert.equal("connection", err.code, tostring(err))
    assert.is_true(err.retryable)
    assert.is_false(rows:exists(4))
    assert(other:query "drop table public.larder_given, public.larder_slow")
    assert(other:query "drop function public.larder_sleeps()")
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
