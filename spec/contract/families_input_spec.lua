-- What comes from a request as it is: relations that are none, includes too deep, pages out of range. An answer, never a raise.

local engines = require "spec.support.engines"

for _, engine in ipairs(engines) do
  describe("families answer bad input on " .. engine.name, function()
    teardown(engine.done)

    local function invalid(field, text, ok, err)
      assert.is_nil(ok)
      assert.equal("invalid", err.code)
      assert.matches(text, err.fields[field])
    end

    it("includes", function()
      local content = engine.fresh("content"):stores "content"
      local ann = assert(content.users:create { email = "ann@example.org", posts = { { title = "One" } } })
      invalid("post", "not a relation of content.users", content.users:get(ann.id, { include = { post = true } }))
      invalid("posts.users", "not a relation of content.posts",
        content.users:list { include = { posts = { include = { users = true } } } })
      invalid("posts.limit", "whole number", content.users:list { include = { posts = { limit = -1 } } })
      local plan = {} -- users → posts → author → posts …: 9 levels
      for depth = 9, 1, -1 do
        local inner = next(plan) and { include = plan } or true
        plan = { [depth % 2 == 1 and "posts" or "author"] = inner }
      end
      local ok, err = content.users:get(ann.id, { include = plan })
      assert.is_nil(ok)
      assert.equal("invalid", err.code)
      assert.matches("deeper than 8 levels", err.message)
    end)

    it("pages", function()
      local db = engine.fresh "controlplane"
      local cp = db:stores "controlplane"
      for _, limit in ipairs { -1, 1.5, "many" } do
        local _, err = cp.organizations:list { limit = limit }
        assert.equal("invalid", err.code, tostring(limit))
      end
      local _, info = assert(cp.organizations:list { limit = 100000 })
      assert.equal(1000, info.limit)
      local _, err = cp.organizations:list { after = "no cursor" }
      assert.equal("invalid", err.code)
    end)
  end)
end
