--- larder as its users write it: stores, transactions, transfer.
local larder = require "larder"
require "bench.family"

local peer = {}

function peer.connect(target)
  local db = assert(larder.open(target.url))
  return { handle = db, users = db:stores("bench").users }
end

function peer.get(db, tenant, id) return assert(db.users:get(tenant, id)) end

function peer.create(db, user) return assert(db.users:create(user)) end

function peer.transaction(db, user)
  assert(db.handle:transaction(function()
    assert(db.users:create(user))
    assert(db.users:patch(user.tenant_id, user.id, { full_name = "Renamed" }))
    return assert(db.users:get(user.tenant_id, user.id))
  end))
end

function peer.list(db, tenant)
  local rows, n = {}, 0
  for row in db.users:each { where = { tenant_id = tenant }, order = "id" } do
    n = n + 1
    rows[n] = row
  end
  return rows
end

function peer.batch(db, keys) return assert(db.users:get_many(keys)) end

function peer.bulk(db, users)
  assert(larder.transfer({ bench = { bulk = users } }, db.handle, { families = { "bench" } }))
end

return peer
