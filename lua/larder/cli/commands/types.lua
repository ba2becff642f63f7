--- larder types: annotations (LuaCATS) of the user's own families, for an editor.

local exit = require "larder.cli.exit"
local family = require "larder.family"
local larder = require "larder"
local out = require "larder.cli.print"

local command = { name = "types" }

function command.describe(parser)
  local c = parser:command("types", "Annotations (LuaCATS) of families, for an editor.")
  c:argument("family", "Families."):args "+"
end

local TYPES = {
  bool = "boolean", int2 = "integer", int4 = "integer", int8 = "integer", float4 = "number", float8 = "number",
}

local function type_of(field)
  local base, array = field.type:match "^(%w+)(%[?%]?)$"
  local name = TYPES[base] or "string"
  if base:find "^json" then name = "any" end
  if field.enum then
    local values = {}
    for i, value in ipairs(field.enum) do values[i] = ("%q"):format(value) end
    name = table.concat(values, "|")
  end
  return name .. array
end

local function class_name(name, store)
  return ("%s.%s"):format(name, (store:gsub("^%l", string.upper):gsub("_(%l)", string.upper)))
end

local function write_store(name, store, decl)
  local class = class_name(name, store)
  out.line("---@class %s.Row", class)
  for _, field in ipairs(decl.fields) do
    if not field.hidden then out.line("---@field %s%s %s", field.name, field.null and "?" or "", type_of(field)) end
  end
  out.line("\n---@class %s: larder.Store", class)
  local arguments = {}
  for i, field in ipairs(decl.key) do arguments[i] = field .. ": any" end
  local keys = table.concat(arguments, ", ")
  out.line("---@field get fun(self: %s, %s): %s.Row|nil, larder.Error?", class, keys, class)
  out.line("---@field create fun(self: %s, row: table): %s.Row|nil, larder.Error?", class, class)
  out.line("---@field find fun(self: %s, where: table): %s.Row|nil, larder.Error?", class, class)
  out.line("---@field list fun(self: %s, opts?: larder.ListOptions): %s.Row[]|nil, larder.ListInfo|larder.Error", class, class)
  out.line ""
end

function command.run(ctx)
  local names = ctx:families(ctx.args.family)
  local db = assert(larder.open "memory:") -- declarations alone: no server is asked
  out.line "---@meta\n-- Written by larder types.\n"
  for _, name in ipairs(names) do
    local made = family.get(name)
    for _, store in ipairs(made.stores) do write_store(name, store, db:_cstore(name, store):describe()) end
    out.line("---@class %s.Stores", name)
    for _, store in ipairs(made.stores) do out.line("---@field %s %s", store, class_name(name, store)) end
    out.line ""
  end
  db:close()
  return exit.OK
end

return command
