--- Users: with figures about what they wrote.

local common = require "larder.families.content.common"
local core = require "larder.core"
local expr = require "larder.base.expr"
local options = require "larder.base.options"
local support = require "larder.store.support"

local STATS = options.set { limit = "count", offset = "count" }
local DEFAULT_LIMIT, LIMIT_CAP = 50, 1000

local users = common.methods { restore = common.restore, purge = common.purge }

-- Authors by the number of their posts, the busiest first; counted apart from roles, so that neither multiplies the other.
local function authors(self, limit, offset)
  return self.stores.posts:aggregate {
    aggs = { { "count", as = "post_count" } }, groups = { "author_id" }, order = "post_count desc, author_id",
    where = expr.all { expr.exists("users", { id = "author_id" }, { deleted_at = core.null }) }, limit = limit, offset = offset,
  }
end

local function number_of_authors(self)
  local rows, err = self.stores.posts:aggregate {
    aggs = { { "count", "author_id", distinct = true, as = "n" } },
    where = expr.all { expr.exists("users", { id = "author_id" }, { deleted_at = core.null }) },
  }
  return rows and rows[1].n, err
end

-- Who wrote nothing comes behind all who did.
local function silent(self, limit, offset)
  return self:list {
    where = expr.not_(expr.exists("posts", { author_id = "id" }, { deleted_at = core.null })), order = "id", limit = limit,
    offset = offset,
  }
end

local function add_roles(self, list)
  local ids, by_id = {}, {}
  for i, item in ipairs(list) do ids[i], by_id[item.id] = item.id, {} end
  if #ids == 0 then return list end
  for role in self.stores.roles:each { where = { user_id = ids }, order = "name" } do
    table.insert(by_id[role.user_id], role.name)
  end
  for _, item in ipairs(list) do item.roles = table.concat(by_id[item.id], ", ") end
  return list
end

local function collect(self, limit, offset)
  local busy, err = authors(self, limit, offset)
  if not busy then return nil, err end
  local ids, list = {}, {}
  for i, row in ipairs(busy) do ids[i] = row.author_id end
  local rows
  rows, err = self:get_many(ids)
  if not rows then return nil, err end
  for i, row in ipairs(rows) do
    list[i] = { id = row.id, email = row.email, name = row.name, post_count = busy[i].post_count }
  end
  if #list < limit then
    local total
    total, err = number_of_authors(self)
    if not total then return nil, err end
    rows, err = silent(self, limit - #list, math.max(0, offset - total))
    if not rows then return nil, err end
    for _, row in ipairs(rows) do
      list[#list + 1] = { id = row.id, email = row.email, name = row.name, post_count = 0 }
    end
  end
  return add_roles(self, list)
end

--- What each user has: number of posts, and roles joined by ", "; the busiest first. In one snapshot.
---@param opts? { limit?: integer, offset?: integer }
---@return { id: string, email: string, name: string?, post_count: integer, roles: string }[]|nil
---@return larder.Error? err
function users:stats(opts)
  opts = options.read(opts, STATS, "content.users", "stats")
  local limit = math.min(opts.limit or DEFAULT_LIMIT, LIMIT_CAP)
  if limit == 0 then return {} end
  local list
  local ok, err = support.atomic(self.db, { isolation = "repeatable_read", read_only = true }, function()
    local why
    list, why = collect(self, limit, opts.offset or 0)
    if not list then return nil, why end
    return true
  end)
  if not ok then return nil, err end
  return list
end

return users
