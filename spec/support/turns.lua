-- Transactions that take turns: each runs in a coroutine of its own, and hands over after every step.

local turns = {}

--- Opens a transaction. `t(fn)` runs fn inside it and returns what fn returns; `t(nil)` ends it: true, or nil, err.
-- A step whose error aborts the transaction makes every later step an error, as a caller would see it.
function turns.open(db, opts)
  local function body()
    return db:transaction(opts or {}, function()
      local step, undo = coroutine.yield()
      while step do
        local results = { pcall(step) }
        if results[1] then step, undo = coroutine.yield(results[2], results[3])
        else step, undo = coroutine.yield(nil, results[2]) end
      end
      if undo then return nil, "undone" end
      return true
    end)
  end
  local co = coroutine.create(body)
  assert(coroutine.resume(co))
  return function(step, undo)
    local results = { assert(coroutine.resume(co, step, undo)) }
    return results[2], results[3]
  end
end

return turns
