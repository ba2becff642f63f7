-- The server goes away and comes back. Only on the throw-away server of tools/with_pg.sh, which may be stopped.

local larder = require "larder"
local compat = require "larder.base.compat"
local core = require "larder.core"
local loops = require "spec.support.loops"

local missing = require("spec.support.need").own_server()
if missing then return describe("a server restart", function() pending(missing) end) end

local server = require("spec.support.pgctl").run

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("a server restart", function()
  it("FT-7 MV-G3 is an error while the server is down, and works within the pause between two attempts once it is back", function()
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
    local back = core.now()
    repeat rows, err = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    assert.same({ { one = 1 } }, rows, tostring(err))
    assert.is_true(assert(db:health()).ok)
    db:close()
  end)

  it("is told at once to everybody in a loop, and all goes on once it is back", function()
    local kind = loops.cqueues or loops.manual
    local options = { lazy = true, pool = { max = 4, min = 0, acquire_timeout = 60 } }
    for k, v in pairs(kind.options) do options[k] = v end
    local db, jobs, codes = assert(larder.open(url, options)), {}, {}
    for i = 1, 10 do
      jobs[i] = function()
        db:query "select 1" -- connections that were there find out
        local rows, err = db:query "select 1"
        codes[i] = rows and "none" or err.code
      end
    end
    kind.run(db, compat.unpack(jobs))
    assert.same({ "none", "none" }, { codes[1], codes[10] })
    server "stop -m immediate"
    local started = core.now()
    kind.run(db, compat.unpack(jobs))
    local seconds, failures = (core.now() - started) / 1e6, db:stats().connect_failures
    server "start -w"
    for i = 1, 10 do assert.equal("connection", codes[i]) end
    assert.is_true(seconds < 3, "it took " .. seconds)
    assert.is_true(failures < 10, failures .. " attempts")
    local rows
    kind.run(db, function()
      local back = core.now()
      repeat rows = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    end)
    assert.same({ { one = 1 } }, rows)
    db:close()
  end)

  it("need not be there at a lazy open", function()
    server "stop -m immediate"
    local db, refused = larder.open(url, { lazy = true })
    local early, why = larder.open(url)
    local rows, err
    local session, not_open
    if db then
      rows, err = db:query "select 1"
      session, not_open = db:session(function(own) return own:query "select 1" end)
    end
    server "start -w"
    assert.is_nil(early)
    assert.equal("connection", why.code)
    assert.is_truthy(db, tostring(refused))
    assert.is_nil(rows)
    assert.equal("connection", err.code)
    assert.is_nil(session)
    assert.equal("connection", not_open.code)
    local back = core.now()
    repeat rows = db:query "select 1::int8 as one" until rows or core.now() - back > 10e6
    assert.same({ { one = 1 } }, rows)
    assert.is_true(db:health().server_version >= 120000)
    db:close()
  end)
end)
