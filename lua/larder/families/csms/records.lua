--- What the stores of the family share: records set whole, lookups for which nothing is no error, pages.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local read = require "larder.store.read".methods
local support = require "larder.store.support"

local records = {}

local PAGE_CAP = 1000
local DEFAULT_LIMIT = 20
local RETRIES = 10

-- ---- arguments ----

local REFUSED = { table = true, ["function"] = true, boolean = true, thread = true } -- none of them is a key

--- A contract's method beside the generic one of the same name: that one is meant when a table comes first.
---@param generic function
---@param own function
---@return function
function records.either(generic, own)
  local counted = misuse.counted(own, function(store) return store._entity.full end)
  return function(self, first, ...)
    if type(first) == "table" then return generic(self, first, ...) end
    return counted(self, first, ...)
  end
end

--- Raise when one of the first n arguments is missing: as a condition that is not there it would mean "any".
---@param store larder.Store
---@param method string
---@param names string[]  what they are
---@param n integer
function records.need(store, method, names, n, ...)
  for i = 1, n do
    local value = (select(i, ...))
    if value == nil or value == core.null or REFUSED[type(value)] and getmetatable(value) ~= core.decimal_mt then
      support.misuse(store, method, "argument %d must be the %s, not %s", i, names[i], misuse.kind(value))
    end
  end
end

--- A method's table argument must be one.
function records.need_table(store, method, what, value)
  if type(value) ~= "table" then support.misuse(store, method, "needs %s, not %s", what, misuse.kind(value)) end
  misuse.check_shape(value, "table", ("%s:%s: %s"):format(store._entity.full, method, what))
end

local function is_whole(n, least, most)
  return type(n) == "number" and n % 1 == 0 and n >= least and n <= most
end

--- The number of rows that is asked for, from `least` to 1,000, or `nil, err`.
function records.limit(store, name, n, default, least)
  if n == nil then return default end
  if is_whole(n, least, PAGE_CAP) then return n end
  return errors.invalid({ [name] = ("must be a whole number from %d to %d"):format(least, PAGE_CAP) }, nil,
    { store = store.name })
end

--- The size of a keyset page, or `nil, err`. There is no default: who goes through pages knows how much it can
-- hold.
function records.page_size(store, n)
  if n == nil then support.misuse(store, "list", "needs the size of a page") end
  return records.limit(store, "page_size", n, nil, 1)
end

--- Rows to skip, or `nil, err`.
function records.offset(store, n)
  if n == nil then return 0 end
  if is_whole(n, 0, 2 ^ 53) then return n end
  return errors.invalid({ offset = "must be a whole number that is not negative" }, nil, { store = store.name })
end

-- ---- one record ----

--- All that a set writes over the record in its way: every field but key, stamps and what never changes.
function records.replacement(entity)
  local set = entity.replacement
  if not set then
    set = {}
    for _, field in ipairs(entity.replaced) do set[field.name] = expr.excluded end
    entity.replacement = set
  end
  return set
end

--- Store a record whole, in place of the one with its key: a field that is absent gets its default or null.
---@param store larder.Store
---@param row table
---@return table|nil row  as stored
---@return larder.Error? err
function records.put(store, row)
  local rows, err = store:run({
    op = "insert", row = row, on_conflict = "update", set = records.replacement(store._entity), returning = true,
  }, "set")
  if not rows then return nil, err end
  return rows[1]
end

--- A copy of record with the leading fields of the key; an argument wins over what the record says.
local function keyed(entity, n, ...)
  local row = {}
  for name, value in pairs((select(n + 1, ...))) do row[name] = value end
  for i = 1, n do row[entity.key[i]] = (select(i, ...)) end
  return row
end

--- A copy of the record for the station; a record that names its station may stand alone.
function records.for_station(store, method, s, record)
  if type(s) == "table" and record == nil then
    records.need_table(store, method, "a record", s)
    return keyed(store._entity, 0, s)
  end
  records.need_table(store, method, "a record", record)
  records.need(store, method, store._entity.key, 1, s)
  return keyed(store._entity, 1, s, record)
end

--- `set(key…, record)`, the first n fields of the key before the record. Also `set(record)`. prepare(row) may
-- change the row before it is stored, or answer `nil, err`.
---@param n integer
---@param prepare? fun(row: table, store: larder.Store): true|nil, larder.Error?
---@return function
function records.setter(n, prepare)
  return function(self, ...)
    local skip = type((...)) == "table" and 0 or n
    support.no_more(self, "set", skip + 1, ...)
    records.need_table(self, "set", "a record", (select(skip + 1, ...)))
    records.need(self, "set", self._entity.key, skip, ...)
    local row = keyed(self._entity, skip, ...)
    if prepare then
      local ok, err = prepare(row, self)
      if not ok then return nil, err end
    end
    return records.put(self, row)
  end
