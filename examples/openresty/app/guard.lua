--- Who may come in. For access_by_lua: an answer is given here when somebody may not.

local database = require "app.database"
local http = require "app.http"

local admin = assert(os.getenv "ADMIN_KEY", "ADMIN_KEY is not set")
assert(#admin >= 16, "ADMIN_KEY is too short: 16 characters at least")

local guard = {}

local function bearer()
  local header = ngx.req.get_headers()["authorization"]
  return type(header) == "string" and header:match "^[Bb]earer +(%S+)$" or nil
end

local function refuse()
  ngx.header["WWW-Authenticate"] = "Bearer"
  return http.finish(nil, { code = "unauthorized", message = "a valid key is needed" })
end

--- Only the administrator. Digests are compared, so that the time it takes tells nothing about the key.
function guard.admin()
  local given = bearer()
  if not given or ngx.sha1_bin(given) ~= ngx.sha1_bin(admin) then return refuse() end
end

--- Only who holds a valid API key; it is in ngx.ctx.key from here on. One indexed query: a key is random, so it needs
-- no slow hash.
function guard.key()
  local given = bearer()
  if not given then return refuse() end
  local key, err = database.stores().app_keys:verify(given)
  if not key then
    if err.code == "unauthorized" then return refuse() end
    return http.finish(nil, err)
  end
  ngx.ctx.key = key
end

return guard
