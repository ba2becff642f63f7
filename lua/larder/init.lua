--- larder: typed data stores on PostgreSQL, with an in-memory twin that behaves the same.

local core = require "larder.base.load"
local config = require "larder.config"
local decimal = require "larder.base.decimal"
local Db = require "larder.db"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local family = require "larder.family"
local loop = require "larder.loop"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local seal = require "larder.config.seal"
local async = require "larder.store.async"

---@class larder
local larder = {}

larder._VERSION = core.version

--- NULL: the same value as cjson.null and ngx.null.
larder.null = core.null

larder.any, larder.all, larder.not_, larder.exists = expr.any, expr.all, expr.not_, expr.exists
larder.where = expr.where
larder.increment, larder.append, larder.merge = expr.increment, expr.append, expr.merge
larder.coalesce, larder.greatest = expr.coalesce, expr.greatest
larder.merge_deep, larder.set_path, larder.path, larder.matches = expr.merge_deep, expr.set_path, expr.path, expr.matches
larder.default, larder.excluded = expr.default, expr.excluded
larder.field, larder.value, larder.lower, larder.upper, larder.length = expr.field, expr.value, expr.lower, expr.upper, expr.length
larder.abs, larder.add, larder.sub, larder.mul = expr.abs, expr.add, expr.sub, expr.mul
larder.bucket, larder.part = expr.bucket, expr.part

--- Error codes under their own names.
larder.codes = errors.codes

--- Is v an error of larder?
larder.is_error = errors.is

--- Of a value that stands in a row in place of one that could not be read: why; nil for every other value. Using such a value
-- raises, so that it is never taken for an empty one.
---@param value any
---@return larder.Error|nil
function larder.unreadable(value)
  return (core.unreadable(value))
end

--- `assert` for what larder answers: raises a text with the caller's line.
larder.must = errors.must

--- Sealing of secrets that must be stored.
larder.seal, larder.unseal = seal.seal, seal.unseal

--- Mark a table as a JSON array or SQL array, so that an empty one is not taken for an object.
---@generic T: table
---@param t? T
---@return T
function larder.array(t)
  if t ~= nil then misuse.check_shape(t, "list", "larder.array: the elements") end
  return setmetatable(t or {}, core.array_mt)
end

--- An exact decimal: `larder.decimal(row.price) * 3`.
---@param v string|number|larder.Decimal  "12.50", a Lua number, a 64-bit integer or a decimal
---@return larder.Decimal
function larder.decimal(v) return decimal(v) end

--- Lossless JSON, as JSONB columns are read and written.
larder.json = { null = core.null, array = larder.array, encode = core.json_encode }

--- The value of a JSON text.
---@param text string
---@return any value
---@return larder.Error? err  `invalid`: it is no JSON
function larder.json.decode(text)
  if type(text) ~= "string" then misuse.raise("larder.json.decode: argument 1 must be a text, not %s", misuse.kind(text)) end
  return core.json_decode(text)
end

--- Microseconds since 1970 by the system's clock.
---@return integer
function larder.now()
  return core.now()
end

---@class larder.OpenOptions: larder.ConfigOptions
---@field loop? larder.LoopName  the event loop to wait in; by default the one that the program runs in (docs/event-loops.md)
---@field wait? larder.Waiter|false  a function that waits for a descriptor in any other loop; false: never in one
---@field init_timeout? number  seconds that open may take in nginx, and other calls in phases that they hold up: init, init_worker (5)
---@field lazy? boolean  connect at the first use and not now, so that a program starts without its server
---@field slow? number   seconds from which a call is told to listeners of "slow" (1)
---@field histograms? boolean  count how long calls take, by store and operation, for `db:metrics()`; each call is timed then
---@field password? { ops?: integer, mem?: integer }  cost of password hashes: passes, bytes of memory
---@field writer? larder.WriterOptions  of insert_async
---@field peppers? string  pepper ring of API keys, for the process; by default the variable LARDER_PEPPERS

local OPTIONS = options.set {
  getenv = "function", env_file = "string|boolean", config_file = "string", pool = "table", migrations = "string|table",
  wait = "function|false", slow = "seconds", password = "table", peppers = "string", writer = "table", loop = loop.NAMES,
  init_timeout = "seconds", replica = "string|table", lazy = "boolean", histograms = "boolean",
}
local PASSWORD = options.set { ops = "positive", mem = "positive" }

