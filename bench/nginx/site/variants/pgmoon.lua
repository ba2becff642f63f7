--- pgmoon from PGMOON_PATH: a connection for each request, kept in a pool that is large enough for all of them; the
-- simple protocol with literals, which is its fastest way.
local path = os.getenv "PGMOON_PATH"
package.path = ("%s/?.lua;%s/?/init.lua;%s"):format(path, path, package.path)

local pgmoon = require "pgmoon"
local sql = require "bench.statements"

local POOL, IDLE = 300, 60000 -- connections; milliseconds

local variant = {}

local function run(statement)
  local db = pgmoon.new {
    host = os.getenv "BENCH_HOST", port = os.getenv "BENCH_PORT", user = os.getenv "BENCH_USER",
    database = os.getenv "BENCH_DB", application_name = "bench-pgmoon", pool_size = POOL,
  }
  local ok, err = db:connect()
  if not ok then return nil, err end
  local rows
  rows, err = db:query(type(statement) == "string" and statement or statement(db))
  if not rows then return nil, err end
  db:keepalive(IDLE, POOL)
  return rows
end

function variant.get(tenant, id)
  local rows, err = run(function(db) return sql.get(db:escape_literal(tenant), db:escape_literal(id)) end)
  if not rows then return nil, err end
  return rows[1]
end

function variant.sleep(seconds) return run(("select 1 from pg_sleep(%f)"):format(seconds)) end

return variant
