--- larder keys: API keys of the family auth.

local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "keys" }

function command.describe(parser)
  local k = parser:command("keys", "API keys of the family auth."):require_command(true):command_target "sub"
  local issue = k:command("issue", "Make a key. Its secret is printed here and never again.")
  issue:argument "tenant"
  issue:argument "app"
  issue:option("--name", "What it is for."):default "cli"
  issue:option("--environment", "live or test."):choices { "live", "test" }:default "live"
  issue:option("--expires-at", "When it ends.")
  for _, row in ipairs { { "revoke", "End a key." }, { "rotate", "A new key in place of one; that one ends." } } do
    local c = k:command(row[1], row[2])
    c:argument "tenant"
    c:argument "app"
    c:argument("key_id", "Public part of the key.")
    c:flag("--json", "Print JSON.")
  end
  local verify = k:command("verify", "Whose key is it? The key is read from standard input.")
  verify:flag("--json", "Print JSON.")
  issue:flag("--json", "Print JSON.")
end

local function show(ctx, row, secret)
  if ctx.args.json then
    out.json { key = row, secret = secret }
    return exit.OK
  end
  for _, name in ipairs { "key_id", "tenant_id", "app_id", "name", "environment", "expires_at", "revoked" } do
    if row[name] ~= nil then out.line("%-12s %s", name, tostring(row[name])) end
  end
  if secret then out.line("%-12s %s", "secret", secret) end
  return exit.OK
end

local runs = {}

function runs.issue(ctx, keys)
  local a = ctx.args
  return keys:issue(a.tenant, a.app, { name = a.name, environment = a.environment, expires_at = a.expires_at })
end

function runs.revoke(ctx, keys)
  return keys:revoke(ctx.args.tenant, ctx.args.app, ctx.args.key_id)
end

function runs.rotate(ctx, keys)
  return keys:rotate(ctx.args.tenant, ctx.args.app, ctx.args.key_id)
end

-- Not from the command line, which other users of the machine can see.
function runs.verify(_, keys)
  return keys:verify((io.read "l" or ""):match "^%s*(.-)%s*$")
end

function command.run(ctx)
  return ctx:with_db(function(db)
    local row, secret = runs[ctx.args.sub](ctx, db:stores "auth".app_keys)
    if not row then return out.complain(secret) end
    return show(ctx, row, type(secret) == "string" and secret or nil)
  end)
end

return command
