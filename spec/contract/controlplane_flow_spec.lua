local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local larder = require "larder"
local rows = require "spec.support.controlplane"

local FROM, TO = "2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z"

for _, engine in ipairs(engines) do
  describe("controlplane.inference_requests on " .. engine.name, function()
    local db, cp, clock, org, app, user

    before_each(function()
      db = engine.fresh "controlplane"
      cp = db:stores "controlplane"
      clock = clocks.clock()
      db:set_clock(clock)
      org, app, user = rows.world(cp)
    end)

    teardown(engine.done)

    local function request(more)
      clock.tick(1)
      return assert(cp.inference_requests:create(rows.request(org, app, more)))
    end

    local function completed(more, fields)
      local made = request(more)
      assert(cp.inference_requests:mark_processing(made.id))
      return assert(cp.inference_requests:mark_completed(made.id, fields))
    end

    it("LC-I1 goes from organization to figures", function()
      assert(cp.policies:create(rows.policy(org, { app_id = app.id })))
      local applied = assert(cp.policies:get_applicable(org.id, app.id, user.id))
      local made = request { user_id = user.id, prompt = "hello" }
      assert.equal("pending", made.status)
      assert.is_string(made.request_id)
      local busy = assert(cp.inference_requests:mark_processing(made.id))
      assert.equal("processing", busy.status)
      assert.is_string(busy.started_at)
      local done = assert(cp.inference_requests:mark_completed(made.id, {
        response = "hi", finish_reason = "stop", prompt_tokens = 3, completion_tokens = 4, latency_ms = 120, cost = "0.000123",
        policies_applied = larder.array { applied[1].id },
      }))
      assert.same({ "completed", 7, "0.000123", "hello", "hi", "stop" },
        { done.status, done.total_tokens, done.cost, done.prompt, done.response, done.finish_reason })
      assert.same({ applied[1].id }, done.policies_applied)
      assert(cp.audit_logs:insert(rows.event(org, { request_id = made.request_id, tokens_used = 7 })))
      assert.equal(1, #assert(cp.audit_logs:list_by_request_id(org.id, made.request_id)))
      assert.same({
        total_requests = 1, completed_requests = 1, failed_requests = 0, rejected_requests = 0, total_tokens = 7,
        total_cost = "0.000123", avg_latency_ms = 120,
      }, assert(cp.inference_requests:get_metrics(org.id, FROM, TO)))
    end)

    it("LC-I2 records what a policy refused", function()
      local made = request()
      local row = assert(cp.inference_requests:mark_rejected(made.id, "too many", larder.array { { policy = "rate_limit" } }))
      assert.same({ "rejected", "too many", { { policy = "rate_limit" } } },
        { row.status, row.error_message, row.policy_violations })
      assert.is_string(row.completed_at)
      assert(cp.audit_logs:insert(rows.event(org, { action = "policy_violation", request_id = made.request_id })))
      assert.equal(1, #assert(cp.audit_logs:list_by_action(org.id, "policy_violation")))
    end)

    it("LC-I3 stores every row of many that nobody waits for", function()
      for i = 1, 300 do
        assert(cp.audit_logs:insert_async(rows.event(org, { request_id = "r" .. i, action = "bulk" })))
      end
      assert(cp.audit_logs:flush(20))
      assert.equal(300, assert(cp.audit_logs:count { org_id = org.id, action = "bulk" }))
    end)

    it("LC-I4 lists by status, range, application and user, and sums", function()
      completed({ user_id = user.id }, { prompt_tokens = 1, completion_tokens = 1, cost = "0.1", latency_ms = 10 })
      completed({}, { total_tokens = 10, cost = "0.2", latency_ms = 20 })
      local failed = assert(cp.inference_requests:mark_failed(request().id, "timeout", "no answer"))
      assert.same({ "failed", "timeout", "no answer" }, { failed.status, failed.error_code, failed.error_message })
      assert(cp.inference_requests:mark_rejected(request().id, "no"))
      local pending = request { latency_ms = 60 }
      assert.equal(2, #assert(cp.inference_requests:list_by_status(org.id, "completed")))
      assert.same({ pending.id }, rows.pluck(cp.inference_requests:list_by_status(org.id, "pending"), "id"))
      assert.same({ pending.id, failed.id }, (function(list) return { list[1].id, list[3].id } end)(
        assert(cp.inference_requests:list_by_app(org.id, app.id))))
      assert.equal(1, #assert(cp.inference_requests:list_by_user(org.id, user.id)))
      assert.equal(5, #assert(cp.inference_requests:list_by_org(org.id)))
      assert.same({ failed.id },
        rows.pluck(cp.inference_requests:list_by_date_range(org.id, failed.created_at, failed.created_at), "id"))
      local m = assert(cp.inference_requests:get_metrics(org.id, FROM, TO))
      assert.same({ 5, 2, 1, 1, 12, "0.300000", 30 }, {
        m.total_requests, m.completed_requests, m.failed_requests, m.rejected_requests, m.total_tokens, m.total_cost,
        m.avg_latency_ms,
      })
      assert.same({
        total_requests = 0, completed_requests = 0, failed_requests = 0, rejected_requests = 0, total_tokens = 0,
        total_cost = "0", avg_latency_ms = 0,
      }, assert(cp.inference_requests:get_metrics(rows.NOBODY, FROM, TO)))
    end)

    it("gives figures by model, provider and time", function()
      completed({ model = "a" }, { total_tokens = 1 })
      completed({ model = "b" }, { total_tokens = 2 })
      clock.tick(7200)
      completed({ model = "a" }, { total_tokens = 4 })
      local by_model = {}
      for _, g in ipairs(assert(cp.inference_requests:get_metrics(org.id, FROM, TO, { group_by = "model" }))) do
        by_model[g.model] = g.total_tokens
      end
      assert.same({ a = 5, b = 2 }, by_model)
      local by_hour = {}
      for _, g in ipairs(assert(cp.inference_requests:get_metrics(org.id, FROM, TO,
        { group_by = { "provider", "model" }, bucket = "hour" }))) do
        by_hour[#by_hour + 1] = ("%s %s %s %d"):format(g.bucket, g.provider, g.model, g.total_requests)
      end
      table.sort(by_hour)
      assert.same({
        "2026-01-01T00:00:00.000000Z p-1 a 1", "2026-01-01T00:00:00.000000Z p-1 b 1", "2026-01-01T02:00:00.000000Z p-1 a 1",
      }, by_hour)
      assert.has_error(function() cp.inference_requests:get_metrics(org.id, FROM, TO, { group_by = "prompt" }) end)
      assert.has_error(function() cp.inference_requests:get_metrics(org.id, FROM, TO, { groups = "model" }) end)
    end)

    it("LC-R1 has a request id once", function()
      local made = request { request_id = "r-1" }
      assert.equal(made.id, assert(cp.inference_requests:get_by_request_id "r-1").id)
      local _, err = cp.inference_requests:create(rows.request(org, app, { request_id = "r-1" }))
      assert.same({ "conflict", "unique_request_id" }, { err.code, err.constraint })
    end)

    it("LC-R2 keeps every field of the model", function()
      local all = {
        request_id = "r-9", user_id = user.id, model = "m", provider = "p", prompt = "q",
        messages = larder.array { { role = "user", content = "q" } }, parameters = { temperature = 0.5, stop = larder.array {} },
        response = "a", finish_reason = "stop", prompt_tokens = 1, completion_tokens = 2, total_tokens = 3, cost = "1.500000",
        latency_ms = 9, status = "failed", policies_applied = larder.array { "x" }, policy_violations = larder.array {},
        error_code = "e", error_message = "m", ip_address = "10.0.0.1", user_agent = "ua",
        started_at = "2026-01-01T00:00:00.000001Z", completed_at = "2026-01-01T00:00:00.000002Z",
      }
      local made = request(all)
      local stored = assert(cp.inference_requests:get(made.id))
      for name, value in pairs(all) do assert.same(value, stored[name], name) end
    end)

    it("refuses illegal changes of status, and leaves the row as it is", function()
      local legal = {
        pending = { processing = true, failed = true, rejected = true },
        processing = { completed = true, failed = true, rejected = true },
        completed = {}, failed = {}, rejected = {},
      }
      local marks = {
        processing = function(id) return cp.inference_requests:mark_processing(id) end,
        completed = function(id) return cp.inference_requests:mark_completed(id, {}) end,
        failed = function(id) return cp.inference_requests:mark_failed(id, "c", "m") end,
        rejected = function(id) return cp.inference_requests:mark_rejected(id, "r") end,
      }
      for from, to in pairs(legal) do
        for status, mark in pairs(marks) do
          local made = request { status = from }
          local row, err = mark(made.id)
          if to[status] then
            assert.equal(status, row.status)
          else
            assert.same({ "invalid", ("cannot go from %s to %s"):format(from, status) }, { err.code, err.fields.status })
            assert.same(made, assert(cp.inference_requests:get(made.id)))
          end
        end
      end
      local _, err = cp.inference_requests:mark_processing(rows.NOBODY)
      assert.equal("not_found", err.code)
    end)

    it("guards the status in patch and update, too", function()
      local done = completed({}, {})
      local _, err = cp.inference_requests:patch(done.id, { status = "pending" })
      assert.same({ "invalid", "cannot go from completed to pending" }, { err.code, err.fields.status })
      done.status = "processing"
      _, err = cp.inference_requests:update(done)
      assert.equal("invalid", err.code)
      assert.equal("again", assert(cp.inference_requests:patch(done.id, { response = "again", status = "completed" })).response)
      assert.equal("processing", assert(cp.inference_requests:patch(request().id, { status = "processing" })).status)
      _, err = cp.inference_requests:patch(rows.NOBODY, { status = "processing" })
      assert.equal("not_found", err.code)
      _, err = cp.inference_requests:patch(done.id, { status = "sleeping" })
      assert.equal("invalid", err.code)
    end)

    it("LC-T1 keeps the outer transaction when an inner one fails", function()
      assert(db:transaction(function()
        assert(cp.organizations:create(rows.org "outer"))
        local ok, err = db:transaction(function()
          assert(cp.organizations:create(rows.org "inner"))
          return cp.organizations:create(rows.org "outer")
        end)
        assert.is_nil(ok)
        assert.equal("conflict", err.code)
        return true
      end))
      assert.is_truthy(cp.organizations:get_by_slug "outer")
      assert.is_nil((cp.organizations:get_by_slug "inner"))
    end)

    it("LC-T2 has every store take part in a transaction", function()
      db:transaction(function()
        local o = assert(cp.organizations:create(rows.org "tx"))
        local a = assert(cp.applications:create(rows.app(o)))
        assert(cp.users:create(rows.user(o, { cognito_sub = "tx" })))
        assert(cp.policies:create(rows.policy(o)))
        assert(cp.audit_logs:insert(rows.event(o, { action = "tx" })))
        assert(cp.inference_requests:create(rows.request(o, a, { request_id = "tx" })))
        return nil, "no"
      end)
      for _, left in ipairs {
        { cp.organizations:count { slug = "tx" } }, { cp.users:count { cognito_sub = "tx" } },
        { cp.audit_logs:count { action = "tx" } }, { cp.inference_requests:count { request_id = "tx" } },
      } do assert.same({ 0 }, left) end
    end)

    it("LC-T3 rolls back when the function raises, and the database goes on", function()
      for _ = 1, 40 do -- more often than there are connections
        local ok, err = pcall(function()
          return assert(db:transaction(function()
            assert(cp.organizations:create(rows.org "raised"))
            error { mine = true }
          end))
        end)
        assert.is_false(ok)
        assert.is_not_nil(err)
      end
      assert.is_nil((cp.organizations:get_by_slug "raised"))
    end)

    it("LC-T4 does nothing more once a transaction is over", function()
      local inside
      assert(db:transaction(function(tx)
        inside = tx
        return assert(cp.organizations:create(rows.org "over"))
      end))
      assert.is_not_nil(inside)
      assert.is_false(db:in_transaction())
      assert.is_truthy(cp.organizations:get_by_slug "over")
    end)
  end)
end
