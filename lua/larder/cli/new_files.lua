--- Files that commands write: never over one that is there.

local larder = require "larder"
local exit = require "larder.cli.exit"
local files = require "larder.migrate.files"
local out = require "larder.cli.print"

local new_files = {}

--- Raises when the file is there.
---@param path string
function new_files.free(path)
  local there = io.open(path, "rb")
  if not there then return end
  there:close()
  error(path .. " is there already", 0)
end

--- Write a file that is not there yet. Raises when it is, or cannot be written.
---@param path string
---@param text string
function new_files.write(path, text)
  new_files.free(path)
  local f, why = io.open(path, "wb")
  if not f then error(why, 0) end
  f:write(text)
  f:close()
end

--- Where the migrations of a family lie: --dir, the project, or the declaration. Raises when nobody says.
---@param ctx larder.cli.Context
---@param name string
---@return string dir
function new_files.migrations(ctx, name)
  ctx.project:load()
  local family = require "larder.family".known(name)
  local dir = ctx.args.dir or ctx.project:migrations_of(name) or family and family.migrations
  if not dir then error(("where do the migrations of %s lie? say --dir, or migrations in the declaration"):format(name), 0) end
  return dir
end

--- Write the files of a new migration, with the next number (or a time, where the last one is one).
---@param dir string
---@param title string  letters, digits and underscores
---@param texts table<string, string>  ending, such as ".up.sql" → text
---@param timestamp? boolean
---@return string[]|nil paths
---@return larder.Error? err
function new_files.migration(dir, title, texts, timestamp)
  if not title:find "^[%w_]+$" then error("a migration's name is made of letters, digits and underscores", 0) end
  local list, err = files.read(dir)
  if not list then return nil, err end
  local last = list[#list]
  local version = ("%06d"):format(last and last.version + 1 or 1)
  if timestamp or last and last.version > 10 ^ 13 then version = os.date "!%Y%m%d%H%M%S" end
  local paths = {}
  for ending, text in pairs(texts) do
    local path = ("%s/%s_%s%s"):format(dir, version, title, ending)
    new_files.write(path, text)
    paths[#paths + 1] = path
  end
  table.sort(paths)
  return paths
end

--- Say which files were written.
---@param ctx larder.cli.Context
---@param paths string[]
---@return integer exit_code
function new_files.told(ctx, paths)
  if ctx.args.json then
    out.json { files = larder.array(paths) }
  else
    for _, path in ipairs(paths) do out.line("%s", path) end
  end
  return exit.OK
end

return new_files
