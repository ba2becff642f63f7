--- For tests: of users' programs (rolled back, frozen in time, with rows made for them) and of families (the generic contract).

local core = require "larder.core"
local cases = require "larder.testing.cases"
local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local rows = require "larder.testing.rows"

local testing = {}

local UNDONE = "larder.testing: the test is over"

-- A view passes for its database.
local function is_database(v) return type(v) == "table" and v._engine ~= nil and v.transaction ~= nil end

local function check_database(method, db, or_function)
  if is_database(db) then return db end
  return misuse.raise("larder.testing.%s needs a database%s, not %s", method, or_function or "", misuse.kind(db))
end

-- A database, or a function that gives one when the test runs.
local function check_open(method, open)
  if type(open) ~= "function" then check_database(method, open, ", or a function that gives one") end
end

local function database(method, open)
  return check_database(method, type(open) == "function" and open() or open, ", or a function that gives one")
end

--- An `it` whose tests leave nothing behind: each runs in a transaction that is rolled back. What the test commits itself
-- (a transaction inside it) is undone, too; what it does outside of the coroutine, by insert_async or by another handle, is not.
---@param it fun(name: string, fn: function)  of busted, or of a runner like it
---@param open larder.Db|fun(): larder.Db  the database, or a function that gives it when a test runs
---@return fun(name: string, fn: fun(tx: larder.Tx)) it
function testing.rolled_back(it, open)
  if not misuse.callable(it) then
    misuse.raise("larder.testing.rolled_back needs the `it` of a test runner, not %s", misuse.kind(it))
  end
  check_open("rolled_back", open)
  return function(name, fn)
    return it(name, function()
      local db = database("rolled_back", open)
      local passed, why = false, nil
      local _, err = db:transaction(function(tx)
        passed, why = xpcall(fn, function(raised) return { raised, debug.traceback("", 2) } end, tx)
        return nil, UNDONE
      end)
      if not passed and why == nil then error(err, 0) end -- the transaction could not begin
      if not passed then error(type(why[1]) == "string" and why[1] .. why[2] or why[1], 0) end
    end)
  end
end

---@class larder.Frozen
---@field db larder.Db
local Frozen = {}
Frozen.__index = Frozen

--- Let the clock of a database stand still, for defaults, stamps and `db:now()`, and ids that are made count from 1:
-- `00000000-0000-4000-8000-000000000001`. The ids are those of the whole process.
---@param db larder.Db
---@param time? string|number  where it stands; by default 2026-01-01T00:00:00Z
---@return larder.Frozen frozen  `advance(seconds)` moves the clock, `thaw()` ends it
function testing.freeze(db, time)
  check_database("freeze", db)
  local at = core.time_parse(time or "2026-01-01T00:00:00Z")
  if not at then misuse.raise "larder.testing.freeze: the time is not one" end
  local frozen = setmetatable({ db = db, at = at }, Frozen)
  db:set_clock(function() return frozen.at end)
  core.ids_from(1)
  return frozen
end

--- Move the clock.
---@param seconds number
---@return string now
function Frozen:advance(seconds)
  if type(seconds) ~= "number" then misuse.raise("frozen:advance needs a number of seconds, not %s", misuse.kind(seconds)) end
  self.at = self.at + math.floor(seconds * 1000000 + 0.5)
  return self.db:now()
end

--- The system's clock again, and ids by chance.
function Frozen:thaw()
  self.db:set_clock(nil)
  core.ids_from(0)
end

misuse.guard(Frozen, { "advance", "thaw" }, "at", "a frozen clock")
misuse.spelled(Frozen, "a frozen clock")

---@class larder.Factory
local Factory = {}
Factory.__index = Factory

--- Rows for tests, made from the declarations: what a test does not name has a value that fits, another one each time; rows that
-- must be referred to are made, too.
---@param db larder.Db
---@param family string
---@return larder.Factory
function testing.factory(db, family)
  check_database("factory", db)
  local order = db:_family(family, "larder.testing.factory").stores
  return setmetatable({ rows = rows.new(db, family), set = db:stores(family), family = family, db = db, order = order }, Factory)