-- The target and options of open and explain_config; what is none raises.
local function check_open(method, target, opts)
  if target == larder then misuse.raise("larder.%s is a function: call it with a dot, not with a colon", method) end
  if target ~= nil and type(target) ~= "string" and type(target) ~= "table" then
    misuse.raise("larder.%s: the target must be nothing, a text or a table, not %s", method, misuse.kind(target))
  end
  if type(target) == "table" then
    misuse.check_shape(target, "record", "larder." .. method .. ": the target")
    if target.pool ~= nil then misuse.check_shape(target.pool, "record", "larder." .. method .. ": the target's pool") end
  end
  opts = options.read(opts, OPTIONS, "larder." .. method)
  for _, name in ipairs { "pool", "replica", "migrations" } do
    if type(opts[name]) == "table" then misuse.check_shape(opts[name], "record", ("larder.%s: option %s"):format(method, name)) end
  end
  if opts.loop and opts.wait ~= nil then misuse.raise("larder.%s takes loop or wait, not both", method) end
  options.read(opts.password, PASSWORD, "larder." .. method, "password")
  async.options(opts.writer)
  return opts
end

-- The settings; an error says which function was called.
local function resolved(method, target, opts)
  local cfg, err = config.resolve(target, opts)
  if not cfg then err.op = err.op or method end
  return cfg, err
end

local function set_peppers(opts)
  local text = opts.peppers or (opts.getenv or os.getenv)("LARDER_PEPPERS")
  if not text or text == "" then return true end
  return core.set_peppers(text)
end

-- A connection, unless it is lazy; wrong settings fail at the first use then.
local function connect(cfg, opts)
  cfg.pool.open_timeout, cfg.pool.lazy = loop.open_timeout(opts), opts.lazy
  return core.postgres(cfg.settings, cfg.pool)
end

--- The database with its read replica, which must be there now, too.
local function with_replica(db, cfg, opts)
  if not cfg.replica then return db end
  local engine, err = connect(cfg.replica, opts)
  if not engine then
    db:close()
    err.hint = err.hint or "this is the read replica"
    return nil, err
  end
  local own = { loop = opts.loop, wait = opts.wait, slow = opts.slow, init_timeout = opts.init_timeout }
  db:_read_from(Db.new(engine, cfg.replica, own))
  return db
end

--- Open a database. PostgreSQL is connected to once, so that wrong settings fail here; with `lazy` the first use connects.
---@param target? string|table  nothing: the environment, and an error when no variable names a database; "memory:"; a URI
-- or key/value conninfo; a table of settings
---@param opts? larder.OpenOptions
---@return larder.Db|nil db
---@return larder.Error? err
function larder.open(target, opts)
  opts = check_open("open", target, opts)
  local cfg, err = resolved("open", target, opts)
  if not cfg then return nil, err end
  local ok
  ok, err = set_peppers(opts)
  if not ok then return nil, err end
  local engine
  if cfg.engine == "memory" then
    engine, err = core.memory()
  else
    engine, err = connect(cfg, opts)
  end
  if not engine then return nil, err end
  local db
  db, err = with_replica(Db.new(engine, cfg, opts), cfg, opts)
  if not db then return nil, err end
  return async.resume(db)
end

--- Every effective setting of open(target, opts) and where it came from; secrets hidden.
---@param target? string|table
---@param opts? larder.OpenOptions
---@return { name: string, value: string, source: string }[]|nil
---@return larder.Error? err
function larder.explain_config(target, opts)
  opts = check_open("explain_config", target, opts)
  local cfg, err = resolved("explain_config", target, opts)
  if not cfg then return nil, err end
  return config.explain(cfg)
end

--- Declare a family of stores; `db:stores(name)` opens it.
---@param def { name: string, entities: larder.EntityDeclaration[] }
---@return larder.Family
function larder.declare(def)
  return family.declare(def)
end

local function blocking(db, fn)
  if getmetatable(db) ~= Db then return fn() end
  return db:_blocking(fn)
end

--- Files as the source or the target of larder.transfer: a directory with a file `family.store.ndjson` (or .csv) for each
-- store, or `{ ["family.store"] = "path" }`; "-" is standard input or output. Raises for what can be neither.
---@param where string|table<string, string>
---@param opts? larder.FileOptions
---@return larder.Files
function larder.files(where, opts)
  return require "larder.transfer.files".new(where, opts)
end

--- Move families between databases and files, or from plain tables into one of them. See larder.transfer. Holds up an event
-- loop while it works.
---@param from larder.Db|larder.Files|table
---@param to larder.Db|larder.Files
---@param opts larder.TransferOptions
---@return table|nil report
---@return larder.Error? err
function larder.transfer(from, to, opts)
  return blocking(from, function()
    return blocking(to, function() return require "larder.transfer"(from, to, opts, family.get) end)
  end)
end

-- What takes one value, often the answer of another call: Lua hands over the further values of that one, too, as in
-- `larder.declare(require "shop")` or `larder.decimal(text:gsub(",", "."))`. Everything else refuses what stands behind its arguments.
local TAKES_ANSWERS = { declare = true, is_error = true, unreadable = true, array = true, decimal = true }

for name, fn in pairs(larder) do
  if type(fn) == "function" and not TAKES_ANSWERS[name] then
    larder[name] = misuse.exact(fn, "larder." .. name)
    if expr[name] == fn then expr[name] = larder[name] end -- larder.all is a value, too: the refused limit
  end
end

return misuse.spelled(larder, "larder")
