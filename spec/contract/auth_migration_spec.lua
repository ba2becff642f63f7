local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

local STORES = { "tenants", "apps", "branches", "users", "user_apps", "app_keys" }

for _, engine in ipairs(engines) do
  describe("migrating auth on " .. engine.name, function()
    local db

    before_each(function() db = engine.fresh "auth" end)

    teardown(engine.done)

    it("LK-M1 a second run does nothing and records each version once", function()
      assert.same({}, assert(db:migrate "auth"))
      if db:kind() == "memory" then return end
      local found = assert(db:query [[
        select version, count(*) as n
        from larder.schema_migrations
        where family = 'auth'
        group by version
        order by version]])
      assert.equal(4, #found)
      for i, row in ipairs(found) do
        assert.equal(i, row.version)
        assert.equal(1, row.n)
      end
    end)

    it("LK-M2 copies every store from memory and keeps each row as it was", function()
      local memory = assert(larder.open "memory:")
      local from, to = memory:stores "auth", db:stores "auth"
      for _, t in ipairs { "t1", "t2" } do
        local settings = { list = larder.array(), n = 1 }
        assert(from.tenants:create(rows.tenant(t, { settings = settings, created_at = 5 })))
        assert(from.apps:create(rows.app(t, "app", { config = {} })))
        assert(from.branches:create(rows.branch(t, "app", "hq", { address = { city = "Jakarta" } })))
        for i = 1, 5 do assert(from.users:create(rows.user(t, "u" .. i))) end
        assert(from.user_apps:grant(t, "app", "u1"))
        assert(from.app_keys:issue(t, "app", { name = "ci", scopes = { "read" } }))
      end
      assert(from.tenants:soft_delete "t2")
      memory._password = { ops = 1, mem = 8192 }
      assert(from.users:set_password("t1", "u1", "secret"))
      local _, secret = assert(from.app_keys:issue("t1", "app", { name = "kept" }))
      local report = assert(larder.transfer(memory, db, { families = { "auth" }, verify = true }))
      assert.equal(0, #report.refused)
      for _, store in ipairs(STORES) do
        local there = {}
        for row in to[store]:each {} do there[#there + 1] = row end
        local here = {}
        for row in from[store]:each {} do here[#here + 1] = row end
        assert.is_true(#here > 0)
        assert.same(here, there)
      end
      assert.is_true(to.users:check_password("t1", "u1", "secret"))
      assert.equal("kept", assert(to.app_keys:verify(secret)).name)
      memory:close()
    end)
  end)
end

if os.getenv "LARDER_TEST_URL" then
  describe("the tables of auth", function()
    it("are what the declarations say", function()
      local engine = engines[2]
      local db = engine.fresh "auth"
      assert.same({}, assert(require "larder.migrate.check"(db, "auth")))
      engine.done()
    end)
  end)
end
