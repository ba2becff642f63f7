-- The whole story in one program: four families of stores filled in memory, asked, moved into PostgreSQL, verified, and asked
-- again by the same code. `make demo` runs it with a throw-away server; an argument or LARDER_TEST_URL names another, whose
-- tables must be empty.

local larder = require "larder"
local acts = dofile((arg[0]:match "^(.*/)" or "") .. "demo_acts.lua")

local must = larder.must

local FAMILIES = { "auth", "controlplane", "csms", "content" }
local TENANTS, APPS, USERS = 3, 2, 1000 -- apps and users in each tenant
local REQUESTS, STATIONS, AUTHORS = 1000, 200, 200

-- ---- telling ----

local on_terminal = (function()
  local ok = os.execute "test -t 1"
  return (ok == true or ok == 0) and not os.getenv "NO_COLOR" and os.getenv "TERM" ~= "dumb"
end)()

local function painted(color, text)
  return on_terminal and ("\27[%sm%s\27[0m"):format(color, text) or text
end

local function chapter(text) print("\n" .. painted("1;36", text) .. "\n" .. painted("2", ("-"):rep(#text))) end

local COLUMNS = 80

local function width(text) return select(2, text:gsub("\27%[[%d;]*m", ""):gsub("[^\128-\191]", "")) end

-- In lines of 80 columns; what goes on stands further in.
local function folded(text)
  local lines, line = {}, ""
  for blanks, word in text:gmatch "(%s*)(%S+)" do
    if line:find "%S" and width(line .. blanks .. word) > COLUMNS then
      lines[#lines + 1], line = line, "      " .. word
    else
      line = line .. blanks .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function say(fmt, ...) print(folded("  " .. fmt:format(...))) end

-- A line that is written over by the next one, ten times a second at most; in a pipe there is none.
local last_line = 0
local function live(fmt, ...)
  if not on_terminal or larder.now() - last_line < 100000 then return end
  last_line = larder.now()
  io.write("\r  " .. painted("2", fmt:format(...)) .. "\27[K")
end

local teller = {
  say = function(...)
    if on_terminal then io.write "\r\27[K" end
    say(...)
  end,
  live = live,
  answer = function(text) say("    %s", painted("33", text)) end,
  verdict = function(good, yes, no) say("%s", good and painted("32", yes) or painted("31", no)) end,
}

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

-- ---- filling: the application knows stores, not engines ----

local fill = {}

function fill.auth(auth)
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

local function slug(org) return "org-" .. org end

function fill.controlplane(cp)
  local orgs, apps = {}, {}
  for o = 1, 2 do
    orgs[o] = must(cp.organizations:create { name = "Organization " .. o, slug = slug(o) })
    apps[o] = must(cp.applications:create { org_id = orgs[o].id, name = "Chat" })
    must(cp.policies:create { org_id = orgs[o].id, policy_type = "rate_limit", config = { requests_per_minute = 60 } })
    must(cp.policies:create {
      org_id = orgs[o].id, app_id = apps[o].id, policy_type = "rate_limit", config = { requests_per_minute = 5 },
    })
  end
  for r = 1, REQUESTS do
    local o = r % 2 + 1
    local request = must(cp.inference_requests:create {
      org_id = orgs[o].id, app_id = apps[o].id, model = "small", provider = "local", prompt = "hello " .. r,
    })
    must(cp.inference_requests:mark_processing(request.id))
    must(cp.inference_requests:mark_completed(request.id, {
      response = "hi", prompt_tokens = r % 7, completion_tokens = 2, latency_ms = 12, cost = "0.000125",
    }))
    must(cp.audit_logs:insert {
      org_id = orgs[o].id, app_id = apps[o].id, action = "inference_response", resource_type = "inference", cost = "0.000125",
      details = { prompt = "hello " .. r },
    })
  end
end

local function station(i) return ("cs%03d"):format(i) end

local function meter_value(minute, wh)
  return {
    timestamp = ("2026-03-01T12:%02d:00Z"):format(minute),
    sampled_values = { { value = wh, measurand = "Energy.Active.Import.Register" } },
  }
end

function fill.csms(csms)
  for i = 1, STATIONS do
    local s = station(i)
    must(csms.settings:update(s, { HeartbeatInterval = { value = "300", status = "Pending" } }))
    must(csms.settings:update(s, { AuthorizeRemote = { value = "true", status = i % 2 == 0 and "Accepted" or "Pending" } }))
    -- the end comes first, then what happened before it
    must(csms.transactions:finish(s, "tx1", nil, nil, { meter_value(30, i * 100.5) }, 2))
    must(csms.transactions:update(s, "tx1", { meter_value(10, i) }))
    must(csms.transactions:create(s, "tx1", "DEADBEEF", "RFID", { meter_value(0, 0) }, 0))
    must(csms.meter_values:store(s, 1, "tx1", { meter_value(0, 0), meter_value(10, i), meter_value(30, i * 100.5) }))
  end
end

function fill.content(blog)
  for i = 1, AUTHORS do
    must(blog.users:create {
      email = ("author%03d@example.org"):format(i), name = "Author " .. i, roles = { { name = "author" } },
      posts = {
        { title = "Growing apples, part " .. i, content = "Plant the trees in autumn.", published = true,
          metadata = { category = i % 4 == 0 and "garden" or "kitchen" } },
        { title = "A draft about pears" },
      },
    })
  end
end

-- ---- what the application asks; the answers must be equal on every engine ----

local ask = {}

function ask.auth(auth, db, tell)
  local user = must(auth.users:get("tenant-2", "user-0042"))
  tell("user", user.email .. ", " .. user.metadata.role .. ", " .. user.created_at)
  local page, info = auth.users:list("tenant-1", {
    where = { username = { like = "user-00%" } }, order = "username", limit = 10, total = true,
  })
  tell("page", ("%d of %d, next page: %s"):format(#must(page), info.total, info.next and "yes" or "no"))
  tell("admins", auth.users:count { tenant_id = "tenant-3", metadata = { contains = { role = "admin" } } })
  local _, conflict = auth.users:create { tenant_id = "tenant-1", id = "new", username = "user-0001", email = "new@example.org" }
  tell("conflict", conflict.code .. " on " .. conflict.constraint)
  local _, invalid = auth.branches:create { tenant_id = "tenant-1", app_id = "app-1", id = "hq", name = "HQ" }
  tell("invalid", tostring(invalid))
  -- an inner failure leaves the outer transaction alive; the outer one is undone on purpose
  local _, undone = db:transaction(function()
    must(auth.users:patch("tenant-1", "user-0001", { full_name = "Nobody" }))
    db:transaction(function() error "caught by nobody but the savepoint" end)
    return nil, "changed my mind"
  end)
  tell("undone", ("%s; the name is still %s"):format(tostring(undone), must(auth.users:get("tenant-1", "user-0001")).full_name))
end

function ask.controlplane(cp, db, tell)
  local org = must(cp.organizations:get_by_slug(slug(1)))
  local app = must(cp.applications:list_by_org(org.id))[1]
  local winner = must(cp.policies:resolve(org.id, app.id)).rate_limit
  tell("policy", ("%d requests a minute, decided by the %s"):format(winner.policy.config.requests_per_minute, winner.level))
  local m = must(cp.inference_requests:get_metrics(org.id, org.created_at, db:now()))
  tell("metrics", ("%d requests, %d tokens, cost %s"):format(m.total_requests, m.total_tokens, m.total_cost))
  local sum = must(cp.audit_logs:aggregate {
    aggs = { { "count", as = "n" }, { "sum", "cost", as = "cost" } }, groups = { "action" }, where = { org_id = org.id },
  })[1]
  tell("audit", ("%s: %d, cost %s"):format(sum.action, sum.n, sum.cost))
  local id = must(cp.inference_requests:list { limit = 1 })[1].id
  local _, illegal = cp.inference_requests:mark_processing(id)
  tell("illegal", tostring(illegal))
end

function ask.csms(csms, _, tell)
  local tx = must(csms.transactions:find(station(42), "tx1"))
  tell("events", ("by %s, %d values, ended by event %d, begun %s"):format(tx.id_token, #tx.meter_values, tx.ended_seq_no,
    tx.started_at))
  local names = {}
  for name, setting in pairs(must(csms.settings:lookup(station(42))).settings) do
    names[#names + 1] = name .. " " .. setting.status
  end
  table.sort(names)
  tell("settings", table.concat(names, ", "))
  local newest = must(csms.meter_values:get(station(42), 1, 1))[1].meter_value
  tell("meter", ("%s Wh at %s"):format(newest.sampled_values[1].value, newest.timestamp))
  local page = must(csms.settings:list(50, station(100)))
  tell("page", ("%d stations from %s to %s"):format(#page, page[1].charge_station_id, page[#page].charge_station_id))
end

function ask.content(blog, _, tell)
  local author = must(blog.users:find({ email = "author042@example.org" }, {
    include = { posts = { where = { published = true } }, roles = true },
  }))
  tell("include", ("%s, %s: %s"):format(author.name, author.roles[1].name, author.posts[1].title))
  tell("garden", ("%d posts"):format(blog.posts:count { metadata = { contains = { category = "garden" } } }))
  local page = must(blog.posts:paginate { page = 3, page_size = 50, where = { published = true }, order = "title" })
  tell("page", ("%d of %d, from %q"):format(page.page, page.total_pages, page.data[1].title))
end

--- All answers, in the order in which they were given.
local function use(db)
  local seen = {}
  for _, name in ipairs(FAMILIES) do
    ask[name](db:stores(name), db, function(what, answer)
      seen[#seen + 1] = { name = name .. " " .. what, text = tostring(answer) }
    end)
  end
  return seen
end

local function show(seen)
  for _, answer in ipairs(seen) do say("%s %s", painted("2", ("%-21s"):format(answer.name)), answer.text) end
end

local function gets_a_second(auth)
  local n = 2000
  local _, seconds = timed(function()
    for i = 1, n do must(auth.users:get("tenant-1", ("user-%04d"):format(i % USERS + 1))) end
  end)
  return n / seconds
end

local function number_of_rows(db)
  local n = 0
  for _, name in ipairs(FAMILIES) do
    for _, entity in ipairs(require("larder.families." .. name).entities) do
      n = n + must(db:stores(name)[entity.name]:count())
    end
  end
  return n
end

-- ---- the story ----

local function fill_all(db)
  for _, name in ipairs(FAMILIES) do
    local _, seconds = timed(function() fill[name](db:stores(name)) end)
    say("%-13s filled in %.2f s", name, seconds)
  end
  say("%s rows, checked against the same rules as in SQL", thousands(number_of_rows(db)))
  say("%s reads by key a second", thousands(gets_a_second(db:stores "auth")))
end

-- Each file as it is applied, as `larder migrate up` shows it.
local function migrate_all(db)
  for _, name in ipairs(FAMILIES) do
    local steps = must(db:migrate(name, {
      on_step = function(step, what)
        if what == "done" then
          say("%-13s %s  %s", name, painted("32", ("%-5s %06d %-26s"):format(step.action, step.version, step.name)),
            painted("2", ("%4d ms"):format(step.duration_ms)))
        end
      end,
    }))
    if #steps == 0 then say("%-13s nothing to do: the schema is there already", name) end
  end
end

local function move_all(from, to)
  local report = must(larder.transfer(from, to, { families = FAMILIES, verify = true }))
  for _, store in ipairs(report.stores) do
    if store.read > 0 then say("%-33s %6s rows in %.2f s", store.family .. "." .. store.store, thousands(store.written), store.seconds) end
  end
  say("%s rows in %.2f s; counts and checksums of both sides are equal: %s", thousands(report.written), report.seconds,
    tostring(report.verified))
end

local function only_postgres(db)
  local found = must(db:stores("content").posts:search("apple tree", { headline = true, limit = 1 }))[1]
  say("full-text search: %s by %s: %s", found.title, found.author_name, found.headline)
  local months = must(db:stores("controlplane").audit_logs:ensure_partitions())
  say("tables for the audit logs of the months to come: %s", table.concat(months, ", "))
end

local function keys_of_an_app(db)
  local keys = db:stores("auth").app_keys
  local key, secret = keys:issue("tenant-1", "app-1", { name = "ci", environment = "live", scopes = { "read" } })
  must(key, secret)
  say("issued %s… (shown once), stored as a hash under id %s", secret:sub(1, 12), key.key_id)
  say("verified: %s", must(keys:verify(secret)).name)
  local _, refused = keys:verify(secret:sub(1, -2) .. (secret:sub(-1) == "a" and "b" or "a"))
  say("with a typo: %s (%s, found without asking the database)", refused.code, refused.reason)
  must(keys:revoke("tenant-1", "app-1", key.key_id))
  _, refused = keys:verify(secret)
  say("revoked: %s (%s)", refused.code, refused.reason)
end

--- Were all questions answered alike?
local function compare(before, after)
  local same = #before == #after
  for i, answer in ipairs(before) do
    local other = after[i] and after[i].text
    if answer.text ~= other then
      same = false
      say("DIFFERENT %s: %s / %s", answer.name, answer.text, tostring(other))
    end
  end
  say("%s", same and painted("32", ("memory and PostgreSQL answered all %d questions alike, error texts included."):format(#before))
    or painted("31", "the engines disagree."))
  return same
end

local function to_try(command, what)
  say("%s", painted("1", command))
  say("    %s", painted("2", what))
end

local url = arg[1] or os.getenv "LARDER_TEST_URL"
if not url then
  io.stderr:write "demo: no server given; run `make demo`, or pass a postgres:// URI\n"
  os.exit(2)
end

chapter "1. Stores in memory"
local memory = must(larder.open "memory:")
fill_all(memory)

chapter "2. The application asks"
local before = use(memory)
show(before)

chapter "3. PostgreSQL: migrations"
local postgres = must(larder.open(url))
migrate_all(postgres)

chapter "4. Moving everything, by binary COPY"
move_all(memory, postgres)

chapter "5. The same application on PostgreSQL"
local after = use(postgres)
show(after)
say("%s reads by key a second, one after another on one connection", thousands(gets_a_second(postgres:stores "auth")))

chapter "6. What only PostgreSQL does"
only_postgres(postgres)

chapter "7. A key for an app"
keys_of_an_app(postgres)

chapter "8. The server is killed under load"
local survived = acts.death(url, teller)

chapter "9. nginx: 64 clients over 4 connections"
local served = acts.nginx(url, teller)

chapter "10. Five typos"
local answered = acts.typos(postgres, teller)
memory:close()
postgres:close()

chapter "Result"
local same = compare(before, after)

chapter "Three commands to try"
to_try("tools/lua.sh lua5.4 examples/blog.lua", "a small blog in memory")
to_try("build/lua5.4/bin/larder new family shop", "a family of your own, with its migration")
to_try("make test-lua5.4 SPEC=spec/contract/content_spec.lua", "what the engines promise, on both")
os.exit(same and survived ~= false and served ~= false and answered and 0 or 1)
