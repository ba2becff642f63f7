local larder = require "larder"
local providers = require "larder.families.content.providers"

local URL = "postgres://u@h/d"

local function resolve(vars)
  return providers.resolve(function(name) return vars[name] end)
end

describe("content providers", function()
  it("NX-4 refuses a provider that is disabled, or has no address, before connecting", function()
    local found, err = resolve { ENABLE_POSTGRES = "false", POSTGRES_PRISMA_URL = URL }
    assert.is_nil(found)
    assert.equal("invalid", err.code)
    found, err = resolve { ENABLE_POSTGRES = "true" }
    assert.is_nil(found)
    assert.is_truthy(tostring(err):find("POSTGRES_PRISMA_URL", 1, true), tostring(err))
  end)

  it("NX-19 takes the default provider, then the others in their order", function()
    local function enabled(vars)
      return table.concat(assert(providers.enabled(function(name) return vars[name] end)), " ")
    end
    assert.equal("postgres", enabled { ENABLE_POSTGRES = "true" })
    assert.equal("supabase postgres mongodb", enabled {
      DEFAULT_DATABASE_PROVIDER = "supabase", ENABLE_SUPABASE = "true", ENABLE_MONGODB = "true", ENABLE_POSTGRES = "true",
    })
    assert.equal("mongodb ibmcloud", enabled { ENABLE_IBMCLOUD = "true", ENABLE_MONGODB = "true", ENABLE_SUPABASE = "yes" })
    local found = assert(resolve {
      DEFAULT_DATABASE_PROVIDER = "mongodb", ENABLE_MONGODB = "true", ENABLE_POSTGRES = "true", POSTGRES_PRISMA_URL = URL,
    })
    assert.same({ "postgres", "h" }, { found.provider, found.config.settings.host })
    local _, err = resolve { ENABLE_MONGODB = "true" }
    assert.equal("unsupported", err.code)
    _, err = resolve { DEFAULT_DATABASE_PROVIDER = "oracle" }
    assert.equal("invalid", err.code)
  end)

  it("NX-19 names every switch when no provider is enabled", function()
    local _, err = resolve {}
    assert.equal("invalid", err.code)
    for _, name in ipairs { "POSTGRES", "MONGODB", "SUPABASE", "COSMOSDB", "SQLSERVER", "IBMCLOUD" } do
      assert.is_truthy(err.message:find("ENABLE_" .. name, 1, true))
    end
  end)

  it("write what happens as PRISMA_LOGGING, DATABASE_LOG_LEVEL and NODE_ENV say, without values", function()
    local function written(vars)
      local lines = {}
      local db = assert(larder.open "memory:")
      local users = db:stores("content").users
      local stop = assert(providers.log(db, function(name) return vars[name] end, function(line) lines[#lines + 1] = line end))
      assert(users:create { id = "ann", email = "secret@x" })
      users:create { id = "bob", email = "secret@x" }
      assert(db:transaction(function() return true end))
      stop()
      assert(users:get "ann")
      db:close()
      local text = table.concat(lines, "\n")
      assert.is_nil(text:find "secret")
      return text:gsub("%d+%.%d", "N")
    end
    assert.equal("", (written { DATABASE_LOG_LEVEL = "debug" }))
    local error_line = "larder error: content.users:create N ms: conflict: content.users:create: "
    local all = written { PRISMA_LOGGING = "true", DATABASE_LOG_LEVEL = "debug" }
    assert.is_truthy(all:find("larder query: content.users:create N ms\n", 1, true), all)
    assert.is_truthy(all:find(error_line, 1, true), all)
    assert.is_truthy(all:find("larder transaction: commit", 1, true), all)
    for _, vars in ipairs {
      { PRISMA_LOGGING = "true", DATABASE_LOG_LEVEL = "error" },
      { PRISMA_LOGGING = "true", DATABASE_LOG_LEVEL = "debug", NODE_ENV = "production" },
    } do
      local text = written(vars)
      assert.equal(1, text:find(error_line, 1, true))
      assert.is_nil(text:find "\n")
    end
    assert.is_truthy(written({ PRISMA_LOGGING = "true" }):find "larder transaction")
    local none, err = providers.log_level(function() return "loud" end)
    assert.is_nil(none)
    assert.is_string(err.fields.DATABASE_LOG_LEVEL)
  end)
end)
