-- docs/own-family.md, read and run: what it says is what happens.

local larder = require "larder"

local url = os.getenv "LARDER_TEST_URL"

local function blocks_of(language)
  local file = assert(io.open "docs/own-family.md")
  local text = file:read "*a"
  file:close()
  local list = {}
  for block in text:gmatch("```" .. language .. "\n(.-)```") do list[#list + 1] = block end
  return list
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

local compile = loadstring or load -- luacheck: ignore

local function run(block, db)
  local chunk = assert(compile("local larder, db = ...\n" .. block))
  return chunk(larder, db)
end

describe("a family of one's own", function()
  local lua, sql = blocks_of "lua", blocks_of "sql"

  setup(function() run(lua[1]) end)

  it("is declared in few lines", function()
    local _, lines = lua[1]:gsub("\n", "\n")
    assert.is_true(lines <= 26, lines .. " lines")
  end)

  it("works in memory as the page says", function()
    local db = assert(larder.open "memory:")
    run(lua[2], db)
    run(lua[3], db)
    db:close()
  end)

  it("works on PostgreSQL as the page says", function()
    assert.is_string(url, "LARDER_TEST_URL is not set")
    local db, dir = assert(larder.open(url)), os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
    write(dir .. "/000001_create_library.up.sql", sql[1])
    write(dir .. "/000001_create_library.down.sql", sql[2])
    assert(db:query "drop schema if exists library cascade")
    if db:query "select from larder.schema_migrations limit 0" then
      assert(db:query "delete from larder.schema_migrations where family = 'library'")
    end
    assert(db:migrate("library", { dir = dir }))
    run(lua[2], db)
    run(lua[3], db)
    assert(db:query "drop schema library cascade")
    assert(db:query "delete from larder.schema_migrations where family = 'library'")
    os.execute("rm -r " .. dir)
    db:close()
  end)
end)
