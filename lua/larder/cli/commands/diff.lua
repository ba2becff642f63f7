--- larder diff: the migration that makes the database equal to the declarations.

local larder = require "larder"
local diff = require "larder.migrate.diff"
local exit = require "larder.cli.exit"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"

local command = { name = "diff" }

function command.describe(parser)
  local c = parser:command("diff", "The migration that makes the database equal to the declarations.")
  c:argument("family", "Family (default: the project's, when it is one)."):args "?"
  c:option("--name", "Write it to the files of a new migration of this name.")
  c:option("--dir", "Directory of the migration files.")
  c:option("--rename", "A column that has got another name, like shop.items.title=name."):count "*"
  c:flag("--json", "Print JSON.")
end

local function show(ctx, found)
  if ctx.args.json then
    out.json { up = found.up, down = found.down, faults = larder.array(found.faults), by_hand = found.by_hand }
  elseif #found.faults == 0 then
    out.line("%s: no drift", ctx.args.family)
  else
    out.line("%s", found.up)
    out.line("-- undo\n%s", found.down)
  end
  return exit.OK
end

local function write(ctx, found, dir)
  if #found.faults == 0 then
    out.note("%s: no drift, and nothing to write", ctx.args.family)
    return exit.OK
  end
  local paths, err = new_files.migration(dir, ctx.args.name, { [".up.sql"] = found.up, [".down.sql"] = found.down })
  if not paths then return out.complain(err) end
  new_files.told(ctx, paths)
  if found.by_hand > 0 then out.note("%d of them must be written by hand: see the remarks", found.by_hand) end
  return exit.OK
end

local function renames_of(list)
  local map = {}
  for _, text in ipairs(list or {}) do
    local in_table, old, new = text:match "^(.+)%.([^.=]+)=([^.=]+)$"
    if not in_table then error(("--rename %s: name the column and its new name, like shop.items.title=name"):format(text), 0) end
    map[in_table] = map[in_table] or {}
    map[in_table][old] = new
  end
  return map
end

function command.run(ctx)
  ctx.args.family = ctx:family_or_own(ctx.args.family)
  ctx:families { ctx.args.family }
  if ctx.args.name and not ctx.args.name:find "^[%w_]+$" then error("a migration's name is made of letters, digits and underscores", 0) end
  local dir = ctx.args.name and new_files.migrations(ctx, ctx.args.family)
  local renames = renames_of(ctx.args.rename)
  return ctx:with_db(function(db)
    local found, err = diff.write(db, ctx.args.family, renames)
    if not found then return out.complain(err) end
    return dir and write(ctx, found, dir) or show(ctx, found)
  end)
end

return command
