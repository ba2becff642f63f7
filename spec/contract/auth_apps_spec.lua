local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.apps on " .. engine.name, function()
    local auth

    before_each(function()
      auth = engine.fresh("auth"):stores "auth"
      assert(auth.tenants:create(rows.tenant "t1"))
      assert(auth.tenants:create(rows.tenant "t2"))
    end)

    teardown(engine.done)

    it("LK-A1 goes through an app's life", function()
      local made = assert(auth.apps:create(rows.app("t1", "main-app", {
        config = { access_token_expiry = 3600000000000, token_algorithm = "HS256", features = { x = true } },
      })))
      assert.equal("web", made.type)
      assert.equal("active", made.status)
      local got = assert(auth.apps:get("t1", "main-app"))
      assert.same(made, got)
      assert.equal(3600000000000, got.config.access_token_expiry)
      assert.same({ got }, assert(auth.apps:list "t1"))
      assert.same(got, assert(auth.apps:get_by_name("t1", "App main-app")))
      got.name, got.status, got.type = "Main", "disabled", "api"
      local changed = assert(auth.apps:update(got))
      assert.equal("Main", changed.name)
      assert.equal("disabled", changed.status)
      assert.equal("api", changed.type)
      assert.is_true(auth.apps:exists("t1", "main-app"))
      assert.same({ true, 1 }, { auth.apps:delete("t1", "main-app") })
      assert.is_false(auth.apps:exists("t1", "main-app"))
      assert.same({ true, 0 }, { auth.apps:delete("t1", "main-app") })
    end)

    it("LK-A2 keeps ids and names apart by tenant", function()
      assert(auth.apps:create(rows.app("t1", "app", { name = "Shop" })))
      assert(auth.apps:create(rows.app("t2", "app", { name = "Shop" })))
      local row, err = auth.apps:create(rows.app("t1", "other", { name = "Shop" }))
      assert.is_nil(row)
      assert.equal("conflict", err.code)
      assert.equal("unique_app_name_per_tenant", err.constraint)
    end)

    it("LK-A3 refuses an app of an unknown tenant", function()
      local row, err = auth.apps:create(rows.app("ghost", "app"))
      assert.is_nil(row)
      assert.equal("foreign_key", err.code)
      assert.equal("fk_apps_tenant", err.constraint)
      assert.same({}, assert(auth.apps:list "ghost"))
    end)

    it("LK-A4 lists one type, newest first", function()
      for i, type in ipairs { "web", "api", "web", "mobile", "web" } do
        assert(auth.apps:create(rows.app("t1", "app" .. i, { type = type, created_at = i })))
      end
      assert(auth.apps:create(rows.app("t2", "app9", { type = "web" })))
      assert.same({ "app5", "app3", "app1" }, rows.ids(auth.apps:list_by_type("t1", "web")))
      assert.same({ "app3", "app1" }, rows.ids(auth.apps:list_by_type("t1", "web", { offset = 1 })))
      assert.same({}, assert(auth.apps:list_by_type("t1", "desktop")))
    end)

    it("LK-A5 deletes branches, keys and grants with the app, but no users", function()
      assert(auth.apps:create(rows.app("t1", "app")))
      assert(auth.apps:create(rows.app("t1", "kept")))
      assert(auth.users:create(rows.user("t1", "u")))
      for _, app in ipairs { "app", "kept" } do
        assert(auth.branches:create(rows.branch("t1", app, "hq")))
        assert(auth.app_keys:create(rows.key("t1", app, "key-" .. app)))
        assert(auth.user_apps:grant("t1", app, "u"))
      end
      assert(auth.apps:delete("t1", "app"))
      for _, store in ipairs { "branches", "app_keys", "user_apps" } do
        assert.equal(1, auth[store]:count { tenant_id = "t1" }, store)
      end
      assert.is_true(auth.users:exists("t1", "u"))
    end)

    it("raises when an argument of the scope is missing", function()
      assert.has_error(function() auth.apps:list() end)
      assert.has_error(function() auth.apps:list { limit = 1 } end)
      assert.has_error(function() auth.apps:get "t1" end)
      assert.has_error(function() auth.apps:delete("t1", nil) end)
      assert.has_error(function() auth.apps:list_by_type "t1" end)
    end)
  end)
end
