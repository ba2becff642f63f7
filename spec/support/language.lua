-- Run as a program on the server of LARDER_TEST_URL: meets its errors and prints what a caller sees of each, without the server's own
-- words. The same lines must come from a server of every language.

local larder = require "larder"
local regress = require "spec.regress.stores"

local url = os.getenv "LARDER_TEST_URL"
local db = assert(larder.open(url))
local stores = regress.of(db)
local things, kids = stores.things, stores.kids

-- Errors whose words are larder's.
local function own(name, ok, err)
  if ok ~= nil then return print(name, "no error") end
  local fields = {}
  for field, what in pairs(err.fields or {}) do fields[#fields + 1] = field .. " " .. what end
  print(name, err.code, err.sqlstate, err.constraint, err.column, err.table, err.message,
    err.detail, err.retryable, table.concat(fields, "; "))
end

-- Errors whose words are the server's.
local function told(name, ok, err)
  if ok ~= nil then return print(name, "no error") end
  print(name, err.code, err.sqlstate, err.constraint, err.column, err.retryable)
end

assert(things:create { id = "a", title = "one", n = 9 })
assert(kids:create { id = 1, thing = "a" })

own("key", things:create { id = "a" })
own("unique", things:create { id = "b", title = "one" })
own("copy", larder.transfer({ regress = { things = { { id = "a" } } } }, db, { families = { "regress" } }))
own("parent", kids:create { id = 2, thing = "zz" })
own("child", things:delete "a")
own("children", things:delete_where(larder.all {}))
own("raw delete", db:query "delete from regress.things")
own("raw update", db:query "update regress.things set id = 'c'")
own("raw insert", db:query "insert into regress.kids values (9, 'zz')")
own("deferred", db:transaction(function()
  assert(db:query "alter table regress.kids alter constraint kids_thing_fkey deferrable initially deferred")
  assert(db:query "insert into regress.kids values (9, 'zz')")
  return true
end))
own("limit", things:patch("a", { n = larder.increment(5) }))
own("null", db:query "insert into regress.pairs (a) values (1)")
own("range", db:query "insert into regress.pairs values (1, 5000000000)")
own("zero", db:query "select 1/0 as a")
own("read only", db:transaction({ read_only = true }, function() return things:create { id = "x" } end))
own("lock", db:transaction(function()
  assert(db:query "lock table regress.pairs")
  local other = assert(larder.open(url))
  assert(other:query "set lock_timeout = '50ms'")
  local ok, err = other:session(function(session)
    assert(session:query "set lock_timeout = '50ms'")
    return session:query "select * from regress.pairs"
  end)
  other:close()
  return ok, err
end))
told("limit of the server", db:session(function(session)
  assert(session:query "set statement_timeout = '50ms'")
  return session:query "select pg_sleep(5) as a"
end))
told("limit of the call", db:query { "select pg_sleep(5) as a", timeout = 0.05 })
told("policy", (function()
  assert(db:query "drop role if exists larder_language")
  assert(db:query "create role larder_language")
  assert(db:query "grant usage on schema regress to larder_language")
  assert(db:query "grant all on all tables in schema regress to larder_language")
  assert(db:query "alter table regress.things enable row level security")
  local ok, err = db:transaction(function()
    assert(db:query "set local role larder_language")
    return things:create { id = "p" }
  end)
  assert(db:query "alter table regress.things disable row level security")
  assert(db:query "drop owned by larder_language")
  assert(db:query "drop role larder_language")
  return ok, err
end)())
told("raised", db:query "do $$ begin raise exception 'my own words' using errcode = '23505'; end $$")
told("no table", db:query "select * from regress.nothing")
told("syntax", db:query "selec 1")
told("database", larder.open((url:gsub("dbname=[%w_]+", "dbname=no_such_database"):gsub("/[%w_]+%?", "/no_such_database?"))))
told("ended", (function()
  local other = assert(larder.open(url))
  local ok, err = other:transaction(function()
    local pid = assert(other:query "select pg_backend_pid() as pid")[1].pid
    assert(db:query("select pg_terminate_backend($1) as gone", pid))
    return other:query "select 1 as a"
  end)
  other:close()
  return ok, err
end)())
assert(db:query "create table regress.changed (a int)")
for _ = 1, 3 do assert(db:query "select * from regress.changed") end
assert(db:query "alter table regress.changed add b date default '2026-01-02'")
assert(db:query "insert into regress.changed values (1)")
print("healed", assert(db:query "select * from regress.changed")[1].b)
assert(things:insert_async { id = "w", title = "one" })
assert(things:insert_async { id = "v", title = "two" })
assert(db:flush(10))
local stats = things:writer_stats().stores["regress.things"]
print("writer", stats.written, stats.duplicates, stats.rejected)
print("language", assert(db:query "show lc_messages")[1].lc_messages)
assert(db:query "drop schema regress cascade")
db:close()
