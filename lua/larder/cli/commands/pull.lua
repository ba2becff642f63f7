--- larder pull: declarations from a live schema.

local exit = require "larder.cli.exit"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"
local pull = require "larder.migrate.pull"

local command = { name = "pull" }

function command.describe(parser)
  local c = parser:command("pull", "Declarations from a live schema.")
  c:argument("schema", "Schema of the database.")
  c:option("-o --output", "A file to write; standard output by default.")
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
    if not ctx.args.output then
      io.write(text)
      return exit.OK
    end
    new_files.write(ctx.args.output, text)
    out.line("%s", ctx.args.output)
    return exit.OK
  end)
end

return command
