-- Directories of migrations, made for one test each.

local lfs = require "lfs"

local migrations = {}

---@param path string
---@param text string
function migrations.write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

--- A new directory with these files.
---@param files table<string, string>
---@return string dir
function migrations.directory(files)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  for name, text in pairs(files) do migrations.write(dir .. "/" .. name, text) end
  return dir
end

---@param dir string
function migrations.remove(dir)
  for file in lfs.dir(dir) do
    if file:sub(1, 1) ~= "." then os.remove(dir .. "/" .. file) end
  end
  lfs.rmdir(dir)
end

return migrations
