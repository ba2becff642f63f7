-- A call that blocks makes the row that it expects to answer while the server works. Lua runs meanwhile, if only its collector
-- with its finalizers: nothing of that may show, in what is answered, in what is stored and in what can be done next.

local larder = require "larder"
local failing_state = require "spec.support.failing_state"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local FAMILY = [[{ name = "ahead_answer", entities = { { name = "rows", table = "public.ahead_rows",
  key = { name = "ahead_rows_pkey", "id" }, uniques = { { name = "ahead_rows_name_key", "name" } },
  fields = { { name = "id", type = "int4" }, { name = "name", type = "text" }, { name = "doc", type = "jsonb", null = true } } } } }]]

-- Many tables to make: this is where the collector runs. Every other document is copied while its text is made, the others, with
-- their object of many members, are read from the text while the server works.
local wide = false
local function document(n)
  local doc = {}
  for i = 1, n do doc[i] = { at = { i, { tag = "t" .. i } } } end
  wide = not wide
  if wide then
    local object = {}
    for i = 1, 20 do object["m" .. i] = i end
    doc[n + 1] = object
  end
  return doc
end

--- The collector often, also where a long run has left it much to go through. Returns what sets it back.
local function hurry_collector()
  local pause = collectgarbage("setpause", 10)
  local step = collectgarbage("setstepmul", rawget(_G, "jit") and 20000 or 1000)
  return function()
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
  end
end

local quiet -- objects of an earlier test are done with

--- An object whose finalizer is fn.
local function finalized(fn)
  local of = quiet
  local function run()
    if quiet == of then fn() end
  end
  if rawget(_G, "jit") then
    getmetatable(newproxy(true)).__gc = run -- luacheck: ignore 113
  else
    setmetatable({}, { __gc = run })
  end
end

