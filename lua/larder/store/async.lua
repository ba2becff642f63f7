--- Rows that nobody waits for: `store:insert_async(row)`. One writer a database, made when the first row comes; the guarantees
-- are in docs/async-writes.md.

local core = require "larder.core"
local errors = require "larder.base.errors"
local events = require "larder.base.events"
local misuse = require "larder.base.misuse"
local support = require "larder.store.support"
local wait = require "larder.base.wait"

local async = {}

local REJECTED = 16 -- rows in the list of refused ones

---@class larder.WriterOptions
---@field queue? integer  rows of one store that may wait in memory (10,000)
---@field queue_bytes? integer  and how large they may be together (64 MiB): the row that reaches it is the last one with room
---@field policy? "error"|"block"|"drop"|"spill"  when there is no room: refuse the row ("error", the default), wait for room,
-- forget the row and count it, or write it into the spill directory
---@field batch? integer  rows a statement at most (500)
---@field interval? number  seconds that a row waits for company (0.2)
---@field timeout? number  seconds that a statement may take, and a caller may wait for room (5)
---@field spill? string  directory for rows that find no room ("spill") or no server before the end (every policy), and for dead letters
---@field spill_bytes? integer  bytes that this process' rows may take there, and all dead letters (1 GiB each)
---@field close_timeout? number  seconds that closing may take to write what waits (5)

---@class larder.WriterStoreStats
---@field queued integer      rows accepted
---@field written integer
---@field duplicates integer  their key was there already
---@field rejected integer    refused by the database: dead letters
---@field spilled integer     written into the spill directory
---@field replayed integer    read from it
---@field dropped integer     lost: no room with the policy "drop", or no server and no directory at the end
---@field batches integer     statements
---@field retries integer     statements that failed and were tried again
---@field depth integer       rows that wait in memory
---@field bytes integer       their size
---@field in_file integer     rows that wait in the spill directory
---@field oldest_age number   seconds that the oldest row in memory has waited
---@field parked boolean      it cannot be written
---@field err? larder.Error   why

---@class larder.WriterStats  sums over all stores
---@field queued integer
---@field written integer
---@field duplicates integer
---@field rejected integer
---@field spilled integer
---@field replayed integer
---@field dropped integer
---@field batches integer
---@field retries integer
---@field depth integer
---@field bytes integer
---@field in_file integer
---@field oldest_age number
---@field parked integer        stores that cannot be written
---@field damaged integer       places of files that could not be read
---@field letters_lost integer  refused rows for which there was no room among the dead letters
---@field unclaimed integer     files of families that are not declared here
---@field last_error? larder.Error
---@field rejected_rows { store: string, key: table?, err: larder.Error }[]  the last 16, the newest last
---@field stores table<string, larder.WriterStoreStats>  by name: "shop.items"

-- ---- options ----

local POLICIES = support.names("error", "block", "drop", "spill")
local DEFAULTS = {
  queue = 10000, queue_bytes = 64 * 1024 * 1024, policy = "error", batch = 500, interval = 0.2, timeout = 5, close_timeout = 5,
}
local MAX_ROWS, MAX_BYTES = 10000000, 2 ^ 40

local function up_to(max)
  return function(v) return type(v) == "number" and v >= 1 and v <= max and v == math.floor(v) end
end

local is_count, is_size = up_to(MAX_ROWS), up_to(MAX_BYTES)

local function is_seconds(v)
  return type(v) == "number" and v >= 0 and v <= 1e6
end

local function is_limit(v)
  return is_seconds(v) and v > 0
end

local function is_policy(v)
  return POLICIES[v] == true
end

local function is_path(v)
  return type(v) == "string" and v ~= "" and not v:find "%z"
end

local CHECKS = {
  queue = { is_count, "a number of rows" }, queue_bytes = { is_size, "a number of bytes" }, batch = { is_count, "a number of rows" },
  interval = { is_seconds, "seconds" }, timeout = { is_limit, "seconds, more than 0" }, close_timeout = { is_seconds, "seconds" },
  policy = { is_policy, "error, block, drop or spill" }, spill = { is_path, "a path" }, spill_bytes = { is_size, "a number of bytes" },
}

