-- The command line tool as a person types it: in a process of its own, from a directory of its own.

local larder = require "larder"
local cli = require "spec.support.cli"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("the command line tool", function()
  local here, dir

  local function run(command, both) return here:run(command, both) end

  local function file(name, text) here:file(name, text) end

  before_each(function()
    here = cli.new { URL = url }
    dir = here.dir
    local db = assert(larder.open(url))
    assert(db:query "drop schema if exists toolshop cascade")
    if db:query("select to_regclass('larder.schema_migrations') is not null as ok")[1].ok then
      assert(db:query "delete from larder.schema_migrations where family = 'toolshop'")
    end
    db:close()
    file(".larder", 'return { require = { "toolshop" }, url = os.getenv "URL", throwaway = true,\n'
      .. '  environments = { live = { url_from = "URL" }, gone = { url_from = "NO_SUCH_VARIABLE" } } }\n')
  end)

  after_each(function() here:remove() end)

  it("makes a family, migrates it, checks it", function()
    local text, code = run "new family toolshop"
    assert.equal(0, code)
    assert.equal("toolshop.lua\nsql/toolshop/000001_create_items.up.sql\nsql/toolshop/000001_create_items.down.sql\n", text)
    text, code = run "migrate up toolshop"
    assert.equal(0, code)
    assert.is_truthy(text:find "^up    000001 create_items  %d+ ms\n$")
    text, code = run "check toolshop"
    assert.same({ "toolshop: no drift\n", 0 }, { text, code })
    assert.equal("sql/toolshop/000002_add_price.down.sql\nsql/toolshop/000002_add_price.up.sql\n",
      (run "migrate create toolshop add_price"))
    text, code = run "migrate status toolshop --exit-code"
    assert.equal(4, code)
    assert.is_truthy(text:find("000002   add_price     pending", 1, true))
    assert.equal(0, select(2, run "migrate status toolshop"))
    file("sql/toolshop/000002_add_price.up.sql", "alter table toolshop.items add price numeric(12,2);\n")
    file("sql/toolshop/000002_add_price.down.sql", "alter table toolshop.items drop price;\n")
    text, code = run "migrate up toolshop --dry-run"
    assert.equal(0, code)
    assert.equal("-- up    000002 add_price\nalter table toolshop.items add price numeric(12,2);\n"
      .. "-- line 1: ACCESS EXCLUSIVE on toolshop.items\n", text)
    assert.equal(0, select(2, run "migrate up toolshop"))
    assert.equal("nothing to do\n", (run "migrate up toolshop"))
    local states = larder.json.decode((run "migrate status toolshop --json"))
    assert.same({ "applied", "applied" }, { states[1].state, states[2].state })
    local families = {}
    for _, row in ipairs(larder.json.decode((run "migrate status --all --json"))) do families[row.family] = row.state end
    assert.equal("applied", families.toolshop)
    for _, name in ipairs { "auth", "content", "controlplane", "csms" } do assert.is_truthy(families[name], name) end
    assert.is_truthy((run "migrate status --all"):find("\ntoolshop *000001 *create_items *applied"))
    text, code = run "migrate verify toolshop"
    assert.same({ 0, true }, { code, text:find "leave the same catalogue" ~= nil })
    text = run "migrate redo toolshop"
    assert.is_truthy(text:find "^down  000002.-up    000002")
    assert.is_truthy((run "migrate goto toolshop 0"):find "down  000001")
  end)

  it("writes the migration that makes the database equal to the declarations", function()
    run "new family toolshop"
    run "migrate up toolshop"
    local text, code = run "diff toolshop"
    assert.same({ "toolshop: no drift\n", 0 }, { text, code })
    local f = assert(io.open(dir .. "/toolshop.lua"))
    local declaration = f:read "*a"
    f:close()
    file("toolshop.lua", (declaration:gsub('{ name = "title"', '{ name = "price", type = "int8", null = true, min = 0 },\n        %0')))
    assert.equal(3, select(2, run "check toolshop"))
    text, code = run "diff toolshop"
    assert.equal(0, code)
    assert.is_truthy(text:find("alter table toolshop.items add column price bigint;", 1, true), text)
    assert.is_truthy(text:find("-- undo", 1, true), text)
    assert.equal(1, #larder.json.decode((run "diff toolshop --json")).faults)
    text, code = run "diff toolshop --name add_price"
    assert.same({ "sql/toolshop/000002_add_price.down.sql\nsql/toolshop/000002_add_price.up.sql\n", 0 }, { text, code })
    assert.equal(0, select(2, run "migrate up toolshop"))
    assert.equal("toolshop: no drift\n", (run "check toolshop"))
    assert.equal(0, select(2, run "migrate down toolshop"))
    assert.equal(3, select(2, run "check toolshop"))
    assert.equal(2, select(2, run "diff toolshop --name 'add price'"))
    -- a column with another name
    file("toolshop.lua", (declaration:gsub('{ name = "title"', '{ name = "caption"')))
    text, code = run "check toolshop"
    assert.equal(3, code)
    local rename = "alter table toolshop.items rename column title to caption;"
    assert.is_truthy(text:find("or, if it has only got another name: " .. rename, 1, true), text)
    assert.is_truthy((run "diff toolshop"):find("-- renamed: " .. rename, 1, true))
    text, code = run "diff toolshop --rename toolshop.items.title=caption"
    assert.equal(0, code)
    assert.is_truthy(text:find("\n" .. rename .. "\n", 1, true), text)
    assert.is_nil(text:find("add column", 1, true))
    assert.equal(2, select(2, run "diff toolshop --rename title=caption"))
  end)

  it("writes declarations from a live schema", function()
    file("toolshop.lua", "return {}")
    run [[query 'create schema toolshop']]
    run([[query 'create table toolshop.owners (id int8 generated always as identity primary key,]]
      .. [[ mail text collate "C" not null unique, gone timestamptz)']])
    run([[query "create table toolshop.things (id uuid primary key default gen_random_uuid(), owner_id int8 references toolshop.owners]]
      .. [[ on delete cascade, kind text not null default 'a' check (kind in ('a', 'b')), n int not null check (n > 0), at point,]]
      .. [[ check (n < 9 or kind = 'b'))"]])
    run [[query "comment on table toolshop.things is 'What they own'"]]
    local text, code = run "pull toolshop"
    assert.equal(0, code)
    for _, wanted in ipairs {
      '{ name = "kind", type = "text", default = "a", enum = { "a", "b" } }', '{ name = "n", type = "int4", min = 1 }',
      '{ name = "id", type = "uuid", default = { "uuid" } }', "-- What they own",
      'key = { name = "things_pkey", "id" }', '{ name = "owners_mail_key", "mail" }', "column at is point, which is not a type",
      "The database's alone: check things_check",
      '{ name = "things_owner_id_fkey", as = "owner", fields = { "owner_id" }, many = "things", on_delete = "cascade", to = "owners" }',
    } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
    os.remove(dir .. "/toolshop.lua")
    assert.same({ "toolshop.lua\n", 0 }, { run "pull toolshop -o toolshop.lua" })
    assert.equal(2, select(2, run "pull toolshop -o toolshop.lua"))
    text, code = run("check toolshop", true)
    assert.equal(0, code, text)
    assert.equal(1, select(2, run "pull nosuch"))
  end)

  it("names file and line of a mistake, and what stays", function()
    run "new family toolshop"
    file("sql/toolshop/000002_typo.up.sql", "select 1;\n\ncreate tabel x;\n")
    local text, code = run("migrate up toolshop", true)
    assert.equal(1, code)
    assert.is_truthy(text:find("000002_typo.up.sql:3:8: ", 1, true), text)
    assert.is_truthy(text:find("1 migrations before it are applied and stay", 1, true), text)
    local answer = larder.json.decode((run "migrate up toolshop --json"))
    assert.same({ "syntax", "000002_typo.up.sql", 3 }, { answer.error.code, answer.error.file, answer.error.line })
  end)

  it("answers 3 when the catalogue or the files have drifted", function()
    run "new family toolshop"
    run "migrate up toolshop"
    file("sql/toolshop/000001_create_items.up.sql", "select 1;\n")
    assert.equal(3, select(2, run "migrate up toolshop"))
    assert.equal(3, select(2, run "migrate status toolshop"))
    run "query 'alter table toolshop.items drop title'"
    local text, code = run "check toolshop"
    assert.equal(3, code)
    assert.is_truthy(text:find("toolshop.items (toolshop.items): column title is missing", 1, true))
    assert.equal("items", larder.json.decode((run "check toolshop --json"))[1].store)
    assert.equal(0, select(2, run "migrate repair toolshop"))
  end)

  it("answers 5 when another process migrates, and names it", function()
    run "new family toolshop"
    local db = assert(larder.open(url))
    local session = assert(db._engine:session {})
    assert(session:query("select pg_advisory_lock(7810201938420631)", { n = 0 }))
    local text, code = run("migrate up toolshop --lock-timeout 0.2", true)
    assert.equal(5, code)
    assert.is_truthy(text:find("run by backend " .. session:backend_pid(), 1, true), text)
    session:rollback()
    db:close()
  end)

  it("says which lock a statement takes, and what that costs", function()
    run "new family toolshop"
    file("sql/toolshop/000002_index.up.sql", "-- about it\ncreate index title_i on toolshop.items (title);\n")
    local text, code = run "migrate up toolshop --dry-run"
    assert.equal(0, code)
    assert.is_truthy(text:find("-- line 2: SHARE on toolshop.items\n--   warning: writes wait until the index is made", 1, true), text)
    local steps = larder.json.decode((run "migrate up toolshop --dry-run --json"))
    assert.same({ "SHARE", "toolshop.items", 2 }, { steps[2].locks[1].lock, steps[2].locks[1].table, steps[2].locks[1].line })
  end)

  it("asks before it destroys on a database that is not throw-away", function()
    run "new family toolshop"
    run "migrate up toolshop"
    local text, code = run("--env live migrate down toolshop", true)
    assert.equal(2, code)
    assert.is_truthy(text:find("say --yes to do it", 1, true), text)
    assert.equal(0, select(2, run "--env live --yes migrate down toolshop"))
  end)

  it("says what is wrong with the command line, and does nothing", function()
    local cases = {
      { "", "a command is required" }, { "frob", "unknown command 'frob'" },
      { "migrate up toolshop --count x", "--count must be a number, not 'x'" },
      { "check nosuch", "no family is called nosuch" }, { "--url memory: migrate up auth", "needs PostgreSQL" },
      { "--env liv migrate status auth", "did you mean live?" }, { "--env gone migrate status auth", "NO_SUCH_VARIABLE is not set" },
      { "--load nowhere.lua check auth", "nowhere.lua" },
    }
    file("toolshop.lua", "return {}")
    for _, case in ipairs(cases) do
      local text, code = run(case[1], true)
      assert.equal(2, code, case[1] .. ": " .. text)
      assert.is_truthy(text:find(case[2], 1, true), case[1] .. ": " .. text)
    end
    file(".larder", "return { requir = {} }")
    local text, code = run("check auth", true)
    assert.equal(2, code)
    assert.is_truthy(text:find("unknown entry requir; did you mean require?", 1, true), text)
  end)

  it("says which database it works on, and hides secrets", function()
    file("toolshop.lua", "return {}")
    local text = run("health", true)
    assert.is_truthy(text:find("^database: larder on [^\n]* as postgres %("), text)
    assert.is_true(larder.json.decode((run "health --json")).ok)
    text = run("--url postgres://u:s3cret@localhost/x config", true)
    assert.is_nil(text:find("s3cret", 1, true))
    assert.is_truthy(text:find("password", 1, true))
    assert.equal(1, select(2, run "--url 'postgres://u@127.0.0.1:1/x?connect_timeout=1' health"))
  end)

  it("writes annotations of families", function()
    run "new family toolshop"
    local text, code = run "types toolshop auth"
    assert.equal(0, code)
    for _, wanted in ipairs { "---@class toolshop.Items.Row", "---@field title string", "---@field items toolshop.Items",
      '---@field status "active"|"suspended"|"deleted"', "---@class auth.UserApps: larder.Store" } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
    assert.is_nil(text:match("class auth%.Users%.Row\n(.-)\n\n"):find("password_hash", 1, true)) -- it is written, never read
    assert.is_truthy((rawget(_G, "loadstring") or load)(text))
  end)

  it("says what the server is in trouble with", function()
    file("toolshop.lua", "return {}")
    run [[query 'create schema toolshop']]
    run [[query 'create table toolshop.small (id smallint primary key generated by default as identity, open text)']]
    run [[query "select setval('toolshop.small_id_seq', 30000)"]]
    run [[query 'alter table toolshop.small enable row level security']]
    run [[query 'create table toolshop.parted (at timestamptz) partition by range (at)']]
    run [[query "insert into toolshop.small (open) values ('a'), ('a')"]]
    run [[query 'create unique index concurrently broken on toolshop.small (open)']]
    local text, code = run "doctor"
    assert.equal(1, code)
    for _, wanted in ipairs {
      "PostgreSQL 1", "toolshop.small_id_seq has used 92 % of its values", "toolshop.broken is not valid: drop index concurrently",
      "toolshop.small has row level security and no policy", "toolshop.parted has no partition", "connections",
    } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
    local list, wrong = larder.json.decode((run "doctor --json")), 0
    for _, item in ipairs(list) do wrong = wrong + (item.level == "wrong" and 1 or 0) end
    assert.is_true(wrong >= 1)
    run [[query 'drop schema toolshop cascade']]
    assert.equal(2, select(2, run "--url memory: doctor"))
  end)

  it("runs one statement", function()
    file("toolshop.lua", "return {}")
    local text, code = run "query 'select $1::int8 + 1 as n, $2::text as t' 41 tea"
    assert.same({ 0, "n   t\n42  tea\n" }, { code, text })
    assert.equal('[{"n":42}]\n', (run "query 'select 42 as n' --json"))
    assert.equal("[]\n", (run "query 'select 42 as n where false' --json"))
    assert.equal(1, select(2, run "query 'selec 1'"))
  end)

  it("makes and drops databases, waits for one, and seeds it", function()
    file("toolshop.lua", "return {}")
    local other = url:gsub("/larder%?", "/larder_tool_test?")
    os.execute(("cd '%s' && mkdir seeds"):format(dir))
    file("seeds/1_rows.lua", 'return function(db) assert(db:query "create table public.seeded (i int)") end')
    file(".larder", ('return { url = %q, seeds = "seeds", throwaway = true }'):format(other))
    assert.equal("made database larder_tool_test\n", (run "createdb"))
    assert.equal("database larder_tool_test is there\n", (run "createdb"))
    assert.same({ "the server answers\n", 0 }, { run "wait" })
    local text, code = run "seed"
    assert.equal(0, code)
    assert.is_truthy(text:find "seeds/1_rows.lua\n$")
    assert.equal("dropped database larder_tool_test\n", (run "dropdb"))
    assert.equal(1, select(2, run "wait --timeout 0.3"))
  end)

  it("issues, verifies, rotates and ends API keys", function()
    file("toolshop.lua", "return {}")
    local db = assert(larder.open(url))
    assert(db:migrate "auth")
    local auth = db:stores "auth"
    assert(db:query "delete from auth.tenants where id = 'tool'")
    assert(auth.tenants:create { id = "tool", name = "Tool", db_dsn = "x", db_schema = "x" })
    assert(auth.apps:create { tenant_id = "tool", id = "app", name = "App" })
    db:close()
    local issued = larder.json.decode((run "keys issue tool app --json"))
    assert.is_truthy(issued.secret:match "^lk_live_")
    local text, code = run("keys verify < '" .. dir .. "/key'")
    assert.is_true(code ~= 0, text)
    file("key", issued.secret .. "\n")
    text, code = run "keys verify <key"
    assert.equal(0, code)
    assert.is_truthy(text:find("tenant_id    tool", 1, true))
    local rotated = larder.json.decode((run("keys rotate tool app " .. issued.key.key_id .. " --json")))
    assert.is_true(rotated.secret ~= issued.secret)
    assert.equal(1, select(2, run "keys verify <key"))
    assert.equal(0, select(2, run("keys revoke tool app " .. rotated.key.key_id)))
  end)

  it("helps with every command", function()
    file("toolshop.lua", "return {}")
    local text = run "--help"
    for command in text:match("Commands:(.*)$"):gmatch "\n   (%l+)" do
      local help, code = run(command .. " --help")
      assert.same({ 0, true }, { code, help:find("Usage: larder " .. command, 1, true) ~= nil }, command)
      local page = io.open(here.root .. "/docs/cli/" .. command .. ".md")
      assert.is_truthy(page, "docs/cli/" .. command .. ".md")
      page:close()
    end
    assert.is_truthy((run "--completion bash"):find "complete")
  end)
end)
