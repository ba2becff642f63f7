-- The generic contract on every family: the built-in ones and those of the tests.

local testing = require "larder.testing"
local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  for _, family in ipairs { "blog", "shop", "auth", "content", "controlplane", "csms" } do
    describe("conformance on " .. engine.name, function()
      teardown(engine.done)
      engines.declare(family)
      testing.conformance(family, function() return engine.fresh(family) end, { describe = describe, it = it })
    end)
  end
end

describe("larder.testing", function()
  it("reports what breaks the contract where no test runner is", function()
    local db = engines[1].fresh "blog"
    local report = testing.conformance("blog", db)
    assert.same({}, report.failed)
    assert.is_true(report.passed > 50)
    engines[1].done()
  end)

  it("finds a store whose methods break it", function()
    local db = engines[1].fresh "blog"
    local teams = db:stores("blog").teams
    teams.count = function() return 7 end
    local report = testing.conformance("blog", db)
    teams.count = nil
    assert.truthy(table.concat(report.failed, "\n"):find("blog.teams lists in pages, each row once: .*count is wrong"))
    engines[1].done()
  end)
end)
