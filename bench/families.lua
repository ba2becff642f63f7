--- The built-in families beside C programs on libpq with SQL written by hand (families.c), and the memory engine beside plain Lua.
--
--   make bench-families
--
-- BENCH_ROUNDS (3), BENCH_SECONDS (1) a run, BENCH_AUDIT (1,000,000 audit logs), BENCH_ONLY ("F1 F6": these alone). In a round larder runs between two runs of the C
-- program, and its ratio is to their mean; medians of the rounds are printed.

local larder = require "larder"
local core = require "larder.core"

local must = larder.must
local ROUNDS = tonumber(os.getenv "BENCH_ROUNDS" or 3)
local SECONDS = tonumber(os.getenv "BENCH_SECONDS" or 1)
local AUDIT_ROWS = tonumber(os.getenv "BENCH_AUDIT" or 1000000)
local WRITERS = 16
local ONLY = os.getenv "BENCH_ONLY"
local URL = os.getenv "LARDER_TEST_URL"

-- ---- rows, the same for everybody ----

local UUID = "('00000000-0000-4000-8000-' || lpad((%s)::text, 12, '0'))::uuid"

local function uuid(n) return ("00000000-0000-4000-8000-%012d"):format(n) end

local ROWS = {
  ([[insert into controlplane.organizations (id, name, slug) select %s, 'o' || n, 'o' || n from generate_series(0, 99) n]])
    :format(UUID:format "n"),
  ([[insert into controlplane.applications (org_id, id, name, api_key_hash)
    select %s, %s, 'a', 'h' || o || '-' || a from generate_series(0, 99) o, generate_series(0, 49) a]])
    :format(UUID:format "o", UUID:format "1000000 + o * 100 + a"),
  ([[insert into controlplane.users (org_id, id, email, cognito_sub, role)
    select %s, %s, 'u' || u, 'u' || o || '-' || u, 'member' from generate_series(0, 99) o, generate_series(0, 99) u]])
    :format(UUID:format "o", UUID:format "2000000 + o * 100 + u"),
  -- an organization has 1,000: 10 of its own, 10 of each application, 490 of users
  ([[insert into controlplane.policies (org_id, id, app_id, user_id, policy_type, priority, config)
    select %s, gen_random_uuid(), case when n between 10 and 509 then %s end, case when n > 509 then %s end,
      (array['rag', 'budget', 'routing', 'retry'])[n %% 4 + 1], n %% 7, '{"limit": 60, "window": "minute"}'
    from generate_series(0, 99) o, generate_series(0, 999) n]])
    :format(UUID:format "o", UUID:format "1000000 + o * 100 + n % 50", UUID:format "2000000 + o * 100 + n % 100"),
  [[insert into content.users (id, email, name) select 'user-' || lpad(n::text, 5, '0'), 'u' || n, 'User ' || n
    from generate_series(0, 19999) n]],
  [[insert into content.posts (id, author_id, title, content, published, metadata)
    select 'post-' || n, 'user-' || lpad((n % 20000)::text, 5, '0'), 'title w' || n % 300,
      (select string_agg('w' || (n::bigint * k * 7919 / 13) % 300, ' ') from generate_series(1, 12) k), true, '{"category": "x"}'
    from generate_series(0, 99999) n]],
  [[insert into content.roles (id, user_id, name) select 'role-' || n, 'user-' || lpad((n / 2)::text, 5, '0'), 'r' || n % 2
    from generate_series(0, 39999) n]],
  [[insert into csms.charge_station_settings (charge_station_id, settings)
    select 'cs' || lpad(n::text, 5, '0'), jsonb_object_agg('Setting' || k, jsonb_build_object('value', k::text, 'status', 'Accepted'))
    from generate_series(0, 9999) n, generate_series(1, 5) k group by n]],
}

local AUDIT = ([[insert into controlplane.audit_logs (org_id, "timestamp", id, action, resource_type, details, model, cost)
  select %s, timestamptz '2026-01-01' + n * (interval '365 days' / %d), gen_random_uuid(), 'inference_response', 'inference',
    '{"prompt": "hello"}', 'small', 0.000125 from generate_series(0, %d) n]])
  :format(UUID:format "n % 100", AUDIT_ROWS, AUDIT_ROWS - 1)

local function fill(db)
  for _, family in ipairs { "controlplane", "content", "csms" } do must(db:migrate(family)) end
  db:set_clock(function() return 1767225600000000 end)
  must(db:stores("controlplane").audit_logs:ensure_partitions { ahead = 11 })
  db:set_clock(nil)
  for _, sql in ipairs(ROWS) do must(db:query(sql)) end
  must(db:query(AUDIT))
  must(db:query "vacuum analyze")
end

-- ---- the work: one(stores) does it once and answers its units ----

local seed = 42
local function draw(n)
  seed = seed * 16807 % 2147483647
  return seed % n
end

local VALUE = { {
  timestamp = "2026-03-01T12:00:00Z",
  sampled_values = { { value = 1234.5, measurand = "Energy.Active.Import.Register", context = "Sample.Periodic" } },
} }

