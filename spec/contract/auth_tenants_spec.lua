local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.tenants on " .. engine.name, function()
    local db, auth

    before_each(function()
      db = engine.fresh "auth"
      auth = db:stores "auth"
    end)

    teardown(engine.done)

    it("LK-T1 goes through a tenant's life", function()
      local made = assert(auth.tenants:create(rows.tenant("acme-corp", {
        domain = "acme.test", settings = { max_users = 100, max_apps = 10 },
      })))
      assert.equal("active", made.status)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$", made.created_at)
      local got = assert(auth.tenants:get "acme-corp")
      assert.same(made, got)
      assert.same({ max_users = 100, max_apps = 10 }, got.settings)
      assert.same({ got }, assert(auth.tenants:list()))
      got.name, got.settings = "Acme 2", { max_users = 200 }
      local changed = assert(auth.tenants:update(got))
      assert.equal("Acme 2", changed.name)
      assert.same({ max_users = 200 }, changed.settings)
      assert.equal(made.created_at, changed.created_at)
      assert.is_true(changed.updated_at >= made.updated_at)
      assert.same({ true, 1 }, { auth.tenants:delete "acme-corp" })
      local row, err = auth.tenants:get "acme-corp"
      assert.is_nil(row)
      assert.equal("not_found", err.code)
    end)

    it("LK-T2 refuses a second tenant with the same id or name", function()
      assert(auth.tenants:create(rows.tenant "a"))
      local row, err = auth.tenants:create(rows.tenant("a", { name = "Another" }))
      assert.is_nil(row)
      assert.equal("conflict", err.code)
      assert.equal("tenants_pkey", err.constraint)
      row, err = auth.tenants:create(rows.tenant("b", { name = "Tenant a" }))
      assert.is_nil(row)
      assert.equal("conflict", err.code)
      assert.equal("unique_tenant_name", err.constraint)
      assert.equal(1, auth.tenants:count())
    end)

    it("LK-T3 answers not_found for an unknown tenant, and deletes it silently", function()
      local _, err = auth.tenants:update(rows.tenant "ghost")
      assert.equal("not_found", err.code)
      _, err = auth.tenants:get "ghost"
      assert.equal("not_found", err.code)
      assert.matches("auth.tenants:get: no row with this id", tostring(err), 1, true)
      _, err = auth.tenants:get_by_name "Ghost"
      assert.equal("not_found", err.code)
      assert.matches("name", err.message, 1, true)
      _, err = auth.tenants:patch("ghost", { name = "x" })
      assert.equal("not_found", err.code)
      assert.same({ true, 0 }, { auth.tenants:delete "ghost" })
      assert.is_false(auth.tenants:exists "ghost")
    end)

    it("LK-T4 lists the newest first, and equal times by id", function()
      for _, at in ipairs { { "b", 10 }, { "c", 20 }, { "a", 10 }, { "d", 5 } } do
        assert(auth.tenants:create(rows.tenant(at[1], { created_at = at[2] })))
      end
      assert.same({ "c", "a", "b", "d" }, rows.ids(auth.tenants:list()))
    end)

    it("LK-T5 keeps null, {} and nested JSON apart", function()
      local none = assert(auth.tenants:create(rows.tenant "none"))
      assert.is_nil(none.config)
      assert.is_nil(none.settings)
      assert.is_nil(assert(auth.tenants:get "none").metadata)
      assert(auth.tenants:create(rows.tenant("some", {
        config = {}, metadata = { list = larder.array(), null = larder.null },
        settings = { custom_settings = { n = 9007199254740993, half = 0.5, yes = true, no = false,
          list = { 1, "two", { three = 3 } }, object = {} } },
      })))
      local some = assert(auth.tenants:get "some")
      assert.same({}, some.config)
      assert.equal("{}", larder.json.encode(some.config))
      assert.equal('{"list": [], "null": null}', larder.json.encode(some.metadata, true))
      local custom = some.settings.custom_settings
      assert.equal(0.5, custom.half)
      assert.is_true(custom.yes)
      assert.is_false(custom.no)
      assert.same({ 1, "two", { three = 3 } }, custom.list)
      assert.matches('"n": 900719925474099', larder.json.encode(custom, true), 1, true)
      some.config, some.metadata = nil, nil
      local cleared = assert(auth.tenants:update(some))
      assert.is_nil(cleared.config)
      assert.is_nil(cleared.metadata)
    end)

    it("LK-T6 copies rows in and out", function()
      local given = rows.tenant("t", { settings = { max_users = 1 } })
      assert(auth.tenants:create(given))
      given.name, given.settings.max_users = "changed", 99
      local got = assert(auth.tenants:get "t")
      assert.equal("Tenant t", got.name)
      got.settings.max_users = 77
      assert.equal(1, assert(auth.tenants:get "t").settings.max_users)
    end)

    it("LK-T7 deletes what belongs to the tenant and nothing else", function()
      for _, t in ipairs { "one", "two" } do
        assert(auth.tenants:create(rows.tenant(t)))
        assert(auth.apps:create(rows.app(t, "app")))
        assert(auth.branches:create(rows.branch(t, "app", "hq")))
        assert(auth.users:create(rows.user(t, "u")))
        assert(auth.user_apps:grant(t, "app", "u"))
        assert(auth.app_keys:create(rows.key(t, "app", "key-" .. t)))
      end
      assert(auth.tenants:delete "one")
      for _, store in ipairs { "apps", "branches", "users", "user_apps", "app_keys" } do
        assert.equal(0, auth[store]:count { tenant_id = "one" }, store)
        assert.equal(1, auth[store]:count { tenant_id = "two" }, store)
      end
    end)

    it("refuses a tenant without what is required, naming each field", function()
      local row, err = auth.tenants:create { id = "", name = "x" }
      assert.is_nil(row)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.id)
      assert.is_string(err.fields.db_dsn)
      assert.is_string(err.fields.db_schema)
      assert.is_nil(err.fields.name)
      row, err = auth.tenants:create(rows.tenant("x", { status = "gone" }))
      assert.is_nil(row)
      assert.is_string(err.fields.status)
    end)

    it("takes an empty status for the default, and an absent domain for an empty text", function()
      local row = assert(auth.tenants:create(rows.tenant("t", { status = "" })))
      assert.equal("active", row.status)
      assert.equal("", row.domain)
      row.status = ""
      assert.equal("active", assert(auth.tenants:update(row)).status)
    end)

    it("soft_delete marks, keeps the first mark, and can be left out of reads", function()
      local clock = rows.clock()
      db:set_clock(clock)
      assert(auth.tenants:create(rows.tenant "t"))
      assert(auth.tenants:create(rows.tenant "other"))
      assert.same({ true, 1 }, { auth.tenants:soft_delete "t" })
      local row = assert(auth.tenants:get "t")
      assert.equal("deleted", row.status)
      assert.is_true(auth.tenants:is_deleted(row))
      local first = row.deleted_at
      clock.tick(60)
      assert(auth.tenants:soft_delete "t")
      assert.equal(first, assert(auth.tenants:get "t").deleted_at)
      assert.equal(2, #assert(auth.tenants:list()))
      assert.same({ "other" }, rows.ids(auth.tenants:list { with_deleted = false }))
      local _, err = auth.tenants:get("t", { with_deleted = false })
      assert.equal("not_found", err.code)
      assert.same({ true, 0 }, { auth.tenants:soft_delete "ghost" })
      assert(auth.tenants:restore "t")
      assert.is_true(auth.tenants:is_active(assert(auth.tenants:get("t", { with_deleted = false }))))
    end)

    it("filters lists by status and domain", function()
      assert(auth.tenants:create(rows.tenant("a", { domain = "x.test" })))
      assert(auth.tenants:create(rows.tenant("b", { status = "suspended" })))
      assert.same({ "b" }, rows.ids(auth.tenants:list { status = "suspended" }))
      assert.same({ "a" }, rows.ids(auth.tenants:list { domain = "x.test" }))
      assert.same({ "a" }, rows.ids(auth.tenants:list { status = { "active", "deleted" } }))
    end)
  end)
end
