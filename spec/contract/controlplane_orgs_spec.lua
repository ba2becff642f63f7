local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local cjson = require "cjson"
local rows = require "spec.support.controlplane"

for _, engine in ipairs(engines) do
  describe("controlplane organizations, applications and users on " .. engine.name, function()
    local db, cp, clock

    before_each(function()
      db = engine.fresh "controlplane"
      cp = db:stores "controlplane"
      clock = clocks.clock()
      db:set_clock(clock)
    end)

    teardown(engine.done)

    local function org(slug, more)
      clock.tick(1)
      return assert(cp.organizations:create(rows.org(slug, more)))
    end

    it("LC-O1 LC-O2 creates, and gets by id and by slug", function()
      local made = org "acme"
      assert.equal(made.created_at, made.updated_at)
      assert.is_truthy(made.id:match "^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$")
      assert.same(made, assert(cp.organizations:get(made.id)))
      assert.same(made, assert(cp.organizations:get_by_slug "acme"))
    end)

    it("LC-O3 refuses a slug that is taken", function()
      org "acme"
      local _, err = cp.organizations:create(rows.org "acme")
      assert.same({ "conflict", "unique_org_slug" }, { err.code, err.constraint })
    end)

    it("LC-O4 LC-O5 does not find unknown ids and slugs", function()
      local _, err = cp.organizations:get(rows.NOBODY)
      assert.equal("not_found", err.code)
      _, err = cp.organizations:get_by_slug "nobody"
      assert.equal("not_found", err.code)
    end)

    it("LC-O6 LC-O7 lists the newest first, in pages; a page beyond the end is empty", function()
      assert.same({}, assert(cp.organizations:list {}))
      for _, slug in ipairs { "a", "b", "c" } do org(slug) end
      assert.same({ "c", "b" }, rows.pluck(cp.organizations:list { limit = 2 }, "slug"))
      assert.same({ "a" }, rows.pluck(cp.organizations:list { limit = 2, offset = 2 }, "slug"))
      assert.same({}, assert(cp.organizations:list { limit = 2, offset = 4 }))
    end)

    it("LC-O8 LC-O9 changes name and slug; an unknown one is not found", function()
      local made = org "acme"
      clock.tick(1)
      made.name, made.slug = "New", "new"
      local stored = assert(cp.organizations:update(made))
      assert.same({ "New", "new" }, { stored.name, stored.slug })
      assert.is_true(stored.updated_at > stored.created_at)
      local _, err = cp.organizations:update(rows.org("x", { id = rows.NOBODY }))
      assert.equal("not_found", err.code)
    end)

    it("LC-O10 deletes with applications, users and policies; history stays", function()
      local made, app, user = rows.world(cp)
      local policy = assert(cp.policies:create(rows.policy(made, { app_id = app.id })))
      local event = assert(cp.audit_logs:insert(rows.event(made, { app_id = app.id, user_id = user.id })))
      local request = assert(cp.inference_requests:create(rows.request(made, app, { user_id = user.id })))
      assert.is_true(cp.organizations:delete(made.id))
      for store, id in pairs { applications = app.id, users = user.id, policies = policy.id } do
        local _, err = cp[store]:get(id)
        assert.equal("not_found", err.code, store)
      end
      assert.same({ app.id, user.id }, (function(row) return { row.app_id, row.user_id } end)(assert(cp.audit_logs:get(event.id))))
      assert.equal(user.id, assert(cp.inference_requests:get(request.id)).user_id)
      local _, err = cp.organizations:delete(made.id)
      assert.equal("not_found", err.code)
    end)

    it("LC-O11 keeps what a transaction commits, and nothing of one that fails", function()
      assert(db:transaction(function() return assert(cp.organizations:create(rows.org "kept")) end))
      assert.is_nil((db:transaction(function()
        assert(cp.organizations:create(rows.org "undone"))
        error "no"
      end)))
      assert.is_truthy(cp.organizations:get_by_slug "kept")
      assert.is_nil((cp.organizations:get_by_slug "undone"))
    end)

    it("LC-U1 has a subject once, and an e-mail once an organization", function()
      local one, two = org "one", org "two"
      local ann = assert(cp.users:create(rows.user(one, { email = "ann@x", cognito_sub = "s1", role = "admin" })))
      assert(cp.users:create(rows.user(two, { email = "ann@x", cognito_sub = "s2" })))
      local _, err = cp.users:create(rows.user(two, { email = "bob@x", cognito_sub = "s1" }))
      assert.same({ "conflict", "unique_cognito_sub" }, { err.code, err.constraint })
      _, err = cp.users:create(rows.user(one, { email = "ann@x", cognito_sub = "s3" }))
      assert.same({ "conflict", "unique_user_email_per_org" }, { err.code, err.constraint })
      assert.equal(ann.id, assert(cp.users:get_by_cognito_sub "s1").id)
      assert.equal(ann.id, assert(cp.users:get_by_email(one.id, "ann@x")).id)
    end)

    it("tells by the role who may do what, and keeps subject and organization", function()
      local made = org "acme"
      local can = {}
      for _, role in ipairs { "admin", "member", "viewer" } do
        local user = assert(cp.users:create(rows.user(made, { email = role .. "@x", role = role })))
        can[role] = { cp.users:is_admin(user), cp.users:can_manage_policies(user) }
      end
      assert.same({ admin = { true, true }, member = { false, true }, viewer = { false, false } }, can)
      local user = assert(cp.users:get_by_email(made.id, "viewer@x"))
      local sub = user.cognito_sub
      user.cognito_sub, user.role = "other", "member"
      user = assert(cp.users:update(user))
      assert.same({ sub, "member" }, { user.cognito_sub, user.role })
      local _, err = cp.users:create(rows.user(made, { role = "king" }))
      assert.equal("invalid", err.code)
    end)

    it("LC-U2 deletes a user's policies; audit logs and requests keep the id", function()
      local made, app, user = rows.world(cp)
      local policy = assert(cp.policies:create(rows.policy(made, { user_id = user.id })))
      local event = assert(cp.audit_logs:insert(rows.event(made, { user_id = user.id })))
      local request = assert(cp.inference_requests:create(rows.request(made, app, { user_id = user.id })))
      assert.is_true(cp.users:delete(user.id))
      assert.is_false(cp.policies:exists(policy.id))
      assert.equal(user.id, assert(cp.audit_logs:get(event.id)).user_id)
      assert.equal(user.id, assert(cp.inference_requests:get(request.id)).user_id)
    end)

    it("LC-X1 deletes an application's policies; audit logs keep the id", function()
      local made, app = rows.world(cp)
      local policy = assert(cp.policies:create(rows.policy(made, { app_id = app.id })))
      local event = assert(cp.audit_logs:insert(rows.event(made, { app_id = app.id })))
      assert.is_true(cp.applications:delete(app.id))
      assert.is_false(cp.policies:exists(policy.id))
      assert.equal(app.id, assert(cp.audit_logs:get(event.id)).app_id)
    end)

    it("LC-X2 finds an application by the hash of its key, and never shows the hash", function()
      local made = org "acme"
      local app = assert(cp.applications:create(rows.app(made, { api_key_hash = "h1" })))
      assert.is_nil(app.api_key_hash)
      assert.equal(app.id, assert(cp.applications:get_by_api_key_hash "h1").id)
      local _, err = cp.applications:create(rows.app(made, { api_key_hash = "h1" }))
      assert.same({ "conflict", "unique_api_key_hash" }, { err.code, err.constraint })
      local text = cjson.encode((assert(cp.applications:get(app.id))))
      assert.is_nil(text:find("h1", 1, true))
      assert.is_nil(text:find("api_key_hash", 1, true))
      assert.is_nil(tostring(err):find("h1", 1, true))
    end)

    it("issues and verifies keys; a new one ends the one before", function()
      local made = org "acme"
      local app = assert(cp.applications:create { org_id = made.id, name = "App" })
      local first = assert(cp.applications:issue_key(app.id))
      assert.is_truthy(first:match "^lk_live_")
      assert.equal(app.id, assert(cp.applications:verify_key(first)).id)
      local second, row = cp.applications:issue_key(app.id, { environment = "test" })
      assert.is_truthy(second:match "^lk_test_")
      assert.is_nil(row.api_key_hash)
      assert.equal(app.id, assert(cp.applications:verify_key(second)).id)
      local function reason(secret)
        local found, err = cp.applications:verify_key(secret)
        assert.is_nil(found)
        return err.code .. " " .. err.reason
      end
      assert.equal("unauthorized unknown", reason(first))
      assert.equal("unauthorized malformed", reason(second:sub(1, -2) .. (second:sub(-1) == "A" and "B" or "A")))
      assert.equal("unauthorized malformed", reason(nil))
      local _, err = cp.applications:issue_key(rows.NOBODY)
      assert.equal("not_found", err.code)
    end)

    it("lists applications and users of an organization", function()
      local made, app, user = rows.world(cp)
      rows.world(cp)
      assert.same({ app.id }, rows.pluck(cp.applications:list_by_org(made.id), "id"))
      assert.same({ user.id }, rows.pluck(cp.users:list_by_org(made.id), "id"))
      local moved = assert(cp.applications:patch(app.id, { name = "Renamed" }))
      assert.same({ "Renamed", made.id }, { moved.name, moved.org_id })
    end)
  end)
end
