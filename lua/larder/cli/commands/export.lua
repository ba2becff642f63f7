--- larder export: stores as files, NDJSON or CSV.

local lfs = require "lfs"
local larder = require "larder"
local moving = require "larder.cli.moving"
local out = require "larder.cli.print"

local command = { name = "export" }

function command.describe(parser)
  local c = parser:command("export", "Write stores to files, NDJSON or CSV.")
  c:argument("what", "Families, or one store (family.store)."):args "+"
  c:option("-o --output", "A directory for families; a file for one store (default: standard output)."):argname "PATH"
  moving.describe_files(c)
  c:flag("--overwrite", "Write over files that are there.")
  c:flag("--json", "Print what was written as JSON.")
end

local function is_directory(path)
  return lfs.attributes(path, "mode") == "directory"
end

-- One store, into a file or to standard output.
local function one_store(ctx, full)
  local family, store = full:match "^([^.]+)%.(.+)$"
  ctx:families { family }
  local path = ctx.args.output or "-"
  if is_directory(path) then path = ("%s/%s.%s"):format(path, full, ctx.args.format or "ndjson") end
  return { [family .. "." .. store] = path }, { family }, path == "-"
end

local function families(ctx)
  local names, dir = ctx:families(ctx.args.what), ctx.args.output
  if not dir then error("say where to write: --output DIRECTORY", 0) end
  if not is_directory(dir) and not lfs.mkdir(dir) then error(dir .. " cannot be made a directory", 0) end
  return dir, names, false
end

function command.run(ctx)
  local args = ctx.args
  local where, names, to_stdout
  if #args.what == 1 and args.what[1]:find(".", 1, true) then
    where, names, to_stdout = one_store(ctx, args.what[1])
  else
    for _, name in ipairs(args.what) do
      if name:find(".", 1, true) then return out.misuse("one store at a time, or whole families: %s", table.concat(args.what, " ")) end
    end
    where, names = families(ctx)
  end
  local files = larder.files(where, moving.file_options(args))
  return ctx:with_db(function(db)
    return moving.run(ctx, db, files, { families = names, overwrite = args.overwrite, progress = moving.progress() }, to_stdout)
  end)
end

return command
