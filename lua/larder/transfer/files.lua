--- Files as a source or a target of larder.transfer: one file a store, NDJSON or CSV.

local core = require "larder.core"
local errors = require "larder.base.errors"
local fields = require "larder.transfer.fields"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"
local records = require "larder.transfer.records"

local ENDINGS = { ndjson = "ndjson", jsonl = "ndjson", csv = "csv" }

---@class larder.FileOptions
---@field format? "ndjson"|"csv"  by default what the names of the files end in, and ndjson for a directory to be written
---@field delimiter? string  of CSV, one character (",")
---@field null? string       text that stands for NULL in CSV when it is not in quotes ("")
---@field max_line? integer  bytes of the longest line or record (16 MiB)

---@class larder.Files
local Files = {}
Files.__index = Files

local OPTIONS = options.set { format = { "ndjson", "csv" }, delimiter = "string", null = "string", max_line = "positive" }

local files = {}

-- ---- which files ----

local function ending_of(path)
  return ENDINGS[path:match "%.(%w+)$" or ""]
end

-- "shop.items" of ".../shop.items.csv"
local function store_of(path)
  return path:match "([^/]+)%.%w+$"
end

local function lfs()
  local there, module = pcall(require, "lfs")
  if not there then misuse.raise "larder.files: directories need the rock luafilesystem (Debian: lua-filesystem)" end
  return module
end

local function split(full, where)
  local family_name, store = full:match "^([%a_][%w_]*)%.([%a_][%w_]*)$"
  if not family_name then misuse.raise("%s: %q is no store; write family.store, such as shop.items", where, full) end
  return family_name, store
end

