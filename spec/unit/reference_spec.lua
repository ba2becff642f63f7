-- docs/reference.md: made from the annotations, complete, and each function is shown by code that the suite runs.

local larder = require "larder"
local book = require "spec.support.book"
local disk = require "tools.disk"
local reference = require "tools.reference"
require "spec.support.keyed"

-- What the objects have, found in them.
local function public_of(object)
  local names = {}
  for name, value in pairs(object) do
    if type(value) == "function" and name:sub(1, 1) ~= "_" and name ~= "new" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

describe("the reference", function()
  local functions = reference.functions()
  local known = {}
  for _, fn in ipairs(functions) do known[fn.prefix .. fn.name] = fn end
  for _, value in ipairs(reference.VALUES) do known["larder." .. value[1]] = true end

  it("is what the annotations say: tools/reference.sh makes it", function()
    assert.is_true(reference.page(book.used) == disk.read "docs/reference.md", "docs/reference.md is old: run tools/reference.sh")
  end)

  it("has an entry for every public function", function()
    local db = assert(larder.open "memory:")
    local objects = {
      ["larder."] = larder, ["migrate."] = require "larder.migrate", ["testing."] = require "larder.testing",
      ["db:"] = getmetatable(db).__index, ["store:"] = getmetatable(db:stores("keyed").int4_alone).__index,
    }
    local missing = {}
    for prefix, object in pairs(objects) do
      for _, name in ipairs(public_of(object)) do
        if not known[prefix .. name] then missing[#missing + 1] = prefix .. name end
      end
    end
    table.sort(missing)
    assert.same({}, missing)
    assert.is_true(#functions > 90)
  end)

  it("describes each of them", function()
    for _, fn in ipairs(functions) do
      assert.is_true(#fn.block.text > 0, fn.prefix .. fn.name .. " has no description")
    end
  end)

  it("names a page that shows each of them", function()
    local missing = {}
    for _, fn in ipairs(functions) do
      if #book.used(fn.prefix, fn.name) == 0 then missing[#missing + 1] = fn.prefix .. fn.name end
    end
    assert.same({}, missing)
  end)

  it("has an example of every option, in code that runs", function()
    local code, missing = {}, {}
    for _, page in ipairs((book.pages())) do
      local read = book.read("docs/" .. page .. ".md")
      code[#code + 1] = read.code
      for _, text in pairs(read.files) do code[#code + 1] = text end
    end
    code = table.concat(code, "\n")
    local _, classes = reference.functions()
    for _, name in ipairs(reference.OPTIONS) do
      for _, field in ipairs(assert(classes[name], name).fields) do
        if not code:find("%f[%w_]" .. field.name .. "%s*=%f[^=]") then missing[#missing + 1] = name .. "." .. field.name end
      end
    end
    assert.same({}, missing)
  end)

  it("has every error code with an example", function()
    local page = disk.read "docs/errors.md"
    local code = book.read("docs/errors.md").code
    for _, name in pairs(larder.codes) do
      assert.is_truthy(page:find("\n|[^|]*`" .. name .. "`[^|]*|"), "docs/errors.md does not describe " .. name)
      assert.is_truthy(code:find(name, 1, true), "docs/errors.md shows no example of " .. name)
    end
  end)

  it("has every event", function()
    local page, events = disk.read "docs/operations.md", require "larder.base.events"
    for _, name in ipairs(events.names()) do
      assert.is_truthy(page:find("`" .. name .. "`", 1, true), "docs/operations.md does not describe the event " .. name)
    end
  end)
end)
