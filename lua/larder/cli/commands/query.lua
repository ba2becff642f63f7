--- larder query: one statement, its rows as a table or JSON.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"
local tables = require "larder.cli.tables"
local unpack = require("larder.base.compat").unpack

local command = { name = "query" }

function command.describe(parser)
  local c = parser:command("query", "Run one SQL statement; parameters stand for $1, $2, …")
  c:argument("sql", "The statement.")
  c:argument("params", "Parameters, as text."):args "*"
  c:flag("--json", "Print JSON.")
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

function command.run(ctx)
  return ctx:with_db(function(db)
    local rows, n, columns = db:query({ ctx.args.sql, columns = true }, unpack(parameters(ctx.args.params)))
    if not rows then return out.complain(n) end
    if ctx.args.json then out.json(larder.array(rows)) else tables.show(rows, n, columns) end
    return exit.OK
  end)
end

return command
