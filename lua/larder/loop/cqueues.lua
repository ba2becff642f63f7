--- Waiting in cqueues. Of the calls that wait in a controller one, the leader, watches the engine's descriptor and wakes the
-- others through condition variables; so a finished task wakes one coroutine, however many wait.
--
-- Each controller has a leader of its own: another one may not be stepped for as long as this one runs.

local condition = require "cqueues.condition"
local core = require "larder.core"
local cqueues = require "cqueues"
local Desk = require "larder.loop.desk"

local poll, running = cqueues.poll, cqueues.running

-- Seconds after which a follower looks whether there still is a leader: a coroutine that is dropped tells nobody.
local LOOK = 2

local Seat = {}
Seat.__index = Seat

function Seat:ring()
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
    room = { turns = 0, seats = {} }
    self.rooms[controller] = room
  end
  return room
end

local function lead(self, room, seat)
  self.door.pollfd = self.desk.engine:wake_fd()
  poll(seat.bell, self.door, LOOK / 2)
  room.turns = room.turns + 1
  if not seat.done then self.desk:serve() end
end

local function follow(room, seat)
  local turns = room.turns
  poll(seat.bell, LOOK)
  if room.turns == turns and not seat.done then room.leader = nil end
end

local function hand_over(room)
  room.leader = nil
  for seat in next, room.seats do
    if not seat.done then return seat:ring() end
  end
end

local function sit(self, room, seat)
  room.seats[seat] = true
  while not seat.done do
    if not room.leader then room.leader = seat end
    if room.leader == seat then lead(self, room, seat) else follow(room, seat) end
  end
  room.seats[seat] = nil
  if room.leader == seat then hand_over(room) end
end

--- Wait until the task is finished.
---@param task userdata
---@return any ...  of task:step()
function Cqueues:await(task)
  local controller, own = running()
  if not own then return Desk.block(task) end
  local free = self.free
  local n = #free
  local seat = free[n] or setmetatable({ bell = condition.new() }, Seat)
  free[n] = nil
  local ok, err = self.desk:enter(task, seat)
  if not ok then return nil, err end
  sit(self, room_of(self, controller), seat)
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
