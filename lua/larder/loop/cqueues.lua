--- Waiting in cqueues. While calls wait in a controller, one more coroutine of it, the poller, watches the engine's descriptor
-- and wakes them through condition variables; so a finished task wakes one coroutine, however many wait.
--
-- Each controller has a poller of its own: another one may not be stepped for as long as this one runs.

local condition = require "cqueues.condition"
local core = require "larder.core"
local cqueues = require "cqueues"
local Dispatcher = require "larder.loop.dispatcher"

local poll, running = cqueues.poll, cqueues.running

-- Seconds after which a caller looks whether there still is a poller: one that failed tells nobody.
local LOOK = 2

local Waiter = {}
Waiter.__index = Waiter

function Waiter:wake()
  self.state.waiting = self.state.waiting - 1
  self.condition:signal()
end

---@class larder.loop.Cqueues: larder.Loop
local Cqueues = { name = "cqueues" }
Cqueues.__index = Cqueues

---@param dispatcher larder.Dispatcher
---@return larder.loop.Cqueues
function Cqueues.new(dispatcher)
  return setmetatable({
    dispatcher = dispatcher, free = {}, descriptor = { events = "r" }, controllers = setmetatable({}, { __mode = "k" }),
  }, Cqueues)
end

--- Does the running coroutine belong to a controller? One inside of it does not: its yield would reach the wrong resume.
---@return boolean
function Cqueues.here()
  local _, own = running()
  return own == true
end

local function state_of(self, controller)
  local state = self.controllers[controller]
  if not state then
    state = { waiting = 0, poller = false }
    self.controllers[controller] = state
  end
  return state
end

local function serve(self, state)
  while state.waiting > 0 do
    self.descriptor.pollfd = self.dispatcher.engine:wake_fd()
    poll(self.descriptor, LOOK)
    self.dispatcher:serve()
    if state.waiting == 0 then poll(0) end -- those who go on may well ask again at once
  end
end

local function start_poller(self, state, controller)
  state.poller = true
  controller:wrap(function()
    local ok, why = pcall(serve, self, state)
    state.poller = false
    if not ok then error(why, 0) end
  end)
end

local function wait_on(self, state, waiter, controller)
  repeat
    if not state.poller then start_poller(self, state, controller) end
    poll(waiter.condition, LOOK)
  until waiter.done
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Cqueues:await(task)
  local controller, own = running()
  if not own then return Dispatcher.block(task) end
  local how, why = self.dispatcher:manner(task)
  if how == "block" then return Dispatcher.block(task) end
  if not how then return nil, why end
  local free = self.free
  local n = #free
  local waiter = free[n] or setmetatable({ condition = condition.new() }, Waiter)
  free[n] = nil
  local state = state_of(self, controller)
  local ok, err = self.dispatcher:enter(task, waiter)
  if not ok then return nil, err end
  waiter.state = state
  state.waiting = state.waiting + 1
  wait_on(self, state, waiter, controller)
  free[#free + 1] = waiter
  return task:step()
end

---@param seconds number
function Cqueues:sleep(seconds)
  if self.here() then return cqueues.sleep(seconds) end
  core.sleep(seconds)
end

---@param fn fun()
---@return boolean started
function Cqueues.spawn(_, fn)
  local controller = running()
  if not controller then return false end
  controller:wrap(fn)
  return true
end

--- The engine is about to close its descriptor.
function Cqueues:release()
  if self.descriptor.pollfd then cqueues.cancel(self.descriptor.pollfd) end
  self.descriptor.pollfd = nil
end

return Cqueues
