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