end

--- The record with this key, or nil without an error; `get` answers `not_found` in its place.
---@param ... any  the key
---@return table|nil record
---@return larder.Error? err
function records.lookup(self, ...)
  records.need(self, "lookup", self._entity.key, self._entity.nkey, ...)
  support.no_more(self, "lookup", self._entity.nkey, ...)
  local row, err = read.get(self, ...)
  if row == nil and err.code == "not_found" then return nil end
  return row, err
end

-- ---- pages ----

--- `list(page_size, previous)`: records of the stations behind `previous`, in the order of their ids (by
-- bytes). Holds whatever was deleted meanwhile, `previous` itself as well. Also the generic `list(opts)`.
records.list_by_station = records.either(read.list, function(self, page_size, previous)
  local limit, err = records.page_size(self, page_size)
  if not limit then return nil, err end
  return self:run({
    op = "select", where = records.behind(previous), order = { "charge_station_id" }, limit = limit,
  }, "list")
end)

--- The condition of a keyset page: stations behind this one; nothing or an empty text: from the start.
function records.behind(previous)
  if previous == nil or previous == "" or previous == core.null then return nil end
  return { charge_station_id = { gt = previous } }
end

--- The condition of a time between two bounds, both inclusive, either of which may be missing.
function records.between(from, to)
  if from == nil and to == nil then return nil end
  return { gte = from, lte = to }
end

--- A page by position: rows under a condition in an order.
function records.page(store, method, where, order, offset, limit)
  local err
  offset, err = records.offset(store, offset)
  if not offset then return nil, err end
  limit, err = records.limit(store, "limit", limit, DEFAULT_LIMIT, 0)
  if not limit then return nil, err end
  return store:run({ op = "select", where = where, order = order, offset = offset, limit = limit }, method)
end

--- The same, with the number of rows in all pages.
---@return table[]|nil rows
---@return integer|larder.Error total
function records.page_and_total(store, method, where, order, offset, limit)
  local rows, err = records.page(store, method, where, order, offset, limit)
  if not rows then return nil, err end
  local total
  total, err = store:run({ op = "count", where = where }, method)
  if not total then return nil, err end
  return rows, total
end

--- `list(offset, limit)`: rows in the order of the key; 20 unless said. Also the generic `list(opts)`.
records.list_by_position = records.either(read.list, function(self, offset, limit)
  return records.page(self, "list", nil, self._entity.key, offset, limit)
end)

--- `list(s, { field = value, … })`: all rows of a station, of which the named fields have these values. Also the
-- generic `list(opts)`.
---@param names string[]  fields that may be named
---@param order string[]
---@return function
function records.list_of_station(names, order)
  local set = records.filter(names)
  return records.either(read.list, function(self, s, filter)
    return self:_all("list", records.of_station(self, "list", s, filter, set), order)
  end)
end

--- The options that name values of fields.
function records.filter(names)
  local types = {}
  for _, name in ipairs(names) do types[name] = "any" end
  return options.set(types)
end

--- The condition: rows of a station with the values that a filter names.
function records.of_station(store, method, s, filter, set)
  records.need(store, method, store._entity.key, 1, s)
  local where = {}
  for name, value in pairs(support.options(store, method, filter, set)) do where[name] = value end
  where.charge_station_id = s
  return where
end

--- `list(s, offset, limit)` → rows and total of a station. Also the generic `list(opts)`.
---@param order string[]
---@return function
function records.history_of_station(order)
  return records.either(read.list, function(self, s, offset, limit)
    records.need(self, "list", self._entity.key, 1, s)
    return records.page_and_total(self, "list", { charge_station_id = s }, order, offset, limit)
  end)
end

-- ---- statements that may meet each other ----

--- Run fn; when it was the victim of a deadlock, run it again. In a transaction of the caller's that is for
-- who opened it: the transaction is lost as a whole.
---@param store larder.Store
---@param fn fun(): any
---@return any ...
function records.retried(store, fn)
  local result, err = fn()
  if result ~= nil or not errors.is(err) or err.code ~= "deadlock" or store.db:in_transaction() then
    return result, err
  end
  return records.atomic(store, fn)
end

--- Run fn in a transaction, again after a deadlock.
function records.atomic(store, fn)
  local db = store.db
  if db:in_transaction() then return support.atomic(db, nil, fn) end
  return support.atomic(db, { retries = RETRIES }, fn)
end

return records
