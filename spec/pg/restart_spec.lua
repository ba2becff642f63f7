-- The server goes away and comes back. Only on the throw-away server of tools/with_pg.sh, which may be stopped.

local larder = require "larder"
local core = require "larder.core"

local server = require("spec.support.pgctl").run
if not server then return end

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("a server restart", function()
  it("FT-7 MV-G3 is an error while the server is down, and nothing but a wait once it is back", function()
    local db = assert(larder.open(url .. (url:find("?", 1, true) and "&" or "?") .. "pool_acquire_timeout=1"))
    assert(db:query "select 1")
    server "stop -m immediate"
    local started = core.now()
    local rows, err = db:query "select 1"
    local waited = (core.now() - started) / 1e6
    local healthy, sick = db:health(0.3)
    server "start -w"
    assert.is_nil(rows)
    assert.equal("connection", err.code)
    assert.is_true(waited < 10)
    assert.is_nil(healthy)
    assert.equal("connection", sick.code)
    for _ = 1, 50 do
      rows, err = db:query "select 1::int8 as one"
      if rows then break end
    end
    assert.same({ { one = 1 } }, rows, tostring(err))
    assert.is_true(assert(db:health()).ok)
    db:close()
  end)
end)
