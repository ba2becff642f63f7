local larder = require "larder"
local core = require "larder.core"
local engines = require "spec.support.engines"
local must = require "spec.support.must"

for _, engine in ipairs(engines) do
  describe("transactions on " .. engine.name, function()
    local db, visits

    before_each(function()
      db = engine.fresh "shop"
      visits = db:stores("shop").visits
    end)

    teardown(engine.done)

    local function visit(page) return must(visits:create { page = page }) end

    local function pages()
      local list = {}
      for row in visits:each { order = "id" } do list[#list + 1] = row.page end
      return table.concat(list, " ")
    end

    it("commit what the function did and return what it returned", function()
      local a, b, c = db:transaction(function(tx)
        visit "a"
        assert.is_true(db:in_transaction())
        assert.is_true(tx:active())
        assert.equal(1, tx.attempt)
        return "x", nil, 3
      end)
      assert.same({ "x", nil, 3 }, { a, b, c })
      assert.is_false(db:in_transaction())
      assert.equal("a", pages())
      assert.is_true(db:transaction(function() visit "b" end))
      assert.is_false(db:transaction(function() return false end))
    end)

    it("roll back on nil, err", function()
      local ok, err = db:transaction(function()
        visit "a"
        return nil, "changed my mind"
      end)
      assert.is_nil(ok)
      assert.equal("changed my mind", err)
      assert.equal("", pages())
    end)

    it("NX-3 roll back on error() of anything, and hand it back", function()
      for _, thrown in ipairs { "text", { my = "error" } } do
        local ok, err = db:transaction(function()
          visit "a"
          error(thrown, 0)
        end)
        assert.is_nil(ok)
        assert.equal(thrown, err)
      end
      local ok, err = db:transaction(function() must(visits:create {}) end)
      assert.is_nil(ok)
      assert.equal("invalid", err.code)
      ok, err = db:transaction(function() error() end)
      assert.is_nil(ok)
      assert.is_string(err)
      assert.equal("", pages())
      visit "after"
      assert.equal("after", pages())
    end)

    it("LC-T1 nest as savepoints: a failed inner one leaves the outer alive", function()
      assert(db:transaction(function()
        visit "outer"
        local ok, err = db:transaction(function()
          visit "inner"
          return nil, "inner failed"
        end)
        assert.is_nil(ok)
        assert.equal("inner failed", err)
        assert(db:transaction(function()
          visit "second"
          db:transaction(function()
            visit "third"
            error "third failed"
          end)
        end))
        return true
      end))
      assert.equal("outer second", pages())
    end)

    it("survive a broken constraint inside a savepoint, and not without one", function()
      local made = visit "first"
      assert(db:transaction(function()
        local ok, err = db:transaction(function() return visits:create { id = made.id, page = "twice" } end)
        assert.is_nil(ok)
        assert.equal("conflict", err.code)
        visit "second"
        return true
      end))
      assert.equal("first second", pages())
      local ok, err = db:transaction(function()
        visits:create { id = made.id, page = "twice" } -- its failure is not looked at
        local none, why = visits:create { page = "third" }
        assert.is_nil(none)
        assert.equal("closed", why.code)
        assert.equal("25P02", why.sqlstate)
        return true
      end)
      assert.is_nil(ok)
      assert.equal("conflict", err.code)
      assert.equal("first second", pages())
    end)

    it("are left alive by a row that the declaration refuses", function()
      assert(db:transaction(function()
        visit "a"
        assert.is_nil((visits:create { page = 5 }))
        visit "b"
        return true
      end))
      assert.equal("a b", pages())
    end)

    it("are joined by the coroutines that theirs resumes", function()
      local function names()
        return coroutine.wrap(function()
          for _, name in ipairs { "b", "c" } do
            coroutine.yield(coroutine.wrap(function() return visit(name).page end)())
          end
        end)
      end
      local ok = db:transaction(function()
        visit "a"
        for name in names() do visit("after " .. name) end
        local inside, n = select(2, coroutine.resume(coroutine.create(function()
          return db:in_transaction(), visits:count()
        end)))
        assert.same({ true, 5 }, { inside, n })
        return nil, "undone"
      end)
      assert.is_nil(ok)
      assert.equal("", pages())
    end)

    it("are not joined by coroutines that theirs does not wait for", function()
      local other = coroutine.create(function()
        coroutine.yield(db:in_transaction())
        coroutine.yield(db:in_transaction())
      end)
      local mine = coroutine.wrap(function()
        return db:transaction(function()
          visit "mine"
          assert.is_true(select(2, coroutine.resume(other))) -- now it does
          coroutine.yield()
          return true
        end)
      end)
      mine()
      assert.is_false(db:in_transaction())
      assert.equal(0, visits:count())
      assert.is_false(select(2, coroutine.resume(other)))
      assert.is_true(mine())
      assert.is_false(db:in_transaction())
      assert.equal("mine", pages())
    end)

    it("are over for a coroutine that outlives them", function()
      local other = coroutine.create(function()
        while true do coroutine.yield(db:in_transaction(), visits:count()) end
      end)
      db:transaction(function()
        visit "a"
        assert.same({ true, true, 1 }, { coroutine.resume(other) })
        return nil, "undone"
      end)
      assert.same({ true, false, 0 }, { coroutine.resume(other) })
      assert(db:transaction(function() return true end))
      assert.same({ true, false, 0 }, { coroutine.resume(other) })
    end)

    it("inside of one are savepoints in the coroutines that join, too, and end in their order", function()
      local failed
      assert(db:transaction(function()
        local inner = coroutine.wrap(function()
          local _, err = db:transaction(function()
            visit "inner"
            coroutine.yield()
            return true
          end)
          failed = err
        end)
        assert(db:transaction(function()
          visit "a"
          return coroutine.wrap(function() return db:transaction(function() return visit "b" end) end)()
        end))
        local ok, err = db:transaction(function()
          visit "outer"
          inner() -- begins inside of this one, and has not ended when this one does
          return true
        end)
        assert.same({ false, "invalid" }, { ok ~= nil, err.code })
        inner()
        visit "c"
        return true
      end))
      assert.equal("closed", failed.code)
      assert.equal("a b c", pages())
    end)

    it("end at once when their coroutine is closed", function()
      if not coroutine.close then return pending "Lua 5.4 only" end -- luacheck: ignore 143
      local co = coroutine.create(function()
        db:transaction(function()
          visit "a"
          db:transaction(function()
            visit "b"
            coroutine.yield()
          end)
        end)
      end)
      collectgarbage "stop"
      assert(coroutine.resume(co))
      assert.is_true(coroutine.close(co)) -- luacheck: ignore 143
      assert.equal(0, db:stats()[db:kind() == "memory" and "transactions" or "busy"])
      assert.equal("", pages())
      visit "c"
      collectgarbage "restart"
      assert.equal("c", pages())
    end)

    it("may be yielded across", function()
      local step = coroutine.wrap(function()
        return db:transaction(function()
          visit "a"
          coroutine.yield "paused"
          visit "b"
          return "done"
        end)
      end)
      assert.equal("paused", step())
      assert.is_false(db:in_transaction())
      assert.equal("", pages())
      assert.equal("done", step())
      assert.equal("a b", pages())
    end)

    it("NX-15 run again after a serialization failure, and only then", function()
      local attempts = 0
      local function failing(times, code)
        return function(tx)
          attempts = attempts + 1
          assert.equal(attempts, tx.attempt)
          visit("try" .. attempts)
          if attempts <= times then
            return nil, core.error { code = code, message = "made up", retryable = code ~= "conflict" }
          end
          return "done"
        end
      end
      assert.equal("done", db:transaction({ retries = 2 }, failing(2, "serialization")))
      assert.equal(3, attempts)
      assert.equal("try3", pages())
      for _, case in ipairs { { "serialization", {}, 1 }, { "serialization", { retries = 2 }, 3 },
        { "conflict", { retries = 2 }, 1 }, { "commit_unknown", { retries = 2 }, 1 } } do
        attempts = 0
        local ok, err = db:transaction(case[2], failing(9, case[1]))
        assert.is_nil(ok)
        assert.equal(case[1], err.code)
        assert.equal(case[3], attempts)
      end
      assert.equal("try3", pages())
    end)

    it("run again at the outermost level only", function()
      local outer, inner = 0, 0
      assert(db:transaction({ retries = 1 }, function()
        outer = outer + 1
        local ok, err = db:transaction({ retries = 5 }, function()
          inner = inner + 1
          if outer == 2 then return true end
          return nil, core.error { code = "deadlock", message = "made up", retryable = true }
        end)
        if err then return nil, err end
        return ok
      end))
      assert.equal(2, outer)
      assert.equal(2, inner)
    end)

    it("end when their time is over", function()
      local ok, err = db:transaction({ timeout = 1 }, function() -- long enough for the first write on a busy machine
        visit "a"
        local until_then = core.clock() + 1.05
        while core.clock() < until_then do end
        local none, why = visits:create { page = "late" }
        assert.is_nil(none)
        assert.equal("timeout", why.code)
        return true
      end)
      assert.is_nil(ok)
      assert.equal("timeout", err.code)
      assert.equal("", pages())
      visit "b"
      assert.equal("b", pages())
    end)

    it("refuse to write when they are read only", function()
      local ok, err = db:transaction({ read_only = true }, function() return visits:create { page = "x" } end)
      assert.is_nil(ok)
      assert.is_string(err.code)
      assert.equal(0, db:transaction({ read_only = true }, function() return visits:count() end))
    end)

    it("take known options of the right kind", function()
      local function nothing() end
      assert.has_error(function() db:transaction({ retires = 1 }, nothing) end)
      assert.has_error(function() db:transaction({ retries = "1" }, nothing) end)
      assert.has_error(function() db:transaction {} end)
      assert(db:transaction(nothing, { tenant = "t" }))
      assert(db:transaction(function()
        assert.has_error(function() db:transaction({ isolation = "serializable" }, nothing) end)
        return true
      end))
    end)

    it("tell listeners how they ended", function()
      local seen = {}
      local remove = db:on("transaction", function(event)
        seen[#seen + 1] = event.op .. " " .. event.attempts
      end)
      db:transaction(function() end)
      db:transaction(function() return nil, "no" end)
      remove()
      db:transaction(function() end)
      assert.same({ "commit 1", "rollback 1" }, seen)
    end)

    it("answer closed once the database is closed", function()
      local other = larder.open(engine.name == "memory" and "memory:" or os.getenv "LARDER_TEST_URL")
      local store = other:stores("shop").visits
      assert.is_true(other:close())
      assert.is_true(other:close())
      assert.equal("larder.db (closed)", tostring(other))
      local ok, err = other:transaction(function() return true end)
      assert.is_nil(ok)
      assert.equal("closed", err.code)
      ok, err = store:create { page = "x" }
      assert.is_nil(ok)
      assert.equal("closed", err.code)
      ok, err = other:health()
      assert.is_nil(ok)
      assert.equal("closed", err.code)
    end)
  end)
end
