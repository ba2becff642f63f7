local engines = require "spec.support.engines"
local clocks = require "spec.support.auth"
local rows = require "spec.support.controlplane"

for _, engine in ipairs(engines) do
  describe("controlplane.audit_logs on " .. engine.name, function()
    local db, cp, clock, org, app, user

    before_each(function()
      db = engine.fresh "controlplane"
      cp = db:stores "controlplane"
      clock = clocks.clock()
      db:set_clock(clock)
      org, app, user = rows.world(cp)
    end)

    teardown(engine.done)

    local function event(more)
      clock.tick(1)
      return assert(cp.audit_logs:insert(rows.event(org, more)))
    end

    it("LC-A1 inserts and gets", function()
      local made = event { details = { before = { a = 1 }, after = { a = 2 } }, resource_id = app.id }
      assert.same(made, assert(cp.audit_logs:get(made.id)))
      assert.is_true(cp.audit_logs:exists(made.id))
      local _, err = cp.audit_logs:get(rows.NOBODY)
      assert.equal("not_found", err.code)
    end)

    it("LC-A2 lists by organization in pages, the newest first, none twice", function()
      local made = {}
      for i = 1, 5 do made[6 - i] = event().id end
      local seen, after = {}, nil
      repeat
        local page, info = assert(cp.audit_logs:list_by_org(org.id, { limit = 2, after = after }))
        for _, row in ipairs(page) do seen[#seen + 1] = row.id end
        after = info.next
      until not after
      assert.same(made, seen)
      assert.same({ made[3], made[4] }, rows.pluck(cp.audit_logs:list_by_org(org.id, { limit = 2, offset = 2 }), "id"))
    end)

    it("LC-A3 LC-A4 LC-A6 lists by application, user and action", function()
      local of_app, of_user = event { app_id = app.id }, event { user_id = user.id, action = "user_updated" }
      assert.same({ of_app.id }, rows.pluck(cp.audit_logs:list_by_app(org.id, app.id), "id"))
      assert.same({ of_user.id }, rows.pluck(cp.audit_logs:list_by_user(org.id, user.id), "id"))
      assert.same({ of_user.id }, rows.pluck(cp.audit_logs:list_by_action(org.id, "user_updated"), "id"))
      assert.same({}, assert(cp.audit_logs:list_by_app(rows.NOBODY, app.id)))
    end)

    it("LC-A5 lists by range, both ends inside", function()
      local first = event()
      local second, third = event(), event()
      event()
      assert.same({ third.id, second.id, first.id },
        rows.pluck(cp.audit_logs:list_by_date_range(org.id, first.timestamp, third.timestamp), "id"))
      assert.same({ second.id },
        rows.pluck(cp.audit_logs:list_by_date_range(org.id, second.timestamp, second.timestamp), "id"))
      assert.has_error(function() cp.audit_logs:list_by_date_range(org.id, first.timestamp) end)
    end)

    it("LC-A7 lists all of a request", function()
      local one, two = event { request_id = "r1" }, event { request_id = "r1" }
      event { request_id = "r2" }
      assert.same({ two.id, one.id }, rows.pluck(cp.audit_logs:list_by_request_id(org.id, "r1"), "id"))
    end)

    it("LC-A8 writes rows that nobody waits for", function()
      for _ = 1, 20 do assert.is_true(cp.audit_logs:insert_async(rows.event(org, { action = "async" }))) end
      assert(cp.audit_logs:flush(10))
      assert.equal(20, #assert(cp.audit_logs:list_by_action(org.id, "async")))
      assert.is_true(cp.audit_logs:writer_stats().written >= 20)
    end)

    it("LC-A9 keeps figures and errors of a model; what is null stays null", function()
      local figures = {
        model = "m", provider = "p", tokens_used = 7, cost = "12345678.123456", latency_ms = 12, status_code = 500,
        error_message = "", ip_address = "::1", user_agent = "curl", request_id = "r",
      }
      local made, bare = event(figures), event()
      local stored = assert(cp.audit_logs:get(made.id))
      for name, value in pairs(figures) do
        assert.equal(value, stored[name], name)
        assert.is_nil(bare[name], name)
        assert.is_nil(assert(cp.audit_logs:get(bare.id))[name], name)
      end
    end)

    it("LC-A10 undoes with the transaction", function()
      db:transaction(function()
        event { action = "undone" }
        return nil, "no"
      end)
      assert.same({}, assert(cp.audit_logs:list_by_action(org.id, "undone")))
    end)

    it("has room for each month ahead, and takes old months out", function()
      clock.tick(40 * 86400) -- 2026-02-10
      local old, new
      clock.tick(-40 * 86400)
      old = event { action = "old" }
      clock.tick(40 * 86400)
      new = event { action = "new" }
      assert(cp.audit_logs:ensure_partitions { ahead = 2, back = 1 })
      assert.same({}, assert(cp.audit_logs:ensure_partitions { ahead = 2, back = 1 }))
      assert.same({ new.id, old.id }, rows.pluck(cp.audit_logs:list_by_org(org.id), "id"))
      assert(cp.audit_logs:detach_partitions { before = "2026-01-31T00:00:00Z", drop = true })
      assert.equal(2, #assert(cp.audit_logs:list_by_org(org.id))) -- January is not over before the 31st
      assert(cp.audit_logs:detach_partitions { before = "2026-02-03T00:00:00Z", drop = true })
      assert.same({ new.id }, rows.pluck(cp.audit_logs:list_by_org(org.id), "id"))
      if engine.name == "postgres" then
        local names = rows.pluck(db:query [[select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'controlplane.audit_logs'::regclass order by 1]], "name")
        assert.same({ "audit_logs_2026_02", "audit_logs_2026_03", "audit_logs_2026_04", "audit_logs_default" }, names)
      end
      assert(cp.audit_logs:detach_partitions { before = "2030-01-01T00:00:00Z", drop = true })
      assert.same({}, assert(cp.audit_logs:list_by_org(org.id)))
    end)

    it("names the declared constraint, whichever partition holds the row", function()
      local made = event {}
      for _, step in ipairs { "default partition", "month" } do
        if step == "month" then assert(cp.audit_logs:ensure_partitions { ahead = 1, back = 1 }) end
        local row = rows.event(org, { id = made.id, timestamp = made.timestamp })
        local _, err = cp.audit_logs:create(row)
        assert.same({ "conflict", "audit_logs_pkey" }, { err.code, err.constraint }, step)
        assert.matches('constraint "audit_logs_pkey"', err.message, 1, true)
      end
    end)

    it("names the place of a wrong partition call", function()
      assert.has_error(function() cp.audit_logs:ensure_partitions { months = 3 } end)
      assert.has_error(function() cp.audit_logs:ensure_partitions { ahead = -1 } end)
      assert.has_error(function() cp.audit_logs:detach_partitions {} end)
      local _, err = cp.audit_logs:detach_partitions { before = "yesterday" }
      assert.equal("invalid", err.code)
      assert.is_nil(cp.policies.ensure_partitions)
    end)
  end)
end
