-- What `larder types` writes about the bookshop agrees with the code of the book: no call hands over, and none answers, a name that
-- the annotations do not have.

local book = require "spec.support.book"
local larder = require "larder"
local typed = require "spec.support.typed_calls"

local tutorial = book.read "docs/tutorial.md"

-- The one name that is wrong on purpose, by page.
local ON_PURPOSE = { tutorial = "customers:find: bookshop.Customers.Where has no emial" }

describe("the types of the bookshop", function()
  local db, dir

  setup(function()
    dir = book.folder { tutorial }
    assert(loadfile(dir .. "/bookshop.lua"))()
    db = assert(larder.open "memory:")
  end)
  teardown(function()
    db:close()
    os.execute("rm -r " .. dir)
  end)

  for page, calls in pairs { tutorial = 15, queries = 20, transactions = 8, ["moving-data"] = 1, testing = 5 } do
    it("are those of " .. page, function()
      local watch = typed.watch(db, "bookshop")
      local ok, why = pcall(book.run, "docs/" .. page .. ".md", book.read("docs/" .. page .. ".md"), dir, "memory:")
      watch.stop()
      assert(ok, why)
      assert.same({ ON_PURPOSE[page] }, watch.faults)
      assert.is_true(watch.calls >= calls, page .. " has " .. watch.calls .. " calls")
    end)
  end

  it("find what is misspelt, on every level", function()
    local watch, classes = typed.watch(db, "bookshop")
    watch.stop()
    local faults = {}
    local function check(kind, value) typed.check(classes, "bookshop." .. kind, value, "here", faults) end
    check("Books.New", { isbn = "1", title = "t", price = 1 })
    check("Orders.ListOptions", { where = { status = "open" }, limit = 3, include = { customer = true } })
    assert.same({}, faults)
    check("Books.New", { { isbn = "1", titel = "t" } })
    check("Orders.ListOptions", { were = {} })
    check("Orders.ListOptions", { where = { state = "open" } })
    check("Orders.ListOptions", { include = { costumer = true } })
    assert.equal(4, #faults, table.concat(faults, "\n"))
  end)
end)
