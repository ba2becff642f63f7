-- Waiting in an event loop: calls yield, and several run at once.

local larder = require "larder"
local core = require "larder.core"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local found, cqueues = pcall(require, "cqueues")

--- Run functions side by side in a cqueues controller; raises the first error.
local function together(...)
  local loop = cqueues.new()
  for _, fn in ipairs { ... } do loop:wrap(fn) end
  must(loop:loop())
end

describe("waiting in cqueues", function()
  if not found then
    pending "lua-cqueues is not installed"
    return
  end

  it("lets several calls wait at once", function()
    local ended = {}
    local function sleeper(db, name, seconds)
      return function()
        must(db:query("select pg_sleep($1)", seconds))
        ended[#ended + 1] = name
      end
    end
    together(function()
      local db = must(larder.open(url))
      local started = core.clock()
      together(sleeper(db, "slow", 2), sleeper(db, "quick", 0.1), sleeper(db, "middle", 1))
      assert.same({ "quick", "middle", "slow" }, ended)
      assert.is_true(core.clock() - started < 3) -- one after the other: more than that
      db:close()
    end)
  end)

  it("runs stores and transactions as anywhere else", function()
    together(function()
      local db = must(larder.open(url))
      must(db:query "drop schema if exists auth cascade")
      if db:query "select from larder.schema_migrations limit 0" then
        must(db:query "delete from larder.schema_migrations where family = 'auth'")
      end
      must(db:migrate "auth")
      local auth = db:stores "auth"
      local function writer(id)
        return function()
          must(db:transaction(function()
            must(auth.tenants:create { id = id, name = id, db_dsn = "x", db_schema = "x" })
            for i = 1, 5 do
              must(auth.users:create { tenant_id = id, id = "u" .. i, username = "u" .. i, email = "u" .. i })
            end
            return true
          end))
        end
      end
      together(writer "a", writer "b", writer "c", writer "d")
      assert.equal(4, auth.tenants:count())
      local n = 0
      for _ in auth.users:each {} do n = n + 1 end
      assert.equal(20, n)
      local _, err = auth.tenants:get "nobody"
      assert.equal("not_found", err.code)
      must(auth.apps:create { tenant_id = "a", id = "app", name = "app" })
      local key, secret = must(auth.app_keys:issue("a", "app", { name = "k" }))
      must(auth.app_keys:verify(secret))
      db:close() -- writes last_used
      db = must(larder.open(url))
      assert.is_string(must(db:stores("auth").app_keys:get(key.id)).last_used)
      db:close()
    end)
  end)

  it("works outside of a controller, too", function()
    local db = assert(larder.open(url))
    assert.is_true(db._wait.name == "cqueues" or db._wait.name == "any") -- with other loop libraries loaded
    assert.equal(1, assert(db:query "select 1::int8 as v")[1].v)
    local rows, err = db:query { "select pg_sleep(5)", timeout = 0.1 }
    assert.is_nil(rows)
    assert.equal("timeout", err.code)
    assert.is_true(db:transaction(function() must(db:query "select 1") end))
    db:close()
    db = assert(larder.open(url, { wait = false }))
    assert.is_false(db._wait)
    db:close()
  end)

  it("keeps a statement's time limit", function()
    together(function()
      local db = must(larder.open(url))
      local rows, err = db:query { "select pg_sleep(5)", timeout = 0.1 }
      assert.is_nil(rows)
      assert.equal("timeout", err.code)
      assert.equal(1, must(db:query "select 1::int8 as v")[1].v)
      db:close()
    end)
  end)
end)

describe("waiting by a function of the caller", function()
  it("is told descriptor, events and seconds", function()
    local waits = 0
    local db = assert(larder.open(url, { wait = function(fd, events, seconds)
      waits = waits + 1
      assert.is_number(fd)
      assert.is_truthy(events == "r" or events == "w" or events == "rw" or events == "")
      assert.is_truthy(seconds == nil or type(seconds) == "number")
    end }))
    assert.equal(1, assert(db:query "select 1::int8 as v")[1].v)
    assert.is_true(waits > 0)
    db:close()
  end)
end)
