-- Rows of the family `controlplane` with everything that is required; `more` is laid over them.

local larder = require "larder"

local rows = {}

local function over(row, more)
  for name, value in pairs(more or {}) do row[name] = value end
  return row
end

function rows.org(slug, more) return over({ name = "Org " .. slug, slug = slug }, more) end

function rows.app(org, more) return over({ org_id = org.id, name = "App", api_key_hash = rows.unlike "hash" }, more) end

function rows.user(org, more)
  return over({ org_id = org.id, email = "ann@example.org", cognito_sub = rows.unlike "sub", role = "member" }, more)
end

function rows.policy(org, more)
  return over({ org_id = org.id, policy_type = "rate_limit", config = { requests_per_minute = 60 } }, more)
end

function rows.event(org, more)
  return over({ org_id = org.id, action = "inference_request", resource_type = "inference" }, more)
end

function rows.request(org, app, more)
  return over({ org_id = org.id, app_id = app.id, model = "m-1", provider = "p-1" }, more)
end

local n = 0
--- A text that was not there before.
function rows.unlike(text)
  n = n + 1
  return text .. "-" .. n
end

--- One field of each row, in their order.
function rows.pluck(list, field, err)
  local values = {}
  for i, row in ipairs(assert(list, err)) do values[i] = row[field] end
  return values
end

--- An organization with an application and a user.
function rows.world(cp)
  local org = assert(cp.organizations:create(rows.org(rows.unlike "org")))
  local app = assert(cp.applications:create(rows.app(org)))
  local user = assert(cp.users:create(rows.user(org)))
  return org, app, user
end

rows.NOBODY = "00000000-0000-4000-8000-000000000000"
rows.null = larder.null

return rows
