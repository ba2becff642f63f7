--- pgmoon from PGMOON_PATH, on luasocket: pure Lua, text, parsed on each call; 100 statements in one simple query.
package.path = os.getenv "PGMOON_PATH" .. "/?.lua;" .. os.getenv "PGMOON_PATH" .. "/?/init.lua;" .. package.path
local pgmoon = require "pgmoon"
local cjson = require "cjson"

local COLUMNS = "tenant_id, id, username, email, status, full_name, metadata, created_at, updated_at, deleted_at"
local WRITTEN = "tenant_id, id, username, email, status, full_name, metadata"
local GET = "select " .. COLUMNS .. " from bench.users where tenant_id = $1 and id = $2"
local INSERT = "insert into bench.users (" .. WRITTEN .. ") values ($1, $2, $3, $4, $5, $6, $7) returning created_at"

local peer = {}

function peer.connect(target)
  local db = pgmoon.new { host = target.host, port = target.port, user = target.user, database = target.database,
    socket_type = "luasocket" }
  assert(db:connect())
  db.sock.sock:setoption("tcp-nodelay", true) -- without it every statement over 8 kB waits 40 ms
  return db
end

function peer.get(db, tenant, id) return assert(db:query(GET, tenant, id))[1] end

function peer.create(db, user)
  user.created_at = assert(db:query(INSERT, user.tenant_id, user.id, user.username, user.email, user.status,
    user.full_name, cjson.encode(user.metadata)))[1].created_at
  return user
end

function peer.transaction(db, user)
  assert(db:query "begin")
  peer.create(db, user)
  assert(db:query("update bench.users set full_name = 'Renamed', updated_at = now() where tenant_id = $1 and id = $2",
    user.tenant_id, user.id))
  peer.get(db, user.tenant_id, user.id)
  assert(db:query "commit")
end

function peer.list(db, tenant)
  return assert(db:query("select " .. COLUMNS .. " from bench.users where tenant_id = $1 order by id limit 10000", tenant))
end

function peer.batch(db, keys)
  local out = {}
  for i, key in ipairs(keys) do
    out[i] = ("select %s from bench.users where tenant_id = %s and id = %s"):format(COLUMNS, db:escape_literal(key[1]),
      db:escape_literal(key[2]))
  end
  assert(db:query(table.concat(out, ";")))
end

function peer.bulk(db, users)
  assert(db:query "begin")
  for first = 1, #users, 1000 do
    local values = {}
    for i = first, math.min(first + 999, #users) do
      local u, out = users[i], {}
      for j, text in ipairs { u.tenant_id, u.id, u.username, u.email, u.status, u.full_name, cjson.encode(u.metadata),
        u.created_at, u.updated_at } do
        out[j] = db:escape_literal(text)
      end
      values[#values + 1] = "(" .. table.concat(out, ", ") .. ")"
    end
    assert(db:query("insert into bench.bulk (" .. WRITTEN .. ", created_at, updated_at) values "
      .. table.concat(values, ", ")))
  end
  assert(db:query "commit")
end

return peer
