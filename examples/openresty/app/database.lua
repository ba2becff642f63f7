--- The worker's database: one for each worker, shared by all of its requests.

local larder = require "larder"

-- In the master, where the whole environment is still there: a mistake stops nginx from starting.
local url = assert(os.getenv "DATABASE_URL", "DATABASE_URL is not set")

local database = {}
local db

--- In init_worker, after the fork. Lazy: nginx starts without its server, and the first request connects; while the server
-- is away each request is told.
function database.start()
  db = larder.must(larder.open(url, { lazy = true }))
end

---@return larder.Db
function database.get() return db end

--- The stores of family `auth`.
function database.stores() return db:stores "auth" end

--- In exit_worker: what is still held back (when keys were last used) is written.
function database.stop()
  if db then db:close() end
end

return database
