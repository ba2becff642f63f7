-- Fifty coroutines of cqueues share four connections. DATABASE_URL names a server:
--   DATABASE_URL=postgres://… lua5.4 examples/cqueues.lua

local cqueues = require "cqueues"
local larder = require "larder"
local must = larder.must

local COROUTINES, ROUNDS, PAGES = 50, 10, 5

-- cqueues is loaded, so calls wait in the controller that runs their coroutine. Outside of one they block.
local db = must(larder.open(os.getenv "DATABASE_URL", { pool = { max = 4 } }))

must(db:query "drop table if exists public.larder_example")
must(db:query "create table public.larder_example (page int8 primary key, visits int8 not null)")
must(db:query("insert into public.larder_example select page, 0 from generate_series(1, $1) as page", PAGES))

local loop = cqueues.new()
local done = {}

loop:wrap(function() -- a statement that takes too long holds up nobody; first, so that it need not wait for a connection
  local rows, err = db:query { "select pg_sleep(60)", timeout = 3 }
  done.slow = rows and "answered" or err.code
end)

for i = 1, COROUTINES do
  loop:wrap(function()
    for round = 1, ROUNDS do
      must(db:transaction({ retries = 5 }, function() -- a connection of its own, from the first statement to the end
        local rows = must(db:query("select visits from public.larder_example where page = $1 for update", (i + round) % PAGES + 1))
        must(db:query("update public.larder_example set visits = $1 where page = $2", rows[1].visits + 1, (i + round) % PAGES + 1))
      end))
    end
    done.workers = (done.workers or 0) + 1
  end)
end

assert(loop:loop()) -- ends when the last coroutine has ended

print(("%d coroutines have ended, the slow statement with: %s"):format(done.workers, done.slow))
for _, row in ipairs(must(db:query "select page, visits from public.larder_example order by page")) do
  print(("page %d: %d visits"):format(row.page, row.visits))
end
print(db:stats().total <= 4 and "four connections were enough" or "too many connections")

must(db:query "drop table public.larder_example")
db:close()
