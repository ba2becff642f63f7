--- Writing: the generic methods that every store has.

local core = require "larder.core"
local compat = require "larder.base.compat"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local include = require "larder.store.include"
local nested = require "larder.store.nested"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local support = require "larder.store.support"

local run, settle = support.run, support.settle
local entities, entity_of, careful = support.entities, support.entity_of, support.careful
local unpack = compat.unpack
local null, PENDING, NONE = core.null, core.PENDING, options.NONE

local DELETE_OPTIONS = options.set { timeout = "seconds" }
local WHERE_OPTIONS = options.extend(DELETE_OPTIONS, { with_deleted = "boolean" })
local PATCH_OPTIONS = options.extend(WHERE_OPTIONS, { where = "condition", keep_stamps = "boolean", include = "table" })
local UPDATE_OPTIONS = options.extend(PATCH_OPTIONS, { only = "list" })
local UPSERT_OPTIONS = options.extend(DELETE_OPTIONS, {
  key = "string|list", set = "table", only = "list", where = "condition", include = "table",
})
local MANY_OPTIONS = options.extend(DELETE_OPTIONS, {
  on_conflict = { "skip" }, skip_duplicates = "boolean", returning = "boolean",
})

---@class larder.Store
local write = {}

-- ---- insert ----

local not_stored = support.not_stored

local function not_as_expected(store, method)
  return errors.new {
    code = "conflict", store = store._entity.full, op = method,
    message = store._entity.full .. ": the row is not as expected any more",
  }
end

-- No row was changed. Was there none, was it not as expected, or did something of the database's own take the change?
local function unchanged(store, method, where, expected, by)
  local in_memory = store.db:kind() == "memory" -- where nothing takes a change
  local function count(condition) return run(store, method, { op = "count", where = condition }) end
  if in_memory and expected == nil then return support.not_found(store, method, by) end
  local n, err = count(where)
  if not n then return nil, err end
  if n == 0 then return support.not_found(store, method, by) end
  if expected ~= nil and not in_memory then
    n, err = count(support.both(where, expected))
    if not n then return nil, err end
  end
  if expected == nil or n > 0 and not in_memory then return nil, not_stored(store, method) end
  return nil, not_as_expected(store, method)
end

local function stored(store, row, err)
  if row == nil and err.code == "not_found" then return nil, not_stored(store, "create") end
  return row, err
end

--- Insert a row. Under the name of a relation it may hold rows of another store (`posts = { { … }, … }`), which are created with
-- it, all or nothing: they get its key.
---@param row table  absent fields take their defaults
---@param opts? { include?: larder.Include, timeout?: number }
---@return table|nil row  as stored, with defaults and stamps
---@return larder.Error? err
function write:create(row, opts)
  local entity = entities[self] or entity_of(self, "create")
  if type(row) ~= "table" then support.check_row(self, "create", row) end
  opts = opts == nil and NONE or support.options(self, "create", opts, nested.OPTIONS)
  if opts.include ~= nil or entity.nests and nested.has(entity, row) then return nested.create(self, row, opts) end
  if entity.blanks then row = support.without_blanks(entity, row) end
  if self.db._plain then
    local made, err = self._core:create(row, opts.timeout and opts)
    if made == PENDING then made, err = settle(self._wait, made, err) end
    if made ~= nil then return made end
    return stored(self, made, err)
  end
  return self.db:_guarded({ store = entity.full, op = "create" }, opts.timeout, function(timeout)
    return stored(self, settle(self._wait, self._core:create(row, { timeout = timeout })))
  end)
end
careful[write.create] = true

-- Are rows that are there already left out?
local function skips(opts)
  if opts.on_conflict ~= nil and opts.on_conflict ~= "skip" then
    error('on_conflict must be "skip"; upsert changes rows that are there', 3)
  end
  return opts.skip_duplicates or opts.on_conflict == "skip"
end

--- Insert rows, all or none, in one statement.
---@param rows table[]
---@param opts? { on_conflict?: "skip", skip_duplicates?: boolean, returning?: boolean, timeout?: number }
---@return integer|table[]|nil written  number of rows; with `returning` the rows as stored
---@return larder.Error? err
function write:create_many(rows, opts)
  misuse.check_shape(rows, "list", self._entity.full .. ":create_many: the list of rows")
  opts = support.options(self, "create_many", opts, MANY_OPTIONS)
  if #rows == 0 then return opts.returning and setmetatable({}, core.array_mt) or 0 end
  if self._entity.blanks then
    local given = rows
    rows = {}
    for i = 1, #given do rows[i] = support.without_blanks(self._entity, given[i]) end
  end
  local skip = skips(opts)
  return run(self, "create_many", {
    op = "insert", rows = rows, on_conflict = skip and "skip" or nil, target = skip and "*" or nil,
    returning = opts.returning or nil, timeout = opts.timeout,
  })
