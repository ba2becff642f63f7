--- Emptying a family: for tests, and for what is made anew.

local errors = require "larder.base.errors"
local expr = require "larder.base.expr"

local EVERY = expr.all {}

local function truncate_tables(db, stores, names)
  local tables = {}
  for _, name in ipairs(names) do
    local entity = stores[name]._entity
    if not entity.read_only then tables[#tables + 1] = entity.sql_table end -- a view shows what the tables have
  end
  if #tables == 0 then return true end
  local ok, err = db:query("truncate " .. table.concat(tables, ", "))
  if not ok then return nil, err end
  return true
end

-- Rows that no row of their own store refers to.
local function leaves(decl)
  local where = {}
  for _, ref in ipairs(decl.references) do
    if ref.to == decl.name then
      local on = {}
      for i, field in ipairs(ref.fields) do on[field] = decl.key[i] end
      where[#where + 1] = expr.not_(expr.exists(decl.name, on))
    end
  end
  return where
end

-- Where a store refers to itself, its rows go from the leaves up.
local function empty(store)
  local n, err = store:run({ op = "delete", where = EVERY }, "truncate")
  if n or err.code ~= "foreign_key" then return n, err end
  local where = leaves(store._core:describe())
  if #where == 0 then return nil, err end
  repeat
    n, err = store:run({ op = "delete", where = where }, "truncate")
    if not n then return nil, err end
  until n == 0
  if store:run({ op = "count" }, "truncate") == 0 then return true end
  return nil, errors.new {
    code = "foreign_key", store = store._entity.full, op = "truncate",
    message = "rows refer to each other in a circle: set the references of one of them to null first",
  }
end

local function empty_stores(db, stores, names)
  return db:transaction(function()
    for i = #names, 1, -1 do -- targets of references come first in the list
      local ok, err = empty(stores[names[i]])
      if not ok then return nil, err end
    end
    return true
  end)
end

--- Delete every row of these stores for good, marked as deleted or not; in PostgreSQL by one TRUNCATE, which needs the right to it,
-- locks the tables and fires no triggers of rows.
---@param db larder.Db
---@param stores table<string, larder.Store>
---@param names string[]  in declaration order
---@return true|nil
---@return larder.Error? err
return function(db, stores, names)
  if db:kind() == "memory" then return empty_stores(db, stores, names) end
  return truncate_tables(db, stores, names)
end