describe("a row that is answered as expected #pg", function()
  local db, other, rows

  before_each(function()
    quiet = {}
    other = assert(larder.open(url))
    assert(other:query "drop table if exists public.ahead_rows cascade")
    assert(other:query [[create table public.ahead_rows (id integer primary key, name text collate "C" not null, doc jsonb,
      constraint ahead_rows_name_key unique (name))]])
    if not db then larder.declare(assert((loadstring or load)("return " .. FAMILY))()) end -- luacheck: ignore 113 143
    db = assert(larder.open(url, { wait = false, pool = { max = 1, acquire_timeout = 2 } }))
    rows = db:stores("ahead_answer").rows
    for id = 1, 4 do -- two by itself, two in transactions: from now on the connection has its proofs
      if id < 3 then
        assert(rows:create { id = id, name = "n" .. id })
      else
        assert(db:transaction(function() return rows:create { id = id, name = "n" .. id } end))
      end
    end
  end)

  after_each(function()
    quiet = nil
    db:close()
    other:query "drop table if exists public.ahead_rows cascade"
    other:close()
  end)

  local function stored(id) return assert(other:stores("ahead_answer").rows:get(id)) end

  --- Creates rows from id on while finalizers run `meanwhile`, until that ran `times` times; alone or in transactions.
  -- several: each by an insert of three.
  local function create_while(meanwhile, times, id, run, several)
    local ran, made = 0, {}
    local calm_collector = hurry_collector()
    local ok, why = pcall(function()
      while ran < times do
        for _ = 1, 5 do
          finalized(function()
            ran = ran + 1
            meanwhile(ran)
          end)
        end
        run(function()
          local given = {}
          for i = 1, several and 3 or 1 do given[i] = { id = id + i, name = "n" .. id + i, doc = document(40) } end
          local created = assert(several and rows:create_many(given, { returning = true }) or { assert(rows:create(given[1])) })
          for i, row in ipairs(created) do made[id + i] = row end
          id = id + #given
        end)
        assert.is_true(id < 50000, "the collector does not run")
      end
    end)
    calm_collector()
    assert(ok, why)
    for n, row in pairs(made) do assert.same(stored(n), row) end
  end

  local function alone(fn) return fn() end
  local function in_transaction(fn) assert(db:transaction(fn)) end

  for name, run in pairs { ["alone"] = alone, ["in a transaction"] = in_transaction } do
    it("is right, " .. name .. ", while finalizers use the same connection", function()
      local wrong, made = nil, 0
      create_while(function(n)
        local id = 100000 + n
        local row, err = rows:create { id = id, name = "f" .. id, doc = document(3) }
        if not row then wrong = err else made = made + 1 end
        row, err = rows:get(1)
        if not row or row.name ~= "n1" then wrong = err or row end
        row, err = db:query("select $1::int4 as n", n)
        if not row or row[1].n ~= n then wrong = err or row end
        row, err = db:transaction(function() -- of its own, or a savepoint
          assert(rows:exists(2))
          return rows:create { id = 1, name = "x" .. n }
        end)
        if row or err.code ~= "conflict" then wrong = err or row end
      end, 20, 10, run)
      assert.is_nil(wrong)
      assert.equal(made, assert(other:query "select count(*)::int8 as n from ahead_rows where id > 100000")[1].n)
    end)

    it("is right in a list of several, " .. name .. ", while finalizers use the same connection", function()
      local wrong
      local function create_two(id, label)
        return rows:create_many({ { id = id, name = "f" .. label }, { id = 100000 + id, name = "g" .. label } }, { returning = true })
      end
      for i = 1, 3 do -- the connection has the proof of these, too
        run(function() return create_two(-i, "m" .. i) end)
      end
      create_while(function(n)
        local made, err = create_two(200000 + n, n)
        if not made or made[2].name ~= "g" .. n then wrong = err or made end
        made, err = rows:get(1)
        if not made or made.name ~= "n1" then wrong = err or made end
      end, 20, 10, run, true)
      assert.is_nil(wrong)
    end)
  end

  it("is what was stored where a finalizer changes the caller's row meanwhile", function()
    local changed, id = 0, 10
    local calm_collector = hurry_collector()
    while changed < 10 and id < 50000 do
      id = id + 1
      local given = { id = id, name = "n" .. id, doc = document(40) }
      finalized(function()
        changed = changed + 1
        for i = 1, 40 do given.doc[i].at[2] = { "another" } end
        given.name = "other" .. id
      end)
      assert.same(assert(rows:create(given)), stored(id))
    end
    calm_collector()
    assert.is_true(changed >= 10)
  end)

  it("is an ordinary error where a finalizer closes the database", function()
    local closed = false
    local calm_collector = hurry_collector()
    local id = 10
    while not closed and id < 50000 do
      finalized(function()
        closed = true
        db:close()
      end)
      local made, err = rows:create { id = id, name = "n" .. id, doc = document(40) }
      assert(made or err.code == "closed", tostring(err))
      id = id + 1
    end
    calm_collector()
    assert.is_true(closed)
    local row, err = rows:create { id = 1, name = "n" }
    assert.is_nil(row)
    assert.equal("closed", err.code)
  end)

  if not rawget(_G, "jit") then -- which does not survive that, whatever was called
    it("leaves the connection well when a finalizer raises", function()
      local raised, id = 0, 10
      local calm_collector = hurry_collector()
      while raised < 10 and id < 50000 do
        finalized(function()
          raised = raised + 1
          error "from a finalizer"
        end)
        assert(rows:create { id = id, name = "n" .. id, doc = document(40) })
        id = id + 1
      end
      calm_collector()
      quiet = nil
      assert.is_true(raised >= 10)
      assert.equal("n1", assert(rows:get(1)).name)
      assert(rows:create { id = 60000, name = "n60000" })
    end)
  end

  it("is refused as ever", function()
    for _, run in ipairs { alone, function(fn) assert.is_nil((db:transaction(fn))) end } do
      local row, err
      run(function()
        row, err = rows:create { id = 1, name = "again" }
        return row, err
      end)
      assert.is_nil(row)
      assert.same({ "conflict", "ahead_rows_pkey", "create" }, { err.code, err.constraint, err.op })
      run(function()
        row, err = rows:create { id = 9, name = "n1" }
        return row, err
      end)
      assert.is_nil(row)
      assert.equal("ahead_rows_name_key", err.constraint)
    end
    assert(rows:create { id = 9, name = "n9" })
  end)

  it("keeps to its timeout", function()
    local row, err
    assert(other:transaction(function(tx)
      assert(tx:query "lock table public.ahead_rows")
      row, err = rows:create({ id = 9, name = "n9" }, { timeout = 0.2 })
    end))
    assert.is_nil(row)
    assert.equal("timeout", err.code)
    assert.is_nil((other:stores("ahead_answer").rows:get(9)))
    assert(rows:create { id = 9, name = "n9" })
  end)

  it("is an error where the connection ends", function()
    assert(other:query [[create or replace function public.ahead_end() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$]])
    assert(other:query [[create trigger ahead_end before insert on public.ahead_rows for each row
      execute function public.ahead_end()]])
    local row, err = rows:create { id = 9, name = "n9" }
    assert.is_nil(row)
    assert.equal("connection", err.code)
    assert(other:query "drop trigger ahead_end on public.ahead_rows")
    assert(other:query "drop function public.ahead_end()")
    assert.same({ id = 9, name = "n9" }, assert(rows:create { id = 9, name = "n9" }))
  end)

  -- In a state of its own, of which every allocation from the n-th on fails, for each n: `not enough memory` is raised, and the
  -- one connection and the transaction are what they would be without.
  local SHORT = [[
    local larder = require "larder"
    larder.declare(FAMILY)
    local db = assert(larder.open(URL, { wait = false, pool = { max = 1, acquire_timeout = 5 } }))
    local rows = db:stores("ahead_answer").rows
    local id = 100
    local function row()
      id = id + 1
      return { id = id, name = "s" .. id, doc = { a = { 1, { b = "c" .. id } }, d = "e" .. id, f = {} } }
    end
    local function create(given) return rows:create(given[1]) end
    local function create_many(given) return rows:create_many(given, { returning = true })[1] end
    local function attempt(n, way)
      local list = { row(), row() }
      local given = list[1]
      fail_from(n)
      local ok, made = pcall(way, list)
      local failed = fail_from(0)
      if ok then assert(made.doc.a[2].b == given.doc.a[2].b) else assert(tostring(made):find "not enough memory", made) end
      assert(failed or ok, "raised for no reason")
      assert(rows:exists(given.id) or not ok, "not stored") -- the connection is free, the transaction goes on
      assert(rows:create(row()).name == "s" .. id)
      return failed
    end
    for _, run in ipairs { function(fn) return fn() end, function(fn) return assert(db:transaction(fn)) end } do
      for _, way in ipairs { create, create_many } do
        for _ = 1, 3 do run(function() return assert(way { row(), row() }) end) end
        local n, failed = 0, nil
        repeat
          n = n + 1
          run(function()
            failed = attempt(n, way)
            return true
          end)
        until not failed
        assert(n > 5, "fewer allocations than tables: " .. n)
      end
    end
    db:close()
  ]]

  it("or is not made for want of memory", function()
    local run = failing_state()
    if not run then return pending "no C compiler for the failing state" end
    local source = ("local FAMILY, URL = %s, %q\n"):format(FAMILY, url) .. SHORT
    local ok, message = run(source, 0, package.path, package.cpath)
    assert.is_true(ok, message)
  end)
end)
