--- LuaSQL: quoted literals, no parameters.
local cjson = require "cjson"
local luasql = require "luasql.postgres"
local sql = require "bench.statements"

local peer = {}

function peer.connect(target) return assert(luasql.postgres():connect(target.url)) end

local function quote(db, text) return "'" .. db:escape(text) .. "'" end

local function query(db, text)
  local cursor = assert(db:execute(text))
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    row.metadata = cjson.decode(row.metadata)
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  return rows
end

function peer.get(db, tenant, id) return query(db, sql.get(quote(db, tenant), quote(db, id)))[1] end

local function literals(db, user)
  local out = {}
  for i, field in ipairs(sql.plain_fields) do out[i] = quote(db, user[field]) end
  out[#out + 1] = quote(db, cjson.encode(user.metadata))
  return table.concat(out, ", ")
end

function peer.create(db, user)
  local cursor = assert(db:execute(sql.insert(literals(db, user))))
  user.created_at = cursor:fetch()
  cursor:close()
  return user
end

function peer.transaction(db, user)
  assert(db:execute "begin")
  peer.create(db, user)
  assert(db:execute(sql.update(quote(db, user.tenant_id), quote(db, user.id))))
  peer.get(db, user.tenant_id, user.id)
  assert(db:execute "commit")
end

function peer.list(db, tenant) return query(db, sql.list(quote(db, tenant))) end

function peer.batch(db, keys)
  for _, key in ipairs(keys) do peer.get(db, key[1], key[2]) end
end

function peer.bulk(db, users)
  assert(db:execute "begin")
  for first = 1, #users, 1000 do
    local rows = {}
    for i = first, math.min(first + 999, #users) do
      local u = users[i]
      rows[#rows + 1] = literals(db, u) .. ", " .. quote(db, u.created_at) .. ", " .. quote(db, u.updated_at)
    end
    assert(db:execute(sql.bulk(rows)))
  end
  assert(db:execute "commit")
end

return peer
