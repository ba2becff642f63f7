-- The built-in families on both engines: random rows of their declarations, generic methods with includes, nested creates and figures
-- by group. The variables of random_spec.lua hold for each family.

local engines = require "spec.support.engines"
local declared = require "spec.support.random.declared"
local play = require "spec.support.random.play"
local rng = require "spec.support.random.rng"

local url = os.getenv "LARDER_TEST_URL"

-- No table of csms refers to another one: relations without a constraint.
local RELATIONS = { csms = { { fields = { "charge_station_id" }, to = "auth", as = "station", only = {
  settings = true, install_certificates = true, runtime_details = true, transactions = true, connector_statuses = true, reservations = true,
  meter_values = true, local_list_entries = true, variable_monitoring = true,
} } } }

-- Families that are not built in: where they are declared. Their stores come with empty tables.
local MODULES = { typed = "spec.support.typed", tangle = "spec.support.tangle" }

for at, name in ipairs { "auth", "controlplane", "csms", "content", "typed", "tangle" } do
  describe("random operations on " .. name .. " #random", function()
    local seed = play.seed + at
    local family, entities = declared.generic(name, RELATIONS[name], MODULES[name])
    local operations = declared.operations(family, entities)

    local function stores_of(db)
      if MODULES[name] then
        require(MODULES[name]).stores(db)
      elseif db:kind() ~= "memory" then
        engines[2].fresh(name)
      end
      return db:stores("generic_" .. name)
    end

    local function contents(stores)
      local all = {}
      for _, store in ipairs(family.stores) do
        local rows = {}
        for row in stores[store]:each { with_deleted = operations.by[store].soft and true or nil, order = operations.by[store].made.key } do
          rows[#rows + 1] = row
        end
        if #rows > 0 then all[store] = rows end
      end
      return play.canonical(all)
    end

    local function next_operation()
      return rng.chance(10) and play.transaction(operations.op, 1) or operations.op()
    end

    it(("leave memory and PostgreSQL without a difference (seed %d)"):format(seed), function()
      assert.is_string(url, "LARDER_TEST_URL is not set")
      local game = play.game(url, contents, stores_of)
      play.run(game, next_operation, { ops = math.ceil(play.ops / 4), check = play.check_every, seed = seed })
      game.memory:close()
      game.postgres:close()
      engines[2].done()
    end)
  end)
end
