--- Waiting: how a call that cannot finish at once waits.
--
-- In a plain script the engine waits by itself, which is fastest. In an event loop a call of the core answers PENDING and a task;
-- the loop (see larder.loop) waits in Lua, so it may yield.

local core = require "larder.core"

local wait = {}

---@alias larder.Waiter fun(fd: integer, events: string, seconds: number|nil)
-- Returns when fd is ready for one of the events ("r", "w", "rw") or the seconds have passed; too early does no harm.
-- fd -1: only time.

local PENDING = core.PENDING

local await

--- The results of a call of the core, once it has finished: `settle(loop, cstore:get(…))`.
---@param loop? larder.Loop|false  none: the engine waits by itself and nothing is ever pending
---@param first any
---@return any ...
function wait.settle(loop, first, ...)
  if first == PENDING then return await(loop, ...) end
  return first, ...
end

local settle = wait.settle

function await(loop, task)
  return settle(loop, loop:await(task))
end

--- The results of a task that was sent before, once it has finished.
---@param loop? larder.Loop|false
---@param task userdata
---@return any ...
function wait.finish(loop, task)
  if loop then return await(loop, task) end
  task:wait()
  return task:step()
end

--- Let time pass.
---@param loop? larder.Loop|false
---@param seconds number
function wait.sleep(loop, seconds)
  if loop then return loop:sleep(seconds) end
  core.sleep(seconds)
end

--- Run fn beside the caller, when there is an event loop to do it.
---@param loop? larder.Loop|false
---@param fn fun()
---@return boolean started
function wait.spawn(loop, fn)
  return loop and loop:spawn(fn) or false
end

return wait
