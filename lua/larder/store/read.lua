--- Reading: the generic methods that every store has.

local compat = require "larder.base.compat"
local core = require "larder.core"
local each = require "larder.store.each"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local include = require "larder.store.include"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local support = require "larder.store.support"

local unpack = compat.unpack
local run, settle = support.run, support.settle
local entities, entity_of, careful = support.entities, support.entity_of, support.careful
local PENDING = core.PENDING

local DEFAULT_LIMIT, LIMIT_CAP = 50, 1000
local EACH_PAGE = 500
local MANY_CHUNK = 1000

local LOCKS = { "update", "share", "update_skip", "update_nowait" }
local COUNT_OPTIONS = options.set { with_deleted = "boolean", timeout = "seconds" }
local ONE_OPTIONS = options.extend(COUNT_OPTIONS, { columns = "list", lock = LOCKS, include = "table" })
local FIND_OPTIONS = options.extend(ONE_OPTIONS, { order = "string|list" })
-- limit and offset often come from a request: what is wrong with them is an answer, `invalid`
local LIST_OPTIONS = options.extend(FIND_OPTIONS, {
  where = "condition", limit = "any", offset = "any", after = "string", total = "boolean", distinct = "boolean",
})
local EACH_OPTIONS = options.extend(COUNT_OPTIONS, {
  where = "condition", order = "string|list", limit = "count", after = "string", columns = "list", page = "positive", include = "table",
  read_ahead = "boolean",
})
local AGGREGATE_OPTIONS = options.extend(COUNT_OPTIONS, {
  where = "condition", aggs = "list", groups = "list", having = "condition", order = "string|list", limit = "count",
  offset = "count",
})

---@class larder.Store
---@field db larder.Db
---@field stores table<string, larder.Store>  the other stores of the family
---@field name string  "auth.users"
local read = {}

-- What family.lua makes methods and option sets with.
local declared = {}

---@class larder.ReadOptions
---@field columns? (string|larder.Expression|table)[]  fields, those of related rows ("author.name", as author_name), computed ones
-- ({ larder.lower "name", as = "low" })
---@field with_deleted? boolean  rows marked as deleted: seen or not (each store has its own default)
---@field lock? "update"|"share"|"update_skip"|"update_nowait"  in a transaction; refused outside of one
---@field timeout? number  seconds
---@field include? larder.Include  rows of other stores that belong to it; all of one snapshot

---@class larder.ListOptions: larder.ReadOptions
---@field where? larder.Where
---@field order? string|string[]  "created_at desc, id" or { "-created_at", "id" }; always ended by the key
---@field limit? integer  50 by default, at most 1000
---@field offset? integer
---@field after? string   a cursor: info.next of the page before
---@field total? boolean  count all matching rows, too
---@field distinct? boolean  different rows of the columns, each once; ordered by the columns, paged by offset

---@class larder.EachOptions: larder.ListOptions
---@field page? integer   rows fetched at a time (500)
---@field read_ahead? boolean  send for the next page when one has arrived: rows may be seen as they were one page earlier. Not
-- in transactions, with include, of cursors (false)

---@class larder.ListInfo
---@field next? string    cursor of the page behind; nil on the last one
---@field limit integer   what was used
---@field total? integer  when asked for

--- What stands behind the rows: their ListInfo, or the error when there are none. One name, so that an editor takes both
--- `info.next` and `err.code`.
---@class larder.ListAnswer: larder.ListInfo, larder.Error

-- ---- one row ----

