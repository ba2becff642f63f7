-- The event loops on an engine whose tasks the spec finishes: who waits, who watches the descriptor, who is woken.

local PENDING = require("larder.core").PENDING
local Dispatcher = require "larder.loop.dispatcher"
local loop = require "larder.loop"
local must = require "spec.support.must"
local wait = require "larder.base.wait"

local uv = require "spec.support.luv"
local found_cqueues, cqueues = pcall(require, "cqueues")
local found_copas, copas = pcall(require, "copas")

if not uv then
  describe("event loops", function() pending "lua-luv is not installed" end)
  return
end

local new_engine = require "spec.support.mock_engine"

local function call(one, engine, result)
  return wait.settle(one, PENDING, engine:task(result))
end

local function loop_of(name)
  local engine = new_engine()
  local dispatcher = Dispatcher.new(engine)
  return require("larder.loop." .. name).new(dispatcher), engine, dispatcher
end

describe("the dispatcher", function()
  local function waiter(log, name, why)
    return { wake = function()
      log[#log + 1] = name
      return why
    end }
  end

  it("wakes once for each id, and ignores ids it does not know", function()
    local engine = new_engine()
    local dispatcher, log = Dispatcher.new(engine), {}
    for i = 1, 3 do assert(dispatcher:enter(engine:task(), waiter(log, i))) end
    assert.equal(3, dispatcher.waiting)
    engine:finish(2)
    engine.ids[3] = 77
    assert.equal(3, dispatcher:serve())
    assert.same({ 1, 2 }, log)
    assert.equal(1, dispatcher.waiting)
    assert.is_truthy(dispatcher:leave(3))
    engine:finish()
    dispatcher:serve()
    assert.same({ 1, 2 }, log)
    assert.equal(0, dispatcher.waiting)
  end)

  it("raises what a call raised after all have gone on", function()
    local engine = new_engine()
    local dispatcher, log = Dispatcher.new(engine), {}
    assert(dispatcher:enter(engine:task(), waiter(log, 1, "first")))
    assert(dispatcher:enter(engine:task(), waiter(log, 2)))
    assert(dispatcher:enter(engine:task(), waiter(log, 3, "third")))
    engine:finish()
    local ok, why = pcall(dispatcher.serve, dispatcher)
    assert.is_false(ok)
    assert.equal("first\nthird", why)
    assert.same({ 1, 2, 3 }, log)
    assert.equal(0, dispatcher:serve())
  end)

  it("may be served by whoever goes on", function()
    local engine = new_engine()
    local dispatcher, log = Dispatcher.new(engine), {}
    local first = waiter(log, 1)
    function first.wake()
      engine:finish()
      dispatcher:serve()
      log[#log + 1] = "first"
    end
    assert(dispatcher:enter(engine:task(), first))
    engine:finish()
    for i = 2, 4 do assert(dispatcher:enter(engine:task(), waiter(log, i))) end
    dispatcher:serve()
    assert.same({ 2, 3, 4, "first" }, log)
    assert.equal(0, dispatcher.waiting)
  end)
end)

-- ---- what every loop does ----

local loops = {}

function loops.cqueues(engine, ...)
  local controller = cqueues.new()
  for _, fn in ipairs { ... } do controller:wrap(fn) end
  must(controller:step(0))
  while not controller:empty() do
    engine:finish(2)
    must(controller:step(0.1))
  end
end

function loops.luv(engine, ...)
  for _, fn in ipairs { ... } do coroutine.wrap(fn)() end
  local timer = uv.new_timer()
  timer:start(1, 1, function()
    if #engine.submitted > 0 then engine:finish(2) else timer:close() end
  end)
  uv.run()
end

function loops.copas(engine, ...)
  for _, fn in ipairs { ... } do copas.addthread(fn) end
  while #engine.submitted > 0 do
    engine:finish(2)
    copas.step(0.1)
    copas.step(0)
  end
end

function loops.manual(engine, ...)
  for _, fn in ipairs { ... } do coroutine.wrap(fn)() end
  while #engine.submitted > 0 do
    engine:finish(2)
    engine.runtime:step()
  end
end

local there = { cqueues = found_cqueues, luv = true, copas = found_copas, manual = true }

for _, name in ipairs { "cqueues", "luv", "copas", "manual" } do
  describe("waiting in " .. name, function()
    if not there[name] then
      pending("lua-" .. name .. " is not installed")
      return
    end
    local one, engine, dispatcher
    before_each(function()
      one, engine, dispatcher = loop_of(name)
      engine.runtime = one
    end)

    it("gives each caller its own result", function()
      local got, fns = {}, {}
      for i = 1, 40 do
        fns[i] = function()
          for round = 1, 3 do
            local answer = call(one, engine, i .. "." .. round)
            assert(answer == i .. "." .. round)
          end
          got[#got + 1] = i
        end
      end
      loops[name](engine, (table.unpack or unpack)(fns)) -- luacheck: ignore 113 143
      assert.equal(40, #got)
      assert.equal(0, dispatcher.waiting)
      assert.is_nil(next(dispatcher.waiters))
      assert.is_true(engine.served <= 65)
    end)

    it("blocks outside of it", function()
      local task = engine:task "here"
      assert.equal("here", wait.settle(one, PENDING, task))
      assert.is_true(task.waited)
      assert.equal(0, dispatcher.waiting)
    end)

    it("hands back the error of a submission", function()
      local failed
      engine.refuses = "no thread"
      loops[name](engine, function() failed = { call(one, engine, 1) } end)
      assert.is_nil(failed[1])
      assert.equal("no thread", failed[2])
      assert.equal(0, dispatcher.waiting)
    end)

    it("tells those who wait that the engine was closed", function()
      local errors = {}
      local function waiter()
        local _, err = call(one, engine, 1)
        errors[#errors + 1] = err
      end
      function engine.finish()
        one:release()
        engine:close()
        dispatcher:dismiss()
        engine.submitted = {}
      end
      loops[name](engine, waiter, waiter)
      if name == "copas" then copas.step(0) end
      assert.same({ "closed", "closed" }, errors)
      assert.equal(0, dispatcher.waiting)
    end)
  end)
end

-- ---- each loop's own ----

describe("the poller in cqueues", function()
  if not found_cqueues then
    pending "lua-cqueues is not installed"
    return
  end

  it("wakes only whose call is finished", function()
    local one, engine = loop_of "cqueues"
    local controller, resumed = cqueues.new(), 0
    for i = 1, 10 do
      controller:wrap(function()
        call(one, engine, i)
        resumed = resumed + 1
      end)
    end
    must(controller:step(0))
    for n = 1, 10 do
      engine:finish(1)
      for _ = 1, 3 do must(controller:step(0)) end
      assert.equal(n, resumed)
      assert.equal(n, engine.served)
    end
    assert.is_true(controller:empty())
  end)

  it("is replaced when it failed", function()
    local one, engine = loop_of "cqueues"
    local controller, got, done = cqueues.new(), nil, engine.done
    function engine.done()
      engine.done = done
      error("out of luck", 0)
    end
    controller:wrap(function() got = call(one, engine, "answer") end)
    must(controller:step(0))
    engine:finish()
    local ok, why
    repeat ok, why = controller:step(0.1) until not ok
    assert.matches("out of luck", tostring(why))
    must(controller:loop(5))
    assert.equal("answer", got)
    assert.is_true(controller:empty())
  end)

  it("stays for those who ask again, and ends when nobody waits", function()
    local one, engine = loop_of "cqueues"
    local controller, most, asked = cqueues.new(), 0, false
    controller:wrap(function()
      for i = 1, 50 do assert.equal(i, call(one, engine, i)) end
      asked = true
    end)
    controller:wrap(function()
      while not asked do
        most = math.max(most, controller:count())
        engine:finish()
        cqueues.sleep(0)
      end
    end)
    must(controller:loop(5))
    assert.is_true(asked)
    assert.equal(3, most) -- the two above and the poller
    assert.is_true(controller:empty())
  end)

  it("is one in each controller: nested, side by side, one after the other", function()
    local one, engine = loop_of "cqueues"
    local log = {}
    local function note(name)
      local answer = call(one, engine, name)
      log[#log + 1] = answer
    end
    local a, b = cqueues.new(), cqueues.new()
    a:wrap(note, "a")
    must(a:step(0)) -- has a poller in a, which is not stepped any more
    b:wrap(note, "b1")
    b:wrap(function()
      local inner = cqueues.new()
      inner:wrap(note, "inner")
      must(inner:loop())
      note "b2"
    end)
    b:wrap(function()
      while #log < 3 do
        cqueues.sleep(0.001)
        engine:finish()
      end
    end)
    must(b:loop())
    assert.is_true(b:empty())
    must(a:loop())
    table.sort(log)
    assert.same({ "a", "b1", "b2", "inner" }, log)
    a, b = nil, nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(one.controllers))
  end)

  it("blocks in a coroutine of the program inside a controller's", function()
    local one, engine = loop_of "cqueues"
    local controller, got = cqueues.new(), nil
    controller:wrap(function()
      local generate = coroutine.wrap(function() coroutine.yield(call(one, engine, "row")) end)
      got = generate()
    end)
    must(controller:loop())
    assert.equal("row", got)
  end)
end)

describe("the poll handle in luv", function()
  it("keeps the loop alive only while somebody waits", function()
    local one, engine = loop_of "luv"
    local got
    coroutine.wrap(function() got = call(one, engine, "x") end)()
    assert.is_true(uv.loop_alive())
    engine:finish()
    uv.run()
    assert.equal("x", got)
    assert.is_nil(one.held.loop)
    assert.is_false(uv.loop_alive())
  end)

  it("does not keep what nobody uses from being collected, nor drop what only it knows", function()
    local gone = setmetatable({}, { __mode = "v" })
    local got
    do
      local engine
      coroutine.wrap(function()
        local one, dispatcher
        one, engine, dispatcher = loop_of "luv"
        gone.dispatcher = dispatcher
        got = call(one, engine, "kept")
        one:release()
      end)()
      collectgarbage()
      collectgarbage()
      engine:finish()
    end
    uv.run()
    assert.equal("kept", got)
    collectgarbage()
    collectgarbage()
    assert.is_nil(gone.dispatcher)
  end)

  it("follows the engine to another descriptor", function()
    local one, engine = loop_of "luv"
    local got = {}
    local function waiter(i)
      return coroutine.wrap(function() got[i] = call(one, engine, i) end)
    end
    waiter(1)()
    engine:finish()
    uv.run()
    engine.pipe = assert(uv.pipe({ nonblock = true }, { nonblock = true }))
    waiter(2)()
    engine:finish()
    uv.run()
    assert.same({ 1, 2 }, got)
  end)

  it("sleeps beside others", function()
    local one = loop_of "luv"
    local log = {}
    coroutine.wrap(function()
      one:sleep(0.03)
      log[#log + 1] = "late"
    end)()
    coroutine.wrap(function()
      one:sleep(0.01)
      log[#log + 1] = "early"
    end)()
    assert.is_true(one:spawn(function() end) == false) -- not in a coroutine
    uv.run()
    assert.same({ "early", "late" }, log)
  end)
end)

describe("the runtime", function()
  it("has what loops ask for as methods", function()
    local one, engine = loop_of "manual"
    assert.equal(engine:wake_fd(), one:pollfd())
    assert.equal(engine:wake_fd(), one:getfd())
    assert.equal("r", one:events())
    assert.is_nil(one:timeout())
    assert.is_false(one:dirty())
  end)

  it("parks a coroutine by yielding itself, and alone resumes it", function()
    local one, engine = loop_of "manual"
    local got
    local co = coroutine.create(function() got = call(one, engine, "x") end)
    local _, yielded = coroutine.resume(co)
    assert.equal(one, yielded)
    assert.equal(1, one:waiting())
    _, yielded = coroutine.resume(co) -- too early
    assert.equal(one, yielded)
    assert.equal(0, one:step())
    engine:finish()
    assert.equal(1, one:step())
    assert.equal("x", got)
    assert.equal("dead", coroutine.status(co))
    assert.equal(0, one:waiting())
  end)

  it("raises what a coroutine raised", function()
    local one, engine = loop_of "manual"
    coroutine.wrap(function()
      call(one, engine, 1)
      error({ mine = true })
    end)()
    engine:finish()
    local ok, why = pcall(one.step, one)
    assert.is_false(ok)
    assert.is_true(why.mine)
    assert.equal(0, one:waiting())
  end)

  it("of an engine that never waits has nothing to do", function()
    local db = assert(require("larder").open("memory:", { loop = "manual" }))
    local runtime = db:runtime()
    assert.equal(-1, runtime:pollfd())
    assert.equal(0, runtime:step())
    assert.equal(0, runtime:waiting())
    db:close()
    assert.has_error(function() require("larder").open("memory:", {}):runtime() end,
      'db:runtime needs a database opened with loop = "manual"')
  end)
end)

describe("waiting by a function", function()
  it("waits for the call's own descriptor", function()
    local engine = new_engine()
    local waits = {}
    local one = loop.choose(engine, { wait = function(fd, events, seconds)
      waits[#waits + 1] = { fd, events, seconds }
    end })
    local task = engine:task "x"
    local steps = 0
    function task:step()
      steps = steps + 1
      if steps < 3 then return PENDING, self end
      return self.result
    end
    assert.equal("x", wait.settle(one, PENDING, task))
    assert.equal(3, #waits)
    assert.same({ engine:wake_fd(), "r" }, waits[1])
    one:sleep(0.005)
    assert.equal(-1, waits[4][1])
    assert.is_false(one:spawn(print))
  end)
end)

describe("choosing a loop", function()
  it("takes what is named, what is loaded, or none", function()
    local engine = new_engine()
    assert.is_nil(loop.choose(engine, { wait = false }))
    assert.equal("manual", loop.choose(engine, { loop = "manual" }).name)
    assert.equal("luv", loop.choose(engine, { loop = "luv" }).name)
    assert.has_error(function() require("larder").open("memory:", { loop = "libev" }) end,
      'larder.open: option loop must be one of copas, cqueues, luv, manual, nginx, not "libev"')
    assert.has_error(function() require("larder").open("memory:", { loop = "luv", wait = false }) end,
      "larder.open takes loop or wait, not both")
  end)

  it("asks each of several who runs the caller", function()
    if not found_cqueues then return pending "lua-cqueues is not installed" end -- luacheck: ignore 143
    local loaded = { luv = package.loaded.luv, cqueues = package.loaded.cqueues, copas = package.loaded.copas }
    package.loaded.copas = nil
    local engine = new_engine()
    local one = loop.choose(engine, {})
    package.loaded.copas = loaded.copas
    assert.equal("any", one.name)
    local got = {}
    loops.luv(engine, function() got[1] = call(one, engine, "luv") end)
    loops.cqueues(engine, function() got[2] = call(one, engine, "cqueues") end)
    got[3] = call(one, engine, "neither")
    assert.same({ "luv", "cqueues", "neither" }, got)
    one:release()
  end)
end)
