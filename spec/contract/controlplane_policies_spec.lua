local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local larder = require "larder"
local rows = require "spec.support.controlplane"

for _, engine in ipairs(engines) do
  describe("controlplane.policies on " .. engine.name, function()
    local db, cp, clock, org, app, user

    before_each(function()
      db = engine.fresh "controlplane"
      cp = db:stores "controlplane"
      clock = clocks.clock()
      db:set_clock(clock)
      org, app, user = rows.world(cp)
    end)

    teardown(engine.done)

    local function policy(more)
      clock.tick(1)
      return assert(cp.policies:create(rows.policy(org, more)))
    end

    it("LC-P1 creates and gets by id, the configuration as it was", function()
      local config = {
        primary_provider = "a", fallback_providers = larder.array { "b", "c" }, strategy = "cost",
        empty = larder.array {}, nested = { deep = 1.5, none = larder.null },
      }
      local made = policy { policy_type = "routing", config = config }
      assert.equal(0, made.priority)
      assert.is_true(made.enabled)
      assert.same(made, assert(cp.policies:get(made.id)))
      assert.same(config, made.config)
      assert.is_true(cp.policies:exists(made.id))
    end)

    it("LC-P2 lists those of an organization by priority, then the newest first", function()
      policy { priority = 1, config = { n = 1 } }
      policy { priority = 9, config = { n = 2 }, enabled = false }
      policy { priority = 1, config = { n = 3 } }
      local other = rows.world(cp)
      assert(cp.policies:create(rows.policy(other)))
      local list = assert(cp.policies:list_by_org(org.id))
      assert.same({ 2, 3, 1 }, { list[1].config.n, list[2].config.n, list[3].config.n })
      assert.is_nil(list[4])
    end)

    it("LC-P3 LC-P4 lists those of an application and of a user", function()
      local of_app = policy { app_id = app.id }
      local of_user = policy { user_id = user.id }
      policy()
      assert.same({ of_app.id }, rows.pluck(cp.policies:list_by_app(org.id, app.id), "id"))
      assert.same({ of_user.id }, rows.pluck(cp.policies:list_by_user(org.id, user.id), "id"))
      assert.same({}, assert(cp.policies:list_by_app(rows.NOBODY, app.id)))
    end)

    it("LC-P5 finds what applies: user, application, organization, by priority inside a level", function()
      local of_org = policy { priority = 50 }
      local of_app = policy { app_id = app.id, priority = 5 }
      local low = policy { user_id = user.id, priority = 1 }
      local high = policy { user_id = user.id, priority = 2 }
      policy { user_id = user.id, enabled = false }
      local ids = rows.pluck(cp.policies:get_applicable(org.id, app.id, user.id), "id")
      assert.same({ high.id, low.id, of_app.id, of_org.id }, ids)
      assert.same({ of_app.id, of_org.id }, rows.pluck(cp.policies:get_applicable(org.id, app.id), "id"))
      assert.same({ high.id, low.id, of_org.id }, rows.pluck(cp.policies:get_applicable(org.id, nil, user.id), "id"))
      assert.same({ of_org.id }, rows.pluck(cp.policies:get_applicable(org.id), "id"))
    end)

    it("does not apply a user's policy that is bound to another application", function()
      local here = policy { user_id = user.id, app_id = app.id }
      local elsewhere = assert(cp.applications:create(rows.app(org)))
      assert.same({ here.id }, rows.pluck(cp.policies:get_applicable(org.id, app.id, user.id), "id"))
      assert.same({}, assert(cp.policies:get_applicable(org.id, elsewhere.id, user.id)))
      assert.same({}, assert(cp.policies:get_applicable(org.id, nil, user.id)))
    end)

    it("resolves one winner a type: user before application before organization, then priority", function()
      policy { priority = 99 }
      policy { app_id = app.id, priority = 7 }
      local of_user = policy { user_id = user.id, priority = 1 }
      policy { policy_type = "budget", config = { n = 1 }, app_id = app.id, priority = 1 }
      local budget = policy { policy_type = "budget", config = { n = 2 }, app_id = app.id, priority = 2 }
      policy { policy_type = "rag", enabled = false }
      local winners = assert(cp.policies:resolve(org.id, app.id, user.id))
      assert.equal("user", winners.rate_limit.level)
      assert.equal(of_user.id, winners.rate_limit.policy.id)
      assert.equal("app", winners.budget.level)
      assert.equal(budget.id, winners.budget.policy.id)
      assert.is_nil(winners.rag)
    end)

    it("LC-P6 changes configuration, priority and enabled; an unknown id is not found", function()
      local made = policy()
      clock.tick(5)
      local changed = assert(cp.policies:patch(made.id, { config = { n = 5 }, priority = 3, enabled = false }))
      assert.same({ { n = 5 }, 3, false }, { changed.config, changed.priority, changed.enabled })
      assert.is_true(changed.updated_at > made.updated_at)
      changed.priority = 4
      assert.equal(4, assert(cp.policies:update(changed)).priority)
      changed.org_id, changed.priority = nil, 5
      assert.equal(5, assert(cp.policies:update(changed)).priority)
      local _, err = cp.policies:patch(rows.NOBODY, { priority = 1 })
      assert.equal("not_found", err.code)
      _, err = cp.policies:update { id = rows.NOBODY, priority = 1 }
      assert.equal("not_found", err.code)
      _, err = cp.policies:patch(made.id, { priority = -1 })
      assert.equal("invalid", err.code)
    end)

    it("LC-P7 deletes; afterwards it is not found, and neither is it to be deleted", function()
      local made = policy()
      assert.is_true(cp.policies:delete(made.id))
      local _, err = cp.policies:get(made.id)
      assert.equal("not_found", err.code)
      _, err = cp.policies:delete(made.id)
      assert.equal("not_found", err.code)
    end)

    it("LC-P8 keeps what a transaction commits, and nothing of one that fails", function()
      local kept, undone
      assert(db:transaction(function()
        kept = assert(cp.policies:create(rows.policy(org)))
        return true
      end))
      local ok = db:transaction(function()
        undone = assert(cp.policies:create(rows.policy(org)))
        return nil, "changed my mind"
      end)
      assert.is_nil(ok)
      assert.is_true(cp.policies:exists(kept.id))
      assert.is_false(cp.policies:exists(undone.id))
    end)

    it("refuses what belongs to another organization", function()
      local _, foreign_app, foreign_user = rows.world(cp)
      local _, err = cp.policies:create(rows.policy(org, { app_id = foreign_app.id }))
      assert.same({ "foreign_key", "fk_policies_app" }, { err.code, err.constraint })
      _, err = cp.policies:create(rows.policy(org, { user_id = foreign_user.id }))
      assert.same({ "foreign_key", "fk_policies_user" }, { err.code, err.constraint })
    end)
  end)
end
