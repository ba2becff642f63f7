--- larder seed: the project's seed files, in order, in one transaction each.

local lfs = require "lfs"
local exit = require "larder.cli.exit"
local larder = require "larder"
local out = require "larder.cli.print"

local command = { name = "seed" }

function command.describe(parser)
  local c = parser:command("seed", "Run the project's seed files: Lua files that return function(db).")
  c:argument("files", "Files; by default all of the directory `seeds` of the project."):args "*"
  c:flag("--json", "Print JSON.")
end

local function all_of(dir)
  if lfs.attributes(dir, "mode") ~= "directory" then error(dir .. ": there is no such directory", 0) end
  local files = {}
  for name in lfs.dir(dir) do
    if name:find "%.lua$" then files[#files + 1] = dir .. "/" .. name end
  end
  table.sort(files)
  return files
end

local function run_one(db, file)
  local chunk, why = loadfile(file)
  if not chunk then error(why, 0) end
  local seed = chunk()
  if type(seed) ~= "function" then error(file .. ": must return function(db)", 0) end
  return db:transaction(function()
    local ok, err = seed(db)
    if ok == nil and err ~= nil then return nil, err end
    return true
  end)
end

function command.run(ctx)
  local files = ctx.args.files
  if #files == 0 then
    local dir = ctx.project.settings.seeds
    if not dir then return out.misuse("name the files, or the directory: seeds in a file .larder") end
    files = all_of(ctx.project:absolute(dir))
  end
  ctx.project:load()
  return ctx:with_db(function(db)
    for _, file in ipairs(files) do
      local ok, err = run_one(db, file)
      if not ok then
        out.note("%s:", file)
        return out.complain(larder.is_error(err) and err or tostring(err))
      end
      if not ctx.args.json then out.line("%s", file) end
    end
    if ctx.args.json then out.json { files = larder.array(files) } end
    return exit.OK
  end)
end

return command
