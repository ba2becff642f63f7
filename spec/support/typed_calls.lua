--- Calls of stores held against the annotations that `larder types` writes: while a program runs, the tables that it hands over and
--- gets back may have no other names than their classes have.

local annotate = require "larder.cli.annotate"
local annotations = require "tools.annotations"
local family = require "larder.family"

local typed = {}

-- ---- reading ----

-- Parts of a text between commas that stand in no bracket.
local function split(text)
  local parts, depth, from = {}, 0, 1
  for i = 1, #text do
    local c = text:sub(i, i)
    if c:find "[%(%{<%[]" then depth = depth + 1 elseif c:find "[%)%}>%]]" then depth = depth - 1 end
    if c == "," and depth == 0 then
      parts[#parts + 1], from = text:sub(from, i - 1), i + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

-- class → { fields = name → type, parents = names }
local function classes_of(text)
  local classes, current = {}, nil
  for line in text:gmatch "[^\n]+" do
    local name, parents = line:match "^%-%-%-@class ([%w_%.]+):?%s*(.*)$"
    if name then
      current = { fields = {}, parents = {} }
      classes[name] = current
      for parent in parents:gmatch "[%w_%.]+" do current.parents[#current.parents + 1] = parent end
    elseif current then
      local field, kind = line:match "^%-%-%-@field ([%w_]+)%??%s+(.*)$"
      if field then current.fields[field] = kind end
    end
  end
  return classes
end

-- Classes of the sources that the written ones build on.
local function add_sources(classes)
  local found = {}
  for _, path in ipairs { "store/read", "store/write" } do annotations.read("lua/larder/" .. path .. ".lua", {}, found) end
  for name, block in pairs(found) do
    local class = { fields = {}, parents = {} }
    for _, field in ipairs(block.fields) do class.fields[field.name] = field.type end
    classes["larder." .. name] = class
  end
end

-- ---- checking ----

local function field_type(classes, name, field)
  local class = classes[name]
  if not class then return nil end
  if class.fields[field] then return class.fields[field] end
  for _, parent in ipairs(class.parents) do
    local kind = field_type(classes, parent, field)
    if kind then return kind end
  end
end

--- Faults of a value of this type, added to a list. Values of larder's own (conditions, decimals …) are not looked into.
function typed.check(classes, kind, value, where, faults)
  if type(value) ~= "table" then return end
  if #value > 0 then
    for _, item in ipairs(value) do typed.check(classes, kind, item, where, faults) end
    return
  end
  local candidates = {}
  for name in kind:gsub("fun%b()", ""):gsub("%b{}", ""):gmatch "[%w_%.]+" do
    if classes[name] then candidates[#candidates + 1] = name end
  end
  if #candidates == 0 or getmetatable(value) ~= nil then return end
  for key, item in pairs(value) do
    local found
    for _, name in ipairs(candidates) do found = found or field_type(classes, name, key) end
    if not found then
      faults[#faults + 1] = ("%s: %s has no %s"):format(where, table.concat(candidates, "|"), tostring(key))
    else
      typed.check(classes, found, item, where, faults)
    end
  end
end

-- Are columns of these options computed, or of related rows? What such rows hold is the caller's to say.
local function computes(opts)
  if type(opts) ~= "table" or type(opts.columns) ~= "table" then return false end
  for _, column in ipairs(opts.columns) do
    if type(column) == "table" or column:find(".", 1, true) then return true end
  end
  return false
end

-- A method that tells what it is called with and answers.
local function watched(classes, where, kind, method, watch)
  local params, results = kind:match "^fun(%b()):?%s*(.*)$"
  params = split(params:sub(2, -2))
  return function(self, ...)
    for i = 2, #params do
      local wanted = params[i]:match "^%s*[%w_]+%??:%s*(.*)$"
      if wanted then typed.check(classes, wanted, (select(i - 1, ...)), where, watch.faults) end
    end
    watch.calls = watch.calls + 1
    local own = false
    for i = 1, select("#", ...) do own = own or computes((select(i, ...))) end
    return (function(first, ...)
      if results and not own then typed.check(classes, split(results)[1], first, where .. " answers", watch.faults) end
      return first, ...
    end)(method(self, ...))
  end
end

--- Watch every store of a family until stop() is called.
---@param db larder.Db
---@param name string
---@return { calls: integer, faults: string[], stop: fun() }
---@return table classes
function typed.watch(db, name)
  local classes = classes_of(annotate.family(family.get(name), function(store) return db:_cstore(name, store):describe() end))
  add_sources(classes)
  local watch, undo = { calls = 0, faults = {} }, {}
  for store, object in pairs(db:stores(name)) do
    local methods = getmetatable(object).__index
    local class = classes[name .. "." .. store:gsub("^%l", string.upper)]
    for method, kind in pairs(class.fields) do
      local original = rawget(methods, method)
      if original and kind:find "^fun" then
        undo[#undo + 1] = function() methods[method] = original end
        methods[method] = watched(classes, store .. ":" .. method, kind, original, watch)
      end
    end
  end
  function watch.stop()
    for _, back in ipairs(undo) do back() end
  end
  return watch, classes
end

return typed
