--- larder import: rows of files, NDJSON or CSV, into stores.

local lfs = require "lfs"
local larder = require "larder"
local moving = require "larder.cli.moving"
local out = require "larder.cli.print"

local command = { name = "import" }

function command.describe(parser)
  local c = parser:command("import", "Read files, NDJSON or CSV, into stores.")
  c:argument("files", "A directory, or files called family.store.ndjson or family.store.csv; - is standard input."):args "+"
  c:option("--into", "The store (family.store), when the file's name does not say it."):argname "STORE"
  moving.describe_files(c)
  moving.describe_target(c)
  c:flag("--by-chunk", "Commit each chunk, leave refused rows out, and go on where an earlier run stopped.")
  c:flag("--again", "With --by-chunk: import a file from its beginning, although it was imported before.")
  c:flag("--json", "Print JSON.")
end

local function store_of(path)
  local full = path:match "([^/]+)%.%w+$"
  if not full or not full:find "^[%a_][%w_]*%.[%a_][%w_]*$" then
    error(("which store does %s belong to? say --into family.store"):format(path), 0)
  end
  return full
end

-- A directory, or the store of each file.
local function where_of(args)
  local first = args.files[1]
  if #args.files == 1 and lfs.attributes(first, "mode") == "directory" then return first end
  if args.into and #args.files > 1 then error("--into goes with one file", 0) end
  local where = {}
  for _, path in ipairs(args.files) do
    if path ~= "-" and not lfs.attributes(path) then error(path .. ": there is no such file", 0) end
    local full = args.into or store_of(path)
    if where[full] then error(("two files for %s: %s and %s"):format(full, where[full], path), 0) end
    where[full] = path
  end
  return where
end

local function options(args)
  local opts = {
    on_conflict = args.on_conflict, chunk = args.chunk, refused = args.refused, verify = args.verify, dry_run = args.dry_run,
    progress = moving.progress(true),
  }
  if args.by_chunk then
    opts.atomic = false
    if not args.dry_run then opts.resume, opts.again = true, args.again end
  end
  return opts
end

function command.run(ctx)
  local args = ctx.args
  if args.by_chunk and not args.refused then return out.misuse("--by-chunk needs --refused FILE, for the rows that are left out") end
  if args.again and not args.by_chunk then return out.misuse("--again is for --by-chunk: without it, every run begins anew") end
  local files = larder.files(where_of(args), moving.file_options(args))
  ctx:families(files:families())
  return ctx:with_db(function(db)
    return moving.run(ctx, files, db, options(args))
  end)
end

return command
