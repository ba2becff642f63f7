--- Waiting by a function of the caller, which waits for one descriptor: each call gets one of its own.

local core = require "larder.core"

local IDLE = 0.01 -- seconds between two looks at a task without a descriptor

---@class larder.loop.Fd: larder.Loop
---@field wait larder.Waiter
local Fd = { name = "function" }
Fd.__index = Fd

---@param wait larder.Waiter
---@return larder.loop.Fd
function Fd.new(wait)
  return setmetatable({ wait = wait }, Fd)
end

function Fd.here()
  return true
end

--- Wait until the task is finished, or a little less.
---@param task userdata
---@return any ...  of task:step()
function Fd:await(task)
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
