--- An engine whose tasks are finished by the spec: what an event loop of larder needs of one, in Lua. Its descriptor is a pipe.

local uv = require "spec.support.luv"

local PENDING = require("larder.core").PENDING

local Task = {}
Task.__index = Task

function Task:submit(id)
  local engine = self.engine
  if engine.refuses then return nil, engine.refuses end
  if engine.is_closed then return nil, "closed" end
  self.id = id
  engine.submitted[#engine.submitted + 1] = self
  return true
end

--- Blocks until it is finished, as far as the spec allows.
function Task:wait(seconds)
  self.waited = seconds or true
  self.finished = self.finished or not self.engine.stuck
  return self.finished
end

function Task:fd()
  return self.engine:wake_fd()
end

function Task.events()
  return "r"
end

function Task.timeout() end

function Task:step()
  if self.engine.is_closed then return nil, "closed" end
  if not self.finished then return PENDING, self end
  return self.result
end

function Task:close()
  self.given_up = true
end

Task.abandon = Task.close

local Engine = {}
Engine.__index = Engine

function Engine:task(result)
  return setmetatable({ engine = self, result = result }, Task)
end

--- Finish submitted tasks: the first n, or all.
function Engine:finish(n)
  for _ = 1, math.min(n or math.huge, #self.submitted) do
    local task = table.remove(self.submitted, 1)
    task.finished = true
    self.ids[#self.ids + 1] = task.id
  end
  if #self.ids > 0 and not self.told then
    assert(uv.fs_write(self.pipe.write, "!"))
    self.told = true
  end
end

function Engine:done(t)
  self.served = self.served + 1
  if self.told then assert(uv.fs_read(self.pipe.read, 16)) end
  self.told = false
  local n = #self.ids
  for i = 1, n do t[i] = self.ids[i] end
  self.ids = {}
  return n
end

function Engine.joined() return false end

function Engine.bound() return 0 end

function Engine:wake_fd()
  return self.pipe.read
end

function Engine:closed()
  return self.is_closed
end

--- Close its descriptor; its tasks are over.
function Engine:close()
  self.is_closed = true
  uv.fs_close(self.pipe.read)
  uv.fs_close(self.pipe.write)
end

return function()
  return setmetatable({
    submitted = {}, ids = {}, served = 0, told = false, is_closed = false,
    pipe = assert(uv.pipe({ nonblock = true }, { nonblock = true })),
  }, Engine)
end
