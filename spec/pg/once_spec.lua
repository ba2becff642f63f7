-- What calls send, by the engine's counters: a statement is parsed once a connection, and a call is one exchange.

local larder = require "larder"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("nothing is sent twice:", function()
  local db, store

  setup(function()
    db = assert(larder.open(url .. "&pool_min_conns=1&pool_max_conns=1"))
    assert(db:query "drop schema if exists once cascade")
    assert(db:query "create schema once")
    assert(db:query [[create table once.items (id int8 not null, name text not null, hits int8 not null,
      constraint items_pkey primary key (id))]])
    larder.declare { name = "once", entities = { {
      name = "items", table = "once.items", key = { name = "items_pkey", "id" },
      fields = { { name = "id", type = "int8" }, { name = "name", type = "text" }, { name = "hits", type = "int8", default = 0 } },
    } } }
    store = db:stores("once").items
  end)

  teardown(function()
    db:query "drop schema if exists once cascade"
    db:close()
  end)

  -- How many statements fn(i) parses and how many exchanges it makes, in n calls after a first one.
  local function spent(n, fn)
    assert(fn(0))
    local before = db:stats()
    for i = 1, n do assert(fn(i)) end
    local after = db:stats()
    return tonumber(after.prepares - before.prepares), tonumber(after.queries - before.queries)
  end

  local made = 0
  local function create()
    made = made + 1
    return store:create { id = made, name = "item" }
  end

  local CALLS = {
    create = create,
    get = function() return store:get(1) end,
    exists = function() return store:exists(1) end,
    patch = function(i) return store:patch(1, { name = "item " .. i }) end,
    find = function() return store:find { id = 1 } end,
    list = function() return store:list { where = { id = { lte = 3 } }, order = "name", limit = 2 } end,
    update = function() return store:update { id = 1, name = "item", hits = 1 } end,
    upsert = function() return store:upsert { id = 1, name = "item" } end,
    count = function() return store:count { id = 1 } end,
    get_many = function(i) return store:get_many { 1, 2, i } end,
    update_where = function(i) return store:update_where({ id = 1 }, { name = "item " .. i }) end,
    delete = function(i) return store:delete(1000 + i) end,
    delete_where = function(i) return store:delete_where { id = 1000 + i } end,
    create_many = function()
      made = made + 2
      return store:create_many { { id = made - 1, name = "one" }, { id = made, name = "two" } }
    end,
    ["create_many that returns its rows"] = function()
      made = made + 2
      return store:create_many({ { id = made - 1, name = "one" }, { id = made, name = "two" } }, { returning = true })
    end,
    ["a patch of a row that is larger than a page"] = function(i) return store:patch(1, { name = ("x"):rep(9000) .. i }) end,
  }

  for name, call in pairs(CALLS) do
    it(name .. " is one exchange, and parses nothing", function()
      assert(create())
      local parses, exchanges = spent(20, call)
      assert.equal(0, parses)
      assert.equal(20, exchanges)
    end)
  end

  it("a transaction of two statements is two exchanges and its end, and parses nothing", function()
    local before = db:stats().commits
    local parses, exchanges = spent(20, function(i)
      return db:transaction(function()
        local row = assert(store:get(1))
        return store:patch(row.id, { name = "in " .. i })
      end)
    end)
    assert.equal(0, parses)
    assert.equal(40, exchanges)
    assert.equal(21, tonumber(db:stats().commits - before))
  end)

  it("a statement is parsed once on a connection, whatever it runs in", function()
    assert(db:transaction(function() return store:get(1) or true end)) -- BEGIN is one, too
    local before = db:stats().prepares
    local function call() return store:list { where = { name = "nobody", hits = 7 }, limit = 5 } end
    assert(call())
    assert(db:transaction(call))
    assert(db:transaction(function() return db:transaction(call) end))
    assert.equal(1, tonumber(db:stats().prepares - before))
  end)

  -- What the server was sent while fn ran, as its log tells: "execute ldr_…: select …", "statement: commit".
  local function logged(fn)
    local log = assert(io.open((assert(os.getenv "LARDER_TEST_PGLOG", "LARDER_TEST_PGLOG is not set"))))
    log:seek "end"
    fn()
    local lines = {}
    for line in log:lines() do
      local how, text = line:match "LOG:  (%a+ ?[%w_<>]*): (.*)$"
      if how then lines[#lines + 1] = { how = how, text = text } end
    end
    log:close()
    return lines
  end

  it("the end of a transaction is one message, and its begin is parsed once", function()
    assert(create())
    local other = assert(larder.open(url .. "&pool_max_conns=1&options=-c%20log_statement%3Dall"))
    local items = other:stores("once").items
    local function patch(ends)
      return function()
        other:transaction(function()
          assert(items:patch(1, { name = "logged" }))
          return ends, ends == nil and "left" or nil
        end)
      end
    end
    patch(true)()
    for ends, word in pairs { [true] = "commit", [false] = "rollback" } do
      local lines = logged(patch(ends or nil))
      assert.is_true(#lines >= 3)
      assert.matches("^execute ldr_", lines[1].how) -- and not parsed again
      assert.equal("begin", lines[1].text)
      assert.same({ how = "statement", text = word }, lines[#lines])
    end
    other:close()
  end)
end)
