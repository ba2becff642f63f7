--- The generic contract: what every store of every family does, whatever its engine.

local expr = require "larder.base.expr"
local read = require "larder.store.read"
local write = require "larder.store.write"

local cases = {}

-- A store may have a method of its own in place of a generic one: that one has its own contract.
local function generic(store, name)
  local known = read.methods[name] or write.methods[name]
  return known ~= nil and store[name] ~= nil and store._entity.own[name] == nil
end

local function has(store, ...)
  for _, name in ipairs { ... } do
    if not generic(store, name) then return false end
  end
  return true
end

local function key_of(x, row)
  local key = {}
  for i, name in ipairs(x.decl.key) do key[i] = row[name] end
  return key
end

local unpack = require("larder.base.compat").unpack

local function check(holds, fmt, ...)
  if not holds then error(fmt:format(...), 2) end
end

-- Run fn, which must be refused; in a transaction of its own, so that the one around goes on.
local function refused(x, code, fn)
  local _, err = x.db:transaction(function()
    local ok, why = fn()
    if ok ~= nil then error("was accepted, but " .. code .. " was expected", 0) end
    return nil, why
  end)
  check(type(err) == "table" and err.code == code, "expected %s, got %s", code, tostring(err))
  return err
end

local function insert(x, row)
  return x.store:run { op = "insert", row = row, returning = true }
end

-- ---- the cases; each gets x: db, set, store, entity, decl, rows ----

local all = {}

all["keeps what it is given"] = function(x)
  local given = x.rows:make(x.name)
  local row = assert(insert(x, given))[1]
  for name, value in pairs(given) do
    local field = x.decl.by_name[name]
    if not field.hidden and (field.type == "text" or field.type == "bool" or field.type == "int8") then
      check(row[name] == value, "%s came back as %s", name, tostring(row[name]))
    end
  end
  if has(x.store, "get", "exists") then
    local again = assert(x.store:get(unpack(key_of(x, row))))
    for name in pairs(row) do check(again[name] ~= nil, "%s is missing", name) end
    check(x.store:exists(unpack(key_of(x, row))) == true, "exists says no")
  end
end

all["refuses a second row with the same key"] = function(x)
  for _, name in ipairs(x.decl.key) do
    local default = x.decl.by_name[name].default
    if type(default) == "table" and default[1] == "identity" then return end
  end
  local row = x.rows:make(x.name)
  for _, name in ipairs(x.decl.key) do
    if row[name] == nil then row[name] = x.rows:value(x.decl.by_name[name]) end
  end
  assert(insert(x, row))
  local err = refused(x, "conflict", function() return insert(x, row) end)
  check(err.constraint ~= nil, "the constraint is not named")
end

all["refuses a second row with the values of a unique"] = function(x)
  for _, unique in ipairs(x.decl.uniques or {}) do
    local first = assert(insert(x, x.rows:make(x.name)))[1]
    local given, whole = {}, true
    for _, name in ipairs(unique) do
      given[name] = first[name]
      whole = whole and first[name] ~= nil
    end
    for name, value in pairs(unique.where or {}) do -- a partial unique counts rows of its condition alone
      whole = whole and (first[name] == value or first[name] == nil)
      given[name] = first[name]
    end
    if whole then refused(x, "conflict", function() return insert(x, x.rows:make(x.name, given)) end) end
  end
end

