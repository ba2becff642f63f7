-- Through a real PgBouncer, in transaction and in session mode.

local larder = require "larder"
local compat = require "larder.base.compat"
local core = require "larder.core"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local direct = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local available = os.execute "command -v pgbouncer >/dev/null 2>&1"

larder.declare {
  name = "pooled",
  entities = { {
    name = "items", table = "public.larder_pooled",
    fields = { { name = "id", type = "int8" }, { name = "title", type = "text", null = true } },
    key = { name = "larder_pooled_pkey", "id" },
  } },
}

local function start(mode)
  local dir = os.tmpname()
  os.remove(dir)
  local pipe = assert(io.popen(("tools/pgbouncer.sh start %s %s"):format(dir, mode)))
  local url = pipe:read "*l"
  pipe:close()
  return assert(url, "pgbouncer did not start"), dir
end

local function stop(dir) os.execute("tools/pgbouncer.sh stop " .. dir) end

-- "available" is a number on 5.1 and true or nil on 5.4
if available ~= true and available ~= 0 then
  pending "PgBouncer is not installed"
  return
end

describe("a server that refuses connections", function()
  it("is told within seconds to all who wait in a loop, and not after the acquire timeout", function()
    local url, dir = start "transaction"
    local kind = loops.cqueues or loops.manual -- it takes some seconds, so that one loop is enough
    local options = { pool = { max = 4, min = 0, acquire_timeout = 60 } }
    for k, v in pairs(kind.options) do options[k] = v end
    local db, jobs, codes = must(larder.open(url, options)), {}, {}
    stop(dir)
    for i = 1, 10 do
      jobs[i] = function()
        db:query "select 1" -- the connections that were there find out
        codes[i] = select(2, db:query "select 1").code
      end
    end
    local started = larder.now()
    kind.run(db, compat.unpack(jobs))
    local seconds = (larder.now() - started) / 1e6
    for i = 1, 10 do assert.equal("connection", codes[i]) end
    assert.is_true(seconds < 30, "it took " .. seconds)
    db:close()
  end)
end)

