-- A read replica. Here it is another database of the same server that never hears of the primary's rows, so each read
-- tells where it went.

local larder = require "larder"
local core = require "larder.core"
local engines = require "spec.support.engines"
local loops = require "spec.support.loops"
local must = require "spec.support.must"
local rows = require "spec.support.csms"
local unpack = require("larder.base.compat").unpack

local missing = require("spec.support.need").server()
if missing then return describe("a read replica", function() pending(missing) end) end
local url = os.getenv "LARDER_TEST_URL"

local TIME = "2026-01-01T00:00:00Z"

describe("a read replica", function()
  local target, db, csms, lone

  setup(function()
    engines[2].fresh "csms"
    target = assert(core.parse_conninfo(url))
    target.dbname = "larder_replica"
    local admin = assert(larder.open(url))
    assert(admin:query "drop database if exists larder_replica")
    assert(admin:query "create database larder_replica")
    admin:close()
    lone = assert(larder.open(target))
    assert(lone:migrate "csms")
    assert(lone:stores("csms").auth:set("there", { security_profile = 2 }))
    lone:close()
  end)

  before_each(function()
    engines[2].fresh "csms"
    db = assert(larder.open(url, { replica = target }))
    csms = db:stores "csms"
  end)

  after_each(function() db:close() end)

  teardown(function()
    local admin = assert(larder.open(url))
    assert(admin:query "drop database if exists larder_replica")
    admin:close()
    engines[2].done()
  end)

  it("MV-G4 is what stores read from, while they write to the primary", function()
    assert(csms.auth:set("here", { security_profile = 1 }))
    assert.is_nil((csms.auth:lookup "here"))
    assert.equal(2, assert(csms.auth:lookup "there").security_profile)
    assert.is_true(csms.auth:exists "there")
    assert.equal(1, csms.auth:count())
    assert.same({ "there" }, rows.column("charge_station_id", csms.auth:list {}))
    for row in csms.auth:each() do assert.equal("there", row.charge_station_id) end
    local ids = assert(db:query "select charge_station_id as id from csms.charge_stations")
    assert.same({ { id = "here" } }, ids)
  end)

  it("MV-G4 is not asked in a transaction, nor for rows to lock", function()
    assert(csms.auth:set("here", { security_profile = 1 }))
    assert(db:transaction(function()
      assert.equal(1, assert(csms.auth:lookup "here").security_profile)
      assert.is_nil((csms.auth:lookup "there"))
      assert.equal("here", assert(csms.auth:get("here", { lock = "update" })).charge_station_id)
      return true
    end))
  end)

  it("MV-G4 never decides a write: events of a transaction see what was written before", function()
    local transactions = csms.transactions
    assert(transactions:create("cs001", "t", "T", "RFID", { rows.meter_value(TIME, 1) }, 0))
    assert(transactions:update("cs001", "t", { rows.meter_value(TIME, 2) }))
    assert(transactions:update("cs001", "t", { rows.meter_value(TIME, 3) }))
    assert(transactions:finish("cs001", "t", nil, nil, { rows.meter_value(TIME, 4) }, 3))
    assert(db:transaction(function()
      local tx = assert(transactions:find("cs001", "t"))
      assert.same({ 4, 2, 3, "T" }, { #tx.meter_values, tx.updated_seq_no_count, tx.ended_seq_no, tx.id_token })
      return true
    end))
  end)

  it("MV-G4 must be there when the database is opened", function()
    local gone = {}
    for name, value in pairs(target) do gone[name] = value end
    gone.dbname = "larder_gone"
    local none, err = larder.open(url, { replica = gone })
    assert.is_nil(none)
    assert.is_truthy(err.code)
    assert.equal("this is the read replica", err.hint)
    none, err = larder.open("memory:", { replica = target })
    assert.is_nil(none)
    assert.same({ "invalid", "replica" }, rows.fault(err))
    none, err = larder.open(url, { replica = "memory:" })
    assert.is_nil(none)
    assert.same({ "invalid", "replica" }, rows.fault(err))
  end)

  it("MV-G3 is part of the database's health, and closes with it", function()
    local health = assert(db:health())
    assert.is_true(health.replica.ok)
    local replica = db._replica
    db:close()
    assert.is_nil((replica:health()))
    assert.equal("closed", select(2, db:health()).code)
  end)

  it("is waited for in the program's event loop", function()
    local loop = loops.cqueues or loops.manual
    local opts = { replica = target }
    for name, value in pairs(loop.options) do opts[name] = value end
    local own = assert(larder.open(url, opts))
    local stores, found = own:stores "csms", 0
    local fns = {}
    for i = 1, 16 do
      fns[i] = function()
        must(stores.auth:set("s" .. i, { security_profile = 1 }))
        if must(stores.auth:lookup "there").security_profile == 2 then found = found + 1 end
      end
    end
    loop.run(own, unpack(fns))
    assert.equal(16, found)
    own:close()
  end)

  it("is heard by who listens to the database", function()
    local ops = {}
    db:on("query", function(event) ops[#ops + 1] = event.op end)
    assert(csms.auth:lookup "there")
    assert(csms.auth:set("here", {}))
    assert.same({ "get", "set" }, ops)
  end)
end)
