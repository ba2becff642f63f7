--- What Lua cannot know of coroutines in nginx, which resumes them all by itself: who keeps one alive, and who waits for whom.

local threads = {}

-- The table in which nginx keeps the coroutines that it runs itself (those of requests and timers, and light threads), for as
-- long as they live. It is in Lua's registry, below a key that only nginx knows.
local keeper

--- The list that holds co, if nginx runs it.
local function keeper_of(co)
  for key, list in next, debug.getregistry() do
    if type(key) == "userdata" and type(list) == "table" then
      for i, kept in next, list do
        if kept == co and type(i) == "number" then return list end
      end
    end
  end
end

--- Does nginx run this coroutine itself? One that a program makes in a request it does not keep.
---@param co thread
---@return boolean
local function rooted(co)
  keeper = keeper or keeper_of(co)
  for _, kept in next, keeper or {} do
    if kept == co then return true end
  end
  return false
end

--- Has this coroutine resumed the running one, or one that has?
---@param co thread
---@return boolean
local function waits(co)
  local ok, status = pcall(coroutine.status, co) -- "dead" for those of other requests
  return ok and status == "normal"
end

--- What the core must know of coroutines (csrc/lua/call/scope.c).
function threads.scopes()
  return { known = setmetatable({}, { __mode = "k" }), rooted = rooted, waits = waits }
end

--- The coroutines that nginx runs itself.
---@return table<thread, true>
function threads.alive()
  local list = {}
  for _, co in next, keeper or {} do
    if type(co) == "thread" then list[co] = true end
  end
  return list
end

return threads
