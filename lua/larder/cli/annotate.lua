--- Annotations (LuaCATS) of families, for an editor: rows, conditions, changes, orders, includes, options and results of every
-- method, from the declaration.

local annotate = {}

-- ---- types of fields ----

local LUA = {
  bool = "boolean", int2 = "integer", int4 = "integer", int8 = "integer", float4 = "number", float8 = "number", json = "any",
  jsonb = "any",
}
-- What may be written besides what is read.
local WRITTEN = { numeric = "string|number|larder.Decimal", timestamptz = "string|number" }
for _, name in ipairs { "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange" } do
  WRITTEN[name] = "string|larder.Range"
end
-- Operators beside a field, by what it is read as.
local OPERATORS = { boolean = "larder.Operators", integer = "larder.NumberOperators", number = "larder.NumberOperators" }

local function base_of(field)
  local base, array = field.type:match "^([%w_]+)(%[?%]?)$"
  return base, array ~= ""
end

local function words_of(field)
  if not field.enum then return nil end
  local words = {}
  for i, value in ipairs(field.enum) do words[i] = ("%q"):format(value):gsub("\\\n", "\\n") end -- one line
  return table.concat(words, "|")
end

local function read_type(field)
  local base, array = base_of(field)
  local name = words_of(field) or LUA[base] or "string"
  if not array then return name end
  return name:find("|", 1, true) and "(" .. name .. ")[]" or name .. "[]"
end

local function written_type(field)
  local base, array = base_of(field)
  if array and WRITTEN[base] and base:find "range$" then return ("(%s)[]"):format(WRITTEN[base]) end
  if array then return read_type(field) end
  return words_of(field) or WRITTEN[base] or read_type(field)
end

local function condition_type(field)
  local base, array = base_of(field)
  if array or base:find "^json" then return "larder.Operators|larder.Null|table" end
  local value = written_type(field)
  local operators = OPERATORS[read_type(field)] or "larder.TextOperators"
  return ("%s|(%s)[]|%s|larder.Null"):format(value, value, operators)
end

-- ---- classes ----

-- Store → the name of its class; where another one has that, the store's own.
local function class_names(made)
  local names, taken = {}, { Stores = true }
  for _, store in ipairs(made.stores) do
    local name = store:gsub("^%l", string.upper):gsub("_(%l)", string.upper)
    if taken[name] then name = store end
    names[store], taken[name] = ("%s.%s"):format(made.name, name), true
  end
  return names
end

local function made_by_larder(field)
  return field.null or field.default ~= nil or field.stamp ~= nil
end

---@class larder.cli.Writer
---@field lines string[]
local Writer = {}
Writer.__index = Writer

