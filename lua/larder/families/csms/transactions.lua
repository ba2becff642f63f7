--- Charging transactions. A station's events come in any order, and again: each of create, update, finish and
-- update_cost is one statement that makes the row or adds to it, so nothing is read before it is written and
-- concurrent events lose nothing. The key is station and transaction: an id may come again on another station.

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local options = require "larder.base.options"
local read = require "larder.store.read".methods
local support = require "larder.store.support"
local write = require "larder.store.write".methods
local fields = require "larder.families.csms.fields"
local meter = require "larder.families.csms.meter"
local records = require "larder.families.csms.records"

local transactions = {}

local COST_KEY = { "charge_station_id", "transaction_id", "cost" }
local NEWEST_FIRST = { "-started_at", "transaction_id" }
local STATION_OPTIONS = options.set { status = "any", from = "any", to = "any", limit = "any", offset = "any" }

-- ---- events ----

local APPENDED = expr.append(expr.excluded)

-- What an event changes of a transaction that is there.
local ON_CREATE = {
  id_token = expr.excluded, token_type = expr.excluded, start_seq_no = expr.excluded, offline = expr.excluded,
  meter_values = APPENDED,
}
-- The first value of the beginning tells when it began better than what came before it by accident.
local ON_CREATE_WITH_VALUES = {
  id_token = expr.excluded, token_type = expr.excluded, start_seq_no = expr.excluded, offline = expr.excluded,
  meter_values = APPENDED, started_at = expr.excluded,
}
local ON_UPDATE = { meter_values = APPENDED, updated_seq_no_count = expr.increment(1) }
-- Token and counter are those of the events before.
local ON_FINISH = { meter_values = APPENDED, ended_seq_no = expr.excluded, ended_at = expr.excluded }
local ON_COST = { last_cost = expr.excluded }

local function put(self, method, row, set)
  local n, err = self:run({ op = "insert", row = row, on_conflict = "update", set = set }, method)
  if not n then return nil, err end
  return true
end

--- A row of what an event brings, which is what is stored when it is the first one.
local function event(self, method, s, tx, meter_values)
  local values, err = meter.checked(self, method, meter_values)
  if not values then return nil, err end
  return {
    charge_station_id = s, transaction_id = tx, meter_values = values,
    started_at = meter.time(values[1]) or self.db:now(),
  }
end

