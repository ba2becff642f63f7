--- Writing: the generic methods that every store has.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local include = require "larder.store.include"
local nested = require "larder.store.nested"
local support = require "larder.store.support"

local run, settle = support.run, support.settle
local null = core.null

local UPDATE_OPTIONS = support.names("only", "where", "keep_stamps", "with_deleted", "timeout",
  "include")
local PATCH_OPTIONS = support.names("where", "keep_stamps", "with_deleted", "timeout", "include")
local UPSERT_OPTIONS = support.names("key", "set", "only", "timeout", "include")
local MANY_OPTIONS = support.names("on_conflict", "skip_duplicates", "returning", "timeout")
local WHERE_OPTIONS = support.names("timeout", "with_deleted")
local DELETE_OPTIONS = support.names("timeout")

---@class larder.Store
local write = {}

-- ---- insert ----

--- Insert a row. Under the name of a relation it may hold rows of another store (`posts = { { … }, … }`), which are created with
-- it, all or nothing: they get its key.
---@param row table  absent fields take their defaults
---@param opts? { include?: larder.Include, timeout?: number }
---@return table|nil row  as stored, with defaults and stamps
---@return larder.Error? err
function write:create(row, opts)
  if type(row) ~= "table" then error("create needs a row", 2) end
  support.check_options(opts, nested.OPTIONS, 2)
  local entity = self._entity
  if opts and opts.include ~= nil or entity.nests and nested.has(entity, row) then
    return nested.create(self, row, opts)
  end
  if entity.blanks then row = support.without_blanks(entity, row) end
  local time = opts and opts.timeout
  if self.db._plain then return settle(self._wait, self._core:create(row, time and opts)) end
  return self.db:_guarded({ store = entity.full, op = "create" }, time, function(timeout)
    return settle(self._wait, self._core:create(row, { timeout = timeout }))
  end)
end

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
  if type(rows) ~= "table" then error("create_many needs a list of rows", 2) end
  support.check_options(opts, MANY_OPTIONS, 2)
  opts = opts or {}
  if #rows == 0 then return opts.returning and {} or 0 end
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
local function target_of(entity, key)
  if key == nil then return nil end
  local wanted = type(key) == "table" and table.concat(key, ",") or key
  for _, unique in ipairs(entity.uniques) do
    if unique.name == wanted or unique.by == wanted or unique.by_all == wanted then return unique.name end
  end
  error(("no unique of %s is called %q"):format(entity.full, tostring(wanted)), 3)
end

--- Insert the row, or change the one that is in its way.
---@param row table
---@param opts? { key?: string|string[], set?: table, only?: string[], timeout?: number, include?: larder.Include }
-- key: the unique (its name or fields) that decides; the key by default. set: what to change, with
-- larder.excluded for the proposed row's value; by default every given field, or those in `only`.
---@return table|nil row  as stored
---@return larder.Error? err
function write:upsert(row, opts)
  if type(row) ~= "table" then error("upsert needs a row", 2) end
  support.check_options(opts, UPSERT_OPTIONS, 2)
  opts = opts or {}
  local entity, set = self._entity, opts.set
  if opts.only then
    set = {}
    for _, name in ipairs(opts.only) do set[name] = expr.excluded end
  end
  if entity.blanks then row = support.without_blanks(entity, row) end
  local target = target_of(entity, opts.key)
  return include.after(self, "upsert", opts, function()
    local rows, err = run(self, "upsert", {
      op = "insert", row = row, on_conflict = "update", target = target, set = set, returning = true,
      timeout = opts.timeout,
    })
    if not rows then return nil, err end
    return rows[1]
  end)
end

-- ---- update ----

local GENERATED = { uuid = true, cuid = true, identity = true }

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
  for name, value in pairs(row) do
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
function write:_change(method, where, set, opts, by)
  local entity = self._entity
  blank_defaults(entity, set)
  local rows, err = run(self, method, {
    op = "update", where = support.both(where, opts.where, support.alive(entity, opts)), set = set,
    returning = true, keep_stamps = opts.keep_stamps, timeout = opts.timeout,
  })
  if not rows then return nil, err end
  if rows[1] then return rows[1] end
  if opts.where then
    local n
    n, err = run(self, method, { op = "count", where = support.both(where, support.alive(entity, opts)) })
    if not n then return nil, err end
    if n > 0 then
      return nil, errors.new { code = "conflict", store = entity.full, op = method,
        message = entity.full .. ": the row is not as expected any more" }
    end
  end
  return support.not_found(self, method, by)
