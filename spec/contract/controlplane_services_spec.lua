local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local rows = require "spec.support.controlplane"
local services = require "larder.families.controlplane.services"

local START = 1705276800000000 -- 2024-01-15T00:00:00Z

for _, engine in ipairs(engines) do
  describe("controlplane services on " .. engine.name, function()
    local db, cp, clock, org, app, user

    before_each(function()
      db = engine.fresh "controlplane"
      cp = db:stores "controlplane"
      clock = clocks.clock(START)
      db:set_clock(clock)
      org, app, user = rows.world(cp)
    end)

    teardown(engine.done)

    local function code(ok, err)
      if ok then return "ok" end
      return err.reason or err.code
    end

    describe("policy engine", function()
      it("remembers, and asks again when it was told of a change", function()
        local decide = services.policy_engine(cp)
        local made = assert(cp.policies:create(rows.policy(org, { config = { n = 1 } })))
        assert.equal(1, assert(decide:evaluate(org.id, app.id)).rate_limit.policy.config.n)
        assert(cp.policies:patch(made.id, { config = { n = 2 } }))
        local again = assert(decide:evaluate(org.id, app.id))
        assert.equal(1, again.rate_limit.policy.config.n)
        again.rate_limit.policy.config.n = 99 -- the caller's own
        assert.equal(1, assert(decide:evaluate(org.id, app.id)).rate_limit.policy.config.n)
        assert.equal(1, decide:changed(made))
        assert.equal(2, assert(decide:evaluate(org.id, app.id)).rate_limit.policy.config.n)
        local stats = decide.cache:stats()
        assert.same({ 2, 2, 1 }, { stats.hits, stats.misses, stats.size })
      end)

      it("combines an organization's rate limit with an application's budget", function()
        assert(cp.policies:create(rows.policy(org)))
        assert(cp.policies:create(rows.policy(org, { app_id = app.id, policy_type = "budget", config = { max_daily_cost = 5 } })))
        assert(cp.policies:create(rows.policy(org, { policy_type = "rag", enabled = false })))
        local winners = assert(services.policy_engine(cp):evaluate(org.id, app.id, user.id))
        assert.same({ "org", "app" }, { winners.rate_limit.level, winners.budget.level })
        assert.is_nil(winners.rag)
      end)
    end)

    describe("budgets", function()
      it("names scopes and periods", function()
        local budgets = services.budgets(cp)
        assert.same({ "2024-01-15", "2024-01" }, { budgets:period_key "daily", budgets:period_key "monthly" })
        assert.same({ "org", "app:a", "user:u" }, {
          budgets:scope_key { org_id = "o" }, budgets:scope_key { org_id = "o", app_id = "a" },
          budgets:scope_key { org_id = "o", app_id = "a", user_id = "u" },
        })
      end)

      it("holds daily and monthly limits, and counts nothing of what it refuses", function()
        local budgets, scope = services.budgets(cp), { org_id = org.id }
        assert(budgets:spend(scope, 50, { max_daily_cost = 100 }))
        assert(budgets:spend(scope, "50.00", { max_daily_cost = 100 }))
        local _, err = budgets:spend(scope, "0.000001", { max_daily_cost = 100 })
        assert.same({ "capacity", "budget", "daily" }, { err.code, err.reason, err.period })
        assert.same({ "100.000000", 2 }, { budgets:spent(scope, "daily") })
        assert.same({ "100.000000", 2 }, { budgets:spent(scope, "monthly") })
        local _, monthly = budgets:spend(scope, 1, { max_daily_cost = 1000, max_monthly_cost = 100 })
        assert.equal("monthly", monthly.period)
        assert.same({ "100.000000", 2 }, { budgets:spent(scope, "daily") })
        clock.tick(86400)
        assert(budgets:spend(scope, 1, { max_daily_cost = 100 }))
        assert.same({ "1.000000", 1 }, { budgets:spent(scope, "daily") })
      end)

      it("refuses the sixth of five monthly twenties", function()
        local budgets, scope = services.budgets(cp), { org_id = org.id, app_id = app.id }
        for _ = 1, 5 do
          assert(budgets:spend(scope, 20, { max_monthly_cost = 100 }))
          clock.tick(86400)
        end
        assert.equal("budget", code(budgets:spend(scope, 20, { max_monthly_cost = 100 })))
      end)

      it("allows everything without a limit, and keeps scopes apart", function()
        local budgets = services.budgets(cp)
        assert(budgets:spend({ org_id = org.id }, 1e6))
        assert(budgets:spend({ org_id = org.id }, 1, { max_daily_cost = 0, max_monthly_cost = 0 }))
        assert(budgets:spend({ org_id = org.id, app_id = app.id }, 5, { max_daily_cost = 5 }))
        assert(budgets:spend({ org_id = org.id, user_id = user.id }, 5, { max_daily_cost = 5 }))
        assert.equal("request", select(2, budgets:spend({ org_id = org.id }, 2, { max_cost_per_request = 1 })).period)
        assert.equal("invalid", code(budgets:spend({ org_id = org.id }, "-1")))
        assert.equal("invalid", code(budgets:spend({ org_id = org.id }, "0.0000001")))
        assert.has_error(function() budgets:spend({}, 1) end)
        assert.has_error(function() budgets:spend({ org_id = org.id }, 1, { max_daily_cost = "lots" }) end)
      end)

      it("sums up, and tells who spent most", function()
        local budgets = services.budgets(cp)
        for _ = 1, 5 do assert(budgets:spend({ org_id = org.id }, 10)) end
        assert.same({ daily_spent = "50.000000", monthly_spent = "50.000000", daily_requests = 5, monthly_requests = 5 },
          assert(budgets:summary { org_id = org.id }))
        assert(budgets:spend({ org_id = org.id, app_id = app.id }, 200))
        assert(budgets:spend({ org_id = org.id, user_id = user.id }, 100))
        local top = assert(budgets:top_spenders(org.id, "daily", 2))
        assert.same({ "app:" .. app.id, "200.000000", "user:" .. user.id, "100.000000" },
          { top[1].scope, top[1].spent, top[2].scope, top[2].spent })
      end)

      it("forgets what is over, and not the present month", function()
        local budgets, scope = services.budgets(cp), { org_id = org.id }
        assert(budgets:spend(scope, "25.5"))
        assert(budgets:spend(scope, "10"))
        clock.tick(86400)
        assert.equal(1, assert(budgets:cleanup(db:now())))
        assert.same({ "35.500000", 2 }, { budgets:spent(scope, "monthly") })
        assert.same({ "0.000000", 0 }, { budgets:spent(scope, "daily") })
      end)
    end)

    describe("rate limits", function()
      it("slides: what was taken counts until its window has passed", function()
        local limits, scope, config = services.rate_limits(cp), { org_id = org.id }, { requests_per_minute = 10 }
        clock.tick(30)
        for _ = 1, 10 do assert(limits:take(scope, config)) end
        local _, err = limits:take(scope, config)
        assert.same({ "capacity", "rate_limit", "requests", 60, 10 }, { err.code, err.reason, err.metric, err.window, err.limit })
        assert.equal(30, err.retry_after)
        clock.tick(45) -- a quarter of the next window: three quarters of the ten still count
        for _ = 1, 3 do assert(limits:take(scope, config)) end
        assert.equal("rate_limit", code(limits:take(scope, config)))
        assert.same({ requests_per_minute = 10 }, assert(limits:usage(scope, config)))
        clock.tick(120)
        assert.same({ requests_per_minute = 0 }, assert(limits:usage(scope, config)))
        for _ = 1, 10 do assert(limits:take(scope, config)) end
      end)

      it("counts tokens beside requests, all or none", function()
        local limits, scope = services.rate_limits(cp), { org_id = org.id, app_id = app.id }
        local config = { requests_per_hour = 100, tokens_per_minute = 50 }
        assert(limits:take(scope, config, 50))
        local _, err = limits:take(scope, config, 1)
        assert.equal("tokens", err.metric)
        assert.same({ requests_per_hour = 1, tokens_per_minute = 50 }, assert(limits:usage(scope, config)))
        assert(limits:take(scope, config))
        assert(limits:take({ org_id = org.id }, config, 50))
      end)

      it("allows everything without limits, knows window bounds, cleans up", function()
        local limits, scope = services.rate_limits(cp), { org_id = org.id }
        assert(limits:take(scope))
        assert(limits:take(scope, { requests_per_minute = 0 }, 1000))
        local _, from, to = limits:window(60)
        assert.same({ "2024-01-15T00:00:00.000000Z", "2024-01-15T00:01:00.000000Z" }, { from, to })
        assert(limits:take(scope, { requests_per_minute = 5 }))
        assert.equal(0, assert(limits:cleanup()))
        clock.tick(2 * 86400)
        assert.equal(1, assert(limits:cleanup()))
        assert.has_error(function() limits:take(scope, { requests_per_minute = 1.5 }) end)
      end)
    end)

    describe("audit service", function()
      it("starts once, takes events while it runs, and stops when they are written", function()
        local audit = services.audit(cp)
        assert.equal("closed", code(audit:log(rows.event(org))))
        assert(audit:start())
        assert.equal("invalid", code(audit:start()))
        for _ = 1, 50 do assert(audit:log(rows.event(org, { action = "event" }))) end
        assert(audit:log_blocking(rows.event(org, { action = "event" }), 1))
        assert(audit:stop(10))
        assert(audit:stop(10))
        assert.equal(51, assert(cp.audit_logs:count { org_id = org.id, action = "event" }))
        assert.equal("closed", code(audit:log(rows.event(org))))
        local stats = audit:stats()
        assert.same({ false, 51, 0, 0 }, { stats.running, stats.accepted, stats.waiting, stats.refused })
      end)
    end)
  end)
