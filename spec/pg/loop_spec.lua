-- Event loops with a real server: many coroutines on few connections, in every loop that larder knows.

local core = require "larder.core"
local larder = require "larder"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local separator = url:find("?", 1, true) and "&" or "?"
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local MANY = 200

larder.declare {
  name = "looped",
  entities = { {
    name = "items", table = "public.looped_items", key = { name = "looped_items_pkey", "id" },
    fields = { { name = "id", type = "int8" }, { name = "name", type = "text" } },
  } },
}

local function open(options, params)
  return must(larder.open(url .. separator .. (params or "pool_max_conns=4"), options))
end

local plain -- never in a loop: looks on

setup(function()
  plain = open { wait = false }
  must(plain:query "drop table if exists public.looped_items")
  must(plain:query "create table public.looped_items (id int8 primary key, name text not null)")
  must(plain:query("insert into public.looped_items select i, 'item ' || i from generate_series(1, $1) as i", MANY))
end)

teardown(function()
  must(plain:query "drop table if exists public.looped_items")
  plain:close()
end)

local function running(mark)
  return must(plain:query("select count(*) as n from pg_stat_activity where state = 'active' and query like $1"
    .. " and pid <> pg_backend_pid()", "%" .. mark .. "%"))[1].n
end

--- Is fn() true before long?
local function soon(fn)
  local over = core.clock() + 30
  repeat
    if fn() then return true end
    core.sleep(0.01)
  until core.clock() > over
  return false
end

local function repeated(n, make)
  local list = {}
  for i = 1, n do list[i] = make(i) end
  return unpack(list)
end

