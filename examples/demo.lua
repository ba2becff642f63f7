-- The whole story in one program: stores in memory, moved into PostgreSQL, verified, used again by the same code.
-- `make demo` runs it with a throw-away server; LARDER_TEST_URL names another.

local larder = require "larder"

local must = larder.must

local TENANTS, APPS, USERS = 3, 2, 2000 -- apps and users in each tenant

-- ---- telling ----

local function chapter(text) print("\n" .. text .. "\n" .. ("-"):rep(#text)) end

local function say(fmt, ...) print("  " .. fmt:format(...)) end

local function thousands(n)
  local text = tostring(math.floor(n + 0.5)):reverse():gsub("(%d%d%d)", "%1 "):reverse()
  return (text:gsub("^ ", ""))
end

--- Run fn, return its results and the seconds it took (wall clock of larder, microseconds).
local function timed(fn)
  local start = larder.now()
  local result = fn()
  return result, (larder.now() - start) / 1e6
end

-- ---- the application: it knows stores, not engines ----

local function fill(auth)
  for t = 1, TENANTS do
    local tenant = ("tenant-%d"):format(t)
    must(auth.tenants:create {
      id = tenant, name = "Tenant " .. t, db_dsn = "host=db" .. t, db_schema = tenant,
      settings = { max_users = USERS, allowed_auth_methods = larder.array { "basic", "apikey" }, custom_settings = {} },
    })
    for a = 1, APPS do
      must(auth.apps:create { tenant_id = tenant, id = "app-" .. a, name = "App " .. a, type = a == 1 and "web" or "api" })
    end
    for u = 1, USERS do
      local id = ("user-%04d"):format(u)
      must(auth.users:create {
        tenant_id = tenant, id = id, username = id, email = id .. "@example.org", full_name = "User " .. u,
        metadata = { role = u % 10 == 0 and "admin" or "editor", logins = u, tags = larder.array { "a", "b" } },
      })
      if u % 4 == 0 then must(auth.user_apps:grant(tenant, "app-1", id)) end
    end
  end
end

--- What the application does all day. Returns figures that must be equal on every engine.
local function use(db)
  local auth, seen = db:stores "auth", {}

  local user = must(auth.users:get("tenant-2", "user-0042"))
  seen.user = user.email .. ", " .. user.metadata.role .. ", " .. user.created_at

  local page, info = auth.users:list("tenant-1", {
    where = { username = { like = "user-00%" } }, order = "username", limit = 10, total = true,
  })
  assert(page, info)
  seen.page = ("%d of %d, next page: %s"):format(#page, info.total, info.next and "yes" or "no")

  seen.admins = auth.users:count { tenant_id = "tenant-3", metadata = { contains = { role = "admin" } } }
  seen.granted = #must(auth.user_apps:list_app_users("tenant-1", "app-1"))
  seen.access = auth.user_apps:has_access("tenant-1", "app-1", "user-0004")

  local _, conflict = auth.users:create { tenant_id = "tenant-1", id = "new", username = "user-0001", email = "new@example.org" }
  seen.conflict = conflict.code .. " on " .. conflict.constraint

  local _, invalid = auth.branches:create { tenant_id = "tenant-1", app_id = "app-1", id = "hq", name = "HQ" }
  seen.invalid = tostring(invalid)

  -- an inner failure that is caught leaves the outer transaction alive; the outer one is undone on purpose
  local _, undone = db:transaction(function()
    must(auth.users:patch("tenant-1", "user-0001", { full_name = "Nobody" }))
    db:transaction(function() error "caught by nobody but the savepoint" end)
    must(auth.users:get("tenant-1", "user-0001")).full_name:upper()
    return nil, "changed my mind"
  end)
  seen.undone = ("%s; the name is still %s"):format(tostring(undone), must(auth.users:get("tenant-1", "user-0001")).full_name)
  return seen
end

local function gets_a_second(auth)
  local n = 2000
  local _, seconds = timed(function()
    for i = 1, n do must(auth.users:get("tenant-1", ("user-%04d"):format(i % USERS + 1))) end
  end)
  return n / seconds
end

local ORDER = { "user", "page", "admins", "granted", "access", "conflict", "invalid", "undone" }

local function show(seen)
  for _, name in ipairs(ORDER) do say("%-9s %s", name, tostring(seen[name])) end
end

-- ---- the story ----

local url = arg[1] or os.getenv "LARDER_TEST_URL"
if not url then
  io.stderr:write "demo: no server given; run `make demo`, or pass a postgres:// URI\n"
  os.exit(2)
end

chapter "1. Stores in memory"
local memory = must(larder.open "memory:")
local _, seconds = timed(function() fill(memory:stores "auth") end)
local rows = TENANTS * (1 + APPS + USERS + USERS / 4)
say("%s rows created in %.2f s (%s a second), checked against the same rules as in SQL",
  thousands(rows), seconds, thousands(rows / seconds))
say("%s reads by key a second", thousands(gets_a_second(memory:stores "auth")))

chapter "2. The application uses them"
local before = use(memory)
show(before)

chapter "3. PostgreSQL: migrations"
local postgres = must(larder.open(url))
local steps = assert(postgres:migrate "auth")
for _, step in ipairs(steps) do say("%s %06d %s", step.action, step.version, step.name) end
if #steps == 0 then say "nothing to do: the schema is there already" end
say("run again: %d to do", #assert(postgres:migrate "auth"))

chapter "4. Moving everything, by binary COPY, in one transaction"
local report = must(larder.transfer(memory, postgres, { families = { "auth" }, verify = true }))
for _, store in ipairs(report.stores) do
  if store.read > 0 then say("%-10s %6s rows in %.2f s", store.store, thousands(store.written), store.seconds) end
end
say("%s rows in %.2f s; counts and checksums of both sides are equal: %s",
  thousands(report.written), report.seconds, tostring(report.verified))

chapter "5. The same application code on PostgreSQL"
local after = use(postgres)
show(after)
say("%s reads by key a second, one after another on one connection", thousands(gets_a_second(postgres:stores "auth")))

chapter "6. A key for an app"
local keys = postgres:stores("auth").app_keys
local key, secret = assert(keys:issue("tenant-1", "app-1", { name = "ci", environment = "live", scopes = { "read" } }))
say("issued %s… (shown once), stored as a hash under id %s", secret:sub(1, 12), key.key_id)
say("verified: %s", tostring(assert(keys:verify(secret)).name))
local _, refused = keys:verify(secret:sub(1, -2) .. (secret:sub(-1) == "a" and "b" or "a"))
say("with a typo: %s (%s, found without asking the database)", refused.code, refused.reason)
assert(keys:revoke("tenant-1", "app-1", key.key_id))
_, refused = keys:verify(secret)
say("revoked: %s (%s)", refused.code, refused.reason)

memory:close()
postgres:close()

chapter "Result"
local same = true
for _, name in ipairs(ORDER) do
  if before[name] ~= after[name] then
    same = false
    say("DIFFERENT %s: %s / %s", name, tostring(before[name]), tostring(after[name]))
  end
end
say(same and "memory and PostgreSQL answered every question alike, error texts included." or "the engines disagree.")
os.exit(same and 0 or 1)
