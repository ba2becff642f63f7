--- Waiting in luv: a call inside a coroutine yields, and the callback of one poll handle on the engine's descriptor resumes it.
-- The handle is active only while somebody waits, so that uv.run() ends when nothing else is to be done.

local compat = require "larder.base.compat"
local core = require "larder.core"
local Parked = require "larder.loop.waiter"
local uv = require "luv"

local current, yield = compat.coroutine, coroutine.yield

-- Poll handles by descriptor, for good. One that is closed late takes away the events of whoever has the descriptor by then, and
-- one that is closed early crashes this luv at the program's end, unless uv.run() is called once more.
local handles = {}

---@class larder.loop.Luv: larder.Loop
local Luv = { name = "luv" }
Luv.__index = Luv

---@param dispatcher larder.Dispatcher
---@return larder.loop.Luv
function Luv.new(dispatcher)
  -- luv keeps a callback for as long as its handle. It holds on to the loop only while somebody waits: then nobody else may know
  -- the coroutines, but afterwards the database may be collected.
  local held = {}
  local function callback()
    local self = held.loop
    if not self then return end
    local ok, why = pcall(self.dispatcher.serve, self.dispatcher)
    if self.dispatcher.waiting == 0 then self:release() end
    if not ok then error(why, 0) end
  end
  return setmetatable({ dispatcher = dispatcher, free = {}, held = held, callback = callback }, Luv)
end

---@return boolean
function Luv.here()
  return current() ~= nil
end

-- Watch the engine's descriptor; a forked process has another one.
local function attend(self)
  local fd = self.dispatcher.engine:wake_fd()
  if self.held.loop and fd == self.fd then return end
  self:release()
  local handle = handles[fd] or assert(uv.new_poll(fd))
  handles[fd], self.handle, self.fd = handle, handle, fd
  self.held.loop = self
  handle:start("r", self.callback)
end

---@param task userdata
---@return any ...  of task:step()
function Luv:await(task)
  return Parked.await(self, task, attend)
end

---@param seconds number
function Luv.sleep(_, seconds)
  local co = current()
  if not co then return core.sleep(seconds) end
  local timer, over = uv.new_timer(), false
  timer:start(math.ceil(seconds * 1000), 0, function()
    timer:close()
    over = true
    local why = Parked.resume(co)
    if why ~= nil then error(why, 0) end
  end)
  repeat yield() until over
end

---@param fn fun()
---@return boolean started
function Luv:spawn(fn)
  if not self.here() then return false end
  local timer = uv.new_timer() -- resumed by the loop, not by the caller: it is outside of the caller's transaction
  timer:start(0, 0, function()
    timer:close()
    coroutine.wrap(fn)()
  end)
  return true
end

--- Stop watching: nobody waits, or the engine is about to close its descriptor. While somebody waits, the database is collected
-- at the end of the program only, where luv's handles may be gone before it.
---@param collected? boolean
function Luv:release(collected)
  if not self.held.loop then return end
  self.held.loop = nil
  if not collected then self.handle:stop() end
end

return Luv
