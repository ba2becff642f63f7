--- Moving whole families between memory, PostgreSQL and plain Lua tables.
--
-- Rows travel as packed batches that only C reads and writes; Lua drives the loop, so it can report, bisect and stop.
-- Stores go in declaration order, in which the targets of references come first.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local rebuild = require "larder.transfer.rebuild"

local CHUNK = 5000
local MAX_REFUSED = 10000
local REBUILD_FROM = 10000 -- rows from which indexes are cheaper to make again than to keep

-- What a target says about a row, and not about the world.
local ROW_FAULTS = { conflict = true, foreign_key = true, check = true, not_null = true, invalid = true }

-- ---- sources: each hands out batches of one store ----

-- Which row of the source is the i-th of a batch that begins at `first`, when those in `bad` were left out.
local function placing(first, bad)
  return function(i)
    local index = first + i - 1
    for _, item in ipairs(bad) do
      if item.index <= index then index = index + 1 end
    end
    return index
  end
end

local function table_source(tables)
  local source = {}

  function source.open(family, store)
    local of_family = tables[family.name] or {}
    local rows, at = of_family[store] or {}, 1
    local reader = { total = #rows }
    function reader.next(max)
      if at > #rows then return nil end
      local first, last = at, math.min(at + max - 1, #rows)
      local batch, refused = core.batch(family.schema, store, rows, first, last)
      at = last + 1
      return batch, refused, placing(first, refused)
    end
    function reader.close() end
    return reader
  end

  function source.within(fn) return fn() end

  return source
end

local function scan_reader(cstore, total)
  local scan, err = cstore:scan()
  if not scan then return nil, err end
  return {
    total = total,
    next = function(max) return scan:next(max) end,
    close = function() scan:close() end,
  }
end

local function db_source(db)
  local source = {}

  function source.open(family, store)
    local cstore = db:_cstore(family.name, store)
    local total, err = cstore:run { op = "count" }
    if not total then return nil, err end
    return scan_reader(cstore, total)
  end

  -- One snapshot for all stores, so that no reference points at a row that was not there yet.
  function source.within(fn)
    if db:kind() == "memory" then return fn() end
    return db:transaction({ isolation = "repeatable_read", read_only = true }, fn)
  end

  return source
end

-- ---- verifying ----

local function sum_of(reader, chunk)
  local sum = core.checksum()
  while true do
    local batch, err = reader.next(chunk)
    if not batch then
      reader.close()
      if err then return nil, err end
      return sum
    end
    sum:add(batch)
  end
end

local function scan_sum(db, family, store, chunk)
  local reader, err = scan_reader(db:_cstore(family.name, store))
  if not reader then return nil, err end
  return sum_of(reader, chunk)
end

local function drift(family, store, what)
  return nil, errors.new { code = "drift", store = store,
    message = ("verification of %s.%s failed: %s"):format(family.name, store, what) }
end

--- The rows that were loaded, plus what was there before, must be what is there now.
local function verify_sums(load, before, after)
  local expected = core.checksum()
  expected:merge(before)
  expected:merge(load.sum)
  local want, want_rows = expected:value()
  local got, got_rows = after:value()
  if want_rows ~= got_rows then
    return drift(load.family, load.store, ("%d rows expected, %d found"):format(want_rows, got_rows))
  end
  if want ~= got then return drift(load.family, load.store, "the contents differ") end
  return true
end

local function key_of(row, fields)
  local key = {}
  for i, name in ipairs(fields) do key[i] = row[name] end
  return key
end

--- Are two values that came from rows the same? NaN is; what cannot be read is not.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or a ~= a and b ~= b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Where rows are replaced, sums cannot tell: look each row up by its key.
local function verify_rows(load, batch)
  local fields, columns = load.cstore:describe().key, load.cstore:fields()
  local keys, wanted = {}, {}
  for i = 1, batch:count() do
    wanted[i] = batch:row(i)
    keys[i] = key_of(wanted[i], fields)
  end
  local rows, err = load.cstore:run { op = "select", where = expr.keys(keys), columns = columns, plain = true, by_key = true }
  if not rows then return nil, err end
  for i = 1, #keys do
    if not rows[i] then return drift(load.family, load.store, "a row is missing") end
    if not same(rows[i], wanted[i]) then
      return drift(load.family, load.store, "a row differs from its source")
    end
  end
  return true
end

--- Rows that were left out because they exist leave no trace in a sum; their number must still add up.
local function verify_count(load, before, after)
  local _, had = before:value()
  local _, has = after:value()
  if has ~= had + load.written then
    return drift(load.family, load.store, ("%d rows expected, %d found"):format(had + load.written, has))
  end
  return true
end

local function verify_store(self, load, before)
  local after, err = scan_sum(self.db, load.family, load.store, self.chunk)
  if not after then return nil, err end
  local _, had = before:value()
  if load.on_conflict == "error" or (had == 0 and load.skipped == 0) then
    return verify_sums(load, before, after)
  elseif load.on_conflict == "skip" then
    return verify_count(load, before, after)
  end
  return true -- update: each batch was looked up as it was written
end

-- ---- loading one store ----

local loader = {}
loader.__index = loader

local function nowhere() end

--- Load batch, or find by bisection the rows that the target refuses. place(i): where its i-th row lies in the source, if
-- that has places.
function loader:put(batch, place)
  local loaded, err = self.db:transaction(function()
    return self.cstore:load(batch, { on_conflict = self.on_conflict })
  end)
  if loaded then
    self.written = self.written + loaded
    self.skipped = self.skipped + (batch:count() - loaded)
    if not self.sum then return true end
    self.sum:add(batch)
    return self.on_conflict ~= "update" or verify_rows(self, batch)
  end
  if self.strict or not ROW_FAULTS[err.code] then return nil, err end
  local n = batch:count()
  if n == 1 then return self:refuse(batch, place(1), err) end
  local half = math.floor(n / 2)
  local ok
  ok, err = self:put(batch:slice(1, half), place)
  if not ok then return nil, err end
  return self:put(batch:slice(half + 1, n - half), function(i) return place(half + i) end)
end

function loader:refuse(batch, index, err)
  self.refused[#self.refused + 1] = { batch = batch, index = index, err = err }
  if #self.refused > self.max_refused then
    return nil, errors.new { code = "capacity", message = ("more than %d rows of %s were refused; the last: %s")
      :format(self.max_refused, self.store, tostring(err)) }
  end
  return true
end

--- A row may refer to a row of its own store that came later: try what was refused for that once more, while it helps.
function loader:retry_references()
  repeat
    local before, again = self.written, self.refused
    self.refused = {}
    for _, item in ipairs(again) do
      if item.batch and item.err.code == "foreign_key" then
        local ok, err = self:put(item.batch, function() return item.index end)
        if not ok then return nil, err end
      else
        self.refused[#self.refused + 1] = item
      end
    end
  until self.written == before
  return true
end

function loader:run(reader, chunk, tick)
  while true do
    local batch, bad, place = reader.next(chunk)
    if not batch then
      if bad then return nil, bad end
      return self:retry_references()
    end
    for _, item in ipairs(bad or {}) do
      self.read = self.read + 1
      self.refused[#self.refused + 1] = { row = item.row, index = item.index, err = item.err }
    end
    if batch:count() > 0 then
      self.read = self.read + batch:count()
      local ok, err = self:put(batch, place or nowhere)
      if not ok then return nil, err end
    end
    tick(self.read, reader.total)
  end
end

-- ---- one transfer ----

local run = {}
run.__index = run

function run:tick(phase, family, store, done, total)
  if self.opts.progress then
    self.opts.progress { phase = phase, family = family.name, store = store, done = done, total = total }
  end
end

function run:hand_back(load)
  for _, item in ipairs(load.refused) do
    self.report.refused[#self.report.refused + 1] = {
      family = load.family.name, store = load.store, row = item.row or item.batch:row(1), index = item.index, err = item.err,
    }
  end
end

function run:loader(family, store)
  return setmetatable({
    db = self.db, family = family, store = store, cstore = self.db:_cstore(family.name, store),
    on_conflict = self.opts.on_conflict or "error", max_refused = self.opts.max_refused or MAX_REFUSED,
    read = 0, written = 0, skipped = 0, refused = {}, sum = self.opts.verify and core.checksum() or nil,
  }, loader)
end

function run:read_into(load, reader)
  return load:run(reader, self.chunk, function(done, total) self:tick("load", load.family, load.store, done, total) end)
end

--- Is the target an empty table, and does it pay to make its indexes again? Only where one transaction holds everything.
function run:may_rebuild(load, reader)
  local opts = self.opts
  if opts.rebuild == false or self.db:kind() == "memory" or load.on_conflict ~= "error" then return false end
  if opts.atomic == false and not opts.dry_run then return false end
  if not opts.rebuild and reader.total < REBUILD_FROM then return false end
  local rows = load.cstore:run { op = "select", limit = 1, plain = true }
  return rows ~= nil and #rows == 0
end

-- What the other way of loading would not cure.
local FATAL = { connection = true, closed = true, timeout = true, canceled = true, pool_timeout = true, capacity = true }

--- Load without indexes and references. nil without an error: a row or the server is against it, and nothing happened.
function run:load_bare(family, store, reader)
  local load = self:loader(family, store)
  load.strict = true
  local ok, err = self.db:transaction(function()
    return rebuild.around(self.db, load.cstore:describe().table, function() return self:read_into(load, reader) end)
  end)
  if ok then
    load.rebuilt = true
    return load
  end
  return nil, FATAL[err.code] and err or nil
end

function run:load(family, store)
  local load = self:loader(family, store)
  local reader, err = self.source.open(family, store)
  if not reader then return nil, err end
  if self:may_rebuild(load, reader) then
    local bare
    bare, err = self:load_bare(family, store, reader)
    reader.close()
    if bare or err then return bare, err end
    reader, err = self.source.open(family, store)
    if not reader then return nil, err end
  end
  local ok
  ok, err = self:read_into(load, reader)
  reader.close()
  if not ok then return nil, err end
  return load
end

function run:account(load, started)
  local report = self.report
  report.read, report.written, report.skipped =
    report.read + load.read, report.written + load.written, report.skipped + load.skipped
  report.stores[#report.stores + 1] = {
    family = load.family.name, store = load.store, read = load.read, written = load.written, skipped = load.skipped,
    refused = #load.refused, rebuilt = load.rebuilt, seconds = (core.now() - started) / 1e6,
  }
end

function run:store(family, store)
  local started = core.now()
  local before, load, ok, err
  if self.opts.verify then
    before, err = scan_sum(self.db, family, store, self.chunk)
    if not before then return nil, err end
  end
  load, err = self:load(family, store)
  if not load then return nil, err end
  self:hand_back(load)
  if self.opts.verify then
    self:tick("verify", family, store, load.read, load.read)
    ok, err = verify_store(self, load, before)
    if not ok then return nil, err end
  end
  self:account(load, started)
  return true
end

function run:all()
  for _, family in ipairs(self.families) do
    for _, store in ipairs(family.stores) do
      local ok, err = self:store(family, store)
      if not ok then return nil, err end
    end
  end
  return true
end

--- A refused row undoes an atomic transfer; the error carries every such row.
function run:atomic()
  local rolled_back_on_purpose = false
  local ok, err = self.db:transaction(function()
    local done, why = self:all()
    if not done then return nil, why end
    if #self.report.refused > 0 and not self.opts.dry_run then
      local first = self.report.refused[1]
      return nil, errors.new { code = first.err.code, constraint = first.err.constraint, store = first.store,
        refused = self.report.refused, message = ("%d rows were refused, nothing was written; the first: %s")
          :format(#self.report.refused, tostring(first.err)) }
    end
    if self.opts.dry_run then
      rolled_back_on_purpose = true
      return nil, errors.new { code = "canceled", message = "dry run" }
    end
    return true
  end)
  if rolled_back_on_purpose then return true end
  return ok, err
end

local function is_db(x)
  return type(x) == "table" and type(x.transaction) == "function"
end

local OPTIONS = options.set {
  families = "list", on_conflict = { "error", "skip", "update" }, atomic = "boolean", verify = "boolean", dry_run = "boolean",
  rebuild = "boolean", chunk = "positive", max_refused = "count", progress = "function",
}

local function families_of(db, opts)
  if opts.families == nil or #opts.families == 0 then
    misuse.raise "larder.transfer: option families must be a list of names of families"
  end
  local list = {}
  for i, name in ipairs(opts.families) do list[i] = db:_family(name, "larder.transfer") end
  return list
end

--- A source of tables is { family = { store = { rows } } }: anything else in it would be left out without a word.
local function check_tables(tables, families)
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

---@class larder.TransferOptions
---@field families string[]
---@field on_conflict? "error"|"skip"|"update"
---@field atomic? boolean       one transaction (the default)
---@field verify? boolean       read back and compare
---@field dry_run? boolean      do all of it, then undo it
---@field rebuild? boolean      make indexes again: always, never, or (nil) where it pays
---@field chunk? integer        rows a statement (5,000)
---@field max_refused? integer  refused rows to collect at most (10,000)
---@field progress? fun(at: { phase: string, family: string, store: string, done: integer, total: integer })

--- Move families from one place to another.
--
-- Ids, stamps and hashes are kept as they are. With `atomic` (the default) everything is one transaction of the target: a row that it
-- refuses undoes all, and the error's `refused` lists every such row. With `atomic = false` each chunk is a transaction of its
-- own, and report.refused hands the refused rows back while the others stay. Each is `{ family, store, row, index, err }`; index: its
-- place in a source of Lua tables.
--
-- Many rows into an empty PostgreSQL table (and any number with `rebuild = true`): its secondary indexes and constraints are
-- dropped and made again inside the same transaction, which locks the table meanwhile; `rebuild = false` never does.
---@param from larder.Db|table<string, table<string, table[]>>  a database, or { family = { store = { rows } } }
---@param to larder.Db
---@param opts larder.TransferOptions
---@return { read: integer, written: integer, skipped: integer, refused: table[], stores: table[], seconds: number, verified: boolean }|nil report
---@return larder.Error? err
local function transfer(from, to, opts)
  if not is_db(to) then misuse.raise("larder.transfer: the target must be a database, not %s", misuse.kind(to)) end
  if type(from) ~= "table" then
    misuse.raise("larder.transfer: the source must be a database or a table of rows, not %s", misuse.kind(from))
  end
  opts = options.read(opts, OPTIONS, "larder.transfer")
  local families = families_of(to, opts)
  if not is_db(from) then check_tables(from, families) end
  local started = core.now()
  local self = setmetatable({
    db = to, opts = opts, chunk = opts.chunk or CHUNK, families = families,
    source = is_db(from) and db_source(from) or table_source(from),
    report = { read = 0, written = 0, skipped = 0, refused = {}, stores = {} },
  }, run)
  local ok, err = self.source.within(function()
    if opts.atomic == false and not opts.dry_run then return self:all() end
    return self:atomic()
  end)
  if not ok then return nil, err end
  self.report.seconds = (core.now() - started) / 1e6
  self.report.verified = opts.verify == true and self.report.read > 0
  self.report.dry_run = opts.dry_run == true or nil
  return self.report
end

return transfer
