--- Full-text search, declared for a store whose table has a tsvector column:
--
--   search = { vector = "search_vector", config = "english", headline = "content" }
--
-- The column is the database's business: generated in a migration, with a GIN index. PostgreSQL only; memory answers
-- `unsupported`. Any text is a query (websearch_to_tsquery): quotes, `or` and `-word` mean something, nothing is an error.

local core = require "larder.core"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"

local unpack = require("larder.base.compat").unpack

local search = {}

local OPTIONS = options.set {
  where = "condition", limit = "count", offset = "count", headline = "boolean", include = "any", with_deleted = "boolean",
  timeout = "seconds",
}
local DEFAULT_LIMIT, LIMIT_CAP = 50, 1000
local HEADLINE = "MaxFragments=2, MaxWords=20, MinWords=5"

---@class larder.SearchDeclaration
---@field vector string     the tsvector column; it is no field of the store
---@field config? string    text search configuration ("english")
---@field headline? string  the text field that headlines are cut from

--- Is the declaration of a store's search right? Raises.
---@param entity table
---@param decl larder.SearchDeclaration|nil
---@param fail fun(where: string, fmt: string, ...)
function search.check(entity, decl, fail)
  if decl == nil then return end
  if type(decl) ~= "table" or type(decl.vector) ~= "string" or not pcall(core.sql_name, decl.vector) then
    fail(entity.full, "search.vector must name a column")
  end
  if decl.config ~= nil and not tostring(decl.config):find "^[%a_][%w_]*$" then
    fail(entity.full, "search.config must name a text search configuration")
  end
  local field = decl.headline and entity.fields[decl.headline]
  if decl.headline and not (field and field.type == "text") then fail(entity.full, "search.headline must name a text field") end
  for name in pairs(decl) do
    if name ~= "vector" and name ~= "config" and name ~= "headline" then
      fail(entity.full, "search has no entry %s", tostring(name))
    end
  end
end

-- ---- SQL: names come from the declaration, values are parameters ----

local quoted = core.sql_name

local function column(entity, name)
  return "t." .. quoted(entity.fields[name].column or name)
end

local function columns_of(entity)
  local names, list = {}, {}
  for name, field in pairs(entity.fields) do
    if not field.hidden then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    list[i] = column(entity, name) .. (entity.fields[name].column and " as " .. quoted(name) or "")
  end
  return table.concat(list, ", ")
end

local function condition(entity, name, value, params)
  if not entity.fields[name] then
    return nil, select(2, errors.invalid({ [tostring(name)] = "is not a field" }, nil, { store = entity.full, op = "search" }))
  end
  if value == core.null then return column(entity, name) .. " is null" end
  if type(value) == "table" then
    misuse.raise("%s:search: where takes values of fields, not conditions (%s)", entity.full, tostring(name))
  end
  params[#params + 1] = value
  return ("%s = $%d"):format(column(entity, name), #params)
end

local function conditions(store, opts, params)
  local entity, list = store._entity, {}
  local names = misuse.names(opts.where or {})
  for _, name in ipairs(names) do
    local text, err = condition(entity, name, opts.where[name], params)
    if not text then return nil, err end
    list[#list + 1] = text
  end
  if entity.soft and not opts.with_deleted then list[#list + 1] = column(entity, entity.soft.field) .. " is null" end
  return list
end

local function statement(store, text, opts)
  local entity, spec = store._entity, store._entity.search
  local params = { text }
  local where, err = conditions(store, opts, params)
  if not where then return nil, err end
  table.insert(where, 1, ("t.%s @@ q.query"):format(quoted(spec.vector)))
  local config = ("'%s'::regconfig"):format(spec.config or "english")
  local columns = columns_of(entity) .. (", ts_rank(t.%s, q.query)::float8 as rank"):format(quoted(spec.vector))
  if opts.headline then
    columns = columns .. (", ts_headline(%s, coalesce(%s, ''), q.query, '%s') as headline")
      :format(config, column(entity, spec.headline), HEADLINE)
  end
  local key = {}
  for i, name in ipairs(entity.key) do key[i] = column(entity, name) end
  params[#params + 1] = math.min(opts.limit or DEFAULT_LIMIT, LIMIT_CAP)
  params[#params + 1] = opts.offset or 0
  return ("select %s from %s t, websearch_to_tsquery(%s, $1) q(query) where %s order by rank desc, %s limit $%d offset $%d")
    :format(columns, entity.sql_table, config, table.concat(where, " and "), table.concat(key, ", "), #params - 1,
      #params), params
end

local methods = {}

--- Rows that match a text, the best first, each with its `rank`, and with `headline` when asked for.
---@param text string
---@param opts? { where?: table<string, any>, limit?: integer, offset?: integer, headline?: boolean, with_deleted?: boolean, timeout?: number }
-- where: values of fields
---@return table[]|nil rows
---@return larder.Error? err
function methods:search(text, opts)
  local entity = self._entity
  if type(text) ~= "string" then misuse.raise("%s:search needs a text, not %s", entity.full, misuse.kind(text)) end
  opts = options.read(opts, OPTIONS, entity.full, "search")
  if opts.headline and not entity.search.headline then
    misuse.raise("%s:search: the declaration names no field for headlines", entity.full)
  end
  if self.db:kind() == "memory" then
    return nil, errors.new { code = "unsupported", store = entity.full, op = "search",
      message = entity.full .. ": full-text search needs PostgreSQL" }
  end
  if opts.limit == 0 then return {} end
  local sql, params = statement(self, text, opts)
  if not sql then return nil, params end
  local rows, err = self.db:query(sql, unpack(params))
  if not rows then
    err.store, err.op = entity.full, "search"
    return nil, err
  end
  return rows
end

search.methods = methods
return search
