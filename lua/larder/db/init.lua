--- A database: one engine with its settings, stores, transactions and raw SQL.

local core = require "larder.core"
local config = require "larder.config"
local cursors = require "larder.db.cursor"
local errors = require "larder.base.errors"
local events = require "larder.base.events"
local family = require "larder.family"
local histograms = require "larder.db.histograms"
local loop = require "larder.loop"
local metrics = require "larder.db.metrics"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local raw = require "larder.db.raw"
local async = require "larder.store.async"
local dead_letters = require "larder.store.dead_letters"
local read = require "larder.store.read"
local truncate = require "larder.db.truncate"
local tx = require "larder.db.tx"
local view = require "larder.db.view"
local wait = require "larder.base.wait"

local settle = wait.settle

---@class larder.Db
---@field _engine userdata
---@field _config larder.Config
---@field _wait larder.Loop|false  false: calls wait inside of the engine
---@field _dispatcher larder.Dispatcher|nil  of those who wait in the loop
---@field _plain boolean  nobody listens, no transaction has a deadline, there is no replica and no cursor that may linger: calls go straight to the engine
---@field _replica larder.Db|false  where stores read outside of transactions
---@field _context false      a view's is what its calls run as
local Db = {}
Db.__index = Db
Db.__name = "larder.db"

local SLOW = 1 -- seconds
local TIMEOUT = options.set { timeout = "seconds" }

-- Memory never waits; a loop that the program drives by itself has its runtime all the same.
local function choose_loop(engine, cfg, opts)
  if cfg.engine == "memory" then return opts.loop == "manual" and loop.idle() or nil end
  local chosen, dispatcher = loop.choose(engine, opts)
  engine:set_blocking(chosen == nil)
  if chosen then engine:use_reactor() end
  return chosen, dispatcher
end

--- A database on an engine.
---@param engine userdata
---@param cfg larder.Config
---@param opts larder.OpenOptions
---@return larder.Db
function Db.new(engine, cfg, opts)
  local chosen, dispatcher = choose_loop(engine, cfg, opts)
  local db = setmetatable({
    _engine = engine, _config = cfg, _wait = chosen or false, _dispatcher = dispatcher, _sets = {}, _listeners = {},
    _slow = opts.slow or SLOW, _deadlines = setmetatable({}, { __mode = "k" }), _cursors = setmetatable({}, { __mode = "k" }),
    _plain = true, _closers = {}, _replica = false, _context = false,
    _password = opts.password or {}, _writer_options = async.options(opts.writer), _rejected = {},
  }, Db)
  if opts.histograms then
    local counts = histograms.new()
    db._histograms = counts
    events.on(db, "query", function(event) counts:record(event) end)
  end
  return db
end

--- Let stores read from a replica outside of transactions. Before any store is opened.
---@param replica larder.Db
function Db:_read_from(replica)
  self._replica, self._plain = replica, false
  replica._listeners, replica._plain = self._listeners, false -- who listens to one hears both
end

--- "memory" or "postgres".
---@return string
function Db:kind()
  return self._engine:kind()
end

function Db:__tostring()
  if self._engine:closed() then return "larder.db (closed)" end
  local settings = self._config.settings
  if self:kind() == "memory" then return "larder.db (memory)" end
  return ("larder.db (postgres, %s on %s)"):format(settings.dbname or "default database",
    settings.host or settings.hostaddr or settings.service or "default host")
end

-- ---- stores ----

--- The stores of a family: `db:stores("auth").users`.
---@param name string
---@return table<string, larder.Store>
function Db:stores(name)
  local set = self._sets[name]
  if not set then
    set = family.get(name, "db:stores"):open(self)
    self._sets[name] = set
  end
  return set
end

--- Empty all stores of a family: every row is gone for good, marked as deleted or not.
-- PostgreSQL: one TRUNCATE, which locks the tables, needs the right to it and fires no triggers of rows.
---@param name string
---@return true|nil
---@return larder.Error? err
function Db:truncate(name)
  local names = family.get(name, "db:truncate").stores
  return truncate(self, self:stores(name), names)
end

--- The family's declaration, for tools: name, schema, stores (names in declaration order).
---@param name string
---@param method? string  who asks
function Db._family(_, name, method)
  return family.get(name, method)
