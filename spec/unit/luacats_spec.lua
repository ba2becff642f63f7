-- Annotations: those of the sources, and those that `larder types` writes. No checker of LuaCATS is packaged, so the syntax, the
-- names and the parameters are checked here (spec/support/luacats.lua).

local larder = require "larder"
local annotate = require "larder.cli.annotate"
local disk = require "tools.disk"
local family = require "larder.family"
local luacats = require "spec.support.luacats"
local reference = require "tools.reference"
require "spec.support.keyed"

local function append(list, more)
  for _, v in ipairs(more) do list[#list + 1] = v end
end

-- Faults, declared names and uses of all sources.
local function of_sources()
  local faults, declared, uses = {}, {}, {}
  disk.walk("lua/larder", function(path)
    if path:find "%.lua$" then append(faults, luacats.check(path, disk.read(path), declared, uses)) end
  end)
  return faults, declared, uses
end

local function written(name)
  local db = assert(larder.open "memory:")
  local text = annotate.family(family.get(name), function(store) return db:_cstore(name, store):describe() end)
  db:close()
  return text
end

describe("annotations", function()
  it("of the sources parse, name types that exist, and describe the parameters that are there", function()
    local faults, declared, uses = of_sources()
    append(faults, luacats.unknown(uses, declared))
    assert.same({}, faults)
    assert.is_true(#uses > 300)
  end)

  it("describe every parameter of every public function", function()
    local missing = {}
    for _, fn in ipairs(reference.functions()) do
      local described = {}
      for _, p in ipairs(fn.block.params) do described[p.name] = true end
      for name in fn.params:gmatch "[^,%s]+" do
        local known = described[name] or name == "_" or name == "..." or name == "store" -- which a method's call hides
        if not known then missing[#missing + 1] = fn.prefix .. fn.name .. ": " .. name end
      end
    end
    assert.same({}, missing)
  end)

  it("let an editor complete options of generic stores, and take both info.next and err.code of a page", function()
    local text, answer = disk.read "lua/larder/store/read.lua", "larder.ListInfo, larder.Error"
    assert.is_truthy(text:find("---@class larder.ListAnswer: " .. answer, 1, true))
    for method, options in pairs { list = "ListOptions", each = "EachOptions" } do
      local block = text:match("\n([^\n]*)\nfunction read:" .. method .. "%(")
      assert.matches("^%-%-%-@overload fun%(self: larder.Store, opts%?: larder." .. options .. "%): ", block)
    end
    disk.walk("lua/larder", function(path) -- one name everywhere
      assert.is_nil(disk.read(path):find("larder.ListInfo|larder.Error", 1, true), path)
    end)
  end)

  it("of a family let conditions name its relations", function()
    local class = written("content"):match "%-%-%-@class content%.users%.Where\n(.-)\n\n" or written "content"
    assert.matches("---@field posts? boolean|{ any?: ", class, 1, true)
  end)

  for _, name in ipairs { "auth", "controlplane", "csms", "content", "keyed" } do
    it("of family " .. name .. ", as larder types writes them, do too", function()
      local _, declared = of_sources()
      local uses = {}
      local faults = luacats.check(name, written(name), declared, uses)
      append(faults, luacats.unknown(uses, declared))
      assert.same({}, faults)
      assert.is_true(#uses > 20)
    end)
  end

  it("that larder types writes name every field and method", function()
    local text = written "content"
    local db = assert(larder.open "memory:")
    for store, made in pairs { Users = "users", Posts = "posts", Roles = "roles" } do
      local class = text:match("%-%-%-@class content%." .. store .. ": larder%.Store\n(.-)\n\n")
      local known = {}
      for name in class:gmatch "@field ([%w_]+)" do known[name] = true end
      for name in pairs(getmetatable(db:stores("content")[made]).__index) do
        local generic = name == "run" or name == "flush" or name == "writer_stats" or name == "search" or name:sub(1, 1) == "_"
        assert.is_true(generic or known[name], "content." .. store .. " lacks " .. name)
      end
      local row = text:match("%-%-%-@class content%." .. store .. "%.Row\n(.-)\n\n")
      for _, field in ipairs(db:_cstore("content", made):describe().fields) do
        assert.equal(not field.hidden, row:find("@field " .. field.name .. "%f[^%w_]") ~= nil)
      end
    end
    assert.truthy(text:find('---@field stores fun(self: larder.Db, family: "content"): content.Stores', 1, true))
    assert.truthy(written("auth"):find('---@field status? "active"|"suspended"|"deleted"', 1, true))
    db:close()
  end)

  it("of stores whose names differ by their spelling alone are those of different classes", function()
    local entities = {}
    for i, name in ipairs { "OrderItems", "order_items", "stores" } do
      entities[i] = { name = name, table = "luacats_near.t" .. i, key = { "id" }, fields = { { name = "id", type = "int4" } } }
    end
    larder.declare { name = "luacats_near", entities = entities }
    local text, seen = written "luacats_near", {}
    for name in text:gmatch "%-%-%-@class ([%w_.]+)" do
      assert.is_nil(seen[name], name)
      seen[name] = true
    end
    for _, store in ipairs { "OrderItems luacats_near.OrderItems", "order_items luacats_near.order_items", "stores luacats_near.stores" } do
      assert.is_truthy(text:find("---@field " .. store .. "\n", 1, true), store)
    end
  end)

  it("that are wrong are found", function()
    local function faults(text)
      local declared, uses = {}, {}
      local list = luacats.check("x", text, declared, uses)
      append(list, luacats.unknown(uses, declared))
      return table.concat(list, "\n")
    end
    assert.equal("", faults("---@param a string|nil  words\n"
      .. "---@param b? { c: integer, d?: fun(e: any): string }[]\nfunction f(a, b)\nend"))
    assert.equal("", faults('---@class A\n---@field b table<string, A>\n---@field c fun(x: A, ...: any): A|nil, string?\n'
      .. '---@field d "x"|"y"'))
    assert.matches("a is described, but the function has %(b%)", faults "---@param a string\nfunction f(b)\nend")
    assert.matches("no class or alias is called B", faults "---@type B", 1, true)
    assert.matches("is expected", faults "---@type { a: }", 1, true)
    assert.matches("is expected", faults "---@type fun(a: string", 1, true)
    assert.matches("there is no annotation @parma", faults "---@parma a string", 1, true)
    assert.matches("without a type", faults "---@param a\nfunction f(a)\nend", 1, true)
  end)
end)
