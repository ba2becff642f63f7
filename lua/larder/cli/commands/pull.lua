--- larder pull: declarations from a live schema.

local larder = require "larder"
local exit = require "larder.cli.exit"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"
local pull = require "larder.migrate.pull"

local command = { name = "pull" }

function command.describe(parser)
  local c = parser:command("pull", "Declarations from a live schema.")
  c:argument("schema", "Schema of the database.")
  c:option("-o --output", "A file to write; standard output by default.")
  c:flag("--json", "Print the declaration as JSON, or the file's name.")
end

local function names_of(family)
  local names = larder.array {}
  for i, entity in ipairs(family.entities) do names[i] = entity.name end
  return names
end

function command.run(ctx)
  if ctx.args.output then new_files.free(ctx.args.output) end
  return ctx:with_db(function(db)
    local family, err = pull.read(db, ctx.args.schema)
    if not family then return out.complain(err) end
    if #family.entities == 0 then
      return out.complain(("the schema %s has no table with a primary key"):format(ctx.args.schema))
    end
    local text = pull.text(family)
    if ctx.args.json and not ctx.args.output then
      out.json { schema = ctx.args.schema, stores = names_of(family), declaration = text }
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
