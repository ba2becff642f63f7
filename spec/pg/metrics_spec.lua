-- What db:metrics() says is what Prometheus takes, and the dashboard asks for nothing else.

local larder = require "larder"
local disk = require "tools.disk"
local json = larder.json

local url = os.getenv "LARDER_TEST_URL"

--- The metrics of both engines, with something to tell.
local function texts()
  local list = {}
  for _, target in ipairs { "memory:", url } do
    local db = assert(larder.open(target, { histograms = true }))
    assert(db:migrate "auth")
    local tenants = db:stores("auth").tenants
    local row = { id = "metrics", name = "Metrics", db_dsn = "d", db_schema = "a" }
    assert(tenants:create(row))
    assert.equal("conflict", select(2, tenants:create(row)).code)
    assert(tenants:delete "metrics")
    list[#list + 1] = db:metrics()
    db:close()
  end
  return list
end

describe("metrics", function()
  it("are taken by promtool without a word", function()
    for _, text in ipairs(texts()) do
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
      local pipe = assert(io.popen("promtool check metrics < " .. path .. " 2>&1; echo code $?"))
      local said = pipe:read "*a"
      pipe:close()
      os.remove(path)
      assert.equal("code 0\n", said)
    end
  end)

  it("are all that the dashboard asks for", function()
    local known, asked = {}, 0
    for _, text in ipairs(texts()) do
      for name in text:gmatch "\n(larder_[%w_]+)" do known[name] = true end
    end
    for _, panel in ipairs(assert(json.decode(disk.read "docs/grafana.json")).panels) do
      for _, target in ipairs(panel.targets) do
        for name in target.expr:gmatch "larder_[%w_]+" do
          asked = asked + 1
          assert.is_true(known[name], panel.title .. " asks for " .. name)
        end
      end
    end
    assert.is_true(asked > 20)
  end)

  it("carry a request's trace to the server", function()
    local db = assert(larder.open(url))
    local trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    local traced = assert(db:with { traceparent = trace })
    local sql = "select current_setting('application_name') as name"
    assert.equal(trace, assert(traced:query(sql))[1].name)
    assert(traced:transaction(function() assert.equal(trace, assert(traced:query(sql))[1].name) end))
    assert.not_equal(trace, assert(db:query(sql))[1].name)
    for _, wrong in ipairs { "x", trace:upper(), trace:gsub("4bf92f3577b34da6a3ce929d0e0e4736", ("0"):rep(32)) .. "", trace .. "0" } do
      assert.has_error(function() db:with { traceparent = wrong } end)
    end
    db:close()
  end)
end)