end

local function key_of(entity, row)
  local where, missing = {}, nil
  for _, name in ipairs(entity.key) do
    if row[name] == nil or row[name] == null then
      missing = missing or {}
      missing[name] = "is required"
    end
    where[name] = row[name]
  end
  if missing then return errors.invalid(missing, nil, { store = entity.full }) end
  return where
end

---@class larder.UpdateOptions
---@field only? string[]       these fields alone
---@field where? larder.Where  change the row only while this holds, else `conflict` (optimistic locking)
---@field keep_stamps? boolean write update stamps as given, or leave them
---@field include? larder.Include  rows of other stores, read in the same transaction
---@field with_deleted? boolean
---@field timeout? number

--- Replace the row with the same key: a field that is absent becomes its default or null. Key, immutable and
-- stamp fields stay, and so do secrets that are not named.
---@param row table
---@param opts? larder.UpdateOptions
---@return table|nil row  as stored
---@return larder.Error? err  `not_found` when there is none
function write:update(row, opts)
  if type(row) ~= "table" then error("update needs a row", 2) end
  support.check_options(opts, UPDATE_OPTIONS, 2)
  opts = opts or {}
  local entity = self._entity
  local where, err = key_of(entity, row)
  if not where then return nil, err end
  local set = opts.only and part_of(entity, row, opts.only) or replacement(entity, row, opts.keep_stamps)
  return include.after(self, "update", opts, function() return self:_change("update", where, set, opts, entity.key) end)
end

--- Change some fields: `patch(key…, { name = "New", logins = larder.increment() })`.
---@param ... any  the key's fields in order, the changes, options as of update
---@return table|nil row  as stored
---@return larder.Error? err  `not_found` when there is none
function write:patch(...)
  local entity = self._entity
  local where, changes = support.conditions(entity.key, entity.nkey, ...)
  local opts = (select(entity.nkey + 2, ...))
  if type(changes) ~= "table" then error("patch needs the key and a table of changes", 2) end
  support.check_options(opts, PATCH_OPTIONS, 2)
  local set = {}
  for name, value in pairs(changes) do set[name] = value end
  if next(set) == nil then return self:find(where, { include = opts and opts.include }) end
  return include.after(self, "patch", opts, function()
    return self:_change("patch", where, set, opts or {}, entity.key)
  end)
end

--- Every row must be meant: an empty condition is refused.
local function check_where(where, method)
  if type(where) ~= "table" then error(method .. " needs a condition", 3) end
  if next(where) == nil and getmetatable(where) == nil then
    error(method .. " needs a condition; larder.all {} stands for every row", 3)
  end
end

--- Change all rows that match.
---@param where larder.Where
---@param changes table
---@param opts? { timeout?: number, with_deleted?: boolean }
---@return integer|nil n
---@return larder.Error? err
function write:update_where(where, changes, opts)
  check_where(where, "update_where")
  support.check_options(opts, WHERE_OPTIONS, 2)
  return run(self, "update_where", {
    op = "update", where = support.both(where, support.alive(self._entity, opts)), set = changes,
    timeout = opts and opts.timeout,
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
  op.timeout = opts and opts.timeout
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
  local where, opts = support.conditions(entity.key, entity.nkey, ...)
  support.check_options(opts, DELETE_OPTIONS, 2)
  return counted(remove(self, "delete", where, opts))
end

--- Delete all rows that match.
---@param where larder.Where
---@param opts? { timeout?: number }
---@return integer|nil n
---@return larder.Error? err
function write:delete_where(where, opts)
  check_where(where, "delete_where")
  support.check_options(opts, DELETE_OPTIONS, 2)
  return remove(self, "delete_where", where, opts)
end

-- Only stores with a soft-delete field have these.
local soft = {}

local function marking(method, deleted)
  return function(self, ...)
    local entity = self._entity
    local where, opts = support.conditions(entity.key, entity.nkey, ...)
    support.check_options(opts, DELETE_OPTIONS, 2)
    return counted(run(self, method, {
      op = "update", where = where, set = mark(self, deleted), timeout = opts and opts.timeout,
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
  local where, opts = support.conditions(entity.key, entity.nkey, ...)
  support.check_options(opts, DELETE_OPTIONS, 2)
  return counted(remove(self, "purge", where, opts, true))
end

return { methods = write, soft = soft }