--- The settings of a writer. Raises on what is no setting.
---@param opts? larder.WriterOptions
---@return larder.WriterOptions
function async.options(opts)
  local settings = {}
  for name, value in pairs(DEFAULTS) do settings[name] = value end
  if opts ~= nil then misuse.check_shape(opts, "record", "writer") end
  for name, value in next, opts or {} do
    local check = CHECKS[name]
    if not check then misuse.raise("writer has no option %q%s", name, misuse.hint(name, misuse.names(CHECKS))) end
    if not check[1](value) then misuse.raise("writer.%s must be %s, not %s", name, check[2], tostring(value)) end
    settings[name] = value
  end
  if settings.policy == "spill" and not settings.spill then
    misuse.raise "the writer's policy spill needs a directory: writer.spill"
  end
  return settings
end

-- ---- the writer ----

-- Families are made of stores, so larder.family knows this module, and says here how a family is found.
local find_family

---@param find fun(name: string): larder.Family  raises when there is none
function async.find_families_by(find)
  find_family = find
end

--- A family that is declared by now becomes known to the writer. false: it is not declared.
---@param writer any
---@param name string
---@return boolean
function async.declare(writer, name)
  local found, made = pcall(find_family, name)
  return found and writer:know(made.schema) == true
end

--- Families whose rows lie in the spill directory: the writer must know them to write them.
-- One that is not declared (yet) stays there.
local function introduce(writer)
  for _, name in ipairs(writer:unknown()) do async.declare(writer, name) end
end

local function writer_of(db)
  if db._writer then return db._writer end
  local writer, err = db._engine:writer(db._writer_options)
  if not writer then return nil, err end
  db._writer = writer
  db:_before_close(function() async.close(db) end)
  introduce(writer)
  return writer
end

--- The writer of a database; made with its first use.
---@param db larder.Db
---@return any writer
---@return larder.Error? err
function async.writer(db)
  return writer_of(db)
end

--- A database that was just opened begins with what an earlier process left in its spill directory.
---@param db larder.Db
---@return larder.Db|nil
---@return larder.Error? err  the directory cannot be used
function async.resume(db)
  if not db._writer_options.spill or db:kind() == "memory" then return db end
  local writer, err = writer_of(db)
  local ok = writer
  if writer and writer:leftover() then ok, err = writer:flush() end
  if ok then return db end
  db:close()
  return nil, err
end

--- A family was opened on db: its rows may lie in the spill directory.
function async.know(db, schema)
  if db._writer then db._writer:know(schema) end
end

