-- Pages of docs/, read and run. A page's ```lua blocks are one program, top to bottom; a block whose first line is a comment with
-- a file's path is that file. What the program prints must be what its `-->` comments say.

local larder = require "larder"
local disk = require "tools.disk"
local lfs = require "lfs"

local book = {}

-- Every page whose code is a program. Those of the first list run on both engines.
local EVERYWHERE = {
  "tutorial", "declarations", "queries", "transactions", "moving-data", "testing", "auth", "operations", "security", "recipes",
  "configuration",
}
local POSTGRES = { "raw-sql", "errors", "recipes-postgres", "faq", "options" }

--- Names of the pages: all, on every engine, on PostgreSQL alone.
---@return string[] all
---@return string[] everywhere
---@return string[] postgres
function book.pages()
  local all = {}
  for _, list in ipairs { EVERYWHERE, POSTGRES } do
    for _, name in ipairs(list) do all[#all + 1] = name end
  end
  return all, EVERYWHERE, POSTGRES
end

local compile = loadstring or load -- luacheck: ignore

local function file_name(line)
  return line:match "^%-%- ([%w_/%.%-]+%.%w+)$" or line:match "^%-%- (%.%w+)$" or line:match "^# ([%w_/%.%-]+%.%w+)$"
end

--- A page's parts: the files it shows, and its program with every line at its place.
---@param path string
---@return { files: table<string, string>, code: string, said: string[] }
function book.read(path)
  local files, lines, said = {}, {}, {}
  local language, name, body
  for line in (disk.read(path) .. "\n"):gmatch "(.-)\n" do
    local kept = ""
    if language and line == "```" then
      if name then files[name] = table.concat(body, "\n") .. "\n" end
      language, name = nil, nil
    elseif language then
      if body == nil then
        body, name = {}, file_name(line)
      end
      body[#body + 1] = line
      if language == "lua" and not name then
        kept = line
        said[#said + 1] = line:match "%-%->%s*(.-)%s*$"
      end
    else
      language, body = line:match "^```(%w*)$", nil
    end
    lines[#lines + 1] = kept
  end
  return { files = files, code = table.concat(lines, "\n"), said = said }
end

local function write(dir, files)
  for name, text in pairs(files) do
    local at = dir
    for part in name:gmatch "([^/]+)/" do
      at = at .. "/" .. part
      lfs.mkdir(at)
    end
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    assert(file:write(text))
    file:close()
  end
end

--- A temporary directory with the files of these pages.
---@param pages table[]
---@return string dir
function book.folder(pages)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  for _, page in ipairs(pages) do write(dir, page.files) end
  return dir
end

-- A search path whose entries hold in every working directory.
local function from_anywhere(search, here)
  return ((";" .. search):gsub(";(%f[^;][^/;])", ";" .. here:gsub("%%", "%%%%") .. "/%1"):sub(2))
end

--- Run a page in a directory.
---@param name string
---@param page table
---@param dir string
---@param target string  what `larder.open()` opens
---@return string[] printed
function book.run(name, page, dir, target)
  local printed = {}
  local env = setmetatable({
    print = function(...)
      local list = { ... }
      for i = 1, select("#", ...) do list[i] = tostring(list[i]) end
      printed[#printed + 1] = table.concat(list, " ", 1, select("#", ...))
    end,
    require = function(module)
      if module == "larder" then
        return setmetatable({
          open = function(what, opts) return larder.open(what or target, opts) end,
        }, { __index = larder })
      end
      local file = io.open(dir .. "/" .. module:gsub("%.", "/") .. ".lua")
      if not file then return require(module) end
      local text = file:read "*a"
      file:close()
      return assert(compile(text, "=" .. module .. ".lua"))()
    end,
  }, { __index = _G })
  local chunk = assert(compile(page.code, "=" .. name))
  if setfenv then setfenv(chunk, env) else -- luacheck: ignore
    chunk = assert(load(page.code, "=" .. name, "t", env))
  end
  local here, path, cpath = assert(lfs.currentdir()), package.path, package.cpath
  package.path, package.cpath = from_anywhere(path, here), from_anywhere(cpath, here)
  assert(lfs.chdir(dir))
  local ok, why = xpcall(chunk, debug.traceback)
  assert(lfs.chdir(here))
  package.path, package.cpath = path, cpath
  assert(ok, why)
  return printed
end

local OF_MODULES = { ["larder."] = true, ["migrate."] = true, ["testing."] = true }
local codes = {} -- of pages that were asked for

local function shows(code, prefix, name)
  local pattern = name:gsub("%p", "%%%0") .. "%f[^%w_]"
  if not OF_MODULES[prefix] then return code:find(":" .. pattern) ~= nil end
  local module = prefix:sub(1, -2)
  for _, before in ipairs { "%f[%w_]" .. module .. "%.", module .. '%["', '"larder%.' .. module .. '"%)%.' } do
    if code:find(before .. pattern) then return true end
  end
  return false
end

--- The pages whose code calls a function.
---@param prefix string  "larder.", "db:", "store:" …
---@param name string
---@return string[] pages
function book.used(prefix, name)
  local list = {}
  for _, page in ipairs((book.pages())) do
    codes[page] = codes[page] or book.read("docs/" .. page .. ".md").code
    if shows(codes[page], prefix, name) then list[#list + 1] = page end
  end
  return list
end

return book
