--- Stores whose table is partitioned by time: `partition = { by = "timestamp", every = "month" }` in the declaration.
-- Partitions are made ahead and old ones detached by calls, so that a program or a cron job decides when. A store in
-- memory has no partitions: there ensure_partitions does nothing, and detach_partitions deletes the rows.
--
-- A partition is called after its table and its first day: audit_logs_2026_11. Tables of other names are left alone.

local core = require "larder.core"
local errors = require "larder.base.errors"
local options = require "larder.base.options"
local support = require "larder.store.support"

local partitions = {}

local ENSURE_OPTIONS = options.set { ahead = "count", back = "count" }
local DETACH_OPTIONS = options.set { before = "any", drop = "boolean" }
local EVERY = support.names("day", "month", "year")
local MAX_AHEAD = 1000

---@class larder.PartitionDeclaration
---@field by string     a timestamptz field of the key
---@field every "day"|"month"|"year"

--- Is the declaration of a store's partitions right? Raises.
---@param entity table
---@param decl larder.PartitionDeclaration|nil
---@param fail fun(where: string, fmt: string, ...)
function partitions.check(entity, decl, fail)
  if decl == nil then return end
  local field = type(decl) == "table" and entity.fields[decl.by]
  if not field or field.type ~= "timestamptz" then
    fail(entity.full, "partition.by must name a timestamptz field")
  end
  if not EVERY[decl.every] then fail(entity.full, 'partition.every must be "day", "month" or "year"') end
  for name in pairs(decl) do
    if name ~= "by" and name ~= "every" then fail(entity.full, "partition has no entry %s", tostring(name)) end
  end
end

-- ---- calendar ----

local function date_of(time)
  local us = core.time_parse(time)
  if not us then error("a time is expected", 3) end
  local y, m, d = core.time_format(us):match "^(%d+)-(%d+)-(%d+)"
  if not y then error("a time after the year 0 is expected", 3) end
  return tonumber(y), tonumber(m), tonumber(d)
end

-- The n-th period from the one that holds a time, as year, month, day of its first day.
local function shifted(every, y, m, d, n)
  if every == "year" then return y + n, 1, 1 end
  if every == "month" then
    local months = y * 12 + (m - 1) + n
    return math.floor(months / 12), months % 12 + 1, 1
  end
  local us = core.time_parse(("%04d-%02d-%02dT00:00:00Z"):format(y, m, d))
  local moved = core.time_format(tonumber(us) + n * 86400 * 1000000)
  local yy, mm, dd = moved:match "^(%d+)-(%d+)-(%d+)"
  return tonumber(yy), tonumber(mm), tonumber(dd)
end

local NAMES = { year = "%s_%04d", month = "%s_%04d_%02d", day = "%s_%04d_%02d_%02d" }
local PATTERNS = { year = "_(%d%d%d%d)$", month = "_(%d%d%d%d)_(%d%d)$", day = "_(%d%d%d%d)_(%d%d)_(%d%d)$" }

local function start_of(y, m, d)
  return ("%04d-%02d-%02dT00:00:00Z"):format(y, m or 1, d or 1)
end

-- ---- the catalogue ----

local quoted = core.sql_name

-- Names are the declaration's own.
local function table_of(store)
  return core.sql_path(store._entity.table)
end

-- The column that says where a row belongs.
local function by_column(entity)
  local by = entity.partition.by
  return quoted(entity.fields[by].column or by)
end

local function qualified(schema, name)
  return (schema and quoted(schema) .. "." or "") .. quoted(name)
end

