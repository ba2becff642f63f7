--- Waiting in a loop that larder does not know: the program watches the runtime's descriptor and calls step(). A call inside a
-- coroutine parks it by coroutine.yield(runtime), and only step() may resume it; outside of one it blocks.

local compat = require "larder.base.compat"
local core = require "larder.core"
local Parked = require "larder.loop.waiter"
local misuse = require "larder.base.misuse"

local current = compat.coroutine

---@class larder.Runtime: larder.Loop
local Runtime = { name = "manual" }
Runtime.__index = Runtime
Runtime.__name = "larder.runtime"

---@param dispatcher? larder.Dispatcher  nil: an engine that never waits
---@return larder.Runtime
function Runtime.new(dispatcher)
  return setmetatable({ dispatcher = dispatcher, free = {} }, Runtime)
end

--- The descriptor to watch; -1: there is nothing to wait for. Ask each time: a forked process has another one.
---@return integer
function Runtime:pollfd()
  local engine = self.dispatcher and self.dispatcher.engine
  return engine and not engine:closed() and engine:wake_fd() or -1
end

Runtime.getfd = Runtime.pollfd

--- What to watch it for, in the words of cqueues.
---@return string
function Runtime.events()
  return "r"
end

--- Seconds after which step() must be called in any case: none, the engine watches its deadlines itself.
---@return nil
function Runtime.timeout()
  return nil
end

--- Is there something to do before the descriptor says so?
---@return boolean
function Runtime.dirty()
  return false
end

--- Resume the coroutines whose calls are finished. Raises what they raise, after all have run.
---@return integer n  how many calls were finished
function Runtime:step()
  if self:pollfd() < 0 then return 0 end
  return self.dispatcher:serve()
end

--- Calls that wait.
---@return integer
function Runtime:waiting()
  return self.dispatcher and self.dispatcher.waiting or 0
end

function Runtime.here()
  return current() ~= nil
end

---@param task userdata
---@return any ...  of task:step()
function Runtime:await(task)
  return Parked.await(self, task)
end

--- There is no timer to wait for: these pauses are short.
---@param seconds number
function Runtime.sleep(_, seconds)
  core.sleep(seconds)
end

---@return boolean started
function Runtime.spawn()
  return false
end

function Runtime.release() end

-- What a program calls; the rest is larder's own.
misuse.guard(Runtime, { "pollfd", "getfd", "events", "timeout", "dirty", "step", "waiting" }, "free", "a runtime")
misuse.spelled(Runtime, "a runtime", { dispatcher = true })

return Runtime
