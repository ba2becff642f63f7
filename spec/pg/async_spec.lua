-- The writer of insert_async with a server that is not always there.

local larder = require "larder"
local core = require "larder.core"
local engines = require "spec.support.engines"
local lfs = require "lfs"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local found, cqueues = pcall(require, "cqueues")

local function temporary()
  local name = os.tmpname()
  os.remove(name)
  return name
end

--- How many files of rows and dead letters a spill directory holds.
local function files(path)
  local n = 0
  for name in lfs.dir(path) do
    if name:find "%.rows$" then n = n + 1 end
  end
  return n
end

local function remove(path)
  if not lfs.attributes(path) then return end
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then os.remove(path .. "/" .. name) end
  end
  lfs.rmdir(path)
end

local function row(i, text)
  return { tenant_id = "t", title = ("item %05d"):format(i), extra = text and { text = text } }
end

describe("the writer on postgres", function()
  local db, items, path

  before_each(function()
    db = engines[2].fresh "shop"
    items = db:stores("shop").items
    path = temporary()
  end)

  after_each(function()
    remove(path)
  end)

  teardown(engines[2].done)

  local function open(writer, more)
    local opts = { writer = writer }
    for k, v in pairs(more or {}) do opts[k] = v end
    local other = assert(larder.open(url, opts))
    return other, other:stores("shop").items
  end

  -- Rows of the writer have to wait as long as this transaction lasts.
  local function while_locked(fn)
    db:transaction(function()
      assert(db:query "lock table shop.items in access exclusive mode")
      fn()
      return nil, "done"
    end)
  end

  it("does not wait for the server", function()
    local other, theirs = open { queue = 20000 }
    while_locked(function()
      local started = core.clock()
      for i = 1, 10000 do assert(theirs:insert_async(row(i))) end
      assert.is_true(core.clock() - started < 20) -- it would wait for as long as the table is locked
      assert.is_nil(theirs:flush(0.05))
    end)
    assert(theirs:flush(30))
    assert.equal(10000, items:count())
    other:close()
  end)

  it("writes when it is closed, and when it is collected", function()
    local function write(i)
      local other, theirs = open { interval = 60 }
      assert(theirs:insert_async(row(i)))
      return other
    end
    write(1):close()
    assert.equal(1, items:count())
    write(2)
    collectgarbage()
    collectgarbage()
    assert.equal(2, items:count())
  end)

  it("writes when the program ends", function()
    local script = temporary()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local larder = require "larder"
      larder.declare(require "spec.support.shop")
      local db = assert(larder.open(%q, { writer = { interval = 60 } }))
      local items = db:stores("shop").items
      for i = 1, 100 do assert(items:insert_async { tenant_id = "t", title = "item " .. i }) end
      if arg[1] == "exit" then os.exit(0, true) end
    ]]):format(url))
    file:close()
    for _, how in ipairs { "", "exit" } do
      assert(db:query "truncate shop.items cascade")
      os.execute(("tools/lua.sh %s %s %s"):format(os.getenv "LARDER_TEST_LUA" or "lua5.4", script, how))
      assert.equal(100, items:count())
    end
    os.remove(script)
  end)

  it("waits for room with the policy block", function()
    local other, theirs = open { queue = 50, batch = 50, policy = "block", timeout = 0.2 }
    for i = 1, 2000 do assert(theirs:insert_async(row(i))) end
    assert(theirs:flush(30))
    assert.equal(2000, items:count())
    while_locked(function()
      for i = 3001, 3050 do assert(theirs:insert_async(row(i))) end
      local started = core.clock()
      local ok, err = theirs:insert_async(row(3051))
      assert.is_nil(ok)
      assert.equal("capacity", err.code)
      assert.is_true(core.clock() - started >= 0.19)
    end)
    assert(theirs:flush(30))
    assert.equal(2050, items:count())
    other:close()
  end)

  it("has room for rows of a limited size together", function()
    local other, theirs = open { queue_bytes = 200000 }
    while_locked(function()
      local large = ("x"):rep(90000)
      for i = 1, 3 do assert(theirs:insert_async(row(i, large))) end
      local stats = theirs:writer_stats()
      assert.is_true(stats.bytes > 270000 and stats.bytes < 280000, stats.bytes)
      local ok, err = theirs:insert_async(row(4))
      assert.is_nil(ok)
      assert.equal("capacity", err.code)
      assert.matches("3 rows wait, 27%d%d%d%d bytes", err.message)
    end)
    assert(theirs:flush(30))
    assert.equal(0, theirs:writer_stats().bytes)
    assert(theirs:insert_async(row(4)))
    assert(theirs:flush(30))
    assert.equal(4, items:count())
    other:close()
  end)

  it("refuses, or drops and counts, when there is no room", function()
    for _, policy in ipairs { "error", "drop" } do
      local other, theirs = open { queue = 10, policy = policy }
      while_locked(function()
        for i = 1, 10 do assert(theirs:insert_async(row(i))) end
        local ok, err = theirs:insert_async(row(11))
        if policy == "drop" then
          assert.is_true(ok)
        else
          assert.is_nil(ok)
          assert.equal("capacity", err.code)
          assert.equal("shop.items", err.store)
        end
      end)
      assert(theirs:flush(30))
      assert.equal(policy == "drop" and 1 or 0, theirs:writer_stats().dropped)
      assert.equal(10, items:count())
      assert(db:query "truncate shop.items cascade")
      other:close()
    end
  end)

  it("FT-w9 keeps rows in files when the server is away at the end", function()
    local lost = {}
    local other, theirs = open { queue = 100, policy = "spill", spill = path, close_timeout = 0.1, timeout = 60 }
    other:on("error", function(event) lost[#lost + 1] = event end)
    while_locked(function()
      for i = 1, 300 do assert(theirs:insert_async(row(i))) end
      local started = core.clock()
      other:close()
      assert.is_true(core.clock() - started < 15)
      assert.equal(300, theirs:writer_stats().spilled)
    end)
    assert.same({}, lost)
    assert.equal(0, theirs:writer_stats().dropped)
    assert.is_true(files(path) > 0)
    assert.equal("rwx------", lfs.attributes(path, "permissions"))
    other, theirs = open { policy = "spill", spill = path } -- it begins with the file
    assert(other:flush(30))
    assert.equal(300, theirs:writer_stats().replayed)
    assert.equal(300, items:count())
    other:close()
    assert.equal(0, files(path))
  end)

  it("tells how many rows were lost at the end", function()
    local lost = {}
    local other, theirs = open { close_timeout = 0.1 }
    other:on("error", function(event) lost[#lost + 1] = event end)
    while_locked(function()
      for i = 1, 5 do assert(theirs:insert_async(row(i))) end
      other:close()
    end)
    assert.equal(1, #lost)
    assert.matches("5 rows", lost[1].err.message, 1, true)
    assert.equal(5, theirs:writer_stats().dropped)
  end)

  it("FT-w4 leaves rows of a family that is not declared in its files", function()
    larder.declare {
      name = "shed",
      entities = { {
        name = "tools", table = "shop.items", fields = { { name = "id", type = "text" } },
        key = { name = "items_pkey", "id" },
      } },
    }
    local other = open { policy = "spill", spill = path, close_timeout = 0, timeout = 1 }
    while_locked(function()
      assert(other:stores("shed").tools:insert_async { id = "hammer" })
      other:close()
    end)
    local script = temporary()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local larder = require "larder"
      local db = assert(larder.open(%q, { writer = { policy = "spill", spill = %q } }))
      assert(db:flush(5))
      os.exit(db:metrics():find("larder_writer_unclaimed 1\n", 1, true) and 0 or 1, true)
    ]]):format(url, path))
    file:close()
    local ok = os.execute(("tools/lua.sh %s %s"):format(os.getenv "LARDER_TEST_LUA" or "lua5.4", script))
    assert.is_true(ok == true or ok == 0)
    os.remove(script)
    assert.equal(1, files(path))
  end)

  it("answers at open when the file cannot be had", function()
    local other, err = larder.open(url, { writer = { policy = "spill", spill = "/nonexistent/rows" } })
    assert.is_nil(other)
    assert.matches("spill file", err.message, 1, true)
  end)

  it("refuses a spill file of an earlier format, and names it", function()
    local file = assert(io.open(path, "wb"))
    file:write "LDR1\1 and so on"
    file:close()
    local other, err = larder.open(url, { writer = { policy = "spill", spill = path } })
    assert.is_nil(other)
    assert.matches(path, err.message, 1, true)
    assert.matches("earlier format", err.message, 1, true)
    os.remove(path)
  end)

  -- As in the trial: one row of a store whose table is missing, and 400 of a good one.
  it("FT-w16 a store without a table pauses alone, and says so at once", function()
    assert(db:query "drop table if exists shop.parked_later")
    larder.declare {
      name = "hol",
      entities = {
        { name = "bad", table = "shop.parked_later", fields = { { name = "id", type = "text" } }, key = { name = "parked_pkey", "id" } },
        {
          name = "good", table = "shop.visits",
          fields = {
            { name = "id", type = "int8" }, { name = "page", type = "text" }, { name = "at", type = "timestamptz", stamp = "insert" },
          },
          key = { name = "visits_pkey", "id" },
        },
      },
    }
    local other = assert(larder.open(url, { writer = { queue = 200, batch = 50, interval = 0.01, policy = "block", close_timeout = 60 } }))
    local stores, heard = other:stores "hol", {}
    for _, name in ipairs { "parked", "resumed" } do
      other:on(name, function(event) heard[#heard + 1] = { name, event.store, event.err and event.err.code } end)
    end
    assert(stores.bad:insert_async { id = "x" })
    for i = 1, 400 do assert(stores.good:insert_async { id = i, page = "/" }) end
    local deadline = core.clock() + 60
    repeat
      local stats = stores.good:writer_stats()
    until stats.stores["hol.good"].depth == 0 and stats.parked == 1 or core.clock() > deadline
    assert.equal(400, db:stores("shop").visits:count())
    local stats = stores.good:writer_stats()
    assert.equal(1, stats.parked)
    assert.is_true(stats.stores["hol.bad"].parked)
    assert.equal("syntax", stats.stores["hol.bad"].err.code)
    assert.is_false(stats.stores["hol.good"].parked)
    assert.equal(0, stats.rejected)
    assert.same({ { "parked", "hol.bad", "syntax" } }, heard)
    assert.matches("\nlarder_writer_parked 1\n", other:metrics())
    assert.is_nil(other:flush(0.1))
    assert(db:query "create table shop.parked_later (id text constraint parked_pkey primary key)")
    assert(other:flush(30))
    assert.equal(1, #assert(db:query "select from shop.parked_later"))
    assert.same({ "resumed", "hol.bad" }, heard[2])
    assert.equal(0, stores.good:writer_stats().parked)
    assert(db:query "drop table shop.parked_later")
    assert(stores.bad:insert_async { id = "y" }) -- and it does not hold up the end
    local started = core.clock()
    other:close()
    assert.is_true(core.clock() - started < 20)
    assert.equal(1, stores.good:writer_stats().dropped)
  end)

  it("FT-w17 a locked row holds up no other store", function()
    local visits = db:stores("shop").visits
    local other, theirs = open { interval = 0.01, timeout = 60, batch = 10 }
    local others = other:stores("shop").visits
    while_locked(function()
      for i = 1, 30 do assert(theirs:insert_async(row(i))) end
      core.sleep(0.05) -- the first of them are on their way
      local started = core.clock()
      for i = 1, 50 do assert(others:insert_async { id = 1000 + i, page = "/" }) end
      repeat core.sleep(0.005) until theirs:writer_stats().stores["shop.visits"].depth == 0 or core.clock() - started > 20
      assert.is_true(core.clock() - started < 20) -- not until the lock is gone
    end)
    assert(other:flush(30))
    assert.equal(30, items:count())
    assert.equal(50, visits:count())
    other:close()
  end)

  it("FT-w18 what row-level security refuses is a dead letter; missing rights are not", function()
    assert(db:query "drop role if exists larder_writer_spec")
    assert(db:query "create role larder_writer_spec")
    assert(db:query "grant usage on schema shop to larder_writer_spec")
    assert(db:query "alter table shop.items enable row level security")
    assert(db:query "create policy mine on shop.items using (true) with check (tenant_id = 't')")
    local other
    finally(function()
      if other then other:close() end
      assert(db:query "drop policy mine on shop.items")
      assert(db:query "alter table shop.items disable row level security")
      assert(db:query "drop owned by larder_writer_spec")
      assert(db:query "drop role larder_writer_spec")
    end)
    assert(db:query "alter role larder_writer_spec nologin")
    local url_as = url .. (url:find("?", 1, true) and "&" or "?") .. "options=-c%20role%3Dlarder_writer_spec"
    other = assert(larder.open(url_as, { writer = { interval = 0.01, timeout = 1 } }))
    local theirs = other:stores("shop").items
    assert(theirs:insert_async(row(1)))
    repeat core.sleep(0.01) until theirs:writer_stats().parked == 1 -- no right to the table: the row waits
    assert.equal("permission", theirs:writer_stats().stores["shop.items"].err.code)
    assert.equal(0, theirs:writer_stats().rejected)
    assert(db:query "grant select, insert on shop.items to larder_writer_spec")
    local foreign = row(2)
    foreign.tenant_id = "other"
    assert(theirs:insert_async(foreign))
    assert(theirs:insert_async(row(3)))
    assert(theirs:flush(30))
    assert.equal(2, items:count())
    local list = assert(assert(other:dead_letters()):list())
    assert.equal(1, #list)
    assert.equal("permission", list[1].err.code)
    assert.equal("42501", list[1].err.sqlstate)
    assert.equal("item 00002", list[1].row.title)
  end)

  it("FT-w20 kill -9 while rows go into files, and while they come back", function()
    local script, note = temporary(), temporary()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local larder = require "larder"
      larder.declare(require "spec.support.shop")
      local db = assert(larder.open(%q, { writer = { policy = "spill", spill = %q, queue = 100, batch = 50, interval = 0.01 } }))
      local items = db:stores("shop").items
      local field, enough = arg[1], tonumber(arg[2])
      if field == "spilled" then
        for i = 1, 3000 do assert(items:insert_async { tenant_id = "t", title = ("item %%05d"):format(i) }) end
      end
      local stats
      repeat stats = items:writer_stats() until stats[field] >= enough
      local file = assert(io.open(%q, "w"))
      file:write(stats.spilled)
      file:close()
      os.execute("kill -9 " .. io.open("/proc/self/stat"):read "n")
    ]]):format(url, path, note))
    file:close()
    local function run(field, enough)
      os.execute(("tools/lua.sh %s %s %s %d >/dev/null 2>&1"):format(os.getenv "LARDER_TEST_LUA" or "lua5.4", script, field, enough))
    end
    while_locked(function() run("spilled", 2000) end)
    local promised = tonumber(io.open(note):read "a")
    assert.is_true(promised >= 2000)
    for _ = 1, 2 do run("written", 300) end
    local other, theirs = open { policy = "spill", spill = path }
    assert(other:flush(30))
    local stats = theirs:writer_stats()
    assert.equal(0, stats.damaged)
    assert.equal(0, stats.rejected)
    assert.is_true(items:count() >= promised)
    assert.equal(items:count(), db:query("select count(distinct title) as n from shop.items")[1].n)
    other:close()
    assert.equal(0, files(path))
    os.remove(script)
    os.remove(note)
  end)

  it("FT-w21 a full disk refuses new rows and loses none that was accepted", function()
    local other, theirs = open { policy = "spill", spill = path, spill_bytes = 30000, queue = 50, batch = 50 }
    local accepted, refused = 0, nil
    while_locked(function()
      for i = 1, 5000 do
        local ok, err = theirs:insert_async(row(i))
        accepted = accepted + (ok and 1 or 0)
        refused = refused or err
        if err then break end
        if i % 100 == 0 then core.sleep(0.01) end
      end
      assert.equal("capacity", refused.code)
      assert.matches("limit", refused.message, 1, true)
    end)
    assert(other:flush(30))
    assert.equal(accepted, items:count())
    while_locked(function() -- and there is room in the directory again
      local deadline = core.clock() + 30
      for i = 1, 120 do
        while not theirs:insert_async(row(10000 + i)) do
          assert.is_true(core.clock() < deadline)
          core.sleep(0.05)
        end
      end
    end)
    assert(other:flush(30))
    other:close()
    assert.equal(accepted + 120, items:count())
  end)

  it("FT-w19 dead letters survive, are seen by every process, and are replayed", function()
    assert(items:create { tenant_id = "t", title = "item 00001" })
    local other, theirs = open { spill = path, interval = 0.01 }
    for i = 1, 3 do assert(theirs:insert_async(row(i))) end
    assert(theirs:flush(30))
    other:close()
    assert.equal(1, files(path))
    other = open { spill = path, interval = 0.01 }
    local third = assert(larder.open(url, { writer = { spill = path } }))
    for _, handle in ipairs { other, third } do
      local list = assert(assert(handle:dead_letters()):list "shop.items")
      assert.equal(1, #list)
      assert.equal("conflict", list[1].err.code)
      assert.equal("items_title_key", list[1].err.constraint)
      assert.equal("item 00001", list[1].row.title)
    end
    local letters = assert(other:dead_letters())
    assert.equal(1, letters:replay()) -- refused again: another letter
    assert(other:flush(30))
    assert.equal(1, letters:count())
    assert(items:delete_where { title = "item 00001" })
    assert.equal(1, letters:replay "shop.items")
    assert(other:flush(30))
    assert.equal(0, letters:count())
    assert.equal(3, items:count())
    assert.equal(0, files(path))
    assert.equal(0, assert(third:dead_letters()):count())
    third:close()
    other:close()
  end)

  it("holds up no event loop", function()
    if not found then return pending "lua-cqueues is not installed" end
    local ticks, loop, done = 0, cqueues.new(), false
    loop:wrap(function()
      local other, theirs = open({ queue = 50, batch = 50, policy = "block", timeout = 5 }, { wait = nil })
      for i = 1, 1000 do assert(theirs:insert_async(row(i))) end
      assert(theirs:flush(30))
      assert(theirs:insert_async(row(1001)))
      other:close()
      done = true
    end)
    loop:wrap(function()
      while not done do
        ticks = ticks + 1
        cqueues.sleep(0.001)
      end
    end)
    assert(loop:loop())
    assert.equal(1001, items:count())
    assert.is_true(ticks > 5)
  end)
end)
