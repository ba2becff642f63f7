local larder = require "larder"
local core = require "larder.core"
local wait = require "larder.base.wait"

describe("listeners", function()
  local db, tenants

  before_each(function()
    db = assert(larder.open("memory:", { slow = 0 }))
    tenants = db:stores("auth").tenants
  end)

  after_each(function() db:close() end)

  it("hear of every call, of failures and of slow ones", function()
    local queries, slow, failed = {}, 0, {}
    db:on("query", function(event) queries[#queries + 1] = event.store .. ":" .. event.op end)
    db:on("slow", function() slow = slow + 1 end)
    db:on("error", function(event) failed[#failed + 1] = event.err.code end)
    tenants:create { id = "a", name = "A", db_dsn = "secret", db_schema = "a" }
    tenants:get "a"
    tenants:get "b"
    tenants:list()
    tenants:exists "a"
    tenants:create { id = "a", name = "B", db_dsn = "secret", db_schema = "a" }
    assert.same({
      "auth.tenants:create", "auth.tenants:get", "auth.tenants:get", "auth.tenants:list",
      "auth.tenants:exists", "auth.tenants:create",
    }, queries)
    assert.equal(6, slow)
    assert.same({ "conflict" }, failed)
  end)

  it("cost nothing once they are gone", function()
    local n = 0
    local remove = db:on("query", function() n = n + 1 end)
    tenants:exists "a"
    assert.is_false(db._plain)
    remove()
    remove()
    assert.is_true(db._plain)
    tenants:exists "a"
    assert.equal(1, n)
  end)

  it("do not break a call by raising", function()
    db:on("query", function() error "listener is broken" end)
    assert.is_false(tenants:exists "a")
    assert.matches("listener is broken", db:stats().listener_error, 1, true)
  end)

  it("have known names", function()
    assert.has_error(function() db:on("querry", print) end)
    assert.has_error(function() db:on("query", 5) end)
  end)
end)

describe("metrics", function()
  it("are Prometheus text", function()
    local db = assert(larder.open "memory:")
    assert(db:stores("auth").tenants:create { id = "a", name = "A", db_dsn = "d", db_schema = "a" })
    local text = db:metrics()
    assert.matches("# TYPE larder_memory_rows gauge\nlarder_memory_rows 1\n", text, 1, true)
    for line in text:gmatch "[^\n]+" do
      local comment, sample = "^# %u+ larder_[%l_]+ ", '^larder_[%l_]+[{%w="_}]* [%d%.e+]+$'
      assert.truthy(line:find(comment) or line:find(sample), line)
    end
    db:close()
  end)
end)

describe("histograms", function()
  it("count calls by store and operation, and failures by code", function()
    local db = assert(larder.open("memory:", { histograms = true }))
    local tenants = db:stores("auth").tenants
    assert(tenants:create { id = "a", name = "A", db_dsn = "d", db_schema = "a" })
    tenants:create { id = "a", name = "A", db_dsn = "d", db_schema = "a" }
    tenants:get "nobody"
    local text = db:metrics()
    local function value(sample) return text:match("\n" .. sample:gsub("%p", "%%%0") .. " ([^\n]+)\n") end
    assert.equal("2", value 'larder_call_duration_seconds_count{store="auth.tenants",op="create"}')
    assert.equal("2", value 'larder_call_duration_seconds_bucket{store="auth.tenants",op="create",le="+Inf"}')
    assert.equal("1", value 'larder_call_errors_total{store="auth.tenants",op="create",code="conflict"}')
    assert.is_nil(text:find('code="not_found"', 1, true)) -- an answer, no failure
    local before = 0
    for count in text:gmatch 'bucket{store="auth.tenants",op="create",le="[^"]+"} (%d+)' do
      assert.is_true(tonumber(count) >= before) -- buckets hold those below them
      before = tonumber(count)
    end
    assert.is_nil(assert(larder.open "memory:"):metrics():find("larder_call_", 1, true))
    db:close()
  end)

  it("put a call into the buckets that its time fits", function()
    local counts = require("larder.db.histograms").new()
    for _, seconds in ipairs { 0.0002, 0.0001, 0.3, 100 } do counts:record { store = "s", op = "get", duration = seconds } end
    local call = counts.calls['store="s",op="get"']
    assert.same({ 1, 2, 2 }, { call.counts[1], call.counts[2], call.counts[3] })
    assert.equal(3, call.counts[#call.counts])
    assert.equal(4, call.n)
    assert.near(100.3003, call.sum, 1e-9)
  end)
end)

describe("waiting", function()
  local Fd = require "larder.loop.fd"
  local function by_function(fn) return Fd.new(fn, { joined = function() return false end }) end

  it("hands results through when nothing is pending", function()
    assert.same({ 1, nil, 3 }, { wait.settle(nil, 1, nil, 3) })
  end)

  it("steps a task until it is done, waiting in between", function()
    local waits, steps = {}, 0
    local task = {
      fd = function() return 7 end, events = function() return "r" end, timeout = function() return 2 end,
      step = function(self)
        steps = steps + 1
        if steps < 3 then return core.PENDING, self end
        return "row", "second"
      end,
    }
    local one = by_function(function(fd, events, seconds) waits[#waits + 1] = fd .. events .. seconds end)
    assert.same({ "row", "second" }, { wait.settle(one, core.PENDING, task) })
    assert.same({ "7r2", "7r2", "7r2" }, waits)
  end)

  it("follows the task that a step hands on", function()
    local function task(n)
      return {
        fd = function() return n end, events = function() return "w" end, timeout = function() end,
        step = function()
          if n == 2 then return nil, "failed" end
          return core.PENDING, task(n + 1)
        end,
      }
    end
    local seen = {}
    local one = by_function(function(fd) seen[#seen + 1] = fd end)
    assert.same({ nil, "failed" }, { wait.settle(one, core.PENDING, task(1)) })
    assert.same({ 1, 2 }, seen)
  end)
end)
