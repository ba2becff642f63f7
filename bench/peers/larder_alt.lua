--- larder by other means: W1 spins before it sleeps, W3 is one atomic pipeline, W5 a pipeline of 100 statements.
local larder = require "larder"
local cjson = require "cjson"

local COLUMNS = "tenant_id, id, username, email, status, full_name, metadata, created_at, updated_at, deleted_at"
local WRITTEN = "tenant_id, id, username, email, status, full_name, metadata"
local GET = "select " .. COLUMNS .. " from bench.users where tenant_id = $1 and id = $2"
local INSERT = "insert into bench.users (" .. WRITTEN .. ") values ($1, $2, $3, $4, $5, $6, $7) returning created_at"
local UPDATE = "update bench.users set full_name = $3, updated_at = now() where tenant_id = $1 and id = $2"

require "bench.family"

local peer = {}

function peer.connect(target)
  local db = assert(larder.open(target.url .. (target.url:find("?", 1, true) and "&" or "?") .. "pool_spin=50us"))
  return { handle = db, users = db:stores("bench").users }
end

function peer.get(db, tenant, id) return assert(db.users:get(tenant, id)) end

function peer.transaction(db, u)
  assert(db.handle:pipeline({ atomic = true }, function(p)
    p:query(INSERT, u.tenant_id, u.id, u.username, u.email, u.status, u.full_name, cjson.encode(u.metadata))
    p:query(UPDATE, u.tenant_id, u.id, "Renamed")
    p:query(GET, u.tenant_id, u.id)
  end))
end

function peer.batch(db, keys)
  assert(db.handle:pipeline(function(p)
    for _, key in ipairs(keys) do p:query(GET, key[1], key[2]) end
  end))
end

return peer
