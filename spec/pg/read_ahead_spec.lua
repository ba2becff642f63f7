-- each with read_ahead: one page is under way while the loop is at the rows of the one before. Nothing waits for it that it waits
-- for, nothing of it is left behind, and what goes wrong with it is told as if it had not been sent.

local core = require "larder.core"
local larder = require "larder"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local ROWS, PAGE = 700, 50
local SLOW = 2 * PAGE + 10 -- a row of the third page, which is the first that is asked for early

local SCHEMA = { "drop schema if exists ahead cascade", "drop role if exists larder_ahead", "create schema ahead", [[
  create table ahead.rows (id int8 constraint rows_pkey primary key, a int4 not null, b text not null)]], [[
  create table ahead.naps (id int8 primary key, seconds float8 not null)]], [[
  create function ahead.nap(row_id int8) returns int4 language plpgsql stable as $$
    begin perform pg_sleep(seconds) from ahead.naps n where n.id = row_id; return 1; end $$]], [[
  create view ahead.slow_rows as select id, a, b, ahead.nap(id) as napped from ahead.rows]],
  "create role larder_ahead login", "grant usage on schema ahead to larder_ahead", "grant select on ahead.rows to larder_ahead",
  "alter table ahead.rows enable row level security", [[
  create policy own on ahead.rows using (current_setting('larder.tenant', true) in ('', (a % 2)::text))]], [[
  insert into ahead.rows select n, n, repeat('x', 400) from generate_series(1, 700) n]], "analyze ahead.rows",
}

local FIELDS = { { name = "id", type = "int8" }, { name = "a", type = "int4" }, { name = "b", type = "text" } }
larder.declare {
  name = "ahead",
  entities = {
    { name = "rows", table = "ahead.rows", key = { name = "rows_pkey", "id" }, fields = FIELDS },
    { name = "slow_rows", table = "ahead.slow_rows", key = { name = "slow_pkey", "id" },
      fields = { FIELDS[1], FIELDS[2], FIELDS[3], { name = "napped", type = "int4" } } },
  },
}

