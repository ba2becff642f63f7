--- Rate limits: requests and tokens by scope in sliding windows, held by counters in the store `rate_usage`.
--
-- A window is the present one with the part of the one before that still lies inside it (rounded down). One statement
-- tests and counts. What the window before held is read once, when a window begins.

local counters = require "larder.families.controlplane.counters"
local core = require "larder.core"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"

local RateLimits = {}
RateLimits.__index = RateLimits

local SECOND = 1000000
local REMEMBERED = 10000 -- windows before, kept in memory
local LIMITS = {
  { "requests_per_minute", "requests", 60 }, { "requests_per_hour", "requests", 3600 }, { "requests_per_day", "requests", 86400 },
  { "tokens_per_minute", "tokens", 60 }, { "tokens_per_hour", "tokens", 3600 }, { "tokens_per_day", "tokens", 86400 },
}

---@param stores table  db:stores "controlplane"
function RateLimits.new(stores)
  return setmetatable({
    store = stores.rate_usage, db = stores.rate_usage.db, before = {}, nbefore = 0,
  }, RateLimits)
end

RateLimits.scope_key = function(_, scope) return counters.scope(scope) end

--- The window that a time lies in: its number, when it began, when it ends.
---@param seconds integer  length
---@param now? integer  microseconds
---@return integer index
---@return string from
---@return string to
function RateLimits:window(seconds, now)
  local index = math.floor(tonumber(now or self.db:_now()) / SECOND / seconds)
  return index, core.time_format(index * seconds * SECOND), core.time_format((index + 1) * seconds * SECOND)
end

local function used(self, key)
  local row, err = self.store:get(key.org_id, key.scope, key.metric, key.window_seconds, key.window_index)
  if row then return row.used end
  if err.code == "not_found" then return 0 end
  return nil, err
end

-- What the window before held does not change any more.
local function used_before(self, key)
  local name = table.concat({ key.org_id, key.scope, key.metric, key.window_seconds }, "|")
  local known = self.before[name]
  if known and known.index == key.window_index then return known.used end
  local before = {}
  for field, value in pairs(key) do before[field] = value end
  before.window_index = key.window_index - 1
  local n, err = used(self, before)
  if not n then return nil, err end
  if not known then
    if self.nbefore >= REMEMBERED then self.before, self.nbefore = {}, 0 end
    self.nbefore = self.nbefore + 1
  end
  self.before[name] = { index = key.window_index, used = n }
  return n
end

-- How much of the window before lies inside the sliding one.
local function carried(self, key, now)
  local n, err = used_before(self, key)
  if not n then return nil, err end
  local gone = (now / SECOND / key.window_seconds) % 1
  return math.floor(n * (1 - gone))
end

local function key_of(self, scope, metric, seconds, now)
  return {
    org_id = scope.org_id, scope = counters.scope(scope), metric = metric, window_seconds = seconds,
    window_index = (self:window(seconds, now)),
  }
end

local function refused(self, name, limit, key, now)
  local ends = (key.window_index + 1) * key.window_seconds
  return counters.refused(self.store, "take", ("the limit %s is reached"):format(name), {
    reason = "rate_limit", limit = limit, metric = key.metric, window = key.window_seconds,
    retry_after = math.max(ends - now / SECOND, 0),
  })
end

-- The count of n in one window; nil, err: there is no room for it.
local function count_of(self, scope, entry, limit, n, now)
  local name, metric, seconds = entry[1], entry[2], entry[3]
  local key = key_of(self, scope, metric, seconds, now)
  local carry, err = carried(self, key, now)
  if not carry then return nil, err end
  local function refuse() return refused(self, name, limit, key, now) end
  local room = limit - carry - n
  if room < 0 then return refuse() end
  local _, _, ends_at = self:window(seconds, now)
  return {
    store = self.store, method = "take", key = key, fresh = { ends_at = ends_at }, set = { used = expr.increment(n) },
    room = { used = { lte = room } }, refuse = refuse,
  }
end

local function is_amount(n)
  return type(n) == "number" and n >= 0 and n % 1 == 0
end

--- Take one request, and its tokens, if every limit has room for them; else nothing is counted. Limits that are absent
-- or zero allow everything and are not counted.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@param config? table<string, integer>  requests_per_minute, …_hour, …_day; tokens_per_minute, …_hour, …_day
---@param tokens? integer
---@return true|nil
---@return larder.Error? err  `capacity` with err.reason "rate_limit", metric, limit, window and retry_after (seconds)
function RateLimits:take(scope, config, tokens)
  counters.scope(scope)
  tokens = tokens or 0
  if not is_amount(tokens) then misuse.raise("rate_limits:take needs a whole number of tokens") end
  local now, counts = tonumber(self.db:_now()), {}
  for _, entry in ipairs(LIMITS) do
    local limit = config and config[entry[1]] or 0
    if not is_amount(limit) then misuse.raise("rate_limits:take: %s must be a whole number", entry[1]) end
    local n = entry[2] == "requests" and 1 or tokens
    if limit > 0 and n > 0 then
      local count, err = count_of(self, scope, entry, limit, n, now)
      if not count then return nil, err end
      counts[#counts + 1] = count
    end
  end
  if #counts == 0 then return true end
  return counters.all(self.db, counts)
end

--- What the sliding window holds now, for each limit of a configuration.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@param config table<string, integer>
---@return table<string, integer>|nil usage
---@return larder.Error? err
function RateLimits:usage(scope, config)
  local now, usage = tonumber(self.db:_now()), {}
  for _, entry in ipairs(LIMITS) do
    if (config[entry[1]] or 0) > 0 then
      local key = key_of(self, scope, entry[2], entry[3], now)
      local n, err = used(self, key)
      if not n then return nil, err end
      local carry
      carry, err = carried(self, key, now)
      if not carry then return nil, err end
      usage[entry[1]] = n + carry
    end
  end
  return usage
end

--- Delete windows that no limit needs any more.
---@return integer|nil n
---@return larder.Error? err
function RateLimits:cleanup()
  local day = core.time_format(tonumber(self.db:_now()) - 86400 * SECOND)
  return self.store:delete_where { ends_at = { lt = day } }
end

return RateLimits