--- The transaction begins. When an update or the end came first: token, start and offline are set, the meter
-- values added behind.
---@param s string  charge station
---@param tx string  transaction
---@param id_token string
---@param token_type string
---@param meter_values larder.csms.MeterValue[]|nil
---@param seq_no integer
---@param offline? boolean
---@return true|nil
---@return larder.Error? err
transactions.create = records.either(write.create,
  function(self, s, tx, id_token, token_type, meter_values, seq_no, offline)
    records.need(self, "create", self._entity.key, 2, s, tx)
    local row, err = event(self, "create", s, tx, meter_values)
    if not row then return nil, err end
    row.id_token, row.token_type, row.start_seq_no = id_token, token_type, seq_no
    row.offline = offline or false
    return put(self, "create", row, #row.meter_values > 0 and ON_CREATE_WITH_VALUES or ON_CREATE)
  end)

--- The transaction goes on: meter values are added, the counter grows by one. A transaction that is not known
-- yet is made.
---@param s string
---@param tx string
---@param meter_values larder.csms.MeterValue[]|nil
---@return true|nil
---@return larder.Error? err
transactions.update = records.either(write.update, function(self, s, tx, meter_values)
  records.need(self, "update", self._entity.key, 2, s, tx)
  local row, err = event(self, "update", s, tx, meter_values)
  if not row then return nil, err end
  row.updated_seq_no_count = 1
  return put(self, "update", row, ON_UPDATE)
end)

--- The transaction ends: meter values are added, ended_seq_no is set. The token counts only when the
-- transaction is not known yet.
---@param s string
---@param tx string
---@param id_token? string
---@param token_type? string
---@param meter_values larder.csms.MeterValue[]|nil
---@param seq_no integer
---@return true|nil
---@return larder.Error? err
function transactions:finish(s, tx, id_token, token_type, meter_values, seq_no)
  records.need(self, "finish", self._entity.key, 2, s, tx)
  if seq_no == nil or seq_no == core.null then
    return errors.invalid({ ended_seq_no = "is required" }, nil, { store = self.name, op = "finish" })
  end
  local row, err = event(self, "finish", s, tx, meter_values)
  if not row then return nil, err end
  row.id_token, row.token_type, row.ended_seq_no = id_token, token_type, seq_no
  row.ended_at = meter.time(row.meter_values[#row.meter_values]) or self.db:now()
  return put(self, "finish", row, ON_FINISH)
end

--- What the transaction costs by now. One that is not known yet is made.
---@param s string
---@param tx string
---@param cost number|string  kept with four decimal places
---@return true|nil
---@return larder.Error? err
function transactions:update_cost(s, tx, cost)
  records.need(self, "update_cost", COST_KEY, 3, s, tx, cost)
  local row = {
    charge_station_id = s, transaction_id = tx, last_cost = cost, started_at = self.db:now(),
  }
  return put(self, "update_cost", row, ON_COST)
end

-- ---- reading ----

--- The transaction, or nil.
---@param s string
---@param tx string
---@return larder.csms.Transaction|nil
---@return larder.Error? err
transactions.find = records.either(read.find, function(self, s, tx)
  return records.lookup(self, s, tx)
end)

--- The newest transaction of the station that has not ended, or nil.
---@param s string
---@return larder.csms.Transaction|nil
---@return larder.Error? err
function transactions:find_active(s)
  records.need(self, "find_active", self._entity.key, 1, s)
  local rows, err = self:run({
    op = "select", where = { charge_station_id = s, ended_seq_no = core.null }, order = NEWEST_FIRST, limit = 1,
  }, "find_active")
  if not rows then return nil, err end
  return rows[1]
end

--- All transactions, by station and id. With options the generic list: a page.
---@param opts? larder.ListOptions
---@return larder.csms.Transaction[]|nil
---@return larder.ListAnswer|nil info
function transactions:list(opts)
  if opts ~= nil then return read.list(self, opts) end
  return self:_all("list", nil, self._entity.key)
end

local STATUS = {
  [""] = {},
  all = {},
  active = { ended_seq_no = core.null },
  completed = { ended_seq_no = { is_null = false } },
}

--- A page of a station's transactions, latest start first, and how many there are in all pages.
---@param s string
---@param opts? { status?: ""|"all"|"active"|"completed", from?: string|number, to?: string|number, limit?: integer, offset?: integer }
-- from and to: bounds of the start, both inclusive. limit: 20 by default.
---@return larder.csms.Transaction[]|nil rows
---@return integer|larder.Error total
function transactions:list_for_station(s, opts)
  records.need(self, "list_for_station", self._entity.key, 1, s)
  opts = support.options(self, "list_for_station", opts, STATION_OPTIONS)
  local status = STATUS[opts.status or "all"]
  if not status then
    return errors.invalid({ status = "must be all, active or completed" }, nil, { store = self.name })
  end
  local where = {
    charge_station_id = s, started_at = records.between(opts.from, opts.to), ended_seq_no = status.ended_seq_no,
  }
  return records.page_and_total(self, "list_for_station", where, NEWEST_FIRST, opts.offset, opts.limit)
end

local store = {
  name = "transactions",
  table = "csms.transactions",
  fields = {
    fields.STATION,
    fields.text("transaction_id", 36),
    fields.maybe_text("id_token", 36),
    fields.maybe_text("token_type", 50),
    fields.json("meter_values", { default = setmetatable({}, core.array_mt) }),
    fields.int("start_seq_no", { default = 0 }),
    fields.maybe_int "ended_seq_no",
    fields.int("updated_seq_no_count", { default = 0 }),
    fields.flag("offline", false),
    { name = "last_cost", type = "numeric", precision = 12, scale = 4, null = true },
    { name = "started_at", type = "timestamptz", default = { "now" } },
    fields.maybe_time "ended_at",
    fields.CREATED,
    fields.UPDATED,
  },
  key = { name = "transactions_pkey", "charge_station_id", "transaction_id" },
  indexes = { { "charge_station_id", "-started_at", "transaction_id" } },
  tenant = "charge_station_id",
  methods = transactions,
}

return { store }
