--- Waiters of loops that park a coroutine with coroutine.yield() and resume it themselves (luv, manual).

local compat = require "larder.base.compat"
local Dispatcher = require "larder.loop.dispatcher"

local current, yield = compat.coroutine, coroutine.yield

local Parked = {}
Parked.__index = Parked

--- Resume a coroutine; what it raised, if it did.
---@param co thread
---@return any why
function Parked.resume(co)
  if coroutine.status(co) ~= "suspended" then return nil end -- it was killed
  local ok, why = coroutine.resume(co)
  if ok then return nil end
  if type(why) == "string" then return debug.traceback(co, why) end
  if why == nil then return "the function raised nil" end
  return why
end

function Parked:wake()
  return Parked.resume(self.co)
end

--- A waiter for this coroutine.
---@param free larder.Waiter[]
---@param co thread
---@return larder.Waiter
function Parked.take(free, co)
  local n = #free
  local waiter = free[n] or setmetatable({}, Parked)
  free[n] = nil
  waiter.co = co
  return waiter
end

---@param free larder.Waiter[]
---@param waiter larder.Waiter
function Parked.give(free, waiter)
  waiter.co = nil
  free[#free + 1] = waiter
end

--- Wait until the task is finished.
---@param loop larder.Loop  with a dispatcher and a list `free` of waiters
---@param task userdata
---@param sent? fun(loop: larder.Loop)  called once the task is under way
---@return any ...  of task:step()
function Parked.await(loop, task, sent)
  local how, why = loop.dispatcher:manner(task)
  if how == "block" then return Dispatcher.block(task) end
  if not how then return nil, why end
  local waiter = Parked.take(loop.free, current())
  local ok, err = loop.dispatcher:enter(task, waiter)
  if not ok then return nil, err end
  if sent then sent(loop) end
  repeat yield(loop) until waiter.done
  Parked.give(loop.free, waiter)
  return task:step()
end

return Parked
