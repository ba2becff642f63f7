-- The engines that every contract runs on: memory always, PostgreSQL where LARDER_TEST_URL names a server.
--
--   for _, engine in ipairs(engines) do
--     describe("… on " .. engine.name, function()
--       before_each(function() db = engine.fresh "auth" end)
--       teardown(engine.done)

local larder = require "larder"

--- The tables of a built-in family whose tables do not refer to each other, for one truncate.
local function all_tables(family)
  local tables = {}
  for i, entity in ipairs(require("larder.families." .. family).entities) do tables[i] = entity.table end
  return { table.concat(tables, ", ") }
end

-- roots: truncating them empties the whole family. declare: not built in. dir: where its SQL is.
local FAMILIES = {
  auth = { roots = { "auth.tenants" } },
  content = { roots = { "content.users" } },
  controlplane = { roots = {
    "controlplane.organizations", "controlplane.audit_logs", "controlplane.inference_requests", "controlplane.budget_usage",
    "controlplane.rate_usage",
  } },
  csms = { roots = all_tables "csms" },
  shop = {
    roots = { "shop.items", "shop.visits" }, declare = "spec.support.shop", dir = "spec/support/sql/shop",
  },
  blog = {
    roots = { "blog.users", "blog.drafts", "blog.visits", "blog.teams" }, declare = "spec.support.blog", dir = "spec/support/sql/blog",
  },
}

local declared = {}

local function declare(family)
  local module = family and FAMILIES[family].declare
  if module and not declared[family] then
    larder.declare(require(module))
    declared[family] = true
  end
end

local memory = { name = "memory" }
local open_in_memory = {}

--- A database without a row, with the stores of a family.
function memory.fresh(family)
  declare(family)
  local db = assert(larder.open "memory:")
  open_in_memory[#open_in_memory + 1] = db
  return db
end

function memory.done()
  for _, db in ipairs(open_in_memory) do db:close() end
  open_in_memory = {}
end

local postgres = { name = "postgres" }
local shared, migrated = nil, {}

local function migrate(db, family)
  assert(db:query("drop schema if exists " .. family .. " cascade"))
  if db:query "select from larder.schema_migrations limit 0" then
    assert(db:query("delete from larder.schema_migrations where family = $1", family))
  end
  assert(db:migrate(family, { dir = FAMILIES[family].dir }))
end

--- One database a spec file, its schema built by the migrations; emptied here.
function postgres.fresh(family)
  declare(family)
  shared = shared or assert(larder.open(os.getenv "LARDER_TEST_URL"))
  if family and not migrated[family] then
    migrate(shared, family)
    migrated[family] = true
  end
  for _, root in ipairs(family and FAMILIES[family].roots or {}) do assert(shared:query("truncate " .. root .. " cascade")) end
  shared:set_clock(nil)
  return shared
end

function postgres.done()
  if shared then shared:close() end
  shared, migrated = nil, {}
end

local engines = { memory }
if os.getenv "LARDER_TEST_URL" then engines[2] = postgres end
engines.declare = declare
return engines
