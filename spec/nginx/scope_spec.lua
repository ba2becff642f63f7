-- Requests of nginx that end inside a transaction. nginx gives the coroutine of a request that ended to the next one, which must
-- not inherit anything.

local missing = require("spec.support.need").nginx()
if missing then return describe("a request of nginx", function() pending(missing) end) end

local larder = require "larder"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local URL = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local mark = (URL:find("?", 1, true) and "&" or "?") .. "application_name=scoped"

local REQUESTS = 20

describe("a request of nginx", function()
  local server, db, silent -- a server that takes connections and says nothing

  setup(function()
    db = assert(larder.open(URL .. mark:gsub("scoped", "looks on") .. "&options=-clock_timeout%3D5s", { wait = false }))
    assert(db:query "drop table if exists public.scoped")
    assert(db:query "create table public.scoped (name text)")
    silent = assert(socket.bind("127.0.0.1", 0, 100))
    server = nginx.start { dir = "spec/nginx/scope", env = { DATABASE_URL = URL .. mark .. "&pool_max_conns=4" } }
  end)
  teardown(function()
    server:stop()
    silent:close()
    assert(db:query "drop table public.scoped")
    db:close()
  end)
  before_each(function() assert(db:query "truncate public.scoped") end)

  local function get(path) return (server:request(path).text:gsub("%s+$", "")) end

  local function count(sql, ...) return assert(db:query("select count(*)::int8 as n from " .. sql, ...))[1].n end

  local function open_transactions()
    return count "pg_stat_activity where application_name = 'scoped' and xact_start is not null"
  end

  -- The client sends its request and goes away once the transaction has begun.
  local function leave(path)
    local request = assert(server:send(path))
    assert.is_truthy(nginx.eventually(function() return open_transactions() == 1 end, 5))
    request:abort()
  end

  for _, how in ipairs { "client", "exit", "exit_light", "kill" } do
    for _, where in ipairs { "call", "sleep", "socket", "between", "nested", "tenant" } do
      it("FT-l22 that ends inside a transaction leaves nothing to the next ones: by " .. how .. ", in " .. where, function()
        local path = ("/%s?where=%s&silent=%s"):format(how, where, select(2, silent:getsockname()))
        if how == "client" then leave(path) else assert.equal("left", get(path)) end
        for i = 1, REQUESTS do
          assert.equal('0 dying, tenant "", inside: true', get("/work?n=" .. i))
          assert.equal("false", get "/outside")
        end
        assert.equal(2 * REQUESTS, count "public.scoped")
        assert.is_truthy(nginx.eventually(function() return open_transactions() == 0 end, 1.5))
        assert.equal(2 * REQUESTS, count "public.scoped")
        assert.equal("", server:alarms())
      end)
    end
  end

  it("FT-l23 shares its transaction with the generators it resumes, not with light threads", function()
    assert.equal("1 1 3 inside, false0 beside, undone", get "/generate")
    assert.equal(0, count "public.scoped")
    assert.equal("", server:alarms())
  end)

  it("FT-l24 is told where a call cannot wait, and nothing was sent", function()
    assert.equal("unsupported unsupported unsupported", get "/refused")
    assert.equal(2, count "public.scoped")
    assert.equal("", server:alarms())
  end)
end)