all["refuses a reference to a row that is not there"] = function(x)
  for _, ref in ipairs(x.decl.references or {}) do
    local row, last = x.rows:make(x.name), ref.fields[#ref.fields]
    for _, name in ipairs(ref.fields) do
      if row[name] == nil then row[name] = x.rows:value(x.decl.by_name[name]) end
    end
    row[last] = x.rows:value(x.decl.by_name[last])
    refused(x, "foreign_key", function() return insert(x, row) end)
  end
end

all["refuses unknown fields, and rows without what they need"] = function(x)
  local row = x.rows:make(x.name)
  row.no_such_field_here = 1
  local err = refused(x, "invalid", function() return insert(x, row) end)
  check(err.fields.no_such_field_here ~= nil, "the field is not named")
  for _, field in ipairs(x.decl.fields) do
    if not field.null and field.default == nil and not field.stamp then
      row = x.rows:make(x.name)
      row[field.name] = nil
      err = refused(x, "invalid", function() return insert(x, row) end)
      check(err.fields[field.name] ~= nil, "%s is not named", field.name)
    end
  end
end

-- Where the key is that of other rows, the next row needs others: they are made anew, but for those of the scope.
local function leave_parents(x, given)
  for _, name in ipairs(x.decl.key) do
    if not x.decl.refers[name] then return end
  end
  for _, ref in ipairs(x.decl.references or {}) do
    local in_scope = true
    for _, field in ipairs(ref.fields) do in_scope = in_scope and given[field] ~= nil end
    if not in_scope then x.rows.parents[ref.to] = nil end
  end
end

-- Some rows in one scope, and the condition that finds them.
local function some(x, n)
  local first, given, keys = x.rows:create(x.name), {}, {}
  for _, name in ipairs(x.entity.scope) do given[name] = first[name] end
  keys[1] = key_of(x, first)
  for i = 2, n do
    leave_parents(x, given)
    keys[i] = key_of(x, x.rows:create(x.name, given))
  end
  local scope = {}
  for i, name in ipairs(x.entity.scope) do scope[i] = first[name] end
  return { expr.keys(keys) }, scope
end

all["lists in pages, each row once"] = function(x)
  if not has(x.store, "list", "count", "each") then return end
  local where, scope = some(x, 5)
  local function with(opts)
    local args = { unpack(scope) }
    args[#args + 1] = opts
    return unpack(args)
  end
  local seen, n, after = {}, 0, nil
  repeat
    local page, info = x.store:list(with { where = where, limit = 2, after = after })
    check(page, "%s", tostring(info))
    for _, row in ipairs(page) do
      local id = table.concat(key_of(x, row), "\1")
      check(not seen[id], "a row came twice")
      seen[id], n = true, n + 1
    end
    after = info.next
  until not after
  check(n == 5, "5 rows were created, %d listed", n)
  local each = 0
  for _ in x.store:each(with { where = where, page = 2 }) do each = each + 1 end
  check(each == 5, "5 rows were created, each gave %d", each)
  check(assert(x.store:count(where)) == 5, "count is wrong")
end

all["changes a row, and says when there is none"] = function(x)
  if not has(x.store, "patch", "get") then return end
  local row = x.rows:create(x.name)
  local key, changed = key_of(x, row), nil
  for _, field in ipairs(x.decl.fields) do
    local info = x.entity.fields[field.name]
    if not info.fixed and not x.decl.refers[field.name] and field.name ~= x.decl.soft_delete and not field.hidden and
      not field.enum and (field.type == "text" or field.type == "int4") then
      local args, value = { unpack(key) }, x.rows:value(field)
      args[#args + 1] = { [field.name] = value }
      changed = assert(x.store:patch(unpack(args)))
      check(changed[field.name] == value, "%s was not changed", field.name)
    end
  end
  if not changed then return end
  assert(x.store:run { op = "delete", where = { expr.keys { key } } })
  local _, err = x.store:get(unpack(key))
  check(err and err.code == "not_found", "a row that is gone was found")
end

all["deletes, and hides what is marked as deleted"] = function(x)
  if not has(x.store, "delete", "get") then return end
  local key = key_of(x, x.rows:create(x.name))
  local ok, n = x.store:delete(unpack(key))
  check(ok == true and n == 1, "delete answered %s, %s", tostring(ok), tostring(n))
  if x.entity.soft and not x.entity.hides then return end
  local _, err = x.store:get(unpack(key))
  check(err and err.code == "not_found", "a deleted row was found")
  if not x.entity.soft then return end
  assert(x.store:restore(unpack(key)))
  assert(x.store:get(unpack(key)))
  assert(x.store:purge(unpack(key)))
  local left = assert(x.store:run { op = "count", where = { expr.keys { key } } })
  check(left == 0, "a purged row is there")
end

all["takes back what a transaction did"] = function(x)
  local key
  x.db:transaction(function()
    key = key_of(x, x.rows:create(x.name))
    return nil, "taken back"
  end)
  x.rows.parents = {}
  check(assert(x.store:run { op = "count", where = { expr.keys { key } } }) == 0, "the row is still there")
end

all["reads what it is declared to be read with"] = function(x)
  if not has(x.store, "get") then return end
  local row = x.rows:create(x.name)
  for name, relation in pairs(x.entity.relations) do
    local args = key_of(x, row)
    args[#args + 1] = { include = { [name] = { with_deleted = true } } }
    local found = assert(x.store:get(unpack(args)))
    if relation.many then
      check(type(found[name]) == "table", "%s is no list", name)
    elseif relation.bound then
      local refers = true
      for _, field in ipairs(relation.from) do refers = refers and row[field] ~= nil end
      check((found[name] ~= nil) == refers, "%s is not what the row refers to", name)
    end
  end
end

--- The names of the cases, sorted.
---@return string[]
function cases.names()
  local names = {}
  for name in pairs(all) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Run one case on one store; raises when the contract is broken. What it writes is taken back.
---@param db larder.Db
---@param family string
---@param store string
---@param case string
---@param rows table  see larder.testing.rows
function cases.run(db, family, store, case, rows)
  local set = db:stores(family)
  local x = {
    db = db, set = set, name = store, store = set[store], entity = set[store]._entity, rows = rows, decl = rows.decls[store],
  }
  local ok, why = false, "the transaction did not begin"
  db:transaction(function()
    rows.parents = {}
    ok, why = pcall(all[case], x)
    return nil, "taken back"
  end)
  if not ok then error(("%s.%s %s: %s"):format(family, store, case, tostring(why)), 0) end
end

return cases
