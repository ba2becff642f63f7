-- The family as a whole: a station's life, moving, migrations.

local lfs = require "lfs"
local core = require "larder.core"
local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local family = require "larder.families.csms"

local TIME = "2026-01-01T00:00:00Z"

for _, engine in ipairs(engines) do
  describe("the family csms on " .. engine.name, function()
    local db, csms

    before_each(function()
      db = engine.fresh "csms"
      csms = db:stores "csms"
    end)

    teardown(engine.done)

    --- Something in every store of commands and of what stations said.
    local function fill_stations(stores, s)
      for name, record in pairs {
        data_transfers = { vendor_id = "V", data = "d" }, clear_caches = {},
        change_availabilities = { type = "Operative" }, certificate_queries = { send_after = TIME },
        certificate_deletions = {
          hash_algorithm = "SHA256", issuer_name_hash = "a", issuer_key_hash = "b", serial_number = "1",
        },
        remote_start_transaction_requests = { id_tag = "T" },
        remote_stop_transaction_requests = { transaction_id = "1" },
        firmware_update_requests = { location = "l", retries = 1 }, diagnostics_requests = { location = "l" },
        log_requests = { log_type = "SecurityLog", request_id = 1, remote_location = "l" },
        reset_requests = { type = "Hard" }, unlock_connector_requests = { connector_id = 1 },
        firmware_update_statuses = { status = "Idle" }, diagnostics_statuses = { status = "Idle" },
        publish_firmware_statuses = { status = "Idle" }, log_statuses = { status = "Idle" },
      } do
        assert(stores[name]:set(s, record))
      end
      assert(stores.connector_statuses:set(s, 1, { status = "Available" }))
      assert(stores.station_statuses:heartbeat(s, TIME))
    end

    --- Something in every other store that came second.
    local function fill_control(stores, s)
      assert(stores.charging_profiles:set(s, {
        charging_profile_id = 1, purpose = "TxProfile", kind = "Relative", schedule = { rate_unit = "A", periods = {} },
      }))
      assert(stores.local_lists:update(s, 3, "Full", { { id_tag = "T", info = { status = "Accepted" } } }))
      assert(stores.reservations:create(s, {
        reservation_id = 1, connector_id = 1, id_tag = "T", expiry_date = "2999-01-01T00:00:00Z",
      }))
      assert(stores.meter_values:store(s, 1, "t", { rows.meter_value(TIME, 1.25), rows.meter_value(TIME, 2) }))
      assert(stores.display_messages:set(s, {
        id = 1, priority = "InFront", message = { content = "c", format = "ASCII" },
      }))
      assert(stores.variable_monitoring:set(s, {
        component_name = "c", variable_name = "v", monitor_type = "Delta", value = 0.1, severity = 1,
      }))
      assert(stores.station_events:add(s, { timestamp = TIME, event_type = "e" }))
      assert(stores.device_reports:add(s, { request_id = 1, generated_at = TIME, report_data = { larder.null } }))
    end

    --- Something in every store.
    local function fill(stores)
      for i = 1, 3 do
        local s = rows.station(i)
        assert(stores.auth:set(s, { security_profile = 1, base64_sha256_password = "pw" }))
        assert(stores.runtime_details:set(s, { ocpp_version = "2.0.1" }))
        assert(stores.settings:update(s, {
          HeartbeatInterval = { value = "10", status = "Pending", send_after = TIME },
          Empty = { value = "" },
        }))
        assert(stores.install_certificates:update(s, { rows.certificate "z", rows.certificate "a" }))
        assert(stores.trigger_messages:set(s, { trigger_message = "BootNotification", connector_id = 1 }))
        assert(stores.tokens:set(rows.token("T" .. i)))
        assert(stores.transactions:create(s, "t", "T" .. i, "RFID", { rows.meter_value(TIME, 4294967296.25) }, 0))
        assert(stores.transactions:update_cost(s, "t", "1.5"))
        assert(stores.locations:set(rows.location("l" .. i, { evses = i == 1 and {} or nil })))
        assert(stores.ocpi:set_registration("r" .. i, { status = "pending" }))
        fill_stations(stores, s)
        fill_control(stores, s)
        assert(stores.ocpi:set_party { role = "CPO", country_code = "GB", party_id = "P" .. i, url = "u", token = "t" })
      end
      assert(stores.certificates:set(rows.certificates[1].pem))
    end

    it("MV-G1 follows a station from its credentials to its token", function()
      local s = "cs001"
      assert(csms.auth:set(s, { security_profile = 1, base64_sha256_password = "DEADBEEF" }))
      assert(csms.runtime_details:set(s, { ocpp_version = "2.0.1" }))
      assert(csms.settings:update(s, { HeartbeatInterval = { value = "10" }, Other = { value = "x" } }))
      assert(csms.install_certificates:update(s, { rows.certificate "c1" }))
      assert(csms.trigger_messages:set(s, { trigger_message = "BootNotification" }))
      assert(csms.tokens:set(rows.token "TOKEN"))
      assert.equal(1, assert(csms.auth:lookup(s)).security_profile)
      assert.equal("2.0.1", assert(csms.runtime_details:lookup(s)).ocpp_version)
      assert.equal("10", assert(csms.settings:lookup(s)).settings.HeartbeatInterval.value)
      assert.equal(1, #assert(csms.install_certificates:lookup(s)).certificates)
      assert.equal("BootNotification", assert(csms.trigger_messages:lookup(s)).trigger_message)
      assert.equal("ALWAYS", assert(csms.tokens:lookup "TOKEN").cache_mode)
    end)

    it("MV-G3 is healthy", function()
      assert.is_true(assert(db:health()).ok)
    end)

    it("moves as it is, every store and every value", function()
      local memory = assert(larder.open "memory:")
      local from = memory:stores "csms"
      fill(from)
      local report = assert(larder.transfer(memory, db, { families = { "csms" }, verify = true }))
      assert.is_true(report.verified)
      assert.equal(0, #report.refused)
      for _, entity in ipairs(family.entities) do
        local here, there = {}, {}
        for row in from[entity.name]:each {} do here[#here + 1] = row end
        for row in csms[entity.name]:each {} do there[#there + 1] = row end
        assert.is_true(#here > 0, entity.name .. " was left out")
        assert.same(here, there)
      end
      assert.same({ "z", "a" },
        rows.column("certificate_id", assert(csms.install_certificates:lookup "cs002").certificates))
      -- numbers that the engine gives out go on behind those that came along
      assert(csms.meter_values:store("cs001", 1, nil, { rows.meter_value(TIME, 9) }))
      assert.equal(9, assert(csms.meter_values:get("cs001", 1, 1))[1].meter_value.sampled_values[1].value)
      assert.equal(2, assert(csms.variable_monitoring:set("cs001", {
        component_name = "c", variable_name = "v", monitor_type = "Delta", value = 0.1, severity = 1,
      })).id)
      memory:close()
    end)

    it("knows no store that is not there", function()
      assert.has_error(function() return csms.stations end)
    end)
  end)
end

local url = os.getenv "LARDER_TEST_URL"
local missing = require("spec.support.need").server()
if missing then return describe("migrating csms", function() pending(missing) end) end

local migrate = require "larder.migrate"
local check = require "larder.migrate.check"

describe("migrating csms", function()
  local db

  local function tables()
    return assert(db:query "select count(*) as n from pg_tables where schemaname = 'csms'")[1].n
  end

  before_each(function()
    engines[2].fresh "csms"
    db = assert(larder.open(url))
  end)

  after_each(function()
    db:close()
    engines[2].done()
  end)

  it("MV-G5 goes up, down one by one until nothing is left, and up again", function()
    assert.same({}, assert(db:migrate "csms"))
    assert.equal(#family.entities, tables())
    local version = #assert(migrate.status(db, "csms"))
    while version > 0 do
      local before = tables()
      assert.equal(1, #assert(migrate.down(db, "csms", { steps = 1 })))
      assert.is_true(tables() < before)
      local applied = 0
      for _, row in ipairs(assert(migrate.status(db, "csms"))) do
        if row.state == "applied" then applied = applied + 1 end
      end
      version = version - 1
      assert.equal(version, applied)
    end
    assert.equal(0, tables())
    assert.equal(0, assert(db:query "select count(*) as n from pg_namespace where nspname = 'csms'")[1].n)
    assert(db:migrate "csms")
    assert.equal(#family.entities, tables())
    assert.same({}, assert(check(db, "csms")))
  end)

  it("MV-G6 is refused while a version is unfinished, until force says what is true", function()
    local dir = os.tmpname()
    os.remove(dir)
    assert(lfs.mkdir(dir))
    local function write(name, text)
      local f = assert(io.open(dir .. "/" .. name, "wb"))
      f:write(text)
      f:close()
    end
    for name in lfs.dir "sql/csms" do
      if name:find "%.sql$" then
        local f = assert(io.open("sql/csms/" .. name, "rb"))
        write(name, f:read "*a")
        f:close()
      end
    end
    write("000099_broken.up.sql", "-- larder: no-transaction\nselect 1/0;\n")
    write("000099_broken.down.sql", "-- larder: no-transaction\nselect 1;\n")
    local opts = { dir = dir }
    local _, err = migrate.up(db, "csms", opts)
    assert.equal("22012", err.sqlstate)
    for _ = 1, 2 do
      _, err = migrate.up(db, "csms", opts)
      assert.equal("dirty", err.code)
    end
    assert(migrate.force(db, "csms", 99, opts))
    assert.same({}, assert(migrate.up(db, "csms", opts)))
    assert(migrate.force(db, "csms", 98, opts))
    for name in lfs.dir(dir) do os.remove(dir .. "/" .. name) end
    lfs.rmdir(dir)
    assert.same({}, assert(db:migrate "csms"))
  end)

  it("keeps the station in every key of a table that has it", function()
    local keys = assert(db:query [[
      select i.indrelid::regclass::text as name
      from pg_index i
      join pg_attribute s on s.attrelid = i.indrelid and s.attname = 'charge_station_id'
      where i.indisunique and not s.attnum = any (i.indkey::int2[])]])
    assert.same({}, keys)
    local references = assert(db:query
      "select conname as name from pg_constraint where contype = 'f' and connamespace = 'csms'::regnamespace")
    assert.same({}, references)
  end)

  it("serves pages by station from an index", function()
    assert(db:query [[
      insert into csms.charge_station_settings (charge_station_id)
      select 'cs' || i from generate_series(1, 3000) i]])
    assert(db:query "analyze csms.charge_station_settings")
    local plan = assert(db:query [[
      explain select t.* from csms.charge_station_settings as t
      where t.charge_station_id collate "C" > 'cs1' order by t.charge_station_id collate "C" limit 50]])
    local text = {}
    for i, row in ipairs(plan) do text[i] = row["QUERY PLAN"] end
    assert.matches("charge_station_settings_page_idx", table.concat(text, "\n"))
  end)
end)

local data, control, tcp = os.getenv "LARDER_TEST_PGDATA", require("spec.support.pgctl").run, os.getenv "LARDER_TEST_TCP_URL"
missing = require("spec.support.need").own_server()
if missing then return describe("a password", function() pending(missing) end) end

describe("a password", function()
  local PASSWORD = [[p@ss:/ wo'rd\%41?&]]
  local hba, before = data .. "/pg_hba.conf", nil

  local function write(text)
    local f = assert(io.open(hba, "wb"))
    f:write(text)
    f:close()
    control "reload"
  end

  setup(function()
    local f = assert(io.open(hba, "rb"))
    before = f:read "*a"
    f:close()
    write("host all csms_spec 127.0.0.1/32 scram-sha-256\n" .. before)
    local db = assert(larder.open(url))
    assert(db:query "drop role if exists csms_spec")
    assert(db:query "drop schema if exists csms cascade")
    assert(db:query(("create role csms_spec superuser login password '%s'"):format((PASSWORD:gsub("'", "''")))))
    db:close()
  end)

  teardown(function()
    write(before)
    local db = assert(larder.open(url))
    assert(db:query "drop schema csms cascade")
    assert(db:query "delete from larder.schema_migrations where family = 'csms'")
    assert(db:query "drop owned by csms_spec")
    assert(db:query "drop role csms_spec")
    db:close()
  end)

  it("MV-G10 may hold any character, for the pool and for migrations, as settings and in a URI", function()
    local place = assert(core.parse_conninfo(tcp))
    local settings = {
      host = place.host, port = place.port, dbname = place.dbname, user = "csms_spec", password = PASSWORD,
    }
    local encoded = PASSWORD:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end)
    local uri = ("postgresql://csms_spec:%s@%s:%s/%s"):format(encoded, place.host, place.port, place.dbname)
    local variables = {
      STORAGE_TYPE = "postgres", STORAGE_POSTGRES_HOST = place.host, STORAGE_POSTGRES_PORT = place.port,
      STORAGE_POSTGRES_DATABASE = place.dbname, STORAGE_POSTGRES_USER = "csms_spec",
      STORAGE_POSTGRES_PASSWORD = PASSWORD,
    }
    local db = assert(larder.open(nil, { getenv = function(name) return variables[name] end, migrations = uri }))
    if db:query "select from larder.schema_migrations limit 0" then
      assert(db:query "delete from larder.schema_migrations where family = 'csms'")
    end
    assert(db:migrate "csms")
    assert(db:stores("csms").auth:set("cs001", {}))
    db:close()
    for _, target in ipairs { settings, uri } do
      db = assert(larder.open(target))
      assert.equal("cs001", assert(db:stores("csms").auth:lookup "cs001").charge_station_id)
      db:close()
    end
    variables.STORAGE_POSTGRES_RUN_MIGRATIONS = "true"
    db = assert(larder.open(url))
    assert(require("larder.migrate").down(db, "csms", { to = 0 }))
    db:close()
    db = assert(require("larder.families.csms.storage").open { getenv = function(name) return variables[name] end })
    assert(db:stores("csms").auth:set("cs002", {}))
    db:close()
    variables.STORAGE_POSTGRES_MIGRATIONS_PATH = "file:///nowhere"
    assert.is_nil((require("larder.families.csms.storage").open { getenv = function(name) return variables[name] end }))
    settings.password = PASSWORD .. "x"
    local none, err = larder.open(settings)
    assert.is_nil(none)
    assert.is_nil(tostring(err):find("wo'rd", 1, true))
  end)
end)
