--- What users, posts and roles have in common: deleting says when nothing was there, and pages by number.

local options = require "larder.base.options"
local support = require "larder.store.support"
local write = require "larder.store.write"

local common = {}

local PAGINATE = options.set {
  page = "number", page_size = "number", where = "condition", order = "string|list", include = "any", columns = "list",
  with_deleted = "boolean",
}
local DEFAULT_SIZE, MAX_SIZE = 10, 100

-- A method by key that answers `not_found` where nothing was there.
local function strict(name, method)
  return function(self, id, ...)
    local ok, n = method(self, id, ...)
    if not ok then return nil, n end
    if n == 0 then return support.not_found(self, name, { "id" }) end
    return true
  end
end

common.delete = strict("delete", write.methods.delete)
common.restore = strict("restore", write.soft.restore)
common.purge = strict("purge", write.soft.purge)

local function clamp(n, default, low, high)
  if n == nil then return default end
  return math.max(low, math.min(math.floor(n), high))
end

--- A page by its number, with the number of all rows, read in one snapshot.
---@param opts? { page?: integer, page_size?: integer, where?: larder.Where, order?: string|string[], include?: table, with_deleted?: boolean }
-- page from 1 (1); page_size 1 to 100 (10)
---@return { data: table[], total: integer, page: integer, page_size: integer, total_pages: integer, has_next_page: boolean, has_previous_page: boolean }|nil
---@return larder.Error? err
function common.paginate(self, opts)
  opts = options.read(opts, PAGINATE, self.name, "paginate")
  local page, size = clamp(opts.page, 1, 1, 2 ^ 31), clamp(opts.page_size, DEFAULT_SIZE, 1, MAX_SIZE)
  local data, info
  local ok, err = support.atomic(self.db, { isolation = "repeatable_read", read_only = true }, function()
    data, info = self:list {
      where = opts.where, order = opts.order, include = opts.include, columns = opts.columns,
      with_deleted = opts.with_deleted, limit = size, offset = (page - 1) * size, total = true,
    }
    if not data then return nil, info end
    return true
  end)
  if not ok then return nil, err end
  local pages = math.ceil(info.total / size)
  return {
    data = data, total = info.total, page = page, page_size = size, total_pages = pages, has_next_page = page < pages,
    has_previous_page = page > 1,
  }
end

--- The methods of a store: the common ones, with more laid over them.
---@param more table
---@return table
function common.methods(more)
  local all = { delete = common.delete, paginate = common.paginate }
  for name, method in pairs(more) do all[name] = method end
  return all
end

return common
