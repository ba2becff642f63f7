--- Includes: rows with the rows of other stores that belong to them, by one statement a level.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"
local option_sets = require "larder.base.options"
local support = require "larder.store.support"

local MAX_DEPTH = 8

local OPTIONS = option_sets.set {
  where = "condition", order = "string|list", limit = "any", offset = "any", columns = "list", include = "table",
  with_deleted = "boolean",
}

local include = {}

---@alias larder.Include table<string, true|larder.IncludeOptions>  relation → true or options; or a list of names

---@class larder.IncludeOptions
---@field where? larder.Where    of the other store
---@field order? string|string[] by default the other store's own
---@field limit? integer         rows for each parent; none by default
---@field offset? integer        for each parent
---@field columns? string[]
---@field include? larder.Include  what those rows are read with, at most 8 levels deep
---@field with_deleted? boolean

-- ---- plans: an include that was checked ----

local function whole(n)
  return n == nil or type(n) == "number" and n % 1 == 0 and n >= 0
end

local function unknown(entity, name, path, from)
  local what = "is not a relation of " .. entity.full .. misuse.hint(name, misuse.names(entity.relations))
  return errors.invalid({ [path .. tostring(name)] = what }, nil, from)
end

-- Fields that `columns` leaves out though they join rows: they are read, and taken out again.
local function with_joining(columns, needed)
  if not columns then return nil, nil end
  local all, there, drop = {}, {}, {}
  for i, name in ipairs(columns) do all[i], there[name] = name, true end
  for name in pairs(needed) do
    if not there[name] then
      all[#all + 1] = name
      drop[#drop + 1] = name
    end
  end
  return all, drop
end

local plan_of

local function item_of(entity, name, options, path, depth, from)
  local relation = entity.relations[name]
  if not relation then return unknown(entity, name, path, from) end
  if options == true then options = {} end
  local full = ("%s:%s: include.%s%s"):format(from.store, from.op, path, name)
  if type(options) ~= "table" then misuse.raise("%s must be true or a table of options", full) end
  option_sets.read(options, OPTIONS, full)
  for _, key in ipairs { "limit", "offset" } do
    if not whole(options[key]) then
      return errors.invalid({ [path .. name .. "." .. key] = "must be a whole number that is not negative" }, nil, from)
    end
  end
  local child = relation.entity
  local ok, err = support.refuse_hidden(child, from.op, options.columns)
  if not ok then return nil, err end
  local plan
  if options.include ~= nil then
    plan, err = plan_of(child, options.include, path .. name .. ".", depth + 1, from)
    if not plan then return nil, err end
  end
  local needed = {}
  for _, field in ipairs(relation.to) do needed[field] = true end
  for field in pairs(plan and plan.needed or {}) do needed[field] = true end
  local item = { relation = relation, options = options, plan = plan }
  item.columns, item.drop = with_joining(options.columns, needed)
  return item
end

-- from: the store and the operation that were called, for errors
function plan_of(entity, wanted, path, depth, from)
  misuse.check_shape(wanted, "condition", from.store .. ":" .. from.op .. ": include")
  if depth > MAX_DEPTH then
    return errors.invalid({ include = ("is nested deeper than %d levels"):format(MAX_DEPTH) }, nil, from)
  end
  local names = {}
  for key, value in pairs(wanted) do
    local name = type(key) == "number" and value or key
    if value ~= false then names[#names + 1] = { name = tostring(name), options = type(key) == "number" or value } end
  end
  table.sort(names, function(a, b) return a.name < b.name end)
  local plan = { needed = {} }
  for i, entry in ipairs(names) do
    local item, err = item_of(entity, entry.name, entry.options, path, depth, from)
    if not item then return nil, err end
    for _, field in ipairs(item.relation.from) do plan.needed[field] = true end
    plan[i] = item
  end
  return plan
end

--- What opts.include asks for, checked; misuse raises at the caller's line.
---@param store larder.Store
---@param method string  that was called
---@param opts? { include?: larder.Include, columns?: string[] }
---@return table|nil plan   nil without an error: there is nothing to include
---@return larder.Error? err
function include.plan(store, method, opts)
  if not opts or opts.include == nil then return nil end
  local plan, err = plan_of(store._entity, opts.include, "", 1, { store = store._entity.full, op = method })
  if not plan then return nil, err end
  plan.columns, plan.drop = with_joining(opts.columns, plan.needed)
  return plan
end

-- ---- loading ----

-- One text or number for the values of some fields of a row; nil when one is null.
local function identity(row, fields, spell, at)
  if #at == 1 then
    local i = at[1]
    local value = row[fields[i]]
    return value ~= nil and spell[i] and spell[i](value) or value
  end
  local parts = {}
  for n, i in ipairs(at) do
    local value = row[fields[i]]
    if value == nil then return nil end
    local text = tostring(spell[i] and spell[i](value) or value)
    parts[n] = #text .. ":" .. text
  end
  return table.concat(parts)
end

-- The fields in which the rows differ, by number; the others have one value in all rows, which `same` gets.
local function split_fields(rows, fields, same)
  local differ = {}
  for i, field in ipairs(fields) do
    local first = nil
    for _, row in ipairs(rows) do
      local value = row[field]
      if first == nil then
        first = value
      elseif value ~= nil and value ~= first then
        differ[#differ + 1] = i
        first = nil
        break
      end
    end
    if first ~= nil then same[i] = first end
  end
  if #differ == 0 then differ[1] = #fields end -- rows are told apart by something
  return differ
end

local function joins(row, fields)
  for _, field in ipairs(fields) do
    if row[field] == nil then return false end
  end
  return true
end

-- The condition that finds the other rows of all of these, and by which fields they are told apart.
local function matching(relation, rows)
  local from, to = relation.from, relation.to
  local same, seen, tuples, joined = {}, {}, {}, {}
  for _, row in ipairs(rows) do
    if joins(row, from) then joined[#joined + 1] = row end
  end
  if #joined == 0 then return nil end
  local differ = split_fields(joined, from, same)
  local where = {}
  for i, value in pairs(same) do where[to[i]] = value end
  for _, row in ipairs(joined) do
    local id = identity(row, from, relation.spell, differ)
    if not seen[id] then
      seen[id] = true
      tuples[#tuples + 1] = row
    end
  end
  if #tuples == 1 then
    for _, i in ipairs(differ) do where[to[i]] = tuples[1][from[i]] end
  elseif #differ == 1 then
    local values = {}
    for i, row in ipairs(tuples) do values[i] = row[from[differ[1]]] end
    where[to[differ[1]]] = values
  else
    local keys, fields = {}, {}
    for n, i in ipairs(differ) do fields[n] = to[i] end
    for n, row in ipairs(tuples) do
      local key = {}
      for k, i in ipairs(differ) do key[k] = row[from[i]] end
      keys[n] = key
    end
    where[#where + 1] = expr.keys(keys, fields)
  end
  return where, differ, #tuples
end

-- The operation that reads the rows of an item for these parents.
local function reading(item, where, differ, parents)
  local relation, options = item.relation, item.options
  local entity = relation.entity
  local op = {
    op = "select", columns = item.columns,
    where = support.both(where, options.where, support.alive(entity, options)),
  }
  if not relation.many then
    op.plain = true
    return op
  end
  op.order = options.order or entity.order
  if parents == 1 then
    op.limit, op.offset = options.limit, options.offset
  elseif options.limit or options.offset then
    op.per = { limit = options.limit, offset = options.offset }
    for n, i in ipairs(differ) do op.per[n] = relation.to[i] end
  end
  return op
end

local function strip(rows, drop)
  if not drop or #drop == 0 then return end
  for _, row in ipairs(rows) do
    for _, name in ipairs(drop) do row[name] = nil end
  end
end

local function list() return setmetatable({}, core.array_mt) end

-- The rows by what tells their parents apart; where one field does, no function is called for a row.
local function grouped(relation, found, differ)
  local groups, many, fields, spell = {}, relation.many, relation.to, relation.spell
  local at = differ[1]
  local field = #differ == 1 and not spell[at] and fields[at]
  for _, child in ipairs(found) do
    local id
    if field then id = child[field] else id = identity(child, fields, spell, differ) end
    local group = groups[id]
    if not many then
      groups[id] = child
    elseif group then
      group[#group + 1] = child
    else
      groups[id] = setmetatable({ child }, core.array_mt)
    end
  end
  return groups
end

-- Put found rows where they belong: into the list of each parent, or as its one row.
local function deal(relation, rows, found, differ)
  local groups, name, from = differ and grouped(relation, found, differ) or {}, relation.name, relation.from
  for _, row in ipairs(rows) do
    local id = differ and joins(row, from) and identity(row, from, relation.spell, differ)
    row[name] = id and groups[id] or relation.many and list() or nil
  end
end

-- What a level of the plan asks for: its parts, and the operations of those that may find something.
local function ask(level)
  local parts, asked = {}, {}
  for _, node in ipairs(level) do
    for _, item in ipairs(node.plan) do
      local part = { rows = node.rows, item = item, store = node.store.stores[item.relation.store] }
      local where, parents
      where, part.differ, parents = matching(item.relation, node.rows)
      if where and item.options.limit ~= 0 then
        part.number = #asked + 1
        asked[part.number] = { store = part.store, op = reading(item, where, part.differ, parents) }
      end
      parts[#parts + 1] = part
    end
  end
  return parts, asked
end

-- Deal the answers out; what they are read with in turn is the next level.
local function answer(parts, results, drops)
  local level = {}
  for _, part in ipairs(parts) do
    local item = part.item
    local found = part.number and results[part.number].rows or {}
    deal(item.relation, part.rows, found, part.differ)
    drops[#drops + 1] = { rows = found, names = item.drop }
    if item.plan then level[#level + 1] = { store = part.store, rows = found, plan = item.plan } end
  end
  return level
end

--- Read what the plan asks for into rows, which hold the fields that join: a level at a time, all of its statements in one
-- round trip.
---@param store larder.Store
---@param rows table[]
---@param plan table|nil
---@param method string
---@param tx? userdata  a transaction that is not the running coroutine's
---@return true|nil
---@return larder.Error? err
function include.load(store, rows, plan, method, tx)
  if not plan then return true end
  local level, drops = { { store = store, rows = rows, plan = plan } }, { { rows = rows, names = plan.drop } }
  while #level > 0 do
    local parts, asked = ask(level)
    local results, err = support.run_all(store, method, asked, nil, tx)
    if not results then return nil, err end
    level = answer(parts, results, drops)
  end
  for _, drop in ipairs(drops) do strip(drop.rows, drop.names) end
  return true
end

-- ---- one snapshot ----

--- Run fn so that all its statements see one state of the database. In a transaction they see what that one sees;
-- in memory nothing can come between.
---@param store larder.Store
---@param opts { timeout?: number }
---@param fn fun(): ...
function include.snapshot(store, opts, fn)
  local db = store.db
  if db:kind() == "memory" or db:in_transaction() then return fn() end
  return support.atomic(db, { isolation = "repeatable_read", read_only = true, timeout = opts.timeout }, fn)
end

--- Run an operation that reads rows, and read what the plan includes into them, all of one snapshot.
---@param store larder.Store
---@param method string
---@param op table
---@param plan table|nil
---@return table[]|nil rows
---@return string|larder.Error|nil cursor  of the page behind
function include.select(store, method, op, plan)
  if not plan then return support.run(store, method, op) end
  return include.snapshot(store, op, function()
    local rows, cursor = support.run(store, method, op)
    if not rows then return nil, cursor end
    local ok, err = include.load(store, rows, plan, method)
    if not ok then return nil, err end
    return rows, cursor
  end)
end

--- Run fn, which writes and reads, so that all of it happens or nothing.
---@param store larder.Store
---@param opts? { timeout?: number }
---@param fn fun(): ...
function include.atomic(store, opts, fn)
  return support.atomic(store.db, { timeout = opts and opts.timeout }, fn)
end

--- The row that write() returns, with what opts.include asks for.
---@param store larder.Store
---@param method string
---@param opts? table
---@param write fun(): table|nil, larder.Error?
function include.after(store, method, opts, write)
  local plan, err = include.plan(store, method, opts)
  if err then return nil, err end
  if not plan then return write() end
  return include.atomic(store, opts, function()
    local row, fault = write()
    if not row then return nil, fault end
    local ok
    ok, fault = include.load(store, { row }, plan, method)
    if not ok then return nil, fault end
    return row
  end)
end

return include
