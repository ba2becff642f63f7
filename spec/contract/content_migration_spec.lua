local larder = require "larder"
local engines = require "spec.support.engines"

local function all(store)
  local list = {}
  for row in store:each { with_deleted = store.name ~= "content.roles" or nil } do list[#list + 1] = row end
  return list
end

for _, engine in ipairs(engines) do
  describe("moving content to " .. engine.name, function()
    teardown(engine.done)

    it("copies every row as it was, also those marked as deleted", function()
      local db = engine.fresh "content"
      local memory = assert(larder.open "memory:")
      local from, to = memory:stores "content", db:stores "content"
      for i = 1, 3 do
        local user = assert(from.users:create {
          email = "u" .. i .. "@x", posts = { { title = "T", metadata = { tags = larder.array { "a" } } }, { title = "U" } },
          roles = { { name = "editor" } },
        }, { include = { posts = true } })
        assert(from.posts:delete(user.posts[1].id))
      end
      local report = assert(larder.transfer(memory, db, { families = { "content" }, verify = true }))
      assert.equal(0, #report.refused)
      for _, name in ipairs { "users", "posts", "roles" } do
        local here = all(from[name])
        assert.is_true(#here >= 3, name)
        assert.same(here, all(to[name]))
      end
      memory:close()
    end)
  end)
end
