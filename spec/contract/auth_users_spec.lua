local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.users on " .. engine.name, function()
    local db, auth

    before_each(function()
      db = engine.fresh "auth"
      auth = db:stores "auth"
      assert(auth.tenants:create(rows.tenant "t"))
      assert(auth.tenants:create(rows.tenant "t2"))
      assert(auth.apps:create(rows.app("t", "app")))
    end)

    teardown(engine.done)

    it("LK-U1 goes through users' lives", function()
      local john = assert(auth.users:create(rows.user("t", "u1", {
        username = "john.doe", email = "john@acme.test", full_name = "John Doe", created_at = 1,
      })))
      local admin = assert(auth.users:create(rows.user("t", "u2", { username = "admin", created_at = 2 })))
      assert.same(john, assert(auth.users:get("t", "u1")))
      assert.same(john, assert(auth.users:get_by_username("t", "john.doe")))
      assert.same(john, assert(auth.users:get_by_email("t", "john@acme.test")))
      assert.same({ admin, john }, assert(auth.users:list "t"))
      assert.equal("", admin.full_name)
      local _, err = auth.users:get_by_username("t", "John.Doe")
      assert.equal("not_found", err.code)
      local patched = assert(auth.users:patch("t", "u1", { metadata = { role = "admin" } }))
      assert.same({ role = "admin" }, patched.metadata)
      assert.is_true(auth.users:is_suspended(assert(auth.users:patch("t", "u1", { status = "suspended" }))))
      assert.is_true(auth.users:is_active(assert(auth.users:patch("t", "u1", { status = "active" }))))
      assert.same({ true, 1 }, { auth.users:delete("t", "u1") })
      assert.is_false(auth.users:exists("t", "u1"))
    end)

    it("LK-U2 keeps usernames and e-mails unique within a tenant", function()
      assert(auth.users:create(rows.user("t", "u1")))
      local _, err = auth.users:create(rows.user("t", "u2", { username = "u1" }))
      assert.equal("conflict", err.code)
      assert.equal("unique_username_per_tenant", err.constraint)
      _, err = auth.users:create(rows.user("t", "u2", { email = "u1@example.org" }))
      assert.equal("conflict", err.code)
      assert.equal("unique_email_per_tenant", err.constraint)
      assert(auth.users:create(rows.user("t2", "u1")))
      assert(auth.users:create(rows.user("t", "u2", { username = "U1", email = "U1@example.org" })))
      _, err = auth.users:patch("t", "u2", { username = "u1" })
      assert.equal("unique_username_per_tenant", err.constraint)
    end)

    it("LK-U3 tells active, suspended and deleted users apart", function()
      local users = auth.users
      assert.is_true(users:is_active { status = "active" })
      assert.is_true(users:is_suspended { status = "suspended" })
      assert.is_true(users:is_deleted { status = "deleted" })
      assert.is_true(users:is_deleted { status = "active", deleted_at = "2026-01-01T00:00:00Z" })
      assert.is_false(users:is_deleted { status = "active", deleted_at = larder.null })
      assert(users:create(rows.user("t", "a")))
      assert(users:create(rows.user("t", "s", { status = "suspended" })))
      assert(users:create(rows.user("t", "d", { deleted_at = "2026-01-01T00:00:00Z" })))
      assert(users:create(rows.user("t", "x")))
      assert(users:soft_delete("t", "x"))
      assert.same({ "s" }, rows.ids(users:list("t", { status = "suspended" })))
      assert.equal(4, #assert(users:list "t"))
      local alive = rows.ids(users:list("t", { with_deleted = false, order = "id" }))
      assert.same({ "a", "s" }, alive)
      assert.equal(2, users:count({ tenant_id = "t" }, { with_deleted = false }))
    end)

    it("LK-U4 lists the users of an app, newest first, revoked ones left out", function()
      assert(auth.apps:create(rows.app("t", "other")))
      for i = 1, 5 do
        assert(auth.users:create(rows.user("t", "u" .. i, { created_at = i })))
        assert(auth.user_apps:grant("t", i == 5 and "other" or "app", "u" .. i))
      end
      assert(auth.user_apps:revoke("t", "app", "u2"))
      assert.same({ "u4", "u3", "u1" }, rows.ids(auth.users:list_by_app("t", "app")))
      local page, info = auth.users:list_by_app("t", "app", { limit = 2, total = true })
      assert.same({ "u4", "u3" }, rows.ids(page))
      assert.equal(3, info.total)
      page, info = auth.users:list_by_app("t", "app", { limit = 2, after = info.next })
      assert.same({ "u1" }, rows.ids(page))
      assert.is_nil(info.next)
      assert.same({}, assert(auth.users:list_by_app("t2", "app")))
    end)

    it("keeps passwords as hashes that no row shows", function()
      db._password = { ops = 1, mem = 8192 }
      assert(auth.users:create(rows.user("t", "u")))
      assert.is_false(auth.users:check_password("t", "u", "secret"))
      assert.is_true(auth.users:set_password("t", "u", "secret"))
      assert.is_nil(assert(auth.users:get("t", "u")).password_hash)
      assert.is_nil(assert(auth.users:list "t")[1].password_hash)
      local _, err = auth.users:set_password("t", "u", "")
      assert.equal("invalid", err.code)
      _, err = auth.users:list("t", { columns = { "id", "password_hash" } })
      assert.equal("invalid", err.code)
      assert.is_true(auth.users:check_password("t", "u", "secret"))
      assert.is_false(auth.users:check_password("t", "u", "Secret"))
      -- a full replacement by a row that was read keeps the password
      assert(auth.users:update(assert(auth.users:get("t", "u"))))
      assert.is_true(auth.users:check_password("t", "u", "secret"))
      assert.is_true(auth.users:remove_password("t", "u"))
      assert.is_false(auth.users:check_password("t", "u", "secret"))
      for _, method in ipairs { "set_password", "check_password" } do
        _, err = auth.users[method](auth.users, "t", "ghost", "secret")
        assert.equal("not_found", err.code)
      end
    end)
  end)
end