end

describe("controlplane policy cache", function()
  local clock, cache

  before_each(function()
    clock = clocks.clock()
    cache = services.cache { capacity = 3, ttl = 60, clock = clock }
  end)

  it("has keys of organization, application and user", function()
    assert.equal("o:a", services.cache_key("o", "a"))
    assert.equal("o:a:u", services.cache_key("o", "a", "u"))
    assert.equal("o:-:u", services.cache_key("o", nil, "u"))
  end)

  it("forgets after its time", function()
    cache:set("o:a", 1)
    clock.tick(59)
    assert.equal(1, cache:get "o:a")
    clock.tick(1)
    assert.is_nil(cache:get "o:a")
  end)

  it("drops what was not used for longest", function()
    for i, key in ipairs { "o:a", "o:b", "o:c" } do cache:set(key, i) end
    assert.equal(1, cache:get "o:a")
    cache:set("o:d", 4)
    assert.is_nil(cache:get "o:b")
    assert.same({ 1, 3, 4 }, { cache:get "o:a", cache:get "o:c", cache:get "o:d" })
    cache:set("o:a", 5)
    assert.equal(5, cache:get "o:a")
    assert.same({ 3, 1 }, { cache:stats().size, cache:stats().evictions })
  end)

  it("forgets by organization, application, user; all; and what is too old", function()
    local big = services.cache { clock = clock, ttl = 10 }
    local function fill()
      for _, key in ipairs { "o:a", "o:a:u", "o:b:u", "p:a" } do big:set(key, key) end
    end
    fill()
    assert.equal(3, big:invalidate_org "o")
    fill()
    assert.equal(3, big:invalidate_app "a")
    fill()
    assert.equal(2, big:invalidate_user "u")
    assert.is_true(big:invalidate "o:a")
    assert.is_false(big:invalidate "o:a")
    fill()
    clock.tick(5)
    big:set("q:a", 1)
    clock.tick(5)
    assert.equal(4, big:cleanup())
    big:clear()
    assert.equal(0, big:stats().size)
    assert.has_error(function() services.cache { size = 3 } end)
  end)

  it("counts hits and misses", function()
    cache:set("o:a", 1)
    cache:get "o:a"
    cache:get "o:b"
    local stats = cache:stats()
    assert.same({ 1, 1, 0.5, 3 }, { stats.hits, stats.misses, stats.hit_rate, stats.capacity })
  end)
end)