function Writer:add(fmt, ...) self.lines[#self.lines + 1] = fmt:format(...) end

function Writer:field(name, optional, type_)
  -- a name that is no plain word is written as a key
  local word = name:find "^[%a_][%w_]*$" and name or ("[%q]"):format(name)
  self:add("---@field %s%s %s", word, optional and "?" or "", type_)
end

function Writer:rows(class, fields)
  self:add("--- A row as it is read.\n---@class %s.Row", class.name)
  for _, f in ipairs(fields) do
    if not f.hidden then self:field(f.name, f.null, read_type(f)) end
  end
  for _, r in ipairs(class.relations) do self:field(r.name, true, r.class .. (r.many and ".Row[]" or ".Row")) end
end

local function or_null(field) return field.null and "|larder.Null" or "" end

function Writer:changes(class, fields)
  self:add("\n--- A row to be created.\n---@class %s.New", class.name)
  for _, f in ipairs(fields) do self:field(f.name, made_by_larder(f), written_type(f) .. or_null(f)) end
  for _, r in ipairs(class.relations) do
    if not r.parent then self:field(r.name, true, r.class .. (r.many and ".New[]" or ".New")) end
  end
  self:add("\n--- Changes of some fields.\n---@class %s.Changes", class.name)
  for _, f in ipairs(fields) do
    if not f.fixed then self:field(f.name, true, written_type(f) .. "|larder.Expression" .. or_null(f)) end
  end
end

function Writer:conditions(class, fields)
  self:add("\n--- A condition.\n---@class %s.Where", class.name)
  for _, f in ipairs(fields) do self:field(f.name, true, condition_type(f)) end
  for _, r in ipairs(class.relations) do
    local where = r.class .. ".Where|larder.Predicate"
    self:field(r.name, true, ("boolean|{ any?: %s, none?: %s, all?: %s }"):format(where, where, where))
  end
  self:add "---@field [integer] larder.Predicate|table"
  local names, orders = {}, {}
  for _, f in ipairs(fields) do
    if not f.hidden then names[#names + 1] = ("%q"):format(f.name) end
    orders[#orders + 1] = ("%q|%q"):format(f.name, "-" .. f.name)
  end
  self:add("\n---@alias %s.Field %s", class.name, table.concat(names, "|"))
  self:add("---@alias %s.Order %s|table", class.name, table.concat(orders, "|"))
end

function Writer:includes(class)
  self:add("\n--- Rows of other stores to be read along.\n---@class %s.Include", class.name)
  for _, r in ipairs(class.relations) do
    self:field(r.name, true, ("true|{ where?: %s.Where|larder.Predicate, order?: string|%s.Order[], limit?: integer, offset?: integer, "
      .. "columns?: %s.Field[], include?: %s.Include, with_deleted?: boolean }"):format(r.class, r.class, r.class, r.class))
  end
end

function Writer:options(class)
  local where = ("%s.Where|larder.Predicate"):format(class.name)
  for _, kind in ipairs { "ReadOptions", "ListOptions" } do
    self:add("\n---@class %s.%s: larder.%s", class.name, kind, kind)
    self:field("columns", true, class.name .. ".Field[]")
    self:field("include", true, class.name .. ".Include")
    if kind == "ListOptions" then
      self:field("where", true, where)
      self:field("order", true, ("string|%s.Order[]"):format(class.name))
      for _, filter in ipairs(class.filters) do self:field(filter, true, "any") end
    end
  end
end

-- ---- methods ----

-- A method as a field of the store's class: parameters after self, and what it answers.
local function signature(class, parameters, answer)
  local list = { "self: " .. class.name }
  for _, p in ipairs(parameters) do list[#list + 1] = p end
  return ("fun(%s): %s"):format(table.concat(list, ", "), answer)
end

local function named(fields, names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ("%s: %s"):format(name, written_type(fields[name])) end
  return list
end

local function with(list, ...)
  local all = {}
  for i, v in ipairs(list) do all[i] = v end
  for _, v in ipairs { ... } do all[#all + 1] = v end
  return all
end

-- The generic methods: name → parameters and answer.
local function generic(class, key, scope)
  local n = class.name
  local row, err = n .. ".Row|nil, larder.Error?", ", larder.Error?"
  local where, changes = ("where: %s.Where|larder.Predicate"):format(n), ("changes: %s.Changes"):format(n)
  local page = n .. ".Row[]|nil, larder.ListAnswer"
  return {
    get = { with(key, ("opts?: %s.ReadOptions"):format(n)), row }, exists = { key, "boolean|nil" .. err },
    find = { { where, ("opts?: %s.ReadOptions"):format(n) }, row },
    list = { with(scope, ("opts?: %s.ListOptions"):format(n)), page },
    each = { with(scope, ("opts?: %s.ListOptions|larder.EachOptions"):format(n)), ("fun(): %s.Row|nil"):format(n) },
    count = { with(scope, where .. "|nil", "opts?: larder.ReadOptions"), "integer|nil" .. err },
    get_many = { { "keys: any[]", "opts?: larder.ReadOptions" }, ("(%s.Row|false)[]|nil"):format(n) .. err },
    create = { { ("row: %s.New"):format(n), ("opts?: { include?: %s.Include, timeout?: number }"):format(n) }, row },
    create_many = { { ("rows: %s.New[]"):format(n), "opts?: table" }, ("integer|%s.Row[]|nil"):format(n) .. err },
    update = { { ("row: %s.New|%s.Row"):format(n, n), "opts?: larder.UpdateOptions" }, row },
    patch = { with(key, changes, "opts?: larder.UpdateOptions"), row },
    upsert = { { ("row: %s.New"):format(n), "opts?: table" }, row },
    delete = { key, "true|nil, integer|larder.Error" }, purge = { key, "true|nil, integer|larder.Error" },
    restore = { key, "true|nil, integer|larder.Error" }, soft_delete = { key, "true|nil, integer|larder.Error" },
    delete_where = { { where, "opts?: { timeout?: number }" }, "integer|nil" .. err },
    purge_where = { { where, "opts?: { timeout?: number }" }, "integer|nil" .. err },
    update_where = { { where, changes, "opts?: { timeout?: number, with_deleted?: boolean }" }, "integer|nil" .. err },
    aggregate = { { "opts: larder.AggregateOptions" }, "table[]|nil" .. err },
    insert_async = { { ("row: %s.New"):format(n) }, "true|nil" .. err },
  }
end

local function own_method(class, fields, spec)
  local n = class.name
  if type(spec) == "table" and spec.get_by then
    return with(named(fields, spec.get_by), ("opts?: %s.ReadOptions"):format(n)), n .. ".Row|nil, larder.Error?"
  end
  if type(spec) == "table" and spec.list_by then
    return with(named(fields, spec.list_by), ("opts?: %s.ListOptions"):format(n)), n .. ".Row[]|nil, larder.ListAnswer"
  end
  return { "...: any" }, "any ..."
end

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function Writer:store(class, entity, decl)
  local fields = {}
  for _, f in ipairs(decl.fields) do fields[f.name] = f end
  self:add("\n--- The store %s.\n---@class %s: larder.Store", class.full, class.name)
  local methods = generic(class, named(fields, decl.key), named(fields, entity.scope))
  for _, name in ipairs(sorted(methods)) do
    if entity.class.__index[name] and not entity.own[name] and not entity.refuses[name] then
      self:add("---@field %s %s", name, signature(class, methods[name][1], methods[name][2]))
    end
  end
  for _, name in ipairs(sorted(entity.own)) do
    self:add("---@field %s %s", name, signature(class, own_method(class, fields, entity.own[name])))
  end
  self:add ""
end

local function class_of(names, entity)
  local class = { name = names[entity.name], full = entity.full, relations = {}, filters = sorted(entity.filters) }
  for _, name in ipairs(sorted(entity.relations)) do
    local r = entity.relations[name]
    class.relations[#class.relations + 1] = { name = name, class = names[r.store], many = r.many, parent = r.parent }
  end
  return class
end

--- The annotations of a family.
---@param made larder.Family
---@param describe fun(store: string): table  the checked declaration of a store
---@return string
function annotate.family(made, describe)
  local w, names = setmetatable({ lines = {} }, Writer), class_names(made)
  for _, entity in ipairs(made.entities) do
    local class, decl = class_of(names, entity), describe(entity.name)
    for _, f in ipairs(decl.fields) do f.fixed = entity.fields[f.name].fixed end
    w:rows(class, decl.fields)
    w:changes(class, decl.fields)
    w:conditions(class, decl.fields)
    w:includes(class)
    w:options(class)
    w:store(class, entity, decl)
  end
  w:add("---@class %s.Stores", made.name)
  for _, store in ipairs(made.stores) do w:add("---@field %s %s", store, names[store]) end
  w:add("\n---@class larder.Db\n---@field stores fun(self: larder.Db, family: %q): %s.Stores\n", made.name, made.name)
  return table.concat(w.lines, "\n")
end

return annotate
