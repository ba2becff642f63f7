--- Imports that go on where a killed process stopped. The table larder.imports says how far each file has come, and that is
-- committed in the transaction of the chunk itself: no row is lost and none comes twice.

local core = require "larder.core"
local errors = require "larder.base.errors"

local BLOCK = 1024 * 1024

local imports = {}

-- ---- the record ----

local TABLE = [[
create table if not exists larder.imports (
  id             text                     not null,
  family         text                     not null,
  store          text                     not null,
  file           text                     not null,
  bytes          bigint                   not null,
  next_offset    bigint                   not null default 0,
  next_line      bigint                   not null default 0,
  records        bigint                   not null default 0,
  written        bigint                   not null default 0,
  skipped        bigint                   not null default 0,
  refused        bigint                   not null default 0,
  refused_bytes  bigint                   not null default 0,
  pending        jsonb                    not null default '[]',
  started_at     timestamp with time zone not null default now(),
  finished_at    timestamp with time zone,
  constraint imports_pkey primary key (id)
)]]

--- Make the table, unless it is there.
---@return boolean|nil
---@return larder.Error? err
function imports.prepare(db)
  local rows, err = db:query "select to_regclass('larder.imports') is not null as there"
  if not rows then return nil, err end
  if rows[1].there then return true end
  return db:transaction(function()
    local ok, why = db:query "select pg_advisory_xact_lock(hashtext('larder.imports'))"
    if ok then ok, why = db:query "create schema if not exists larder" end
    if ok then ok, why = db:query(TABLE) end
    if not ok then return nil, why end
    return true
  end)
end

--- Which file it is, by what it holds: a file that was changed is another one.
local function fingerprint(path, full)
  local file, why = io.open(path, "rb")
  if not file then return nil, errors.new { code = "not_found", message = why } end
  local sum, bytes = core.digest(full), 0
  while true do
    local block = file:read(BLOCK)
    if not block then break end
    sum, bytes = core.digest(sum .. block), bytes + #block
  end
  file:close()
  return sum, bytes
end

local function changed_since(path, row)
  return nil, errors.new { code = "conflict", message = ("%s has changed since %d records of it were imported"):format(path, row.records),
    hint = "begin anew with again = true (--again)" }
end

-- Raises nothing, answers the row.
local function find_or_make(db, at, id, bytes, again)
  local other, err = db:query([[
    select id, records from larder.imports
    where family = $1 and store = $2 and file = $3 and finished_at is null and id <> $4]], at.family, at.store, at.path, id)
  if not other then return nil, err end
  if other[1] and not again then return changed_since(at.path, other[1]) end
  local ok, rows
  if again then
    ok, err = db:query("delete from larder.imports where id = $1 or family = $2 and store = $3 and file = $4 and finished_at is null",
      id, at.family, at.store, at.path)
    if not ok then return nil, err end
  end
  ok, err = db:query([[
    insert into larder.imports (id, family, store, file, bytes, refused_bytes) values ($1, $2, $3, $4, $5, $6)
    on conflict (id) do nothing]], id, at.family, at.store, at.path, bytes, at.refused_bytes)
  if not ok then return nil, err end
  rows, err = db:query("select *, finished_at is not null as finished from larder.imports where id = $1", id)
  if not rows then return nil, err end
  return rows[1]
end

--- How far the file of a store has come.
---@param db larder.Db
---@param at { family: string, store: string, path: string, refused_bytes: integer }
---@param again boolean?  begin anew
---@return table|nil row
---@return larder.Error? err
function imports.open(db, at, again)
  local id, bytes = fingerprint(at.path, at.family .. "." .. at.store)
  if not id then return nil, bytes end
  return db:transaction(function() return find_or_make(db, at, id, bytes, again) end)
end

-- ---- loading ----

local resumed = {}
resumed.__index = resumed

