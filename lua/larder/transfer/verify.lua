--- After a load: is in the target what was in the source?

local core = require "larder.core"
local errors = require "larder.base.errors"
local expr = require "larder.base.expr"
local source = require "larder.transfer.source"

local verify = {}

local function sum_of(reader, chunk)
  local sum = core.checksum()
  while true do
    local batch, err = reader.next(chunk)
    if not batch then
      reader.close()
      if err then return nil, err end
      return sum
    end
    sum:add(batch)
  end
end

--- Sum of all rows of a store.
function verify.scan(db, family, store, chunk)
  local reader, err = source.scan(db:_cstore(family.name, store))
  if not reader then return nil, err end
  return sum_of(reader, chunk)
end

local function drift(family, store, what)
  return nil, errors.new { code = "drift", store = store,
    message = ("verification of %s.%s failed: %s"):format(family.name, store, what) }
end

--- The rows that were loaded, plus what was there before, must be what is there now.
local function verify_sums(load, before, after)
  local expected = core.checksum()
  expected:merge(before)
  expected:merge(load.sum)
  local want, want_rows = expected:value()
  local got, got_rows = after:value()
  if want_rows ~= got_rows then
    return drift(load.family, load.store, ("%d rows expected, %d found"):format(want_rows, got_rows))
  end
  if want ~= got then return drift(load.family, load.store, "the contents differ") end
  return true
end

local function key_of(row, fields)
  local key = {}
  for i, name in ipairs(fields) do key[i] = row[name] end
  return key
end

--- Are two values that came from rows the same? NaN is; what cannot be read is not.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b or a ~= a and b ~= b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Where rows are replaced, sums cannot tell: look each row up by its key.
function verify.rows(load, batch)
  local fields, columns = load.cstore:describe().key, load.cstore:fields()
  local keys, wanted = {}, {}
  for i = 1, batch:count() do
    wanted[i] = batch:row(i)
    keys[i] = key_of(wanted[i], fields)
  end
  local rows, err = load.cstore:run { op = "select", where = expr.keys(keys), columns = columns, plain = true, by_key = true }
  if not rows then return nil, err end
  for i = 1, #keys do
    if not rows[i] then return drift(load.family, load.store, "a row is missing") end
    if not same(rows[i], wanted[i]) then
      return drift(load.family, load.store, "a row differs from its source")
    end
  end
  return true
end

--- Rows that were left out because they exist leave no trace in a sum; their number must still add up.
local function verify_count(load, before, after)
  local _, had = before:value()
  local _, has = after:value()
  if has ~= had + load.written then
    return drift(load.family, load.store, ("%d rows expected, %d found"):format(had + load.written, has))
  end
  return true
end

---@param chunk integer
---@param load table    what was loaded
---@param before table  the sum that was there before
function verify.store(chunk, load, before)
  local after, err = verify.scan(load.db, load.family, load.store, chunk)
  if not after then return nil, err end
  local _, had = before:value()
  if load.makes_ids then return verify_count(load, before, after) end
  if load.on_conflict == "error" or (had == 0 and load.skipped == 0) then
    return verify_sums(load, before, after)
  elseif load.on_conflict == "skip" then
    return verify_count(load, before, after)
  end
  return true -- update: each batch was looked up as it was written
end

return verify
