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

local function size(path)
  return lfs.attributes(path, "size")
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
    for _, suffix in ipairs { "", ".1", ".2" } do os.remove(path .. suffix) end
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
      assert.is_true(core.clock() - started < 1)
      assert.is_nil(theirs:flush(0.05))
    end)
    assert(theirs:flush(20))
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
    assert(theirs:flush(10))
    assert.equal(2000, items:count())
    while_locked(function()
      for i = 3001, 3050 do assert(theirs:insert_async(row(i))) end
      local started = core.clock()
      local ok, err = theirs:insert_async(row(3051))
      assert.is_nil(ok)
      assert.equal("capacity", err.code)
      assert.is_true(core.clock() - started >= 0.19)
    end)
    assert(theirs:flush(10))
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
    assert(theirs:flush(10))
    assert.equal(0, theirs:writer_stats().bytes)
    assert(theirs:insert_async(row(4)))
    assert(theirs:flush(10))
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
      assert(theirs:flush(10))
      assert.equal(policy == "drop" and 1 or 0, theirs:writer_stats().dropped)
      assert.equal(10, items:count())
      assert(db:query "truncate shop.items cascade")
      other:close()
    end
  end)

  it("FT-w9 keeps rows in a file when the server is away at the end", function()
    local lost = {}
    local other, theirs = open { queue = 100, policy = "spill", spill = path, close_timeout = 0.1 }
    other:on("error", function(event) lost[#lost + 1] = event end)
    while_locked(function()
      for i = 1, 300 do assert(theirs:insert_async(row(i))) end
      assert.is_true(theirs:writer_stats().spilled >= 200)
      local started = core.clock()
      other:close()
      assert.is_true(core.clock() - started < 1.5)
    end)
    assert.same({}, lost)
    assert.equal(0, theirs:writer_stats().dropped)
    assert.is_true(size(path) > 0)
    assert.equal("rw-------", lfs.attributes(path, "permissions"))
    other, theirs = open { policy = "spill", spill = path } -- it begins with the file
    assert(other:flush(10))
    assert.equal(300, theirs:writer_stats().replayed)
    assert.equal(300, items:count())
    assert.equal(0, size(path))
    other:close()
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

  it("FT-w4 leaves rows of a family that is not declared in the file", function()
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
      os.exit(db:metrics():find("larder_writer_in_file 1\n", 1, true) and 0 or 1, true)
    ]]):format(url, path))
    file:close()
    local ok = os.execute(("tools/lua.sh %s %s"):format(os.getenv "LARDER_TEST_LUA" or "lua5.4", script))
    assert.is_true(ok == true or ok == 0)
    os.remove(script)
    assert.is_true(size(path) > 0)
  end)

  it("answers at open when the file cannot be had", function()
    local other, err = larder.open(url, { writer = { policy = "spill", spill = "/nonexistent/rows" } })
    assert.is_nil(other)
    assert.matches("spill file", err.message, 1, true)
  end)

  it("holds up no event loop", function()
    if not found then return pending "lua-cqueues is not installed" end
    local ticks, loop, done = 0, cqueues.new(), false
    loop:wrap(function()
      local other, theirs = open({ queue = 50, batch = 50, policy = "block", timeout = 5 }, { wait = nil })
      for i = 1, 1000 do assert(theirs:insert_async(row(i))) end
      assert(theirs:flush(10))
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
