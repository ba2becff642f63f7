--- Event loops: which one a database waits in.

local Dispatcher = require "larder.loop.dispatcher"

local loop = {}

---@class larder.Loop
---@field name string
---@field here fun(): boolean  does it run the caller?
---@field await fun(self: larder.Loop, task: userdata): ...   waits until the task is finished; the results of task:step()
---@field sleep fun(self: larder.Loop, seconds: number)
---@field spawn fun(self: larder.Loop, fn: fun()): boolean     runs fn beside the caller, if it can
---@field release fun(self: larder.Loop, collected?: boolean)  the engine is about to close; collected: without Db:close

---@alias larder.LoopName "nginx"|"cqueues"|"luv"|"copas"|"manual"

local LIBRARIES = { "cqueues", "luv", "copas" } -- the order in which they are asked whether they run the caller

local function in_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.config ~= nil and ngx.get_phase ~= nil
end

local function make(name, dispatcher, opts)
  return require("larder.loop." .. name).new(dispatcher, opts)
end

-- ---- several loop libraries in one program ----

local Any = { name = "any" }
Any.__index = Any

local function present(self)
  for _, one in ipairs(self) do
    if one.here() then return one end
  end
end

function Any:await(task)
  local one = present(self)
  if one then return one:await(task) end
  return Dispatcher.block(task)
end

function Any:sleep(seconds)
  return (present(self) or self[1]):sleep(seconds)
end

function Any:spawn(fn)
  local one = present(self)
  return one ~= nil and one:spawn(fn)
end

function Any:release(collected)
  for _, one in ipairs(self) do one:release(collected) end
end

--- The loop of nginx, or of the libraries that the program has loaded.
local function detect(dispatcher, opts)
  if in_nginx() then return make("nginx", dispatcher, opts) end
  local found = setmetatable({}, Any)
  for _, name in ipairs(LIBRARIES) do
    if package.loaded[name] then found[#found + 1] = make(name, dispatcher, opts) end
  end
  if #found > 1 then return found end
  return found[1]
end

--- What the option `loop` may be.
loop.NAMES = { "copas", "cqueues", "luv", "manual", "nginx" }

--- The loop that calls on an engine wait in.
---@param engine userdata
---@param opts larder.OpenOptions
---@return larder.Loop|nil loop  nil: none, the engine waits by itself
---@return larder.Dispatcher|nil dispatcher
function loop.choose(engine, opts)
  if opts.wait == false then return nil end
  if opts.wait then return require("larder.loop.fd").new(opts.wait, engine) end
  local dispatcher = Dispatcher.new(engine)
  local chosen
  if opts.loop then chosen = make(opts.loop, dispatcher, opts) else chosen = detect(dispatcher, opts) end
  return chosen, chosen and dispatcher
end

--- Seconds that larder.open, which waits, may take: in nginx it holds up the worker. nil: as the settings say.
---@param opts larder.OpenOptions
---@return number|nil
function loop.open_timeout(opts)
  if in_nginx() then return require("larder.loop.nginx").blocks_for(opts) end
end

--- The runtime of an engine that never waits.
---@return larder.Runtime
function loop.idle()
  return require("larder.loop.manual").new()
end

return loop
