--- Where migrations lie, and reading a directory of them. What files are called, and what is refused: csrc/core/migrate/files.h.

local lfs = require "lfs"
local core = require "larder.core"

local files = {}

-- Absolute, for programs that change their directory.
local here = debug.getinfo(1, "S").source:match "^@(.*)files%.lua$" or "./"
if here:sub(1, 1) ~= "/" then here = lfs.currentdir() .. "/" .. here end

--- Where the SQL of a built-in family lies: beside the installed Lua files, or in the checkout.
---@param family string
---@return string dir
function files.default_dir(family)
  local installed = here .. "../sql/" .. family
  if lfs.attributes(installed, "mode") == "directory" then return installed end
  return here .. "../../../sql/" .. family
end

--- Has larder files of its own for the family?
---@param family string
---@return boolean
function files.is_built_in(family)
  return lfs.attributes(files.default_dir(family), "mode") == "directory"
end

--- The directory of a family: what the call says, what its declaration says, or that of a built-in one.
---@param db larder.Db
---@param family string
---@param dir? string
---@return string
function files.dir(db, family, dir)
  if dir then return dir end
  local declared = db:_migrations_of(family)
  if declared then return declared end
  if not files.is_built_in(family) then db:_family(family, "larder.migrate") end -- raises when there is no such family
  return files.default_dir(family)
end

---@class larder.MigrationFile
---@field version integer
---@field name string
---@field file string          of the way up; of both ways in dbmate's layout
---@field down_file? string
---@field up_sql string
---@field down_sql? string
---@field checksum string      of the way up
---@field lua boolean          a migration of data, which Lua runs
---@field only_plain boolean
---@field no_transaction boolean

--- Every migration of a directory, ascending by version. Nothing of it has run.
---@param dir string
---@return larder.MigrationFile[]|nil
---@return larder.Error? err  `invalid` or `syntax`, with reason, file and line
function files.read(dir)
  return core.migrations(dir)
end

return files
