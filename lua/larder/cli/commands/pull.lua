--- larder pull: declarations from a live schema.

local larder = require "larder"
local exit = require "larder.cli.exit"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"
local pull = require "larder.migrate.pull"

local command = { name = "pull" }

function command.describe(parser)
  local c = parser:command("pull", "Declarations from a live schema.")
  c:argument("schema", "Schema of the database (default: the only one that has tables)."):args "?"
  c:option("-o --output", "A file to write; standard output by default.")
  c:flag("--json", "Print the declaration as JSON, or the file's name.")
end

local function names_of(family)
  local names = larder.array {}
  for i, entity in ipairs(family.entities) do names[i] = entity.name end
  return names
end

-- The schema that was named, or the only one with tables.
local function schema_of(db, named)
  local rows, err = pull.schemas(db)
  if not rows then return nil, err end
  local list = {}
  for i, row in ipairs(rows) do
    if row.name == named then return named end
    list[i] = ("%s (%d)"):format(row.name, row.tables)
  end
  if not named and #rows == 1 then return rows[1].name end
  local there = #list > 0 and "; schemas with tables: " .. table.concat(list, ", ") or "; no schema of the database has tables"
  return nil, named and ("the schema %s has no tables%s"):format(named, there) or "which schema?" .. there:sub(2)
end

function command.run(ctx)
  if ctx.args.output then new_files.free(ctx.args.output) end
  return ctx:with_db(function(db)
    local schema, err = schema_of(db, ctx.args.schema)
    if not schema then return (ctx.args.schema or larder.is_error(err)) and out.complain(err) or out.misuse("%s", err) end
    local family
    family, err = pull.read(db, schema)
    if not family then return out.complain(err) end
    if #family.entities == 0 then
      return out.complain(("no table of the schema %s can be declared: %s"):format(schema, table.concat(family.left_out, "; ")))
    end
    local text = pull.text(family)
    if ctx.args.json and not ctx.args.output then
      out.json { schema = schema, stores = names_of(family), declaration = text }
      return exit.OK
    end
    if not ctx.args.output then
      io.write(text)
      return exit.OK
    end
    new_files.write(ctx.args.output, text)
    return new_files.told(ctx, { ctx.args.output })
  end)
end

return command