for _, mode in ipairs { "transaction", "session" } do
  describe("through PgBouncer in " .. mode .. " mode", function()
    local url, dir, plain, db

    setup(function()
      plain = assert(larder.open(direct))
      must(plain:query "drop table if exists public.larder_pooled")
      must(plain:query "create table public.larder_pooled (id int8 constraint larder_pooled_pkey primary key, title text)")
      url, dir = start(mode)
      db = must(larder.open(url))
    end)
    teardown(function()
      db:close()
      stop(dir)
      must(plain:query "drop table public.larder_pooled")
      plain:close()
    end)

    before_each(function() must(plain:query "truncate public.larder_pooled") end)

    it("is found, and names no statement", function()
      assert.is_true(db:health().pooler)
      for _ = 1, 3 do must(db:query "select 1") end
      assert.equal(0, db:stats().prepares)
    end)

    it("never fails by a statement of another client", function()
      local others, items = {}, db:stores("pooled").items
      for i = 1, 4 do others[i] = must(larder.open(url, { pool = { max = 3 } })) end
      for i = 1, 200 do
        local other = others[i % 4 + 1]
        must(other:stores("pooled").items:create { id = i, title = "t" })
        must(other:transaction(function()
          must(other:query("update public.larder_pooled set title = $1 where id = $2", "u", i))
          return must(other:stores("pooled").items:get(i))
        end))
        must(items:get(i))
      end
      assert.equal(200, must(items:count()))
      for i = 1, 4 do others[i]:close() end
    end)

    it("leaves nothing of a statement's session to others", function()
      local other = must(larder.open(url))
      for _, sql in ipairs {
        "set statement_timeout = '77s'", "select set_config('statement_timeout', '77s', false)",
        "do $$ begin perform set_config('statement_timeout', '77s', false); end $$",
        "select pg_advisory_lock(9911)", "create temp table larder_pooled_temp (a int)", "prepare larder_p as select 1",
        "listen larder_pooled",
      } do
        must(db:query(sql))
        must(db:transaction(function() must(db:query(sql)) end))
        db:transaction(function()
          must(db:query(sql))
          return nil, "undo"
        end)
        for _ = 1, 6 do
          local row = must(other:query [[select current_setting('statement_timeout') as t,
            (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
            (select count(*) from pg_class where relnamespace = pg_my_temp_schema()) as temps,
            (select count(*) from pg_prepared_statements) as prepared,
            (select count(*) from pg_listening_channels()) as channels]])[1]
          assert.same({ t = "0", locks = 0, temps = 0, prepared = 0, channels = 0 }, row)
        end
      end
      other:close()
    end)

    it("leaves nothing of a transaction to others whose commit failed", function()
      local other = must(larder.open(url))
      must(plain:query [[create function public.larder_pooled_f() returns trigger language plpgsql as $$
        begin perform pg_sleep(new.id); raise exception 'refused'; end $$]])
      must(plain:query [[create constraint trigger larder_pooled_t after insert on public.larder_pooled
        deferrable initially deferred for each row execute function public.larder_pooled_f()]])
      local codes = {}
      for i, seconds in ipairs { 0, 60 } do -- refused, cancelled
        local _, err = db:transaction({ timeout = seconds > 0 and 0.5 or nil }, function()
          must(db:query "set statement_timeout = '77s'")
          must(db:query "select pg_advisory_lock(9912)")
          must(db:query "prepare larder_p as select 1")
          must(db:query("insert into public.larder_pooled values ($1, 'x')", seconds))
          return true
        end)
        codes[i] = err.code
      end
      local seen = {}
      for i = 1, 6 do
        seen[i] = must(other:query [[select current_setting('statement_timeout') as t,
          (select count(*) from pg_locks where locktype = 'advisory' and objid = 9912) as locks,
          (select count(*) from pg_prepared_statements where name = 'larder_p') as prepared]])[1]
      end
      other:close()
      must(plain:query "drop trigger larder_pooled_t on public.larder_pooled")
      must(plain:query "drop function public.larder_pooled_f")
      assert.same({ "invalid", "timeout" }, codes)
      for i = 1, 6 do assert.same({ t = "0", locks = 0, prepared = 0 }, seen[i]) end
      assert.equal(0, must(plain:query "select count(*) as n from public.larder_pooled")[1].n)
    end)

    it("ends what is under way when the database is closed", function()
      local kind = loops.manual
      local doomed = must(larder.open(url, { loop = "manual", pool = { max = 3 } }))
      kind.run(doomed, function() must(doomed:query "select 1") end)
      local answers = {}
      local function left() -- those that sleep: a statement is active while it is only described, too
        return must(plain:query [[select count(*) as n from pg_stat_activity
          where query like 'select pg_sleep(77%' and wait_event = 'PgSleep']])[1].n
      end
      for i = 1, 2 do
        coroutine.wrap(function()
          local _, err = doomed:query("select pg_sleep(77" .. i .. ")")
          answers[i] = err
        end)()
      end
      local patience = core.clock() + 20
      while left() < 2 and core.clock() < patience do doomed:runtime():step() end
      assert.equal(2, left())
      local started = core.clock()
      doomed:close()
      assert.is_true(core.clock() - started < 10)
      for i = 1, 2 do assert.equal("closed", answers[i].code) end
      patience = core.clock() + 20
      while left() > 0 and core.clock() < patience do core.sleep(0.02) end
      assert.equal(0, left())
    end)

    it("cancels nothing of another database when one is closed", function()
      local kind = loops.manual
      for _ = 1, 8 do
        local doomed = must(larder.open(url, { loop = "manual", pool = { max = 2 } }))
        kind.run(doomed, function() must(doomed:query "select 1") end)
        for i = 1, 2 do
          coroutine.wrap(function() doomed:query("select pg_sleep(88" .. i .. ")") end)()
        end
        local patience = core.clock() + 0.05 -- some have begun by then, some have not
        while core.clock() < patience do doomed:runtime():step() end
        doomed:close()
        for _ = 1, 10 do -- each takes a server session that a client has just left
          local other = must(larder.open(url))
          for _ = 1, 4 do must(other:query "select pg_sleep(0.005)") end
          other:close()
        end
      end
    end)

    it("is found by the first use of a lazy database, before anything is sent that relies on a session", function()
      local lazy = must(larder.open(url, { lazy = true, pool = { max = 3 } }))
      assert.equal(0, lazy:stats().connects)
      local _, err = lazy:session(function(session) return session:query "select 1" end)
      assert.equal("unsupported", err.code)
      for _ = 1, 3 do must(lazy:query "select 1") end
      assert.is_true(lazy:health().pooler)
      assert.equal(0, lazy:stats().prepares)
      lazy:close()
    end)

    it("has no sessions of one's own until it is said that it keeps them", function()
      local _, err = db:session(function() end)
      assert.equal("unsupported", err.code)
      assert.is_truthy(err.hint:find("pgbouncer=session", 1, true))
      if mode == "transaction" then return end
      local kept = must(larder.open(url .. "?pgbouncer=session"))
      assert.is_true(kept:stats().own_sessions)
      must(kept:session(function(session)
        must(session:query "create temp table larder_pooled_own (a int)")
        must(session:query "insert into larder_pooled_own values (1)")
      end))
      must(kept:query("select $1::int8 as a", 1))
      kept:close()
    end)

    it("keeps pages by cursor and pipelines apart", function()
      must(plain:query "insert into public.larder_pooled select n, 'x' from generate_series(1, 1200) n")
      local n = 0
      for _ in db:each { "select id from public.larder_pooled", page = 100 } do n = n + 1 end
      assert.equal(1200, n)
      local results = must(db:pipeline(function(p)
        for i = 1, 50 do p:query("select $1::int8 as i", i) end
      end))
      for i = 1, 50 do assert.equal(i, results[i].rows[1].i) end
    end)

    for name, kind in pairs(loops) do
      it("answers each its own in " .. name, function()
        local options = { pool = { max = 6 } }
        for k, v in pairs(kind.options) do options[k] = v end
        local shared, jobs = must(larder.open(url, options)), {}
        for i = 1, 60 do
          jobs[i] = function()
            assert.equal(i, must(shared:query("select $1::int8 as i", i))[1].i)
            must(shared:transaction(function()
              must(shared:query("insert into public.larder_pooled values ($1, 'x')", i))
              assert.equal(i, must(shared:stores("pooled").items:get(i)).id)
            end))
          end
        end
        kind.run(shared, compat.unpack(jobs))
        shared:close()
        assert.equal(60, must(plain:query "select count(*) as n from public.larder_pooled")[1].n)
      end)
    end
  end)
end
