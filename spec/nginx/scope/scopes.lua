-- What the requests of scope_spec.lua do: /name runs tasks.name and answers what it returns.

local larder = require "larder"

local scopes, tasks = {}, {}
local db

function scopes.open()
  db = assert(larder.open(os.getenv "DATABASE_URL"))
end

function scopes.close()
  db:close()
end

function scopes.run(name)
  return tasks[name]()
end

-- ---- where a transaction is when its request ends ----

local points = {}

function points.call()
  return db:query "select pg_sleep(60) /* dying */"
end

function points.sleep()
  ngx.sleep(60)
end

function points.socket()
  local socket = ngx.socket.tcp()
  socket:settimeout(60000)
  assert(socket:connect("127.0.0.1", tonumber(ngx.var.arg_silent)))
  return socket:receive()
end

--- Between two calls: it exits by itself, or works in small pieces.
function points.between()
  if ngx.var.uri:find "exit" then
    ngx.say "left"
    return ngx.exit(200)
  end
  while true do
    db:in_transaction()
    ngx.sleep(0.001)
  end
end

function points.nested()
  return db:transaction(function()
    assert(db:query "insert into public.scoped values ('dying, inside')")
    ngx.sleep(60)
  end)
end

points.tenant = points.sleep

local function transaction()
  local where = ngx.var.arg_where
  return assert(db:transaction({ tenant = where == "tenant" and "theirs" or nil }, function()
    assert(db:query "insert into public.scoped values ('dying')")
    return points[where]()
  end))
end

-- ---- how it ends ----

--- The client goes away: nginx ends the request by itself.
function tasks.client()
  transaction()
end

function tasks.exit()
  ngx.thread.spawn(function()
    ngx.sleep(0.2)
    ngx.say "left"
    return ngx.exit(200)
  end)
  transaction()
end

--- The same with the transaction in a light thread.
function tasks.exit_light()
  ngx.thread.spawn(transaction)
  ngx.sleep(0.2)
  ngx.say "left"
  return ngx.exit(200)
end

function tasks.kill()
  local thread = ngx.thread.spawn(transaction)
  ngx.sleep(0.2)
  return ngx.thread.kill(thread) and "left" or "still there"
end

-- ---- everybody else ----

--- One row alone and one in a transaction; answers what it could see of others.
function tasks.work()
  local n = ngx.var.arg_n
  assert(db:query("insert into public.scoped values ($1)", "alone " .. n))
  return assert(db:transaction(function()
    assert(db:query("insert into public.scoped values ($1)", "together " .. n))
    local seen = assert(db:query [[select count(*)::int8 as dying, coalesce(current_setting('larder.tenant', true), '') as tenant
      from public.scoped where name like 'dying%']])[1]
    return ("%d dying, tenant %q, inside: %s"):format(seen.dying, seen.tenant, tostring(db:in_transaction()))
  end))
end

function tasks.outside()
  return tostring(db:in_transaction())
end

--- A generator joins, a light thread does not.
function tasks.generate()
  local inside, beside
  local _, err = db:transaction(function()
    assert(db:query "insert into public.scoped values ('undone')")
    local thread = ngx.thread.spawn(function()
      beside = tostring(db:in_transaction()) .. #assert(db:query "select from public.scoped")
    end)
    local seen = {}
    for n in coroutine.wrap(function()
      for _ = 1, 2 do coroutine.yield(#assert(db:query "insert into public.scoped values ('undone') returning name")) end
      coroutine.yield(#assert(db:query "select from public.scoped"))
    end) do seen[#seen + 1] = n end
    inside = table.concat(seen, " ")
    ngx.thread.wait(thread)
    return nil, "undone"
  end)
  return ("%s inside, %s beside, %s"):format(inside, beside, tostring(err))
end

--- Where nothing can yield.
function tasks.refused()
  local codes = {}
  local function try()
    local ok, err = db:query "insert into public.scoped values ('refused')"
    codes[#codes + 1] = ok and "ran" or err.code
    return ""
  end
  assert(db:transaction(function()
    assert(db:query "insert into public.scoped values ('before')");
    ("x"):gsub("x", try)
    table.sort({ 2, 1 }, function(a, b)
      try()
      return a < b
    end)
    return db:query "insert into public.scoped values ('after')"
  end));
  ("x"):gsub("x", try)
  return table.concat(codes, " ")
end

return scopes
