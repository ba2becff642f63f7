-- What the locations of nginx.conf do. What cannot be answered to a client is noted in a shared dictionary.

local larder = require "larder"

local url = os.getenv "DATABASE_URL"
local doing = os.getenv "LAB_INIT" or "" -- what is tried in init and init_worker
local spill = os.getenv "LAB_SPILL"
local QUEUE = 2000 -- rows

larder.declare {
  name = "lab",
  entities = {
    {
      name = "events", table = "lab.events",
      fields = { { name = "id", type = "uuid", default = { "uuid" } }, { name = "n", type = "int8" } },
      key = { name = "events_pkey", "id" },
    },
  },
}

local lab = {}
local db

local function database()
  if db then return db end
  local opened, err = larder.open(url, {
    init_timeout = tonumber(os.getenv "LAB_PATIENCE"),
    writer = spill and { queue = QUEUE, policy = "spill", spill = spill, close_timeout = 2 },
  })
  if not opened then error("cannot open: " .. tostring(err)) end -- nginx shows texts only
  db = opened
  return db
end

local function note(name, text)
  ngx.shared.notes:set(name, text)
end

local function answer(rows, err)
  if rows then return ngx.say(rows[1].n) end
  ngx.status = 503
  ngx.say(tostring(err))
end

-- ---- phases ----

--- Note what comes of a statement: its answer, the error that was returned or the one that was raised.
local function note_query(name, statement)
  ngx.update_time()
  local started = ngx.now()
  local fine, rows, err = pcall(function() return database():query(statement or "select 42 as n") end)
  ngx.update_time()
  local text = fine and (rows and tostring(rows[1].n) or tostring(err)) or tostring(rows)
  note(name, text)
  note(name .. "_seconds", ngx.now() - started)
end

lab.note_query = note_query

function lab.init()
  if doing ~= "init" then return end
  note_query "init"
  if db then db:close() end
  db = nil
end

function lab.init_worker()
  if doing == "init_worker" then note_query "init_worker" end
  if doing == "stall" then note_query("stall", "select pg_sleep(60)::text as n") end
end

function lab.exit_worker()
  if db then db:close() end
end

function lab.timer()
  assert(ngx.timer.at(0, function() note_query "timer" end))
  ngx.say "ok"
end

function lab.note_of()
  ngx.say(ngx.shared.notes:get(ngx.var.arg_name) or "")
end

-- ---- statements ----

function lab.sleep()
  answer(database():query("select $1::float8 as n from pg_sleep($1)", tonumber(ngx.var.arg_s)))
end

function lab.number()
  answer(database():query("select $1::int8 as n from pg_sleep($2)", tonumber(ngx.var.arg_n), tonumber(ngx.var.arg_s or 0)))
end

--- Rows 1 to n that nobody waits for, more than the queue holds. The answer counts the accepted ones.
function lab.audit()
  local events, accepted = database():stores("lab").events, 0
  for n = 1, tonumber(ngx.var.arg_n) do
    if events:insert_async { n = n } then accepted = accepted + 1 end
  end
  ngx.say(accepted)
end

function lab.audit_one()
  local ok, err = database():stores("lab").events:insert_async { n = tonumber(ngx.var.arg_n) }
  note("audited", ok and "accepted" or tostring(err))
end

--- Two light threads of one request: each asks its own questions. The answer counts the wrong ones.
function lab.threads()
  local function ask(from)
    local wrong = 0
    for n = from, from + 199 do
      local rows = database():query("select $1::int8 as n", n)
      if not rows or rows[1].n ~= n then wrong = wrong + 1 end
    end
    return wrong
  end
  local a, b = ngx.thread.spawn(ask, 1000), ngx.thread.spawn(ask, 5000)
  local _, wrong_a = ngx.thread.wait(a)
  local _, wrong_b = ngx.thread.wait(b)
  ngx.say(wrong_a + wrong_b)
end

return lab
