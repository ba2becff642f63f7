--- A small blog: a user with posts and roles in one call, lists with what belongs to them, figures, search.
--
--   lua examples/blog.lua                 in memory, without search
--   lua examples/blog.lua postgres://…    on a database, whose schema it makes

local larder = require "larder"

local db = assert(larder.open(arg[1] or "memory:"))
assert(db:migrate "content")
local blog = db:stores "content"

local function titles(posts)
  local list = {}
  for i, post in ipairs(posts) do list[i] = post.title end
  return #list > 0 and table.concat(list, ", ") or "nothing"
end

-- One call writes everything, or nothing.
local mark = tostring(larder.now())
local ann = assert(blog.users:create({
  email = "ann+" .. mark .. "@example.org", name = "Ann",
  posts = {
    { title = "Growing apples", content = "Plant the trees in autumn.", published = true,
      metadata = { category = "garden", tags = larder.array { "fruit" } } },
    { title = "A draft about pears" },
  },
  roles = { { name = "author" }, { name = "editor" } },
}, { include = { posts = true, roles = true } }))
print(("%s has %d posts and %d roles"):format(ann.name, #ann.posts, #ann.roles))

-- Users with their published posts, newest first; drafts are left out.
local list = assert(blog.users:list {
  where = { id = ann.id }, include = { posts = { where = { published = true }, order = "-created_at" }, roles = true },
})
print("published: " .. titles(list[1].posts))

local stats = assert(blog.users:stats())
for _, row in ipairs(stats) do
  if row.id == ann.id then print(("%s: %d posts, roles %s"):format(row.name, row.post_count, row.roles)) end
end
local garden = { author_id = ann.id, metadata = { contains = { category = "garden" } } }
print("about the garden: " .. titles(assert(blog.posts:list { where = garden })))

local found, err = blog.posts:search("apple trees", { author_id = ann.id, headline = true })
if found then
  print(("found: %s by %s: %s"):format(found[1].title, found[1].author_name, found[1].headline))
else
  print("search: " .. err.message)
end

-- Deleting marks; reads do not see it any more, until it is restored.
assert(blog.posts:delete(list[1].posts[1].id))
local now = assert(blog.users:get(ann.id, { include = { posts = { where = { published = true } } } }))
print("after deleting: " .. titles(now.posts))
assert(blog.posts:restore(list[1].posts[1].id))
local page = assert(blog.posts:paginate { where = { author_id = ann.id }, page_size = 1 })
print(("page %d of %d, %d posts in all"):format(page.page, page.total_pages, page.total))
db:close()
