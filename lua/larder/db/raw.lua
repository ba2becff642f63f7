--- Raw SQL: statements, cursors, pipelines and COPY. Memory answers `unsupported`.

local compat = require "larder.base.compat"
local cursors = require "larder.db.cursor"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local wait = require "larder.base.wait"

local pack, settle = compat.pack, wait.settle

local raw = {}

local QUERY_OPTIONS = options.set { timeout = "seconds", columns = "boolean" }
local EACH_OPTIONS = options.set { page = "positive" }
local COPY_OPTIONS = options.set { timeout = "seconds" }
raw.PIPELINE_OPTIONS = options.set { atomic = "boolean", timeout = "seconds" }

local function check_text(sql, method)
  if type(sql) ~= "string" then misuse.raise("db:%s: the statement must be a text, not %s", method, misuse.kind(sql)) end
  return sql
end

-- A statement is a text, or a table with the text first and options beside it.
local function split(sql, set, method)
  if type(sql) ~= "table" then return check_text(sql, method), nil end
  misuse.check_shape(sql, "condition", "db:" .. method .. ": the statement")
  if #sql > 1 then misuse.raise("db:%s: parameters stand behind the table of the statement, not in it", method) end
  local opts = {}
  for name, value in next, sql do
    if name ~= 1 then opts[name] = value end
  end
  return check_text(sql[1], method), options.read(opts, set, "db", method)
end

-- Words that begin or end a transaction. Outside of one, each statement has a transaction to itself, on whichever connection is
-- free: `begin` would do nothing, and the statements that follow could not be rolled back.
local CONTROL = {}
for word in ("begin start commit end rollback abort savepoint release"):gmatch "%a+" do CONTROL[word] = true end

-- The first word of a statement, in lower case.
local function first_word(text)
  local word = text:match "^%a+"
  if word then return word:lower() end
  local at, behind = 1, text:match "^[%s;]*()"
  while behind ~= at do -- blanks and comments
    at = behind
    behind = text:match("^%-%-[^\n]*\n?[%s;]*()", at) or text:match("^/%*.-%*/[%s;]*()", at) or at
  end
  return (text:match("^%a*", at)):lower()
end

-- nil, err for a statement that controls transactions where there is none.
local function refused(db, ctx, text)
  local word = first_word(text)
  if not CONTROL[word] or ctx or db:in_transaction() then return false end
  if text:lower():find(word .. "%s+prepared") or db:kind() == "memory" then return false end
  return errors.new {
    code = "invalid", op = "query", message = ("%s does nothing here: each statement has a transaction of its own"):format(word:upper()),
    hint = "db:transaction(function() … end); db:session is for those who want the connection to themselves",
  }
end

-- May a statement have failed by what the core knew of it from before a table changed? Then the core asks the server
-- anew the next time. 42501, a missing right, is no such failure.
local function is_doubtful(err)
  local state = err.sqlstate
  if not state or state == "42501" then return false end
  return state:sub(1, 2) == "42" or state == "0A000" or state == "22P03" or state == "XX000"
end

-- A statement of a view runs as the view says; with a transaction or session named, as that does.
local function seen_by(db, ctx, opts)
  if ctx or not db._context then return opts end
  return { timeout = opts and opts.timeout, columns = opts and opts.columns, context = db._context or nil }
end

-- Alone, what failed did nothing, so that it can be run again.
local function attempt(db, ctx, text, params, opts)
  opts = seen_by(db, ctx, opts)
  local rows, result, columns = settle(db._wait, (ctx or db._engine):query(text, params, opts))
  if rows ~= nil then return rows, result, columns end
  if not ctx and is_doubtful(result) and not db:in_transaction() then
    return settle(db._wait, db._engine:query(text, params, opts))
  end
  return nil, result -- and no third value: LuaJIT's assert raises the last one
end

local function run(db, ctx, text, params, opts)
  if db._plain then return attempt(db, ctx, text, params, opts) end
  opts = opts or {}
  return db:_guarded({ op = "query", sql = text }, opts.timeout, function(timeout)
    return attempt(db, ctx, text, params, { timeout = timeout, columns = opts.columns })
  end)
end

---@param db larder.Db
---@param ctx userdata|nil  nil: the transaction of the running coroutine, if there is one
function raw.query(db, ctx, sql, ...)
  local text, opts = split(sql, QUERY_OPTIONS, "query")
  local err = refused(db, ctx, text)
  if err then return nil, err end
  return run(db, ctx, text, pack(...), opts)
end

-- ---- cursors ----

local PAGE = 500

-- In a transaction of its own always the same, so that the core knows its statements.
local function cursor_name(number)
  return number == 0 and "larder_cursor" or "larder_cursor_" .. number
end

function raw.each(db, sql, ...)
  local text, opts = split(sql, EACH_OPTIONS, "each")
  local params, page = pack(...), opts and opts.page or PAGE
  local cursor = cursors.new(db, {
    page = page, name = cursor_name,
    declare = function(ctx, number)
      local before = ("declare %s no scroll cursor for "):format(cursor_name(number))
      local ok, err = run(db, ctx, before .. text, params)
      if not ok and err.line == 1 then err.place = err.place - #before end -- in the caller's text
      return ok, err
    end,
    fetch = function(ctx, number)
      return run(db, ctx, ("fetch %d from %s"):format(page, cursor_name(number)), { n = 0 })
    end,
  })
  return cursor, nil, nil, cursor
