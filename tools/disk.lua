-- Reading files and folders, for tools and specs.

local lfs = require "lfs"

local disk = {}

--- A file's text; raises when it cannot be read.
---@param path string
---@return string
function disk.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Call fn with the path of every file below a folder, in the order of their names; hidden ones are left out.
---@param dir string
---@param fn fun(path: string)
function disk.walk(dir, fn)
  local names = {}
  for name in lfs.dir(dir) do
    if name:sub(1, 1) ~= "." then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = dir .. "/" .. name
    if lfs.attributes(path, "mode") == "directory" then disk.walk(path, fn) else fn(path) end
  end
end

return disk