--- Files: a directory with a file `family.store.ndjson` (or .csv) for each store, or `{ ["family.store"] = "path" }`. A path "-" is
-- standard input or output.
---@param where string|table<string, string>
---@param opts? larder.FileOptions
---@return larder.Files
function files.new(where, opts)
  opts = options.read(opts, OPTIONS, "larder.files")
  if opts.delimiter and (#opts.delimiter ~= 1 or opts.delimiter:find '["\r\n]') then
    misuse.raise "larder.files: the delimiter must be one character, and neither a quote nor the end of a line"
  end
  if type(where) ~= "string" then misuse.check_shape(where, "record", "larder.files: the files") end
  local self = setmetatable({ opts = opts }, Files)
  if type(where) == "string" then
    self.dir = where
  else
    self.paths = {}
    for full, path in pairs(where) do
      split(full, "larder.files")
      if type(path) ~= "string" then misuse.raise("larder.files: the path of %s must be a text, not %s", full, misuse.kind(path)) end
      self.paths[full] = path
    end
  end
  return self
end

---@return boolean
function files.is(v)
  return type(v) == "table" and getmetatable(v) == Files
end

-- The files of the directory: what else lies there is none of ours, but two files for one store are one too many.
local function read_dir(self)
  local fs, found = lfs(), {}
  if fs.attributes(self.dir, "mode") ~= "directory" then misuse.raise("larder.files: there is no directory %s", self.dir) end
  for name in fs.dir(self.dir) do
    local format = ending_of(name)
    if format and (not self.opts.format or format == self.opts.format) then
      local full = store_of(name)
      if full and full:find "^[%a_][%w_]*%.[%a_][%w_]*$" then
        if found[full] then misuse.raise("larder.files: %s and %s/%s are both of %s; say format", found[full], self.dir, name, full) end
        found[full] = self.dir .. "/" .. name
      end
    end
  end
  if next(found) == nil then misuse.raise("larder.files: no file in %s is called family.store.ndjson or family.store.csv", self.dir) end
  return found
end

--- Path of each store's file, of those that are there.
---@return table<string, string>
function Files:all()
  if not self.found then self.found = self.paths or read_dir(self) end
  return self.found
end

--- The families that have files, and the stores that no family has.
---@return string[]
function Files:families()
  local names, seen = {}, {}
  for full in pairs(self:all()) do
    local name = split(full, "larder.files")
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- Every file must belong to a store of one of the families.
---@param list larder.Family[]
function Files:check(list)
  local stores, names = {}, {}
  for _, made in ipairs(list) do
    names[#names + 1] = made.name
    for _, store in ipairs(made.stores) do stores[made.name .. "." .. store] = true end
  end
  for full, path in pairs(self:all()) do
    local name = split(full, "larder.files")
    local known
    for _, one in ipairs(names) do known = known or one == name end
    if not known then misuse.raise("larder.transfer: the file %s is of none of the families%s", path, misuse.hint(name, names)) end
    if not stores[full] then
      misuse.raise("larder.transfer: the file %s is of no store%s", path, misuse.hint(full, misuse.names(stores)))
    end
  end
end

--- Options of one file, with what was left open.
function Files:options(path)
  local given = self.opts
  return {
    format = given.format or ending_of(path) or "ndjson", delimiter = given.delimiter or ",", null = given.null or "",
    max_line = given.max_line,
  }
end

--- Path of a file to be written.
function Files:target(family_name, store)
  if self.dir then return ("%s/%s.%s.%s"):format(self.dir, family_name, store, self.opts.format or "ndjson") end
  return self.paths[family_name .. "." .. store]
end

-- ---- reading ----

local function open_file(path)
  if path == "-" then return io.stdin end
  local file, why = io.open(path, "rb")
  if not file then return nil, errors.new { code = "not_found", message = why } end
  return file
end

local function size_of(file, path)
  if path == "-" then return nil end
  local size = file:seek "end"
  file:seek "set"
  return size
end

-- Records → a batch, what it does not take, and where its rows stand.
local function batch_of(schema, store, found, bad)
  local rows = {}
  for i, item in ipairs(found) do rows[i] = item.row end
  local batch, refused = core.batch(schema, store, rows)
  local left_out = {}
  for _, item in ipairs(refused) do
    left_out[item.index] = true
    bad[#bad + 1] = { row = item.row, err = item.err, place = found[item.index].place }
  end
  local places = {}
  for i, item in ipairs(found) do
    if not left_out[i] then places[#places + 1] = item.place end
  end
  return batch, bad, function(i) return places[i] end
end

local function make_reader(made, store, path, file, rows)
  local reader = { total = rows.size or 0, rows = (rows.size or 0) / 200, records = rows, path = path }

  function reader.next(max)
    local found, bad, read = {}, {}, 0
    while read < max do
      local item, err = rows:next()
      if err then return nil, err end
      if not item then break end
      read = read + 1
      if item.row then found[#found + 1] = item else bad[#bad + 1] = item end
    end
    if read == 0 then return nil end
    return batch_of(made.schema, store, found, bad)
  end

  function reader.done() return rows:position().offset end

  -- The one record at a place again, as a batch of one row.
  function reader.again(place)
    local ok, err = rows:seek { offset = place.offset, line = place.line, index = place.index - 1 }
    if not ok then return nil, err end
    return reader.next(1)
  end

  function reader.close()
    if path ~= "-" then file:close() end
  end

  return reader
end

--- Open the file of a store.
---@param made larder.Family
---@param store string
---@param describe fun(family: larder.Family, store: string): table
function Files:open(made, store, describe)
  local full = made.name .. "." .. store
  local path = self:all()[full]
  if not path then return { total = 0, next = function() return nil end, close = function() end } end
  local file, err = open_file(path)
  if not file then return nil, err end
  local list, by_name = fields.all(describe(made, store))
  local rows
  rows, err = records.open(file, { path = path, store = full, list = list, by_name = by_name, opts = self:options(path),
    size = size_of(file, path) })
  if not rows then
    if path ~= "-" then file:close() end
    return nil, err
  end
  return make_reader(made, store, path, file, rows)
end

--- Files as a source of a transfer.
---@param describe fun(family: larder.Family, store: string): table
function Files:source(describe)
  local made = { once = false }
  for _, path in pairs(self:all()) do made.once = made.once or path == "-" end
  function made.open(of_family, store) return self:open(of_family, store, describe) end
  function made.has(of_family, store) return self:all()[of_family.name .. "." .. store] ~= nil end
  function made.within(fn) return fn() end

  -- Can all of them be opened, and are their headers right? Before the first row of the first one is written.
  function made.check(list)
    for _, one in ipairs(list) do
      for _, store in ipairs(one.stores) do
        local reader, err
        if self:all()[one.name .. "." .. store] ~= "-" then reader, err = self:open(one, store, describe) end
        if err then return nil, err end
        if reader then reader.close() end
      end
    end
    return true
  end

  return made
end

return files
