-- The pages of docs/ do what they say, on both engines.

local larder = require "larder"
local book = require "spec.support.book"

local url = os.getenv "LARDER_TEST_URL"

local all, everywhere = book.pages() -- all of them use the bookshop of the tutorial

local function path_of(name) return "docs/" .. name .. ".md" end

local function fresh()
  local db = assert(larder.open(url))
  assert(db:query "drop schema if exists bookshop cascade")
  if db:query "select from larder.schema_migrations limit 0" then
    assert(db:query "delete from larder.schema_migrations where family = 'bookshop'")
  end
  assert(db:migrate "auth")
  assert(db:query "truncate auth.tenants cascade") -- pages begin with nothing
  return db
end

local function run(name, target)
  local tutorial = book.read(path_of "tutorial")
  local page = name == "tutorial" and tutorial or book.read(path_of(name))
  local dir = book.folder { tutorial, page }
  local ok, printed = pcall(book.run, path_of(name), page, dir, target)
  os.execute("rm -r " .. dir)
  assert(ok, printed)
  assert.same(page.said, printed)
end

describe("the book", function()
  it("declares the bookshop as its migration makes it", function()
    assert.is_string(url, "LARDER_TEST_URL is not set")
    local db = fresh()
    local tutorial = book.read(path_of "tutorial")
    local dir = book.folder { tutorial }
    local ok, why = pcall(book.run, "tutorial's declaration", { code = 'require "bookshop"', said = {} }, dir, url)
    if ok then ok, why = db:migrate("bookshop", { dir = dir .. "/sql/bookshop" }) end
    local faults = ok and require "larder.migrate.check"(db, "bookshop")
    os.execute("rm -r " .. dir)
    assert(db:query "drop schema if exists bookshop cascade")
    db:close()
    assert(ok, why)
    assert.same({}, faults)
  end)

  for _, name in ipairs(everywhere) do
    it("runs " .. name .. " in memory", function() run(name, "memory:") end)
  end

  for _, name in ipairs(all) do
    it("runs " .. name .. " on PostgreSQL", function()
      assert.is_string(url, "LARDER_TEST_URL is not set")
      local db = fresh()
      local ok, why = pcall(run, name, url)
      assert(db:query "drop schema if exists bookshop cascade")
      db:close()
      assert(ok, why)
    end)
  end
end)
