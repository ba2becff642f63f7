--- Waiting in nginx. A call waits on a semaphore; one light thread a worker and database, the poller, reads from a socket on
-- which the engine says that tasks are finished, and posts their semaphores.
--
-- The poller runs in a timer, ends when nothing was to be done for a while (so that it holds up neither the worker's exit nor
-- a Lua state without code cache), and is started again by the next call.

local core = require "larder.core"
local Dispatcher = require "larder.loop.dispatcher"
local errors = require "larder.base.errors"
local semaphore = require "ngx.semaphore"
local threads = require "larder.loop.ngx_threads"

local ngx = ngx
local exiting, get_phase, now, timer_at = ngx.worker.exiting, ngx.get_phase, ngx.now, ngx.timer.at

-- Seconds of one wait on a semaphore (the engine watches the deadlines), by what the poller does.
local PATIENCE = { running = 10, called = 1 }
local SHORT = 0.01     -- without a poller
local TICK = 0.5       -- seconds between two looks for killed light threads; the engine writes that often
local LINGER = 1       -- seconds that a poller without work stays
local SILENCE = 10000  -- milliseconds without a tick: the connection is of no use
local TURNS = 10000    -- reads of one timer: what nginx gives a timer it takes back at the timer's end only
local HELD_UP = 5      -- seconds that a call may hold up the worker where nothing can wait

-- What a call does in a phase: wait on a semaphore, block for a short while, or (not listed) refuse.
local WAIT, BLOCK = 1, 2
local PHASES = {
  rewrite = WAIT, server_rewrite = WAIT, access = WAIT, content = WAIT, timer = WAIT,
  ssl_cert = WAIT, ssl_client_hello = WAIT, ssl_session_fetch = WAIT,
  init = BLOCK, init_worker = BLOCK, exit_worker = BLOCK,
}

local Waiter = {}
Waiter.__index = Waiter

function Waiter:wake()
  self.semaphore:post(1)
end

local function new_waiter()
  return setmetatable({ semaphore = assert(semaphore.new(0)) }, Waiter)
end

---@class larder.loop.Nginx: larder.Loop
local Nginx = { name = "nginx" }
Nginx.__index = Nginx

--- Seconds that something which cannot wait may hold up the worker.
---@param opts? larder.OpenOptions
---@return number
function Nginx.blocks_for(opts)
  return opts and opts.init_timeout or HELD_UP
end

---@param dispatcher larder.Dispatcher
---@param opts? larder.OpenOptions
---@return larder.loop.Nginx
function Nginx.new(dispatcher, opts)
  dispatcher.engine:set_scopes(threads.scopes())
  return setmetatable({
    dispatcher = dispatcher, free = {}, swept = 0, limit = Nginx.blocks_for(opts),
  }, Nginx)
end

---@return boolean
function Nginx.here()
  return PHASES[get_phase()] == WAIT
end

-- ---- the poller ----

--- A light thread that was killed (the client went away, ngx.exit, ngx.thread.kill) left its semaphore: nobody waits on it, though
-- its task is not finished. The statement is cancelled, its transaction given up. So is the transaction of one that was killed
-- elsewhere: nginx does not keep its coroutine any more, or has given it to another request.
local function sweep(self)
  local dispatcher = self.dispatcher
  if dispatcher.engine:bound() > 0 then dispatcher.engine:sweep(threads.alive()) end
  for id, waiter in pairs(dispatcher.waiters) do
    if not waiter.looks and waiter.semaphore:count() >= 0 then
      dispatcher:leave(id)
      waiter.task:abandon()
    end
  end
end

local function idle(self)
  if self.dispatcher.waiting > 0 or self.dispatcher.engine:bound() > 0 and not exiting() then
    self.idle_since = nil
    return false
  end
  self.idle_since = self.idle_since or now()
  return exiting() or now() - self.idle_since >= LINGER
end

local function turn(self)
  self.dispatcher:serve()
  if now() - self.swept < TICK / 2 then return end
  self.swept = now()
  sweep(self)
end

--- Serve on one connection until there is nothing to do, or no use in it.
---@return boolean over
local function serve(self)
  local path = self.dispatcher.engine:wake_path()
  local socket = ngx.socket.tcp()
  socket:settimeout(SILENCE)
  if not path or not socket:connect("unix:" .. path) then
    turn(self)
    ngx.sleep(SHORT)
    return idle(self)
  end
  turn(self) -- what was finished before it could be told
  for _ = 1, TURNS do
    if not socket:receiveany(1024) then break end
    turn(self)
    if idle(self) then
      socket:close()
      return true
    end
  end
  socket:close() -- harmless when it was lost
  return false
end

local poll

-- It may never come: nginx runs a limited number of timers at once.
local function start(self)
  self.poller = timer_at(0, poll, self) and "called" or nil
end

function poll(_, self)
  if self.poller == "running" then return end
  self.poller = "running"
  local ok, over = pcall(serve, self)
  self.poller = nil
  if not ok then ngx.log(ngx.ERR, "larder: ", over) end
  if over == true or self.dispatcher.engine:closed() then return end
  start(self)
end

-- ---- the loop ----

local function refused(phase)
  return errors.new {
    code = "unsupported", message = ("a database call cannot wait in %s_by_lua*"):format(phase),
    hint = "ngx.timer.at(0, …) runs it a moment later",
  }
end

local function block(self, task, phase)
  if task:wait(self.limit) then return task:step() end
  task:close()
  return nil, errors.new {
    code = "timeout", message = ("took more than %g s in %s_by_lua*, which is held up by it"):format(self.limit, phase),
  }
end

--- Waits until the waiter is woken; what is wrong with the wait, if anything.
local function wait_on(self, waiter)
  repeat
    if not self.poller then start(self) end
    local ok, why = waiter.semaphore:wait(PATIENCE[self.poller] or SHORT)
    if not ok then
      if why ~= "timeout" then return why end
      waiter.looks = true -- it does not wait on its semaphore now, but it was not killed
      local looked, fault = pcall(turn, self)
      waiter.looks = false
      if not looked then error(fault, 0) end
      if self.poller == "called" then self.poller = nil end
    end
  until waiter.done
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Nginx:await(task)
  local phase = get_phase()
  local how = PHASES[phase]
  if how == BLOCK then return block(self, task, phase) end
  if not how then
    task:close() -- it was not sent yet
    return nil, refused(phase)
  end
  if not core.yieldable() then return nil, Dispatcher.refuse(task) end
  local free = self.free
  local n = #free
  local waiter = free[n] or new_waiter()
  free[n] = nil
  local id, err = self.dispatcher:enter(task, waiter)
  if not id then return nil, err end
  waiter.task, self.idle_since = task, nil
  local why = wait_on(self, waiter)
  waiter.task = nil
  if why then
    self.dispatcher:leave(id)
    task:close()
    return nil, errors.new { code = "unsupported", message = "cannot wait: " .. why }
  end
  free[#free + 1] = waiter
  return task:step()
end

---@param seconds number
function Nginx:sleep(seconds)
  if self.here() then return ngx.sleep(seconds) end
  core.sleep(seconds)
end

---@param fn fun()
---@return boolean started
function Nginx.spawn(_, fn)
  local ok, started = pcall(timer_at, 0, function() fn() end)
  return ok and started ~= nil and started ~= false
end

function Nginx.release() end

return Nginx
