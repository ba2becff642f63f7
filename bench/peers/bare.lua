--- libpq and bare tables (bare.c): the least that the same rows cost in Lua.
local cjson = require "cjson"
local sql = require "bench.statements"

local library = ("build/bench/%s/bare.so"):format(rawget(_G, "jit") and "luajit" or "lua5.4")
local connect = assert(package.loadlib(library, "luaopen_bare"))()

local peer = {}

function peer.connect(target)
  local link = connect(target.url)
  link:prepare("begin", "begin")
  link:prepare("commit", "commit")
  link:prepare("get", sql.get("$1", "$2"))
  link:prepare("list", sql.list "$1")
  link:prepare("insert", sql.insert "$1, $2, $3, $4, $5, $6, $7")
  link:prepare("update", sql.update("$1", "$2"))
  return link
end

function peer.get(link, tenant, id) return link:run("get", tenant, id)[1] end

function peer.create(link, user)
  local stored = link:run("insert", user.tenant_id, user.id, user.username, user.email, user.status, user.full_name,
    cjson.encode(user.metadata))
  user.created_at = stored[1].created_at
  return user
end

function peer.transaction(link, user)
  link:run "begin"
  peer.create(link, user)
  link:run("update", user.tenant_id, user.id)
  peer.get(link, user.tenant_id, user.id)
  link:run "commit"
end

function peer.list(link, tenant) return link:run("list", tenant) end

function peer.batch(link, keys) return link:batch("get", keys, #keys) end

return peer
