--- Moving whole families between memory, PostgreSQL, plain Lua tables and files.
--
-- Rows travel as packed batches that only C reads and writes; Lua drives the loop, so it can report, bisect and stop.
-- Stores go in declaration order, in which the targets of references come first.

local core = require "larder.core"
local errors = require "larder.base.errors"
local export = require "larder.transfer.export"
local files = require "larder.transfer.files"
local imports = require "larder.transfer.imports"
local loader = require "larder.transfer.loader"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local rebuild = require "larder.transfer.rebuild"
local refused = require "larder.transfer.refused"
local source = require "larder.transfer.source"
local verify = require "larder.transfer.verify"

local CHUNK = 5000
local REBUILD_FROM = 10000 -- rows from which indexes are cheaper to make again than to keep

-- The checked declaration, without a database.
local function describe(family, store)
  return core.memory():store(family.schema, store):describe()
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
    self.report.refused[#self.report.refused + 1] = load:describe(item)
  end
end

function run:loader(family, store)
  return loader.new(self.db, family, store, self.opts)
end

function run:read_into(load, reader)
  return load:run(reader, self.chunk, function(done, total) self:tick("load", load.family, load.store, done, total) end)
end

--- Is the target an empty table, and does it pay to make its indexes again? Only where one transaction holds everything.
function run:may_rebuild(load, reader)
  local opts = self.opts
  if opts.rebuild == false or self.db:kind() == "memory" or load.on_conflict ~= "error" then return false end
  if opts.atomic == false and not opts.dry_run then return false end
  if self.source.once or not opts.rebuild and (reader.rows or reader.total) < REBUILD_FROM then return false end
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
    return rebuild.around(self.db, core.sql_table(load.cstore:describe().table), function() return self:read_into(load, reader) end)
  end)
  if ok then
    load.rebuilt = true
    return load
  end
  return nil, FATAL[err.code] and err or nil
end

--- Load by chunks that are recorded, from where an earlier process stopped.
function run:load_on(family, store, reader)
  local load = self:loader(family, store)
  local row, err = imports.open(self.db, { family = family.name, store = store, path = reader.path, refused_bytes = self.refused.length },
    self.opts.again)
  if not row then return nil, err end
  local before, ok = row.records
  ok, err = imports.run({ db = self.db, row = row, load = load, reader = reader, refused = self.refused, handed = self.report.refused },
    self.chunk, function(done, total) self:tick("load", family, store, done, total) end)
  if not ok then return nil, err end
  load.resumed, load.before = before > 0 or nil, row.finished or nil
  return load
end

function run:load(family, store)
  local load = self:loader(family, store)
  local reader, err = self.source.open(family, store)
  if not reader then return nil, err end
  if self.opts.resume and reader.records then
    load, err = self:load_on(family, store, reader)
    reader.close()
    return load, err
  end
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
    refused = load.kept + #load.refused, rebuilt = load.rebuilt, seconds = (core.now() - started) / 1e6,
    resumed = load.resumed, done_before = load.before,
  }
end

function run:store(family, store)
  local started = core.now()
  local before, load, ok, err
  if self.opts.verify then
    before, err = verify.scan(self.db, family, store, self.chunk)
    if not before then return nil, err end
  end
  load, err = self:load(family, store)
  if not load then return nil, err end
  self:hand_back(load)
  if self.opts.verify then
    self:tick("verify", family, store, load.read, load.read)
    ok, err = verify.store(self.chunk, load, before)
    if not ok then return nil, err end
  end
  self:account(load, started)
  return true
end

function run:all()
  for _, family in ipairs(self.families) do
    for _, store in ipairs(family.stores) do
      local view = self.db:kind() ~= "memory" and describe(family, store).read_only -- made of what the other stores hold
      local there = not view and (not self.source.has or self.source.has(family, store))
      if there then
        local ok, err = self:store(family, store)
        if not ok then return nil, err end
      end
    end
  end
  return true
end

-- Where a refused row stands in its source.
local function place_of(item)
  if item.file then return (" (%s:%s)"):format(item.file, item.line) end
  return item.index and (" (row %d)"):format(item.index) or ""
end