local WORK = {
  { id = "F1", name = "`get_applicable`, 100,000 policies", one = function(s)
    local o = draw(100)
    must(s.controlplane.policies:get_applicable(uuid(o), uuid(1000000 + o * 100 + draw(50)), uuid(2000000 + o * 100 + draw(100))))
    return 1
  end },
  { id = "F2", name = "a day of %d audit logs in 12 partitions", one = function(s)
    local day, month = draw(27) + 1, draw(12) + 1
    must(s.controlplane.audit_logs:list_by_date_range(uuid(draw(100)), ("2026-%02d-%02dT00:00:00Z"):format(month, day),
      ("2026-%02d-%02dT00:00:00Z"):format(month, day + 1)))
    return 1
  end },
  { id = "F3", name = "1,000 users with posts and roles (users)", one = function(s)
    must(s.content.users:list {
      where = { id = { gte = ("user-%05d"):format(draw(19000)) } }, order = "id", limit = 1000, include = { posts = true, roles = true },
    })
    return 1000
  end },
  { id = "F4", name = "search in 100,000 posts", one = function(s)
    must(s.content.posts:search(("w%d w%d"):format(draw(300), draw(300)), { limit = 20 }))
    return 1
  end },
  { id = "F5", name = "50 of 10,000 stations' settings", one = function(s)
    must(s.csms.settings:list(50, ("cs%05d"):format(draw(9900))))
    return 1
  end },
  { id = "F6", name = "meter values of 16 writers", at_once = true, one = function(s)
    must(s.csms.meter_values:store(("cs%05d"):format(draw(10000)), 1, "tx1", VALUE))
    return 1
  end },
}

-- ---- running ----

local function stores_of(db)
  local stores = {}
  for _, family in ipairs { "controlplane", "content", "csms" } do stores[family] = db:stores(family) end
  return stores
end

--- One writer's part, until the time is up.
local function repeated(work, stores, totals)
  local clock, ends = core.clock, core.clock() + SECONDS
  repeat
    local units = work.one(stores) -- others count meanwhile
    totals.units = totals.units + units
  until clock() >= ends
end

local function in_loop(work, stores, totals)
  local controller = require("cqueues").new()
  for _ = 1, WRITERS do controller:wrap(function() repeated(work, stores, totals) end) end
  must(controller:loop())
end

local function run_larder(work, db, looped)
  local stores, totals = stores_of(work.at_once and looped or db), { units = 0 }
  collectgarbage()
  if work.at_once then in_loop(work, stores, totals) else work.one(stores) end -- the first one meets cold caches
  totals.units = 0
  local started, cpu = core.clock(), os.clock()
  if work.at_once then in_loop(work, stores, totals) else repeated(work, stores, totals) end
  return totals.units / (core.clock() - started), (os.clock() - cpu) / totals.units * 1e6
end

local function run_c(work)
  local pipe = assert(io.popen(("BENCH_URL='%s' build/bench/families %s %s"):format(URL, work.id, SECONDS)))
  local units, seconds, cpu = pipe:read("*n", "*n", "*n")
  pipe:close()
  assert(units, "the C program failed")
  return units / seconds, cpu / units * 1e6
end

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

local function thousands(n)
  return (("%.0f"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function chosen()
  local list = {}
  for _, work in ipairs(WORK) do
    if not ONLY or ONLY:find(work.id, 1, true) then list[#list + 1] = work end
  end
  return list
end

local function on_postgres(db, looped)
  print "| | larder, a second | C, a second | larder ÷ C | CPU µs a unit, larder | C |\n|---|---|---|---|---|---|"
  for _, work in ipairs(chosen()) do
    local rate, c_rate, ratio, cpu, c_cpu = {}, {}, {}, {}, {}
    for round = 1, ROUNDS do
      local before, c = run_c(work)
      rate[round], cpu[round] = run_larder(work, db, looped)
      local after = run_c(work)
      c_rate[round], c_cpu[round] = (before + after) / 2, c
      ratio[round] = rate[round] / c_rate[round]
    end
    print(("| %s | %s | %s | %.2f | %.1f | %.1f |"):format(work.name:format(AUDIT_ROWS), thousands(median(rate)),
      thousands(median(c_rate)), median(ratio), median(cpu), median(c_cpu)))
  end
end

-- ---- memory beside tables as one writes them by hand ----

local plain = require "bench.peers.plain_families"

local function in_memory(db)
  local memory = must(larder.open "memory:")
  must(larder.transfer(db, memory, { families = { "controlplane", "content", "csms" } }))
  local tables = plain.filled(memory)
  print "\n| in memory | larder, a second | plain Lua, a second | larder ÷ plain |\n|---|---|---|---|"
  for _, work in ipairs(chosen()) do
    local other = plain[work.id]
    if other then
      local rate, plain_rate, ratio = {}, {}, {}
      for round = 1, ROUNDS do
        rate[round] = run_larder(work, memory, memory)
        plain_rate[round] = run_larder({ one = function() return (other(tables, draw, uuid)) end }, memory)
        ratio[round] = rate[round] / plain_rate[round]
      end
      print(("| %s | %s | %s | %.2f |"):format(work.name, thousands(median(rate)), thousands(median(plain_rate)), median(ratio)))
    end
  end
  memory:close()
end

local db = must(larder.open(URL))
local looped = must(larder.open(URL, { loop = "cqueues", pool = { max = WRITERS } }))
fill(db)
on_postgres(db, looped)
-- what is left in the tables is what memory gets; the history would only cost room
must(db:query "truncate controlplane.audit_logs, csms.meter_values")
in_memory(db)
looped:close()
db:close()
