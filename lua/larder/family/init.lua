--- Families: stores declared as data. Built-in ones and those of users are made here in the same way.

local compat = require "larder.base.compat"
local core = require "larder.core"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local complete = require("larder.family.names").completed
local async = require "larder.store.async"
local difference = require "larder.family.same"
local partitions = require "larder.store.partitions"
local search = require "larder.store.search"
local read = require "larder.store.read"
local relations = require "larder.family.relations"
local support = require "larder.store.support"
local write = require "larder.store.write"

local unpack = compat.unpack

local family = {}

---@class larder.FieldDeclaration
---@field name string      letters, digits and underscores
---@field column? string   the column's name in PostgreSQL, which may be any: by default as the field's; memory ignores it
---@field type string      bool, int2, int4, int8, float4, float8, numeric, text, bytea, uuid, timestamptz, json,
-- jsonb, date, timestamp, time, interval, varchar, char, enum, inet, int4range …; "varchar(20)", "timestamp(3)"; arrays: "text[]",
-- "char(3)[]", "enum[]". docs/types.md
---@field null? boolean    may be null (default: not)
---@field default? any     a value, { "now" }, { "uuid" }, { "cuid" }, { "identity" } or { "database", "SQL expression" }
---@field enum? string[]    labels of an enum or enum[], in their order; of a text what it may be
---@field min_len? integer
---@field max_len? integer    of an array: of each element
---@field min? integer|number|string|larder.Decimal  the least value of a number, time or interval, of the field's own type
---@field max? integer|number|string|larder.Decimal  the greatest
---@field precision? integer digits of a numeric; of a time, those of its seconds
---@field scale? integer
---@field stamp? "insert"|"update"|"version"  version: an integer that counts the changes from 1; an update or patch that names
-- another than the row has is a conflict
---@field hidden? boolean     a secret: no generic method returns it
---@field immutable? boolean
---@field generated? boolean|string  the database computes it (as text: the SQL): read only; memory does not know it
---@field sql_type? string    "schema.type": the database's own name of an enum or of a domain
---@field blank? "default"    an empty text counts as absent

---@class larder.EntityDeclaration
---@field name string         store name
---@field table? string       "schema.table"; by default family.name. Other signs stand in quotes: 'public."Order Details"'
---@field fields larder.FieldDeclaration[]
---@field key table           { name = constraint, field, … }; names of constraints are by default those that PostgreSQL chooses
---@field uniques? table[]    { name = constraint, field, …, where = { field = value }, nulls_distinct = false }: the last says that
-- nulls are equal in it (PostgreSQL 15 and later)
---@field references? table[] { name =, fields = {…}, to = store, on_delete = restrict, cascade or set_null, as =, many = or one = }: as
-- is what a row here calls the row it refers to in `include`, many (one: where the fields are unique) what that row calls those here
---@field relations? table[]  the same without a constraint: { fields = {…}, to = store, to_fields = its key, as =, many = or one = }
---@field indexes? string[][]
---@field tenant? string
---@field read_only? boolean  a view, a materialized view or a foreign table: its rows are read, and no method writes
---@field soft_delete? string field that marks a row as deleted: reads leave it out, delete only marks
---@field soft? table         hides = false: reads show marked rows and delete is hard; set, unset: further
-- changes that marking and unmarking make; alive: the condition of rows that count as there
---@field order? string|string[]   of list and each; the key by default
---@field scope? string[]     fields whose values stand before the options of list
---@field filters? table      option of list → field, or function(value) → condition
---@field partition? larder.PartitionDeclaration  the table is partitioned by time
---@field search? larder.SearchDeclaration  full-text search
---@field methods? table      name → function, { get_by = {…} } or { list_by = {…} }
---@field without? string[]   generic methods that this store does not have

local FAMILY_KEYS = support.names("name", "entities", "migrations")
local CORE_KEYS = support.names("name", "table", "key", "uniques", "references", "indexes", "tenant",
  "soft_delete", "read_only")
local OUR_KEYS = support.names("fields", "soft", "order", "scope", "filters", "methods", "without",
  "partition", "search", "relations")

