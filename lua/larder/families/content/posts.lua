--- Posts: found by what they are about.

local common = require "larder.families.content.common"
local core = require "larder.core"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local search = require "larder.store.search"

local SEARCH = options.set {
  limit = "count", offset = "count", published = "boolean", author_id = "string", headline = "boolean",
  with_deleted = "boolean", timeout = "seconds",
}

local posts = common.methods { restore = common.restore, purge = common.purge }

local function needs(method, value)
  if type(value) ~= "string" then misuse.raise("content.posts:%s needs a text, not %s", method, misuse.kind(value)) end
end

--- A page of posts whose metadata has this category.
---@param category string
---@param opts? larder.ListOptions
---@return table[]|nil rows
---@return larder.ListAnswer info
function posts:list_by_category(category, opts)
  needs("list_by_category", category)
  return self:_page("list_by_category", { metadata = { contains = { category = category } } }, opts)
end

--- A page of posts among whose tags, in their metadata, is this one.
---@param tag string
---@param opts? larder.ListOptions
---@return table[]|nil rows
---@return larder.ListAnswer info
function posts:list_by_tag(tag, opts)
  needs("list_by_tag", tag)
  local tags = setmetatable({ tag }, core.array_mt)
  return self:_page("list_by_tag", { metadata = { contains = { tags = tags } } }, opts)
end

local function add_authors(self, rows)
  local ids, seen = {}, {}
  for _, row in ipairs(rows) do
    if not seen[row.author_id] then
      seen[row.author_id] = true
      ids[#ids + 1] = row.author_id
    end
  end
  local authors, err = self.stores.users:get_many(ids, { with_deleted = true })
  if not authors then return nil, err end
  local names = {}
  for i, author in ipairs(authors) do names[ids[i]] = author and author.name or nil end
  for _, row in ipairs(rows) do row.author_name = names[row.author_id] end
  return rows
end

--- Posts that match a text, the best first, with `rank`, `author_name` and, when asked for, `headline`. Published ones, unless
-- `published` says otherwise. PostgreSQL only.
---@param text string  any text: quotes, `or` and `-word` mean something, nothing is an error
---@param opts? { limit?: integer, offset?: integer, published?: boolean, author_id?: string, headline?: boolean, timeout?: number }
---@return table[]|nil rows
---@return larder.Error? err
function posts:search(text, opts)
  opts = options.read(opts, SEARCH, "content.posts", "search")
  local where = { published = opts.published ~= false, author_id = opts.author_id }
  local rows, err = search.methods.search(self, text, {
    where = where, limit = opts.limit, offset = opts.offset, headline = opts.headline, with_deleted = opts.with_deleted,
    timeout = opts.timeout,
  })
  if not rows then return nil, err end
  return add_authors(self, rows)
end

return posts
