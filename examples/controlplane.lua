--- The life of an inference request: which policies hold, may it run, what did it cost, what is left in the records.
--
--   lua examples/controlplane.lua                 in memory
--   lua examples/controlplane.lua postgres://…    on a database, whose schema it makes

local larder = require "larder"

local must = larder.must
local services = require "larder.families.controlplane.services"

local db = must(larder.open(arg[1] or "memory:"))
must(db:migrate "controlplane")
local cp = db:stores "controlplane"

-- An organization with an application that has an API key, a user, and two policies.
local slug = "acme-" .. larder.now()
local org = must(cp.organizations:create { name = "Acme", slug = slug })
local app = must(cp.applications:create { org_id = org.id, name = "Chat" })
local key = must(cp.applications:issue_key(app.id))
local user = must(cp.users:create { org_id = org.id, email = "ann@acme.test", cognito_sub = slug, role = "member" })
must(cp.policies:create { org_id = org.id, policy_type = "rate_limit", config = { requests_per_minute = 3 } })
must(cp.policies:create { org_id = org.id, app_id = app.id, policy_type = "budget", config = { max_daily_cost = 0.05 } })

local policies, limits, budgets = services.policy_engine(cp), services.rate_limits(cp), services.budgets(cp)
local audit = services.audit(cp)
must(audit:start())

local COST = "0.02"

--- One request of whoever holds the key.
local function ask(secret, prompt)
  local caller = must(cp.applications:verify_key(secret))
  local scope = { org_id = caller.org_id, app_id = caller.id }
  local request = must(cp.inference_requests:create {
    org_id = caller.org_id, app_id = caller.id, user_id = user.id, model = "small", provider = "local", prompt = prompt,
  })
  local winners = must(policies:evaluate(caller.org_id, caller.id, user.id))
  local ok, why = limits:take(scope, winners.rate_limit.policy.config)
  if ok then ok, why = budgets:spend(scope, COST, winners.budget.policy.config) end
  if not ok then
    must(cp.inference_requests:mark_rejected(request.id, why.message, larder.array { { policy = why.reason } }))
    must(audit:log { org_id = caller.org_id, app_id = caller.id, action = "policy_violation", resource_type = "inference",
      request_id = request.request_id, error_message = why.message })
    return why.reason
  end
  must(cp.inference_requests:mark_processing(request.id))
  must(cp.inference_requests:mark_completed(request.id, {
    response = prompt:reverse(), finish_reason = "stop", prompt_tokens = #prompt, completion_tokens = #prompt,
    latency_ms = 12, cost = COST,
  }))
  must(audit:log { org_id = caller.org_id, app_id = caller.id, action = "inference_response", resource_type = "inference",
    request_id = request.request_id, tokens_used = 2 * #prompt, cost = COST })
  return "completed"
end

for i = 1, 4 do print(("request %d: %s"):format(i, ask(key, "hello " .. i))) end

must(audit:stop(10))
local metrics = must(cp.inference_requests:get_metrics(org.id, org.created_at, db:now()))
print(("%d requests, %d completed, %d rejected, %d tokens, cost %s"):format(metrics.total_requests,
  metrics.completed_requests, metrics.rejected_requests, metrics.total_tokens, metrics.total_cost))
print(("%d audit logs, %d of them violations"):format(must(cp.audit_logs:count { org_id = org.id }),
  #must(cp.audit_logs:list_by_action(org.id, "policy_violation"))))
db:close()
