--- Writing stores to files: one file a store, row by row, under another name until it is whole.

local core = require "larder.core"
local csv = require "larder.transfer.csv"
local errors = require "larder.base.errors"
local fields = require "larder.transfer.fields"
local misuse = require "larder.base.misuse"

local export = {}

local function failed(why)
  return nil, errors.new { code = "internal", message = tostring(why) }
end

-- ---- a row as text ----

local function check(row, list)
  for _, field in ipairs(list) do
    local err = core.unreadable(row[field.name])
    if err then return nil, errors.new { code = err.code, message = ("field %s cannot be read: %s"):format(field.name, err.message) } end
  end
  return true
end

local function csv_line(list, opts)
  return function(row)
    local parts = {}
    for i, field in ipairs(list) do
      local value = row[field.name]
      parts[i] = csv.field(value ~= nil and field.to_text(value) or nil, opts.delimiter, opts.null)
    end
    return table.concat(parts, opts.delimiter) .. "\n"
  end
end

local function csv_header(list, opts)
  local names = {}
  for i, field in ipairs(list) do names[i] = csv.field(field.name, opts.delimiter, opts.null) end
  return table.concat(names, opts.delimiter) .. "\n"
end

local function json_line(list)
  local names = {}
  for i, field in ipairs(list) do names[i] = (i == 1 and "{" or ",") .. core.json_encode(field.name) .. ":" end
  return function(row)
    local parts = {}
    for i, field in ipairs(list) do
      local value = row[field.name]
      parts[#parts + 1] = names[i]
      parts[#parts + 1] = value == nil and "null" or field.to_json(value)
    end
    return table.concat(parts) .. "}\n"
  end
end

-- ---- a file ----

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local function make_file(path)
  if path == "-" then return { file = io.stdout } end
  local file, why = io.open(path .. ".part", "wb")
  if not file then return failed(why) end
  return { file = file, path = path }
end

local function finish(out)
  if not out.path then
    local ok, why = out.file:flush()
    if not ok then return failed(why) end
    return true
  end
  local ok, why = out.file:close()
  if ok then ok, why = os.rename(out.path .. ".part", out.path) end
  if not ok then return failed(why) end
  return true
end

local function give_up(out)
  if not out.path then return end
  pcall(out.file.close, out.file)
  os.remove(out.path .. ".part")
end

local function write_batch(out, batch, list, line)
  for i = 1, batch:count() do
    local row = batch:row(i)
    local ok, err = check(row, list)
    if not ok then return nil, err end
    local why
    ok, why = out.file:write(line(row))
    if not ok then return failed(why) end
  end
  return true
end

local function write_rows(self, out, reader, at)
  local opts = self.files:options(at.path)
  local list = fields.all(self.describe(at.family, at.store))
  local line = opts.format == "csv" and csv_line(list, opts) or json_line(list)
  if opts.format == "csv" then
    local ok, why = out.file:write(csv_header(list, opts))
    if not ok then return failed(why) end
  end
  local n = 0
  while true do
    local batch, bad = reader.next(self.chunk)
    if not batch then
      if bad then return nil, bad end
      return n
    end
    if bad and bad[1] then return nil, bad[1].err end
    local ok, err = write_batch(out, batch, list, line)
    if not ok then return nil, err end
    n = n + batch:count()
    self.tick("write", at.family, at.store, n, reader.total)
  end
end

local function write_store(self, at)
  local started = core.now()
  local reader, err = self.source.open(at.family, at.store)
  if not reader then return nil, err end
  local out, n
  out, err = make_file(at.path)
  if out then
    n, err = write_rows(self, out, reader, at)
    if n then
      local ok
      ok, err = finish(out)
      n = ok and n
    end
    if not n then give_up(out) end
  end
  reader.close()
  if not n then return nil, err end
  return { family = at.family.name, store = at.store, read = n, written = n, skipped = 0, refused = 0, path = at.path,
    seconds = (core.now() - started) / 1e6 }
end

-- Which files; nothing is written over, unless that is wanted.
local function plan(self)
  local list = {}
  for _, family in ipairs(self.families) do
    for _, store in ipairs(family.stores) do
      local path = self.files:target(family.name, store)
      if path then
        if path ~= "-" and not self.overwrite and exists(path) then
          misuse.raise("larder.transfer: %s is there already; overwrite = true writes over it", path)
        end
        list[#list + 1] = { family = family, store = store, path = path }
      end
    end
  end
  return list
end

--- The report of a transfer before its first row. Its lists are lists as JSON when they are empty, too.
function export.report()
  local function list() return setmetatable({}, core.array_mt) end
  return { read = 0, written = 0, skipped = 0, refused = list(), stores = list() }
end

--- Write the families' stores.
---@param self { files: larder.Files, source: table, families: larder.Family[], describe: function, chunk: integer, overwrite: boolean?, tick: function }
---@return table|nil report
---@return larder.Error? err
function export.run(self)
  local list, started = plan(self), core.now()
  local report = export.report()
  local ok, err = self.source.within(function()
    for _, at in ipairs(list) do
      local done, why = write_store(self, at)
      if not done then return nil, why end
      report.stores[#report.stores + 1] = done
      report.read, report.written = report.read + done.read, report.written + done.written
    end
    return true
  end)
  if not ok then return nil, err end
  report.seconds = (core.now() - started) / 1e6
  return report
end

return export
