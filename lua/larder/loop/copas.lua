--- Waiting in copas, which knows sockets only: a waiting call reads from an object that looks like one. All of them name the
-- engine's descriptor; whichever copas wakes finds out who may go on, and those say that select() need not wait for them.

local compat = require "larder.base.compat"
local copas = require "copas"
local core = require "larder.core"
local Dispatcher = require "larder.loop.dispatcher"

local current = compat.coroutine

local Waiter = {}
Waiter.__index = Waiter

function Waiter.wake() end

-- ---- what copas and select() call ----

local ANY = 0 -- select() asks for a descriptor before it asks dirty(), and then does without it

function Waiter:getfd()
  return self.done and ANY or self.dispatcher.engine:wake_fd()
end

function Waiter:dirty()
  return self.done
end

function Waiter:receive()
  if self.woken and not self.done then self.dispatcher:serve() end
  self.woken = true -- copas reads once before it waits
  if self.done then return "" end
  return nil, "timeout"
end

function Waiter.settimeout() end

--- copas closes what a coroutine waited for last.
function Waiter.close() end

-- ---- the loop ----

---@class larder.loop.Copas: larder.Loop
local Copas = { name = "copas" }
Copas.__index = Copas

---@param dispatcher larder.Dispatcher
---@return larder.loop.Copas
function Copas.new(dispatcher)
  return setmetatable({ dispatcher = dispatcher, free = {} }, Copas)
end

---@return boolean
function Copas.here()
  return current() ~= nil and copas.running ~= false -- nil: a copas that does not tell
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Copas:await(task)
  if not self.here() then return Dispatcher.block(task) end
  local how, why = self.dispatcher:manner(task)
  if how == "block" then return Dispatcher.block(task) end
  if not how then return nil, why end
  local free = self.free
  local n = #free
  local waiter = free[n] or setmetatable({ dispatcher = self.dispatcher }, Waiter)
  free[n] = nil
  local ok, err = self.dispatcher:enter(task, waiter)
  if not ok then return nil, err end
  waiter.woken = false
  copas.receive(waiter, 1)
  free[#free + 1] = waiter
  return task:step()
end

--- A copas without sleep() is held up: these pauses are short.
---@param seconds number
function Copas:sleep(seconds)
  if self.here() and copas.sleep then return copas.sleep(seconds) end
  core.sleep(seconds)
end

---@param fn fun()
---@return boolean started
function Copas:spawn(fn)
  if not self.here() then return false end
  copas.addthread(fn)
  return true
end

function Copas.release() end

return Copas
