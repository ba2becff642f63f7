--- Counters with a limit, in rows that are shared by every process: one statement tests and counts, so that no two
-- callers can take the last unit together.

local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local support = require "larder.store.support"
local misuse = require "larder.base.misuse"

local counters = {}

local MICRO = 1000000
local EXACT = 2 ^ 53

--- A scope's name: of a user, of an application, or of the whole organization.
---@param scope { org_id: string, app_id?: string, user_id?: string }
---@return string
function counters.scope(scope)
  if type(scope) ~= "table" or scope.org_id == nil then misuse.raise("a scope needs an org_id") end
  if scope.user_id then return "user:" .. scope.user_id end
  if scope.app_id then return "app:" .. scope.app_id end
  return "org"
end

--- Money as a whole number of millionths; nil when it is no amount.
---@param amount string|number
---@return number|nil
function counters.micros(amount)
  local text = type(amount) == "number" and ("%.6f"):format(amount) or amount
  if type(text) ~= "string" then return nil end
  local whole, part = text:match "^(%d+)%.?(%d*)$"
  if not whole or #part > 6 and part:sub(7):find "[^0]" then return nil end
  local n = tonumber(whole) * MICRO + (tonumber((part .. "000000"):sub(1, 6)))
  return n < EXACT and n or nil
end

---@param micros number
---@return string
function counters.money(micros)
  return ("%d.%06d"):format(math.floor(micros / MICRO), micros % MICRO)
end

---@class larder.controlplane.Count
---@field store larder.Store
---@field method string       for errors and events
---@field key table           the row's key
---@field fresh table         further fields of a new row
---@field set table           what to change
---@field room table|nil      the condition under which there is room; nil: no limit
---@field refuse fun(): nil, larder.Error  there is none

local function update_of(count)
  return { op = "update", where = count.room and expr.all { count.key, count.room } or count.key, set = count.set }
end

-- false: there is no room
local function update(count)
  local n, err = support.run(count.store, count.method, update_of(count))
  if not n then return nil, err end
  return n > 0
end

-- false: the row is there, so it has no room
local function make_row(count)
  local row = {}
  for name, value in pairs(count.key) do row[name] = value end
  for name, value in pairs(count.fresh) do row[name] = value end
  local n, err = count.store:create_many({ row }, { on_conflict = "skip" })
  if not n then return nil, err end
  return n > 0
end

-- An update has met no row: make it, and count in it.
local function count_in_new(count)
  local ok, err = make_row(count)
  if ok then ok, err = update(count) end
  if ok == false then return count.refuse() end
  return ok, err
end

local function count_one(count)
  local ok, err = update(count)
  if ok == false then return count_in_new(count) end
  return ok, err
end

--- `nil, err`: a limit was reached.
---@param store larder.Store
---@param method string
---@param fields table  further fields of the error
function counters.refused(store, method, message, fields)
  local err = { code = "capacity", store = store._entity.full, op = method, message = message }
  for name, value in pairs(fields) do err[name] = value end
  return nil, errors.new(err)
end

--- All counts or none. One alone is one statement; several are one round trip and a commit. A row is made when it is not there.
---@param db larder.Db
---@param list larder.controlplane.Count[]  always in the same order, so that two callers cannot wait for each other
---@return true|nil
---@return larder.Error? err
function counters.all(db, list)
  if #list == 1 then return count_one(list[1]) end
  return support.atomic(db, { retries = 5 }, function()
    local items = {}
    for i, count in ipairs(list) do items[i] = { store = count.store, op = update_of(count) } end
    local results, err = support.run_all(list[1].store, list[1].method, items)
    if not results then return nil, err end
    for i, count in ipairs(list) do
      local ok = true
      if results[i].affected == 0 then ok, err = count_in_new(count) end
      if not ok then return nil, err end
    end
    return true
  end)
end

return counters
