--- Transactions as functions: commit when the function returns, roll back when it fails.
--
-- A transaction belongs to the coroutine that opened it: every store call made there joins it, and so does every one made in a
-- coroutine that this one resumes (an iterator). It fails by `return nil, err` and by error() alike; both come back as `nil, err`,
-- so that `assert` works inside and outside.

local compat = require "larder.base.compat"
local core = require "larder.core"
local errors = require "larder.base.errors"
local events = require "larder.base.events"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local wait = require "larder.base.wait"

local unpack, settle = compat.unpack, wait.settle
local NONE, PENDING = options.NONE, core.PENDING

local tx = {}

---@class larder.TxOptions
---@field isolation? "read_committed"|"repeatable_read"|"serializable"
---@field read_only? boolean
---@field deferrable? boolean
---@field retries? integer   how often to run the function again after a serialization failure or deadlock (0)
---@field timeout? number    seconds for the whole transaction, waiting included
---@field tenant? string     on PostgreSQL the setting larder.tenant for its duration (row level security)

local OPTIONS = options.set {
  isolation = { "read_committed", "repeatable_read", "serializable" }, read_only = "boolean", deferrable = "boolean",
  retries = "count", timeout = "seconds", tenant = "string",
}
local OUTERMOST_ONLY = { "isolation", "read_only", "deferrable", "tenant" }

local SET = "set_config($%d, $%d, true) as s%d"
local FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1 -- seconds
local LEAST_ROLLBACK = 1 -- second, for a rollback when the time of the transaction is over

local function check_options(db, opts, nested)
  if opts == nil then return NONE end
  opts = options.read(opts, OPTIONS, "db", "transaction")
  for i = 1, nested and #OUTERMOST_ONLY or 0 do
    local name = OUTERMOST_ONLY[i]
    if opts[name] ~= nil then misuse.raise("db:transaction: an inner transaction cannot set %s", name) end
  end
  if opts.tenant and db._is_view then misuse.raise("db:transaction: a view that db:with gave has its tenant already") end
  return opts
end

-- ---- the handle that the function is given ----

---@class larder.Tx
---@field attempt integer  1, or more when the transaction runs again
local Tx = {}
Tx.__index = Tx
Tx.__name = "larder.db.tx"

function Tx:__tostring()
  return self:active() and "larder.tx (active)" or "larder.tx (finished)"
end

--- Run SQL in this transaction, from any coroutine.
---@param sql string|table
---@param ... any
---@return table[]|nil rows
---@return integer|larder.Error affected
function Tx:query(sql, ...)
  return self._db:_query(self._ctx, sql, ...)
end

--- Is it still under way?
---@return boolean
function Tx:active()
  return self._ctx:active()
end

--- The server process behind the transaction's connection; 0 before its first statement, and on memory.
---@return integer
function Tx:backend_pid()
  return self._ctx:backend_pid()
end

misuse.guard(Tx, { "query", "active", "backend_pid" }, "_ctx", "a transaction")
misuse.spelled(Tx, "a transaction")

-- ---- running the function ----

-- Of what pcall returned: did the function fail, and why?
local function failure(ok, first, second)
  if not ok then return true, first == nil and "the function raised nil" or errors.of(first) end
  if first == nil and second ~= nil then return true, second end
  return false
end

-- What the function returned; true when that was nothing.
local function values(...)
  if select("#", ...) == 0 then return true end
  return ...
end