local names = {}
for name in pairs(loops) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
  local one = loops[name]

  describe("in the loop " .. name, function()
    local db
    before_each(function() db = open(one.options) end)
    after_each(function() db:close() end)

    it("FT-l1 " .. MANY .. " coroutines get their own rows over four connections", function()
      local items, right = db:stores("looped").items, 0
      one.run(db, repeated(MANY, function(i)
        return function()
          for round = 0, 4 do
            local id = (i + round * 37) % MANY + 1
            local row = must(items:get(id))
            if row.id == id and row.name == "item " .. id then right = right + 1 end
          end
        end
      end))
      assert.equal(5 * MANY, right)
      assert.is_true(db:stats().total <= 4)
    end)

    it("FT-l2 a call that runs out of time does so beside others that do not", function()
      local codes, fast = {}, 0
      local function slow()
        local rows, err = db:query { "select pg_sleep(20) /* late */", timeout = 0.2 }
        codes[#codes + 1] = rows and "no error" or err.code
      end
      local started = core.clock()
      one.run(db, slow, slow, repeated(20, function(i)
        return function()
          assert(must(db:query("select $1::int8 as v", i))[1].v == i)
          fast = fast + 1
        end
      end))
      assert.same({ "timeout", "timeout" }, codes)
      assert.equal(20, fast)
      assert.is_true(core.clock() - started < 15) -- not the statements' twenty
      assert.is_true(soon(function() return running "late" == 0 end))
      assert.equal(1, must(db:query "select 1::int8 as v")[1].v)
    end)

    it("FT-l3 transactions and single statements do not meet", function()
      must(plain:query "create table public.looped_tx (n int8, round int8)")
      one.run(db, repeated(12, function(i)
        if i % 3 == 0 then
          return function()
            local seen = must(db:query "select count(*) % 2 as odd from public.looped_tx")[1].odd
            assert(seen == 0, "half of a transaction was seen")
          end
        end
        return function()
          local ok, err = db:transaction(function(tx)
            must(db:query("insert into public.looped_tx values ($1, 1)", i))
            must(db:query "select pg_sleep(0.01)")
            must(tx:query("insert into public.looped_tx values ($1, 2)", i))
            local n = must(db:query("select count(*) as n from public.looped_tx where n = $1", i))[1].n
            assert(n == 2, "not its own transaction")
            if i % 2 == 0 then error "undone" end
          end)
          assert(ok or tostring(err):find "undone")
        end
      end))
      assert.is_false(db:in_transaction())
      local rows = must(plain:query "select distinct n from public.looped_tx order by n")
      must(plain:query "drop table public.looped_tx")
      assert.same({ 1, 5, 7, 11 }, { rows[1].n, rows[2].n, rows[3].n, rows[4].n })
      assert.equal(4, #rows)
      assert.equal(0, db:stats().busy)
    end)

    if name ~= "manual" then -- where each database has a runtime of its own
      it("FT-l4 two databases at once", function()
        local second, right = open(one.options, "pool_max_conns=2"), 0
        one.run(db, repeated(40, function(i)
          local which = i % 2 == 0 and db or second
          return function()
            for round = 1, 5 do
              assert(must(which:query("select $1::int8 as v", i * 100 + round))[1].v == i * 100 + round)
            end
            right = right + 1
          end
        end))
        second:close()
        assert.equal(40, right)
      end)
    end

    it("FT-l5 close() while others wait ends each of their calls", function()
      local codes = {}
      local function waiter()
        local rows, err = db:query "select pg_sleep(30) /* orphaned */"
        codes[#codes + 1] = rows and "no error" or err.code
      end
      local function inside()
        local ok, err = db:transaction(function() return db:query "select pg_sleep(30) /* orphaned */" end)
        codes[#codes + 1] = ok and "no error" or err.code
      end
      local started = core.clock()
      one.run(db, waiter, waiter, inside, function()
        must(db:query "select 1")
        db:close()
        local _, err = db:query "select 1"
        codes[#codes + 1] = err.code
      end)
      assert.same({ "closed", "closed", "closed", "closed" }, codes)
      assert.is_true(core.clock() - started < 20) -- not the statements' thirty
      assert.is_true(soon(function() return running "orphaned" == 0 end))
    end)

    it("FT-l6 a call outside of the loop blocks, and does not disturb those that wait", function()
      local log = {}
      local outside
      if name == "luv" or name == "manual" then -- where coroutines start before the loop does
        outside = function()
          assert.equal(7, must(db:query "select 7::int8 as v")[1].v)
          log[#log + 1] = "outside"
        end
      end
      local co = coroutine.wrap(function()
        must(db:query "select pg_sleep(0.1)")
        log[#log + 1] = "inside"
      end)
      if outside then
        co()
        outside()
        one.run(db, function() must(db:query "select pg_sleep(0.2)") end)
        assert.same({ "outside", "inside" }, log)
      else
        assert.equal(7, must(db:query "select 7::int8 as v")[1].v)
      end
    end)

    it("FT-l23 a generator that a transaction resumes joins it; a coroutine of the loop does not", function()
      must(plain:query "create table public.looped_joined (n int8)")
      local inside, beside
      one.run(db, function()
        local ok = db:transaction(function()
          must(db:query "insert into public.looped_joined values (1)")
          local sum = 0
          for n in coroutine.wrap(function()
            for i = 2, 4 do
              must(db:query("insert into public.looped_joined values ($1)", i))
              coroutine.yield(must(db:query "select count(*)::int8 as n from public.looped_joined")[1].n)
            end
          end) do sum = sum + n end
          inside = sum
          must(db:query "select pg_sleep(0.1)")
          return nil, "undone"
        end)
        assert(not ok)
      end, function()
        must(db:query "select pg_sleep(0.05)")
        beside = db:in_transaction() or must(db:query "select count(*)::int8 as n from public.looped_joined")[1].n
      end)
      assert.equal(2 + 3 + 4, inside)
      assert.equal(0, beside)
      assert.equal(0, must(plain:query "select count(*)::int8 as n from public.looped_joined")[1].n)
      must(plain:query "drop table public.looped_joined")
    end)

    it("FT-l24 a call that cannot wait where it is made is refused, and nothing was sent", function()
      must(plain:query "create table public.looped_refused (n int8)")
      local codes = {}
      local function insert(n)
        local rows, err = db:query("insert into public.looped_refused values ($1)", n)
        codes[#codes + 1] = rows and "ran" or err.code
      end
      local function transaction()
        local _, err = db:transaction(function()
          insert(3)
          return nil, "no"
        end)
        codes[#codes + 1] = err
      end
      package.preload["looped.module"] = function() insert(4) return true end
      one.run(db, function()
        assert(db:transaction(function()
          must(db:query "insert into public.looped_refused values (0)")
          table.sort({ 2, 1 }, function(a, b)
            insert(1)
            return a < b
          end);
          ("x"):gsub("x", function() insert(2) end)
          must(db:query "insert into public.looped_refused values (10)")
          return true
        end));
        ("x"):gsub("x", transaction)
        require "looped.module"
        must(db:query "insert into public.looped_refused values (11)")
      end)
      package.preload["looped.module"], package.loaded["looped.module"] = nil, nil
      assert.equal("unsupported unsupported unsupported no unsupported", table.concat(codes, " "))
      assert.equal("0 10 11", must(plain:query [[select string_agg(n::text, ' ' order by n) as list from public.looped_refused]])[1].list)
      must(plain:query "drop table public.looped_refused")
    end)

    it("ends when the work is done", function()
      one.run(db, function() must(db:query "select 1") end)
      local started = core.clock()
      one.run(db, function() must(db:query "select 1") end, function() must(db:query "select 2") end)
      assert.is_true(core.clock() - started < 5)
    end)

    it("retries a transaction beside others", function()
      local tries, ticks = 0, 0
      one.run(db, function()
        must(db:transaction({ retries = 3 }, function()
          tries = tries + 1
          if tries < 3 then
            must(db:query "select 1")
            return db:query "do $$ begin raise exception using errcode = '40001'; end $$"
          end
          return true
        end))
      end, function()
        for _ = 1, 20 do
          must(db:query "select 1")
          ticks = ticks + 1
        end
      end)
      assert.equal(3, tries)
      assert.equal(20, ticks)
    end)
  end)
end

-- ---- coroutines that are gone ----

describe("a coroutine that is killed while it waits", function()
  if loops.cqueues then
    local cqueues = require "cqueues"

    it("FT-l7 cancels its statement when its cqueues controller is dropped", function()
      local db = open(loops.cqueues.options)
      local controller = cqueues.new()
      controller:wrap(function() db:query "select pg_sleep(60) /* dropped */" end)
      controller:wrap(function() db:transaction(function() return db:query "select pg_sleep(60) /* dropped too */" end) end)
      must(controller:step(0.1))
      assert.is_true(soon(function()
        must(controller:step(0))
        return running "dropped" == 2
      end))
      controller = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.is_true(soon(function() return running "dropped" == 0 end))
      loops.cqueues.run(db, function() assert(must(db:query "select 1::int8 as v")[1].v == 1) end)
      db:close()
    end)
  end

  if coroutine.close then -- luacheck: ignore 143
    local turn = {
      luv = function() require("luv").run "nowait" end,
      manual = function(db) db:runtime():step() end,
    }
    for _, name in ipairs { "luv", "manual" } do
      if loops[name] then
        it("FT-l8 cancels its statement when it is closed, in " .. name, function()
          local one = loops[name]
          local db = open(one.options)
          local co = coroutine.create(function() db:query "select pg_sleep(60) /* closed */" end)
          coroutine.resume(co)
          assert.is_true(soon(function() -- a statement is described first, so the loop must turn
            turn[name](db)
            return running "closed" == 1
          end))
          coroutine.close(co) -- luacheck: ignore 143
          collectgarbage()
          collectgarbage()
          assert.is_true(soon(function() return running "closed" == 0 end))
          local started = core.clock()
          one.run(db, function() assert(must(db:query "select 1::int8 as v")[1].v == 1) end)
          assert.is_true(core.clock() - started < 20) -- not the statement's sixty
          if name == "manual" then assert.equal(0, db:runtime():waiting()) end
          db:close()
        end)
      end
    end
  end
end)

-- ---- each loop's own ----

if loops.cqueues then
  local cqueues = require "cqueues"

  describe("several cqueues controllers", function()
    it("FT-l9 wait for one database: nested, side by side, one after the other", function()
      local db = open(loops.cqueues.options)
      local at, n = {}, 0
      local function call(tag, seconds)
        must(db:query("select pg_sleep($1)", seconds))
        n = n + 1
        at[tag] = n
      end
      local a, b = cqueues.new(), cqueues.new()
      a:wrap(call, "a", 0.05)
      must(a:step(0)) -- watches for a, and is not stepped while b runs
      b:wrap(call, "b", 0.01)
      b:wrap(function()
        local inner = cqueues.new()
        inner:wrap(call, "inner 1", 0.02)
        inner:wrap(call, "inner 2", 0.03)
        must(inner:loop())
        call("after inner", 0.01)
      end)
      must(b:loop())
      assert.equal(4, n)
      assert.is_true(at["after inner"] > at["inner 1"] and at["after inner"] > at["inner 2"])
      must(a:loop())
      assert.equal(5, at.a)
      db:close()
    end)

    it("FT-l10 a generator inside a coroutine may call the database", function()
      local db = open(loops.cqueues.options)
      local got = {}
      loops.cqueues.run(db, function()
        for v in coroutine.wrap(function()
          for i = 1, 3 do coroutine.yield(must(db:query("select $1::int8 as v", i))[1].v) end
        end) do got[#got + 1] = v end
      end)
      db:close()
      assert.same({ 1, 2, 3 }, got)
    end)

    it("serve a database that was opened outside of any coroutine", function()
      local db = open()
      assert.is_truthy(db._wait)
      local got = 0
      loops.cqueues.run(db, function() got = must(db:query "select 3::int8 as v")[1].v end)
      assert.equal(3, got)
      db:close()
    end)
  end)

  describe("the runtime", function()
    it("FT-l11 can be polled by a loop that knows nothing of it", function()
      local db = open { loop = "manual" }
      local runtime, done = db:runtime(), 0
      for i = 1, 50 do
        local co = coroutine.create(function()
          assert(must(db:query("select $1::int8 as v", i))[1].v == i)
          done = done + 1
        end)
        local ok, yielded = coroutine.resume(co)
        assert.is_true(ok)
        assert.equal(runtime, yielded)
      end
      local controller = cqueues.new()
      controller:wrap(function()
        while runtime:waiting() > 0 do
          cqueues.poll(runtime)
          runtime:step()
        end
      end)
      must(controller:loop(10))
      assert.equal(50, done)
      assert.equal(0, runtime:waiting())
      db:close()
      assert.equal(-1, runtime:pollfd())
      assert.equal(0, runtime:step())
    end)
  end)
end

local found_ffi, ffi = pcall(require, "ffi")
if found_ffi then
  ffi.cdef "int fork(void); int waitpid(int pid, int *status, int options); void _exit(int status);"

  describe("a forked child", function()
    for _, name in ipairs(names) do
      if name ~= "luv" and name ~= "copas" then -- luv cannot be used in a child; copas waits as `function` does
        it("FT-l12 starts anew in the loop " .. name .. ", and leaves its parent alone", function()
          local one = loops[name]
          local db = open(one.options)
          local function work()
            one.run(db, repeated(10, function(i)
              return function() assert(must(db:query("select $1::int8 as v", i))[1].v == i) end
            end))
          end
          work()
          local pid = ffi.C.fork()
          if pid == 0 then
            local ok = pcall(work)
            ffi.C._exit(ok and 42 or 1)
          end
          work()
          local status = ffi.new "int[1]"
          ffi.C.waitpid(pid, status, 0)
          assert.equal(42 * 256, status[0])
          work()
          db:close()
        end)
      end
    end
  end)
end

-- ---- examples ----

local EXAMPLES = {
  cqueues = [[
50 coroutines have ended, the slow statement with: timeout
page 1: 100 visits
page 2: 100 visits
page 3: 100 visits
page 4: 100 visits
page 5: 100 visits
four connections were enough
]],
  luv = [[
20 coroutines wait, none has an answer yet: 0
the timer went on
0 wait, the sum of the squares is 2870
two connections were enough
]],
  copas = "FEW CONNECTIONS SERVE MANY\n",
}

describe("the example for", function()
  for name, wanted in pairs(EXAMPLES) do
    if loops[name] then
      it(name .. " does what it says", function()
        local pipe = must(io.popen(("DATABASE_URL='%s' tools/lua.sh %s examples/%s.lua 2>&1"):format(url,
          os.getenv "LARDER_TEST_LUA" or "lua5.4", name)))
        local said = pipe:read "*a"
        pipe:close()
        assert.equal(wanted, said)
      end)
    end
  end
end)

describe("a program that ends with a call under way", function()
  for name in pairs(loops) do
    local options = loops[name].options
    it("just ends in " .. name, function()
      local script = os.tmpname()
      local file = must(io.open(script, "w"))
      file:write(([[
        local larder = require "larder"
        local _ = require("spec.support.loops")
        local db = assert(larder.open(%q, { loop = %q }))
        coroutine.wrap(function() pcall(db.query, db, "select 1") end)()
        print "end"]]):format(url, options.loop or "manual"))
      file:close()
      local pipe = must(io.popen(("tools/lua.sh %s %s 2>&1; echo $?"):format(os.getenv "LARDER_TEST_LUA" or "lua5.4", script)))
      local said = pipe:read "*a"
      pipe:close()
      os.remove(script)
      assert.equal("end\n0\n", said)
    end)
  end
end)
