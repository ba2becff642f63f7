--- Seats of loops that park a coroutine with coroutine.yield() and resume it themselves (luv, manual).

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
  if why == nil then return "error without a value" end
  return why
end

function Parked:ring()
  return Parked.resume(self.co)
end

--- A seat for this coroutine.
---@param free larder.Seat[]
---@param co thread
---@return larder.Seat
function Parked.take(free, co)
  local n = #free
  local seat = free[n] or setmetatable({}, Parked)
  free[n] = nil
  seat.co = co
  return seat
end

---@param free larder.Seat[]
---@param seat larder.Seat
function Parked.give(free, seat)
  seat.co = nil
  free[#free + 1] = seat
end

return Parked
