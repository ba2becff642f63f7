-- db:with: what it takes, and what a view has. Row-level security itself: spec/pg/view_spec.lua.

local larder = require "larder"
local must = require "spec.support.must"
require "spec.support.keyed"

describe("db:with", function()
  local db
  before_each(function() db = must(larder.open "memory:") end)
  after_each(function() db:close() end)

  local function refuses(opts, words)
    local ok, why = pcall(function() return db:with(opts) end)
    assert.is_false(ok)
    assert.truthy(why:find(words, 1, true), why)
    assert.truthy(why:find("view_spec.lua:", 1, true), why)
  end

  it("refuses options that it does not know, and empty ones", function()
    refuses(nil, "db:with needs a tenant, a role, settings or a traceparent")
    refuses({}, "db:with needs a tenant, a role, settings or a traceparent")
    refuses({ settings = {} }, "db:with needs a tenant, a role, settings or a traceparent")
    refuses({ tenants = "a" }, 'unknown option "tenants"')
    refuses({ tenant = "" }, "option tenant must not be empty")
    refuses({ role = "" }, "option role must not be empty")
    refuses({ tenant = 7 }, "option tenant must be a text")
    refuses({ tenant = "a\0b" }, "option tenant holds a zero byte")
    refuses({ settings = { ["app.user"] = 7 } }, 'setting "app.user" must be a text')
    refuses({ settings = { ["app.user"] = "a\0b" } }, "holds a zero byte")
    refuses({ settings = { "x" } }, "a setting's name must be a text")
  end)

  it("refuses settings that are its own or the connection's", function()
    for _, name in ipairs { "role", "ROLE", "larder.tenant", "session_authorization", "client_encoding", "standard_conforming_strings" } do
      refuses({ settings = { [name] = "x" } }, "cannot be given")
    end
  end)

  it("answers unsupported for what memory does not have", function()
    for _, opts in ipairs { { role = "r" }, { tenant = "a", role = "r" }, { settings = { ["app.user"] = "7" } } } do
      local view, err = db:with(opts)
      assert.is_nil(view)
      assert.equal("unsupported", err.code)
    end
  end)

  it("takes a tenant alone on memory, which has no policies: all rows are there", function()
    local view = must(db:with { tenant = "acme" })
    local key = { k = 1 }
    must(db:stores("keyed").int4_alone:create(key))
    assert.equal(1, must(view:stores("keyed").int4_alone:get(1)).k)
    must(view:transaction(function()
      return must(view:stores("keyed").int4_alone:create { k = 2 })
    end))
    assert.equal(2, must(db:stores("keyed").int4_alone:count()))
    assert.equal("memory", view:kind())
    assert.matches("view", tostring(view))
  end)

  it("keeps what is the database's own", function()
    local view = must(db:with { tenant = "acme" })
    for _, name in ipairs { "close", "flush", "stats", "session", "set_clock", "on", "with", "truncate", "migrate", "health" } do
      local ok, why = pcall(function() return view[name](view) end)
      assert.is_false(ok)
      assert.truthy(why:find("db:" .. name .. " is not for a view", 1, true), why)
    end
    assert.has_error(function() view:transaction({ tenant = "other" }, function() return true end) end)
    assert.has_error(function() larder.transfer { from = view, to = db, families = { "keyed" } } end)
  end)

  it("has no rows that are written later", function()
    local view = must(db:with { tenant = "acme" })
    local ok, err = view:stores("keyed").int4_alone:insert_async { k = 3 }
    assert.is_nil(ok)
    assert.equal("unsupported", err.code)
  end)

  it("answers closed once the database is", function()
    local other = must(larder.open "memory:")
    local view = must(other:with { tenant = "acme" })
    other:close()
    local _, err = other:with { tenant = "acme" }
    assert.equal("closed", err.code)
    _, err = view:stores("keyed").int4_alone:get(1)
    assert.equal("closed", err.code)
  end)

  it("hears the database's listeners, and the database hears it", function()
    local view, seen = must(db:with { tenant = "acme" }), {}
    local store = view:stores("keyed").int4_alone
    local remove = db:on("query", function(event) seen[#seen + 1] = event.op end)
    must(store:count())
    remove()
    must(store:count())
    assert.same({ "count" }, seen)
    must(view:transaction({ timeout = 5 }, function() return must(store:count()) end))
    assert.is_true(db._plain)
  end)
end)