end

--- The core's store behind a store, for tools.
---@param name string
---@param store string
function Db:_cstore(name, store)
  return self._engine:store(family.get(name).schema, store)
end

local function unblock(db, ok, ...)
  db._engine:set_blocking(false)
  if not ok then error(..., 0) end
  return ...
end

--- Run fn with calls that wait inside the engine, also in an event loop: for work that nothing else should run beside.
function Db:_blocking(fn)
  if not self._wait then return fn() end
  self._engine:set_blocking(true)
  return unblock(self, pcall(fn))
end

--- Bring the family's tables up to date. No-op on memory.
---@param name string
---@param opts? larder.MigrateOptions  see larder.migrate
---@return larder.MigrationStep[]|nil applied
---@return larder.Error? err
function Db:migrate(name, opts)
  local has_dir = type(opts) == "table" and opts.dir ~= nil
  if type(name) ~= "string" or not has_dir then family.get(name, "db:migrate") end
  return require("larder.migrate").up(self, name, opts)
end

--- The directory that a family's declaration names for its migrations, if it is declared.
function Db._migrations_of(_, name)
  local known = family.known(name)
  return known and known.migrations
end

--- The engine that migrations use: one of their own, when a direct connection was named for them.
function Db:_connect_direct()
  if not self._config.migrations then return self._engine end
  if not self._direct then
    local direct = config.migration_target(self._config)
    local engine, err = core.postgres(direct.settings, direct.pool)
    if not engine then return nil, err end
    self._direct = engine
  end
  return self._direct
end

--- The same for tools; raises when it cannot connect.
function Db:_migration_engine()
  local engine, err = self:_connect_direct()
  if not engine then error(err, 0) end
  return engine
end

-- ---- transactions ----

--- Run fn in a transaction: it commits when fn returns, and rolls back when fn raises or returns nil, err.
-- A transaction inside a transaction is a savepoint.
---@param opts? larder.TxOptions|fun(tx: larder.Tx): ...
---@param fn fun(tx: larder.Tx): ...
---@return any ...  what fn returned (true when nothing), or nil and the error
function Db:transaction(opts, fn)
  if type(self) ~= "table" or self._engine == nil then return misuse.no_self("transaction", "a database") end
  if type(opts) == "function" then opts, fn = fn, opts end
  if type(fn) ~= "function" then misuse.raise("db:transaction needs a function, not %s", misuse.kind(fn)) end
  return tx.run(self, opts, fn)
end

--- Is the running coroutine inside a transaction of this database?
---@return boolean
function Db:in_transaction()
  return self._engine:ambient() ~= nil
end

function Db:_deadline(ctx)
  return self._deadlines[ctx]
end

function Db:_set_deadline(ctx, deadline)
  local before = self._deadlines[ctx]
  if before == deadline then return end
  self._deadlines[ctx] = deadline
  self:_attend()
end

--- Seconds that the transaction still has; nil: no limit.
function Db:_time_left(ctx)
  local deadline = self._deadlines[ctx]
  return deadline and deadline - core.clock()
end

--- Find out again whether calls may go straight to the engine.
function Db:_attend()
  local plain = not self._replica and next(self._deadlines) == nil and not events.watched(self) and not cursors.may_linger(self)
  if plain == self._plain then return end
  self._plain = plain
  for _, set in pairs(self._sets) do
    for _, store in pairs(set) do read.declared.direct(store, plain) end
  end
end

--- A call that is watched or limited in time: fn(timeout) runs it.
---@param event larder.Event
---@param timeout? number
---@param fn fun(timeout: number|nil): ...
function Db:_guarded(event, timeout, fn)
  local ctx = self._engine:ambient()
  local left = ctx and self:_time_left(ctx)
  cursors.relieve(self)
  if left then
    if left <= 0 then return nil, tx.timed_out(event.op, event.store) end
    timeout = timeout and math.min(timeout, left) or left
  end
  return events.timed(self, event, fn, timeout)
end

--- A cursor over what a store asks for.
---@param source larder.CursorSource
function Db:_cursor(source) return cursors.new(self, source) end

