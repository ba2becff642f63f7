-- What a statement changes in its session is gone before the next caller; db:session is for those who need it.

local larder = require "larder"
local compat = require "larder.base.compat"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local STATE = [[
  select coalesce(current_setting('larder.tenant', true), '') as tenant, current_setting('statement_timeout') as timeout,
    current_setting('search_path') as path, current_user::text as who,
    (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
    (select count(*) from pg_class where relnamespace = pg_my_temp_schema()) as temps,
    (select count(*) from pg_listening_channels()) as channels,
    (select count(*) from pg_cursors) as cursors,
    (select count(*) from pg_prepared_statements where name not like 'ldr@_%' escape '@') as prepared]]

-- Each of them leaves something behind in its session.
local CHANGES = {
  "set statement_timeout = '77s'",
  "select set_config('larder.tenant', 'A', false)",
  "with x as (select set_config('larder.tenant', 'A', false)) select * from x",
  "values (set_config('larder.tenant', 'A', false))",
  "explain analyze select set_config('larder.tenant', 'A', false)",
  "update public.larder_state set v = v returning set_config('larder.tenant', 'A', false)",
  "do $$ begin set search_path = pg_catalog; end $$",
  "do $$ begin perform set_config('larder.tenant', 'A', false); end $$",
  "do $$ begin execute 'prepare p as select 1'; end $$",
  "call public.larder_state_p()",
  "select public.larder_state_f()",
  "/* c */ set role larder_state_role",
  "set session authorization larder_state_role",
  "select pg_advisory_lock(815)",
  "select pg_try_advisory_lock_shared(815)",
  "create temp table larder_state (a int)",
  "create temporary view work as select 1 as one",
  "select 1 as one into temp larder_state_into",
  "listen larder_state",
  "declare c cursor with hold for select 1",
  "prepare p as select 1",
}

describe("session state", function()
  local db

  setup(function()
    db = assert(larder.open(url, { pool = { max = 1, min = 0 } }))
    assert(db:query "create table public.larder_state (v int)")
    assert(db:query "insert into public.larder_state values (1)")
    assert(db:query [[create function public.larder_state_f() returns text language sql as
      $$ select set_config('larder.tenant', 'A', false) $$]])
    assert(db:query [[create procedure public.larder_state_p() language plpgsql as
      $$ begin perform set_config('larder.tenant', 'A', false); end $$]])
    assert(db:query "create role larder_state_role")
  end)

  teardown(function()
    assert(db:query "drop procedure public.larder_state_p")
    assert(db:query "drop function public.larder_state_f")
    assert(db:query "drop table public.larder_state")
    assert(db:query "drop role larder_state_role")
    db:close()
  end)

  local function state() return must(db:query(STATE))[1] end

  local clean
  before_each(function() clean = clean or state() end)

  for _, sql in ipairs(CHANGES) do
    it("does not reach the next caller: " .. sql:gsub("%s+", " "), function()
      must(db:query(sql))
      assert.same(clean, state())
      must(db:pipeline(function(p) p:query(sql) end))
      assert.same(clean, state())
      must(db:pipeline({ atomic = true }, function(p) p:query(sql) end))
      assert.same(clean, state())
    end)

    it("ends with the transaction: " .. sql:gsub("%s+", " "), function()
      must(db:transaction(function() must(db:query(sql)) end))
      assert.same(clean, state())
      db:transaction(function()
        must(db:query(sql))
        return nil, "undo"
      end)
      assert.same(clean, state())
    end)
  end

  it("is undone when the statement fails after it locked", function()
    local rows, err = db:query "select pg_advisory_lock(816), 1 / (v - v) from public.larder_state"
    assert.is_nil(rows)
    assert.equal("22012", err.sqlstate)
    assert.same(clean, state())
    db:transaction(function() assert.is_nil(db:query "select pg_advisory_lock(816), 1 / (v - v) from public.larder_state") end)
    assert.same(clean, state())
    assert.is_nil(db:query "select pg_advisory_lock(816), 1 / (v - v) from public.larder_state")
    must(db:session(function(session)
      assert.same(clean, must(session:query(STATE))[1])
      return true
    end))
  end)

  -- By statements that larder does not prepare: before one that it does, it may put the session's prepared statements in order.
  local function prepared()
    local rows, err = db:query "execute larder_p"
    local piece = ""
    must(db:copy_out("copy (select name from pg_prepared_statements where name like 'larder@_p%' escape '@') to stdout",
      function(some) piece = piece .. some end))
    return rows, err and err.sqlstate, piece
  end

  it("reaches nobody by EXECUTE", function()
    local PREPARE = "prepare larder_p as select 1 as one"
    local ways = {
      function() must(db:query(PREPARE)) end,
      function() must(db:query("do $$ begin execute '" .. PREPARE .. "'; end $$")) end,
      function() assert.is_nil(db:query("do $$ begin execute '" .. PREPARE .. "'; perform 1 / 0; end $$")) end,
      function() must(db:pipeline(function(p) p:query(PREPARE) end)) end,
      function() must(db:pipeline({ atomic = true }, function(p) p:query "select 1 as one" p:query(PREPARE) end)) end,
      function() assert.is_nil(db:pipeline({ atomic = true }, function(p) p:query(PREPARE) p:query "select 1 / 0" end)) end,
      function() must(db:transaction(function() must(db:query(PREPARE)) end)) end,
      function()
        db:transaction(function()
          must(db:query(PREPARE))
          return nil, "undo"
        end)
      end,
      function()
        must(db:transaction(function()
          db:transaction(function()
            must(db:query(PREPARE))
            return db:query "select 1 / 0"
          end)
          return true
        end))
      end,
    }
    for i, way in ipairs(ways) do
      way()
      assert.same({ nil, "26000", "" }, { prepared() }, "way " .. i)
    end
    assert.same(clean, state())
  end)

  it("is kept by name, whatever runs beside it", function()
    for _, begins in ipairs { "prepare larder_p as select 42 as n", "do $$ begin execute 'prepare larder_p as select 42 as n'; end $$" } do
      assert.equal(42, must(db:transaction(function()
        must(db:query(begins))
        for n = 1, 3 do assert.equal(n, must(db:query("select $1::int4 as n", n))[1].n) end
        return must(db:query "execute larder_p")[1].n
      end)))
      assert.equal(42, must(db:session(function(session)
        must(session:query(begins))
        for n = 1, 3 do assert.equal(n, must(session:query("select $1::int4 as n", n))[1].n) end
        return must(session:query "execute larder_p")[1].n
      end)))
    end
    assert.same({ nil, "26000", "" }, { prepared() })
  end)

  it("does not outlive a pipeline that discards all", function()
    for _, atomic in ipairs { false, true } do
      must(db:pipeline({ atomic = atomic }, function(p) p:query "discard all" p:query "set statement_timeout = '77s'" end))
      assert.same(clean, state())
    end
  end)

  it("is kept in a transaction until its end", function()
    must(db:transaction(function()
      must(db:query "set statement_timeout = '77s'")
      must(db:query "create temp table kept (a int)")
      must(db:query "insert into kept values (1)")
      assert.equal("77s", must(db:query "show statement_timeout")[1].statement_timeout)
      assert.equal(1, must(db:query "select count(*) as n from kept")[1].n)
    end))
    assert.same(clean, state())
  end)

  it("is kept until the commit has run, which may check what was deferred", function()
    must(db:query "create schema larder_state_s")
    must(db:query "create table larder_state_s.there (v int)")
    must(db:query [[create function public.larder_state_deferred() returns trigger language plpgsql as
      $$ begin insert into there values (new.v); return null; end $$]])
    must(db:query [[create constraint trigger larder_state_t after insert on public.larder_state deferrable initially deferred
      for each row execute function public.larder_state_deferred()]])
    local made, err = db:transaction(function()
      must(db:query "set search_path = larder_state_s, public")
      must(db:query "create temp table kept (a int) on commit drop")
      must(db:query "insert into public.larder_state values (7)")
      return true
    end)
    local there = db:query "select v from larder_state_s.there"
    must(db:query "drop table if exists larder_state_s.there")
    must(db:query "drop schema larder_state_s")
    must(db:query "drop trigger larder_state_t on public.larder_state")
    must(db:query "drop function public.larder_state_deferred()")
    must(db:query "delete from public.larder_state where v = 7")
    assert.is_true(made, tostring(err))
    assert.same({ { v = 7 } }, there)
    assert.same(clean, state())
  end)

  for _, sql in ipairs {
    "set client_encoding = 'LATIN1'",
    "select set_config('client_encoding', 'LATIN1', false)",
    "select set_config('client_encoding', 'LATIN1', true)",
  } do
    it("is no other encoding of texts: " .. sql, function()
      local asked, second
      local made, err = db:transaction(function()
        must(db:query "create temp table kept (t text)")
        asked = select(2, db:query(sql))
        second = select(2, db:query("insert into kept values ($1)", "ä"))
        return true
      end)
      assert.is_nil(made)
      assert.equal("closed", err.code) -- its work is undone, since its connection was given up
      assert.same({ "invalid", true }, { asked.code, asked.message:find("client_encoding was changed", 1, true) ~= nil })
      assert.is_truthy(second)
      assert.same(clean, state())
      must(db:session(function(session)
        asked = select(2, session:query(sql))
        second = select(2, session:query("select $1::text as t", "ä"))
        return true
      end))
      if not sql:find "true" then -- else it has ended with its statement
        assert.matches("client_encoding was changed", asked.message)
        assert.equal("closed", second.code)
      end
      assert.same(clean, state())
      must(db:query(sql)) -- undone at once
      assert.same({ { t = "ä", n = 1 } }, must(db:query("select $1::text as t, length($1::text)::int4 as n", "ä")))
    end)
  end

  it("is undone behind a transaction that failed, and behind one whose commit was refused", function()
    db:transaction(function()
      must(db:query "select pg_advisory_lock(817)")
      must(db:query "set statement_timeout = '77s'")
      assert.is_nil(db:query "select 1 / 0")
    end)
    assert.same(clean, state())
    must(db:query [[create table public.larder_state_unique (v int unique deferrable initially deferred)]])
    local made, err = db:transaction(function()
      must(db:query "select pg_advisory_lock(817)")
      must(db:query "insert into public.larder_state_unique values (1), (1)")
      return true
    end)
    must(db:query "drop table public.larder_state_unique")
    assert.is_nil(made)
    assert.equal("conflict", err.code)
    assert.same(clean, state())
  end)

  it("lasts for the transaction with set local and set_config(…, true), on the same connection", function()
    local pid = must(db:query "select pg_backend_pid() as pid")[1].pid
    must(db:transaction(function()
      must(db:query "set local statement_timeout = '77s'")
      must(db:query("select set_config('larder.tenant', $1, true)", "B"))
      assert.equal("B", state().tenant)
    end))
    assert.same(clean, state())
    assert.equal(pid, must(db:query "select pg_backend_pid() as pid")[1].pid)
  end)

  it("keeps what a statement wrote, when its session is cleaned behind it", function()
    must(db:query "do $$ begin insert into public.larder_state values (2); perform set_config('larder.tenant', 'A', false); end $$")
    assert.equal(1, must(db:query "select count(*) as n from public.larder_state where v = 2")[1].n)
    must(db:query "delete from public.larder_state where v = 2")
  end)

  it("lets DO and CALL commit", function()
    must(db:query "do $$ begin insert into public.larder_state values (3); commit; end $$")
    must(db:query "delete from public.larder_state where v = 3")
    assert.same(clean, state())
  end)

  for name, kind in pairs(loops) do
    it("is nobody else's in " .. name, function()
      local options = { pool = { max = 3, min = 0 } }
      for k, v in pairs(kind.options) do options[k] = v end
      local shared = assert(larder.open(url, options))
      local jobs = {}
      for i = 1, 24 do
        jobs[i] = function()
          if i % 4 == 0 then
            must(shared:query(CHANGES[i % #CHANGES + 1]:find "role" and "select 1 as one"
              or "select set_config('larder.tenant', 'A', false)"))
          else
            assert.equal(clean.tenant, must(shared:query(STATE))[1].tenant)
          end
        end
      end
      kind.run(shared, compat.unpack(jobs))
      shared:close()
    end)
  end
end)

describe("db:session", function()
  local db

  setup(function() db = assert(larder.open(url, { pool = { max = 2, min = 0 } })) end)
  teardown(function() db:close() end)

  it("gives a connection of one's own, which keeps its state", function()
    local got = must(db:session(function(session)
      must(session:query "set statement_timeout = '77s'")
      must(session:query "create temp table mine (a int)")
      must(session:query("insert into mine values ($1)", 7))
      must(session:query "select pg_advisory_lock(4711)")
      assert.is_true(session:backend_pid() > 0)
      assert.not_equal("77s", must(db:query "show statement_timeout")[1].statement_timeout)
      assert.is_false(must(db:query "select pg_try_advisory_lock(4711) as got")[1].got)
      return must(session:query "select a, current_setting('statement_timeout') as t from mine")[1]
    end))
    assert.same({ a = 7, t = "77s" }, got)
  end)

  it("leaves nothing behind, also when fn fails", function()
    local ok, err = db:session(function(session)
      must(session:query "select pg_advisory_lock(4712)")
      error("on purpose", 0)
    end)
    assert.is_nil(ok)
    assert.equal("on purpose", err)
    must(db:query { "select pg_advisory_lock(4712)", timeout = 5 }) -- free as soon as the server sees the end
  end)

  it("keeps the connection when nothing was changed", function()
    local pid = must(db:session(function(session)
      must(session:query "select 1")
      return session:backend_pid()
    end))
    local again = must(db:session(function(session)
      must(session:query "select 1")
      return session:backend_pid()
    end))
    assert.equal(pid, again)
  end)

  it("returns nil and the error that fn returned, and is refused on memory", function()
    local err = select(2, db:session(function(session) return session:query "selec" end))
    assert.equal("syntax", err.code)
    local memory = assert(larder.open "memory:")
    err = select(2, memory:session(function() end))
    assert.equal("unsupported", err.code)
    memory:close()
    assert.has_error(function() db:session(5) end)
  end)

  it("does not take a transaction that was left open back", function()
    local pid = must(db:session(function(session)
      must(session:query "begin")
      must(session:query "select 1")
      return session:backend_pid()
    end))
    local gone
    for _ = 1, 100 do -- the server notices the end of a connection in its time
      gone = #must(db:query("select 1 as one from pg_stat_activity where pid = $1", pid)) == 0
      if gone then break end
      must(db:query "select pg_sleep(0.02)")
    end
    assert.is_true(gone)
  end)

  for name, kind in pairs(loops) do
    it("waits in " .. name, function()
      local options = { pool = { max = 4, min = 0 } }
      for k, v in pairs(kind.options) do options[k] = v end
      local shared, seen = assert(larder.open(url, options)), {}
      local function job(i)
        return function()
          must(shared:session(function(session)
            must(session:query("select set_config('larder.tenant', $1, false)", tostring(i)))
            must(session:query "select pg_sleep(0.05)")
            seen[i] = must(session:query "select current_setting('larder.tenant') as t")[1].t
          end))
        end
      end
      kind.run(shared, job(1), job(2), job(3))
      shared:close()
      assert.same({ "1", "2", "3" }, seen)
    end)
  end
end)
