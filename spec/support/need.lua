--- What a spec needs of the machine. Where that is missing, the spec says so and is pending:
--
--   local missing = need.nginx()
--   if missing then return describe("waiting in nginx", function() pending(missing) end) end
--
-- So the end of tools/run_tests.sh lists it; tools/test_parts.txt says which parts may be missing where.

local need = {}

local function named(...)
  for _, name in ipairs { ... } do
    if (os.getenv(name) or "") == "" then return name .. " is not set" end
  end
  return nil
end

--- nginx, which only `make test-nginx` starts.
---@return string|nil missing
function need.nginx()
  return named "LARDER_TEST_NGINX" and "only make test-nginx starts nginx"
end

--- A server.
---@return string|nil missing
function need.server()
  return named "LARDER_TEST_URL"
end

--- A server of one's own, which may be stopped and changed.
---@return string|nil missing
function need.own_server()
  return named("LARDER_TEST_PGCTL", "LARDER_TEST_PGDATA", "LARDER_TEST_TCP_URL")
end

--- A server of at least this major version.
---@param major integer
---@return string|nil missing
function need.version(major)
  local db = assert(require("larder").open(os.getenv "LARDER_TEST_URL"))
  local found = db:health().server_version
  db:close()
  return found < major * 10000 and ("only PostgreSQL %d and later have it"):format(major) or nil
end

return need