--- A refused row undoes an atomic transfer; the error carries every such row.
function run:atomic()
  local rolled_back_on_purpose = false
  local ok, err = self.db:transaction(function()
    local done, why = self:all()
    if not done then return nil, assert(why, "a transfer failed without a reason") end -- two nils would commit
    if #self.report.refused > 0 and not self.opts.dry_run then
      local n, first = #self.report.refused, self.report.refused[1]
      return nil, errors.new { code = first.err.code, constraint = first.err.constraint, store = first.store,
        refused = self.report.refused, message = ("%s refused, nothing was written; the first: %s%s")
          :format(n == 1 and "1 row was" or n .. " rows were", tostring(first.err), place_of(first)) }
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

-- ---- options and places ----

local function is_db(x)
  return type(x) == "table" and type(x.transaction) == "function"
end

local OPTIONS = options.set {
  families = "list", on_conflict = { "error", "skip", "update" }, atomic = "boolean", verify = "boolean", dry_run = "boolean",
  rebuild = "boolean", chunk = "positive", max_refused = "count", progress = "function", refused = "string", resume = "boolean",
  again = "boolean",
}
local EXPORT_OPTIONS = options.set { families = "list", chunk = "positive", progress = "function", overwrite = "boolean" }

local function family_names(opts, from, to)
  local names = opts.families
  if names == nil and files.is(from) then names = from:families() end
  if names == nil and files.is(to) and to.paths then names = to:families() end
  if names == nil or #names == 0 then misuse.raise "larder.transfer: option families must be a list of names of families" end
  return names
end

local function families_of(to, names, find)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = is_db(to) and to:_family(name, "larder.transfer") or find(name, "larder.transfer")
  end
  return list
end

local function source_of(from, families)
  if is_db(from) then return source.db(from) end
  if files.is(from) then
    from:check(families)
    return from:source(describe)
  end
  source.check_tables(from, families)
  return source.tables(from)
end

-- Only what can be continued is resumed: files that can be read again, into a database that outlives the process.
local function check_resume(from, to, opts)
  if opts.again and not opts.resume then misuse.raise "larder.transfer: again is for resume" end
  if not opts.resume then return end
  if not files.is(from) then misuse.raise "larder.transfer: resume is for files as the source" end
  if opts.atomic ~= false then misuse.raise "larder.transfer: resume needs atomic = false: one transaction has nothing to go on from" end
  if opts.dry_run or opts.verify then misuse.raise "larder.transfer: resume goes with neither dry_run nor verify" end
  if not opts.refused then misuse.raise "larder.transfer: resume needs refused, a file for the rows that are refused" end
  if to:kind() == "memory" then misuse.raise "larder.transfer: resume needs PostgreSQL; a memory database does not outlive the process" end
  for _, path in pairs(from:all()) do
    if path == "-" then misuse.raise "larder.transfer: resume cannot read standard input again" end
  end
end

local function write_files(from, to, opts, find)
  opts = options.read(opts, EXPORT_OPTIONS, "larder.transfer")
  local families = families_of(to, family_names(opts, from, to), find)
  if to.paths then to:check(families) end
  return export.run {
    files = to, families = families, describe = describe, chunk = opts.chunk or CHUNK, overwrite = opts.overwrite,
    source = source_of(from, families),
    tick = function(phase, family, store, done, total)
      if opts.progress then opts.progress { phase = phase, family = family.name, store = store, done = done, total = total } end
    end,
  }
end

-- Rows are refused in a report, in an error, or (resume) already written.
local function write_refused(self, err)
  local items = err and err.refused or not err and self.report.refused or {}
  local ok, why = true, nil
  if self.refused and not self.opts.resume then
    ok, why = self.refused:continue(0)
    if ok then ok, why = self.refused:write(items) end
  end
  if self.refused then self.refused:close() end
  return ok, why
end

local function load_all(self)
  local opts = self.opts
  local ok, err = self.source.check and self.source.check(self.families) or true, nil
  if ok and opts.resume then ok, err = imports.prepare(self.db) end
  if not ok then return nil, err end
  return self.source.within(function()
    if opts.atomic == false and not opts.dry_run then return self:all() end
    return self:atomic()
  end)
end

---@class larder.TransferOptions
---@field families? string[]   by default those that a source of files has
---@field on_conflict? "error"|"skip"|"update"
---@field atomic? boolean       one transaction (the default)
---@field verify? boolean       read back and compare
---@field dry_run? boolean      do all of it, then undo it
---@field rebuild? boolean      make indexes again: always, never, or (nil) where it pays
---@field chunk? integer        rows a statement (5,000)
---@field max_refused? integer  refused rows to collect at most (10,000)
---@field refused? string       a file for refused rows, with their places and errors (NDJSON)
---@field resume? boolean       files with atomic = false: go on where an earlier process stopped
---@field again? boolean        with resume: begin anew
---@field overwrite? boolean    files as the target: write over those that are there
---@field progress? fun(at: { phase: string, family: string, store: string, done: integer, total: integer })  of a file as
-- the source done and total are bytes

--- Move families from one place to another.
--
-- Ids, stamps and hashes are kept as they are. With `atomic` (the default) everything is one transaction of the target: a row that it
-- refuses undoes all, and the error's `refused` lists every such row. With `atomic = false` each chunk is a transaction of its
-- own, and report.refused hands the refused rows back while the others stay. Each is `{ family, store, row, index, err }`; index: its
-- place in a source of Lua tables or in a file, whose rows have `file`, `line` and `record` (their text), too.
--
-- Many rows into an empty PostgreSQL table (and any number with `rebuild = true`): its secondary indexes and constraints are
-- dropped and made again inside the same transaction, which locks the table meanwhile; `rebuild = false` never does.
---@param from larder.Db|larder.Files|table<string, table<string, table[]>>  a database, files, or { family = { store = { rows } } }
---@param to larder.Db|larder.Files
---@param opts larder.TransferOptions
---@param find fun(name: string, method: string): larder.Family  for files, which know none
---@return { read: integer, written: integer, skipped: integer, refused: table[], stores: table[], seconds: number, verified: boolean }|nil report
---@return larder.Error? err
local function transfer(from, to, opts, find)
  if not is_db(to) and not files.is(to) then
    misuse.raise("larder.transfer: the target must be a database or files, not %s", misuse.kind(to))
  end
  if type(from) ~= "table" then
    misuse.raise("larder.transfer: the source must be a database, files or a table of rows, not %s", misuse.kind(from))
  end
  if files.is(to) then return write_files(from, to, opts, find) end
  opts = options.read(opts, OPTIONS, "larder.transfer")
  local families = families_of(to, family_names(opts, from, to))
  check_resume(from, to, opts)
  local started = core.now()
  local self = setmetatable({
    db = to, opts = opts, chunk = opts.chunk or CHUNK, families = families, source = source_of(from, families),
    refused = opts.refused and refused.new(opts.refused) or nil,
    report = export.report(),
  }, run)
  local ok, err = load_all(self)
  local kept, why = write_refused(self, err)
  if not ok then return nil, err end
  if not kept then return nil, why end
  self.report.seconds = (core.now() - started) / 1e6
  self.report.verified = opts.verify == true and self.report.read > 0
  self.report.dry_run = opts.dry_run == true or nil
  return self.report
end

return transfer
