-- What first users and public bug reports of comparable tools met, on the command line.

local larder = require "larder"
local cli = require "spec.support.cli"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("a first user", function()
  local here

  before_each(function()
    here = cli.new { DATABASE_URL = url }
    here:run "query 'drop schema if exists tooltrial cascade'"
    here:run "query \"delete from larder.schema_migrations where family = 'tooltrial'\""
  end)
  after_each(function()
    here:run "query 'drop schema if exists tooltrial cascade'"
    here:remove()
  end)

  local function family() assert.equal(0, select(2, here:run "new family tooltrial")) end

  local function up(name, text, down)
    here:file("sql/tooltrial/" .. name .. ".up.sql", text)
    here:file("sql/tooltrial/" .. name .. ".down.sql", down or "select 1;\n")
  end

  local function fails(command, code, ...)
    local text, got = here:run(command, true)
    assert.same({ command, code }, { command, got }, text)
    for _, wanted in ipairs { ... } do assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text) end
  end

  it("whose database is not there is told how to make it", function()
    local nowhere = url:gsub("/[%w_]+%?", "/larder_nowhere?"):gsub("/[%w_]+$", "/larder_nowhere")
    fails("--url '" .. nowhere .. "' health", 1, 'database "larder_nowhere" does not exist', "hint: `larder createdb` makes it")
  end)

  it("sees the columns of a query in their order, those that are null too", function()
    assert.matches("^z +a +n\n1 +2", (here:run "query 'select 1 as z, 2 as a, null as n'"))
  end)

  it("begins in an empty folder: new, migrate, check, query, console", function()
    family()
    assert.equal(0, select(2, here:run "migrate up tooltrial"))
    assert.equal("tooltrial: no drift\n", (here:run "check tooltrial"))
    here:file("in", 'tooltrial.items:create { title = "tea" }\nselect title from tooltrial.items\n')
    assert.is_truthy(here:run("console < " .. here:path "in"):find "title\ntea\n$")
    assert.equal("title\ntea\n", (here:run "query 'select title from tooltrial.items'"))
  end)

  it("is never told that memory was migrated", function()
    family()
    fails("--url memory: migrate up tooltrial", 2, "needs PostgreSQL")
    here.env.DATABASE_URL = ""
    fails("migrate up tooltrial", 2, "no variable names a database")
  end)

  it("is told which schemas there are, and pulls one whose name is no word", function()
    family()
    assert.equal(0, select(2, here:run "migrate up"))
    here:run "query 'create schema \"tool trial\"'"
    here:run "query 'create table \"tool trial\".x (id int primary key)'"
    local text, code = here:run("pull", true)
    local odd, odd_code = here:run("pull 'tool trial'", true)
    here:run "query 'drop schema \"tool trial\" cascade'"
    assert.same({ 2, 0 }, { code, odd_code }, text .. odd)
    assert.is_truthy(text:find("which schema%? schemas with tables: .*tool trial %(1%)"), text)
    assert.is_truthy(text:find("tooltrial (1)", 1, true), text)
    assert.is_truthy(odd:find('name = "tool_trial"', 1, true), odd)
    fails("pull tooltrail", 1, "the schema tooltrail has no tables", "tooltrial (1)")
  end)

  it("is told which family the tool does not know, and how to name it", function()
    fails("check tooltrial", 2, "no family is called tooltrial", "--load")
    fails("migrate up tooltrial", 2, "no family is called tooltrial", "--load")
  end)

  it("is told file and line of a mistake, and what stays", function()
    family()
    up("000002_typo", "select 1;\n\ncreate tabel x;\n")
    fails("migrate up tooltrial", 1, "000002_typo.up.sql:3:", "1 migrations before it are applied and stay")
  end)

  it("may look at the first line alone: a migration is applied or not", function()
    family()
    for i = 2, 6 do up(("%06d_more"):format(i), ("create table tooltrial.more%d (id int primary key);\n"):format(i)) end
    here:run "migrate up | head -1"
    assert.equal(0, select(2, here:run "migrate up"))
    local text, code = here:run "migrate status --exit-code"
    assert.equal(0, code, text)
    assert.equal("tooltrial: no drift\n", (here:run "check"))
  end)

  it("is told that the condition of a partial unique differs", function()
    family()
    local text = here:slurp "tooltrial.lua"
    local unique = 'uniques = { { name = "items_title_key", "title", where = { price = larder.null } } },\n      %0'
    local field = '{ name = "price", type = "int8", null = true },\n        %0'
    here:file("tooltrial.lua", (text:gsub("indexes = ", unique):gsub('{ name = "title"', field)))
    up("000002_unique", "alter table tooltrial.items add price bigint;\n"
      .. "create unique index items_title_key on tooltrial.items (title) where created_at is null;\n")
    assert.equal(0, select(2, here:run "migrate up tooltrial"))
    fails("check tooltrial", 3, "items_title_key")
  end)

  it("needs no rights where nothing is pending", function()
    family()
    here:run "migrate up tooltrial"
    here:run "query 'drop role if exists tooltrial_app'"
    here:run "query 'create role tooltrial_app login'"
    here:run "query 'grant usage on schema larder, tooltrial to tooltrial_app'"
    here:run "query 'grant select on all tables in schema larder to tooltrial_app'"
    here.env.DATABASE_URL = url:gsub("user=%w+", "user=tooltrial_app"):gsub("//%w+@", "//tooltrial_app@")
    local text, code = here:run("migrate up tooltrial", true)
    here.env.DATABASE_URL = url
    here:run "query 'drop owned by tooltrial_app'"
    here:run "query 'drop role tooltrial_app'"
    assert.same({ 0, true }, { code, text:find("nothing to do", 1, true) ~= nil }, text)
  end)

  it("has files that do not change the session for those behind them", function()
    family()
    up("000002_path", "select set_config('search_path', '', false);\ncreate temp table b (i int);\n")
    up("000003_plain", "create table tooltrial.b (i int);\n")
    up("000004_alter", "set search_path = tooltrial;\nalter table b add x int;\n")
    assert.equal(0, select(2, here:run "migrate up tooltrial"))
    assert.equal("n\n1\n", (here:run [[query "select count(*) as n from information_schema.columns
      where table_schema = 'tooltrial' and table_name = 'b' and column_name = 'x'"]]))
  end)

  it("is told that a file must not end its transaction, before anything runs", function()
    family()
    up("000002_commit", "begin; create table tooltrial.c1 (i int); commit;\n")
    fails("migrate up tooltrial", 1, "000002_commit.up.sql:1:")
    assert.equal("n\n0\n", (here:run "query \"select count(*) as n from pg_tables where tablename = 'c1' and schemaname = 'tooltrial'\""))
  end)

  it("is told of empty directories and of what psql alone reads, and of files whose names are none", function()
    family()
    here:file("sql/tooltrial/000002_x.up.SQL", "select 1;\n")
    fails("migrate up tooltrial", 1, "000002_x.up.SQL")
    os.remove(here:path "sql/tooltrial/000002_x.up.SQL")
    up("000003_copy", "copy tooltrial.items from stdin;\n1\tx\n\\.\n")
    fails("migrate up tooltrial", 1, "000003_copy.up.sql:1:", "copy from stdin needs psql")
    up("000003_copy", "\\connect other\n")
    fails("migrate up tooltrial", 1, "000003_copy.up.sql:1:")
    here:file("empty/x.txt", "")
    fails("migrate up tooltrial --dir empty", 2, "no migration lies in empty")
    fails("migrate up tooltrial --dir nowhere", 1, "nowhere")
  end)

  it("keeps a line end inside of a literal as it is", function()
    family()
    up("000002_crlf", "create table tooltrial.c (t text);\r\ninsert into tooltrial.c values ('a\r\nb');\r\n")
    assert.equal(0, select(2, here:run "migrate up tooltrial"))
    assert.equal("n\n4\n", (here:run "query 'select length(t) as n from tooltrial.c'"))
  end)

  it("has a pipe that is closed early: what was applied is recorded, and the next run goes on", function()
    family()
    here:run "migrate up tooltrial 2>&1 | head -0"
    assert.equal(0, select(2, here:run "migrate up tooltrial"))
    local rows = larder.json.decode((here:run "migrate status tooltrial --json"))
    assert.equal("applied", rows[1].state)
  end)
end)