--- Let a transaction run as the view of a database that begins it, and as the tenant of its options.
---@return any ok
---@return larder.Error? err
function tx.enter(db, ctx, tenant)
  if not tenant and not db._context or db:kind() == "memory" then return true end
  local params, calls = { unpack(db._context and db._settings or {}) }, {}
  if tenant then params[#params + 1], params[#params + 2] = "larder.tenant", tenant end
  if #params == 0 then return true end
  for i = 1, #params, 2 do calls[#calls + 1] = SET:format(i, i + 1, i) end
  params.n = #params
  return settle(db._wait, ctx:query("select " .. table.concat(calls, ", "), params))
end

--- May calls of this view run in the transaction? Only in one that the view began, since no other runs as it does.
---@return true|nil
---@return larder.Error? err
function tx.admits(db, ctx)
  if not db._context or ctx:context() == db._context then return true end
  return errors.invalid(nil, "the transaction was not begun by this view of the database", { op = "transaction" })
end

local function body(db, ctx, fn, attempt)
  return fn(setmetatable({ _db = db, _ctx = ctx, attempt = attempt }, Tx))
end

local function first_body(db, ctx, opts, fn, attempt)
  if opts.tenant or db._context then
    local ok, err = tx.enter(db, ctx, opts.tenant)
    if not ok then return nil, err end
  end
  return body(db, ctx, fn, attempt)
end

-- The end of a run: what pcall returned, after the transaction's.
local function finish(ctx, db, deadline, ok, ...)
  local left
  if deadline then
    left = db:_time_left(ctx)
    db:_set_deadline(ctx, nil)
  end
  db._engine:bind(nil)
  local failed, err = failure(ok, ...)
  if not failed and left and left <= 0 then failed, err = true, tx.timed_out() end
  if failed then
    settle(db._wait, ctx:rollback(left and math.max(left, LEAST_ROLLBACK)))
    return false, err
  end
  ok, err = ctx:commit(left)
  if ok == PENDING then ok, err = settle(db._wait, ok, err) end
  if not ok then return false, err end
  return true, values(...)
end

--- One run to commit or rollback: true and what the function returned, or false and the error. The coroutine is in the
-- transaction for as long as this function is on its stack with ctx as the first argument: that is how the core knows
-- (csrc/lua/call/scope.h).
local function hold(ctx, db, opts, deadline, fn, attempt)
  db._engine:bind(ctx)
  if deadline then db:_set_deadline(ctx, deadline) end
  return finish(ctx, db, deadline, pcall(first_body, db, ctx, opts, fn, attempt))
end

hold = compat.closing(hold)

local function once(db, opts, deadline, fn, attempt)
  local ctx, err
  if opts == NONE and not db._context then
    ctx, err = db._engine:begin()
  else
    ctx, err = db._engine:begin {
      isolation = opts.isolation, read_only = opts.read_only, deferrable = opts.deferrable, context = db._context or nil,
    }
  end
  if not ctx then return false, err end
  return hold(ctx, db, opts, deadline, fn, attempt)
end

--- The error of a transaction whose time is over.
---@param op? string     what was called: by default the transaction itself
---@param store? string
---@return larder.Error
function tx.timed_out(op, store)
  return errors.new { code = "timeout", store = store, op = op or "transaction", message = "the transaction's time is over" }
end

--- Full jitter over a doubling pause, so that those who met once do not meet again.
local function pause(attempt)
  local longest = math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ^ attempt)
  return longest * tonumber(core.random_hex(4), 16) / 0x100000000
end

local function may_retry(err, attempt, opts, deadline)
  if attempt > (opts.retries or 0) or not errors.is(err) then return false end
  if not err.retryable or err.code == "commit_unknown" then return false end
  return not deadline or core.clock() < deadline
end

local function tell(db, started, attempt, ok, err)
  events.emit(db, "transaction", {
    op = ok and "commit" or "rollback", attempts = attempt, duration = core.clock() - started, err = not ok and err or nil,
  })
end

-- After a run: run again, or be done.
local function ended(db, opts, started, deadline, fn, attempt, ok, ...)
  if not ok and may_retry((...), attempt, opts, deadline) then
    wait.sleep(db._wait, pause(attempt))
    attempt = attempt + 1
    return ended(db, opts, started, deadline, fn, attempt, once(db, opts, deadline, fn, attempt))
  end
  if events.heard(db, "transaction") then tell(db, started, attempt, ok, (...)) end
  if not ok then return nil, (...) end
  return ...
end

local function outermost(db, opts, fn)
  local started = core.clock()
  local deadline = opts.timeout and started + opts.timeout or nil
  return ended(db, opts, started, deadline, fn, 1, once(db, opts, deadline, fn, 1))
end

-- The end of a savepoint: what pcall returned, after the transaction's.
local function finish_level(db, ctx, level, before, ok, ...)
  if db:_deadline(ctx) ~= before then db:_set_deadline(ctx, before) end
  local failed, err = failure(ok, ...)
  if not failed then
    ok, err = ctx:release(level)
    if ok then return values(...) end
  end
  ctx:rollback_to(level)
  return nil, err
end

local function nested(db, ctx, opts, fn)
  local level, err = tx.admits(db, ctx)
  if not level then return nil, err end
  level, err = ctx:savepoint()
  if not level then return nil, err end
  local before = db:_deadline(ctx)
  if opts.timeout then
    local deadline = core.clock() + opts.timeout
    db:_set_deadline(ctx, before and math.min(before, deadline) or deadline)
  end
  return finish_level(db, ctx, level, before, pcall(body, db, ctx, fn, 1))
end

--- Run fn in a transaction; inside one, in a savepoint.
---@param db larder.Db
---@param opts? larder.TxOptions
---@param fn fun(tx: larder.Tx): ...
---@return any ...  what fn returned (true when nothing), or nil and the error
function tx.run(db, opts, fn)
  local ctx = db._engine:ambient()
  opts = check_options(db, opts, ctx ~= nil)
  if ctx then return nested(db, ctx, opts, fn) end
  return outermost(db, opts, fn)
end

return tx
