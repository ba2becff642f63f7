--- Completion ids: which waiting call is to be told once the engine has finished its task. One dispatcher a database.
--
-- A waiter stands for a waiting call. It is a table with a method wake(), which makes the call go on and returns what went
-- wrong, if anything; `done` says that it may go on. The loops keep their waiters and use them again.

local compat = require "larder.base.compat"
local core = require "larder.core"
local errors = require "larder.base.errors"

local current, yieldable = compat.coroutine, core.yieldable

---@class larder.Waiter
---@field done boolean
---@field wake fun(self: larder.Waiter): any

---@class larder.Dispatcher
---@field engine userdata
---@field waiting integer  calls that wait
---@field waiters table<integer, larder.Waiter>  by id
local Dispatcher = {}
Dispatcher.__index = Dispatcher

---@param engine userdata
---@return larder.Dispatcher
function Dispatcher.new(engine)
  return setmetatable({ engine = engine, waiting = 0, waiters = {}, last = 0, finished = {} }, Dispatcher)
end

--- Hand a task to the engine's thread; the waiter is woken once it is finished.
---@param task userdata
---@param waiter larder.Waiter
---@return integer|nil id
---@return larder.Error? err
function Dispatcher:enter(task, waiter)
  local id = self.last + 1 -- never used again: the id of a call that gave up may still come back
  self.last = id
  local ok, err = task:submit(id)
  if not ok then return nil, err end
  waiter.done = false
  self.waiters[id] = waiter
  self.waiting = self.waiting + 1
  return id
end

--- Forget a call that nobody waits for any more.
---@param id integer
---@return larder.Waiter|nil waiter
function Dispatcher:leave(id)
  local waiter = self.waiters[id]
  if not waiter then return nil end
  self.waiters[id] = nil
  self.waiting = self.waiting - 1
  return waiter
end

local function joined(failures)
  if #failures == 1 then return failures[1] end
  for i, why in ipairs(failures) do failures[i] = tostring(why) end
  return table.concat(failures, "\n")
end

-- What one of them raises must not keep the others waiting.
local function call(self, ids, n)
  local failures
  for i = 1, n do
    local waiter = self:leave(ids[i])
    if waiter then
      waiter.done = true
      local why = waiter:wake()
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
function Dispatcher:serve()
  local ids = self.finished or {}
  self.finished = nil -- whoever goes on may come here again
  local n = self.engine:done(ids)
  if n > 0 then call(self, ids, n) end
  self.finished = ids
  return n
end

--- Let all go on: the engine is closed, and their tasks say so.
function Dispatcher:dismiss()
  local ids = {}
  for id in pairs(self.waiters) do ids[#ids + 1] = id end
  table.sort(ids)
  call(self, ids, #ids)
end

--- How a call may wait that the loop would let wait by a yield: "yield"; "block" where a yield would not reach the loop; or nil
-- and the error. To be asked before the task is handed over: what is refused was not sent.
---@param task userdata
---@return "yield"|"block"|nil how
---@return larder.Error? err
function Dispatcher:manner(task)
  if not current() or self.engine:joined() then return "block" end
  if yieldable() then return "yield" end
  return nil, Dispatcher.refuse(task)
end

--- The error of a call that cannot wait where it was made.
---@param task userdata
---@return larder.Error err
function Dispatcher.refuse(task)
  task:close()
  return errors.new {
    code = "unsupported", message = "a database call cannot wait here, so it was not sent",
    hint = "it was made inside of a function that cannot yield, as the ones given to table.sort, string.gsub or require",
  }
end

--- Wait without a loop: nothing else runs meanwhile.
---@param task userdata
---@return any ...  of task:step()
function Dispatcher.block(task)
  task:wait()
  return task:step()
end

return Dispatcher
