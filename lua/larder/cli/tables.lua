--- Rows and single values as a person reads them: of the commands query and console.

local core = require "larder.core"
local larder = require "larder"
local out = require "larder.cli.print"

local tables = {}

-- How much of a cell is shown on a terminal.
local WIDEST = 60

local function text_of(value)
  if value == nil or value == larder.null then return "" end
  local err = core.unreadable(value)
  if err then return "(" .. err.message .. ")" end
  if type(value) == "table" and getmetatable(value) ~= core.decimal_mt then return larder.json.encode(value) or "(a table)" end
  if type(value) == "cdata" then return (larder.json.encode(value)) end
  return tostring(value)
end

local function cell(value)
  local text = text_of(value)
  if not out.is_terminal(io.stdout) then return text end
  return out.shortened(text, WIDEST)
end

-- Names of all columns, sorted, where the server has not told their order.
local function names_of(rows)
  local names, seen = {}, {}
  for _, row in ipairs(rows) do
    for name in pairs(row) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

--- Rows as a table, and their number beside it.
---@param rows table[]
---@param affected? integer  rows that were changed, where none are answered
---@param order? { name: string }[]  columns as the server has them
function tables.show(rows, affected, order)
  local names = {}
  for _, column in ipairs(order or {}) do names[#names + 1] = column.name end
  if #names == 0 then names = names_of(rows) end
  local columns = {}
  for i, name in ipairs(names) do
    columns[i] = { tostring(name), function(row) return cell(row[name]) end }
  end
  if #columns > 0 then out.columns(columns, rows) end
  local n = #rows > 0 and #rows or affected or 0
  out.note("%d row%s", n, n == 1 and "" or "s")
end

local function is_rows(value)
  if #value == 0 then return getmetatable(value) == core.array_mt end
  for _, row in ipairs(value) do
    if type(row) ~= "table" or getmetatable(row) ~= nil then return false end
  end
  return true
end

--- One row, a field a line.
local function show_row(row)
  local names, widest = names_of { row }, 0
  for _, name in ipairs(names) do widest = math.max(widest, #tostring(name)) end
  for _, name in ipairs(names) do out.line("%s  %s", out.padded(out.coloured(tostring(name), "bold"), widest), cell(row[name])) end
end

--- Whatever a call answered.
---@param value any
function tables.value(value)
  if type(value) ~= "table" or getmetatable(value) == core.decimal_mt or core.unreadable(value) then
    out.line("%s", value == nil and "nil" or value == larder.null and "null" or text_of(value))
  elseif larder.is_error(value) then
    out.complain(value)
  elseif is_rows(value) then
    tables.show(value)
  elseif getmetatable(value) == nil and #value == 0 then
    show_row(value)
  elseif getmetatable(value) == nil or getmetatable(value) == core.array_mt then
    out.line("%s", text_of(value))
  else
    out.line("%s", tostring(value))
  end
end

return tables
