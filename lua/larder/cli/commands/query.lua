--- larder query: one statement, its rows as a table or JSON.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"
local unpack = require("larder.base.compat").unpack

local command = { name = "query" }

function command.describe(parser)
  local c = parser:command("query", "Run one SQL statement; parameters stand for $1, $2, …")
  c:argument("sql", "The statement.")
  c:argument("params", "Parameters, as text."):args "*"
  c:flag("--json", "Print JSON.")
end

local function text_of(value)
  if value == nil or value == larder.null then return "" end
  if type(value) == "table" then return (larder.json.encode(value)) end
  return tostring(value)
end

-- Numbers, true, false and null as such; everything else is text.
local WORDS = { ["true"] = true, ["false"] = false, null = larder.null }

local function parameters(list)
  local params = {}
  for i, text in ipairs(list) do
    local value = WORDS[text]
    if value == nil and text:find "^-?%d+$" and #text < 16 then value = tonumber(text) end
    if value == nil then value = text end
    params[i] = value
  end
  return params
end

local function columns_of(rows)
  local columns, seen = {}, {}
  for _, row in ipairs(rows) do
    for name in pairs(row) do
      if not seen[name] then
        seen[name] = true
        columns[#columns + 1] = { name, function(r) return text_of(r[name]) end }
      end
    end
  end
  table.sort(columns, function(a, b) return a[1] < b[1] end)
  return columns
end

local function show(rows, affected)
  local n = #rows > 0 and #rows or affected or 0
  if #rows > 0 then out.columns(columns_of(rows), rows) end
  out.note("%d row%s", n, n == 1 and "" or "s")
end

function command.run(ctx)
  return ctx:with_db(function(db)
    local rows, n = db:query(ctx.args.sql, unpack(parameters(ctx.args.params)))
    if not rows then return out.complain(n) end
    if ctx.args.json then out.json(larder.array(rows)) else show(rows, n) end
    return exit.OK
  end)
end

return command
