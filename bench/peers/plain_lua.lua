--- A store as one writes it by hand in Lua: tables in tables, rows copied in and out, the same uniques and
-- reference checked, lists sorted when they are asked for.
local plain = {}
plain.__index = plain

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

function plain.new()
  return setmetatable({ tenants = {}, by_tenant = {}, usernames = {}, emails = {} }, plain)
end

function plain:add_tenant(id)
  self.tenants[id], self.by_tenant[id], self.usernames[id], self.emails[id] = true, {}, {}, {}
end

function plain:create(row)
  local tenant = row.tenant_id
  if not self.tenants[tenant] then return nil, "users_tenant_fkey" end
  local users, usernames, emails = self.by_tenant[tenant], self.usernames[tenant], self.emails[tenant]
  if users[row.id] then return nil, "users_pkey" end
  if usernames[row.username] then return nil, "users_username_key" end
  if emails[row.email] then return nil, "users_email_key" end
  local kept = copy(row)
  kept.created_at = os.date "!%Y-%m-%dT%H:%M:%S.000000Z"
  kept.updated_at = kept.created_at
  users[row.id], usernames[row.username], emails[row.email] = kept, kept, kept
  return copy(kept)
end

function plain:get(tenant, id)
  local users = self.by_tenant[tenant]
  local row = users and users[id]
  if row then return copy(row) end
  return nil, "not_found"
end

function plain:exists(tenant, id)
  local users = self.by_tenant[tenant]
  return users ~= nil and users[id] ~= nil
end

function plain:list(tenant, limit)
  local ids, rows = {}, {}
  for id in pairs(self.by_tenant[tenant]) do ids[#ids + 1] = id end
  table.sort(ids)
  for i = 1, math.min(limit, #ids) do rows[i] = copy(self.by_tenant[tenant][ids[i]]) end
  return rows
end

return plain