-- What happened in the writer's threads is told from the thread of Lua alone: when the next row comes, and when somebody asks.
local function report(db)
  local list = db._rejected
  for _, row in ipairs(db._writer:rejects()) do
    list[#list + 1] = row
    if #list > REJECTED then table.remove(list, 1) end
    events.emit(db, "error", { store = row.store, op = "insert_async", duration = 0, err = row.err })
  end
  for _, news in ipairs(db._writer:news()) do
    local name = news.parked and "parked" or "resumed"
    events.emit(db, name, { store = news.store, op = "insert_async", duration = 0, err = news.err })
  end
end

--- Ask until the answer is not false; false when the seconds have passed.
local function poll(db, seconds, ask)
  local deadline, pause = seconds and core.clock() + seconds, 0.001
  while true do
    local answer, err = ask()
    if answer ~= false then return answer, err end
    local left = deadline and deadline - core.clock() or pause
    if left <= 0 then return false end
    wait.sleep(db._wait, math.min(pause, left))
    pause = math.min(pause * 2, 0.02)
  end
end

-- ---- insert ----

local function full(store)
  return nil, errors.new {
    code = "capacity", store = store._entity.full, op = "insert_async", message = "the writer's queue is still full",
  }
end

--- Policy "block", or a disk that is behind: wait for room, then try again.
local function push(store, writer, row)
  local db = store.db
  local deadline
  while true do
    local ok, extra = writer:push(store._core, row)
    if ok ~= "full" then return ok, extra end
    deadline = deadline or core.clock() + db._writer_options.timeout
    local left = deadline - core.clock()
    if left <= 0 or not poll(db, left, function() return writer:room(store._core) end) then return full(store) end
  end
end

local function insert(store, row)
  local db = store.db
  local writer, err = writer_of(db)
  if not writer then return nil, err end
  if store._entity.blanks then row = support.without_blanks(store._entity, row) end
  local ok, extra = push(store, writer, row)
  if not ok then return nil, extra end
  if extra then report(db) end
  return true
end

---@class larder.Store
local methods = {}

--- Have a row inserted later, outside of any transaction. Defaults and stamps are made and the row is checked now. A row whose key
-- exists by then is left as it is.
---@param row table  the key must be given or have a default that larder makes
---@return true|nil accepted
---@return larder.Error? err  `invalid`, `capacity` (no room), `unsupported` (a key that the server numbers)
function methods:insert_async(row, ...)
  support.check_row(self, "insert_async", row)
  support.no_more(self, "insert_async", 1, row, ...)
  if self.db._is_view then
    return nil, errors.new {
      code = "unsupported", store = self._entity.full, op = "insert_async",
      message = "rows that are written later cannot run as a tenant or role", hint = "use the database's own store",
    }
  end
  if self.db._plain then return insert(self, row) end
  return events.timed(self.db, { store = self._entity.full, op = "insert_async" }, insert, self, row)
end

--- Wait until every row accepted so far is written or refused; the same for all stores of a database.
---@param timeout? number  seconds; none: as long as it takes
---@return true|nil
---@return larder.Error? err  `timeout`
function methods:flush(timeout)
  return async.flush(self.db, timeout)
end

--- Counters of the database's writer.
---@return larder.WriterStats
function methods:writer_stats()
  return async.stats(self.db)
end

async.methods = methods

-- ---- flush, observation, the end ----

-- patient: wait for stores that cannot be written, too.
local function flush(db, timeout, patient)
  local writer = db._writer
  introduce(writer)
  local position, err = writer:flush()
  if not position then return nil, err end
  local done
  done, err = poll(db, timeout, function()
    local answer, why = writer:flushed(position)
    if answer == "parked" and patient then return false end
    return answer, why
  end)
  report(db)
  if done == true or err then return done, err end
  return nil, errors.new { code = "timeout", op = "flush", message = "rows still wait to be written" }
end

---@param db larder.Db
---@param timeout? number  required inside a transaction
---@return true|nil
---@return larder.Error? err
function async.flush(db, timeout)
  if timeout ~= nil and not is_seconds(timeout) then misuse.raise("db:flush takes a number of seconds, not %s", misuse.kind(timeout)) end
  if timeout == nil and db:in_transaction() then
    return errors.invalid(nil, "flush needs a timeout inside a transaction: a row may wait for what the transaction locks",
      { op = "flush" })
  end
  if not db._writer then return true end
  return flush(db, timeout, true)
end

local NONE = {
  "queued", "written", "duplicates", "rejected", "spilled", "replayed", "dropped", "batches", "retries", "damaged", "depth",
  "bytes", "in_file", "oldest_age", "parked", "unclaimed", "letters_lost",
}

---@param db larder.Db
---@return larder.WriterStats
function async.stats(db)
  local stats = {}
  if db._writer then
    report(db)
    stats = db._writer:stats()
  else
    for _, name in ipairs(NONE) do stats[name] = 0 end
  end
  stats.stores = db._writer and db._writer:stores() or {}
  stats.rejected_rows = {}
  for i, row in ipairs(db._rejected) do stats.rejected_rows[i] = row end
  return stats
end

--- Write what waits, then end. In an event loop the waiting is the loop's; what is left after it goes to the spill directory. A store
-- that cannot be written is not waited for.
---@param db larder.Db
function async.close(db)
  local writer = db._writer
  local before = writer:stats()
  if before.depth + before.in_file > 0 then flush(db, db._writer_options.close_timeout, false) end
  report(db)
  writer:close(0)
  local lost = writer:stats().dropped - before.dropped
  if lost == 0 then return end
  events.emit(db, "error", { op = "insert_async", duration = 0, err = errors.new {
    code = "closed", op = "insert_async",
    message = ("%d rows were not written before the database was closed"):format(lost),
  } })
end

return async
