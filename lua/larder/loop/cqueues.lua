--- Waiting in cqueues. While calls wait in a controller, one more coroutine of it, the usher, watches the engine's descriptor
-- and wakes them through condition variables; so a finished task wakes one coroutine, however many wait.
--
-- Each controller has an usher of its own: another one may not be stepped for as long as this one runs.

local condition = require "cqueues.condition"
local core = require "larder.core"
local cqueues = require "cqueues"
local Desk = require "larder.loop.dispatcher"

local poll, running = cqueues.poll, cqueues.running

-- Seconds after which a caller looks whether there still is an usher: one that failed tells nobody.
local LOOK = 2

local Seat = {}
Seat.__index = Seat

function Seat:ring()
  self.room.waiting = self.room.waiting - 1
  self.bell:signal()
end

---@class larder.loop.Cqueues: larder.Loop
local Cqueues = { name = "cqueues" }
Cqueues.__index = Cqueues

---@param desk larder.Desk
---@return larder.loop.Cqueues
function Cqueues.new(desk)
  return setmetatable({
    desk = desk, free = {}, door = { events = "r" }, rooms = setmetatable({}, { __mode = "k" }),
  }, Cqueues)
end

--- Does the running coroutine belong to a controller? One inside of it does not: its yield would reach the wrong resume.
---@return boolean
function Cqueues.here()
  local _, own = running()
  return own == true
end

local function room_of(self, controller)
  local room = self.rooms[controller]
  if not room then
    room = { waiting = 0, usher = false }
    self.rooms[controller] = room
  end
  return room
end

local function serve(self, room)
  while room.waiting > 0 do
    self.door.pollfd = self.desk.engine:wake_fd()
    poll(self.door, LOOK)
    self.desk:serve()
    if room.waiting == 0 then poll(0) end -- those who go on may well ask again at once
  end
end

local function start_usher(self, room, controller)
  room.usher = true
  controller:wrap(function()
    local ok, why = pcall(serve, self, room)
    room.usher = false
    if not ok then error(why, 0) end
  end)
end

local function sit(self, room, seat, controller)
  repeat
    if not room.usher then start_usher(self, room, controller) end
    poll(seat.bell, LOOK)
  until seat.done
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Cqueues:await(task)
  local controller, own = running()
  if not own then return Desk.block(task) end
  local how, why = self.desk:manner(task)
  if how == "block" then return Desk.block(task) end
  if not how then return nil, why end
  local free = self.free
  local n = #free
  local seat = free[n] or setmetatable({ bell = condition.new() }, Seat)
  free[n] = nil
  local room = room_of(self, controller)
  local ok, err = self.desk:enter(task, seat)
  if not ok then return nil, err end
  seat.room = room
  room.waiting = room.waiting + 1
  sit(self, room, seat, controller)
  free[#free + 1] = seat
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
  if self.door.pollfd then cqueues.cancel(self.door.pollfd) end
  self.door.pollfd = nil
end

return Cqueues
