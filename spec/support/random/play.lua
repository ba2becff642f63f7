-- Runs the same operations on both engines, compares what a caller can see, and finds the fewest that still differ.

local core = require "larder.core"
local larder = require "larder"
local rng = require "spec.support.random.rng"

local play = {
  ops = tonumber(os.getenv "LARDER_RANDOM_OPS") or 20000,
  check_every = tonumber(os.getenv "LARDER_RANDOM_CHECK") or 5000,
  seed = os.getenv "LARDER_RANDOM_SEED" == "time" and os.time() or tonumber(os.getenv "LARDER_RANDOM_SEED") or 20260101,
}

-- ---- one text for an outcome ----

local function printable(value)
  if type(value) == "string" then
    return (value:gsub("[%z\1-\31\128-\255]", function(c) return ("\\x%02x"):format(c:byte()) end))
  end
  if type(value) == "number" then -- NaN, infinities and -0 are no JSON
    if value ~= value then return "NaN" end
    if value == math.huge or value == -math.huge or value == 0 then return ("%g"):format(value) end
    return value
  end
  if type(value) ~= "table" or getmetatable(value) == core.decimal_mt then return value end
  local copy = setmetatable({}, getmetatable(value))
  for k, v in pairs(value) do copy[k] = printable(v) end
  return copy
end

local function canonical(value)
  if value == nil then return "nil" end
  return assert(core.json_encode(printable(value), true))
end

play.canonical = canonical

-- Of several rows that refer to one that is deleted, some may be held by another transaction. Which of them is met first is left
-- to the order of a plan (docs/differences.md).
local OF_A_CHILD = { foreign_key = true, lock_timeout = true }

--- What stands for an error's code where the operation deletes a row beside other transactions.
---@param code string
---@return string|nil
function play.of_a_child(code) return OF_A_CHILD[code] and "an error of a row that refers to it" or nil end

--- Everything a caller can see of an operation.
function play.outcome(op, stores, db)
  local called, ok, err = pcall(op.run, stores, db, play.outcome)
  if not called then return "raised " .. tostring(ok):gsub("^[^:]*:%d+: ", "") end
  if ok == nil and type(err) == "table" then
    play.said = tostring(err)
    if op.beside and play.of_a_child(err.code) then return play.of_a_child(err.code) end
    if op.many then return "error" end -- of several rows each may have a fault, and SQL promises no order
    -- PostgreSQL does not name the column of an overflow; memory does
    local column = not err.sqlstate and err.column or "-"
    return table.concat({ "error", err.code, err.constraint or "-", column, err.sqlstate or "-", err.table or "-" }, " ")
  end
  return canonical(ok)
end

-- ---- two databases side by side ----

---@class random.Game
-- fresh: empties both databases and returns their stores. contents: a text of all rows.

local function first_difference(game, list, fresh)
  local a, b = game.a, game.b
  if fresh then a, b = game.fresh() end
  for i, op in ipairs(list) do
    game.now = op.now
    local left, right = play.outcome(op, a, game.memory), play.outcome(op, b, game.postgres)
    if left ~= right then return i, left, right end
  end
  local left, right = game.contents(a), game.contents(b)
  if left ~= right then return #list, left, right end
end

