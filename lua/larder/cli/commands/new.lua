--- larder new: the first files of a family.

local lfs = require "lfs"
local exit = require "larder.cli.exit"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"

local command = { name = "new" }

function command.describe(parser)
  local n = parser:command("new", "Write the first files of a family or of a project."):require_command(true):command_target "sub"
  local f = n:command("family", "A declaration and its first migration.")
  f:argument("family", "Its name.")
  f:option("--file", "The declaration (default: NAME.lua).")
  f:option("--dir", "The migrations (default: sql/NAME).")
  n:command("project", "A file .larder for this directory.")
end

local DECLARATION = [[
-- The family %s. Load it with `require` before db:stores "%s".
local larder = require "larder"

return larder.declare {
  name = "%s",
  migrations = "%s",
  entities = {
    { name = "items", table = "%s.items",
      fields = {
        { name = "id", type = "uuid", default = { "uuid" } },
        { name = "title", type = "text", min_len = 1, max_len = 200 },
        { name = "created_at", type = "timestamptz", stamp = "insert" },
        { name = "updated_at", type = "timestamptz", stamp = "update" },
      },
      key = { name = "items_pkey", "id" },
      indexes = { { "-created_at", "id" } },
      order = { "-created_at", "id" } },
  },
}
]]

local UP = [[
create schema %s;

create table %s.items (
  id          uuid                     not null,
  title       text collate "C"         not null,
  created_at  timestamptz              not null default now(),
  updated_at  timestamptz              not null default now(),
  constraint items_pkey primary key (id),
  constraint items_title_length check (char_length(title) between 1 and 200)
);

create index items_created_idx on %s.items (created_at desc, id);
]]

local DOWN = "drop table %s.items;\ndrop schema %s;\n"

local PROJECT = [[
-- The project as the tool `larder` sees it (docs/cli/README.md).
return {
  require = {},
  environments = {
    test = { url = "postgres://localhost/app_test", throwaway = true },
  },
}
]]

local function write_new(path, text)
  new_files.write(path, text)
  out.line("%s", path)
end

local function make_dirs(path)
  local made = path:sub(1, 1) == "/" and "" or "."
  for part in path:gmatch "[^/]+" do
    made = made .. "/" .. part
    if lfs.attributes(made, "mode") ~= "directory" then assert(lfs.mkdir(made)) end
  end
end

local runs = {}

function runs.family(args)
  local name = args.family
  if not name:find "^[%a_][%w_]*$" then error("a family's name must be a plain word", 0) end
  local file, dir = args.file or name .. ".lua", args.dir or "sql/" .. name
  write_new(file, DECLARATION:format(name, name, name, dir, name))
  make_dirs(dir)
  write_new(dir .. "/000001_create_items.up.sql", UP:format(name, name, name))
  write_new(dir .. "/000001_create_items.down.sql", DOWN:format(name, name))
end

function runs.project()
  write_new(".larder", PROJECT)
end

function command.run(ctx)
  runs[ctx.args.sub](ctx.args)
  return exit.OK
end

return command