-- Names of the fields that a condition speaks of, for the error when no row matches.
local function fields_of(where)
  local names = {}
  for name in next, where do
    if type(name) == "string" then names[#names + 1] = name end
  end
  if #names == 0 then return { "condition" } end
  table.sort(names)
  return names
end

-- by: the fields that the row was looked for by; nil: those of the condition
local function select_one(store, method, where, opts, by)
  local ok, err = support.refuse_hidden(store._entity, method, opts.columns)
  if ok then ok, err = support.refuse_lone_lock(store, method, opts.lock) end
  if not ok then return nil, err end
  local plan, rows
  plan, err = include.plan(store, method, opts)
  if err then return nil, err end
  rows, err = include.select(store, method, {
    op = "select", where = support.both(where, support.alive(store._entity, opts)), limit = 1,
    columns = plan and plan.columns or opts.columns, lock = opts.lock, order = opts.order, timeout = opts.timeout,
  }, plan)
  if not rows then return nil, err end
  if not rows[1] then return support.not_found(store, method, by or fields_of(where)) end
  return rows[1]
end

-- With options, with listeners, with a key that lacks a part, or where deleted rows are hidden.
local function get_with_options(store, method, ...)
  local entity = store._entity
  local where, opts = support.conditions(store, method, entity.key, entity.nkey, ...)
  support.no_more(store, method, entity.nkey + 1, ...)
  return select_one(store, method, where, support.options(store, method, opts, ONE_OPTIONS), entity.key)
end

--- The row with this key.
---@param ... any  the key's fields in order, then options
---@return table|nil row
---@return larder.Error? err  `not_found` when there is none
function read:get(...)
  local entity = entities[self] or entity_of(self, "get")
  if self.db._plain and not entity.hides then
    local row, err = self._core:get(...)
    if row == PENDING then row, err = settle(self._wait, row, err) end
    if row ~= nil then return row end
    if err ~= nil then return support.by_key_failed(entity, err) end
  end
  return get_with_options(self, "get", ...)
end
careful[read.get] = true

--- Is there a row with this key?
---@param ... any
---@return boolean|nil
---@return larder.Error? err
function read:exists(...)
  local entity = entities[self] or entity_of(self, "exists")
  if self.db._plain and not entity.hides then
    local there, err = self._core:exists(...)
    if there == PENDING then there, err = settle(self._wait, there, err) end
    if there ~= nil then return there end
    if err ~= nil then return support.by_key_failed(entity, err) end
  end
  local row, err = get_with_options(self, "exists", ...)
  if row then return true end
  if err.code == "not_found" then return false end
  return nil, err
end
careful[read.exists] = true

local DIRECT = { "get", "exists" }

--- In a memory database that nobody listens to, get and exists of a store are functions of the core. They hand back
-- what needs the methods here: options, transactions, keys that do not fit.
---@param store larder.Store
---@param on boolean
function declared.direct(store, on)
  if store.db:kind() ~= "memory" or store._entity.hides then return end
  local methods = getmetatable(store).__index
  for _, name in ipairs(DIRECT) do
    if methods[name] and not store._entity.own[name] then -- else the declaration has a method of its own, or none
      store[name] = on and store._core:direct(store, name, methods[name]) or nil
    end
  end
end

--- The first row that matches.
---@param where larder.Where
---@param opts? larder.ReadOptions|{ order?: string }
---@return table|nil row
---@return larder.Error? err  `not_found` when there is none
function read:find(where, opts)
  if not entities[self] then entity_of(self, "find") end
  support.check_where(self, "find", where)
  return select_one(self, "find", where, support.options(self, "find", opts, FIND_OPTIONS))
end
careful[read.find] = true

-- ---- pages ----

local MOST = 2 ^ 53

local function is_count(n)
  return type(n) == "number" and n % 1 == 0 and n >= 0 and n <= MOST
end

local function checked_limit(store, method, opts)
  local limit, offset = opts.limit, opts.offset
  if limit == expr.all then
    return errors.invalid({ limit = "cannot be all" }, nil,
      { store = store._entity.full, op = method, hint = "each() goes through all rows" })
  end
  local wrong = limit ~= nil and not is_count(limit) and "limit" or offset ~= nil and not is_count(offset) and "offset"
  if wrong then
    return errors.invalid({ [wrong] = "must be a whole number that is not negative" }, nil, { store = store._entity.full, op = method })
  end
  return math.min(limit or DEFAULT_LIMIT, LIMIT_CAP)
end

--- Conditions of the options that a store's declaration calls filters: `status = "active"` beside `where`.
local function filters(entity, opts)
  local where
  for name, filter in pairs(entity.filters) do
    local value = opts[name]
    if value ~= nil then
      where = where or {}
      if type(filter) == "string" then where[filter] = value else where[#where + 1] = filter(value) end
    end
  end
  return where
end

local function matching(entity, fixed, opts)
  return support.both(fixed, opts.where, filters(entity, opts), support.alive(entity, opts))
end

-- The rows of a page, then what is told of it.
local function page_of(store, method, op, plan, total)
  local rows, info = {}, { limit = op.limit }
  local err
  if op.limit > 0 then
    rows, err = include.select(store, method, op, plan)
    if not rows then return nil, err end
    info.next = err -- of rows that are there it is the cursor
  end
  if total then
    info.total, err = run(store, method, { op = "count", where = op.where, timeout = op.timeout })
    if not info.total then return nil, err end
  end
  return rows, info
end

local NOT_DISTINCT = { "after", "total", "lock", "include" }

-- Different rows of the columns are groups without a figure.
local function distinct_page(store, method, where, opts, limit)
  if opts.columns == nil then support.misuse(store, method, "distinct needs columns: of whole rows each is there once") end
  for _, name in ipairs(NOT_DISTINCT) do
    if opts[name] then
      return errors.invalid({ [name] = "does not go with distinct" }, nil, { store = store._entity.full, op = method })
    end
  end
  local rows, err = run(store, method, {
    op = "aggregate", groups = opts.columns, where = where, order = opts.order, limit = limit, offset = opts.offset, timeout = opts.timeout,
  })
  if not rows then return nil, err end
  return rows, { limit = limit }
end

--- A page under fixed conditions; what list and every list_by_… come down to.
function read:_page(method, fixed, opts, order)
  local entity = self._entity
  opts = support.options(self, method, opts, entity.list_options)
  local limit, err = checked_limit(self, method, opts)
  if not limit then return nil, err end
  local ok
  ok, err = support.refuse_hidden(entity, method, opts.columns)
  if ok then ok, err = support.refuse_lone_lock(self, method, opts.lock) end
  if not ok then return nil, err end
  if opts.distinct then return distinct_page(self, method, matching(entity, fixed, opts), opts, limit) end
  local plan
  plan, err = include.plan(self, method, opts)
  if err then return nil, err end
  local op = {
    op = "select", page = true, where = matching(entity, fixed, opts), columns = plan and plan.columns or opts.columns,
    order = opts.order or order or entity.order, limit = limit, offset = opts.offset, after = opts.after, lock = opts.lock,
    timeout = opts.timeout,
  }
  if plan and opts.total then
    return include.snapshot(self, opts, function() return page_of(self, method, op, plan, true) end)
  end
  return page_of(self, method, op, plan, opts.total)
end

--- A page of rows: `list(opts)`, or with the values of the store's scope before the options:
-- `list(tenant, opts)`.
---@param ... any
---@return table[]|nil rows  empty when there are none
---@return larder.ListAnswer info
---@overload fun(self: larder.Store, opts?: larder.ListOptions): table[]|nil, larder.ListAnswer
function read:list(...)
  local entity = entities[self] or entity_of(self, "list")
  local n = #entity.scope
  local fixed, opts = support.conditions(self, "list", entity.scope, n, ...)
  support.no_more(self, "list", n + 1, ...)
  return read._page(self, "list", n > 0 and fixed or nil, opts)
end
careful[read.list] = true

--- Every matching row, in pages underneath, in constant memory; without `order`, in no promised order. What goes wrong
-- on the way raises.
-- Rows that are created or deleted meanwhile may or may not be seen; no other row is missed or seen twice.
-- Where no index has the order, the rows behind the first page come by one cursor, of one snapshot; on PostgreSQL it has a
-- connection of its own (or the transaction's) until the loop ends. With `read_ahead` the next page is asked for when one has
-- arrived. LuaJIT does not see a loop that is left early: there
-- `local rows = store:each(…); for row in rows do … rows:close() break … end`.
---@param ... any  the values of the store's scope (optional), then options as of list; limit: none by default
---@return larder.Rows iterator
---@overload fun(self: larder.Store, opts?: larder.EachOptions): larder.Rows
function read:each(...)
  local entity = self._entity
  local fixed, opts = support.optional_scope(self, "each", ...)
  opts = support.options(self, "each", opts, entity.each_options)
  local allowed, err = support.refuse_hidden(entity, "each", opts.columns)
  if not allowed then error(err, 0) end
  local plan
  plan, err = include.plan(self, "each", opts)
  if err then error(err, 0) end
  local rows = each.rows(each.pages(self, "each", {
    op = "select", page = true, where = matching(entity, fixed, opts),
    columns = plan and plan.columns or opts.columns, order = opts.order or entity.order,
    -- nobody named an order: the one that the key's index has, whatever its collation
    any_order = not (opts.order or entity.order or opts.after) or nil, after = opts.after, timeout = opts.timeout,
  }, opts.page or EACH_PAGE, opts.limit, plan, opts.read_ahead))
  return rows, nil, nil, rows
end

--- All rows at once, for methods whose answer is a whole list.
function read:_all(method, where, order)
  local pages = each.pages(self, method, { op = "select", page = true, where = where, order = order }, LIMIT_CAP)
  local all = {}
  while true do
    local rows, err = pages:next()
    if err then return nil, err end
    if not rows then return all end
    for i = 1, #rows do all[#all + 1] = rows[i] end
  end
end

--- How many rows match.
---@param ... any  the values of the store's scope (optional), then the condition, then options
---@return integer|nil n
---@return larder.Error? err
function read:count(...)
  local fixed, where, opts = support.optional_scope(self, "count", ...)
  if where ~= nil then support.check_where(self, "count", where) end
  opts = support.options(self, "count", opts, COUNT_OPTIONS)
  return run(self, "count", {
    op = "count", where = support.both(fixed, where, support.alive(self._entity, opts)),
    timeout = opts.timeout,
  })
end

---@class larder.AggregateOptions
---@field where? larder.Where
---@field aggs? table[]    { { "count", as = "n" }, { "count", "author_id", distinct = true, as = "authors" }, { "sum", "tokens",
-- as = "tokens", filter = where } }; none: the different values of the groups
---@field groups? table[]  { "model", { "created_at", bucket = "hour", as = "hour" } }
---@field having? larder.Where  of the result's columns: { n = { gt = 1 } }
---@field order? string|string[]  by the result's columns, ended by the groups; without it, by the groups
---@field limit? integer   of the groups
---@field offset? integer
---@field with_deleted? boolean
---@field timeout? number

--- Figures, by group: count, sum, avg, min, max.
---@param opts larder.AggregateOptions
---@return table[]|nil rows
---@return larder.Error? err
function read:aggregate(opts)
  if opts == nil then support.misuse(self, "aggregate", "needs a table of options, not nil") end
  opts = support.options(self, "aggregate", opts, AGGREGATE_OPTIONS)
  return run(self, "aggregate", {
    op = "aggregate", where = support.both(opts.where, support.alive(self._entity, opts)), aggs = opts.aggs,
    groups = opts.groups, having = opts.having, order = opts.order, limit = opts.limit, offset = opts.offset,
    timeout = opts.timeout,
  })
end

-- ---- many rows by key ----

local MANY_OPTIONS = options.set { with_deleted = "boolean", timeout = "seconds" }

--- Rows in the order of their keys, `false` where there is none; one statement for each 1,000. A key finds its row in every
-- spelling that get takes.
---@param keys any[]  each a value, or a list of values where the key has several fields
---@param opts? { with_deleted?: boolean, timeout?: number }
---@return (table|false)[]|nil rows
---@return larder.Error? err
function read:get_many(keys, opts)
  local entity, result = self._entity, setmetatable({}, core.array_mt)
  misuse.check_shape(keys, "list", entity.full .. ":get_many: the list of keys")
  opts = support.options(self, "get_many", opts, MANY_OPTIONS)
  for from = 1, #keys, MANY_CHUNK do
    local chunk = { unpack(keys, from, math.min(from + MANY_CHUNK - 1, #keys)) }
    local rows, err = run(self, "get_many", {
      op = "select", plain = true, by_key = true, where = support.both(expr.keys(chunk), support.alive(entity, opts)),
      timeout = opts.timeout,
    })
    if not rows then return nil, err end
    for i = 1, #chunk do result[from + i - 1] = rows[i] end
  end
  return result
end

-- ---- what a declaration makes ----

--- The options that list and each take in a store with these filters.
---@param filters_of table<string, string|fun(value: any): larder.Where>
---@return larder.OptionSet list_options
---@return larder.OptionSet each_options
function declared.option_sets(filters_of)
  local more = {}
  for name in pairs(filters_of) do more[name] = "any" end
  return options.extend(LIST_OPTIONS, more), options.extend(EACH_OPTIONS, more)
end

--- `get_by = { "tenant_id", "name" }`: the one row with these values.
function declared.lookup(method, names)
  return function(self, ...)
    local where, opts = support.conditions(self, method, names, #names, ...)
    support.no_more(self, method, #names + 1, ...)
    return select_one(self, method, where, support.options(self, method, opts, ONE_OPTIONS), names)
  end
end

--- `list_by = { "tenant_id", "type" }`: a page of rows with these values.
function declared.listing(method, names)
  return function(self, ...)
    local fixed, opts = support.conditions(self, method, names, #names, ...)
    support.no_more(self, method, #names + 1, ...)
    return self:_page(method, fixed, opts)
  end
end

return { methods = read, declared = declared }
