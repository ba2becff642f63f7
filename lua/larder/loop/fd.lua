--- Waiting by a function of the caller, which waits for one descriptor: each call gets one of its own.

local compat = require "larder.base.compat"
local core = require "larder.core"
local Dispatcher = require "larder.loop.dispatcher"

local current = compat.coroutine

local IDLE = 0.01 -- seconds between two looks at a task without a descriptor

---@class larder.loop.Fd: larder.Loop
---@field wait larder.Waiter
local Fd = { name = "function" }
Fd.__index = Fd

---@param wait larder.Waiter
---@param engine userdata
---@return larder.loop.Fd
function Fd.new(wait, engine)
  return setmetatable({ wait = wait, engine = engine }, Fd)
end

function Fd.here()
  return true
end

--- Wait until the task is finished, or a little less.
---@param task userdata
---@return any ...  of task:step()
function Fd:await(task)
  if self.engine:joined() then return Dispatcher.block(task) end
  -- Whether it yields only the function knows, so it is tried before the task is handed over, which task:fd() does.
  if not core.yieldable() and current() and not pcall(self.wait, -1, "", 0) then return nil, Dispatcher.refuse(task) end
  local fd = task:fd()
  if fd < 0 then self.wait(-1, "", IDLE) else self.wait(fd, task:events(), task:timeout()) end
  return task:step()
end

---@param seconds number
function Fd:sleep(seconds)
  local over = core.clock() + seconds
  repeat
    self.wait(-1, "", seconds)
    seconds = over - core.clock()
  until seconds <= 0
end

---@return boolean started
function Fd.spawn()
  return false
end

function Fd.release() end

return Fd
