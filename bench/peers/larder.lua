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

--- One database for all: its reactor shares the connections.
function peer.concurrent(target, workers, connections, draw, seconds)
  local cqueues = require "cqueues"
  local loop, units, over = cqueues.new(), 0, false
  local db = assert(larder.open(target.url, { pool = { max = connections, min = 1 } }))
  local users = db:stores("bench").users
  for _ = 1, workers do
    loop:wrap(function()
      repeat
        assert(users:get(draw()))
        units = units + 1
      until over
    end)
  end
  local started = cqueues.monotime()
  local finish
  loop:wrap(function()
    cqueues.sleep(seconds)
    over = true
    finish = cqueues.monotime()
  end)
  assert(loop:loop())
  db:close()
  return units, finish - started
end

return peer
