-- Many callers at once, in one event loop: no count is lost, and no limit passed.

local larder = require "larder"
local loops = require "spec.support.loops"
local engines = require "spec.support.engines"
local rows = require "spec.support.controlplane"
local unpack = require("larder.base.compat").unpack
local services = require "larder.families.controlplane.services"

local missing = require("spec.support.need").server()
if missing then return describe("controlplane with 16 callers in ", function() pending(missing) end) end

local CALLERS = 16

for name, loop in pairs { cqueues = loops.cqueues, luv = loops.luv } do
  describe("controlplane with 16 callers in " .. name, function()
    local db, cp, org, app

    before_each(function()
      engines[2].fresh "controlplane"
      local options = {}
      for k, v in pairs(loop.options) do options[k] = v end
      db = assert(larder.open(os.getenv "LARDER_TEST_URL", options))
      cp = db:stores "controlplane"
      loop.run(db, function() org, app = rows.world(cp) end)
    end)

    after_each(function() db:close() end)
    teardown(engines[2].done)

    local function together(fn)
      local fns = {}
      for i = 1, CALLERS do fns[i] = function() fn(i) end end
      loop.run(db, unpack(fns))
    end

    it("never spends more than a budget, and loses no amount", function()
      local budgets, scope, taken = services.budgets(cp), { org_id = org.id }, 0
      together(function()
        for _ = 1, 5 do
          local ok, err = budgets:spend(scope, "0.10", { max_daily_cost = "5", max_monthly_cost = "100" })
          if ok then taken = taken + 1 else assert(err.reason == "budget", tostring(err)) end
        end
      end)
      assert.equal(50, taken)
      local spent, requests
      loop.run(db, function() spent, requests = budgets:spent(scope, "daily") end)
      assert.same({ "5.000000", 50 }, { spent, requests })
    end)

    it("never passes a rate limit", function()
      local limits, scope, taken = services.rate_limits(cp), { org_id = org.id, app_id = app.id }, 0
      db:set_clock(function() return 1767225600000000 end)
      together(function()
        for _ = 1, 5 do
          local ok, err = limits:take(scope, { requests_per_minute = 30, tokens_per_hour = 1000 }, 2)
          if ok then taken = taken + 1 else assert(err.reason == "rate_limit", tostring(err)) end
        end
      end)
      assert.equal(30, taken)
      local usage
      loop.run(db, function() usage = limits:usage(scope, { requests_per_minute = 30, tokens_per_hour = 1000 }) end)
      assert.same({ requests_per_minute = 30, tokens_per_hour = 60 }, usage)
    end)

    it("lets one of many finish a request", function()
      local id
      loop.run(db, function()
        id = assert(cp.inference_requests:create(rows.request(org, app))).id
        assert(cp.inference_requests:mark_processing(id))
      end)
      local ended, refused = 0, 0
      together(function(i)
        local ok, err
        if i % 2 == 0 then ok, err = cp.inference_requests:mark_completed(id, {})
        else ok, err = cp.inference_requests:mark_failed(id, "c", "m") end
        if ok then ended = ended + 1 else
          assert(err.code == "invalid", tostring(err))
          refused = refused + 1
        end
      end)
      assert.same({ 1, CALLERS - 1 }, { ended, refused })
    end)
  end)
end

describe("the audit service while its table is locked", function()
  local db, cp, org, locker

  before_each(function()
    engines[2].fresh "controlplane"
    db = assert(larder.open(os.getenv "LARDER_TEST_URL", { writer = { queue = 10, batch = 5, policy = "error" } }))
    locker = assert(larder.open(os.getenv "LARDER_TEST_URL"))
    cp = db:stores "controlplane"
    org = rows.world(cp)
  end)

  after_each(function()
    db:close()
    locker:close()
  end)
  teardown(engines[2].done)

  local function while_locked(fn)
    assert(locker:transaction(function(tx)
      assert(tx:query "lock table controlplane.audit_logs in access exclusive mode")
      fn()
      return true
    end))
  end

  it("refuses what its queue has no room for, waits for room when told, and loses nothing that it took", function()
    local audit = services.audit(cp)
    assert(audit:start())
    while_locked(function()
      local refused
      for _ = 1, 100 do
        local ok, err = audit:log(rows.event(org))
        if not ok then refused = refused or err end
      end
      assert.equal("capacity", refused.code)
      local ok, err = audit:log_blocking(rows.event(org), 0.05)
      assert.is_nil(ok)
      assert.equal("timeout", err.code)
      ok, err = audit:stop(0.05)
      assert.is_nil(ok)
      assert.equal("timeout", err.code)
      assert.equal("closed", select(2, audit:log(rows.event(org))).code)
    end)
    assert(cp.audit_logs:flush(10))
    local stats = audit:stats()
    assert.is_true(stats.accepted >= 10 and stats.accepted < 100, stats.accepted)
    assert.equal(100, stats.accepted + stats.refused)
    assert.same({ false, stats.accepted, 0, 0 }, { stats.running, stats.written, stats.waiting, stats.rejected })
    assert.equal(stats.accepted, assert(cp.audit_logs:count { org_id = org.id }))
  end)

  it("takes what waited for room once there is some", function()
    local audit = services.audit(cp)
    assert(audit:start())
    for _ = 1, 200 do assert(audit:log_blocking(rows.event(org), 10)) end
    assert(audit:stop(10))
    assert.equal(200, assert(cp.audit_logs:count { org_id = org.id }))
  end)
end)

for name, loop in pairs { cqueues = loops.cqueues, luv = loops.luv } do
  describe("the audit service in " .. name, function()
    it("takes 10 events of each of 10 callers", function()
      engines[2].fresh "controlplane"
      local options = {}
      for k, v in pairs(loop.options) do options[k] = v end
      local db = assert(larder.open(os.getenv "LARDER_TEST_URL", options))
      local cp, fns, org = db:stores "controlplane", {}, nil
      loop.run(db, function() org = rows.world(cp) end)
      local audit = services.audit(cp)
      assert(audit:start())
      for i = 1, 10 do
        fns[i] = function()
          for _ = 1, 10 do assert(audit:log_blocking(rows.event(org), 5)) end
        end
      end
      loop.run(db, unpack(fns))
      local n
      loop.run(db, function()
        assert(audit:stop(10))
        n = assert(cp.audit_logs:count { org_id = org.id })
      end)
      assert.equal(100, n)
      db:close()
      engines[2].done()
    end)
  end)
end
