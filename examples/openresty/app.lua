--- The service: what each location of nginx.conf does. Routes and limits are in nginx.conf, the answer's form in
-- app/http.lua.

local database = require "app.database"
local guard = require "app.guard"
local http = require "app.http"

local APP = "api" -- every tenant gets this application; keys belong to it

-- ngx.var.tenant and ngx.var.user are parts of the path, named there.
local app = {
  start = database.start, stop = database.stop,
  require_admin = guard.admin, require_key = guard.key,
}

-- ---- the service itself ----

app.ping = http.handler("GET", function()
  return 200, { ok = true }
end)

app.health = http.handler("GET", function()
  local health, err = database.get():health(1)
  if not health then return nil, err end
  return 200, health
end)

--- Prometheus text of the worker that was asked.
app.metrics = http.handler("GET", function()
  local db = database.get()
  return 200, ('app_worker{id="%d",pid="%d"} 1\n'):format(ngx.worker.id(), ngx.worker.pid()) .. db:metrics()
end)

-- ---- for the administrator ----

--- A tenant and its application, both or neither.
app.create_tenant = http.handler("POST", function()
  local body, err = http.body { "id", "name", "domain", "metadata" }
  if not body then return nil, err end
  local auth = database.stores()
  body.db_dsn, body.db_schema = "shared", "auth"
  local tenant
  tenant, err = auth.tenants.db:transaction(function()
    local row, why = auth.tenants:create(body)
    if not row then return nil, why end
    local ok
    ok, why = auth.apps:create { tenant_id = row.id, id = APP, name = "API", type = "api" }
    if not ok then return nil, why end
    return row
  end)
  if not tenant then return nil, err end
  return 201, tenant
end)

app.create_user = http.handler("POST", function()
  local body, err = http.body { "id", "username", "email", "full_name", "metadata" }
  if not body then return nil, err end
  body.tenant_id = ngx.var.tenant
  local user
  user, err = database.stores().users:create(body)
  if not user then return nil, err end
  return 201, user
end)

--- A key; the answer is the only place where its secret is ever seen.
app.create_key = http.handler("POST", function()
  local body, err = http.body { "name", "environment", "scopes", "expires_at" }
  if not body then return nil, err end
  local key, secret = database.stores().app_keys:issue(ngx.var.tenant, APP, body)
  if not key then return nil, secret end
  return 201, { key = key, secret = secret }
end)

-- ---- for the holder of a key: ngx.ctx.key ----

app.me = http.handler("GET", function()
  return 200, ngx.ctx.key
end)

--- A page of the tenant's users, the newest first; `after` is the `next` of the page before.
app.list_users = http.handler("GET", function()
  local args, err = http.args { limit = "number", after = "string" }
  if not args then return nil, err end
  local users, info = database.stores().users:list(ngx.ctx.key.tenant_id, { limit = args.limit or 20, after = args.after })
  if not users then return nil, info end
  return 200, { users = http.array(users), next = info.next }
end)

app.get_user = http.handler("GET", function()
  local user, err = database.stores().users:get(ngx.ctx.key.tenant_id, ngx.var.user)
  if not user then return nil, err end
  return 200, user
end)

return app
