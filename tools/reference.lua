-- docs/reference.md from the annotations of the sources; `tools/reference.sh` writes it.
-- spec/unit/reference_spec.lua checks that the page is current and complete.

local annotations = require "tools.annotations"

local reference = {}

-- Whose functions are public, in the order of the page: heading, prefix of a call, and the sources with the tables that hold
-- them there. A table's name with a dot in front holds functions, with a colon methods.
local PARTS = {
  { title = "larder", prefix = "larder.", sources = {
    { "lua/larder/init.lua", ".larder" }, { "lua/larder/base/errors.lua", ".errors", only = { must = "must", is = "is_error" } },
    { "lua/larder/base/expr.lua", ".expr", without = "keys" }, { "lua/larder/config/seal.lua", ".seal" },
  } },
  { title = "Database", prefix = "db:", sources = { { "lua/larder/db/init.lua", ":Db" } } },
  { title = "Stores: reading", prefix = "store:", sources = {
    { "lua/larder/store/read.lua", ":read" }, { "lua/larder/store/search.lua", ":methods" },
    { "lua/larder/store/support.lua", ".support", only = { operate = "run" } },
  } },
  { title = "Stores: writing", prefix = "store:", sources = {
    { "lua/larder/store/write.lua", ":write" }, { "lua/larder/store/write.lua", ":soft" },
  } },
  { title = "Stores: rows that nobody waits for", prefix = "store:", sources = { { "lua/larder/store/async.lua", ":methods" } } },
  { title = "Stores: partitions", prefix = "store:", sources = { { "lua/larder/store/partitions.lua", ":methods" } } },
  { title = "Transaction", prefix = "tx:", sources = { { "lua/larder/db/tx.lua", ":Tx" } } },
  { title = "Session", prefix = "session:", sources = { { "lua/larder/db/raw.lua", ":Session" } } },
  { title = "Pipeline", prefix = "p:", sources = { { "lua/larder/db/raw.lua", ":Pipeline" } } },
  { title = "Rows of each", prefix = "rows:", sources = { { "lua/larder/store/each.lua", ":Rows", only = { close = "close" } } } },
  { title = "Cursor", prefix = "cursor:", sources = { { "lua/larder/db/cursor.lua", ":Cursor", only = { close = "close" } } } },
  { title = "Dead letters", prefix = "letters:", sources = { { "lua/larder/store/dead_letters.lua", ":DeadLetters" } } },
  { title = "Decimal", prefix = "decimal:", sources = { { "lua/larder/base/decimal.lua", ":Decimal" } } },
  { title = "Runtime", prefix = "runtime:", sources = { { "lua/larder/loop/manual.lua", ":Runtime",
    only = { pollfd = "pollfd", events = "events", timeout = "timeout", dirty = "dirty", step = "step", waiting = "waiting" } } } },
  { title = "larder.migrate", prefix = "migrate.", sources = { { "lua/larder/migrate/init.lua", ".migrate" } } },
  { title = "larder.testing", prefix = "testing.", sources = { { "lua/larder/testing/init.lua", ".testing" } } },
  { title = "Frozen clock", prefix = "frozen:", sources = { { "lua/larder/testing/init.lua", ":Frozen" } } },
  { title = "Factory", prefix = "factory:", sources = {
    { "lua/larder/testing/init.lua", ":Factory", only = { make = "make", create = "create", load = "load" } },
  } },
}

-- Tables of options and of what is answered.
local CLASSES = {
  "OpenOptions", "ConfigOptions", "WriterOptions", "ViewOptions", "TxOptions", "ReadOptions", "ListOptions", "EachOptions", "ListInfo",
  "UpdateOptions", "AggregateOptions", "TransferOptions", "FileOptions", "MigrateOptions", "Error", "Event", "FieldDeclaration",
  "EntityDeclaration", "SearchDeclaration", "PartitionDeclaration", "WriterStats", "WriterStoreStats", "DeadLetter",
}

-- Those of CLASSES that a program hands over: each entry has an example (spec/unit/reference_spec.lua).
reference.OPTIONS = {
  "OpenOptions", "ConfigOptions", "WriterOptions", "ViewOptions", "TxOptions", "ReadOptions", "ListOptions", "EachOptions", "UpdateOptions",
  "AggregateOptions", "TransferOptions", "FileOptions", "MigrateOptions", "FieldDeclaration", "EntityDeclaration", "SearchDeclaration",
  "PartitionDeclaration",
}

local SOURCES = {}
for _, part in ipairs(PARTS) do
  for _, source in ipairs(part.sources) do SOURCES[source[1]] = true end
