--- What the methods of every store are made of: running an operation, and turning arguments into conditions.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local wait = require "larder.base.wait"

local support = {}

local settle = wait.settle
local null = core.null
local NONE = options.NONE

support.settle = settle

--- store → its entity, for methods that look by themselves what they are called on. An index of any value is
-- harmless here, and nil when it is no store.
---@type table<any, table>
support.entities = setmetatable({}, { __mode = "k" })

--- Methods that do so.
---@type table<function, true>
support.careful = {}

--- The entity of what a method was called on, where `entities` has none: an object made from a store, or no store at all.
---@param self any
---@param method string
---@return table entity
function support.entity_of(self, method)
  local entity = type(self) == "table" and self._entity
  if not entity then misuse.no_self(method, "a store") end
  return entity
end

local READS = { select = true, count = true, aggregate = true }

--- The store of the replica, when there is one and the operation may run there: a read that belongs to no transaction
-- and locks nothing.
function support.reader_of(store, op)
  local reader = store._reader
  if reader and READS[op.op] and op.lock == nil and not store.db:in_transaction() then return reader end
  return store
end

--- A lock ends with its transaction: outside of one it would end with the statement, and lock nothing.
---@return true|nil
---@return larder.Error? err
function support.refuse_lone_lock(store, method, lock)
  if lock == nil or store.db:in_transaction() then return true end
  return errors.invalid({ lock = "locks nothing outside of a transaction" }, nil, { store = store._entity.full, op = method })
end

--- Run one operation of the core under the name of a method.
---@param store larder.Store
---@param method string
---@param op table
---@return any ...
function support.run(store, method, op)
  if store._reader and not op.tx then store = support.reader_of(store, op) end
  if store.db._plain then return settle(store._wait, store._core:run(op, method)) end
  local event = { store = store._entity.full, op = method }
  return store.db:_guarded(event, op.timeout, function(timeout)
    op.timeout = timeout
    return settle(store._wait, store._core:run(op, method))
  end)
end

-- Behind the operation that failed: the first row that no engine takes. A pipeline reads all of its statements before it runs one, so
-- that it tells such a row first.
local function wrong_row_behind(items, failed, method)
  for i = failed + 1, #items do
    local item = items[i]
    local entity, op = item.store._entity, item.op
    local _, refused = core.batch(entity.schema, entity.name, op.rows or { op.row })
    local first = refused[1]
    if first then
      local err = first.err
      err.store, err.op, err.row = entity.full, method, op.rows and first.index or nil
      err.detail = err.row and "row " .. err.row
      return err
    end
  end
end

-- Was it refused before an engine saw it? Then it is what a pipeline tells, too.
local function unread(err) return err.code == "invalid" and not err.sqlstate end

-- One after the other, as the results of a pipeline.
local function run_each(items, method, tx)
  local results = {}
  for i, item in ipairs(items) do
    item.op.tx = tx
    local answer, err = support.run(item.store, method, item.op)
    if answer == nil then return nil, not unread(err) and wrong_row_behind(items, i, method) or err end
    results[i] = type(answer) == "table" and { rows = answer } or { affected = answer }
  end
  return results
end

-- The fault of the one that failed; the others were only given up.
local function first_fault(results)
  for _, result in ipairs(results) do
    if result.err and result.err.code ~= "canceled" then return result.err end
  end
  for _, result in ipairs(results) do
    if result.err then return result.err end
  end
end

--- Operations of stores of one database, all or none, in one round trip where the engine has such a thing. Memory runs one after
-- the other: who needs all or none there begins a transaction.
---@param store larder.Store  that was called
---@param method string
---@param items { store: larder.Store, op: table }[]
---@param timeout? number
---@param tx? userdata  a transaction that is not the running coroutine's
---@return { rows?: table[], affected?: integer }[]|nil results
---@return larder.Error? err
function support.run_all(store, method, items, timeout, tx)
  local db = store.db
  if #items < 2 or db:kind() == "memory" then return run_each(items, method, tx) end
  local list = {}
  for i, item in ipairs(items) do
    item.op.name = method
    list[i] = { store = item.store._core, op = item.op }
  end
  local results, err = db:_guarded({ store = store._entity.full, op = method }, timeout, function(left)
    return settle(store._wait, db._engine:pipeline(list, true, { tx = tx, timeout = left, context = db._context or nil }))
  end)
  if not results then return nil, err end
  err = first_fault(results)
  if err then return nil, err end
  return results
end

--- One operation of the core, as docs/inside/core-module.md describes it: what the methods of a family are
-- written with.
---@param op table
---@param method? string  for errors and events
---@return any ...
function support.operate(store, op, method)
  if type(op) ~= "table" then support.misuse(store, "run", "needs an operation (a table), not %s", misuse.kind(op)) end
  if method ~= nil and type(method) ~= "string" then
    support.misuse(store, "run", "the method must be a name, not %s", misuse.kind(method))
  end
  if type(op.op) ~= "string" then support.misuse(store, "run", "op must name the operation, not be %s", misuse.kind(op.op)) end
  if getmetatable(op) ~= nil then misuse.check_shape(op, "record", store._entity.full .. ":run: the operation") end
  return support.run(store, method or op.op, op)
end

local function raised(...)
  local ok, err = ...
  if ok == nil and err ~= nil and not errors.is(err) then error(err, 0) end
  return ...
end

--- A transaction of a method's own. Misuse inside of it raises, as it does without a transaction.
---@param db larder.Db
---@param opts? larder.TxOptions
---@param fn fun(): ...
function support.atomic(db, opts, fn) return raised(db:transaction(opts or {}, fn)) end

