-- larder.testing: what a test suite of a user's is helped with.

local larder = require "larder"
local testing = require "larder.testing"

local must = larder.must

describe("larder.testing", function()
  local db, auth

  before_each(function()
    db = must(larder.open "memory:")
    auth = db:stores "auth"
  end)

  after_each(function() db:close() end)

  local function tenant(id) return { id = id, name = id, db_dsn = "d", db_schema = "s" } end

  describe("rolled_back", function()
    local ran
    local function runner(name, fn)
      ran = name
      return fn()
    end

    it("undoes what a test did, what it committed, too", function()
      testing.rolled_back(runner, function() return db end)("a test", function(tx)
        assert.is_true(tx:active())
        must(auth.tenants:create(tenant "a"))
        must(db:transaction(function() return auth.tenants:create(tenant "b") end))
        assert.equal(2, must(auth.tenants:count(larder.all {})))
      end)
      assert.equal("a test", ran)
      assert.equal(0, must(auth.tenants:count(larder.all {})))
    end)

    it("lets a test fail with its own words", function()
      local it_ = testing.rolled_back(runner, db)
      local ok, why = pcall(it_, "fails", function() error "the stock is wrong" end)
      assert.is_false(ok)
      assert.matches("the stock is wrong", why, 1, true)
      ok, why = pcall(it_, "fails with a table", function() error { message = "of the runner" } end)
      assert.is_false(ok)
      assert.same({ message = "of the runner" }, why)
      assert.is_false(db:in_transaction())
    end)

    it("says when there is no database, or no runner", function()
      assert.has_error(function() testing.rolled_back("it", db) end)
      assert.has_error(function() testing.rolled_back(runner, "db")("x", function() end) end)
      local closed = must(larder.open "memory:")
      closed:close()
      local ok, why = pcall(testing.rolled_back(runner, closed), "x", function() end)
      assert.is_false(ok)
      assert.equal("closed", why.code)
    end)
  end)

  it("freezes the clock and counts ids, until it is thawed", function()
    local frozen = testing.freeze(db, "2026-05-01T10:00:00Z")
    local ok, why = pcall(function()
      local row = must(auth.tenants:create(tenant "a"))
      assert.equal("2026-05-01T10:00:00.000000Z", row.created_at)
      assert.equal("2026-05-01T10:00:01.500000Z", frozen:advance(1.5))
      assert.equal("2026-05-01T10:00:01.500000Z", must(auth.tenants:patch("a", { name = "b" })).updated_at)
      assert.equal("00000000-0000-4000-8000-000000000001", require("larder.core").uuid())
      assert.has_error(function() frozen:advance "soon" end)
    end)
    frozen:thaw()
    assert(ok, why)
    assert.not_equal("00000000-0000-4000-8000-000000000002", require("larder.core").uuid())
    assert.is_true(db:now() > "2026-05-02")
    assert.has_error(function() testing.freeze(db, "yesterday") end)
    assert.has_error(function() testing.freeze "db" end)
  end)

  it("makes rows that fit, with those that they need", function()
    local factory = testing.factory(db, "auth")
    local key = factory:create("app_keys", { name = "ci" })
    assert.equal("ci", key.name)
    assert.is_truthy(must(auth.apps:get(key.tenant_id, key.app_id)))
    local user = factory:make("users", { status = "suspended" })
    assert.equal("suspended", user.status)
    assert.is_false(must(auth.users:exists(user.tenant_id, user.id)))
    must(auth.users:create(user))
    assert.not_equal(factory:create("users").username, factory:create("users").username)
  end)

  it("loads fixtures, all or none", function()
    local factory = testing.factory(db, "auth")
    local rows = factory:load { users = { { full_name = "Ann" }, { full_name = "Bob" } }, tenants = { tenant "acme" } }
    assert.equal("acme", rows.tenants[1].id)
    assert.equal("Bob", rows.users[2].full_name)
    local before = must(auth.tenants:count(larder.all {}))
    local ok, why = pcall(factory.load, factory, { tenants = { tenant "new", tenant "acme" } })
    assert.is_false(ok)
    assert.matches("conflict", tostring(why), 1, true)
    assert.equal(before, must(auth.tenants:count(larder.all {})))
  end)

  it("names what a factory does not know", function()
    local factory = testing.factory(db, "auth")
    local ok, why = pcall(factory.create, factory, "user")
    assert.is_false(ok)
    assert.matches('no store "user" in family auth; did you mean users', why, 1, true)
    assert.has_error(function() factory:make("users", 5) end)
  end)
end)
