--- What the clients that write their own SQL have in common.
local statements = {}

statements.written = "tenant_id, id, username, email, status, full_name, metadata"
statements.columns = statements.written .. ", created_at, updated_at, deleted_at"
statements.stamped = statements.written .. ", created_at, updated_at"

-- The values of `written` but the last; metadata goes as JSON text.
statements.plain_fields = { "tenant_id", "id", "username", "email", "status", "full_name" }

local SELECT = "select " .. statements.columns .. " from bench.users where "
local UPDATE = "update bench.users set full_name = 'Renamed', updated_at = now() where "

-- Parameters stand in the text as this client writes them: $1, ?, or a literal.

function statements.get(tenant, id)
  return ("%stenant_id = %s and id = %s"):format(SELECT, tenant, id)
end

function statements.list(tenant)
  return ("%stenant_id = %s order by id limit 10000"):format(SELECT, tenant)
end

function statements.update(tenant, id)
  return ("%stenant_id = %s and id = %s"):format(UPDATE, tenant, id)
end

function statements.insert(values)
  return ("insert into bench.users (%s) values (%s) returning created_at"):format(statements.written, values)
end

--- rows: a list of value lists, each with the stamps at its end.
function statements.bulk(rows)
  return ("insert into bench.bulk (%s) values (%s)"):format(statements.stamped, table.concat(rows, "), ("))
end

return statements
