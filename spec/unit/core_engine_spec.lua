-- Engines, transactions and bulk work of larder.core, on the memory engine.

local core = require "larder.core"
local things = require "spec.support.core_things"

describe("larder.core", function()
  local engine, store, owners

  before_each(function() engine, store, owners = things.open() end)
  after_each(function() engine:close() end)

  local function closed(v, err)
    assert.is_nil(v)
    assert.equal("closed", err.code)
  end

  local function unsupported(v, err)
    assert.is_nil(v)
    assert.equal("unsupported", err.code)
  end

  describe("an engine", function()
    it("knows its kind, and closes once", function()
      assert.equal("memory", engine:kind())
      assert.is_false(engine:closed())
      assert.equal(2, engine:stats().rows)
      engine:close()
      engine:close()
      assert.is_true(engine:closed())
      assert.same({}, engine:stats())
    end)

    it("has no SQL in memory", function()
      unsupported(engine:query("select 1", { n = 0 }))
      unsupported(engine:pipeline({}, false))
      unsupported(engine:session {})
      local ctx = engine:begin {}
      unsupported(ctx:query("select 1"))
      unsupported(ctx:script("select 1"))
      unsupported(ctx:copy_in("x", print))
      unsupported(ctx:copy_out("x", print))
      assert.equal(0, ctx:backend_pid())
      assert(ctx:rollback())
      engine:set_hook(print)
      engine:set_hook(nil)
      assert.has_error(function() engine:query() end)
      assert.has_error(function() engine:query("x", 5) end)
      assert.has_error(function() engine:query("x", {}, { nonsense = 1 }) end)
      assert.has_error(function() engine:set_hook(5) end)
    end)

    it("asks its clock", function()
      engine:set_clock(function() return 0 end)
      assert.equal("1970-01-01T00:00:00.000000Z", store:create({ owner = "a", id = 1 }).created_at)
      engine:set_clock(setmetatable({}, { __call = function() return 1000000 end }))
      assert.equal("1970-01-01T00:00:01.000000Z", store:create({ owner = "a", id = 2 }).created_at)
      engine:set_clock(function() return "late" end)
      assert.has_error(function() store:create { owner = "a", id = 3 } end)
      engine:set_clock(function() error "broken" end)
      assert.has_error(function() store:create { owner = "a", id = 3 } end)
      engine:set_clock(nil)
      assert(store:create { owner = "a", id = 3 })
      assert.has_error(function() engine:set_clock(5) end)
    end)

    it("survives a clock that closes it", function()
      engine:set_clock(function()
        engine:close()
        return 0
      end)
      closed(store:create { owner = "a", id = 1 })
    end)

    it("takes settings for PostgreSQL apart before it connects", function()
      assert.has_error(function() core.postgres(5) end)
      assert.has_error(function() core.postgres({ host = 5 }) end)
      assert.has_error(function() core.postgres({ host = "x\0y" }) end)
      assert.has_error(function() core.postgres({}, { nonsense = 1 }) end)
      assert.has_error(function() core.postgres({}, { max = -1 }) end)
      assert.has_error(function() core.postgres({}, { max = "x" }) end)
      local v, err = core.postgres({ host = "/nowhere", connect_timeout = "1" }, { connect_timeout = 1 })
      assert.is_nil(v)
      assert.equal("connection", err.code)
    end)

    it("never blocks in memory, whatever it is told", function()
      engine:set_blocking(false)
      assert.equal("Ann", owners:get("a").name)
      assert.has_error(function() engine:set_blocking(1) end)
    end)
  end)

  describe("a transaction", function()
    it("commits and rolls back", function()
      local ctx = assert(engine:begin {})
      assert.is_true(ctx:active())
      assert(store:create({ owner = "a", id = 1 }, { tx = ctx }))
      assert.is_false(store:exists("a", 1))
      assert.is_true(ctx:commit())
      assert.is_false(ctx:active())
      assert.is_true(store:exists("a", 1))
      ctx = assert(engine:begin())
      assert.equal(1, store:run { op = "delete", tx = ctx })
      assert.is_true(ctx:rollback {})
      assert.is_true(store:exists("a", 1))
    end)

    it("is joined by the coroutine that runs it and by those that this one resumes", function()
      local ctx = assert(engine:begin {})
      assert.is_nil(engine:ambient())
      things.within(ctx, engine, function()
        assert.equal(ctx, engine:ambient())
        assert(store:create { owner = "a", id = 1 })
        assert.is_true(store:exists("a", 1))
        assert.is_true(coroutine.wrap(function() return store:exists("a", 1) end)())
        assert.equal(ctx, coroutine.wrap(function() return engine:ambient() end)())
        assert.equal(0, store:run { op = "count", tx = false })
      end)
      assert.is_false(store:exists("a", 1))
      assert(ctx:commit())
      assert.is_true(store:exists("a", 1))
    end)

    it("is not joined by strangers: a dead one answers closed", function()
      local ctx = assert(engine:begin {})
      things.within(ctx, engine, function()
        assert(ctx:rollback())
        closed(store:create { owner = "a", id = 1 })
        closed(store:get("a", 1))
        closed(store:exists("a", 1))
        closed(store:run { op = "select" })
        closed(store:scan())
      end)
      assert.is_true(owners:exists "a")
      closed(ctx:commit())
      closed(ctx:rollback())
      closed(ctx:savepoint())
      closed(ctx:release())
      closed(ctx:rollback_to())
      closed(store:run { op = "select", tx = ctx })
    end)

    -- A coroutine that runs one function after the other, as nginx gives one to request after request.
    local function used_again()
      return coroutine.wrap(function(fn)
        while true do fn = coroutine.yield(fn()) end
      end)
    end

    it("is over for whoever comes to its place in a coroutine that is used again", function()
      local run, ctx = used_again(), assert(engine:begin {})
      local function hold(c) -- ends without the end of its binding, as by a kill
        engine:bind(c)
        assert.equal(c, engine:ambient())
        error "left"
      end
      local function other(_, fn) -- the same place and argument
        local found = fn()
        return found
      end
      assert.is_false((run(function() return pcall(hold, ctx) end)))
      assert.equal(1, engine:bound())
      assert.is_nil(run(function()
        local _, found = pcall(other, ctx, function() return engine:ambient() end)
        return found
      end))
      assert.is_false(ctx:active())
      assert.equal(0, engine:bound())
    end)

    it("is that of the function that runs, where one coroutine runs several", function()
      local run = used_again()
      for id = 1, 3 do
        local ctx = assert(engine:begin {})
        run(function()
          things.within(ctx, engine, function()
            assert.equal(ctx, engine:ambient())
            assert(store:create { owner = "a", id = id })
          end)
        end)
        assert.is_nil(engine:ambient())
        if id == 2 then assert(ctx:rollback()) else assert(ctx:commit()) end
      end
      assert.same({ true, false, true }, { store:exists("a", 1), store:exists("a", 2), store:exists("a", 3) })
    end)

    it("is each coroutine's own, whoever asked last", function()
      local runs, found = {}, {}
      for i = 1, 3 do
        local ctx = assert(engine:begin {})
        runs[i] = coroutine.wrap(function()
          things.within(ctx, engine, function()
            for round = 1, 3 do
              found[#found + 1] = engine:ambient() == ctx
              assert(store:create { owner = "a", id = 10 * i + round })
              coroutine.yield(round)
            end
          end)
          return ctx:commit()
        end)
      end
      for _ = 1, 3 do
        for i = 1, 3 do
          assert.is_number(runs[i]())
          assert.is_nil(engine:ambient())
          assert.equal(0, store:run { op = "count" })
        end
      end
      for i = 1, 3 do assert.is_true(runs[i]()) end
      assert.same({ true, true, true, true, true, true, true, true, true }, found)
      assert.equal(9, store:run { op = "count" })
    end)

    it("is forgotten with its coroutine, when that is collected in the middle of it", function()
      local stays = assert(engine:begin {})
      local function half(ctx)
        return coroutine.create(function()
          things.within(ctx, engine, function()
            assert(store:create { owner = "b", id = 1 })
            coroutine.yield()
          end)
        end)
      end
      local waits = half(stays)
      assert(coroutine.resume(waits))
      for _ = 1, 20 do
        do
          local gone = coroutine.create(function()
            things.within(assert(engine:begin {}), engine, function()
              assert(store:create { owner = "a", id = 1 })
              coroutine.yield()
            end)
          end)
          assert(coroutine.resume(gone))
        end
        collectgarbage()
        collectgarbage()
        assert.is_nil(coroutine.wrap(function() return engine:ambient() end)())
        assert.equal(0, store:run { op = "count", tx = false })
        assert.equal(1, engine:bound())
      end
      assert(coroutine.resume(waits))
      assert(stays:commit())
      assert.equal(1, store:run { op = "count" })
    end)

    it("has savepoints", function()
      local ctx = assert(engine:begin {})
      things.within(ctx, engine, function()
        assert(store:create { owner = "a", id = 1 })
        assert.is_truthy(ctx:savepoint())
        assert(store:create { owner = "a", id = 2 })
        assert.is_nil((store:create { owner = "a", id = 2 }))
        closed(store:create { owner = "a", id = 3 })
        assert.is_true(ctx:rollback_to())
        assert.is_truthy(ctx:savepoint())
        assert(store:create { owner = "a", id = 3 })
        assert.is_true(ctx:release())
        assert.is_nil((ctx:release()))
        local outer, inner = ctx:savepoint(), ctx:savepoint()
        local ok, err = ctx:release(outer)
        assert.same({ false, "invalid" }, { ok ~= nil, err.code }) -- one inside of it has not ended
        assert.is_true(ctx:rollback_to(outer))
        closed(ctx:release(inner))
      end)
      assert(ctx:commit())
      assert.same({ true, false, true }, { store:exists("a", 1), store:exists("a", 2), store:exists("a", 3) })
    end)

    it("is undone when nobody holds it any more, and by its engine's end", function()
      do
        local ctx = assert(engine:begin {})
        assert(store:create({ owner = "a", id = 1 }, { tx = ctx }))
      end
      collectgarbage()
      collectgarbage()
      assert(store:create { owner = "a", id = 1 })
      local ctx = assert(engine:begin {})
      engine:close()
      assert.is_false(ctx:active())
      closed(ctx:commit())
    end)

    it("takes known options of its own engine", function()
      for _, isolation in ipairs { "read_committed", "repeatable_read", "serializable" } do
        assert(assert(engine:begin { isolation = isolation, read_only = true, deferrable = false }):rollback())
      end
      assert.has_error(function() engine:begin { isolation = "chaos" } end)
      assert.has_error(function() engine:begin { read_only = 1 } end)
      assert.has_error(function() engine:begin { nonsense = 1 } end)
      local other = core.memory()
      local ctx = other:begin {}
      assert.has_error(function() things.within(ctx, engine, function() end) end)
      assert.has_error(function() engine:bind(other:begin {}) end)
      assert.has_error(function() engine:bind(5) end)
      assert.has_error(function() store:run { op = "count", tx = ctx } end)
      assert.has_error(function() ctx:commit { nonsense = 1 } end)
      other:close()
    end)

    it("survives a clock that ends it", function()
      local ctx = assert(engine:begin {})
      engine:set_clock(function()
        ctx:rollback()
        return 0
      end)
      closed(store:create({ owner = "a", id = 1 }, { tx = ctx }))
    end)
  end)

  describe("bulk work", function()
    local rows = { { owner = "a", id = 1, secret = "s", seq = 1 }, { owner = "a", id = "x" }, { owner = "b", id = 2, seq = 2 } }

    it("packs rows, and hands back those that are refused", function()
      local batch, refused = core.batch(things.schema(), "things", rows)
      assert.equal(2, batch:count())
      assert.equal("things", batch:store())
      assert.equal(1, #refused)
      assert.equal(2, refused[1].index)
      assert.equal(rows[2], refused[1].row)
      assert.equal("must be an integer", refused[1].err.fields.id)
      assert.equal("s", batch:row(1).secret)
      assert.equal(2, batch:row(2).id)
      assert.equal(1, core.batch(things.schema(), "things", rows, 3, 3):count())
      assert.equal(0, core.batch(things.schema(), "things", rows, 3, 2):count())
      assert.equal(0, core.batch(things.schema(), "things", {}):count())
    end)

    it("slices", function()
      local batch = core.batch(things.schema(), "things", rows)
      assert.equal(2, batch:slice(2, 1):row(1).id)
      assert.equal(0, batch:slice(3, 0):count())
      for _, range in ipairs { { 0, 1 }, { 1, 3 }, { 4, 0 }, { 1, -1 } } do
        assert.has_error(function() batch:slice(range[1], range[2]) end)
      end
      assert.has_error(function() batch:row(0) end)
      assert.has_error(function() batch:row(3) end)
      assert.has_error(function() core.batch(things.schema(), "things", { 5 }) end)
      assert.has_error(function() core.batch(things.schema(), "nothing", {}) end)
      assert.has_error(function() core.batch(things.schema(), "things", {}, 0) end)
    end)

    it("loads, all or nothing", function()
      local batch = core.batch(things.schema(), "things", rows)
      assert.equal(2, store:load(batch))
      assert.equal("s", store:run({ op = "select", where = { id = 1 }, columns = { "secret" } })[1].secret)
      local n, err = store:load(batch)
      assert.is_nil(n)
      assert.equal("conflict", err.code)
      assert.equal(0, store:load(batch, { on_conflict = "skip" }))
      assert.equal(2, store:load(batch, { on_conflict = "update", timeout = 5 }))
      local ctx = engine:begin {}
      assert.equal(2, store:load(batch, { on_conflict = "update", tx = ctx }))
      assert(ctx:rollback())
      assert.has_error(function() store:load(batch, { on_conflict = "explode" }) end)
      assert.has_error(function() owners:load(batch) end)
      assert.has_error(function() store:load {} end)
    end)

    it("scans in batches, secrets included", function()
      assert.equal(2, store:load((core.batch(things.schema(), "things", rows))))
      local scan = assert(store:scan())
      local first, second = scan:next(1), scan:next(10)
      assert.equal(1, first:count())
      assert.equal(1, second:count())
      assert.is_nil((scan:next(1)))
      scan:close()
      scan:close()
      closed(scan:next(1))
      assert.equal(first:row(1).owner == "a" and "s" or nil, first:row(1).secret)
      assert.has_error(function() scan:next(0) end)
      assert.has_error(function() store:scan { nonsense = 1 } end)
    end)

    it("ends a scan with its transaction, and with its engine", function()
      local ctx = engine:begin {}
      local scan = assert(store:scan { tx = ctx })
      assert(ctx:rollback())
      closed(scan:next(1))
      scan = assert(store:scan())
      engine:close()
      closed(scan:next(1))
    end)

    it("sums up rows whatever their order", function()
      local all = core.batch(things.schema(), "things", { rows[1], rows[3] })
      local one, two = core.checksum(), core.checksum()
      assert.is_true(one:add(all))
      assert.is_true(two:add(all:slice(2, 1)))
      assert.not_same({ one:value() }, { two:value() })
      assert.is_true(two:add(all:slice(1, 1)))
      assert.same({ one:value() }, { two:value() })
      local text, n = one:value()
      assert.matches("^%x+$", text)
      assert.equal(32, #text)
      assert.equal(2, n)
      assert.has_error(function() one:add {} end)
    end)
  end)

  it("gives everything back", function()
    engine:close()
    engine, store, owners = nil, nil, nil
    -- what other specs left is given back step by step, as finalizers let go of it
    local function settled()
      local live
      repeat
        live = core.mem_live()
        collectgarbage()
        collectgarbage()
      until core.mem_live() == live
      return live
    end
    local before = settled()
    for _ = 1, 3 do
      local e, s = things.open()
      local ctx = e:begin {}
      things.within(ctx, e, function()
        s:create { owner = "a", id = 1, doc = { 1 } }
        pcall(s.create, s, { owner = "a", id = 1 }, { nonsense = 1 })
        s:run { op = "select", where = { nonsense = 1 } }
        s:scan()
        core.batch(things.schema(), "things", { { owner = "a", id = 1 } })
      end)
    end
    assert.equal(before, settled())
    engine, store, owners = things.open()
  end)
end)
