--- Creates with the rows of other stores that belong to the new one: `create { name = "Ann", posts = { { title = "One" } } }`.

local core = require "larder.core"
local errors = require "larder.base.errors"
local include = require "larder.store.include"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local support = require "larder.store.support"

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

-- ---- in one round trip ----

local GENERATORS = { uuid = core.uuid, cuid = core.cuid }

-- Are all values known that the rows below refer to? Those that are generated are generated here; what the database assigns is not.
local function fill_joining(entity, row, parts)
  for _, part in ipairs(parts) do
    for _, name in ipairs(part.relation.from) do
      local default = entity.fields[name].default
      local generate = type(default) == "table" and GENERATORS[default[1]]
      if row[name] == nil and generate then row[name] = generate() end
      if row[name] == nil or row[name] == null then return false end
    end
  end
  return true
end

local collect_all

-- What rows nest, as inserts behind theirs. nil without an error: a row below needs the row above it to be there first.
local function collect_parts(store, row, parts, inserts, into)
  for _, part in ipairs(parts) do
    local children, err = children_of(part, row)
    if not children then return nil, err end
    local list = { relation = part.relation, into = into }
    local ok
    ok, err = collect_all(store.stores[part.relation.store], children, inserts, list)
    if not ok then return nil, err end
  end
  return true
end

-- One insert of these rows, of the same store and of the same parent, and those below it.
function collect_all(store, rows, inserts, insert)
  local entity, nesting = store._entity, {}
  if not entity.plain_create then return nil end
  insert.store, insert.rows = store, {}
  inserts[#inserts + 1] = insert
  for i, given in ipairs(rows) do
    local own, parts = split(entity, given)
    if not own then return nil, parts end
    if entity.blanks then own = support.without_blanks(entity, own) end
    if not fill_joining(entity, own, parts) then return nil end
    insert.rows[i], nesting[i] = own, parts
  end
  for i, parts in ipairs(nesting) do
    local ok, err = collect_parts(store, insert.rows[i], parts, inserts, { insert, i })
    if not ok then return nil, err end
  end
  if #rows == 0 then insert.created = {} end
  return true
end

local function hang_up(insert)
  local relation, rows = insert.relation, insert.created
  if not insert.into then return end
  local parent = insert.into[1].created[insert.into[2]]
  parent[relation.name] = relation.many and setmetatable(rows, core.array_mt) or rows[1]
end

local function inserting(rows)
  if #rows == 1 then return { op = "insert", row = rows[1], returning = true } end
  return { op = "insert", rows = rows, returning = true }
end

-- Run the inserts; the first one is of the row that was asked for.
local function insert_all(store, inserts, timeout)
  local items = {}
  for _, insert in ipairs(inserts) do
    if not insert.created then
      insert.number = #items + 1
      items[insert.number] = { store = insert.store, op = inserting(insert.rows) }
    end
  end
  local results, err = support.run_all(store, "create", items, timeout)
  if not results then return nil, err end
  for _, insert in ipairs(inserts) do
    insert.created = insert.created or results[insert.number].rows
    if #insert.created < #insert.rows then return nil, support.not_stored(insert.store, "create") end
    hang_up(insert)
  end
  return inserts[1].created[1]
end

-- ---- create ----

-- The creation of the row with what it nests, as a function; nil, err. `alone`: it is one statement for the database, needing no
-- transaction.
local function creation_of(store, row, timeout)
  local inserts = {}
  local ok, err = collect_all(store, { row }, inserts, {})
  if err then return nil, err end
  if not ok then return function() return create_one(store, row) end, false end
  return function() return insert_all(store, inserts, timeout) end, #inserts > 1
end

--- Create a row with what it nests, all or nothing.
---@param store larder.Store
---@param row table
---@param opts? { include?: larder.Include, timeout?: number }
---@return table|nil row  with the nested rows as stored
---@return larder.Error? err
function nested.create(store, row, opts)
  check_plain(row, store._entity, "the row")
  local plan, err = include.plan(store, "create", opts)
  if err then return nil, err end
  local create, alone = creation_of(store, row, opts and opts.timeout)
  if not create then return nil, alone end
  if alone and not plan and store.db:kind() ~= "memory" and not store.db:in_transaction() then return create() end
  return include.atomic(store, opts, function()
    local created, ok
    created, err = create()
    if not created then return nil, err end
    ok, err = include.load(store, { created }, plan, "create")
    if not ok then return nil, err end
    return created
  end)
end

nested.OPTIONS = options.set { include = "table", timeout = "seconds" }

return nested
