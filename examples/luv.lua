-- Twenty coroutines in the event loop of luv share two connections, beside a timer. DATABASE_URL names a server:
--   DATABASE_URL=postgres://… lua5.4 examples/luv.lua

local uv = require "luv"
local larder = require "larder"
local must = larder.must

-- luv is loaded, so a call inside a coroutine yields until its answer is there. Outside of one it blocks.
local db = must(larder.open(os.getenv "DATABASE_URL", { pool = { max = 2 } }))

--- Run fn in a coroutine of its own; what it raises ends the program, as it does in any callback of luv.
local function spawn(fn, ...)
  coroutine.wrap(fn)(...)
end

local ticks = 0
local timer = uv.new_timer()
timer:start(5, 5, function() ticks = ticks + 1 end)

local sum, left = 0, 20
local function ask(n)
  local rows = must(db:query("select $1::int8 * $1 as square", n)) -- others run until the next line
  sum, left = sum + rows[1].square, left - 1
end
for n = 1, left do spawn(ask, n) end
print(("%d coroutines wait, none has an answer yet: %d"):format(left, sum))

spawn(function()
  must(db:query "select pg_sleep(0.2)") -- the timer goes on meanwhile
  print(ticks > 10 and "the timer went on" or "the timer was held up")
  timer:close()
end)

uv.run() -- ends when nobody waits for the database and no handle of the program's own is active

print(("%d wait, the sum of the squares is %d"):format(left, sum))
print(db:stats().total <= 2 and "two connections were enough" or "too many connections")
db:close()
