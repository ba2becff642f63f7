--- larder dump: the database as SQL, by pg_dump; or the SQL of declarations.

local columns = require "larder.migrate.columns"
local core = require "larder.core"
local ddl = require "larder.migrate.ddl"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"
local pg_dump = require "larder.cli.pg_dump"

local command = { name = "dump" }

function command.describe(parser)
  local c = parser:command("dump", "The database as SQL, by pg_dump; or the SQL of declarations.")
  c:argument("family", "Families: their schemas alone (default: the whole database)."):args "*"
  c:option("-o --output", "A file to write (default: standard output)."):argname "FILE"
  c:flag("--data", "The rows, too.")
  c:flag("--data-only", "The rows and nothing else.")
  c:option("--format", "plain (the default), or custom for pg_restore; custom needs --output."):choices { "plain", "custom" }
  c:option("--pg-dump", "The program (default: pg_dump)."):argname "PATH":default "pg_dump"
  c:flag("--declared", "The SQL that makes what the declarations say; asks no server.")
  c:flag("--json", "Print what was written as JSON; needs --output.")
end

-- ---- of declarations ----

local function statements(name)
  local family = require "larder.family".get(name)
  local engine, schemas, sql = core.memory(), {}, {}
  local list, decls, extras = columns.family(family, function(store) return engine:store(family.schema, store):describe() end)
  for i, decl in ipairs(list) do
    local schema = core.sql_path(decl.table)
    if schema and schema ~= "public" and not schemas[schema] then
      schemas[schema] = true
      sql[#sql + 1] = "create schema " .. ddl.name(schema)
    end
    for _, one in ipairs(ddl.create_table(decl, decls, extras[i])) do sql[#sql + 1] = one end
  end
  engine:close()
  return sql
end

local function declared(names)
  local parts = {}
  for _, name in ipairs(names) do
    parts[#parts + 1] = ("-- The family %s, as it is declared.\n\n%s;\n"):format(name, table.concat(statements(name), ";\n\n"))
  end
  return table.concat(parts, "\n")
end

local function write_declared(ctx)
  if #ctx.args.family == 0 then return out.misuse("--declared needs the names of families") end
  local text = declared(ctx:families(ctx.args.family))
  if not ctx.args.output then
    io.write(text)
    return exit.OK
  end
  local f, why = io.open(ctx.args.output, "wb")
  if not f then return out.complain(why) end
  f:write(text)
  f:close()
  if ctx.args.json then out.json { file = ctx.args.output } else out.line("%s", ctx.args.output) end
  return exit.OK
end

-- ---- by pg_dump ----

-- The schemas of the families' tables.
local function schemas_of(names)
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    for _, entity in ipairs(require "larder.family".get(name).entities) do
      local schema = core.sql_path(entity.table)
      if schema and not seen[schema] then
        seen[schema] = true
        list[#list + 1] = schema
      end
    end
  end
  return list
end

local function arguments(ctx, schemas)
  local a = ctx.args
  local list = { "--no-password", "--no-owner", "--no-privileges", "--format=" .. (a.format or "plain") }
  if a.data_only then list[#list + 1] = "--data-only" elseif not a.data then list[#list + 1] = "--schema-only" end
  for _, schema in ipairs(schemas) do list[#list + 1] = "--schema=" .. core.sql_name(schema) end
  if a.output then list[#list + 1] = "--file=" .. a.output end
  return list
end

local function server_version(db)
  local rows, err = db:query "select current_setting('server_version_num')::int as v"
  if not rows then return nil, err end
  return math.floor(rows[1].v / 10000)
end

function command.run(ctx)
  local a = ctx.args
  if a.data and a.data_only then return out.misuse("--data or --data-only, not both") end
  if (a.format == "custom" or a.json) and not a.output then return out.misuse("say where to write: --output FILE") end
  if a.declared then return write_declared(ctx) end
  local schemas = schemas_of(ctx:families(a.family))
  local version, why = pg_dump.version(a.pg_dump)
  if not version then return out.misuse("%s", why) end
  return ctx:with_db(function(db)
    local server, err = server_version(db)
    if not server then return out.complain(err) end
    if version < server then
      return out.misuse("%s is version %d and cannot dump a server of version %d; %s", a.pg_dump, version, server, pg_dump.how(server))
    end
    local settings
    settings, err = pg_dump.settings(ctx.project:target(ctx.args))
    if not settings then return out.complain(err) end
    local code = pg_dump.run(a.pg_dump, settings, arguments(ctx, schemas))
    if code ~= 0 then return out.complain(("%s ended with %d"):format(a.pg_dump, code)) end
    if a.json then out.json { file = a.output, server = server, pg_dump = version } elseif a.output then out.line("%s", a.output) end
    return exit.OK
  end)
end

return command