end
local OF_CLASSES = { "config/init", "db/view", "family/init", "transfer/init", "transfer/files", "base/events" }
for _, name in ipairs(OF_CLASSES) do SOURCES["lua/larder/" .. name .. ".lua"] = true end

local function cell(text) return (text:gsub("|", "\\|")) end

-- Values that are not functions, and functions that are made elsewhere.
local VALUES = {
  { "null", "NULL: the same value as `cjson.null` and `ngx.null`" },
  { "codes", "every error code under its own name, so that a misspelt `err.code == larder.codes.conflcit` raises" },
  { "default", "in changes: the field's declared default" },
  { "excluded", "in `upsert { … }, { set = … }`: the value that could not be inserted" },
  { "json", "`encode(value)`, `decode(text)`, `null`, `array`: JSON without loss, as `jsonb` columns are read and written" },
}

local function add_function(out, prefix, fn, used)
  out[#out + 1] = ("### `%s%s(%s)`\n"):format(prefix, fn.name, fn.params)
  out[#out + 1] = table.concat(fn.block.text, "\n") .. "\n"
  if #fn.block.params > 0 then
    out[#out + 1] = "| argument | type | |\n|---|---|---|"
    for _, p in ipairs(fn.block.params) do
      out[#out + 1] = ("| `%s`%s | `%s` | %s |"):format(p.name, p.optional and " (optional)" or "", cell(p.type), cell(p.text))
    end
    out[#out + 1] = ""
  end
  if #fn.block.returns > 0 then
    local list = {}
    for i, r in ipairs(fn.block.returns) do list[i] = ("`%s`%s"):format(r.type, r.text ~= "" and " " .. r.text or "") end
    out[#out + 1] = "Returns " .. table.concat(list, ", ") .. ".\n"
  end
  local pages = used and used(prefix, fn.name) or {}
  if #pages > 0 then
    for i, page in ipairs(pages) do pages[i] = ("[%s](%s.md)"):format(page, page) end
    out[#out + 1] = "Shown in " .. table.concat(pages, ", ") .. ".\n"
  end
end

-- The name under which a function of a source is public; nil: it is not.
local function public_name(source, name)
  if source.only then return source.only[name] end
  if name:sub(1, 1) ~= "_" and name ~= "new" and name ~= source.without then return name end
end

local function add_source(all, part, source, functions)
  local sign, object = source[2]:match "^(.)(.*)$"
  for _, s in ipairs(sign == ":" and { ":", "." } or { sign }) do -- a method that needs no self is written with a dot
    for _, fn in ipairs(functions[source[1] .. s .. object] or {}) do
      local name = public_name(source, fn.name)
      if name then
        all[#all + 1] = { part = part.title, prefix = part.prefix, name = name, params = fn.params, block = fn.block }
      end
    end
  end
end

--- Every public function: { part =, prefix =, name =, params =, block = }; and the classes by name.
---@return table[] functions
---@return table<string, table> classes
function reference.functions()
  local functions, classes, all, paths = {}, {}, {}, {}
  for path in pairs(SOURCES) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do annotations.read(path, functions, classes) end
  for _, part in ipairs(PARTS) do
    for _, source in ipairs(part.sources) do add_source(all, part, source, functions) end
  end
  return all, classes
end

--- The page. used(prefix, name) → names of the pages whose code calls it.
---@param used? fun(prefix: string, name: string): string[]
---@return string
function reference.page(used)
  local functions, classes = reference.functions()
  local out, part = {
    "# Reference\n",
    "Made from the annotations in the sources. A question mark stands for what may be absent; `nil, err`: [errors.md](errors.md).\n",
  }, nil
  for _, fn in ipairs(functions) do
    if fn.part ~= part then
      part = fn.part
      out[#out + 1] = ("## %s\n"):format(part)
    end
    add_function(out, fn.prefix, fn, used)
  end
  out[#out + 1] = "## Values of larder\n\n| | |\n|---|---|"
  for _, value in ipairs(VALUES) do out[#out + 1] = ("| `larder.%s` | %s |"):format(value[1], value[2]) end
  out[#out + 1] = ""
  for _, name in ipairs(CLASSES) do
    local class = assert(classes[name], "no class " .. name)
    out[#out + 1] = ("## %s\n\n| entry | type | |\n|---|---|---|"):format(name)
    for _, f in ipairs(class.fields) do
      out[#out + 1] = ("| `%s`%s | `%s` | %s |"):format(f.name, f.optional and "?" or "", cell(f.type), cell(f.text))
    end
    out[#out + 1] = ""
  end
  return (table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"))
end

reference.VALUES = VALUES

return reference
