--- Waiting in copas, which knows sockets only: a waiting call reads from an object that looks like one. All of them name the
-- engine's descriptor; whichever copas wakes finds out who may go on, and those say that select() need not wait for them.

local compat = require "larder.base.compat"
local copas = require "copas"
local core = require "larder.core"
local Desk = require "larder.loop.dispatcher"

local current = compat.coroutine

local Seat = {}
Seat.__index = Seat

function Seat.ring() end

-- ---- what copas and select() call ----

local ANY = 0 -- select() asks for a descriptor before it asks dirty(), and then does without it

function Seat:getfd()
  return self.done and ANY or self.desk.engine:wake_fd()
end

function Seat:dirty()
  return self.done
end

function Seat:receive()
  if self.woken and not self.done then self.desk:serve() end
  self.woken = true -- copas reads once before it waits
  if self.done then return "" end
  return nil, "timeout"
end

function Seat.settimeout() end

--- copas closes what a coroutine waited for last.
function Seat.close() end

-- ---- the loop ----

---@class larder.loop.Copas: larder.Loop
local Copas = { name = "copas" }
Copas.__index = Copas

---@param desk larder.Desk
---@return larder.loop.Copas
function Copas.new(desk)
  return setmetatable({ desk = desk, free = {} }, Copas)
end

---@return boolean
function Copas.here()
  return current() ~= nil and copas.running ~= false -- nil: a copas that does not tell
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Copas:await(task)
  if not self.here() then return Desk.block(task) end
  local how, why = self.desk:manner(task)
  if how == "block" then return Desk.block(task) end
  if not how then return nil, why end
  local free = self.free
  local n = #free
  local seat = free[n] or setmetatable({ desk = self.desk }, Seat)
  free[n] = nil
  local ok, err = self.desk:enter(task, seat)
  if not ok then return nil, err end
  seat.woken = false
  copas.receive(seat, 1)
  free[#free + 1] = seat
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