end

-- The unique that opts.key means: its name, or its fields without the tenant.
local function target_of(store, key)
  if key == nil then return nil end
  local wanted, names = key, {}
  if type(key) == "table" then
    for i, name in ipairs(key) do
      if type(name) ~= "string" then support.misuse(store, "upsert", "option key must hold names of fields, not %s", misuse.kind(name)) end
      names[i] = name
    end
    wanted, names = table.concat(names, ","), {}
  end
  for _, unique in ipairs(store._entity.uniques) do
    if unique.name == wanted or unique.by == wanted or unique.by_all == wanted then return unique.name end
    names[#names + 1], names[#names + 2] = unique.name, unique.by
  end
  return support.misuse(store, "upsert", "no unique is called %q%s", wanted, misuse.hint(wanted, names))
end

-- The names in `only`, each a field.
local function check_only(store, method, only)
  for i = 1, only and #only or 0 do
    local name, fields = only[i], store._entity.fields
    if type(name) ~= "string" then
      support.misuse(store, method, "option only must hold names of fields, not %s", misuse.kind(name))
    elseif not fields[name] then
      support.misuse(store, method, "only: %s is not a field of %s%s", name, store._entity.name, misuse.hint(name, misuse.names(fields)))
    end
  end
  return only
end

local function upserted(store, op)
  local rows, err = run(store, "upsert", op)
  if not rows then return nil, err end
  if not rows[1] then return nil, (op.where == nil and not_stored or not_as_expected)(store, "upsert") end
  return rows[1]
end

--- Insert the row, or change the one that is in its way.
---@param row table
---@param opts? { key?: string|string[], set?: table, only?: string[], where?: larder.Where, timeout?: number, include?: larder.Include }
-- key: the unique (its name or fields) that decides; the key by default. set: what to change, with
-- larder.excluded for the proposed row's value; by default every given field, or those in `only`. where: the row in the way is changed
-- only while this holds, else `conflict`; a row that is not there is created.
---@return table|nil row  as stored
---@return larder.Error? err
function write:upsert(row, opts)
  support.check_row(self, "upsert", row)
  opts = support.options(self, "upsert", opts, UPSERT_OPTIONS)
  local entity, set = self._entity, opts.set
  if check_only(self, "upsert", opts.only) then
    if set then support.misuse(self, "upsert", "takes set or only, not both") end
    set = {}
    for _, name in ipairs(opts.only) do set[name] = expr.excluded end
  end
  if entity.blanks then row = support.without_blanks(entity, row) end
  local target = target_of(self, opts.key)
  local op = {
    op = "insert", row = row, on_conflict = "update", target = target, set = set, where = opts.where, returning = true,
    timeout = opts.timeout,
  }
  if opts.include == nil then return upserted(self, op) end
  return include.after(self, "upsert", opts, function() return upserted(self, op) end)
end

-- ---- update ----

local GENERATED = { uuid = true, cuid = true, identity = true, database = true }

--- What a full replacement writes into a field that the row does not name; nil: the field stays as it is.
local function when_absent(field)
  local default = field.default
  if field.hidden then return nil end
  if type(default) == "table" and GENERATED[default[1]] then return nil end
  if default ~= nil then return expr.default end
  return null
end

local function part_of(entity, row, only)
  local set = {}
  for _, name in ipairs(only) do
    local value, field = row[name], entity.fields[name]
    if value == nil and field then value = when_absent(field) end
    set[name] = value == nil and null or value
  end
  return set
end

local function replacement(entity, row, keep_stamps)
  local set = {}
  for name, value in next, row do
    local field = entity.fields[name]
    -- an unknown name goes on, so that it is refused by name
    if not field or not field.fixed or keep_stamps and field.stamp == "update" then set[name] = value end
  end
  for _, field in ipairs(entity.replaced) do
    if set[field.name] == nil then set[field.name] = when_absent(field) end
  end
  return set
end

local function blank_defaults(entity, set)
  for _, name in ipairs(entity.blanks or {}) do
    if set[name] == "" then set[name] = expr.default end
  end
end

--- Change the one row that `where` names.
---@param version? any  the version that the caller knows the row by
function write:_change(method, where, set, opts, by, version)
  local entity = self._entity
  blank_defaults(entity, set)
  local expected = support.both(opts.where, version ~= nil and { [entity.version] = version } or nil)
  local rows, err = run(self, method, {
    op = "update", where = support.both(where, expected, support.alive(entity, opts)), set = set,
    returning = true, keep_stamps = opts.keep_stamps, timeout = opts.timeout,
  })
  if not rows then return nil, err end
  if rows[1] then return rows[1] end
  return unchanged(self, method, support.both(where, support.alive(entity, opts)), expected, by)
end

-- The same by the key, and with what opts.include asks for.
local function changed(store, method, where, set, opts, version)
  local key = store._entity.key
  if opts.include == nil then return store:_change(method, where, set, opts, key, version) end
  return include.after(store, method, opts, function()
    return store:_change(method, where, set, opts, key, version)
  end)
end

local function key_of(entity, method, row)
  local where, missing = {}, nil
  for _, name in ipairs(entity.key) do
    if row[name] == nil or row[name] == null then
      missing = missing or {}
      missing[name] = "is required"
    end
    where[name] = row[name]
  end
  if missing then return errors.invalid(missing, nil, { store = entity.full, op = method }) end
  return where
end

-- The values of the row's key, and behind them what to set: the arguments of the core's calls by key.
local function key_before(entity, row, set)
  local key, n = entity.key, entity.nkey
  if n == 1 then return row[key[1]], set end
  if n == 2 then return row[key[1]], row[key[2]], set end
  local args = {}
  for i = 1, n do args[i] = row[key[i]] end
  args[n + 1] = set
  return unpack(args, 1, n + 1)
end

-- The core's call by key changed no row.
local function not_changed(store, method, err, where)
  if err.code ~= "not_found" then return nil, err end
  return unchanged(store, method, where, nil, store._entity.key)
end

---@class larder.UpdateOptions
---@field only? string[]       these fields alone
---@field where? larder.Where  change the row only while this holds, else `conflict` (optimistic locking)
---@field keep_stamps? boolean write update stamps as given, or leave them
---@field include? larder.Include  rows of other stores, read in the same transaction
---@field with_deleted? boolean
---@field timeout? number

--- Replace the row with the same key: a field that is absent becomes its default or null. Key, immutable and
-- stamp fields stay, and so do secrets that are not named. Where the store counts versions and the row names its own, a row that was
-- changed meanwhile is a `conflict`.
---@param row table
---@param opts? larder.UpdateOptions
---@return table|nil row  as stored
---@return larder.Error? err  `not_found` when there is none
function write:update(row, opts)
  local entity = entities[self] or entity_of(self, "update")
  support.check_row(self, "update", row)
  if getmetatable(row) ~= nil then misuse.check_shape(row, "record", entity.full .. ":update: a row") end
  opts = support.options(self, "update", opts, UPDATE_OPTIONS)
  check_only(self, "update", opts.only)
  local set = opts.only and part_of(entity, row, opts.only) or replacement(entity, row, opts.keep_stamps)
  if opts == NONE and entity.patches and self.db._plain then
    local made, failed = self._core:update(key_before(entity, row, set))
    if made == PENDING then made, failed = settle(self._wait, made, failed) end
    if made ~= nil then return made end
    if failed ~= nil then return not_changed(self, "update", failed, key_of(entity, "update", row)) end
  end
  local where, err = key_of(entity, "update", row)
  if not where then return nil, err end
  return changed(self, "update", where, set, opts, entity.version and row[entity.version])
end
careful[write.update] = true

-- With options, with listeners, with nothing to change, or where the row's state matters.
local function patch_with_options(store, ...)
  local entity = store._entity
  local where, changes = support.conditions(store, "patch", entity.key, entity.nkey, ...)
  misuse.check_shape(changes, "record", entity.full .. ":patch: the table of changes behind the key")
  support.no_more(store, "patch", entity.nkey + 2, ...)
  local opts = support.options(store, "patch", (select(entity.nkey + 2, ...)), PATCH_OPTIONS)
  local set = {}
  for name, value in next, changes do set[name] = value end
  local version = entity.version and set[entity.version]
  if version ~= nil and entity.version then set[entity.version] = nil end
  if next(set) == nil and not opts.where then return store:find(where, { include = opts.include }) end
  return changed(store, "patch", where, set, opts, version)
end

--- Change some fields: `patch(key…, { name = "New", logins = larder.increment() })`.
---@param ... any  the key's fields in order, the changes, options as of update
---@return table|nil row  as stored
---@return larder.Error? err  `not_found` when there is none
function write:patch(...)
  local entity = entities[self] or entity_of(self, "patch")
  if entity.patches and self.db._plain then
    local row, err = self._core:patch(...)
    if row == PENDING then row, err = settle(self._wait, row, err) end
    if row ~= nil then return row end
    if err ~= nil then
      return not_changed(self, "patch", err, support.conditions(self, "patch", entity.key, entity.nkey, ...))
    end
  end
  return patch_with_options(self, ...)
end
careful[write.patch] = true

--- Change all rows that match.
---@param where larder.Where
---@param changes table
---@param opts? { timeout?: number, with_deleted?: boolean }
---@return integer|nil n
---@return larder.Error? err
function write:update_where(where, changes, opts)
  support.check_where(self, "update_where", where)
  misuse.check_shape(changes, "record", self._entity.full .. ":update_where: the table of changes")
  opts = support.options(self, "update_where", opts, WHERE_OPTIONS)
  return run(self, "update_where", {
    op = "update", where = support.both(where, support.alive(self._entity, opts)), set = changes,
    timeout = opts.timeout,
  })
end

-- ---- delete ----

--- The changes that mark a row as deleted, or take the mark away. The first mark stays.
local function mark(store, deleted)
  local rules, set = store._entity.soft, {}
  for name, value in pairs((deleted and rules.set or rules.unset) or {}) do set[name] = value end
  set[rules.field] = deleted and expr.coalesce(store.db:now()) or null
  return set
end

local function remove(store, method, where, opts, hard)
  local entity = store._entity
  local op
  if hard or not entity.hides then
    op = { op = "delete", where = where }
  else
    op = { op = "update", where = support.both(where, entity.soft.alive), set = mark(store, true) }
  end
  op.timeout = opts.timeout
  return run(store, method, op)
end

local function counted(n, err)
  if not n then return nil, err end
  return true, n
end

--- Delete by key; a row that is not there is no error. Where deleted rows are hidden, the row is only marked.
---@param ... any
---@return true|nil
---@return integer|larder.Error n  number of rows
function write:delete(...)
  local entity = self._entity
  local where, opts = support.conditions(self, "delete", entity.key, entity.nkey, ...)
  support.no_more(self, "delete", entity.nkey + 1, ...)
  return counted(remove(self, "delete", where, support.options(self, "delete", opts, DELETE_OPTIONS)))
end

--- Delete all rows that match.
---@param where larder.Where
---@param opts? { timeout?: number }
---@return integer|nil n
---@return larder.Error? err
function write:delete_where(where, opts)
  support.check_where(self, "delete_where", where)
  return remove(self, "delete_where", where, support.options(self, "delete_where", opts, DELETE_OPTIONS))
end

-- Only stores with a soft-delete field have these.
local soft = {}

local function marking(method, deleted)
  return function(self, ...)
    local entity = self._entity
    local where, opts = support.conditions(self, method, entity.key, entity.nkey, ...)
    support.no_more(self, method, entity.nkey + 1, ...)
    opts = support.options(self, method, opts, DELETE_OPTIONS)
    return counted(run(self, method, {
      op = "update", where = where, set = mark(self, deleted), timeout = opts.timeout,
    }))
  end
end

--- Mark as deleted; the row stays.
---@return true|nil
---@return integer|larder.Error n
soft.soft_delete = marking("soft_delete", true)

--- Take the mark away.
---@return true|nil
---@return integer|larder.Error n
soft.restore = marking("restore", false)

--- Delete for good.
---@return true|nil
---@return integer|larder.Error n
function soft:purge(...)
  local entity = self._entity
  local where, opts = support.conditions(self, "purge", entity.key, entity.nkey, ...)
  support.no_more(self, "purge", entity.nkey + 1, ...)
  return counted(remove(self, "purge", where, support.options(self, "purge", opts, DELETE_OPTIONS), true))
end

--- Delete for good all rows that match, marked as deleted or not: `purge_where { deleted_at = { lt = "2026-01-01T00:00:00Z" } }`.
---@param where larder.Where
---@param opts? { timeout?: number }
---@return integer|nil n
---@return larder.Error? err
function soft:purge_where(where, opts)
  support.check_where(self, "purge_where", where)
  return remove(self, "purge_where", where, support.options(self, "purge_where", opts, DELETE_OPTIONS), true)
end

return { methods = write, soft = soft }
