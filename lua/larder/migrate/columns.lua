--- Declarations as the database has them: every name of a field is that of its column. What compares a table with its declaration,
-- and what makes the SQL of one, knows no other names.

local copied = require "larder.base.copied"

local columns = {}

-- A list of fields, each with a minus before it or without, and what else the part says.
local function renamed(part, to)
  local made = copied(part)
  for i, name in ipairs(part) do
    local bare, minus = name:gsub("^-", "")
    made[i] = (minus > 0 and "-" or "") .. to(bare)
  end
  return made
end

local function each(list, change)
  local made = {}
  for i, part in ipairs(list or {}) do made[i] = change(part) end
  return made
end

local function condition(where, to)
  local made = {}
  for name, value in pairs(where) do made[to(name)] = value end
  return made
end

--- A declaration in the names of columns.
---@param decl larder.EntityDeclaration  as a schema describes it
---@return larder.EntityDeclaration decl  another table
---@return fun(field: string|nil): string|nil column_of
function columns.of(decl)
  local by_field = {}
  for _, field in ipairs(decl.fields) do by_field[field.name] = field.column end
  local function to(name) return name and by_field[name] or name end
  local made = copied(decl)
  made.fields = each(decl.fields, function(field)
    local same = copied(field)
    same.name, same.column = to(field.name), nil
    return same
  end)
  made.key = renamed(decl.key, to)
  made.uniques = each(decl.uniques, function(unique)
    local same = renamed(unique, to)
    same.where = unique.where and condition(unique.where, to)
    return same
  end)
  made.references = each(decl.references, function(ref)
    local same = copied(ref)
    same.fields, same.set_null = renamed(ref.fields, to), ref.set_null and renamed(ref.set_null, to)
    return same
  end)
  made.indexes = each(decl.indexes, function(index) return renamed(index, to) end)
  made.tenant, made.soft_delete = to(decl.tenant), to(decl.soft_delete)
  return made, to
end

--- What stands beside the core's part of a declaration, in the names of columns.
---@param entity { partition?: table, search?: table }
---@param to fun(field: string|nil): string|nil
---@return { partition?: table, search?: table }
function columns.extra(entity, to)
  local partition, search = entity.partition and copied(entity.partition), entity.search and copied(entity.search)
  if partition then partition.by = to(partition.by) end
  if search then search.headline = to(search.headline) end
  return { partition = partition, search = search }
end

--- All declarations of a family in the names of columns.
---@param family table
---@param describe fun(store: string): larder.EntityDeclaration  as the engine describes it
---@return larder.EntityDeclaration[] list  in the order of the family's stores
---@return table<string, larder.EntityDeclaration> by_store
---@return table[] extras  what columns.extra says of each
function columns.family(family, describe)
  local list, by_store, extras = {}, {}, {}
  for i, store in ipairs(family.stores) do
    local to
    list[i], to = columns.of(describe(store))
    by_store[store], extras[i] = list[i], columns.extra(family.entities[i], to)
  end
  return list, by_store, extras
end

return columns