--- A view of this database whose calls run as a tenant, as a role or with settings of the server, each for its own
-- statement alone; a transaction of the view runs so as a whole. Cheap: one a request is fine.
---@param opts larder.ViewOptions
---@return larder.View|nil
---@return larder.Error? err  `unsupported`: roles and settings need PostgreSQL
function Db:with(opts)
  return view.new(self, opts)
end

-- ---- rows that nobody waits for ----

--- Wait until every row that insert_async has accepted is written or refused.
---@param timeout? number  seconds; none: as long as it takes
---@return true|nil
---@return larder.Error? err  `timeout`
function Db:flush(timeout)
  return async.flush(self, timeout)
end

--- Rows of insert_async that the database refused: to look at, replay or discard.
---@return larder.DeadLetters|nil
---@return larder.Error? err
function Db:dead_letters()
  return dead_letters.of(self)
end

-- ---- raw SQL (PostgreSQL only) ----

--- Run one statement with `$1 …` parameters, typed by the statement's own description.
---@param sql string|table  or { sql, timeout = seconds, columns = true }
---@param ... any  parameters; nil and larder.null are NULL
---@return table[]|nil rows
---@return integer|larder.Error affected
---@return { name: string, type: string }[]? columns  in the result's order, where columns = true asks for them
function Db:query(sql, ...)
  return raw.query(self, nil, sql, ...)
end

function Db:_query(ctx, sql, ...)
  return raw.query(self, ctx, sql, ...)
end

--- Run fn(session) with a connection that nobody else has meanwhile: what its statements change in the session
-- (settings, role, temporary tables, LISTEN, advisory locks) stays for the next one, and is gone after fn: a connection
-- that was changed is closed. No transaction: each statement commits by itself, unless fn says begin. Store calls and
-- db:query inside of fn do not use it. PostgreSQL only, and not through a pooler in transaction mode (`unsupported`).
---@param opts? { timeout?: number }|fun(session: larder.Session): ...  timeout: seconds to wait for the connection
---@param fn fun(session: larder.Session): ...
---@return any ...  what fn returned (true when nothing), or nil and the error
function Db:session(opts, fn)
  if type(opts) == "function" then opts, fn = fn, opts end
  if type(fn) ~= "function" then misuse.raise("db:session needs a function, not %s", misuse.kind(fn)) end
  return raw.session(self, options.read(opts, TIMEOUT, "db", "session"), fn)
end

--- Rows one by one through a cursor: memory stays flat. Raises what goes wrong on the way.
-- Lua 5.4 closes it when the loop is left early. On LuaJIT the collector does, or you:
-- `local it = db:each(…); for row in it do … it:close() break … end`.
---@param sql string|table  or { sql, page = rows a fetch }
---@param ... any
---@return larder.Cursor iterator
function Db:each(sql, ...)
  return raw.each(self, sql, ...)
end

--- Several statements in one round trip: `db:pipeline(function(p) p:query("…", 1) p:query("…", 2) end)`.
-- Each stands alone; with `{ atomic = true }`, and inside a transaction, the first failure undoes all.
---@param opts? { atomic?: boolean, timeout?: number }|fun(p: larder.Pipeline)
---@param fn fun(p: larder.Pipeline)
---@return table[]|nil results  one of { rows =, affected = } or { err = } a statement, in order
---@return larder.Error? err
---@return table[]? results  of an atomic pipeline that failed
function Db:pipeline(opts, fn)
  if type(opts) == "function" then opts, fn = fn, opts end
  if type(fn) ~= "function" then misuse.raise("db:pipeline needs a function, not %s", misuse.kind(fn)) end
  return raw.pipeline(self, options.read(opts, raw.PIPELINE_OPTIONS, "db", "pipeline"), fn)
end

--- COPY … FROM STDIN.
---@param sql string
---@param source string|string[]|fun(): string|nil  the data, in pieces of any size
---@param opts? { timeout?: number }
---@return integer|nil rows
---@return larder.Error? err
function Db:copy_in(sql, source, opts)
  return raw.copy_in(self, sql, source, opts)
end

--- COPY … TO STDOUT.
---@param sql string
---@param sink fun(piece: string)
---@param opts? { timeout?: number }
---@return true|nil
---@return larder.Error? err
function Db:copy_out(sql, sink, opts)
  return raw.copy_out(self, sql, sink, opts)