describe("each that reads ahead", function()
  local db, other, rows, slow

  setup(function()
    other = must(larder.open(url, { wait = false, pool = { max = 1 } }))
    for _, statement in ipairs(SCHEMA) do must(other:query(statement)) end
  end)
  teardown(function()
    must(other:query "drop schema ahead cascade")
    must(other:query "drop role larder_ahead")
    other:close()
  end)

  local function open(opts)
    opts.pool = opts.pool or { max = 1, min = 0, acquire_timeout = 20 }
    db = must(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "application_name=ahead", opts))
    rows, slow = db:stores("ahead").rows, db:stores("ahead").slow_rows
  end

  before_each(function()
    must(other:query "delete from ahead.naps")
    must(other:query "update ahead.rows set a = id where a <> id")
    open { wait = false }
  end)
  after_each(function() db:close() end)

  local function nap(seconds) must(other:query("insert into ahead.naps values ($1, $2)", SLOW, seconds)) end

  -- Wait until the server is at the page that sleeps.
  local function asleep()
    for _ = 1, 2000 do
      local found = must(other:query [[select pid::int4 from pg_stat_activity
        where application_name = 'ahead' and wait_event = 'PgSleep']])
      if found[1] then return found[1].pid end
      core.sleep(0.01)
    end
    error "the server did not come to the slow page"
  end

  local function idle_again()
    for _ = 1, 2000 do
      if #must(other:query "select from pg_stat_activity where application_name = 'ahead' and state = 'active'") == 0 then return true end
      core.sleep(0.01)
    end
    return false
  end

  -- Goes through all rows; at(n, row) is called for each.
  local function walk(store, opts, at)
    local n = 0
    opts.page, opts.read_ahead = opts.page or PAGE, opts.read_ahead ~= false
    for row in store:each(opts) do
      n = n + 1
      assert.equal(n, row.id)
      if at then at(n, row) end
    end
    return n
  end

  it("sends as many statements as without, and at most one more when it is left early", function()
    local function statements(left, ahead)
      local before, n = db:stats().queries, 0
      local all = rows:each { page = PAGE, read_ahead = ahead }
      for _ in all do
        n = n + 1
        if n == left then break end
      end
      all:close()
      assert.is_true(idle_again())
      return db:stats().queries - before
    end
    for _, left in ipairs { 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, ROWS - 1, ROWS, ROWS + 1 } do
      local plainly, early = statements(left, false), statements(left, true)
      assert.is_true(early == plainly or left > PAGE and left < ROWS and early == plainly + 1, left .. ": " .. plainly .. ", " .. early)
    end
    assert.equal(statements(ROWS + 1, false), statements(ROWS + 1, true))
  end)

  it("leaves the one connection of a pool to the calls of the loop's body", function()
    assert.equal(ROWS, walk(rows, {}, function(n, row)
      if n % 5 == 0 then
        assert.equal(n, must(rows:get(n)).a)
        must(rows:patch(n, { a = n }))
      elseif n % 33 == 0 then
        must(db:transaction(function()
          must(rows:patch(n, { a = n }))
          return rows:get(row.id)
        end))
      elseif n % 120 == 1 then
        local inner = 0
        for _ in rows:each { page = 100, read_ahead = true } do inner = inner + 1 end
        assert.equal(ROWS, inner)
      end
    end))
    nap(0.3)
    assert.equal(ROWS, walk(slow, {}, function(n)
      if n == PAGE + 1 then
        asleep()
        assert.equal(n, must(rows:get(n)).a) -- waits for the page, which waits for nobody
      end
    end))
  end)

  it("lets the loop's body change the table's shape while a large page is under way", function()
    local n = walk(rows, { page = 200 }, function(n)
      if n == 201 or n == 401 then must(other:query "alter table ahead.rows alter a set statistics 100") end
    end)
    assert.equal(ROWS, n)
  end)

  it("shows what a transaction has changed in which the next page is asked for", function()
    local all, n = rows:each { page = PAGE, read_ahead = true }, 0
    while n < 2 * PAGE do
      all()
      n = n + 1
    end
    local _, why = db:transaction(function()
      must(rows:update_where({ id = { gt = n } }, { a = -1 }))
      for row in all do
        n = n + 1
        assert.equal(-1, row.a)
      end
      return nil, "undo"
    end)
    assert.same({ ROWS, "undo" }, { n, why })
  end)

  it("may show a row as it was one page earlier, and no earlier than that", function()
    walk(rows, {}, function(n, row)
      assert.is_true(row.a == row.id or row.a == -1)
      if n == 1 then must(rows:update_where({ id = { gt = 4 * PAGE, lte = 5 * PAGE } }, { a = -1 })) end
      if n > 4 * PAGE and n <= 5 * PAGE then assert.equal(-1, row.a) end
    end)
  end)

  it("gives a page that was left under way back, without waiting for it", function()
    for _, how in ipairs { "close", "break", "error", "collected" } do
      nap(60)
      local started = core.clock()
      local all = slow:each { page = PAGE, read_ahead = true }
      local left = pcall(function()
        for row in all do
          if row.id == PAGE + 1 then
            asleep()
            if how == "error" then error "left" end
            break
          end
        end
      end)
      assert.equal(how ~= "error", left)
      if how ~= "collected" then all:close() end -- Lua 5.4 has done it, unless the loop was left by an error
      all = nil -- luacheck: ignore
      if how == "collected" then
        collectgarbage()
        collectgarbage()
      end
      assert.equal(7, must(rows:get(7)).a) -- on the only connection
      assert.is_true(core.clock() - started < 40)
      assert.is_true(idle_again())
      assert.equal(0, db:stats().busy)
      must(other:query "delete from ahead.naps")
    end
  end)

  it("asks again for a page whose server process was ended", function()
    nap(60)
    local ended
    assert.equal(ROWS, walk(slow, {}, function(n)
      if n == PAGE + 1 then
        local pid = asleep()
        must(other:query "delete from ahead.naps")
        ended = must(other:query("select pg_terminate_backend($1, 10000) as ok", pid))[1].ok
      end
    end))
    assert.is_true(ended)
  end)

  it("counts a page's time from when it is sent, and asks again when it is wanted", function()
    nap(60)
    assert.equal(ROWS, walk(slow, { timeout = 1 }, function(n)
      if n == PAGE + 1 then
        asleep()
        core.sleep(1.2)
        must(other:query "delete from ahead.naps")
      end
    end))
    nap(60)
    local function refused(ahead)
      local seen = 0
      local ok, err = pcall(walk, slow, { timeout = 0.3, read_ahead = ahead }, function(n) seen = n end)
      assert.same({ false, "timeout", 2 * PAGE }, { ok, err.code, seen })
      return tostring(err)
    end
    assert.equal(refused(false), refused(true))
    assert.equal(ROWS, must(rows:count()))
  end)

  it("runs as the view that it was called on", function()
    for tenant = 0, 1 do
      local view = must(db:with { tenant = tostring(tenant), role = "larder_ahead" })
      local n = 0
      for row in view:stores("ahead").rows:each { page = PAGE, read_ahead = true } do
        n = n + 1
        assert.equal(tenant, row.a % 2)
      end
      assert.equal(ROWS / 2, n)
    end
    assert.equal("postgres", must(db:query "select current_user::text as u")[1].u)
  end)

  it("tells listeners one query a page", function()
    local function told(ahead)
      local n = 0
      local remove = db:on("query", function(event)
        assert.is_nil(event.err)
        assert.is_true(event.duration >= 0)
        n = n + (event.op == "each" and 1 or 0)
      end)
      walk(rows, { read_ahead = ahead })
      remove()
      return n
    end
    assert.equal(told(false), told(true))
  end)

  it("is told when the database is closed on the way", function()
    local ok, err = pcall(walk, rows, {}, function(n) if n == 2 * PAGE then db:close() end end)
    assert.same({ false, "closed" }, { ok, err.code })
  end)

  it("reads includes and other orders as without", function()
    local order = {}
    for row in rows:each { order = "b", page = PAGE, read_ahead = true } do order[#order + 1] = row.id end
    assert.equal(ROWS, #order)
    assert.equal(0, db:stats().busy)
  end)

  local found_ffi, ffi = pcall(require, "ffi")
  if found_ffi then -- the reactor's tests in C fork on both
    ffi.cdef "int fork(void); int waitpid(int pid, int *status, int options); void _exit(int status);"

    it("goes on in a forked child and in its parent, each with connections of its own", function()
      for _, seconds in ipairs { 0, 0.5 } do -- the page is here, or under way
        nap(seconds)
        local pid
        local ok = pcall(walk, slow, { timeout = 20 }, function(n)
          if n ~= PAGE + 1 then return end
          if seconds > 0 then asleep() else core.sleep(0.2) end
          pid = ffi.C.fork()
        end)
        if pid == 0 then ffi.C._exit(ok and 42 or 1) end
        local status = ffi.new "int[1]"
        ffi.C.waitpid(pid, status, 0)
        assert.same({ true, 42 * 256 }, { ok, status[0] })
        must(other:query "delete from ahead.naps")
      end
    end)
  end

  for name, loop in pairs(loops) do
    it("runs beside others in " .. name, function()
      db:close()
      open(loop.options)
      local function body(n)
        if n % 40 == 0 then assert.equal(n, must(rows:get(n)).a) end
        if n % 90 == 0 then
          must(db:transaction(function() return rows:patch(n, { a = n }) end))
        end
      end
      local function all() assert.equal(ROWS, walk(rows, {}, body)) end
      local function left()
        for row in rows:each { page = PAGE, read_ahead = true } do
          if row.id == 2 * PAGE + 1 then return end
        end
      end
      loop.run(db, all, left, all, left, all)
      collectgarbage()
      collectgarbage()
      loop.run(db, function() assert.equal(ROWS, must(rows:count())) end)
      assert.is_true(idle_again())
      assert.equal(0, db:stats().busy)
    end)

    if name == "luv" or name == "manual" then -- the others do not resume a coroutine that the program made
      it("gives back what a coroutine that is gone had under way in " .. name, function()
        db:close()
        open(loop.options)
        nap(60)
        local reached = false
        loop.run(db, function()
          coroutine.wrap(function() -- nobody else knows it once it has yielded
            for row in slow:each { page = PAGE, read_ahead = true } do
              if row.id == PAGE + 1 then
                reached = true
                coroutine.yield()
              end
            end
          end)()
          for _ = 1, 10000 do
            if reached then break end
            must(db:query "select 1")
          end
        end)
        assert.is_true(reached)
        asleep()
        collectgarbage()
        collectgarbage()
        loop.run(db, function() assert.equal(ROWS, must(rows:count())) end)
        assert.is_true(idle_again())
      end)
    end
  end
end)