local ENTRIES = misuse.names(CORE_KEYS)
for name in pairs(OUR_KEYS) do ENTRIES[#ENTRIES + 1] = name end

local declared = {} -- name → family

local function fail(where, fmt, ...)
  misuse.raise("larder.declare: declaration of %s: " .. fmt, where, ...)
end

-- ---- fields ----

local function copy_without(t, left_out)
  local copy = {}
  for k, v in pairs(t) do
    if k ~= left_out then copy[k] = v end
  end
  return copy
end

local function index_fields(entity, decl)
  local in_key = support.names(unpack(decl.key))
  local blanks = {}
  for _, field in ipairs(decl.fields) do
    local info = copy_without(field, nil)
    info.fixed = in_key[field.name] or field.immutable or field.stamp ~= nil or field.generated
    entity.fields[field.name] = info
    if field.stamp == "version" then entity.version = field.name end
    if not info.fixed then entity.replaced[#entity.replaced + 1] = info end
    if field.blank == "default" then blanks[#blanks + 1] = field.name end
  end
  if #blanks > 0 then entity.blanks = blanks end
end

local function known_field(entity, name, what)
  if entity.fields[name] then return end
  fail(entity.full, "%s names the unknown field %s%s", what, tostring(name), misuse.hint(name, misuse.names(entity.fields)))
end

-- ---- methods ----

local function made_method(entity, name, spec)
  if type(spec) == "function" then return spec end
  if type(spec) == "table" then
    local by = spec.get_by or spec.list_by or {}
    for _, field in ipairs(by) do known_field(entity, field, "method " .. name) end
    if spec.get_by then return read.declared.lookup(name, spec.get_by) end
    if spec.list_by then return read.declared.listing(name, spec.list_by) end
  end
  return fail(entity.full, "method %s must be a function, { get_by = … } or { list_by = … }", name)
end

local function check_list(where, what, list)
  local why = list ~= nil and core.shape_fault(list, "list")
  if why then fail(where, "%s %s", what, why) end
end

local function check_record(where, what, t)
  local why = t ~= nil and core.shape_fault(t, "record")
  if why then fail(where, "%s %s", what, why) end
end

local function merge(into, methods)
  for name, method in pairs(methods) do into[name] = method end
end

-- Methods that some stores have. Who asks a store for one of them, or for one of another store of its family, gets nil when it has none.
local GENERIC = {}
for _, methods in ipairs { read.methods, write.methods, async.methods, write.soft, partitions.methods, search.methods } do
  merge(GENERIC, methods)
end

-- What writes answers this for a view.
local function refusing(entity, ...)
  local answers, names = {}, {}
  for _, methods in ipairs { ... } do merge(names, methods) end
  for name in pairs(names) do
    answers[name] = function(...) -- luacheck: no unused
      return nil, errors.new { code = "unsupported", store = entity.full, op = name,
        message = entity.full .. " is read-only: its rows are those of a view or a foreign table" }
    end
  end
  return answers
end

-- known: grows by the names of the methods.
local function class_of(entity, decl, known)
  local methods = { run = support.operate }
  merge(methods, read.methods)
  merge(methods, write.methods)
  merge(methods, async.methods)
  if entity.soft then merge(methods, write.soft) end
  if entity.partition then merge(methods, partitions.methods) end
  entity.refuses = entity.read_only and refusing(entity, write.methods, { insert_async = true }) or {}
  merge(methods, entity.refuses)
  if entity.search then merge(methods, search.methods) end
  for name, spec in pairs(decl.methods or {}) do methods[name] = made_method(entity, name, spec) end
  check_list(entity.full, "without", decl.without)
  for _, name in ipairs(decl.without or {}) do
    if not methods[name] then
      fail(entity.full, "without: there is no method %s%s", tostring(name), misuse.hint(name, misuse.names(methods)))
    end
    methods[name] = nil
  end
  merge(known, methods)
  entity.plain_create = methods.create == write.methods.create and methods.create_many == write.methods.create_many
  return {
    __name = "larder.store",
    __index = misuse.spelled(misuse.guarded(methods, "_entity", "a store", support.careful), entity.full, known),
    __tostring = function() return "larder.store (" .. entity.full .. ")" end,
  }
end

-- ---- entities ----

local function soft_rules(decl)
  if not decl.soft_delete then return nil end
  local rules = decl.soft or {}
  return {
    field = decl.soft_delete, hides = rules.hides ~= false, set = rules.set, unset = rules.unset,
    alive = rules.alive or { [decl.soft_delete] = core.null },
  }
end

local SOFT_ENTRIES = { hides = "boolean", set = "table", unset = "table", alive = "table" }

local function check_soft(entity, decl)
  if decl.soft == nil then return end
  if decl.soft_delete == nil then fail(entity.full, "soft says nothing without soft_delete, the field that marks a row") end
  for name, value in next, decl.soft do
    local kind = SOFT_ENTRIES[name]
    if not kind then fail(entity.full, "soft: unknown entry %s%s", tostring(name), misuse.hint(name, misuse.names(SOFT_ENTRIES))) end
    if type(value) ~= kind then fail(entity.full, "soft: %s must be a %s, not %s", name, kind, misuse.kind(value)) end
  end
  for _, name in ipairs { "set", "unset" } do
    for field in next, decl.soft[name] or {} do known_field(entity, field, "soft." .. name) end
  end
end

local function check_filters(entity)
  for name, filter in next, entity.filters do
    if type(filter) == "string" then
      known_field(entity, filter, "filter " .. name)
    elseif not misuse.callable(filter) then
      fail(entity.full, "filter %s must be the name of a field or a function, not %s", name, misuse.kind(filter))
    end
  end
end

--- Names by which upsert may call a unique: its fields, with and without the tenant.
local function unique_info(decl, unique)
  local all, others = {}, {}
  for _, name in ipairs(unique) do
    all[#all + 1] = name
    if name ~= decl.tenant then others[#others + 1] = name end
  end
  return { name = unique.name, by_all = table.concat(all, ","), by = table.concat(others, ",") }
end

local function check_field(full, i, field)
  if type(field) ~= "table" then fail(full, "field %d must be a table, not %s", i, misuse.kind(field)) end
  if type(field.name) ~= "string" then fail(full, "field %d: name must be a text, not %s", i, misuse.kind(field.name)) end
  if field.blank ~= nil and field.blank ~= "default" then fail(full, 'field %s: blank can be "default" alone', field.name) end
end

local function check_parts(full, decl)
  for _, name in ipairs { "fields", "scope", "relations" } do check_list(full, name, decl[name]) end
  if type(decl.order) ~= "string" then check_list(full, "order", decl.order) end
  for i, relation in ipairs(decl.relations or {}) do check_record(full, ("relation %d"):format(i), relation) end
  for _, name in ipairs { "soft", "filters", "methods" } do check_record(full, name, decl[name]) end
end

--- The shape of an entity's table, before anything of it is used.
local function check_entity(full, decl)
  for name in next, decl do
    if not CORE_KEYS[name] and not OUR_KEYS[name] then
      fail(full, "unknown entry %s%s", tostring(name), misuse.hint(name, ENTRIES))
    end
  end
  if type(decl.fields) ~= "table" then fail(full, "fields are required") end
  check_parts(full, decl)
  for i, field in ipairs(decl.fields) do check_field(full, i, field) end
  if type(decl.key) ~= "table" then fail(full, "a key is required") end
  for i, name in ipairs(decl.key) do
    if type(name) ~= "string" then fail(full, "key: entry %d must be the name of a field, not %s", i, misuse.kind(name)) end
  end
end

-- A view has no constraints, and nothing that writes is of use to it.
local function check_read_only(full, decl)
  if not decl.read_only then return end
  for _, name in ipairs { "uniques", "references", "indexes", "soft_delete", "partition" } do
    local entry = decl[name]
    if type(entry) == "table" and next(entry) ~= nil or type(entry) == "string" then
      fail(full, "a read_only store has no %s%s", name, name == "references" and ": relations say how its rows belong to others" or "")
    end
  end
end

local function make_entity(full, decl, known)
  check_read_only(full, decl)
  local entity = {
    name = decl.name, full = full, table = decl.table, sql_table = core.sql_table(decl.table), partition = decl.partition,
    search = decl.search,
    key = { unpack(decl.key) }, nkey = #decl.key, fields = {}, replaced = {},
    uniques = {}, relations = {}, read_only = decl.read_only,
    order = decl.order, scope = decl.scope or {}, filters = decl.filters or {}, soft = soft_rules(decl),
  }
  entity.own = decl.methods or {}
  entity.hides = entity.soft ~= nil and entity.soft.hides
  entity.no_row = errors.no_row(full, entity.key)
  index_fields(entity, decl)
  entity.patches = not (entity.hides or entity.blanks or entity.version) -- by the core alone, see write:patch
  partitions.check(entity, decl.partition, fail)
  search.check(entity, decl.search, fail)
  check_soft(entity, decl)
  check_filters(entity)
  for _, name in ipairs(entity.scope) do known_field(entity, name, "scope") end
  for _, unique in ipairs(decl.uniques or {}) do
    entity.uniques[#entity.uniques + 1] = unique_info(decl, unique)
  end
  entity.list_options, entity.each_options = read.declared.option_sets(entity.filters)
  entity.class = class_of(entity, decl, known)
  return entity
end

--- What the core is told of an entity.
local function core_entity(decl)
  local copy = { fields = {} }
  for name in pairs(CORE_KEYS) do copy[name] = decl[name] end
  for i, field in ipairs(decl.fields) do copy.fields[i] = copy_without(field, "blank") end
  if decl.references then
    copy.references = {}
    for i, ref in ipairs(decl.references) do copy.references[i] = relations.bare(ref) end
  end
  return copy
end

-- ---- families ----

---@class larder.Family
---@field name string
---@field stores string[]  in declaration order: targets of references come first
---@field schema userdata
local Family = {}
Family.__index = Family
Family.__name = "larder.family"

local function unknown_store(set, name)
  local names = misuse.names(set)
  misuse.raise("no store %q in family %s%s", tostring(name), getmetatable(set).family, misuse.hint(name, names))
end

--- The family's stores on a database.
function Family:open(db)
  local set = setmetatable({}, { __index = unknown_store, family = self.name })
  local readers = db._replica and db._replica:stores(self.name)
  for _, entity in ipairs(self.entities) do
    local store = setmetatable({
      db = db, stores = set, name = entity.full, _entity = entity, _wait = db._wait,
      _core = db._engine:store(self.schema, entity.name, db._context or nil), _reader = readers and readers[entity.name],
    }, entity.class)
    rawset(set, entity.name, store)
    support.entities[store] = entity
    read.declared.direct(store, db._plain)
  end
  async.know(db, self.schema)
  return set
end

local function make_family(def)
  if type(def) ~= "table" or type(def.name) ~= "string" or type(def.entities) ~= "table" then
    fail("a family", "name and entities are required")
  end
  for name in next, def do
    if not FAMILY_KEYS[name] then
      fail(def.name, "unknown entry %s%s", tostring(name), misuse.hint(name, misuse.names(FAMILY_KEYS)))
    end
  end
  if def.migrations ~= nil and type(def.migrations) ~= "string" then fail(def.name, "migrations must be a directory") end
  check_list(def.name, "entities", def.entities)
  local made = setmetatable({ name = def.name, stores = {}, entities = {}, migrations = def.migrations }, Family)
  local decl, whole, known = { name = def.name, entities = {} }, {}, copy_without(GENERIC, nil)
  for i, entity in ipairs(def.entities) do
    local why = core.shape_fault(entity, "record")
    if why then fail(def.name, "entity %d %s", i, why) end
    local full = ("%s.%s"):format(def.name, tostring(entity.name))
    check_entity(full, entity)
    entity = complete(def.name, entity, function(...) fail(full, ...) end)
    made.entities[i], made.stores[i], whole[i] = make_entity(full, entity, known), entity.name, entity
    decl.entities[i] = core_entity(entity)
  end
  made.schema = core.schema(decl)
  for _, entity in ipairs(made.entities) do entity.schema = made.schema end
  relations.link(made.entities, whole, fail)
  relations.tell(made.entities, made.schema)
  return made
end

--- Declare a family. Raises when the declaration is wrong, naming the place. The same declaration once more (a file that was loaded
-- again) is the family that is there; another one under its name raises.
---@param def { name: string, entities: larder.EntityDeclaration[], migrations?: string }
-- migrations: directory of its migration files
---@return larder.Family
function family.declare(def)
  local made = make_family(def)
  local there = declared[made.name]
  if not there then
    declared[made.name], made.def = made, def
    return made
  end
  local where = difference(there.def, def)
  if where then fail(made.name, "is declared already, and differently: %s", where) end
  return there
end

--- A family that is declared or was used already; nil for another one.
---@param name string
---@return larder.Family|nil
function family.known(name)
  return declared[name]
end

--- Names of the built-in families and of those that were declared, sorted.
---@return string[]
function family.names()
  local set, list = { auth = true, content = true, controlplane = true, csms = true }, {}
  for name in pairs(declared) do set[name] = true end
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

--- A family by its name: declared before, or a module larder.families.<name>.
---@param name string
---@param method? string  "db:stores": who asks, for messages
---@return larder.Family
function family.get(name, method)
  local made = declared[name]
  if made then return made end
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
    misuse.raise("%s: a family's name must be a plain word, not %s", method or "family",
      type(name) == "string" and ("%q"):format(name) or misuse.kind(name))
  end
  local module = "larder.families." .. name
  if not compat.has_module(module) then
    local names = misuse.names(declared)
    for _, built_in in ipairs { "auth", "controlplane", "csms", "content" } do names[#names + 1] = built_in end
    local hint = misuse.hint(name, names)
    misuse.raise("%s: no family is called %s%s", method or "family", name, hint ~= "" and hint or "; larder.declare declares one")
  end
  return family.declare(require(module))
end

async.find_families_by(family.get)

return family
