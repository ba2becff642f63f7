local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.controlplane"

local STORES = {
  "organizations", "applications", "users", "policies", "audit_logs", "inference_requests", "budget_usage", "rate_usage",
}

local function all(store)
  local list = {}
  for row in store:each {} do list[#list + 1] = row end
  return list
end

for _, engine in ipairs(engines) do
  describe("migrating controlplane on " .. engine.name, function()
    local db

    before_each(function() db = engine.fresh "controlplane" end)

    teardown(engine.done)

    it("LC-M1 a second run does nothing", function()
      assert.same({}, assert(db:migrate "controlplane"))
    end)

    it("copies every store from memory and keeps each row as it was", function()
      local services = require "larder.families.controlplane.services"
      local memory = assert(larder.open "memory:")
      local from, to = memory:stores "controlplane", db:stores "controlplane"
      for _ = 1, 2 do
        local org, app, user = rows.world(from)
        assert(from.policies:create(rows.policy(org, { app_id = app.id, user_id = user.id })))
        for i = 1, 5 do assert(from.audit_logs:insert(rows.event(org, { details = { i = i, list = larder.array {} } }))) end
        assert(from.inference_requests:create(rows.request(org, app, { cost = "0.1" })))
        assert(services.budgets(from):spend({ org_id = org.id }, "1.5"))
        assert(services.rate_limits(from):take({ org_id = org.id }, { requests_per_minute = 5 }))
      end
      local secret = assert(from.applications:issue_key(all(from.applications)[1].id))
      if db:kind() == "postgres" then assert(to.audit_logs:ensure_partitions()) end
      local report = assert(larder.transfer(memory, db, { families = { "controlplane" }, verify = true }))
      assert.equal(0, #report.refused)
      for _, store in ipairs(STORES) do
        local here = all(from[store])
        assert.is_true(#here > 0, store)
        assert.same(here, all(to[store]))
      end
      assert.is_truthy(to.applications:verify_key(secret))
      memory:close()
    end)
  end)
end

if os.getenv "LARDER_TEST_URL" then
  describe("the tables of controlplane", function()
    local db
    setup(function() db = engines[2].fresh "controlplane" end)
    teardown(engines[2].done)

    -- Everything the catalogue says of the schema, as text.
    local function catalogue()
      local found = rows.pluck(db:query [[
        select c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull as line
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = to_regnamespace('controlplane') and a.attnum > 0
        union all
        select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where connamespace = to_regnamespace('controlplane')
        union all
        select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.relnamespace = to_regnamespace('controlplane')
        order by 1]], "line")
      return table.concat(found, "\n")
    end

    it("are what the declarations say", function()
      assert.same({}, assert(require "larder.migrate.check"(db, "controlplane")))
    end)

    it("LC-M2 are the same after up, down and up", function()
      local before = catalogue()
      assert.is_true(#before > 1000)
      assert(require "larder.migrate".down(db, "controlplane", { steps = 4 }))
      assert.equal("", catalogue())
      assert(db:migrate "controlplane")
      assert.equal(before, catalogue())
    end)

    it("find applicable policies by an index", function()
      local cp = db:stores "controlplane"
      local org, app, user = rows.world(cp)
      assert(db:query([[insert into controlplane.policies (org_id, id, app_id, policy_type, config)
        select $1, gen_random_uuid(), case when n % 100 = 0 then $2::uuid end, 'rag', '{}' from generate_series(1, 20000) n
        where n % 100 = 0 or n < 5]], org.id, app.id))
      assert(db:query([[insert into controlplane.organizations (id, name, slug)
        select gen_random_uuid(), 'n', 'many-' || n from generate_series(1, 2000) n]]))
      assert(db:query [[insert into controlplane.policies (org_id, id, policy_type, config)
        select o.id, gen_random_uuid(), 'rag', '{}' from controlplane.organizations o, generate_series(1, 10)
        where o.slug like 'many-%']])
      assert(db:query "analyze controlplane.policies")
      local plan = rows.pluck(db:query([[explain select * from controlplane.policies t where t.org_id = $1 and t.enabled
        and (t.user_id = $3 and (t.app_id is null or t.app_id = $2) or t.user_id is null and t.app_id = $2
             or t.user_id is null and t.app_id is null)]], org.id, app.id, user.id), "QUERY PLAN")
      local text = table.concat(plan, "\n")
      assert.is_truthy(text:find "Index")
      assert.is_falsy(text:find "Seq Scan")
    end)
  end)
end
