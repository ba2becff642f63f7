--- larder new: the first files of a family.

local lfs = require "lfs"
local new_files = require "larder.cli.new_files"
local out = require "larder.cli.print"

local command = { name = "new" }

function command.describe(parser)
  local n = parser:command("new", "Write the first files of a family or of a project."):require_command(true):command_target "sub"
  local f = n:command("family", "A declaration and its first migration.")
  f:argument("family", "Its name.")
  f:option("--file", "The declaration (default: NAME.lua).")
  f:option("--dir", "The migrations (default: sql/NAME).")
  f:flag("--json", "Print JSON.")
  n:command("project", "A file .larder for this directory."):flag("--json", "Print JSON.")
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
  require = { %s },
  environments = {
    test = { url = "postgres://localhost/app_test", throwaway = true },
  },
}
]]

local function make_dirs(path)
  local made = path:sub(1, 1) == "/" and "" or "."
  for part in path:gmatch "[^/]+" do
    made = made .. "/" .. part
    if lfs.attributes(made, "mode") ~= "directory" then assert(lfs.mkdir(made)) end
  end
end

local runs = {}

-- Where the tool will find the declaration: a project of its own, or a line to add.
local function tell_project(ctx, file)
  local module = file:match "^([%w_/]+)%.lua$"
  local line = module and ("require = { %q }"):format((module:gsub("/", "."))) or ("load = { %q }"):format(file)
  if not ctx.project.path then
    local text = PROJECT:format("")
    new_files.write(".larder", (text:gsub("require = {  }", (line:gsub("%%", "%%%%")))))
    return { ".larder" }
  end
  local known = ctx.project.settings
  for _, list in ipairs { known.require or {}, known.load or {} } do
    for _, item in ipairs(list) do
      if item == file or item == (module or ""):gsub("/", ".") then return {} end
    end
  end
  out.note("add to %s: %s", ctx.project.path, line)
  return {}
end

function runs.family(ctx)
  local args = ctx.args
  local name = args.family
  if not name:find "^[%a_][%w_]*$" then error("a family's name must be a plain word", 0) end
  local file, dir = args.file or name .. ".lua", args.dir or "sql/" .. name
  local up, down = dir .. "/000001_create_items.up.sql", dir .. "/000001_create_items.down.sql"
  for _, path in ipairs { file, up, down } do new_files.free(path) end
  new_files.write(file, DECLARATION:format(name, name, name, dir, name))
  make_dirs(dir)
  new_files.write(up, UP:format(name, name, name))
  new_files.write(down, DOWN:format(name, name))
  local written = { file, up, down }
  for _, path in ipairs(tell_project(ctx, file)) do written[#written + 1] = path end
  return written
end

function runs.project()
  new_files.write(".larder", PROJECT:format "")
  return { ".larder" }
end

function command.run(ctx)
  return new_files.told(ctx, runs[ctx.args.sub](ctx))
end

return command
