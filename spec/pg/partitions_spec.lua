-- What two makers of partitions and many writers do to each other, and what a plan of 10,000 policies looks like.

local larder = require "larder"
local engines = require "spec.support.engines"
local loops = require "spec.support.loops"
local rows = require "spec.support.controlplane"

local missing = require("spec.support.need").server()
if missing then return describe("partitions of audit logs", function() pending(missing) end) end
local url = os.getenv "LARDER_TEST_URL"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local START, DAY = 1767225600, 86400 -- 2026-01-01
local unpack = table.unpack or unpack -- luacheck: ignore 143 113

local function stamp(days) return os.date("!%Y-%m-%dT%H:%M:%SZ", START + math.floor(days * DAY)) end

--- A file with a program that runs `code` on the audit logs with the clock at START, and prints the names that it answers.
local function program(code)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(([[
    local larder = require "larder"
    local db = assert(larder.open(os.getenv "LARDER_TEST_URL"))
    db:set_clock(function() return %d * 1000000 end)
    local logs = db:stores("controlplane").audit_logs
    print(table.concat(%s, " "))
    db:close()]]):format(START, code))
  file:close()
  return name
end

--- Runs the program in two processes at once; all words that they print, sorted.
local function in_two_processes(code)
  local name, pipes, words = program(code), {}, {}
  for i = 1, 2 do pipes[i] = assert(io.popen(("tools/lua.sh %s %s 2>&1"):format(LUA, name))) end
  for i = 1, 2 do
    for word in pipes[i]:read("*a"):gmatch "%S+" do words[#words + 1] = word end
    pipes[i]:close()
  end
  os.remove(name)
  table.sort(words)
  return words
end

--- Of each partition its name and the number of its rows.
local function partitions(db)
  return assert(db:query [[select tableoid::regclass::text as name, count(*) as n from controlplane.audit_logs group by 1 order by 1]])
end

describe("partitions of audit logs", function()
  local db, cp, org

  before_each(function()
    db = engines[2].fresh "controlplane"
    for _, row in ipairs(assert(db:query [[select inhrelid::regclass::text as name from pg_inherits
        where inhparent = 'controlplane.audit_logs'::regclass and inhrelid <> 'controlplane.audit_logs_default'::regclass]])) do
      assert(db:query("drop table " .. row.name))
    end
    cp = db:stores "controlplane"
    org = rows.world(cp)
  end)

  teardown(engines[2].done)

  it("are made once by two processes at once, which move the rows that came before", function()
    local events = {}
    for i = 1, 400 do events[i] = rows.event(org, { timestamp = stamp(i % 200) }) end
    assert(cp.audit_logs:create_many(events))
    local made = in_two_processes "assert(logs:ensure_partitions { ahead = 6 })"
    local expected, total = {}, 0
    for month = 1, 7 do expected[month] = ("audit_logs_2026_%02d"):format(month) end
    assert.same(expected, made)
    for _, row in ipairs(partitions(db)) do
      assert.not_equal("controlplane.audit_logs_default", row.name)
      total = total + row.n
    end
    assert.equal(400, total)
    local gone = in_two_processes 'assert(logs:detach_partitions { before = "2026-05-01T00:00:00Z", drop = true }).partitions'
    assert.same({ expected[1], expected[2], expected[3], expected[4] }, gone)
  end)

  it("are made while 8 writers write rows of the same months", function()
    local loop = loops.cqueues or loops.manual
    local opts = { pool = { max = 10, min = 0 } }
    for name, value in pairs(loop.options) do opts[name] = value end
    local own = assert(larder.open(url, opts))
    local logs, written, day = own:stores("controlplane").audit_logs, 0, 0
    own:set_clock(function() return (START + day * DAY) * 1000000 end)
    local busy, fns = true, {}
    for i = 1, 8 do
      fns[i] = function()
        local n = i
        while busy do
          n = n + 7
          assert(logs:create(rows.event(org, { timestamp = stamp(day + n % 90) })))
          written = written + 1
        end
      end
    end
    fns[9] = function()
      local ok, err = pcall(function()
        for month = 0, 7 do
          day = month * 31
          assert(logs:ensure_partitions { ahead = 2 })
        end
      end)
      busy = false
      assert(ok, err)
    end
    loop.run(own, unpack(fns))
    own:close()
    assert.is_true(written > 0)
    assert.equal(written, cp.audit_logs:count { org_id = org.id })
  end)

  it("leave rows of no month in the default partition, and name no month twice", function()
    assert(cp.audit_logs:create(rows.event(org, { timestamp = "1999-06-01T00:00:00Z" })))
    assert(cp.audit_logs:create(rows.event(org, { timestamp = stamp(40) })))
    db:set_clock(function() return START * 1000000 end)
    assert.equal(3, #assert(cp.audit_logs:ensure_partitions { ahead = 2 }))
    assert.same({}, assert(cp.audit_logs:ensure_partitions { ahead = 2 }))
    local where = {}
    for i, row in ipairs(partitions(db)) do where[i] = row.name .. " " .. row.n end
    assert.same({ "controlplane.audit_logs_2026_02 1", "controlplane.audit_logs_default 1" }, where)
  end)
end)

describe("policies that apply, of 10,000", function()
  it("are one statement, which finds them by indexes alone", function()
    engines[2].fresh "controlplane"
    local db = assert(larder.open(url, { pool = { max = 1 } }))
    local cp = db:stores "controlplane"
    local org, app, user = rows.world(cp)
    assert(db:query([[insert into controlplane.applications (org_id, id, name, api_key_hash)
      select $1, gen_random_uuid(), 'a', 'h' || n from generate_series(1, 99) n]], org.id))
    assert(db:query([[insert into controlplane.policies (org_id, id, app_id, policy_type, config)
      select a.org_id, gen_random_uuid(), a.id, 'rag', '{}' from controlplane.applications a, generate_series(1, 100)
      where a.org_id = $1]], org.id))
    assert(cp.policies:create(rows.policy(org)))
    assert(cp.policies:create(rows.policy(org, { user_id = user.id })))
    assert(db:query "analyze controlplane.policies")
    local before = db:stats().queries
    assert.equal(102, #assert(cp.policies:get_applicable(org.id, app.id, user.id)))
    assert.equal(1, db:stats().queries - before)
    local name = assert(db:query("select name from pg_prepared_statements where statement like $1",
      'select t.%"controlplane"."policies"%'))[1].name
    for _, mode in ipairs { "force_custom_plan", "force_generic_plan" } do
      assert(db:transaction(function(tx)
        assert(tx:query("set local plan_cache_mode = " .. mode))
        local values = ("'%s', '%s', '%s', '%s', '%s', '%s', '%s'"):format(org.id, user.id, app.id, app.id, user.id, app.id,
          app.id)
        local plan = table.concat(rows.pluck(tx:query(("explain execute %s (%s)"):format(name, values)), "QUERY PLAN"), "\n")
        assert.not_matches("Seq Scan", plan)
        local scans = select(2, plan:gsub("Index Scan on policies_applicable_idx", ""))
        assert.equal(3, scans, plan) -- of the user, of the application, of the organization
        return true
      end))
    end
    db:close()
    engines[2].done()
  end)
end)
