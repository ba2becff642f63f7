--- LuaSQL: quoted literals, no parameters.
local cjson = require "cjson"
local luasql = require "luasql.postgres"

local COLUMNS = "tenant_id, id, username, email, status, full_name, metadata, created_at, updated_at, deleted_at"
local WRITTEN = { "tenant_id", "id", "username", "email", "status", "full_name" }

local peer = {}

function peer.connect(target) return assert(luasql.postgres():connect(target.url)) end

local function quote(db, text) return "'" .. db:escape(text) .. "'" end

local function rows_of(cursor)
  local rows, row = {}, cursor:fetch({}, "a")
  while row do
    row.metadata = cjson.decode(row.metadata)
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  return rows
end

function peer.get(db, tenant, id)
  return rows_of(assert(db:execute(("select %s from bench.users where tenant_id = %s and id = %s"):format(COLUMNS,
    quote(db, tenant), quote(db, id)))))[1]
end

--- One row of a VALUES list, without its stamps.
local function literals(db, user)
  local out = {}
  for i, field in ipairs(WRITTEN) do out[i] = quote(db, user[field]) end
  out[#out + 1] = quote(db, cjson.encode(user.metadata))
  return table.concat(out, ", ")
end

function peer.create(db, user)
  local cursor = assert(db:execute(("insert into bench.users (%s, metadata) values (%s) returning created_at"):format(
    table.concat(WRITTEN, ", "), literals(db, user))))
  user.created_at = cursor:fetch()
  cursor:close()
  return user
end

function peer.transaction(db, user)
  assert(db:execute "begin")
  peer.create(db, user)
  assert(db:execute(("update bench.users set full_name = 'Renamed', updated_at = now() where tenant_id = %s and id = %s")
    :format(quote(db, user.tenant_id), quote(db, user.id))))
  peer.get(db, user.tenant_id, user.id)
  assert(db:execute "commit")
end

function peer.list(db, tenant)
  return rows_of(assert(db:execute(("select %s from bench.users where tenant_id = %s order by id limit 10000"):format(
    COLUMNS, quote(db, tenant)))))
end

function peer.batch(db, keys)
  for _, key in ipairs(keys) do peer.get(db, key[1], key[2]) end
end

function peer.bulk(db, users)
  local head = ("insert into bench.bulk (%s, metadata, created_at, updated_at) values "):format(
    table.concat(WRITTEN, ", "))
  assert(db:execute "begin")
  for first = 1, #users, 1000 do
    local values = {}
    for i = first, math.min(first + 999, #users) do
      values[#values + 1] = ("(%s, %s, %s)"):format(literals(db, users[i]), quote(db, users[i].created_at),
        quote(db, users[i].updated_at))
    end
    assert(db:execute(head .. table.concat(values, ", ")))
  end
  assert(db:execute "commit")
end

return peer
