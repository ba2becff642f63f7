local larder = require "larder"
local errors = require "larder.base.errors"
local must = require "spec.support.must"

describe("errors", function()
  it("print as code and message, and join texts", function()
    local err = errors.new { code = "conflict", message = "taken" }
    assert.equal("conflict: taken", tostring(err))
    assert.equal("failed: conflict: taken", "failed: " .. err)
    assert.equal("conflict: taken!", err .. "!")
    assert.is_true(errors.is(err))
    assert.is_true(larder.is_error(err))
  end)

  it("print store, method, place and hint", function()
    local err = errors.new {
      code = "invalid", message = "email is required", store = "shop.users", op = "create", hint = "give one",
    }
    assert.equal("invalid: shop.users:create: email is required; hint: give one", tostring(err))
    err = errors.new { code = "not_found", message = "shop.users: no row with this id", store = "shop.users", op = "get" }
    assert.equal("not_found: shop.users:get: no row with this id", tostring(err))
    err = errors.new { code = "syntax", message = "near x", file = "000001_a.up.sql", line = 3 }
    assert.equal("syntax: near x (000001_a.up.sql:3)", tostring(err))
    err = errors.new { code = "syntax", message = "000001_a.up.sql:3:8: near x", file = "000001_a.up.sql", line = 3, place = 8 }
    assert.equal("syntax: 000001_a.up.sql:3:8: near x", tostring(err))
    err = errors.new { code = "syntax", message = "near x", op = "query" }
    assert.equal("syntax: query: near x", tostring(err))
  end)

  it("become a text with the caller's line by must", function()
    local err = errors.new { code = "conflict", message = "taken", store = "a.b", op = "create" }
    local ok, why = pcall(function() larder.must(nil, err) end)
    assert.is_false(ok)
    assert.is_string(why)
    assert.matches("^spec/unit/errors_spec.lua:%d+: conflict: a.b:create: taken$", why)
    assert.same({ 1, nil, 3 }, { larder.must(1, nil, 3) })
    assert.is_false(larder.must(false))
    assert.has_error(function() larder.must(nil) end)
    assert.has_error(function() larder.must() end)
    assert.has_error(function() larder.must(false, "why") end)
  end)

  it("are told from other values", function()
    assert.is_false(errors.is "conflict")
    assert.is_false(errors.is { code = "conflict" })
    assert.is_false(errors.is(nil))
  end)

  it("have codes that cannot be misspelt", function()
    assert.equal("not_found", larder.codes.not_found)
    assert.has_error(function() return larder.codes.not_fuond end)
  end)

  it("make a message from the faults of fields", function()
    local none, err = errors.invalid { b = "is bad", a = "is worse" }
    assert.is_nil(none)
    assert.equal("a is worse; b is bad", err.message)
    assert.equal("invalid", err.code)
  end)

  it("come out of assert as they are", function()
    local ok, err = pcall(function() must(errors.invalid { a = "is bad" }) end)
    assert.is_false(ok)
    assert.equal("invalid", err.code)
  end)
end)
