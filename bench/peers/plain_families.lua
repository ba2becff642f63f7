--- The families' lists as one writes them by hand: tables by key, lists by parent, rows copied out and sorted when asked for.

local plain = {}

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return setmetatable(out, getmetatable(value))
end

local function grouped(store, field)
  local groups = {}
  for row in store:each() do
    local list = groups[row[field]] or {}
    groups[row[field]] = list
    list[#list + 1] = row
  end
  return groups
end

local function sorted_keys(store, field)
  local keys, rows = {}, {}
  for row in store:each { order = field } do
    keys[#keys + 1] = row[field]
    rows[row[field]] = row
  end
  return keys, rows
end

--- The rows of a database in tables.
function plain.filled(db)
  local t = { policies = grouped(db:stores("controlplane").policies, "org_id") }
  local content = db:stores "content"
  t.user_ids, t.users = sorted_keys(content.users, "id")
  t.posts, t.roles = grouped(content.posts, "author_id"), grouped(content.roles, "user_id")
  t.stations, t.settings = sorted_keys(db:stores("csms").settings, "charge_station_id")
  return t
end

--- The first place in a sorted list whose value is at least v.
local function place(list, v)
  local low, high = 1, #list + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if list[middle] < v then low = middle + 1 else high = middle end
  end
  return low
end

local function newest_first(a, b)
  if a.created_at ~= b.created_at then return a.created_at > b.created_at end
  return a.id < b.id
end

local function level(row) return row.user_id and 0 or row.app_id and 1 or 2 end

local function before(a, b)
  if level(a) ~= level(b) then return level(a) < level(b) end
  if a.priority ~= b.priority then return a.priority > b.priority end
  return newest_first(a, b)
end

function plain.F1(t, draw, uuid)
  local o, found = draw(100), {}
  local app, user = uuid(1000000 + o * 100 + draw(50)), uuid(2000000 + o * 100 + draw(100))
  for _, row in ipairs(t.policies[uuid(o)]) do
    local fits = not row.user_id and (not row.app_id or row.app_id == app)
      or row.user_id == user and (not row.app_id or row.app_id == app)
    if row.enabled and fits then found[#found + 1] = copy(row) end
  end
  table.sort(found, before)
  return 1, found
end

local function copied(list)
  local out = {}
  for i, row in ipairs(list or {}) do out[i] = copy(row) end
  table.sort(out, newest_first)
  return out
end

function plain.F3(t, draw)
  local from, list = place(t.user_ids, ("user-%05d"):format(draw(19000))), {}
  for i = 1, 1000 do
    local row = copy(t.users[t.user_ids[from + i - 1]])
    row.posts, row.roles = copied(t.posts[row.id]), copied(t.roles[row.id])
    list[i] = row
  end
  return 1000, list
end

function plain.F5(t, draw)
  local from, list = place(t.stations, ("cs%05d"):format(draw(9900))), {}
  for i = 1, 50 do list[i] = copy(t.settings[t.stations[from + i]]) end
  return 1, list
end

return plain
