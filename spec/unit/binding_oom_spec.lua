-- Memory that runs out, in Lua and in the core: each failure is an ordinary one, and nothing is left behind.

local core = require "larder.core"

local failing_state = require "spec.support.failing_state"

-- What a program does, from the first require to the end. An error that the world may give is none of ours: when memory
-- is short, Lua itself raises.
local SCENARIO = [[
  local core = require "larder.core"
  local things = require "spec.support.core_things"
  local engine, store, owners = things.open()
  local row = { owner = "a", id = 1, title = "t", price = 1.5, doc = { a = { 1, { b = core.null } }, c = "\195\169" },
    tags = { "x", core.null }, grid = { { 1 }, { 2 } }, at = 5, uid = core.uuid(), raw = "\0" }
  store:create(row)
  store:create { owner = "a", id = 2, nonsense = 1, title = 5 }
  store:run { op = "insert", rows = { row, { owner = "b", id = 2 } }, on_conflict = "update", returning = true }
  store:run { op = "insert", rows = { row, { owner = "b", id = "x" } } }
  store:get("a", 1)
  store:get("a", 9)
  store:exists("a", 1)
  for _, page in ipairs { false, true } do
    store:run { op = "select", page = page or nil, limit = 1, order = "-title, id",
      where = { id = { gte = 1, lt = 9 },
        setmetatable({ kind = "any", { title = { like = "t%" } }, { doc = { has_key = "a" } } }, core.pred_mt) } }
  end
  store:run { op = "update", where = { id = 1 }, returning = true,
    set = { doc = setmetatable({ kind = "merge", value = { z = 1 } }, core.expr_mt) } }
  store:run { op = "aggregate", aggs = { { "sum", "id", as = "s", filter = { id = 1 } } }, groups = { "owner" } }
  store:run { op = "select", where = { nonsense = 1 } }
  local ctx = engine:begin {}
  things.within(ctx, engine, function()
    store:create { owner = "b", id = 3 }
    ctx:savepoint()
    ctx:rollback_to()
  end)
  ctx:commit()
  local lost = engine:begin {}
  store:run { op = "delete", tx = lost }
  local writer = engine:writer { queue = 2, policy = "block" }
  writer:push(store, { owner = "b", id = 4, seq = 4 })
  writer:push(store, { owner = "nobody", id = 1 })
  writer:push(store, { owner = "b", nonsense = 1 })
  writer:rejects()
  writer:stats()
  writer:stores()
  writer:news()
  writer:push(store, { owner = "b", id = 5, seq = 4 })
  local letters = writer:letters()
  if letters and letters[1] then
    writer:replay(letters[1].id)
    writer:discard(letters[1].id)
  end
  writer:flush()
  writer:close(0)
  local batch = core.batch(things.schema(), "things", { row, { owner = 5 }, { owner = "b", id = 7, seq = 99 } })
  batch:slice(1, 1):row(1)
  store:load(batch, { on_conflict = "skip" })
  local scan = store:scan()
  if scan then
    local some = scan:next(1)
    core.checksum():add(some)
  end
  core.json_encode(core.json_decode '[1,{"a":[]},"\\u00e9",9007199254740993]', true)
  core.json_encode { { 0 / 0 } }
  core.json_decode "[[["
  core.parse_conninfo "postgres://u@h/d?sslmode=require"
  core.seal(("k"):rep(32), "text")
  core.apikey_make "live"
  core.set_peppers "x"
  store:describe()
  tostring(core.error { code = "x" } .. "y")
]]

