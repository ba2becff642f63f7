-- The programs of examples/ that need nothing but a database: each on both engines, and what it prints.

local EXPECTED = {
  controlplane = [[
request 1: completed
request 2: completed
request 3: budget
request 4: rate_limit
4 requests, 2 completed, 2 rejected, 28 tokens, cost 0.040000
4 audit logs, 2 of them violations
]],
  csms_day = [[
profile 1, password right
2 settings sent, then 0
AuthorizeRemote: RebootRequired
a second reservation: conflict
up to 22000 W
tx1 by DEADBEEF: 3 values, 1 update, ended by 2, cost 1.3500
begun 2026-03-01T12:00:00.000000Z, first sent 2026-03-01T12:10:00Z
2 transactions, the latest is tx2
charging: tx2
register of connector 2: 5000.250 Wh
connector 1: Available
connector 2: Charging
]],
}

-- What only PostgreSQL can do prints something else.
local BLOG = [[
Ann has 2 posts and 2 roles
published: Growing apples
Ann: 2 posts, roles author, editor
about the garden: Growing apples
%s
after deleting: nothing
page 1 of 2, 2 posts in all
]]
EXPECTED.blog = function(url)
  return BLOG:format(url == "memory:" and "search: content.posts: full-text search needs PostgreSQL"
    or "found: Growing apples by Ann: Plant the <b>trees</b> in autumn")
end

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

local function output_of(name, url)
  local command = ("tools/lua.sh %s examples/%s.lua '%s' 2>&1"):format(LUA, name, url)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

for name, expected in pairs(EXPECTED) do
  describe("examples/" .. name, function()
    local function check(url)
      assert.equal(type(expected) == "function" and expected(url) or expected, output_of(name, url))
    end
    it("runs in memory", function() check "memory:" end)
    if os.getenv "LARDER_TEST_URL" then
      it("runs on PostgreSQL", function() check(os.getenv "LARDER_TEST_URL") end)
    end
  end)
end
