--- Event loops as specs use them: run(db, fn, …) runs functions side by side in coroutines, to their end.
-- A table by name; a loop whose Debian package has no module for this Lua is not in it.

local core = require "larder.core"
local must = require "spec.support.must"

local loops = {}

--- Lets fn, …, report how they ended, and hands their first error on.
local function counted(fns)
  local state = { left = #fns }
  for i, fn in ipairs(fns) do
    state[i] = function()
      local ok, err = pcall(fn)
      state.left = state.left - 1
      if not ok then state.err = state.err or { err } end
    end
  end
  return state
end

local function finish(state)
  if state.err then error(state.err[1], 0) end
  assert(state.left == 0, "the loop ended before its coroutines")
end

local found, cqueues = pcall(require, "cqueues")
if found then
  local function in_cqueues(_, ...)
    local state, controller = counted { ... }, cqueues.new()
    for i = 1, #state do controller:wrap(state[i]) end
    must(controller:loop())
    finish(state)
  end
  loops.cqueues = { options = { loop = "cqueues" }, run = in_cqueues }
  loops["function"] = { run = in_cqueues, options = { wait = function(fd, events, seconds)
    if fd < 0 then return cqueues.sleep(seconds) end
    cqueues.poll({ pollfd = fd, events = events }, seconds or 10)
    cqueues.cancel(fd)
  end } }
end

local uv = require "spec.support.luv"
if uv then
  loops.luv = { options = { loop = "luv" }, run = function(_, ...)
    local state = counted { ... }
    for i = 1, #state do coroutine.wrap(state[i])() end
    uv.run()
    finish(state)
  end }
end

local found_copas, copas = pcall(require, "copas")
if found_copas then
  loops.copas = { options = { loop = "copas" }, run = function(_, ...)
    local state = counted { ... }
    for i = 1, #state do copas.addthread(state[i]) end
    while state.left > 0 do copas.step(10) end -- its loop() has no end
    finish(state)
  end }
end

-- A loop that larder does not know, of the simplest kind.
loops.manual = { options = { loop = "manual" }, run = function(db, ...)
  local state = counted { ... }
  for i = 1, #state do coroutine.wrap(state[i])() end
  while state.left > 0 do
    if db:runtime():step() == 0 then core.sleep(0.0005) end
  end
  finish(state)
end }

return loops
