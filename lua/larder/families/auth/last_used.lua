--- When API keys were last used: collected in memory, written in batches, never on the way of a request.

local core = require "larder.core"
local expr = require "larder.base.expr"
local wait = require "larder.base.wait"

local MAX_KEYS = 1000      -- distinct keys held back at most before they are written
local INTERVAL = 5         -- seconds between two writes
local SECOND = 1000000     -- microseconds

local LastUsed = {}
LastUsed.__index = LastUsed

--- The collector of one store; it writes what is left when the database closes.
---@param store larder.Store
local function collector(store)
  local self = setmetatable({ store = store, seen = {}, n = 0, due = core.clock() + INTERVAL }, LastUsed)
  store.db:_before_close(function() self:flush() end)
  return self
end

--- Keys used in the same second share a statement; they get the latest of their times.
local function by_second(seen)
  local groups = {}
  for _, use in pairs(seen) do
    local second = math.floor(tonumber(use.at) / SECOND)
    local group = groups[second]
    if not group then
      group = { keys = {}, at = use.at }
      groups[second] = group
    end
    group.keys[#group.keys + 1] = { use.tenant_id, use.id }
    if use.at > group.at then group.at = use.at end
  end
  return groups
end

function LastUsed:write(seen)
  for _, group in pairs(by_second(seen)) do
    local last_used = expr.greatest(core.time_format(group.at))
    local n, err = self.store:run({
      op = "update", where = expr.keys(group.keys), set = { last_used = last_used },
    }, "flush_last_used")
    if not n then return nil, err end
  end
  return true
end

--- Put back what could not be written, unless the key was used again since.
function LastUsed:keep(seen)
  for id, use in pairs(seen) do
    if not self.seen[id] then
      self.seen[id] = use
      self.n = self.n + 1
    end
  end
end

--- Write what was collected.
---@return integer|nil n  number of keys
---@return larder.Error? err  then all is kept for the next time
function LastUsed:flush()
  local seen, n = self.seen, self.n
  self.seen, self.n, self.due = {}, 0, core.clock() + INTERVAL
  if n == 0 then return 0 end
  local ok, err = self:write(seen)
  if not ok then
    if self.n + n <= 2 * MAX_KEYS then self:keep(seen) end
    return nil, err
  end
  return n
end

--- In an event loop the write runs beside the request that made it due; in a plain script nothing else could
-- do it. Never inside a transaction: it would become part of it.
function LastUsed:flush_beside()
  if self.flushing or self.store.db:in_transaction() then return end
  self.flushing = true
  local function work()
    self:flush()
    self.flushing = false
  end
  if not wait.spawn(self.store.db._wait, work) then work() end
end

--- Note a use.
---@param row { tenant_id: string, id: string }
---@param at integer  microseconds
function LastUsed:note(row, at)
  local id = row.tenant_id .. "\0" .. row.id
  local use = self.seen[id]
  if use then
    use.at = at
  elseif self.n < 2 * MAX_KEYS then
    self.seen[id] = { tenant_id = row.tenant_id, id = row.id, at = at }
    self.n = self.n + 1
  end
  if self.n >= MAX_KEYS or core.clock() >= self.due then self:flush_beside() end
end

return collector