end

-- ---- event loops ----

--- What a program's own loop needs of a database that was opened with `loop = "manual"`: descriptor, events, timeout and step().
---@return larder.Runtime
function Db:runtime()
  local runtime = self._wait
  if not runtime or runtime.name ~= "manual" then
    misuse.raise 'db:runtime needs a database opened with loop = "manual"'
  end
  return runtime --[[@as larder.Runtime]]
end

-- ---- observation ----

--- Does the database answer?
---@param timeout? number  seconds, 5 by default
---@return { ok: true, engine: string, seconds: number, pool: table? }|nil
---@return larder.Error? err
function Db:health(timeout)
  options.read(timeout ~= nil and { timeout = timeout } or nil, TIMEOUT, "db", "health")
  local started, kind = core.clock(), self:kind()
  if self._engine:closed() then
    return nil, errors.new { code = "closed", op = "health", message = "the database is closed" }
  end
  local health = { ok = true, engine = kind }
  if kind == "postgres" then
    local limit = { timeout = timeout or 5 }
    local rows, err = settle(self._wait, self._engine:query("select 1", { n = 0 }, limit))
    if not rows then return nil, err end
    local stats = self._engine:stats()
    health.server_version, health.pooler = stats.server_version, stats.pooler
    health.pool = { max = stats.max, total = stats.total, idle = stats.idle, waiting = stats.waiting }
  end
  if self._replica then
    local replica, err = self._replica:health(timeout)
    if not replica then return nil, err end
    health.replica = replica
  end
  health.seconds = core.clock() - started
  return health
end

--- Counters and gauges of the engine; none once it is closed.
---@return table<string, any>
function Db:stats()
  local stats = self._engine:stats()
  stats.listener_error = self._listener_error
  return stats
end

--- Call fn(event) on "query", "slow", "error", "transaction", "connect", "acquire", "parked" or "resumed".
---@param name string
---@param fn fun(event: larder.Event)
---@return fun() remove
function Db:on(name, fn)
  return events.on(self, name, fn)
end

--- The counters and gauges as Prometheus text; with `larder.open(…, { histograms = true })` also how long calls took, by store
-- and operation.
---@return string
function Db:metrics()
  return metrics.text(self:kind(), self._engine:stats(), async.stats(self), self._histograms)
end

--- Microseconds by the clock that defaults and stamps are made with.
function Db:_now()
  return self._clock and self._clock() or core.now()
end

--- The time by which defaults and stamps are made, as text.
---@return string
function Db:now()
  return core.time_format(self:_now())
end

--- Use another clock for defaults and stamps: a function that returns microseconds; nil: the system's.
---@param clock? fun(): integer
function Db:set_clock(clock)
  if clock ~= nil and not misuse.callable(clock) then
    misuse.raise("db:set_clock takes a function or nil, not %s", misuse.kind(clock))
  end
  self._clock = clock
  self._engine:set_clock(clock)
end

-- ---- the end ----

--- Call fn before the engine closes: what was held back in memory is written then.
---@param fn fun()
function Db:_before_close(fn)
  self._closers[#self._closers + 1] = fn
end

--- Close. Open transactions are rolled back, calls that wait fail with `closed`; a second call does nothing.
---@return true
function Db:close()
  if self._engine:closed() then return true end
  local closers = self._closers
  self._closers = {}
  for _, fn in ipairs(closers) do pcall(fn) end
  if self._direct then self._direct:close() end
  if self._replica then self._replica:close() end
  if self._wait then self._wait:release() end
  self._engine:close()
  if self._dispatcher then self._dispatcher:dismiss() end
  return true
end

Db.__close = Db.close

--- Collected without close(): what needs the server is not done any more.
function Db:__gc()
  if self._direct then self._direct:close() end
  if self._wait then self._wait:release(true) end
  self._engine:close()
end

local public = {}
for name, method in pairs(Db) do
  if type(method) == "function" and name ~= "new" and name:sub(1, 1) ~= "_" then public[name] = method end
end
local careful = { [Db.transaction] = true }
for name, method in pairs(misuse.guarded(public, "_engine", "a database", careful)) do Db[name] = method end
misuse.spelled(Db, "a database")

return Db
