--- pgmoon from PGMOON_PATH, on luasocket: pure Lua, text, parsed on each call; a batch is one text.
local path = os.getenv "PGMOON_PATH"
package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(path, path, package.path)

local cjson = require "cjson"
local pgmoon = require "pgmoon"
local sql = require "bench.statements"

local GET, LIST, UPDATE = sql.get("$1", "$2"), sql.list "$1", sql.update("$1", "$2")
local INSERT = sql.insert "$1, $2, $3, $4, $5, $6, $7::jsonb"

local peer = {}

function peer.connect(target)
  local db = pgmoon.new {
    host = target.host, port = target.port, user = target.user, database = target.database,
    socket_type = "luasocket",
  }
  assert(db:connect())
  db.sock.sock:setoption("tcp-nodelay", true) -- without it every statement over 8 kB waits 40 ms
  return db
end

function peer.get(db, tenant, id) return assert(db:query(GET, tenant, id))[1] end

function peer.create(db, u)
  local rows = assert(db:query(INSERT, u.tenant_id, u.id, u.username, u.email, u.status, u.full_name,
    cjson.encode(u.metadata)))
  u.created_at = rows[1].created_at
  return u
end

function peer.transaction(db, user)
  assert(db:query "begin")
  peer.create(db, user)
  assert(db:query(UPDATE, user.tenant_id, user.id))
  peer.get(db, user.tenant_id, user.id)
  assert(db:query "commit")
end

function peer.list(db, tenant) return assert(db:query(LIST, tenant)) end

function peer.batch(db, keys)
  local texts = {}
  for i, key in ipairs(keys) do texts[i] = sql.get(db:escape_literal(key[1]), db:escape_literal(key[2])) end
  assert(db:query(table.concat(texts, ";")))
end

local function literals(db, user)
  local out = {}
  for i, field in ipairs(sql.plain_fields) do out[i] = db:escape_literal(user[field]) end
  out[#out + 1] = db:escape_literal(cjson.encode(user.metadata))
  out[#out + 1] = db:escape_literal(user.created_at)
  out[#out + 1] = db:escape_literal(user.updated_at)
  return table.concat(out, ", ")
end

function peer.bulk(db, users)
  assert(db:query "begin")
  for first = 1, #users, 1000 do
    local rows = {}
    for i = first, math.min(first + 999, #users) do rows[#rows + 1] = literals(db, users[i]) end
    assert(db:query(sql.bulk(rows)))
  end
  assert(db:query "commit")
end

return peer
