--- Budgets: money spent by scope and period, held by counters in the store `budget_usage`.

local counters = require "larder.families.controlplane.counters"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local misuse = require "larder.base.misuse"

local Budgets = {}
Budgets.__index = Budgets

local PERIODS = { "daily", "monthly" }
local LIMIT_OF = { daily = "max_daily_cost", monthly = "max_monthly_cost" }
local DIGITS = { daily = 10, monthly = 7 }

---@param stores table  db:stores "controlplane"
function Budgets.new(stores)
  return setmetatable({ store = stores.budget_usage, db = stores.budget_usage.db }, Budgets)
end

--- "2024-01-15" for a day, "2024-01" for a month, in UTC.
---@param period "daily"|"monthly"
---@param time? string  as times are read; now by default
---@return string
function Budgets:period_key(period, time)
  if not DIGITS[period] then misuse.raise("budgets:period_key: a period is daily or monthly") end
  return (time or self.db:now()):sub(1, DIGITS[period])
end

Budgets.scope_key = function(_, scope) return counters.scope(scope) end

local function key_of(self, scope, period)
  return {
    org_id = scope.org_id, scope = counters.scope(scope), period = period, period_key = self:period_key(period),
  }
end

local function limit_of(config, name)
  local limit = config and config[name]
  if limit == nil then return nil end
  local micros = counters.micros(limit)
  if not micros then misuse.raise("budgets:spend: %s is not an amount of money", name) end
  return micros > 0 and micros or nil -- zero: no limit
end

-- The count of an amount in one period; nil, err: it is more than the whole limit.
local function count_of(self, scope, period, limit, amount)
  local function refuse()
    return counters.refused(self.store, "spend", ("the %s budget is used up"):format(period),
      { reason = "budget", period = period, limit = counters.money(limit) })
  end
  if limit and amount > limit then return refuse() end
  return {
    store = self.store, method = "spend", key = key_of(self, scope, period), fresh = {}, refuse = refuse,
    set = { spent = expr.increment(counters.money(amount)), requests = expr.increment(1) },
    room = limit and { spent = { lte = counters.money(limit - amount) } },
  }
end

--- Spend an amount, if every limit has room for it; else nothing is counted. Limits that are absent or zero allow
-- everything. Two callers never pass a limit together. Inside a transaction the count is undone with it.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@param amount string|number  exact to millionths
---@param config? { max_cost_per_request?: string|number, max_daily_cost?: string|number, max_monthly_cost?: string|number }
---@return true|nil
---@return larder.Error? err  `capacity` with err.reason "budget" and err.period "request", "daily" or "monthly"
function Budgets:spend(scope, amount, config)
  local micros = counters.micros(amount)
  counters.scope(scope)
  if not micros then return errors.invalid({ amount = "is not an amount of money" }, nil, { op = "spend" }) end
  local once = limit_of(config, "max_cost_per_request")
  if once and micros > once then
    return counters.refused(self.store, "spend", "the request costs more than one may",
      { reason = "budget", period = "request", limit = counters.money(once) })
  end
  local counts = {}
  for i, period in ipairs(PERIODS) do
    local err
    counts[i], err = count_of(self, scope, period, limit_of(config, LIMIT_OF[period]), micros)
    if not counts[i] then return nil, err end
  end
  return counters.all(self.db, counts)
end

--- What was spent in the present period: exact, as text.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@param period "daily"|"monthly"
---@return string|nil spent
---@return integer|larder.Error requests
function Budgets:spent(scope, period)
  local key = key_of(self, scope, period)
  local row, err = self.store:get(key.org_id, key.scope, key.period, key.period_key)
  if row then return row.spent, row.requests end
  if err.code == "not_found" then return "0.000000", 0 end
  return nil, err
end

--- Both periods at once.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@return { daily_spent: string, monthly_spent: string, daily_requests: integer, monthly_requests: integer }|nil
---@return larder.Error? err
function Budgets:summary(scope)
  local summary = {}
  for _, period in ipairs(PERIODS) do
    local spent, requests = self:spent(scope, period)
    if not spent then return nil, requests end
    summary[period .. "_spent"], summary[period .. "_requests"] = spent, requests
  end
  return summary
end

--- The scopes of an organization that spent most in the present period.
---@param org_id string
---@param period "daily"|"monthly"
---@param limit? integer  10 by default
---@return { scope: string, spent: string, requests: integer }[]|nil
---@return larder.Error? err
function Budgets:top_spenders(org_id, period, limit)
  return self.store:list {
    where = { org_id = org_id, period = period, period_key = self:period_key(period) }, order = "spent desc, scope",
    limit = limit or 10, columns = { "scope", "spent", "requests" },
  }
end

--- Forget days before a day, and months before its month.
---@param before string  a time
---@return integer|nil n
---@return larder.Error? err
function Budgets:cleanup(before)
  return self.store:delete_where(expr.any {
    { period = "daily", period_key = { lt = self:period_key("daily", before) } },
    { period = "monthly", period_key = { lt = self:period_key("monthly", before) } },
  })
end

return Budgets
