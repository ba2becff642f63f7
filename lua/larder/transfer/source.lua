--- Where rows come from: plain Lua tables and databases (files: larder.transfer.files). A source is
-- `{ open(family, store) → reader, within(fn) }`. A reader hands out batches of one store:
-- `next(max) → batch, refused, place`; nil at the end, `nil, err` when it fails. `refused`: rows that no batch takes, each
-- `{ row =, err =, place = }`; place(i): where the i-th row of the batch stands in the source, such as `{ index = 7 }`.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

local source = {}

-- Which row of the source is the i-th of a batch that begins at `first`, when those in `bad` were left out.
function source.placing(first, bad)
  return function(i)
    local index = first + i - 1
    for _, item in ipairs(bad) do
      if item.index <= index then index = index + 1 end
    end
    return { index = index }
  end
end

---@param tables table<string, table<string, table[]>>
function source.tables(tables)
  local made = {}

  function made.open(family, store)
    local of_family = tables[family.name] or {}
    local rows, at = of_family[store] or {}, 1
    local reader = { total = #rows }
    function reader.next(max)
      if at > #rows then return nil end
      local first, last = at, math.min(at + max - 1, #rows)
      local batch, refused = core.batch(family.schema, store, rows, first, last)
      at = last + 1
      for _, item in ipairs(refused) do item.place = { index = item.index } end
      return batch, refused, source.placing(first, refused)
    end
    function reader.close() end
    return reader
  end

  function made.within(fn) return fn() end

  return made
end

function source.scan(cstore, total)
  local scan, err = cstore:scan()
  if not scan then return nil, err end
  return {
    total = total,
    next = function(max) return scan:next(max) end,
    close = function() scan:close() end,
  }
end

---@param db larder.Db
function source.db(db)
  local made = {}

  function made.open(family, store)
    local cstore = db:_cstore(family.name, store)
    local total, err = cstore:run { op = "count" }
    if not total then return nil, err end
    return source.scan(cstore, total)
  end

  -- One snapshot for all stores, so that no reference points at a row that was not there yet.
  function made.within(fn)
    if db:kind() == "memory" then return fn() end
    return db:transaction({ isolation = "repeatable_read", read_only = true }, fn)
  end

  return made
end

--- A source of tables is { family = { store = { rows } } }: anything else in it would be left out without a word.
function source.check_tables(tables, families)
  local what, names = "larder.transfer: the source", {}
  misuse.check_shape(tables, "record", what)
  for i, family in ipairs(families) do
    names[i] = family.name
    if tables[family.name] == nil then
      misuse.raise("%s has no family %s: it must be { family = { store = { rows } } }", what, family.name)
    end
  end
  for name, stores in next, tables do
    local family
    for _, one in ipairs(families) do family = one.name == name and one or family end
    if not family then misuse.raise("%s holds %s, which is none of the families%s", what, name, misuse.hint(name, names)) end
    misuse.check_shape(stores, "record", ("%s.%s"):format(what, name))
    for store, rows in next, stores do
      local known = false
      for _, one in ipairs(family.stores) do known = known or one == store end
      if not known then misuse.raise("%s: family %s has no store %s%s", what, name, store, misuse.hint(store, family.stores)) end
      misuse.check_shape(rows, "list", ("%s.%s.%s"):format(what, name, store))
    end
  end
end

return source
