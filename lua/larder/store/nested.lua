--- Creates with the rows of other stores that belong to the new one: `create { name = "Ann", posts = { { title = "One" } } }`.

local core = require "larder.core"
local errors = require "larder.base.errors"
local include = require "larder.store.include"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"

local null = core.null

local nested = {}

--- Does the row hold rows of other stores?
---@param entity table
---@param row table
---@return boolean
function nested.has(entity, row)
  for name in pairs(entity.relations) do
    if row[name] ~= nil then return true end
  end
  return false
end

local function faulty(entity, field, what)
  return errors.invalid({ [field] = what }, nil, { store = entity.full, op = "create" })
end

-- Rows are copied here, by pairs: one whose metatable hides a part of it is misuse, as in a plain create.
local function check_plain(t, entity, what) misuse.check_shape(t, "table", ("%s:create: %s"):format(entity.full, what)) end

-- The rows of one relation as a list.
local function rows_of(entity, relation, value)
  local name = relation.name
  if relation.parent then
    return faulty(entity, name, ("is a row of %s that exists: name it by %s"):format(relation.store,
      table.concat(relation.from, ", ")))
  end
  if type(value) ~= "table" then return faulty(entity, name, relation.many and "must be a list of rows" or "must be a row") end
  check_plain(value, entity, name)
  if not relation.many then return { value } end
  if core.shape_fault(value, "list") then return faulty(entity, name, "must be a list of rows") end
  for i, row in ipairs(value) do
    if type(row) ~= "table" then return faulty(entity, name, "must be a list of rows") end
    check_plain(row, entity, ("%s %d"):format(name, i))
  end
  return value
end

-- A row's own fields, and what it nests: { relation, rows } in the order of their names.
local function split(entity, row)
  local own, parts = {}, {}
  for name, value in pairs(row) do
    local relation = entity.relations[name]
    if not relation then
      own[name] = value
    elseif value ~= null then
      local rows, err = rows_of(entity, relation, value)
      if not rows then return nil, err end
      parts[#parts + 1] = { relation = relation, rows = rows }
    end
  end
  table.sort(parts, function(a, b) return a.relation.name < b.relation.name end)
  return own, parts
end

-- Copies of the rows that refer to their parent.
local function children_of(part, parent)
  local relation, copies = part.relation, {}
  for i, row in ipairs(part.rows) do
    local copy = {}
    for name, value in pairs(row) do copy[name] = value end
    for k, field in ipairs(relation.to) do
      local given = copy[field]
      if given ~= nil and given ~= parent[relation.from[k]] then
        return faulty(relation.entity, field, ("of %s %d is given by the row above it"):format(relation.name, i))
      end
      copy[field] = parent[relation.from[k]]
    end
    copies[i] = copy
  end
  return copies
end

local create_all

local function create_parts(store, row, parts)
  for _, part in ipairs(parts) do
    local children, err = children_of(part, row)
    if not children then return nil, err end
    children, err = create_all(store.stores[part.relation.store], children)
    if not children then return nil, err end
    row[part.relation.name] = part.relation.many and setmetatable(children, core.array_mt) or children[1]
  end
  return row
end

local function create_one(store, given)
  local own, parts = split(store._entity, given)
  if not own then return nil, parts end
  local row, err = store:create(own)
  if not row then return nil, err end
  return create_parts(store, row, parts)
end

local function any_nested(entity, rows)
  for _, row in ipairs(rows) do
    if nested.has(entity, row) then return true end
  end
  return false
end

-- Rows that nest nothing go in one statement, unless the store creates rows in a way of its own.
function create_all(store, rows)
  if #rows == 0 then return {} end
  local entity = store._entity
  if entity.plain_create and not any_nested(entity, rows) then
    return store:create_many(rows, { returning = true })
  end
  if not store.create then return faulty(entity, entity.name, "are not created by their own store") end
  local created = {}
  for i, row in ipairs(rows) do
    local err
    created[i], err = create_one(store, row)
    if not created[i] then return nil, err end
  end
  return created
end

--- Create a row with what it nests, all or nothing.
---@param store larder.Store
---@param row table
---@param opts? { include?: larder.Include, timeout?: number }
---@return table|nil row  with the nested rows as stored
---@return larder.Error? err
function nested.create(store, row, opts)
  check_plain(row, store._entity, "the row")
  local plan, err = include.plan(store, opts)
  if err then return nil, err end
  return include.atomic(store, opts, function()
    local created, ok
    created, err = create_one(store, row)
    if not created then return nil, err end
    ok, err = include.load(store, { created }, plan, "create")
    if not ok then return nil, err end
    return created
  end)
end

nested.OPTIONS = options.set { include = "table", timeout = "seconds" }

return nested
