--- Tickets: which waiting call is to be told once the engine has finished its task. One desk a database.
--
-- A seat stands for a waiting call. It is a table with a method ring(), which makes the call go on and returns what went
-- wrong, if anything; `done` says that it may go on. The loops keep their seats and use them again.

local compat = require "larder.base.compat"
local core = require "larder.core"
local errors = require "larder.base.errors"

local current, yieldable = compat.coroutine, core.yieldable

---@class larder.Seat
---@field done boolean
---@field ring fun(self: larder.Seat): any

---@class larder.Desk
---@field engine userdata
---@field waiting integer  calls that wait
---@field seats table<integer, larder.Seat>  by ticket
local Desk = {}
Desk.__index = Desk

---@param engine userdata
---@return larder.Desk
function Desk.new(engine)
  return setmetatable({ engine = engine, waiting = 0, seats = {}, last = 0, finished = {} }, Desk)
end

--- Hand a task to the engine's thread; the seat is rung once it is finished.
---@param task userdata
---@param seat larder.Seat
---@return integer|nil ticket
---@return larder.Error? err
function Desk:enter(task, seat)
  local ticket = self.last + 1 -- never used again: the ticket of a call that gave up may still come back
  self.last = ticket
  local ok, err = task:submit(ticket)
  if not ok then return nil, err end
  seat.done = false
  self.seats[ticket] = seat
  self.waiting = self.waiting + 1
  return ticket
end

--- Forget a call that nobody waits for any more.
---@param ticket integer
---@return larder.Seat|nil seat
function Desk:leave(ticket)
  local seat = self.seats[ticket]
  if not seat then return nil end
  self.seats[ticket] = nil
  self.waiting = self.waiting - 1
  return seat
end

local function joined(failures)
  if #failures == 1 then return failures[1] end
  for i, why in ipairs(failures) do failures[i] = tostring(why) end
  return table.concat(failures, "\n")
end

-- What one of them raises must not keep the others waiting.
local function call(self, tickets, n)
  local failures
  for i = 1, n do
    local seat = self:leave(tickets[i])
    if seat then
      seat.done = true
      local why = seat:ring()
      if why ~= nil then
        failures = failures or {}
        failures[#failures + 1] = why
      end
    end
  end
  if failures then error(joined(failures), 0) end
end

--- Let those go on whose tasks are finished. Raises what they raise where going on means to run them.
---@return integer n
function Desk:serve()
  local tickets = self.finished or {}
  self.finished = nil -- whoever goes on may come here again
  local n = self.engine:done(tickets)
  if n > 0 then call(self, tickets, n) end
  self.finished = tickets
  return n
end

--- Let all go on: the engine is closed, and their tasks say so.
function Desk:dismiss()
  local tickets = {}
  for ticket in pairs(self.seats) do tickets[#tickets + 1] = ticket end
  table.sort(tickets)
  call(self, tickets, #tickets)
end

--- How a call may wait that the loop would let wait by a yield: "yield"; "block" where a yield would not reach the loop; or nil
-- and the error. To be asked before the task is handed over: what is refused was not sent.
---@param task userdata
---@return "yield"|"block"|nil how
---@return larder.Error? err
function Desk:manner(task)
  if not current() or self.engine:joined() then return "block" end
  if yieldable() then return "yield" end
  return nil, Desk.refuse(task)
end

--- The error of a call that cannot wait where it was made.
---@param task userdata
---@return larder.Error err
function Desk.refuse(task)
  task:close()
  return errors.new {
    code = "unsupported", message = "a database call cannot wait here, so it was not sent",
    hint = "it was made inside of a function that cannot yield, as the ones given to table.sort, string.gsub or require",
  }
end

--- Wait without a loop: nothing else runs meanwhile.
---@param task userdata
---@return any ...  of task:step()
function Desk.block(task)
  task:wait()
  return task:step()
end

return Desk