local function without(list, from, n)
  local rest = {}
  for i, op in ipairs(list) do
    if i < from or i >= from + n then rest[#rest + 1] = op end
  end
  return rest
end

--- The fewest operations that still differ, by replays with some taken away.
function play.minimise(game, history)
  local list
  for _, n in ipairs { 10, 40, 200, 1000, 5000, #history } do
    local tail = without(history, 1, math.max(#history - n, 0))
    local at = first_difference(game, tail, true)
    if at then
      list = without(tail, at + 1, #tail)
      break
    end
  end
  if not list then return nil end
  local chunk = math.ceil(#list / 2)
  while true do
    local from, gone = 1, false
    while from <= #list do
      local rest = without(list, from, chunk)
      if #rest > 0 and first_difference(game, rest, true) then list, gone = rest, true else from = from + chunk end
    end
    if chunk == 1 and not gone then return list end
    chunk = math.max(1, math.floor(chunk / 2))
  end
end

--- The parts of two texts around the first byte in which they differ.
local function differing(left, right)
  local at = 1
  while at <= #left and left:byte(at) == right:byte(at) do at = at + 1 end
  local from = math.max(1, at - 60)
  return (from > 1 and "…" or "") .. left:sub(from, at + 240), (from > 1 and "…" or "") .. right:sub(from, at + 240)
end

--- What the test fails with.
---@param done integer  operations before
function play.report(game, history, seed, left, right, done)
  left, right = differing(left, right)
  local title = ("seed %d, operation %d: %s"):format(seed, done + 1, history[#history].name)
  local lines = { title, "  memory    " .. left, "  postgres  " .. right, "  the last error was: " .. tostring(play.said) }
  local list = play.minimise(game, history)
  if not list then
    lines[#lines + 1] = "it does not come again from empty tables"
  else
    local _, again_left, again_right = first_difference(game, list, true)
    again_left, again_right = differing(again_left, again_right)
    lines[#lines + 1] = ("%d operations are enough:"):format(#list)
    for i, op in ipairs(list) do lines[#lines + 1] = ("  %d  %s %s"):format(i, op.name, op.text or "") end
    lines[#lines + 1] = "  memory    " .. tostring(again_left)
    lines[#lines + 1] = "  postgres  " .. tostring(again_right)
    lines[#lines + 1] = "  the last error was: " .. tostring(play.said)
  end
  return table.concat(lines, "\n")
end

-- ---- operations of any stores ----

-- A transaction that a statement over many rows has aborted ends with that statement's error: see play.outcome.
local function ending_error(steps, seen, err)
  if type(err) ~= "table" then return tostring(err) end
  for i, step in ipairs(steps) do
    if step.many and seen[i] == "error" then return "error" end
  end
  return { err.code, err.constraint or "" }
end

--- A transaction of some operations and nested transactions; each ends by commit, by `return nil, err` or by an error.
---@param single fun(): table  makes one operation
function play.transaction(single, depth)
  local steps, names, size = {}, {}, 0
  for i = 1, rng.int(6) do
    steps[i] = depth < 3 and rng.chance(15) and play.transaction(single, depth + 1) or single()
    size, names[i] = size + steps[i].size, steps[i].name
  end
  local ending = rng.pick { "commit", "commit", "return", "raise" }
  return {
    name = "transaction of (" .. table.concat(names, ", ") .. ") ending by " .. ending, size = size,
    run = function(s, db, outcome)
      local seen = {}
      local ok, err = db:transaction(function()
        for i, step in ipairs(steps) do seen[i] = outcome(step, s, db) end
        if ending == "raise" then error("on purpose", 0) end
        if ending == "return" then return nil, "on purpose" end
        return "done"
      end)
      return { seen = seen, ok = ok or false, err = ending_error(steps, seen, err) }
    end,
  }
end

-- ---- a game ----

--- Two databases with the same clock.
---@param url string
---@param contents fun(stores): string  a text of all rows
---@param stores_of fun(db): table      its stores, without a row
function play.game(url, contents, stores_of)
  local game = { now = 0, contents = contents }
  local function open()
    if game.memory then game.memory:close() end
    game.memory = assert(larder.open "memory:")
    game.memory:set_clock(function() return game.now end)
  end
  game.postgres = assert(larder.open(url))
  game.postgres:set_clock(function() return game.now end)
  function game.fresh()
    open()
    return stores_of(game.memory), stores_of(game.postgres)
  end
  game.a, game.b = game.fresh()
  return game
end

--- Plays operations until one differs, which raises.
---@param opts { ops: integer, check: integer, seed: integer }
function play.run(game, next_operation, opts)
  rng.seed(opts.seed)
  local history, now, done, good = {}, 1767225600000000, 0, 0
  local function fail(left, right) error(play.report(game, history, opts.seed, left, right, done), 0) end
  while done < opts.ops do
    now = now + rng.int(3) - 1
    local op = next_operation()
    op.now, game.now = now, now
    history[#history + 1] = op
    local from = rng.state
    local in_memory = play.outcome(op, game.a, game.memory)
    assert(from == rng.state, "an operation drew random numbers while it ran")
    local in_postgres = play.outcome(op, game.b, game.postgres)
    if in_memory ~= in_postgres then fail(in_memory, in_postgres) end
    if in_memory:sub(1, 5) ~= "error" and in_memory:sub(1, 6) ~= "raised" then good = good + 1 end
    done = done + op.size
    if done % opts.check < op.size or done >= opts.ops then
      local left, right = game.contents(game.a), game.contents(game.b)
      if left ~= right then fail(left, right) end
    end
    if #history > 20000 then table.remove(history, 1) end -- older ones hardly matter, and cost memory
  end
  assert(good > #history / 10, "too few operations succeed to prove anything")
end

return play