local LIVE = [[
select c.relname::text as name, coalesce(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', false) as is_default
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass($1)
order by c.relname]]

local function live(store, parent)
  local rows, err = store.db:query(LIVE, parent)
  if not rows then return nil, err end
  local names, default = {}, nil
  for _, row in ipairs(rows) do
    names[#names + 1] = row.name
    names[row.name] = true
    if row.is_default then default = row.name end
  end
  return names, default
end

-- All but those that the server generates.
local GIVEN = [[
select string_agg(quote_ident(attname), ', ' order by attnum) as list
from pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '']]

-- Rows of the period that lie in the default partition move along.
local function make(store, schema, name, parent, default, from, to)
  local db, by = store.db, by_column(store._entity)
  local new = qualified(schema, name)
  assert(db:query(("create table %s (like %s including all)"):format(new, parent)))
  if default then
    local given = assert(db:query(GIVEN, parent))[1].list
    local move = "with moved as (delete from %s where %s >= $1 and %s < $2 returning *) "
      .. "insert into %s (%s) overriding system value select %s from moved"
    assert(db:query(move:format(qualified(schema, default), by, by, new, given, given), from, to))
  end
  assert(db:query(("alter table %s attach partition %s for values from ('%s') to ('%s')"):format(parent, new, from, to)))
end

-- ---- methods ----

local methods = {}

local function count_of(opts, name, default)
  local n = opts and opts[name]
  if n == nil then return default end
  if type(n) ~= "number" or n < 0 or n > MAX_AHEAD or n % 1 ~= 0 then
    error(("ensure_partitions: %s must be a whole number up to %d"):format(name, MAX_AHEAD), 3)
  end
  return n
end

--- Locks the table itself, not its partitions.
local function lock_table(store, mode)
  assert(store.db:query(("lock table only %s in %s mode"):format(qualified(table_of(store)), mode)))
end

-- One at a time makes or detaches; readers and writers are not held up.
local function take_turn(store) lock_table(store, "share update exclusive") end

local function ensure(store, back, ahead)
  local schema, name = table_of(store)
  local parent, every = qualified(schema, name), store._entity.partition.every
  take_turn(store)
  local names, default = assert(live(store, parent))
  local y, m, d = date_of(store.db:now())
  local made = {}
  for n = -back, ahead do
    local fy, fm, fd = shifted(every, y, m, d, n)
    local child = NAMES[every]:format(name, fy, fm, fd)
    if not names[child] then
      -- Attaching locks the default partition. A writer that waits for it has chosen it already, and its row would be refused;
      -- one that waits for the table chooses afterwards.
      if default and #made == 0 then lock_table(store, "access exclusive") end
      make(store, schema, child, parent, default, start_of(fy, fm, fd), start_of(shifted(every, fy, fm, fd, 1)))
      made[#made + 1] = child
    end
  end
  return made
end

--- Make the partitions of the present period and of those to come; what is there stays. In one transaction.
---@param opts? { ahead?: integer, back?: integer }  periods ahead (3) and back (0)
---@return string[]|nil made  their names; empty when all were there
---@return larder.Error? err
function methods:ensure_partitions(opts)
  opts = support.options(self, "ensure_partitions", opts, ENSURE_OPTIONS)
  local ahead, back = count_of(opts, "ahead", 3), count_of(opts, "back", 0)
  if self.db:kind() == "memory" then return {} end
  return support.atomic(self.db, nil, function() return ensure(self, back, ahead) end)
end

local function is_before(child, every, limit)
  local y, m, d = child:match(PATTERNS[every])
  if not y then return false end
  local to = start_of(shifted(every, tonumber(y), tonumber(m or 1), tonumber(d or 1), 1))
  return core.time_parse(to) <= core.time_parse(limit)
end

local function detach(store, limit, drop)
  local schema, name = table_of(store)
  local parent, spec = qualified(schema, name), store._entity.partition
  take_turn(store)
  local names, default = assert(live(store, parent))
  local gone = {}
  for _, child in ipairs(names) do
    if child ~= default and is_before(child, spec.every, limit) then
      assert(store.db:query(("alter table %s detach partition %s"):format(parent, qualified(schema, child))))
      if drop then assert(store.db:query(("drop table %s"):format(qualified(schema, child)))) end
      gone[#gone + 1] = child
    end
  end
  local rows = 0
  if default then
    local _, n = assert(store.db:query(("delete from %s where %s < $1")
          :format(qualified(schema, default), by_column(store._entity)), limit))
    rows = n
  end
  return { partitions = gone, rows = rows }
end

--- Take the periods that end before a time out of the store. Their tables stay, detached, unless `drop` is given. Rows
-- as old that lie in no partition of their own are deleted. In one transaction.
---@param opts { before: string|number, drop?: boolean }
---@return { partitions: string[], rows: integer }|nil done  names detached; rows deleted
---@return larder.Error? err
function methods:detach_partitions(opts)
  if type(opts) ~= "table" or opts.before == nil then error("detach_partitions needs { before = time }", 2) end
  opts = support.options(self, "detach_partitions", opts, DETACH_OPTIONS)
  if not core.time_parse(opts.before) then
    return errors.invalid({ before = "is not a time" }, nil, { store = self._entity.full, op = "detach_partitions" })
  end
  local spec = self._entity.partition
  local y, m, d = date_of(opts.before)
  local limit = start_of(shifted(spec.every, y, m, d, 0))
  if self.db:kind() == "memory" then
    local n, err = self:run({ op = "delete", where = { [spec.by] = { lt = limit } } }, "detach_partitions")
    if not n then return nil, err end
    return { partitions = {}, rows = n }
  end
  return support.atomic(self.db, nil, function() return detach(self, limit, opts.drop) end)
end

partitions.methods = methods
return partitions
