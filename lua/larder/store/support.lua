--- What the methods of every store are made of: running an operation, and turning arguments into conditions.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local wait = require "larder.base.wait"

local support = {}

local settle = wait.settle
local null = core.null

support.settle = settle

--- Run one operation of the core under the name of a method.
---@param store larder.Store
---@param method string
---@param op table
---@return any ...
function support.run(store, method, op)
  op.name = method
  if store.db._plain then return settle(store._wait, store._core:run(op)) end
  local event = { store = store._entity.full, op = method }
  return store.db:_guarded(event, op.timeout, function(timeout)
    op.timeout = timeout
    return settle(store._wait, store._core:run(op))
  end)
end

--- One operation of the core, as docs/internal-core-module.md describes it: what the methods of a family are
-- written with.
---@param op table
---@param method? string  for errors and events
---@return any ...
function support.operate(store, op, method)
  return support.run(store, method or op.op, op)
end

--- The first n arguments as conditions on the named fields, then the argument behind them. A missing one
-- raises: as a condition that is not there it would stand for "any".
---@param names string[]
---@param n integer
---@return table where
---@return any rest
function support.conditions(names, n, ...)
  local where = {}
  for i = 1, n do
    local value = (select(i, ...))
    if value == nil or value == null or type(value) == "table" then
      error(("argument %d must be the value of %s"):format(i, names[i]), 3)
    end
    where[names[i]] = value
  end
  return where, (select(n + 1, ...))
end

--- Leading arguments that are no tables are values of the scope; none at all means everywhere.
function support.optional_scope(entity, ...)
  local first = ...
  if first == nil or type(first) == "table" then return nil, first, (select(2, ...)) end
  local n = #entity.scope
  if n == 0 then error("this store has no scope: the argument must be a table", 3) end
  local where, rest = support.conditions(entity.scope, n, ...)
  return where, rest, (select(n + 2, ...))
end

local function is_empty(where)
  return where == nil or next(where) == nil and getmetatable(where) == nil
end

--- All of the conditions together; nil when there is none.
function support.both(...)
  local list = {}
  for i = 1, select("#", ...) do
    local where = (select(i, ...))
    if not is_empty(where) then list[#list + 1] = where end
  end
  if #list <= 1 then return list[1] end
  return expr.all(list)
end

--- Conditions under which a row counts as there for a reader.
function support.alive(entity, opts)
  local soft = entity.soft
  if not soft then return nil end
  local hidden = soft.hides
  if opts and opts.with_deleted ~= nil then hidden = not opts.with_deleted end
  return hidden and soft.alive or nil
end

--- Names a method takes as options; anything else is a typo.
function support.check_options(opts, allowed, level)
  if opts == nil then return end
  if type(opts) ~= "table" then error("options must be a table", level + 1) end
  for name in pairs(opts) do
    if not allowed[name] then error(("unknown option %q"):format(tostring(name)), level + 1) end
  end
end

--- A set of names from a list.
function support.names(...)
  local set = {}
  for _, name in ipairs { ... } do set[name] = true end
  return set
end

--- Secrets leave a store only through the method that needs them.
function support.refuse_hidden(entity, columns)
  for _, name in ipairs(columns or {}) do
    local field = entity.fields[name]
    if field and field.hidden then
      return errors.invalid({ [name] = "is a secret and cannot be selected" }, nil, { store = entity.full })
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
