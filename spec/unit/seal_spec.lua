local larder = require "larder"

describe("sealing", function()
  local key = ("0f"):rep(32)

  it("goes there and back, differently each time", function()
    local one = assert(larder.seal("host=db password=x", key))
    local two = assert(larder.seal("host=db password=x", key))
    assert.are_not.equal(one, two)
    assert.matches("^sealed:v1:", one)
    assert.equal("host=db password=x", larder.unseal(one, key))
    assert.equal("host=db password=x", larder.unseal(two, ("\15"):rep(32)))
  end)

  it("refuses another key and a changed text", function()
    local sealed = assert(larder.seal("secret", key))
    local cases = { { sealed, ("0e"):rep(32) }, { sealed:sub(1, -3) .. "AA", key }, { "sealed:v1:", key } }
    for _, case in ipairs(cases) do
      local plain, err = larder.unseal(case[1], case[2])
      assert.is_nil(plain)
      assert.equal("unauthorized", err.code)
    end
  end)

  it("hands back what was never sealed, and needs a key that is one", function()
    assert.equal("host=db", larder.unseal("host=db", key))
    local sealed, err = larder.seal("x", "short")
    assert.is_nil(sealed)
    assert.equal("invalid", err.code)
  end)
end)

describe("larder.open", function()
  it("takes the pepper ring of API keys from its options or the environment", function()
    local function keys(opts) return assert(larder.open("memory:", opts)):stores "auth" end
    local ring = "1:" .. ("ab"):rep(32)
    local auth = keys { peppers = ring }
    assert(auth.tenants:create { id = "t", name = "t", db_dsn = "x", db_schema = "x" })
    assert(auth.apps:create { tenant_id = "t", id = "a", name = "a" })
    local _, secret = assert(auth.app_keys:issue("t", "a", { name = "k" }))
    local both = "2:" .. ("cd"):rep(32) .. "," .. ring
    keys { getenv = function(name) return name == "LARDER_PEPPERS" and both or nil end }
    assert.is_table(auth.app_keys:verify(secret))
    keys { peppers = "2:" .. ("cd"):rep(32) }
    local row, err = auth.app_keys:verify(secret)
    assert.is_nil(row)
    assert.equal("unknown", err.reason)
    local db
    db, err = larder.open("memory:", { peppers = "nonsense" })
    assert.is_nil(db)
    assert.is_string(err.code)
  end)

  it("refuses options that do not exist", function()
    assert.has_error(function() larder.open("memory:", { poool = {} }) end)
    assert.has_error(function() larder.open(5) end)
  end)
end)
