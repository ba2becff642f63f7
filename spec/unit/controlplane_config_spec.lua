local config = require "larder.config"
local databases = require "larder.families.controlplane.databases"

local function resolve(vars)
  return databases.resolve(function(name) return vars[name] end)
end

describe("controlplane databases", function()
  it("LC-C1 have a developer's defaults, and none of them elsewhere", function()
    local main = assert(resolve {}).main
    assert.same({ "localhost", "5432", "dev", "audit", "disable" }, {
      main.settings.host, main.settings.port, main.settings.user, main.settings.dbname, main.settings.sslmode,
    })
    assert.same({ 25, 5 }, { main.pool.max, main.pool.min })
    local elsewhere = resolve { ENVIRONMENT = "production", DB_HOST = "h" }
    assert.equal("h", elsewhere.main.settings.host)
    assert.is_nil(elsewhere.main.settings.password)
  end)

  it("LC-C1 take DATABASE_URL before the others, and audit logs elsewhere when told", function()
    local found = assert(resolve { DATABASE_URL = "postgres://u@one/main", DB_HOST = "two" })
    assert.same({ "one", "main" }, { found.main.settings.host, found.main.settings.dbname })
    assert.is_nil(found.audit)
    found = assert(resolve { DATABASE_URL = "postgres://u@one/main", DATABASE_URL_AUDIT = "postgres://a@three/audit" })
    assert.same({ "three", "audit" }, { found.audit.settings.host, found.audit.settings.dbname })
  end)

  it("LC-C1 fall back where a number or a duration cannot be read, and never show the password", function()
    local main = assert(resolve {
      DB_PORT = "x", DB_MAX_OPEN_CONNS = "many", DB_MAX_IDLE_CONNS = "", DB_CONN_MAX_LIFETIME = "soon", DB_PASSWORD = "hidden!",
    }).main
    assert.same({ "5432", 25, 5, 300 }, { main.settings.port, main.pool.max, main.pool.min, main.pool.lifetime })
    local text = {}
    for _, row in ipairs(config.explain(main)) do text[#text + 1] = row.name .. "=" .. row.value end
    assert.is_nil(table.concat(text, " "):find("hidden!", 1, true))
  end)

  it("LC-C1 give connections five minutes, unless the variable or the address says else", function()
    assert.equal(300, assert(resolve {}).main.pool.lifetime)
    assert.equal(300, assert(resolve { DATABASE_URL = "postgres://u@one/main" }).main.pool.lifetime)
    assert.equal(90, assert(resolve { DB_CONN_MAX_LIFETIME = "1m30s" }).main.pool.lifetime)
    local both = assert(resolve {
      DATABASE_URL = "postgres://u@one/main?pool_max_conn_lifetime=60s", DATABASE_URL_AUDIT = "postgres://u@two/audit",
    })
    assert.same({ 60, 300 }, { both.main.pool.lifetime, both.audit.pool.lifetime })
  end)

  it("opens what it found", function()
    local main, audit = databases.open { getenv = function(name) return name == "USE_POSTGRES" and "false" or nil end }
    assert.equal("memory", main:kind())
    assert.equal(main, audit)
    main:close()
  end)
end)