--- A method of this store was handed the wrong thing: raise at the caller's line.
---@param store larder.Store
---@param method string
---@param fmt string
---@param ... any
function support.misuse(store, method, fmt, ...)
  return misuse.raise("%s:%s: " .. fmt, store._entity.full, method, ...)
end

-- Argument number i, which must be a value.
local function operand(store, method, names, i, value)
  if value == nil or value == null or type(value) == "table" and getmetatable(value) ~= core.decimal_mt then
    support.misuse(store, method, "argument %d must be the value of %s, not %s", i, names[i], misuse.kind(value))
  end
  return value
end

--- The first n arguments as conditions on the named fields, then the argument behind them. A missing one
-- raises: as a condition that is not there it would stand for "any".
---@param store larder.Store
---@param method string
---@param names string[]
---@param n integer
---@return table where
---@return any rest
function support.conditions(store, method, names, n, ...)
  if n == 0 then return {}, (...) end
  if n == 1 then
    local value, rest = ...
    return { [names[1]] = operand(store, method, names, 1, value) }, rest
  end
  local where = {}
  for i = 1, n do where[names[i]] = operand(store, method, names, i, (select(i, ...))) end
  return where, (select(n + 1, ...))
end

--- `nil, err` of a call by key that the core took: where there is no row, the error names the fields of the key.
---@param entity table
---@param err larder.Error
function support.by_key_failed(entity, err)
  if err.code == "not_found" then err.message = entity.no_row end
  return nil, err
end

--- Nothing may stand behind the last argument that a method takes: it would be ignored.
---@param last integer
function support.no_more(store, method, last, ...)
  local n = select("#", ...)
  if n > last and (select(last + 1, ...)) ~= nil then
    support.misuse(store, method, "takes %d argument%s at most, not %d", last, last == 1 and "" or "s", n)
  end
end

--- Leading arguments that are no tables are values of the scope; none at all means everywhere.
function support.optional_scope(store, method, ...)
  local entity, first = store._entity, ...
  if first == nil and select("#", ...) > 0 and #entity.scope > 0 then
    support.misuse(store, method, "argument 1 must be the value of %s, not nil", entity.scope[1])
  end
  if first == nil or type(first) == "table" and getmetatable(first) ~= core.decimal_mt then
    return nil, first, (select(2, ...))
  end
  local n = #entity.scope
  if n == 0 then support.misuse(store, method, "argument 1 must be a table, not %s: this store has no scope", misuse.kind(first)) end
  local where, rest = support.conditions(store, method, entity.scope, n, ...)
  return where, rest, (select(n + 2, ...))
end

--- All of the conditions together; nil when there is none. An empty one is a condition, too: the core refuses it.
---@param a any
---@param b any
---@param c? any
---@param d? any
function support.both(a, b, c, d)
  if c == nil and d == nil then
    if a == nil or b == nil then return a or b end
    return expr.all { a, b }
  end
  local list = { a }
  if b ~= nil then list[#list + 1] = b end
  if c ~= nil then list[#list + 1] = c end
  if d ~= nil then list[#list + 1] = d end
  if #list == 1 then return list[1] end
  return expr.all(list)
end

--- A condition must be given, and must be a table; what it says is checked by the core.
---@param where any
function support.check_where(store, method, where)
  if type(where) ~= "table" then
    support.misuse(store, method, "needs a condition, not %s; larder.all {} stands for every row", misuse.kind(where))
  end
end

--- A row must be a table; a list of rows a list.
---@param row any
function support.check_row(store, method, row)
  if type(row) ~= "table" then support.misuse(store, method, "needs a row (a table), not %s", misuse.kind(row)) end
end

--- Conditions under which a row counts as there for a reader.
function support.alive(entity, opts)
  local soft = entity.soft
  if not soft then return nil end
  local hidden = soft.hides
  if opts and opts.with_deleted ~= nil then hidden = not opts.with_deleted end
  return hidden and soft.alive or nil
end

--- The options of a method; anything that is none raises.
---@param opts table|nil
---@param set larder.OptionSet
---@return table
function support.options(store, method, opts, set)
  if opts == nil then return NONE end
  return options.read(opts, set, store._entity.full, method)
end

--- The database took the statement and answered no row: something of its own stands between.
function support.not_stored(store, op)
  return errors.new {
    code = "check", store = store._entity.full, op = op,
    message = "the database did not store the row: a trigger, rule or policy took it",
  }
end

--- A set of names from a list.
function support.names(...)
  local set = {}
  for _, name in ipairs { ... } do set[name] = true end
  return set
end

--- Secrets leave a store only through the method that needs them.
function support.refuse_hidden(entity, method, columns)
  if columns == nil or type(columns) ~= "table" then return true end -- the core refuses what is no list
  for i = 1, #columns do
    local name = columns[i]
    local field = name ~= nil and entity.fields[name]
    if field and field.hidden then
      return errors.invalid({ [name] = "is a secret and cannot be selected" }, nil, { store = entity.full, op = method })
    end
  end
  return true
end

--- `nil, err`: no row with these fields.
function support.not_found(store, method, names)
  return errors.not_found(store._entity.full, method, names)
end

--- Empty texts of fields whose default stands for them are left out. Copies only when there is something to
-- leave out.
function support.without_blanks(entity, row)
  if type(row) ~= "table" or getmetatable(row) ~= nil then return row end -- the core says what is wrong with it
  local copy
  for _, name in ipairs(entity.blanks) do
    if row[name] == "" then
      if not copy then
        copy = {}
        for k, v in pairs(row) do copy[k] = v end
      end
      copy[name] = nil
    end
  end
  return copy or row
end

return support
