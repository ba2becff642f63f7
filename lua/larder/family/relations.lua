--- Relations: what a store's rows can be read with. Each reference that names its ends gives two, one on each side.

local relations = {}

---@class larder.Relation
---@field name string
---@field store string       the other store
---@field entity table       its entity
---@field many boolean       a list; else one row or none
---@field from string[]      fields here …
---@field to string[]        … that are equal to these there
---@field parent boolean     the other row is the one referred to: a create cannot nest it
---@field bound? boolean     of a parent: a constraint sees to it that it is there
---@field spell (function|false)[]  how a value of from[i] and to[i] is written when it is compared

-- The same number may be written as 1.5 and 1.50.
local function plain_numeric(text)
  if type(text) ~= "string" or not text:find(".", 1, true) then return text end
  return (text:gsub("%.?0+$", ""))
end

local SPELLING = { numeric = plain_numeric, int8 = function(v) return type(v) == "cdata" and tostring(v) or v end }

local function fields_of(entity, names, fail)
  for _, name in ipairs(names) do
    if not entity.fields[name] then fail("a relation names the unknown field %s of %s", tostring(name), entity.full) end
  end
  return names
end

local function add(entity, relation, fail)
  local name = relation.name
  if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then fail("a relation's name must be a plain word") end
  if entity.fields[name] then fail("relation %s of %s has the name of a field", name, entity.full) end
  if entity.relations[name] then fail("two relations of %s are called %s", entity.full, name) end
  relation.spell = {}
  for i, field in ipairs(relation.from) do
    local here, there = entity.fields[field], relation.entity.fields[relation.to[i]]
    if here.hidden or there.hidden then fail("relation %s joins the secret %s", name, field) end
    if here.type ~= there.type then
      fail("relation %s joins %s and %s, which have different types", name, field, there.name)
    end
    if here.type:find "^json" or here.type:find "%[%]$" then
      fail("relation %s joins %s: json and arrays join nothing", name, field)
    end
    relation.spell[i] = SPELLING[here.type] or false
  end
  entity.relations[name] = relation
  if not relation.parent then entity.nests = true end
end

-- Are rows told apart by these fields? A partial unique tells those apart that are there.
local function is_unique(decl, fields)
  local given = {}
  for _, name in ipairs(fields) do given[name] = true end
  local function within(list)
    for _, name in ipairs(list) do
      if not given[name] then return false end
    end
    return true
  end
  if within(decl.key) then return true end
  for _, unique in ipairs(decl.uniques or {}) do
    if within(unique) then return true end
  end
  return false
end

--- Both ends of one reference, or of a relation that no constraint stands behind.
local function link(entity, decl, ref, by_name, fail)
  local target = by_name[ref.to]
  if not target then fail("a relation leads to the unknown store %s", tostring(ref.to)) end
  local here = fields_of(entity, ref.fields, fail)
  local there = fields_of(target, ref.to_fields or target.key, fail)
  if #here ~= #there then fail("a relation has %d fields here and %d there", #here, #there) end
  if ref.many and ref.one then fail("the other end of a relation is many or one, not both") end
  if ref.one and not is_unique(decl, here) then
    fail("relation %s cannot be one row: %s is not unique", tostring(ref.one), table.concat(here, ", "))
  end
  if ref.as then
    add(entity, { name = ref.as, store = target.name, entity = target, many = false, parent = true,
      bound = ref.name ~= nil, from = here, to = there }, fail)
  end
  local back = ref.many or ref.one
  if back then
    add(target, { name = back, store = entity.name, entity = entity, many = ref.many ~= nil, parent = false,
      from = there, to = here }, fail)
  end
end

local RELATION_KEYS = { fields = true, to = true, to_fields = true, as = true, many = true, one = true }

--- Fill entity.relations of all entities of a family.
---@param entities table[]   as larder.family makes them
---@param decls larder.EntityDeclaration[]  of the same
---@param fail fun(full: string, fmt: string, ...)  raises
function relations.link(entities, decls, fail)
  local by_name = {}
  for _, entity in ipairs(entities) do by_name[entity.name] = entity end
  for i, entity in ipairs(entities) do
    local function wrong(fmt, ...) fail(entity.full, fmt, ...) end
    for _, ref in ipairs(decls[i].references or {}) do
      if ref.as or ref.many or ref.one then link(entity, decls[i], ref, by_name, wrong) end
    end
    for _, ref in ipairs(decls[i].relations or {}) do
      for name in pairs(ref) do
        if not RELATION_KEYS[name] then wrong("a relation has the unknown entry %s", tostring(name)) end
      end
      if type(ref.fields) ~= "table" then wrong "a relation names its fields" end
      link(entity, decls[i], ref, by_name, wrong)
    end
  end
end

--- Tell the core of the relations, so that conditions may name them. Rows that a store hides are none for them.
---@param entities table[]  linked
---@param schema userdata
function relations.tell(entities, schema)
  for _, entity in ipairs(entities) do
    local names, told = {}, {}
    for name in pairs(entity.relations) do names[#names + 1] = name end
    table.sort(names)
    for number, name in ipairs(names) do
      local relation, on = entity.relations[name], {}
      for i, field in ipairs(relation.to) do on[field] = relation.from[i] end
      local soft = relation.entity.soft
      told[name] = { name = name, number = number, store = relation.store, on = on, alive = soft and soft.hides and soft.alive or nil }
    end
    if #names > 0 then schema:relate(entity.name, told) end
  end
end

--- A reference as the core takes it: without the names of its ends.
---@param ref table
---@return table
function relations.bare(ref)
  local copy = {}
  for key, value in pairs(ref) do
    if key ~= "as" and key ~= "many" and key ~= "one" then copy[key] = value end
  end
  return copy
end

return relations