local function elsewhere(row)
  return nil, errors.new { code = "locked", message = ("another process imports %s"):format(row.file) }
end

-- Inside the chunk's transaction: is it still ours to go on with?
function resumed:claim()
  local rows, err = self.db:query([[
    select records, finished_at is not null as finished from larder.imports where id = $1 for update]], self.row.id)
  if not rows then return nil, err end
  if not rows[1] or rows[1].finished or rows[1].records ~= self.row.records then return elsewhere(self.row) end
  return true
end

-- What cannot be mended by later rows goes to the file now; what refers to a row that may still come waits.
function resumed:sort_refused(at_end)
  local load, waiting, final = self.load, {}, {}
  for _, item in ipairs(load.refused) do
    local list = not at_end and item.batch and item.err.code == "foreign_key" and waiting or final
    list[#list + 1] = list == final and load:describe(item) or item
  end
  load.refused, load.kept = waiting, load.kept + #final
  for _, item in ipairs(final) do self.handed[#self.handed + 1] = item end
  return self.refused:write(final)
end

function resumed:save(position, at_end)
  local load, pending = self.load, setmetatable({}, core.array_mt)
  for i, item in ipairs(load.refused) do
    pending[i] = { offset = item.place.offset, line = item.place.line, index = item.place.index }
  end
  local ok, err = self.db:query([[
    update larder.imports
    set next_offset = $2, next_line = $3, records = $4, written = $5, skipped = $6, refused = $7, refused_bytes = $8, pending = $9,
        finished_at = case when $10::boolean then now() end
    where id = $1]], self.row.id, position.offset, position.line, position.index, load.written, load.skipped, load.kept,
    self.refused.length, pending, at_end)
  if not ok then return nil, err end
  return true
end

function resumed:step(position, at_end, fn)
  local ok, err = self.db:transaction(function()
    local fine, why = self:claim()
    if fine then fine, why = fn() end
    if fine then fine, why = self:sort_refused(at_end) end
    if fine then fine, why = self:save(position, at_end) end
    if not fine then return nil, why end
    return true
  end)
  if ok then self.row.records = position.index end
  return ok, err
end

-- Rows that waited for others when the last process ended.
function resumed:take_pending()
  for _, place in ipairs(self.row.pending) do
    local batch, bad, places = self.reader.again(place)
    if not batch then return nil, bad end
    if batch:count() == 1 then
      local err = errors.new { code = "foreign_key", store = self.load.store, message = "the row that it refers to is not there" }
      self.load.refused[#self.load.refused + 1] = { batch = batch, place = places(1), err = err }
    end
  end
  return true
end

function resumed:go_on()
  local row, load = self.row, self.load
  load.read, load.written, load.skipped, load.kept = row.records, row.written, row.skipped, row.refused
  local ok, err = self.refused:continue(row.refused_bytes)
  if not ok then return nil, err end
  if row.finished or row.records == 0 then return true end
  ok, err = self:take_pending()
  if not ok then return nil, err end
  return self.reader.records:seek { offset = row.next_offset, line = row.next_line, index = row.records }
end

--- Load what is left of a reader.
---@param self { db: larder.Db, row: table, load: table, reader: table, refused: table, handed: table[] }
---@param chunk integer
---@param tick fun(done: integer, total: integer)
---@return boolean|nil
---@return larder.Error? err
function imports.run(self, chunk, tick)
  setmetatable(self, resumed)
  local ok, err = self:go_on()
  if not ok then return nil, err end
  if self.row.finished then return true end
  local load, reader = self.load, self.reader
  while true do
    local batch, bad, place = reader.next(chunk)
    local position = reader.records:position()
    if not batch then
      if bad then return nil, bad end
      return self:step(position, true, function() return load:retry_references() end)
    end
    ok, err = self:step(position, false, function() return load:take(batch, bad, place) end)
    if not ok then return nil, err end
    tick(reader.done(), reader.total)
  end
end

return imports
