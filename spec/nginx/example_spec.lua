-- examples/openresty, as it is, in nginx with two workers.

local missing = require("spec.support.need").nginx()
if missing then return describe("the OpenResty example", function() pending(missing) end) end

local larder = require "larder"
local nginx = require "spec.support.nginx"

local URL = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local ADMIN = "an-admin-key-for-tests"
local USERS = 57

describe("the OpenResty example", function()
  local server, db, key

  local function start(url)
    return nginx.start {
      dir = "examples/openresty", env = { DATABASE_URL = url or URL, ADMIN_KEY = ADMIN },
    }
  end

  local function admin(path, body) return server:request(path, { key = ADMIN, body = body }) end

  local function get(path, with) return server:request(path, { key = with or key }) end

  setup(function()
    db = assert(larder.open(URL))
    assert(db:migrate "auth")
    assert(db:query "truncate auth.tenants cascade")
    server = start()
    assert.equal(201, admin("/tenants", { id = "acme", name = "Acme" }).status)
    for i = 1, USERS do
      local id = ("u%02d"):format(i)
      assert.equal(201, admin("/tenants/acme/users", { id = id, username = id, email = id .. "@acme.test" }).status)
    end
    key = admin("/tenants/acme/keys", { name = "ci" }).json.secret
  end)

  teardown(function()
    server:stop()
    assert(db:query "truncate auth.tenants cascade")
    db:close()
  end)

  it("FT-o1 serves a tenant's life from end to end", function()
    local created = admin("/tenants", { id = "globex", name = "Globex", metadata = { plan = "free", seats = larder.array {} } })
    assert.equal(201, created.status)
    assert.equal("active", created.json.status)
    local user = admin("/tenants/globex/users", { id = "ann", username = "ann", email = "ann@globex.test" })
    assert.equal("ann@globex.test", user.json.email)
    local issued = admin("/tenants/globex/keys", { name = "ci", environment = "test", scopes = larder.array { "read" } })
    assert.equal(201, issued.status)
    assert.is_nil(issued.json.key.secret_hash)
    local me = get("/me", issued.json.secret)
    assert.equal(200, me.status)
    assert.same({ "globex", "ci", "test" }, { me.json.tenant_id, me.json.name, me.json.environment })
    assert.is_nil(me.json.secret_hash)
    assert.same({ "ann" }, { get("/users/ann", issued.json.secret).json.id })
    assert.equal(404, get("/users/u01", issued.json.secret).status) -- another tenant's
    assert.equal(1, #get("/users", issued.json.secret).json.users)
    assert.equal("", server:alarms())
  end)

  it("FT-o2 refuses whoever has no key, or not the right one", function()
    local typo = key:sub(1, -2) .. (key:sub(-1) == "a" and "b" or "a")
    for _, wrong in ipairs { "nonsense", typo, ADMIN, "lk_live_" .. ("A"):rep(60) } do
      local answer = get("/me", wrong)
      assert.equal(401, answer.status)
      assert.equal("unauthorized", answer.json.error.code)
      assert.equal("Bearer", answer.headers["www-authenticate"])
    end
    assert.equal(401, server:request("/users").status)
    assert.equal(401, server:request("/tenants", { body = {} }).status)
    assert.equal(401, server:request("/tenants", { body = { id = "x", name = "x" }, key = key }).status)
    assert.is_nil(server:log():find(key, 1, true))
    assert.is_nil(server:log():find(ADMIN, 1, true))
  end)

  it("FT-o3 tells a client what is wrong with its request", function()
    local cases = {
      { 400, "invalid", admin("/tenants", "{not json") },
      { 400, "invalid", admin("/tenants", "[1, 2]") },
      { 400, "invalid", admin("/tenants", "3") },
      { 400, "invalid", server:request("/tenants", { key = ADMIN, method = "POST" }) },
      { 400, "invalid", admin("/tenants", { id = "x", name = "x", admin = true }) },
      { 400, "invalid", admin("/tenants", { id = "x" }) },
      { 400, "invalid", admin("/tenants", { id = 7, name = { "x" } }) },
      { 400, "invalid", admin("/tenants", [[{"id":"x","name":"zero\u0000byte"}]]) },
      { 400, "invalid", admin("/tenants/acme/keys", { name = "x", environment = "moon" }) },
      { 400, "invalid", get "/users?limit=many" },
      { 400, "invalid", get "/users?limit=-1" },
      { 400, "invalid", get "/users?after=nonsense" },
      { 400, "invalid", get "/users?where=1" },
      { 400, "invalid", get "/users?limit=1&limit=2" },
      { 404, "not_found", get "/users/nobody" },
      { 404, "not_found", get "/elsewhere" },
      { 405, "method", server:request("/tenants", { key = ADMIN }) },
      { 409, "conflict", admin("/tenants", { id = "acme", name = "Again" }) },
      { 409, "conflict", admin("/tenants/acme/users", { id = "new", username = "u01", email = "new@acme.test" }) },
      { 409, "foreign_key", admin("/tenants/nowhere/users", { id = "x", username = "x", email = "x@x" }) },
      { 413, "invalid", admin("/tenants", ("x"):rep(70000)) },
    }
    for i, case in ipairs(cases) do
      local answer = case[3]
      assert.same({ i, case[1], case[2] }, { i, answer.status, answer.json and answer.json.error.code })
      assert.equal("application/json", answer.headers["content-type"])
    end
    assert.equal("is required", admin("/tenants", { id = "x" }).json.error.fields.name)
    assert.equal("", server:alarms "client intended to send too large body")
  end)

  it("FT-o4 walks all users once with cursors", function()
    local seen, pages, after = {}, 0, nil
    repeat
      local page = get("/users?limit=10" .. (after and "&after=" .. after or "")).json
      for _, user in ipairs(page.users) do
        assert.is_nil(seen[user.id])
        seen[user.id] = true
      end
      pages, after = pages + 1, page.next
    until not after
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    assert.same({ USERS, 6 }, { n, pages })
  end)

  it("FT-o5 serves from both workers, each with metrics of its own", function()
    local workers = {}
    nginx.eventually(function()
      local answer = server:request "/metrics"
      assert.equal(200, answer.status)
      assert.is_truthy(answer.headers["content-type"]:find("text/plain", 1, true))
      local pid = assert(answer.text:match 'app_worker{id="%d",pid="(%d+)"} 1\n')
      assert.is_truthy(answer.text:find "\nlarder_queries_total %d+\n")
      workers[tonumber(pid)] = true
      return next(workers, next(workers)) ~= nil
    end)
    local pids = {}
    for pid in pairs(workers) do pids[#pids + 1] = pid end
    table.sort(pids)
    assert.same(server:workers(), pids)
    local health = server:request "/health"
    assert.same({ 200, true, "postgres" }, { health.status, health.json.ok, health.json.engine })
  end)

  -- ---- under load ----

  local function reload_under(path, opts)
    local load = server:load(path, { connections = 32, seconds = 3, key = opts.key, close = opts.close })
    local before = server:workers()
    os.execute "sleep 0.8"
    for _ = 1, 2 do
      server:signal "HUP"
      os.execute "sleep 0.7"
    end
    local result = load:result()
    local function gone()
      local now = {}
      for _, pid in ipairs(server:workers()) do now[pid] = true end
      for _, pid in ipairs(before) do
        if now[pid] then return false end
      end
      return #server:workers() == 2
    end
    assert.is_true(nginx.eventually(gone) or false, "the old workers are still there")
    assert.is_true(result.requests > 100, result.text)
    return result
  end

  it("FT-o6 fails no request when it is reloaded under load", function()
    local plain = reload_under("/ping", {})
    local kept = reload_under("/users/u01", { key = key })
    local closed = reload_under("/users/u01", { key = key, close = true })
    assert.equal(0, closed.refused + closed.connect + closed.read + closed.write + closed.timeout, closed.text)
    assert.equal(0, kept.refused + kept.timeout, kept.text)
    -- nginx closes kept connections at a reload; a client that was just writing to one sees that, with a database or without:
    -- each of 32 connections at most once for each of two reloads
    for _, load in ipairs { plain, kept } do assert.is_true(load.connect + load.read + load.write <= 64, load.text) end
    assert.equal("", server:alarms())
  end)

  it("FT-o7 goes on when a worker is killed", function()
    local before = server:workers()
    server:signal("KILL", before[1])
    assert.is_truthy(nginx.eventually(function()
      local now = server:workers()
      return #now == 2 and now[1] ~= before[1] and now[2] ~= before[1]
    end))
    for _ = 1, 50 do assert.equal(200, get("/users/u01").status) end
    assert.equal("", server:alarms "exited on signal 9")
    server:stop()
    server = start()
  end)

  local postgres = require("spec.support.pgctl").run
  if not postgres then
    pending "LARDER_TEST_PGCTL is not set: the server cannot be stopped"
    return
  end

  -- Twenty in a row are answered by both workers, each of which finds out by itself that the database is back.
  local function both_serve()
    for _ = 1, 20 do
      if get("/users/u01").status ~= 200 then return false end
    end
    return true
  end

  it("FT-o8 starts without a database, tells each request, and recovers by itself", function()
    server:stop()
    postgres "stop -m immediate"
    server = start()
    local sick = server:request "/health"
    local refused = get "/users/u01"
    local ping = server:request "/ping"
    postgres "start -w"
    assert.same({ 503, "connection", 503, 200 }, { sick.status, sick.json.error.code, refused.status, ping.status })
    for _ = 1, 2 do -- both workers
      assert.is_truthy(nginx.eventually(function() return server:request("/health").status == 200 end))
    end
    assert.is_truthy(nginx.eventually(both_serve))
    assert.equal("", server:alarms "larder: connection")
  end)

  it("FT-o9 fails requests only while the database is down", function()
    local url = URL .. (URL:find("?", 1, true) and "&" or "?") .. "pool_acquire_timeout=5"
    server:stop()
    server = start(url)
    local load = server:load("/users/u01", { connections = 16, seconds = 4, key = key })
    os.execute "sleep 1"
    postgres "restart -m immediate"
    local result = load:result()
    assert.is_true(result.requests > result.refused, result.text)
    assert.equal(0, result.connect + result.read + result.write + result.timeout, result.text)
    assert.is_truthy(nginx.eventually(both_serve)) -- the server may have been back late
    for _ = 1, 50 do assert.equal(200, get("/users/u01").status) end
    local after = server:load("/users/u01", { connections = 16, seconds = 1, key = key }):result()
    assert.equal(0, after.refused, after.text)
    assert.equal("", server:alarms "larder: connection")
  end)
end)
