--- larder: one handle for the worker.
local larder = require "larder"
require "bench.family"

local variant = {}
local db, users

function variant.start()
  db = assert(larder.open(os.getenv "DATABASE_URL"))
  users = db:stores("bench").users
end

function variant.get(tenant, id) return users:get(tenant, id) end

function variant.sleep(seconds) return db:query("select 1 from pg_sleep($1)", seconds) end

return variant