describe("memory that runs out #oom", function()
  local function collect()
    collectgarbage()
    collectgarbage()
  end

  it("in Lua raises `not enough memory` and leaves no block of the core", function()
    local run = failing_state()
    if not run then return pending "no C compiler for the failing state" end
    local ok, message = run(SCENARIO, 0, package.path, package.cpath)
    assert.is_true(ok, message)
    collect()
    local before, n, failed = core.mem_live(), 0
    repeat
      n = n + 1
      ok, message, failed = run(SCENARIO, n, package.path, package.cpath)
      if not ok then assert.equal("not enough memory", message, "allocation " .. n) end
      assert.equal(before, core.mem_live(), "allocation " .. n)
    until not failed
    assert.is_true(ok, message)
    assert.is_true(n > 100)
  end)

  describe("in the core", function()
    local things = require "spec.support.core_things"

    --- fn with the n-th allocation of the core failing. Returns whether there was one.
    local function fail_at(n, fn)
      core.mem_fail_at(n)
      local ok, result, err = pcall(fn)
      local failed = core.mem_failed()
      core.mem_fail_at(0)
      if not ok then
        assert.matches("out of memory$", tostring(result))
      elseif failed and not result then
        assert.equal("capacity", err.code, tostring(err))
      end
      return failed
    end

    --- fn with the 1st, 2nd, 3rd … allocation of the core failing, until it needs no more. After each it works again, and
    -- as much is kept for reuse as before.
    local function each_failure(fn)
      fn()
      collect()
      local before, n = core.mem_live(), 1
      while fail_at(n, fn) do
        fn()
        collect()
        assert.equal(before, core.mem_live(), "allocation " .. n)
        n = n + 1
      end
    end

    it("tells whether a write was done whose answer was lost", function()
      local _, store = things.open()
      -- long and full of escapes: reading it takes memory that writing another field does not
      assert(store:create { owner = "a", id = 1, doc = { ("\195\169\n"):rep(40000) } })
      local lost, n = 0, 1
      repeat
        core.mem_fail_at(n)
        local rows, err = store:run { op = "update", where = { owner = "a", id = 1 }, set = { whole = n }, returning = true }
        local failed = core.mem_failed()
        core.mem_fail_at(0)
        local stored = store:run({ op = "select", columns = { "whole" }, where = { owner = "a" } })[1].whole == n
        assert.equal(rows ~= nil or err.stored == true, stored, "allocation " .. n)
        if not rows and err.stored then lost = lost + 1 end
        n = n + 1
      until not failed
      assert.is_true(lost > 0)
    end)

    it("fails a declaration", function()
      each_failure(function() return core.schema(things.declaration) ~= nil end)
    end)

    it("fails an engine and its stores", function()
      each_failure(function()
        local engine, err = core.memory()
        if not engine then return nil, err end
        local store
        store, err = engine:store(things.schema(), "things")
        engine:close()
        return store and true, err
      end)
    end)

    it("fails single calls, which can be repeated", function()
      local batch = core.batch(things.schema(), "things", { { owner = "a", id = 1, seq = 1 } })
      for _, call in ipairs {
        function(store) return store:create { owner = "a", id = 1, doc = { 1 }, tags = { "x" }, price = 1 } end,
        function(store) return store:run { op = "select", where = { id = { 1, 2 } }, order = "title", page = true, limit = 1 } end,
        function(store) return store:run { op = "update", set = { title = "t", doc = { x = 1 } }, returning = true } end,
        function(store) return store:run { op = "aggregate", aggs = { { "count" } }, groups = { "owner" } } end,
        function(store)
          local row, err = store:create { owner = "a", id = 2 }
          if not row and err.code ~= "conflict" then return nil, err end
          return store:patch("a", 2, { title = "t", doc = { x = 1 } })
        end,
        function(store) return store:load(batch, { on_conflict = "update" }) end,
        function(_, engine)
          local ctx, err = engine:begin {}
          if not ctx then return nil, err end
          return ctx:commit()
        end,
      } do
        local engine, store = things.open()
        local n = 1
        local function again() return call(store, engine) end
        while fail_at(n, again) do n = n + 1 end
        assert.is_true(n > 1)
        engine:close()
      end
    end)

    it("fails conversions", function()
      each_failure(function() return core.json_encode({ ("x"):rep(100), { a = 1 } }, true) end)
      each_failure(function() return core.json_decode '["\\u00e9", {"a": 1}]' end)
      each_failure(function() return core.seal(("k"):rep(32), "text") end)
      each_failure(function() return core.parse_conninfo "host=h dbname=d" end)
      each_failure(function() return core.batch(things.schema(), "things", { { owner = "a", id = 1, doc = {} } }) end)
    end)
  end)
end)
