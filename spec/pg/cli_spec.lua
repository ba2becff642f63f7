-- The command line tool, run in this process.

local larder = require "larder"
local cli = require "larder.cli"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

--- Runs the tool: what it printed, and its exit code.
local function run(...)
  local lines, real = {}, print
  _G.print = function(text) lines[#lines + 1] = tostring(text) end -- luacheck: ignore 121 122
  local ok, code = pcall(cli, { "--url", url, ... })
  _G.print = real -- luacheck: ignore 121 122
  if not ok then error(code, 0) end
  return table.concat(lines, "\n"), code
end

describe("the command line tool", function()
  before_each(function()
    run("migrate", "up")
    run("migrate", "down", "auth", "--to", "0")
  end)

  after_each(function() run("migrate", "up") end)

  it("applies, lists and undoes migrations", function()
    local text, code = run("migrate", "up", "auth", "--dry-run")
    assert.equal(0, code)
    assert.is_truthy(text:find("up    000001", 1, true))
    assert.is_truthy(run("migrate", "status"):find("pending", 1, true))
    run("migrate", "up", "--to", "2")
    local states = larder.json.decode((run("migrate", "status", "--json")))
    assert.equal("applied", states[2].state)
    assert.equal("pending", states[3].state)
    assert.is_truthy(run("migrate", "down"):find("down  000002", 1, true))
    run("migrate", "up")
    assert.equal("nothing to do", (run("migrate", "up")))
  end)

  it("answers 3 when the catalogue has drifted, and names each difference", function()
    run("migrate", "up", "--to", "3")
    local text, code = run("check", "auth")
    assert.equal(3, code)
    assert.is_truthy(text:find("unique_key_id is missing", 1, true))
    run("migrate", "up")
    text, code = run("check", "auth")
    assert.equal(0, code)
    assert.equal("auth: no drift", text)
  end)

  it("asks for health and hides secrets in its settings", function()
    local text, code = run "health"
    assert.equal(0, code)
    assert.is_true(larder.json.decode(text).ok)
    text, code = run("--url", "postgres://u:s3cret@localhost/x", "config")
    assert.equal(0, code)
    assert.is_nil(text:find("s3cret", 1, true))
    assert.is_truthy(text:find("password", 1, true))
  end)
end)
