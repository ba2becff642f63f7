-- The first call of a loop starts the engine's thread, which takes descriptors, memory and a thread. When one of them cannot be
-- had, the call answers an error. Each case is a program of its own: a crash must not end the specs.

local must = require "spec.support.must"

local url = must(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
url = url .. (url:find("?", 1, true) and "&" or "?") .. "pool_max_conns=2"

local PRELUDE = ([[
  local core, larder = require "larder.core", require "larder"
  io.stdout:setvbuf "no"
  local function open() return assert(larder.open(%q, { loop = "manual" })) end
  local db = open()
  local function say(ok, err) print(ok and "ok" or err.code) end
  --- Run fn in a coroutine until it ends.
  local function run(fn)
    local co = coroutine.create(fn)
    repeat
      assert(coroutine.resume(co))
      if coroutine.status(co) ~= "dead" then db:runtime():step() core.sleep(0.001) end
    until coroutine.status(co) == "dead"
  end
  local held = {}
  local function use_up_descriptors()
    while true do
      local file = io.open "/dev/null"
      if not file then return end
      held[#held + 1] = file
    end
  end
  local function give_back()
    for i, file in ipairs(held) do file:close() held[i] = nil end
  end
]]):format(url)

describe("a call that cannot be handed to the engine's thread", function()
  --- What a program prints; limits: for the shell that starts it.
  local function output(program, limits)
    local script = os.tmpname()
    local file = must(io.open(script, "w"))
    file:write(PRELUDE, program)
    file:close()
    local pipe = must(io.popen(("%s tools/lua.sh %s %s 2>&1"):format(limits or "", os.getenv "LARDER_TEST_LUA" or "lua5.4", script)))
    local text = pipe:read "*a"
    pipe:close()
    os.remove(script)
    return text
  end

  it("FT-l18 answers an error when no descriptor is left, and goes on when there is one", function()
    assert.equal("capacity\ncapacity\ncapacity\nok\nok\n", output([[
      use_up_descriptors()
      run(function() say(db:query "select 1") end)
      run(function() say(db:transaction(function() return db:query "select 1" end)) end)
      run(function() say(db:pipeline(function(p) p:query "select 1" end)) end)
      give_back()
      run(function() say(db:query "select 1") end)
      run(function() say(db:transaction(function() return db:query "select 1" end)) end)
    ]], "ulimit -n 64;"))
  end)

  it("FT-l19 answers an error when no thread can be made", function()
    assert.equal("capacity\ncapacity\nalive\n", output([[
      run(function() say(db:query "select 1") end)
      run(function() say(db:transaction(function() return db:query "select 1" end)) end)
      print "alive"
    ]], "ulimit -s 1000000000;")) -- a thread's stack would be larger than what there is
  end)

  it("FT-l20 answers closed when the database was closed meanwhile", function()
    assert.equal("closed\nfinished\n", output [[
      local _, task = db._engine:query("select 1", { n = 0 })
      db._engine:close()
      say(task:submit(1))
      collectgarbage()
      print(pcall(task.submit, task, 2) and "again" or "finished")
    ]])
  end)

  it("FT-l21 answers an error for each allocation that fails on the way", function()
    assert.equal("capacity ok\n", output [[
      local codes = {}
      for n = 1, 200 do
        local other = open()
        local ok, err, failed
        local co = coroutine.create(function() ok, err = other:query "select 1" end)
        core.mem_fail_at(n)
        repeat
          assert(coroutine.resume(co))
          if coroutine.status(co) ~= "dead" then other:runtime():step() core.sleep(0.001) end
        until coroutine.status(co) == "dead"
        failed = core.mem_failed()
        core.mem_fail_at(0)
        codes[ok and "ok" or err.code] = true
        other:close()
        if not failed then break end
      end
      local list = {}
      for code in pairs(codes) do list[#list + 1] = code end
      table.sort(list)
      print(table.concat(list, " "))
    ]])
  end)
end)
