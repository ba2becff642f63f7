--- LuaDBI: prepared on the server, parameters as text.
local DBI = require "DBI"
local cjson = require "cjson"
local sql = require "bench.statements"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143

local BULK = 100 -- rows of one INSERT; LuaDBI cannot count beyond $999
local VALUES = "?, ?, ?, ?, ?, ?, ?::jsonb"

local peer = {}

function peer.connect(target)
  local link = assert(DBI.Connect("PostgreSQL", target.database, target.user, "", target.host, target.port))
  link:autocommit(true)
  return {
    link = link,
    get = assert(link:prepare(sql.get("?", "?"))),
    list = assert(link:prepare(sql.list "?")),
    insert = assert(link:prepare(sql.insert(VALUES))),
    update = assert(link:prepare(sql.update("?", "?"))),
  }
end

local function rows_of(statement, ...)
  local rows = {}
  assert(statement:execute(...))
  for row in statement:rows(true) do
    row.metadata = cjson.decode(row.metadata)
    rows[#rows + 1] = row
  end
  return rows
end

function peer.get(db, tenant, id) return rows_of(db.get, tenant, id)[1] end

--- Appends the user's values to a list of n.
local function add_values(list, n, u)
  list[n + 1], list[n + 2], list[n + 3], list[n + 4] = u.tenant_id, u.id, u.username, u.email
  list[n + 5], list[n + 6], list[n + 7] = u.status, u.full_name, cjson.encode(u.metadata)
  return n + 7
end

function peer.create(db, user)
  local values = {}
  assert(db.insert:execute(unpack(values, 1, add_values(values, 0, user))))
  user.created_at = db.insert:fetch()[1]
  return user
end

function peer.transaction(db, user)
  db.link:autocommit(false)
  peer.create(db, user)
  assert(db.update:execute(user.tenant_id, user.id))
  peer.get(db, user.tenant_id, user.id)
  db.link:commit()
  db.link:autocommit(true)
end

function peer.list(db, tenant) return rows_of(db.list, tenant) end

function peer.batch(db, keys)
  for _, key in ipairs(keys) do peer.get(db, key[1], key[2]) end
end

local function prepare_bulk(db, n)
  local rows = {}
  for i = 1, n do rows[i] = VALUES .. ", ?::timestamptz, ?::timestamptz" end
  return assert(db.link:prepare(sql.bulk(rows)))
end

function peer.bulk(db, users)
  local statement = prepare_bulk(db, BULK)
  db.link:autocommit(false)
  for first = 1, #users, BULK do
    local last, values, n = math.min(first + BULK - 1, #users), {}, 0
    if last - first + 1 < BULK then statement = prepare_bulk(db, last - first + 1) end
    for i = first, last do
      n = add_values(values, n, users[i])
      values[n + 1], values[n + 2] = users[i].created_at, users[i].updated_at
      n = n + 2
    end
    assert(statement:execute(unpack(values, 1, n)))
  end
  db.link:commit()
  db.link:autocommit(true)
end

return peer
