local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.user_apps on " .. engine.name, function()
    local db, auth, clock

    before_each(function()
      db = engine.fresh "auth"
      auth = db:stores "auth"
      clock = rows.clock()
      db:set_clock(clock)
      assert(auth.tenants:create(rows.tenant "t"))
      for _, app in ipairs { "app1", "app2", "app3" } do assert(auth.apps:create(rows.app("t", app))) end
      for _, user in ipairs { "u1", "u2" } do assert(auth.users:create(rows.user("t", user))) end
    end)

    teardown(engine.done)

    it("LK-G1 grants and revokes access", function()
      local grant = assert(auth.user_apps:grant("t", "app1", "u1"))
      assert.is_true(auth.user_apps:is_active(grant))
      assert.equal("2026-01-01T00:00:00.000000Z", grant.granted_at)
      assert.is_true(auth.user_apps:has_access("t", "app1", "u1"))
      assert.is_false(auth.user_apps:has_access("t", "app2", "u1"))
      assert.same({ "app1" }, assert(auth.user_apps:list_user_apps("t", "u1")))
      assert.same({ "u1" }, assert(auth.user_apps:list_app_users("t", "app1")))
      assert.same({ true, 1 }, { auth.user_apps:revoke("t", "app1", "u1") })
      assert.is_false(auth.user_apps:has_access("t", "app1", "u1"))
      assert.same({}, assert(auth.user_apps:list_user_apps("t", "u1")))
      local row = assert(auth.user_apps:get("t", "app1", "u1"))
      assert.is_true(auth.user_apps:is_revoked(row))
      assert.is_string(row.revoked_at)
    end)

    it("LK-G2 refreshes a grant given twice, and lifts a revocation", function()
      local first = assert(auth.user_apps:grant("t", "app1", "u1"))
      clock.tick(10)
      local second = assert(auth.user_apps:grant("t", "app1", "u1"))
      assert.is_true(second.granted_at > first.granted_at)
      assert.equal(1, auth.user_apps:count { tenant_id = "t" })
      assert(auth.user_apps:revoke("t", "app1", "u1"))
      clock.tick(10)
      local again = assert(auth.user_apps:grant("t", "app1", "u1"))
      assert.equal("active", again.status)
      assert.is_nil(again.revoked_at)
      assert.is_true(again.granted_at > second.granted_at)
    end)

    it("LK-G3 revokes what was never granted without an error", function()
      assert.same({ true, 0 }, { auth.user_apps:revoke("t", "app1", "u1") })
      assert.same({ true, 0 }, { auth.user_apps:revoke("ghost", "app1", "u1") })
    end)

    it("LK-G4 keeps ids with colons apart", function()
      for _, t in ipairs { "a", "a:b" } do assert(auth.tenants:create(rows.tenant(t))) end
      assert(auth.apps:create(rows.app("a", "b:c")))
      assert(auth.apps:create(rows.app("a:b", "c")))
      assert(auth.users:create(rows.user("a", "u:1")))
      assert(auth.users:create(rows.user("a:b", "1")))
      assert(auth.user_apps:grant("a", "b:c", "u:1"))
      assert.is_true(auth.user_apps:has_access("a", "b:c", "u:1"))
      assert.is_false(auth.user_apps:has_access("a:b", "c", "1"))
      assert.is_false(auth.user_apps:has_access("a", "b", "c:u:1"))
      assert.same({ "u:1" }, assert(auth.user_apps:list_app_users("a", "b:c")))
      assert.same({}, assert(auth.user_apps:list_app_users("a:b", "c")))
    end)

    it("lists the latest grant first, and equal times by id", function()
      assert(auth.user_apps:grant("t", "app2", "u1"))
      clock.tick(1)
      assert(auth.user_apps:grant("t", "app3", "u1"))
      assert(auth.user_apps:grant("t", "app1", "u1"))
      assert.same({ "app1", "app3", "app2" }, assert(auth.user_apps:list_user_apps("t", "u1")))
      local page, info = auth.user_apps:list_user_apps("t", "u1", { limit = 2 })
      assert.same({ "app1", "app3" }, page)
      page, info = auth.user_apps:list_user_apps("t", "u1", { limit = 2, after = info.next })
      assert.same({ "app2" }, page)
      assert.is_nil(info.next)
    end)

    it("refuses a grant without its user or app", function()
      local _, err = auth.user_apps:grant("t", "app1", "ghost")
      assert.equal("foreign_key", err.code)
      assert.equal("fk_user_apps_user", err.constraint)
      _, err = auth.user_apps:grant("t", "ghost", "u1")
      assert.equal("fk_user_apps_app", err.constraint)
    end)

    it("keeps the first time of a revocation", function()
      assert(auth.user_apps:grant("t", "app1", "u1"))
      assert(auth.user_apps:revoke("t", "app1", "u1"))
      local first = assert(auth.user_apps:get("t", "app1", "u1")).revoked_at
      clock.tick(10)
      assert.same({ true, 0 }, { auth.user_apps:revoke("t", "app1", "u1") })
      assert.equal(first, assert(auth.user_apps:get("t", "app1", "u1")).revoked_at)
    end)
  end)
end