end

-- A store that is not there raises by itself.
local function checked(self, method, store, given)
  if type(store) ~= "string" then misuse.raise("factory:%s: a store is named by a text, not %s", method, misuse.kind(store)) end
  if given ~= nil then misuse.check_shape(given, "record", ("factory:%s: the fields"):format(method)) end
  return self.set[store]
end

--- A row that could be created, with the given fields.
---@param store string
---@param given? table
---@return table row
function Factory:make(store, given)
  checked(self, "make", store, given)
  return self.rows:make(store, given)
end

--- Create one by the store's `create`; raises when that fails.
---@param store string
---@param given? table
---@return table row  as stored
function Factory:create(store, given)
  local set = checked(self, "create", store, given)
  return (errors.must(set:create(self.rows:make(store, given))))
end

--- Create the rows of `{ store = { rows } }`, all or none, parents before children.
---@param fixtures table<string, table[]>
---@return table<string, table[]> rows  as stored, in the order given
function Factory:load(fixtures)
  misuse.check_shape(fixtures, "record", "factory:load: the table of fixtures")
  for store, list in pairs(fixtures) do
    checked(self, "load", store)
    misuse.check_shape(list, "list", ("factory:load: the rows of %s"):format(store))
  end
  local made = {}
  errors.must(self.db:transaction(function()
    for _, store in ipairs(self.order) do
      made[store] = {}
      for i, given in ipairs(fixtures[store] or {}) do made[store][i] = self:create(store, given) end
    end
  end))
  return made
end

misuse.guard(Factory, { "make", "create", "load" }, "rows", "a factory")
misuse.spelled(Factory, "a factory")

local function register(family, ready, runner)
  local stores = require("larder.family").get(family).stores
  for _, store in ipairs(stores) do
    runner.describe(family .. "." .. store, function()
      for _, case in ipairs(cases.names()) do
        runner.it(case, function()
          local db, maker = ready()
          cases.run(db, family, store, case, maker)
        end)
      end
    end)
  end
end

local function check_runner(runner)
  if runner == nil then return end
  misuse.check_shape(runner, "record", "larder.testing.conformance: the runner")
  for _, name in ipairs { "describe", "it" } do
    if not misuse.callable(runner[name]) then
      misuse.raise("larder.testing.conformance: the runner needs a function %s, not %s", name, misuse.kind(runner[name]))
    end
  end
end

---@class larder.ConformanceReport
---@field passed integer
---@field failed string[]  one message for each case that failed

--- Run the generic contract on every store of a family: keys, uniques, references, required fields, pages, changes, deletes,
-- transactions and includes. Rows are made from the declaration, and everything is written in transactions that are rolled back, so the
-- database may hold rows of its own. A method that a store defines itself is left out.
--
-- With the describe and it of a test runner each case becomes a test of its own, and nothing is returned.
---@param family string    declared, and its tables migrated
---@param open larder.Db|fun(): larder.Db  the database, or a function that gives it when the tests run
---@param runner? { describe: function, it: function }
---@return larder.ConformanceReport|nil
function testing.conformance(family, open, runner)
  require("larder.family").get(family, "larder.testing.conformance")
  check_open("conformance", open)
  check_runner(runner)
  local db, maker
  local function ready()
    if not db then
      db = database("conformance", open)
      maker = rows.new(db, family)
    end
    return db, maker
  end
  if runner then return register(family, ready, runner) end
  local report = { passed = 0, failed = {} }
  ready()
  for _, store in ipairs(db:_family(family).stores) do
    for _, case in ipairs(cases.names()) do
      local ok, err = pcall(cases.run, db, family, store, case, maker)
      if ok then report.passed = report.passed + 1 else report.failed[#report.failed + 1] = err end
    end
  end
  return report
end

return testing
