local config = require "larder.config"
local env = require "larder.config.env"
local values = require "larder.config.values"

local function environment(vars)
  return function(name) return vars[name] end
end

local function resolve(vars, target, opts)
  opts = opts or {}
  opts.getenv = environment(vars or {})
  return config.resolve(target, opts)
end

local function with_file(text, fn)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(fn, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

describe("targets", function()
  it("nothing at all is an error that says what was looked for: memory must be named", function()
    for _, target in ipairs { false, {} } do
      local cfg, err = resolve({ PGPASSWORD = "pw", PGUSER = "u" }, target or nil)
      assert.is_nil(cfg)
      assert.equal("invalid", err.code)
      for _, name in ipairs { "DATABASE_URL", "DB_HOST", "PGHOST", "LARDER_ENGINE=memory", '"memory:"' } do
        assert.is_truthy(err.hint:find(name, 1, true), name)
      end
    end
  end)

  it("LARDER_ENGINE names the engine before anything else", function()
    assert.equal("memory", assert(resolve { LARDER_ENGINE = "memory", DATABASE_URL = "postgres://h/d" }).engine)
    assert.equal("h", assert(resolve { LARDER_ENGINE = "postgres", DATABASE_URL = "postgres://h/d" }).settings.host)
    assert.is_string(select(2, resolve { LARDER_ENGINE = "sqlite" }).fields.LARDER_ENGINE)
  end)

  it("connect_timeout counts in every form", function()
    local function timeout(vars, target, opts) return assert(resolve(vars, target, opts)).pool.connect_timeout end
    assert.equal(2, timeout({}, "postgres://h/d?connect_timeout=2"))
    assert.equal(2, timeout({}, "host=h connect_timeout=2"))
    assert.equal(2, timeout({}, { host = "h", connect_timeout = 2 }))
    assert.equal(2, timeout({ PGCONNECT_TIMEOUT = "2" }, "postgres://h/d"))
    assert.equal(2, timeout { PGCONNECT_TIMEOUT = "2", DATABASE_URL = "postgres://h/d" })
    assert.equal(2, timeout({}, "postgres://h/d?pool_connect_timeout=2"))
    assert.equal(2, timeout({}, "postgres://h/d?connect_timeout=9&pool_connect_timeout=2"))
    assert.equal(2, timeout({}, "postgres://h/d?connect_timeout=9", { pool = { connect_timeout = 2 } }))
    assert.equal(30, timeout({}, "postgres://h/d"))
    assert.is_string(select(2, resolve({}, "postgres://h/d?connect_timeout=soon")).fields["pool.connect_timeout"])
  end)

  it("a pooler is found out unless it is said what there is", function()
    local function pooler(target) return assert(resolve({}, target)).pool.pgbouncer end
    assert.is_nil(pooler "postgres://h/d")
    assert.is_true(pooler "postgres://h/d?pgbouncer=true")
    assert.is_true(pooler "postgres://h/d?pgbouncer=transaction")
    assert.is_false(pooler "postgres://h/d?pgbouncer=session")
    assert.is_false(pooler "postgres://h/d?pgbouncer=false")
  end)

  it("migrations go where LARDER_MIGRATIONS_URL says, or POSTGRES_URL_NON_POOLING beside DATABASE_URL", function()
    local function host(vars, target, opts)
      return config.migration_target(assert(resolve(vars, target, opts))).settings.host
    end
    local direct = "postgres://direct/d"
    assert.equal("direct", host { DATABASE_URL = "postgres://h/d", LARDER_MIGRATIONS_URL = direct })
    assert.equal("direct", host({ LARDER_MIGRATIONS_URL = direct }, "postgres://h/d"))
    assert.equal("other", host({ LARDER_MIGRATIONS_URL = direct }, "postgres://h/d", { migrations = "postgres://other/d" }))
    assert.equal("direct", host { DATABASE_URL = "postgres://h/d", POSTGRES_URL_NON_POOLING = direct })
    assert.equal("h", host({ POSTGRES_URL_NON_POOLING = direct }, "postgres://h/d"))
  end)

  it("memory: is the memory engine whatever the environment says", function()
    assert.equal("memory", assert(resolve({ DATABASE_URL = "postgres://h/d" }, "memory:")).engine)
    assert.equal("memory", assert(resolve({}, { engine = "memory" })).engine)
  end)

  it("a URI keeps what is libpq's and gives the pool what is the pool's", function()
    local cfg = assert(resolve({}, "postgres://app:p%40ss@db:6543/shop?sslmode=require&pool_max_conns=50"
      .. "&pool_min_conns=2&pool_max_conn_lifetime=30m&pool_max_conn_idle_time=90&pgbouncer=true"
      .. "&application_name=x%20y"))
    assert.equal("postgres", cfg.engine)
    assert.equal("db", cfg.settings.host)
    assert.equal("6543", cfg.settings.port)
    assert.equal("app", cfg.settings.user)
    assert.equal("p@ss", cfg.settings.password)
    assert.equal("shop", cfg.settings.dbname)
    assert.equal("require", cfg.settings.sslmode)
    assert.equal("x y", cfg.settings.application_name)
    assert.equal(50, cfg.pool.max)
    assert.equal(2, cfg.pool.min)
    assert.equal(1800, cfg.pool.lifetime)
    assert.equal(90, cfg.pool.idle_timeout)
    assert.is_true(cfg.pool.pgbouncer)
    for keyword in pairs(cfg.settings) do assert.is_nil(keyword:find "pool") end
  end)

  it("a key/value conninfo may quote, escape and hold pool settings anywhere", function()
    local cfg = assert(resolve({},
      [[pool_max_conns=9 host = 'a b' password='it\'s' dbname=x pgbouncer=1 user=u\ v]]))
    assert.equal("a b", cfg.settings.host)
    assert.equal("it's", cfg.settings.password)
    assert.equal("x", cfg.settings.dbname)
    assert.equal("u v", cfg.settings.user)
    assert.equal(9, cfg.pool.max)
    assert.is_true(cfg.pool.pgbouncer)
  end)

  it("a table takes libpq's names and the usual others", function()
    local cfg = assert(resolve({}, {
      host = "h", port = 5433, database = "d", username = "u", password = "p@:/ '", ssl_mode = "verify-full",
      pool_max_conns = 7, pool = { acquire_timeout = "2s" },
    }))
    assert.equal("h", cfg.settings.host)
    assert.equal("5433", cfg.settings.port)
    assert.equal("d", cfg.settings.dbname)
    assert.equal("u", cfg.settings.user)
    assert.equal("p@:/ '", cfg.settings.password)
    assert.equal("verify-full", cfg.settings.sslmode)
    assert.equal(7, cfg.pool.max)
    assert.equal(2, cfg.pool.acquire_timeout)
  end)

  it("faults are invalid and name the field", function()
    local function fault(target, field, vars, opts)
      local cfg, err = resolve(vars, target, opts)
      assert.is_nil(cfg)
      assert.equal("invalid", err.code)
      if field then assert.is_string(err.fields[field], field) end
    end
    fault({ host = "h", port = 0 }, "port")
    fault({ host = "h", port = 65536 }, "port")
    fault({ host = "h", sslmode = "maybe" }, "sslmode")
    fault({ host = "h", pool_size = 3 }, "pool_size")
    fault("postgres://h/d?pool_size=3", "pool_size")
    fault("postgres://h/d?pool_max_conns=many", "pool.max")
    fault("postgres://h/d?pool_max_conns=2&pool_min_conns=3", "pool.min")
    fault("", "target")
    fault("no such thing")
    fault(nil, "pool.max", { DATABASE_URL = "postgres://h/d" }, { pool = { max = 0 } })
    local _, why = resolve({}, "postgres://h/d?pool_max_conns=many&pool_acquire_timeout=soon&pgbouncer=perhaps")
    assert.same({ ["pool.max"] = "must be a whole number", ["pool.pgbouncer"] = "must be true, false, session or transaction",
      ["pool.acquire_timeout"] = "must be a number of seconds, or a duration such as 1m30s" }, why.fields)
    fault("memory:", "pool.mx", {}, { pool = { mx = 4 } })
    fault({ host = "h", ssl = true }, "ssl")
  end)

  it("a password in a URI that has to be written with percent signs is never shown", function()
    for _, text in ipairs { "hunter/2", "hunter/2@x", "hun%ter2", "hun%zzter", "hunter,2/x" } do
      local cfg, err = resolve({}, "postgres://app:" .. text .. "@db/shop")
      assert.is_nil(cfg, text)
      assert.equal("invalid", err.code)
      assert.matches("in a URI, write %%2", tostring(err))
      assert.is_nil((tostring(err) .. (err.hint or "")):find "hun")
    end
    for text, password in pairs { ["a+b"] = "a+b", ["a%2Fb"] = "a/b", ["a%40b"] = "a@b", ["a%25b"] = "a%b", ["a:b"] = "a:b" } do
      assert.equal(password, assert(resolve({}, "postgres://app:" .. text .. "@db/shop")).settings.password)
    end
  end)

  it("what cannot be read is told with what was meant", function()
    for target, wanted in pairs {
      ["mysql://h/d"] = '"mysql" is not a scheme of PostgreSQL: write postgres://', ["memroy:"] = '"memory:"',
      ["postgres://h/d?sslmod=require"] = "sslmod is not a setting of a connection; did you mean sslmode?",
      ["host=h aplication_name=x"] = "did you mean application_name?", ["justaname"] = "host=db1 dbname=app",
    } do
      local _, err = resolve({}, target)
      assert.is_truthy(tostring(err):find("the connection string is not valid: ", 1, true), target)
      assert.is_truthy(tostring(err):find(wanted, 1, true), tostring(err))
    end
    local _, err = resolve({}, { host = "h", hots = "x", ssl = true })
    assert.same({ hots = "is not a setting of a connection; did you mean host?",
      ssl = "is not a setting of a connection; did you mean sslmode?" }, err.fields)
    assert(resolve({}, { host = "h", application_name = "a", keepalives = 1, target_session_attrs = "any" }))
  end)

  it("a table that names no known engine, no connection string or no pool setting is no reason to go to another server", function()
    for field, target in pairs {
      engine = { engine = "mysql", host = "h" }, url = { url = "" }, host = { host = true },
      ["pool.mx"] = { host = "h", pool = { mx = 5 } },
    } do
      local cfg, err = config.resolve(target, { getenv = function() end, env_file = false })
      assert.is_nil(cfg, field)
      assert.equal("invalid", err.code)
      assert.is_string(err.fields[field], field)
    end
    local cfg, err = config.resolve("memory:", { pool = { mx = 5 }, getenv = function() end })
    assert.is_nil(cfg)
    assert.equal("is not a pool setting", err.fields["pool.mx"])
  end)

  it("no fault quotes a password", function()
    local _, err = resolve({}, "postgres://u:hunter2@h:port/d")
    assert.is_nil(tostring(err):find("hunter2", 1, true))
    for _, text in ipairs { "host=h password=hunter2 nonsense=1", "postgres://u:a?hunter2=b@h/d", "host=h password=a hunter2=b" } do
      _, err = resolve({}, text)
      assert.is_nil(tostring(err):find("hunter2", 1, true))
    end
  end)

  it("a small pool keeps its minimum below its maximum", function()
    local cfg = assert(resolve({}, "postgres://h/d?pool_max_conns=3"))
    assert.equal(3, cfg.pool.min)
  end)
end)

describe("environment", function()
  it("DATABASE_URL comes before DB_*, and says so", function()
    local cfg = assert(resolve { DATABASE_URL = "postgres://one/d", DB_HOST = "two", DB_NAME = "x" })
    assert.equal("one", cfg.settings.host)
    assert.equal("DATABASE_URL", cfg.sources.host)
  end)

  it("LK-C1 DB_PORT that is missing or no number is 5432; the pool is 25 and 5", function()
    for _, port in ipairs { "", "abc", "70000", "-1", "54x2" } do
      local cfg = assert(resolve { DB_HOST = "h", DB_PORT = port, DB_NAME = "d", DB_USER = "u" })
      assert.equal("5432", cfg.settings.port)
      assert.equal(25, cfg.pool.max)
      assert.equal(5, cfg.pool.min)
    end
    assert.equal("6000", assert(resolve { DB_HOST = "h", DB_PORT = "6000" }).settings.port)
  end)

  it("LK-C1 USE_POSTGRES chooses the engine", function()
    assert.equal("memory", assert(resolve { USE_POSTGRES = "false", DB_HOST = "h" }).engine)
    assert.equal("memory", assert(resolve { USE_POSTGRES = "x", DATABASE_URL = "postgres://h/d" }).engine)
    local cfg = assert(resolve { USE_POSTGRES = "true" })
    assert.equal("postgres", cfg.engine)
    assert.equal("localhost", cfg.settings.host)
    assert.equal("postgres", assert(resolve { DB_HOST = "h" }).engine)
  end)

  it("LC-C1 reads the DB_* variables; what cannot be read is the default", function()
    local cfg = assert(resolve {
      DB_HOST = "h", DB_USER = "dev", DB_PASSWORD = "pw", DB_NAME = "audit", DB_SSLMODE = "disable",
      DB_MAX_OPEN_CONNS = "40", DB_MAX_IDLE_CONNS = "8", DB_CONN_MAX_LIFETIME = "5m",
    })
    assert.equal("dev", cfg.settings.user)
    assert.equal("audit", cfg.settings.dbname)
    assert.equal("disable", cfg.settings.sslmode)
    assert.equal(40, cfg.pool.max)
    assert.equal(8, cfg.pool.min)
    assert.equal(300, cfg.pool.lifetime)
    cfg = assert(resolve { DB_HOST = "h", DB_SSL_MODE = "require", DB_SSLMODE = "disable",
      DB_MAX_OPEN_CONNS = "lots", DB_CONN_MAX_LIFETIME = "5 parsecs" })
    assert.equal("require", cfg.settings.sslmode)
    assert.equal(25, cfg.pool.max)
    assert.equal(3600, cfg.pool.lifetime)
  end)

  it("MV-G7 pool parameters of a URL win over the variables", function()
    local cfg = assert(resolve {
      DATABASE_URL = "postgres://h/d?pool_max_conns=50", DB_MAX_OPEN_CONNS = "10",
    })
    assert.equal(50, cfg.pool.max)
    assert.equal("DATABASE_URL", cfg.sources["pool.max"])
  end)

  it("MV-G9 STORAGE_* need host, database, user and password, a port and a known ssl_mode", function()
    local whole = {
      STORAGE_TYPE = "postgres", STORAGE_POSTGRES_HOST = "h", STORAGE_POSTGRES_DATABASE = "d",
      STORAGE_POSTGRES_USER = "u", STORAGE_POSTGRES_PASSWORD = "p@:/ '",
      STORAGE_POSTGRES_SSL_MODE = "require",
    }
    local cfg = assert(resolve(whole))
    assert.equal("h", cfg.settings.host)
    assert.equal("5432", cfg.settings.port)
    assert.equal("p@:/ '", cfg.settings.password)
    for name in pairs { HOST = 1, DATABASE = 1, USER = 1, PASSWORD = 1 } do
      local vars = {}
      for k, v in pairs(whole) do vars[k] = v end
      vars["STORAGE_POSTGRES_" .. name] = nil
      local none, err = resolve(vars)
      assert.is_nil(none)
      assert.is_string(err.fields["storage.postgres." .. name:lower()])
    end
    for name, bad in pairs { PORT = { "0", "65536", "x" }, SSL_MODE = { "maybe" } } do
      for _, value in ipairs(bad) do
        local vars = {}
        for k, v in pairs(whole) do vars[k] = v end
        vars["STORAGE_POSTGRES_" .. name] = value
        local none, err = resolve(vars)
        assert.is_nil(none)
        assert.is_string(err.fields["STORAGE_POSTGRES_" .. name])
      end
    end
    local memory = assert(resolve { STORAGE_TYPE = "in_memory", DATABASE_URL = "postgres://h/d" })
    assert.equal("memory", memory.engine)
    local none, err = resolve { STORAGE_TYPE = "firestore" }
    assert.is_nil(none)
    assert.is_string(err.fields.STORAGE_TYPE)
  end)

  it("NX-4 says when PostgreSQL is disabled or its URL is missing", function()
    local none, err = resolve { ENABLE_POSTGRES = "false", POSTGRES_PRISMA_URL = "postgres://h/d" }
    assert.is_nil(none)
    assert.is_string(err.fields.ENABLE_POSTGRES)
    none, err = resolve { ENABLE_POSTGRES = "true" }
    assert.is_nil(none)
    assert.is_string(err.fields.POSTGRES_PRISMA_URL)
    none, err = resolve { ENABLE_POSTGRES = "true", POSTGRES_PRISMA_URL = "not a url" }
    assert.is_nil(none)
    assert.is_string(err.fields.POSTGRES_PRISMA_URL)
  end)

  it("a Prisma URL loses what only Prisma knows, and migrations take the direct URL", function()
    local cfg = assert(resolve {
      ENABLE_POSTGRES = "true",
      POSTGRES_PRISMA_URL = "postgres://u:p@pooler:6432/d?pgbouncer=true&connection_limit=3&schema=public"
        .. "&connect_timeout=15&pool_timeout=7&socket_timeout=9&statement_cache_size=0",
      POSTGRES_URL_NON_POOLING = "postgres://u:p@direct:5432/d",
    })
    assert.equal("pooler", cfg.settings.host)
    assert.equal("15", cfg.settings.connect_timeout)
    assert.is_nil(cfg.settings.schema)
    assert.is_true(cfg.pool.pgbouncer)
    assert.equal(3, cfg.pool.max)
    assert.equal(7, cfg.pool.acquire_timeout)
    assert.equal(9, cfg.pool.statement_timeout)
    assert.equal(0, cfg.pool.statement_cache)
    assert.equal("direct", config.migration_target(cfg).settings.host)
    assert.equal("h", config.migration_target(assert(resolve({}, "postgres://h/d"))).settings.host)
    assert.equal("m", config.migration_target(assert(resolve({}, "postgres://h/d",
      { migrations = "postgres://m/d" }))).settings.host)
  end)

  it("POSTGRES_* parts do without a URL", function()
    local cfg = assert(resolve {
      ENABLE_POSTGRES = "1", POSTGRES_HOST = "h", POSTGRES_USER = "u", POSTGRES_PASSWORD = "p",
      POSTGRES_DATABASE = "d", POSTGRES_PORT = "6000",
    })
    assert.equal("h", cfg.settings.host)
    assert.equal("d", cfg.settings.dbname)
    assert.equal("6000", cfg.settings.port)
  end)

  it("libpq's own variables name a server, and fill what others leave open", function()
    local cfg = assert(resolve { PGHOST = "h", PGDATABASE = "d", PGSSLMODE = "require" })
    assert.equal("postgres", cfg.engine)
    assert.equal("d", cfg.settings.dbname)
    assert.equal("PGSSLMODE", cfg.sources.sslmode)
    cfg = assert(resolve({ PGPASSWORD = "pw", PGHOST = "other" }, "postgres://h/d"))
    assert.equal("h", cfg.settings.host)
    assert.equal("pw", cfg.settings.password)
    cfg = assert(resolve { PGSERVICE = "prod", PGHOST = "other" })
    assert.equal("prod", cfg.settings.service)
    assert.is_nil(cfg.settings.host)
    assert.is_nil(resolve { PGPASSWORD = "pw", PGUSER = "u" })
  end)
end)

describe("files", function()
  it("a .env file stands behind the environment", function()
    local text = table.concat({
      "# comment", 'export DB_HOST="from file" # note', "DB_NAME='a#b'", "DB_USER = u v ",
      [[DB_PASSWORD="a\nb\"c"]], "",
    }, "\n")
    with_file(text, function(path)
      local cfg = assert(resolve({ DB_NAME = "from env" }, nil, { env_file = path }))
      assert.equal("from file", cfg.settings.host)
      assert.equal("from env", cfg.settings.dbname)
      assert.equal("u v", cfg.settings.user)
      assert.equal('a\nb"c', cfg.settings.password)
      assert.equal(path .. ": DB_HOST", cfg.sources.host)
      assert.equal("DB_NAME", cfg.sources.dbname)
      assert.equal("from file", assert(resolve { LARDER_ENV_FILE = path }).settings.host)
    end)
  end)

  it("a .env file that cannot be read is named", function()
    local none, err = resolve({}, nil, { env_file = "/no/such/file" })
    assert.is_nil(none)
    assert.is_string(err.fields["/no/such/file"])
    with_file("A=1\nthis is no setting\n", function(path)
      none, err = resolve({}, nil, { env_file = path })
      assert.is_nil(none)
      assert.matches("line 2", err.fields[path], 1, true)
    end)
  end)

  it("reads .env values as shells do", function()
    local parsed = assert(env.parse "A=\nB=x=y\nC='it is'\nD=\"a b\"\n  E=1 # one\r\nF=#x\n")
    assert.same({ A = "", B = "x=y", C = "it is", D = "a b", E = "1", F = "#x" }, parsed)
  end)

  describe("TOML", function()
    local storage
    local function rock() return { decode = function() return storage end } end
    setup(function() package.preload.toml = rock end)
    teardown(function() package.preload.toml, package.loaded.toml = nil, nil end)

    it("MV-G8 gives [storage.postgres], and STORAGE_* variables override it", function()
      storage = { storage = { type = "postgres", postgres = {
        host = "file", port = 5433, database = "d", user = "u", password = "p", ssl_mode = "disable",
        run_migrations = true,
      } } }
      with_file("any text", function(path)
        local cfg = assert(resolve({ STORAGE_POSTGRES_HOST = "env" }, nil, { config_file = path }))
        assert.equal("env", cfg.settings.host)
        assert.equal("5433", cfg.settings.port)
        assert.equal("STORAGE_POSTGRES_HOST", cfg.sources.host)
        assert.equal(path .. ": storage.postgres.port", cfg.sources.port)
        assert.same({}, cfg.run_migrations)
        storage.storage.postgres.migrations_path = "file://./sql/mine"
        assert.same({ dir = "./sql/mine" }, assert(resolve({}, nil, { config_file = path })).run_migrations)
        assert.is_nil(assert(resolve({ STORAGE_POSTGRES_RUN_MIGRATIONS = "false" }, nil, { config_file = path })).run_migrations)
        storage.storage.postgres.run_migrations = "perhaps"
        assert.is_string(select(2, resolve({}, nil, { config_file = path })).fields["storage.postgres.run_migrations"])
        storage.storage.postgres.run_migrations = nil
        storage.storage.postgres.port = 0
        local none, err = resolve({}, nil, { config_file = path })
        assert.is_nil(none)
        assert.is_string(err.fields["storage.postgres.port"])
        storage.storage.type = "in_memory"
        assert.equal("memory", assert(resolve({}, nil, { config_file = path })).engine)
      end)
    end)

    it("MV-G4 gives a read replica, which is as the primary but for its place", function()
      local read_only = { host = "copy" }
      storage = { storage = { type = "postgres", postgres_read_only = read_only, postgres = {
        host = "file", port = 5433, database = "d", user = "u", password = "p", ssl_mode = "disable",
      } } }
      with_file("any text", function(path)
        local cfg = assert(resolve({}, nil, { config_file = path }))
        local function place(c) return c and { c.settings.host, c.settings.port, c.settings.dbname, c.settings.password } end
        assert.same({ "file", "5433", "d", "p" }, place(cfg))
        assert.same({ "copy", "5433", "d", "p" }, place(cfg.replica))
        assert.equal(path .. ": storage.postgres_read_only.host", cfg.replica.sources.host)
        read_only.port = 5434
        assert.same({ "copy", "5434", "d", "p" }, place(assert(resolve({}, nil, { config_file = path })).replica))
        local variables = { STORAGE_POSTGRES_READ_ONLY_HOST = "env", STORAGE_POSTGRES_READ_ONLY_PORT = "1" }
        assert.same({ "env", "1", "d", "p" }, place(assert(resolve(variables, nil, { config_file = path })).replica))
        read_only.port = 65536
        local none, err = resolve({}, nil, { config_file = path })
        assert.is_nil(none)
        assert.is_string(err.fields["storage.postgres_read_only.port"])
        read_only.host = ""
        assert.is_nil(assert(resolve({}, nil, { config_file = path })).replica)
      end)
    end)
  end)

  it("a TOML file without a TOML rock is said to need one", function()
    package.preload.toml = function() error "none" end
    package.preload.tinytoml = package.preload.toml
    with_file("x = 1", function(path)
      local none, err = resolve({}, nil, { config_file = path })
      assert.is_nil(none)
      assert.equal("unsupported", err.code)
      assert.is_string(err.hint)
    end)
    package.preload.toml, package.preload.tinytoml = nil, nil
  end)
end)

describe("values", function()
  it("reads Go durations and seconds", function()
    assert.equal(300, values.seconds "5m")
    assert.equal(5400, values.seconds "1h30m")
    assert.equal(0.25, values.seconds "250ms")
    assert.equal(90, values.seconds "90")
    assert.equal(1.5, values.seconds(1.5))
    for _, bad in ipairs { "", "m", "5x", "5m3", "-1" } do assert.is_nil(values.seconds(bad), bad) end
  end)
end)

describe("explain", function()
  it("names each setting and its source, and hides secrets", function()
    local cfg = assert(resolve { DB_HOST = "h", DB_PASSWORD = "hunter2", DB_NAME = "d" })
    local rows = {}
    for _, row in ipairs(config.explain(cfg)) do rows[row.name] = row end
    assert.equal("h", rows.host.value)
    assert.equal("DB_HOST", rows.host.source)
    assert.equal("********", rows.password.value)
    assert.equal("25", rows["pool.max"].value)
    assert.equal("default", rows["pool.max"].source)
    for _, row in pairs(rows) do assert.is_nil(row.value:find("hunter2", 1, true)) end
  end)
end)
