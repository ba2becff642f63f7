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

--- Add to the row with this key unless that would pass the limit. The row is made when it is not there.
---@param store larder.Store
---@param key table     the key's fields
---@param fresh table   further fields of a new row
---@param set table     what to change
---@param room table|nil  the condition under which there is room; nil: no limit
---@return boolean|nil counted
---@return larder.Error? err
function counters.add(store, key, fresh, set, room)
  local where = room and expr.all { key, room } or key
  for attempt = 1, 2 do
    local n, err = store:update_where(where, set)
    if not n then return nil, err end
    if n > 0 then return true end
    if attempt == 1 then
      local row = {}
      for name, value in pairs(key) do row[name] = value end
      for name, value in pairs(fresh) do row[name] = value end
      n, err = store:create_many({ row }, { on_conflict = "skip" })
      if not n then return nil, err end
      if n == 0 then return false end -- it was there, and has no room
    end
  end
  return false
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

--- All counts or none, in one transaction; one alone needs none.
---@param db larder.Db
---@param list (fun(): boolean|nil, larder.Error?)[]
function counters.all(db, list)
  if #list == 1 then return list[1]() end
  return support.atomic(db, { retries = 5 }, function()
    for _, count in ipairs(list) do
      local ok, err = count()
      if not ok then return nil, err end
    end
    return true
  end)
end

return counters
