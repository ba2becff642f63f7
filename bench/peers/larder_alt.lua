--- larder by other means: W1 spins before it sleeps, W3 is one atomic pipeline, and so is W5 (the limit's
-- has one Sync for its 100 gets, too), W4 reads ahead.
local larder = require "larder"
local sql = require "bench.statements"
require "bench.family"

local GET, UPDATE = sql.get("$1", "$2"), sql.update("$1", "$2")
local INSERT = sql.insert "$1, $2, $3, $4, $5, $6, $7"

local peer = {}

function peer.connect(target)
  local db = assert(larder.open(target.url .. "?pool_spin=0.00005"))
  return { handle = db, users = db:stores("bench").users }
end

function peer.get(db, tenant, id) return assert(db.users:get(tenant, id)) end

function peer.transaction(db, u)
  assert(db.handle:pipeline({ atomic = true }, function(p)
    p:query(INSERT, u.tenant_id, u.id, u.username, u.email, u.status, u.full_name, u.metadata)
    p:query(UPDATE, u.tenant_id, u.id)
    p:query(GET, u.tenant_id, u.id)
  end))
end

function peer.batch(db, keys)
  assert(db.handle:pipeline({ atomic = true }, function(p)
    for _, key in ipairs(keys) do p:query(GET, key[1], key[2]) end
  end))
end

--- The next page is asked for while this one is made into tables.
function peer.list(db, tenant)
  local rows, n = {}, 0
  for row in db.users:each { where = { tenant_id = tenant }, order = "id", read_ahead = true } do
    n = n + 1
    rows[n] = row
  end
  return rows
end

--- In luv.
function peer.concurrent(target, workers, connections, draw, seconds)
  local uv = require "luv"
  local units, over, finish = 0, false, nil
  local db = assert(larder.open(target.url, { pool = { max = connections, min = 1 } }))
  local users = db:stores("bench").users
  local started = uv.hrtime()
  for _ = 1, workers do
    coroutine.wrap(function()
      repeat
        assert(users:get(draw()))
        units = units + 1
      until over
    end)()
  end
  local timer = uv.new_timer()
  timer:start(math.floor(seconds * 1000), 0, function()
    over, finish = true, uv.hrtime()
    timer:close()
  end)
  uv.run()
  db:close()
  return units, (finish - started) / 1e9
end

return peer
