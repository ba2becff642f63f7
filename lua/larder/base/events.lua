--- Listeners. A database without any pays one test of a boolean.

local compat = require "larder.base.compat"
local core = require "larder.core"
local misuse = require "larder.base.misuse"

local unpack = compat.unpack

local events = {}

-- query: every store call and raw statement; slow: those beyond the threshold; error: those that failed (a row that is
-- not there is an answer, no failure); transaction: the end of every outermost transaction; connect, acquire: a call
-- opened connections or got them from the pool (duration: of the waiting for it); parked, resumed: rows of insert_async of a store
-- (without one: of all, the server is away) cannot be written, can be written again.
local NAMES = {
  query = true, slow = true, error = true, transaction = true, connect = true, acquire = true, parked = true, resumed = true,
}

--- The names of the events, sorted.
---@return string[]
function events.names()
  local names = misuse.names(NAMES)
  table.sort(names)
  return names
end

---@class larder.Event
---@field store? string    "auth.users"
---@field op string        "get", "query", "commit"
---@field sql? string      text of a raw statement; its parameters never
---@field duration number  seconds
---@field attempts? integer  of a transaction
---@field count? integer     connections opened or handed out
---@field err? larder.Error

---@param db larder.Db
---@param name string
---@param fn fun(event: larder.Event)
---@return fun() remove
function events.on(db, name, fn)
  if not NAMES[name] then misuse.raise("db:on: no event is called %s%s", tostring(name), misuse.hint(name, misuse.names(NAMES))) end
  if type(fn) ~= "function" then misuse.raise("db:on: a listener must be a function, not %s", misuse.kind(fn)) end
  local list = db._listeners[name] or {}
  db._listeners[name] = list
  list[#list + 1] = fn
  db:_attend()
  return function()
    for i, other in ipairs(list) do
      if other == fn then
        table.remove(list, i)
        break
      end
    end
    if #list == 0 then db._listeners[name] = nil end
    db:_attend()
  end
end

--- Does anybody listen?
---@param db larder.Db
---@param name string
---@return boolean
function events.heard(db, name)
  return db._listeners[name] ~= nil
end

--- Must calls be timed for somebody?
---@param db larder.Db
---@return boolean
function events.watched(db)
  local heard = db._listeners
  return (heard.query or heard.slow or heard.error or heard.connect or heard.acquire) ~= nil
end

--- Call the listeners. What they raise must not make a finished call look failed: it is kept for `db:stats()`.
---@param db larder.Db
---@param name string
---@param event larder.Event
function events.emit(db, name, event)
  local list = db._listeners[name]
  if not list then return end
  for _, fn in ipairs { unpack(list) } do
    local ok, why = pcall(fn, event)
    if not ok then db._listener_error = db._listener_error or tostring(why) end
  end
end

--- The pool's counters, when somebody listens to what they tell.
local function pool_counters(db)
  return (db._listeners.connect or db._listeners.acquire) and db._engine:stats() or nil
end

local function tell_pool(db, before)
  local after = before and db._engine:stats()
  if not after or not after.connects then return end
  local connects, acquires = after.connects - before.connects, after.acquires - before.acquires
  local waited = tonumber(after.acquire_wait_us - before.acquire_wait_us) / 1e6
  if connects > 0 then events.emit(db, "connect", { op = "connect", count = connects, duration = waited }) end
  if acquires > 0 then events.emit(db, "acquire", { op = "acquire", count = acquires, duration = waited }) end
end

local function finish(db, event, started, before, ...)
  local first, err = ...
  event.duration = core.clock() - started
  tell_pool(db, before)
  if first == nil then event.err = err end
  events.emit(db, "query", event)
  if event.err ~= nil and event.err.code ~= "not_found" then events.emit(db, "error", event) end
  if event.duration >= db._slow then events.emit(db, "slow", event) end
  return ...
end

--- Time fn(…) and tell the listeners; returns what it returns.
---@param db larder.Db
---@param event larder.Event
---@param fn function
---@return any ...
function events.timed(db, event, fn, ...)
  return finish(db, event, core.clock(), pool_counters(db), fn(...))
end

return events
