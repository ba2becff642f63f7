--- Tests for families: the generic contract, run on any family and engine.

local cases = require "larder.testing.cases"
local rows = require "larder.testing.rows"

local testing = {}

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
  local db, maker
  local function ready()
    if not db then
      db = type(open) == "function" and open() or open
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