end

-- ---- sessions ----

---@class larder.Session
local Session = {}
Session.__index = Session
Session.__name = "larder.db.session"

--- Run SQL on this session's connection, from any coroutine; one statement at a time.
---@param sql string|table
---@param ... any
---@return table[]|nil rows
---@return integer|larder.Error affected
function Session:query(sql, ...)
  return raw.query(self._db, self._ctx, sql, ...)
end

--- The server process behind the connection; 0 before the first statement.
---@return integer
function Session:backend_pid()
  return self._ctx:backend_pid()
end

misuse.guard(Session, { "query", "backend_pid" }, "_ctx", "a session")
misuse.spelled(Session, "a session")

function raw.session(db, opts, fn)
  local ctx, err = db._engine:session { timeout = opts.timeout }
  if not ctx then return nil, err end
  local results = pack(pcall(fn, setmetatable({ _db = db, _ctx = ctx }, Session)))
  settle(db._wait, ctx:rollback {}) -- ends the session, whatever it was in
  if not results[1] then return nil, results[2] == nil and "the function raised nil" or results[2] end
  if results.n == 1 then return true end
  return compat.unpack(results, 2, results.n)
end

-- ---- pipelines ----

---@class larder.Pipeline
local Pipeline = {}
Pipeline.__index = Pipeline

--- Add a statement.
---@param sql string
---@param ... any
---@return integer number  of its result
function Pipeline:query(sql, ...)
  check_text(sql, "pipeline, p:query")
  self[#self + 1] = { sql = sql, params = pack(...) }
  return #self
end

Pipeline.collects = true -- told from other tables by it
misuse.guard(Pipeline, { "query" }, "collects", "a pipeline")
misuse.spelled(Pipeline, "a pipeline")

local function first_failure(results)
  for i, result in ipairs(results) do
    if result.err and result.err.code ~= "canceled" then return result.err, i end
  end
end

-- In an event loop the core must know the statements before, or it would wait inside to ask the server about them.
local function run_pipeline(db, items, atomic, timeout)
  local opts, engine, known = { timeout = timeout, context = db._context or nil }, db._engine, {}
  for _, item in ipairs(db._wait and items or {}) do
    if not known[item.sql] then
      known[item.sql] = true
      local ok, err = settle(db._wait, engine:prepare(item.sql, opts))
      -- what is wrong with the statement, the pipeline tells
      if not ok and (err.code == "closed" or err.code == "unsupported") then return nil, err end
    end
  end
  return settle(db._wait, engine:pipeline(setmetatable(items, nil), atomic, opts))
end

function raw.pipeline(db, opts, fn)
  local items = setmetatable({}, Pipeline)
  fn(items)
  if #items == 0 then return {} end
  for _, item in ipairs(items) do
    local err = refused(db, nil, item.sql)
    if err then return nil, err end
  end
  local atomic = opts.atomic == true or db:in_transaction()
  local results, err = db:_guarded({ op = "pipeline" }, opts.timeout, function(timeout)
    return run_pipeline(db, items, atomic, timeout)
  end)
  if not results then return nil, err end
  local failed = atomic and first_failure(results)
  if failed then return nil, failed, results end
  return results
end

-- ---- COPY ----

--- fn(ctx) in the running transaction, or in one of its own.
local function within(db, method, fn)
  if db:kind() == "memory" then
    return nil, errors.new { code = "unsupported", op = method, message = "COPY needs PostgreSQL" }
  end
  return db:transaction(function(tx) return fn(tx._ctx) end)
end

local function feeder(source)
  if type(source) == "function" then return source end
  local pieces = type(source) == "table" and source or { source }
  for i, piece in ipairs(pieces) do
    if type(piece) ~= "string" then misuse.raise("db:copy_in: piece %d must be a text, not %s", i, misuse.kind(piece)) end
  end
  local at = 0
  return function()
    at = at + 1
    return pieces[at]
  end
end

function raw.copy_in(db, sql, source, opts)
  check_text(sql, "copy_in")
  if type(source) == "table" then
    misuse.check_shape(source, "list", "db:copy_in: the list of pieces")
  elseif type(source) ~= "function" and type(source) ~= "string" then
    misuse.raise("db:copy_in: the source must be a text, a list or a function, not %s", misuse.kind(source))
  end
  local feed = feeder(source)
  opts = options.read(opts, COPY_OPTIONS, "db", "copy_in")
  return within(db, "copy_in", function(ctx) return settle(db._wait, ctx:copy_in(sql, feed, opts)) end)
end

function raw.copy_out(db, sql, sink, opts)
  check_text(sql, "copy_out")
  if type(sink) ~= "function" then misuse.raise("db:copy_out: the sink must be a function, not %s", misuse.kind(sink)) end
  opts = options.read(opts, COPY_OPTIONS, "db", "copy_out")
  return within(db, "copy_out", function(ctx) return settle(db._wait, ctx:copy_out(sql, sink, opts)) end)
end

return raw
