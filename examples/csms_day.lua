--- A day of a charge station: it boots, is told its settings, charges two cars whose events arrive out of order, and is
-- asked for its figures at night.
--
--   lua examples/csms_day.lua                 in memory
--   lua examples/csms_day.lua postgres://…    on a database, whose schema it makes

local larder = require "larder"

local db = assert(larder.open(arg[1] or "memory:"))
assert(db:migrate "csms")
local csms = db:stores "csms"

local s = "cs-" .. larder.now() -- the station
local DAY = "2026-03-01T"

local function meter_value(time, wh)
  return { timestamp = DAY .. time, sampled_values = {
    { value = wh, measurand = "Energy.Active.Import.Register", unit_of_measure = { unit = "Wh" } },
  } }
end

-- ---- the evening before: what an operator enters ----

assert(csms.auth:set(s, { security_profile = 1, base64_sha256_password = "3q2+7w==" }))
assert(csms.settings:update(s, {
  HeartbeatInterval = { value = "300", status = "Pending" },
  AuthorizeRemote = { value = "true", status = "Pending" },
}))
assert(csms.trigger_messages:set(s, { trigger_message = "StatusNotification" }))
assert(csms.tokens:set {
  uid = "DEADBEEF", country_code = "GB", party_id = "TWK", type = "RFID", contract_id = "GBTWK012345678V",
  issuer = "Thoughtworks", cache_mode = "ALWAYS",
})
assert(csms.charging_profiles:set(s, {
  charging_profile_id = 1, connector_id = 0, purpose = "ChargePointMaxProfile", kind = "Absolute",
  schedule = { rate_unit = "W", periods = { { start_period = 0, limit = 22000 }, { start_period = 3600, limit = 11000 } } },
}))

-- ---- morning: the station boots ----

local auth = assert(csms.auth:lookup(s))
print(("profile %d, password %s"):format(auth.security_profile,
  auth.base64_sha256_password == "3q2+7w==" and "right" or "wrong"))
assert(csms.runtime_details:set(s, { ocpp_version = "2.0.1", vendor = "Acme", model = "Fast 22" }))
assert(csms.station_statuses:heartbeat(s, DAY .. "06:00:00Z"))
for connector = 1, 2 do assert(csms.connector_statuses:set(s, connector, { status = "Available" })) end

-- ---- a loop of the program's: send what is pending and due, write back that one setting alone ----

--- The station of this program answers at once.
local function ask_station(name)
  return name == "AuthorizeRemote" and "RebootRequired" or "Accepted"
end

local function send_settings(now)
  local sent, previous = 0, nil
  while true do
    local page = assert(csms.settings:list(50, previous))
    if #page == 0 then return sent end
    for _, record in ipairs(page) do
      for name, setting in pairs(record.settings) do
        local due = not setting.send_after or setting.send_after <= now
        if record.charge_station_id == s and setting.status == "Pending" and due then
          setting.status = ask_station(name)
          assert(csms.settings:update(s, { [name] = setting }))
          sent = sent + 1
        end
      end
    end
    previous = page[#page].charge_station_id
  end
end

print(("%d settings sent, then %d"):format(send_settings(db:now()), send_settings(db:now())))
print("AuthorizeRemote: " .. assert(csms.settings:lookup(s)).settings.AuthorizeRemote.status)

-- ---- noon: a reserved connector, and a transaction whose events come in the wrong order ----

assert(csms.reservations:create(s, {
  reservation_id = 1, connector_id = 1, id_tag = "DEADBEEF", expiry_date = "2999-01-01T00:00:00Z",
}))
local _, taken = csms.reservations:create(s, {
  reservation_id = 2, connector_id = 1, id_tag = "CAFE", expiry_date = "2999-01-01T00:00:00Z",
})
print("a second reservation: " .. taken.code)
local reservation = assert(csms.reservations:get_by_connector(s, 1))
assert(csms.reservations:update_status(s, reservation.reservation_id, "Occupied"))

local token = assert(csms.tokens:lookup "DEADBEEF")
local schedule = assert(csms.charging_profiles:composite_schedule(s, 1, 1800))
print(("up to %d %s"):format(schedule.periods[1].limit, schedule.rate_unit))

assert(csms.transactions:update(s, "tx1", { meter_value("12:10:00Z", 1500.5) }))
assert(csms.transactions:finish(s, "tx1", token.uid, token.type, { meter_value("12:20:00Z", 3000.75) }, 2))
local _, none = csms.transactions:find_active(s)
assert(none == nil)
assert(csms.transactions:create(s, "tx1", token.uid, token.type, { meter_value("13:00:00+01:00", 0) }, 0))
assert(csms.transactions:update_cost(s, "tx1", "1.35"))

local tx = assert(csms.transactions:find(s, "tx1"))
print(("%s by %s: %d values, %d update, ended by %d, cost %s"):format(tx.transaction_id, tx.id_token, #tx.meter_values,
  tx.updated_seq_no_count, tx.ended_seq_no, tx.last_cost))
print("begun " .. tx.started_at .. ", first sent " .. tx.meter_values[1].timestamp)

-- ---- afternoon: one that goes on ----

assert(csms.transactions:create(s, "tx2", token.uid, token.type, { meter_value("16:00:00Z", 3000.75) }, 0))
assert(csms.connector_statuses:set(s, 2, { status = "Charging", current_transaction_id = "tx2" }))
assert(csms.meter_values:store(s, 2, "tx2", { meter_value("16:15:00Z", 4000.125), meter_value("16:30:00Z", 5000.25) }))

-- ---- night: figures ----

local rows, total = csms.transactions:list_for_station(s, { status = "all", from = DAY .. "00:00:00Z", limit = 1 })
print(("%d transactions, the latest is %s"):format(total, rows[1].transaction_id))
print("charging: " .. assert(csms.transactions:find_active(s)).transaction_id)
local register = assert(csms.meter_values:get(s, 2, 1))[1].meter_value.sampled_values[1].value
print(("register of connector 2: %.3f Wh"):format(register))
for _, connector in ipairs(assert(csms.connector_statuses:list(s))) do
  print(("connector %d: %s"):format(connector.connector_id, connector.status))
end
db:close()
