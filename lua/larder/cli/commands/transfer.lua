--- larder transfer: families from one database to another.

local larder = require "larder"
local moving = require "larder.cli.moving"
local out = require "larder.cli.print"

local command = { name = "transfer" }

function command.describe(parser)
  local c = parser:command("transfer", "Copy families from the database to another one.")
  c:argument("family", "Families."):args "+"
  c:option("--to", "The other database: a URI, a conninfo, or env:NAME for an environment of the project."):argname "URL"
  moving.describe_target(c)
  c:flag("--by-chunk", "Commit each chunk, and leave refused rows out.")
  c:flag("--json", "Print JSON.")
end

local function other(ctx)
  local name = ctx.args.to:match "^env:(.+)$"
  if not name then return ctx.args.to end
  return ctx.project:target({ env = name }).url
end

function command.run(ctx)
  local args = ctx.args
  if not args.to then return out.misuse("where to? say --to URL") end
  local names, url = ctx:families(args.family), other(ctx)
  return ctx:with_db(function(db)
    local to, err = larder.open(url)
    if not to then return out.complain(err) end
    local opts = { families = names, on_conflict = args.on_conflict, chunk = args.chunk, refused = args.refused, verify = args.verify,
      dry_run = args.dry_run, progress = moving.progress() }
    if args.by_chunk then opts.atomic = false end
    local code = moving.run(ctx, db, to, opts)
    to:close()
    return code
  end)
end

return command
