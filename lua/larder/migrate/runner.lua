--- One run of migrations: the core's migrator works on a thread of its own, and the caller waits in its event loop.

local core = require "larder.core"
local errors = require "larder.base.errors"
local files = require "larder.migrate.files"
local lua_file = require "larder.migrate.lua_file"
local wait = require "larder.base.wait"

local Runner = {}
Runner.__index = Runner

local FIRST_LOOK, LONGEST = 0.001, 0.05 -- seconds between two looks in an event loop

---@class larder.migrate.Runner
---@field db larder.Db
---@field family string
---@field dir string
---@field loaded table<string, table>  functions of files in Lua, by file

--- Read the directory and prepare a connection; nothing is sent yet.
---@param db larder.Db
---@param family string
---@param opts table  options of larder.migrate
---@return larder.migrate.Runner|nil
---@return larder.Error? err
function Runner.new(db, family, opts)
  local engine, err = db:_connect_direct()
  if not engine then return nil, err end
  local dir = files.dir(db, family, opts.dir)
  local migrator
  migrator, err = engine:migrator(dir, {
    family = family, lock_timeout = opts.lock_timeout, timeout = opts.timeout, table_timeout = opts.table_timeout,
    retries = opts.retries,
  })
  if not migrator then return nil, err end
  return setmetatable({ db = db, family = family, dir = dir, migrator = migrator, opts = opts, loaded = {} }, Runner)
end

--- Run a job to its end.
---@param kind "history"|"lock"|"step"|"record"
---@param args? table
---@return integer|nil milliseconds
---@return larder.Error? err
function Runner:job(kind, args)
  local migrator, loop = self.migrator, self.db._wait
  local ok, err = migrator:start(kind, args or {})
  if not ok then return nil, err end
  local pause = FIRST_LOOK
  while not migrator:done() do
    if loop then
      wait.sleep(loop, pause)
      pause = math.min(pause * 2, LONGEST)
    else
      migrator:wait(3600)
    end
  end
  return migrator:result()
end

function Runner:history()
  return self.migrator:history()
end

--- What there is to do; refused when a step could not be run.
function Runner:plan(request)
  local steps, err = self.migrator:plan(request)
  local ok = steps
  if steps then ok, err = lua_file.check(self, steps) end
  return ok and steps, err
end

function Runner:close()
  self.migrator:close()
end

-- ---- steps ----

--- A file of SQL is the core's; one of Lua runs here, on the caller's database, and is recorded when it is done.
---@param index integer  of the step in the plan
---@param step table
---@param skip_statement? boolean
---@return integer|nil milliseconds
---@return larder.Error? err
function Runner:step(index, step, skip_statement)
  if not step.lua or step.action == "skip" or step.bare then
    return self:job("step", { index = index, skip_statement = skip_statement })
  end
  local started = core.clock()
  local ok, err = lua_file.run(self, step)
  if not ok then return nil, err end
  ok, err = self:job("record", {
    action = step.action, version = step.version, applied = step.action == "up",
  })
  if not ok then return nil, err end
  return math.floor((core.clock() - started) * 1000)
end

--- Run every step of a plan; `on_step` hears of each before and after.
---@param steps table[]
---@param skip_statement? boolean
---@return table[]|nil done  version, name, action, duration_ms
---@return larder.Error? err  with err.done: what was done before
function Runner:run(steps, skip_statement)
  local done, tell = {}, self.opts.on_step
  for i, step in ipairs(steps) do
    local item = { version = step.version, name = step.name, action = step.action, file = step.file }
    if tell then tell(item, "begin") end
    local ms, err = self:step(i, step, skip_statement)
    skip_statement = nil
    if not ms then
      if errors.is(err) then err.done = done end
      if tell then tell(item, "failed", err) end
      return nil, err
    end
    item.duration_ms = ms
    done[#done + 1] = item
    if tell then tell(item, "done") end
  end
  return done
end

return Runner
