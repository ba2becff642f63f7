--- LuaDBI: prepared on the server, parameters as text.
local DBI = require "DBI"
local cjson = require "cjson"

local COLUMNS = "tenant_id, id, username, email, status, full_name, metadata, created_at, updated_at, deleted_at"
local WRITTEN = "tenant_id, id, username, email, status, full_name, metadata"
local BULK = 100 -- LuaDBI cannot count beyond $999

local peer = {}

function peer.connect(target)
  local link = assert(DBI.Connect("PostgreSQL", target.database, target.user, "", target.host, target.port))
  link:autocommit(true)
  local function prepare(sql) return assert(link:prepare(sql)) end
  return {
    link = link,
    get = prepare("select " .. COLUMNS .. " from bench.users where tenant_id = ? and id = ?"),
    list = prepare("select " .. COLUMNS .. " from bench.users where tenant_id = ? order by id limit 10000"),
    insert = prepare("insert into bench.users (" .. WRITTEN .. ") values (?, ?, ?, ?, ?, ?, ?::jsonb) returning created_at"),
    update = prepare "update bench.users set full_name = ?, updated_at = now() where tenant_id = ? and id = ?",
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

function peer.create(db, user)
  assert(db.insert:execute(user.tenant_id, user.id, user.username, user.email, user.status, user.full_name,
    cjson.encode(user.metadata)))
  user.created_at = db.insert:fetch()[1]
  return user
end

function peer.transaction(db, user)
  db.link:autocommit(false)
  peer.create(db, user)
  assert(db.update:execute("Renamed", user.tenant_id, user.id))
  peer.get(db, user.tenant_id, user.id)
  db.link:commit()
  db.link:autocommit(true)
end

function peer.list(db, tenant) return rows_of(db.list, tenant) end

function peer.batch(db, keys)
  for _, key in ipairs(keys) do peer.get(db, key[1], key[2]) end
end

local function bulk_statement(db, rows)
  local values = ("(?, ?, ?, ?, ?, ?, ?::jsonb, ?::timestamptz, ?::timestamptz), "):rep(rows)
  return assert(db.link:prepare("insert into bench.bulk (" .. WRITTEN .. ", created_at, updated_at) values "
    .. values:sub(1, -3)))
end

function peer.bulk(db, users)
  local unpack = table.unpack or unpack -- luacheck: ignore 143
  local statement = bulk_statement(db, BULK)
  db.link:autocommit(false)
  for first = 1, #users, BULK do
    local last, values, n = math.min(first + BULK - 1, #users), {}, 0
    if last - first + 1 < BULK then statement = bulk_statement(db, last - first + 1) end
    for i = first, last do
      local u = users[i]
      values[n + 1], values[n + 2], values[n + 3], values[n + 4] = u.tenant_id, u.id, u.username, u.email
      values[n + 5], values[n + 6], values[n + 7] = u.status, u.full_name, cjson.encode(u.metadata)
      values[n + 8], values[n + 9] = u.created_at, u.updated_at
      n = n + 9
    end
    assert(statement:execute(unpack(values, 1, n)))
  end
  db.link:commit()
  db.link:autocommit(true)
end

return peer
