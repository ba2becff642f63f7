--- The worker's database: one for each worker, opened after the fork, shared by all of its requests.

local larder = require "larder"

local RETRY = 1 -- seconds between two attempts to connect

-- In the master, where the whole environment is still there: a mistake stops nginx from starting.
local url = assert(os.getenv "DATABASE_URL", "DATABASE_URL is not set")

local database = {}
local db
local last_err = { code = "connection", message = "not connected yet" }
local next_try = 0

--- The database. Where it could not be reached at the start it is tried again, by one request a second; the others are
-- told at once.
---@return larder.Db|nil
---@return larder.Error? err
function database.get()
  if db then return db end
  if ngx.now() < next_try then return nil, last_err end
  next_try = ngx.now() + RETRY
  local opened, err = larder.open(url)
  if opened and db then
    opened:close() -- another request was faster
  elseif opened then
    db = opened
  else
    last_err = err
  end
  return db, last_err
end

--- The stores of family `auth`.
function database.stores()
  local opened, err = database.get()
  if not opened then return nil, err end
  return opened:stores "auth"
end

--- In init_worker: connect, so that the first request need not.
function database.start()
  local opened, err = database.get()
  if not opened then ngx.log(ngx.ERR, "no database yet: ", tostring(err)) end
end

--- In exit_worker: what is still held back (when keys were last used) is written.
function database.stop()
  if db then db:close() end
end

return database
