--- Waiting: how a call that cannot finish at once waits for its file descriptor.
--
-- In a plain script the engine itself waits in poll(), which is fastest. Inside an event loop a call of the core answers
-- PENDING and a task; the loop below waits in Lua, so it may yield.

local core = require "larder.core"

local wait = {}

---@alias larder.Waiter fun(fd: integer, events: string, seconds: number|nil)
-- Returns when fd is ready for one of the events ("r", "w", "rw") or the seconds have passed; too early does no harm.
-- fd -1: only time.

local PENDING = core.PENDING
local IDLE = 0.01 -- seconds between two looks at a task that names neither descriptor nor time

local await

--- The results of a call of the core, once it has finished: `settle(waiter, cstore:get(…))`.
---@param waiter? larder.Waiter  nil: the engine waits by itself and nothing is ever pending
---@param first any
---@return any ...
function wait.settle(waiter, first, ...)
  if first == PENDING then return await(waiter, ...) end
  return first, ...
end

local settle = wait.settle

function await(waiter, task)
  waiter(task:fd(), task:events(), task:timeout())
  return settle(waiter, task:step())
end

local function cqueues_waiter(cqueues)
  return function(fd, events, seconds)
    if fd < 0 then return cqueues.sleep(seconds or IDLE) end
    if seconds then
      cqueues.poll({ pollfd = fd, events = events }, seconds)
    else
      cqueues.poll({ pollfd = fd, events = events })
    end
    cqueues.cancel(fd) -- before the core may close it
  end
end

local function loaded_cqueues()
  local cqueues = package.loaded.cqueues
  return type(cqueues) == "table" and cqueues.running and cqueues or nil
end

--- How this process waits: what the caller says, cqueues where the program has loaded it (its poll() works outside of a
-- controller, too), or nil for the engine's own poll().
---@param choice? larder.Waiter|false  false: never an event loop
---@return larder.Waiter|nil
function wait.detect(choice)
  if choice ~= nil then return choice or nil end
  local cqueues = loaded_cqueues()
  return cqueues and cqueues_waiter(cqueues) or nil
end

--- Let time pass.
---@param waiter? larder.Waiter
---@param seconds number
function wait.sleep(waiter, seconds)
  if waiter then return waiter(-1, "", seconds) end
  core.sleep(seconds)
end

--- Run fn beside the caller, when there is an event loop to do it.
---@param fn fun()
---@return boolean started
function wait.spawn(fn)
  local cqueues = loaded_cqueues()
  local controller = cqueues and cqueues.running()
  if not controller then return false end
  controller:wrap(fn)
  return true
end

return wait
