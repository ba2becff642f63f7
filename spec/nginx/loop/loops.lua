-- What the requests of loop_spec.lua do: /name runs tasks.name and answers what it returns.

local larder = require "larder"

larder.declare { name = "looped", entities = { { name = "numbers", table = "public.looped_view",
  key = { name = "looped_numbers_pkey", "n" }, fields = { { name = "n", type = "int8" }, { name = "napped", type = "int4" } } } } }

local loops, tasks = {}, {}
local db

--- In init_by_lua: each worker goes on with connections of its own.
function loops.open()
  db = assert(larder.open(os.getenv "DATABASE_URL"))
end

--- Closing works where nothing can wait.
function loops.close()
  db:close()
end

function loops.run(name)
  return tasks[name]()
end

local function number(n)
  local rows, err = db:query("select $1::int8 as n", n)
  return rows and rows[1].n or tostring(err)
end

function tasks.number()
  return number(tonumber(ngx.var.arg_n))
end

--- A light thread is killed while it waits.
function tasks.kill()
  local thread = ngx.thread.spawn(function() return db:query "select pg_sleep(60) /* killed */" end)
  ngx.sleep(0.2)
  local ok, err = ngx.thread.kill(thread)
  return ok and "killed" or err
end

--- The request ends while one of its light threads waits inside a transaction.
function tasks.exit()
  ngx.thread.spawn(function()
    return db:transaction(function()
      assert(db:query "insert into public.looped_exit values (1)")
      return db:query "select pg_sleep(60) /* left */"
    end)
  end)
  ngx.sleep(0.3)
  ngx.say "left"
  return ngx.exit(200)
end

--- The tenant and role of single calls of this request, beside others of another tenant: as they were each time.
function tasks.view()
  local tenant = ngx.var.arg_tenant
  local view, seen = assert(db:with { tenant = tenant, settings = { ["app.user"] = "u" .. tenant } }), {}
  local function look()
    local rows = assert(view:query "select current_setting('larder.tenant') || current_setting('app.user') as who")
    seen[rows[1].who] = true
  end
  local threads = {}
  for i = 1, 4 do threads[i] = ngx.thread.spawn(function() for _ = 1, 5 do look() end end) end
  for i = 1, 4 do assert(ngx.thread.wait(threads[i])) end
  local none = assert(db:query "select coalesce(current_setting('larder.tenant', true), '') as tenant")[1].tenant
  local list = {}
  for who in pairs(seen) do list[#list + 1] = who end
  return table.concat(list, " ") .. "|" .. none
end

--- Coroutines of the program's own, inside a request's.
function tasks.generate()
  local sum = 0
  for n in coroutine.wrap(function()
    for i = 1, 10 do coroutine.yield(number(i)) end
  end) do sum = sum + n end
  return sum
end

--- The request ends at a row of the second page of 500, while the third one is under way; its coroutine is never resumed.
function tasks.ahead()
  local numbers = db:stores("looped").numbers
  ngx.thread.spawn(function()
    for row in numbers:each { read_ahead = true } do
      if row.n == 501 then ngx.sleep(60) end
    end
  end)
  ngx.sleep(0.5)
  ngx.say "left"
  return ngx.exit(200)
end

--- Each that reads ahead, to its end, with calls in between.
function tasks.each()
  local n = 0
  for row in db:stores("looped").numbers:each { page = 100, read_ahead = true } do
    n = n + 1
    assert(row.n == n)
    if n % 150 == 0 then number(n) end
  end
  return n
end

--- Take the poller's connection away from it.
function tasks.cut()
  local path = db._engine:wake_path()
  local socket = ngx.socket.tcp()
  local ok, err = socket:connect("unix:" .. path)
  socket:close()
  return ok and "cut" or err
end

function tasks.poller()
  return tostring(db._wait.poller)
end

--- Hold a timer, so that no other one runs where one at a time may.
function tasks.occupy()
  assert(ngx.timer.at(0, function() ngx.sleep(8) end))
  return "occupied"
end

function tasks.memory()
  collectgarbage()
  collectgarbage()
  return db._dispatcher.waiting .. " waiting, " .. #db._wait.free .. " waiters"
end

return loops
