-- Rows of the family `auth` with everything that is required; `more` is laid over them.

local auth_rows = {}

local function over(row, more)
  for name, value in pairs(more or {}) do row[name] = value end
  return row
end

function auth_rows.tenant(id, more)
  return over({ id = id, name = "Tenant " .. id, db_dsn = "dbname=" .. id, db_schema = "s_" .. id }, more)
end

function auth_rows.app(tenant, id, more)
  return over({ tenant_id = tenant, id = id, name = "App " .. id }, more)
end

function auth_rows.branch(tenant, app, id, more)
  return over({ tenant_id = tenant, app_id = app, id = id, name = "Branch " .. id, code = id:upper() }, more)
end

function auth_rows.user(tenant, id, more)
  return over({ tenant_id = tenant, id = id, username = id, email = id .. "@example.org" }, more)
end

function auth_rows.key(tenant, app, id, more)
  return over({
    tenant_id = tenant, app_id = app, id = id, key_id = "k-" .. id, prefix = "sk_live",
    secret_hash = "hash of " .. id, name = "Key " .. id,
  }, more)
end

--- The ids of a list's rows, in their order.
function auth_rows.ids(list, err)
  local ids = {}
  for i, row in ipairs(assert(list, err)) do ids[i] = row.id end
  return ids
end

--- A clock that stands still until it is told to go on: clock(), clock.tick(seconds).
function auth_rows.clock(start)
  local now = start or 1767225600000000 -- 2026-01-01T00:00:00Z
  return setmetatable({ tick = function(seconds) now = now + math.floor(seconds * 1000000) end },
    { __call = function() return now end })
end

return auth_rows
