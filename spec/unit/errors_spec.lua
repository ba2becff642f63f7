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
