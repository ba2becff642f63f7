-- Every command that answers data, with --json: what it prints is one JSON value, and the exit code is that of the words.

local larder = require "larder"
local cli = require "spec.support.cli"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("--json", function()
  local here

  before_each(function()
    here = cli.new { URL = url, LARDER_PEPPERS = "" }
    here:file(".larder", 'return { load = { "tooljson.lua" }, url = os.getenv "URL", throwaway = true, seeds = "seeds" }')
    local db = assert(larder.open(url))
    assert(db:query "drop schema if exists tooljson cascade")
    if db:query("select to_regclass('larder.schema_migrations') is not null as ok")[1].ok then
      assert(db:query "delete from larder.schema_migrations where family = 'tooljson'")
    end
    db:close()
    here:run "new family tooljson"
  end)
  after_each(function() here:remove() end)

  -- The answer of a command; its exit code must be the one given.
  local function json(command, wanted)
    local text, code = here:run(command)
    assert.same({ command, wanted or 0 }, { command, code }, text)
    local value, err = larder.json.decode(text)
    assert.is_truthy(value ~= nil, command .. ": " .. tostring(err) .. text)
    assert.is_nil(text:find("\27", 1, true))
    return value
  end

  it("of migrate", function()
    here:file("sql/tooljson/000002_more.up.sql", "alter table tooljson.items add column n int;\n")
    here:file("sql/tooljson/000002_more.down.sql", "alter table tooljson.items drop column n;\n")
    assert.equal("pending", json("migrate status tooljson --json")[1].state)
    json("migrate status tooljson --exit-code --json", 4)
    assert.equal(2, #json "migrate up tooljson --dry-run --json")
    assert.equal(2, #json "migrate up tooljson --json")
    assert.equal(0, #json "migrate up tooljson --json")
    assert.equal("down", json("migrate down tooljson --json")[1].action)
    assert.equal("up", json("migrate goto tooljson 2 --json")[1].action)
    assert.equal(2, #json "migrate redo tooljson --json")
    assert.equal(0, #json "migrate resume tooljson --json")
    assert.equal(0, #json "migrate repair tooljson --json")
    assert.equal(1, #json "migrate force tooljson 1 --json")
    assert.equal("not_empty", json("migrate baseline tooljson 2 --json", 1).error.reason)
    json("migrate adopt tooljson --json", 1)
    json "migrate verify tooljson --json"
    assert.equal(2, #json("migrate create tooljson later --json").files)
    here:file("sql/tooljson/000002_more.up.sql", "edited\n")
    json("migrate status tooljson --json", 3)
  end)

  it("of what looks at the database", function()
    here:run "migrate up tooljson"
    assert.same({}, json "check tooljson --json")
    assert.same({}, json("diff tooljson --json").faults)
    here:run "query 'alter table tooljson.items drop column title'"
    assert.equal(1, #json("check tooljson --json", 3))
    assert.equal(1, #json("diff tooljson --json").faults)
    assert.same({ "items" }, json("pull tooljson --json").stores)
    assert.same({ files = { "pulled.lua" } }, json "pull tooljson -o pulled.lua --json")
    assert.is_true(json("health --json").ok)
    assert.is_true(json("wait --json --timeout 5").ok)
    assert.is_true(#json "config --json" > 3)
    assert.equal("server", json("doctor --json", 1)[1].topic) -- 1: a test's server does without fsync
    assert.same({ { b = 1, a = 2 } }, json "query 'select 1 as b, 2 as a' --json")
    here:file("seeds/a.lua", "return function(db) assert(db:query 'select 1') end")
    assert.equal(1, #json("seed --json").files)
  end)

  it("of keys", function()
    here:run "migrate up auth"
    here:file("keys.lua", [[
      return function(db)
        local auth = db:stores "auth"
        if not auth.tenants:get "tooljson" then
          assert(auth.tenants:create { id = "tooljson", name = "T", db_dsn = "x", db_schema = "tooljson" })
          assert(auth.apps:create { tenant_id = "tooljson", id = "app", name = "A" })
        end
      end]])
    local text, code = here:run("seed keys.lua", true)
    assert.equal(0, code, text)
    local issued = json "keys issue tooljson app --json"
    here:file("key", issued.secret .. "\n")
    assert.equal(issued.key.key_id, json("keys verify --json < " .. here:path "key").key.key_id)
    local rotated = json("keys rotate tooljson app " .. issued.key.key_id .. " --json")
    assert.is_truthy(json("keys revoke tooljson app " .. rotated.key.key_id .. " --json").key)
  end)

  it("of databases and dumps", function()
    local other = url:gsub("/larder%?", "/larder_tool_json?")
    local at = ("--url '%s' -y "):format(other)
    assert.equal("larder_tool_json", json(at .. "createdb --json").database)
    assert.is_false(json(at .. "createdb --json").made)
    assert.is_true(json(at .. "dropdb --json").dropped)
    here:run "migrate up tooljson"
    assert.equal("schema.sql", json("dump tooljson -o schema.sql --json").file)
  end)
end)

describe("larder dump", function()
  it("writes what pg_dump writes, with or without rows, and no secret", function()
    local here = cli.new { URL = url }
    here:file(".larder", 'return { load = { "tooldump.lua" }, url = os.getenv "URL", throwaway = true }')
    here:run "new family tooldump"
    here:run "query 'drop schema if exists tooldump cascade'"
    here:run "query \"delete from larder.schema_migrations where family = 'tooldump'\""
    assert.equal(0, select(2, here:run "migrate up tooldump"))
    here:run "query \"insert into tooldump.items (id, title) values (gen_random_uuid(), 'a title')\""
    local text, code = here:run "dump tooldump"
    assert.equal(0, code)
    assert.is_truthy(text:find("CREATE TABLE tooldump.items", 1, true), text)
    assert.is_nil(text:find("a title", 1, true))
    text = here:run "dump tooldump --data"
    assert.is_truthy(text:find("CREATE TABLE", 1, true) and text:find("a title", 1, true))
    text = here:run "dump tooldump --data-only"
    assert.is_truthy(not text:find("CREATE TABLE", 1, true) and text:find("a title", 1, true))
    assert.equal(0, select(2, here:run "dump tooldump --format custom -o db.dump"))
    assert.equal("PGDMP", here:slurp "db.dump":sub(1, 5))
    assert.equal(1, select(2, here:run "dump tooldump -o /nowhere/db.sql"))
    here:file("bin/old_dump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    os.execute("chmod +x " .. here:path "bin/old_dump")
    text, code = here:run("dump tooldump --pg-dump " .. here:path "bin/old_dump", true)
    assert.equal(2, code)
    assert.is_truthy(text:find("is version 9 and cannot dump a server of version", 1, true), text)
    assert.is_truthy(text:find("install postgresql-client-", 1, true), text)
    assert.equal(2, select(2, here:run "--url memory: dump"))
    here:run "query 'drop schema tooldump cascade'"
    here:remove()
  end)
end)
