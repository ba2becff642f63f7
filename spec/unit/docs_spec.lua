-- Documentation that can be checked is checked.

local lfs = require "lfs"

local function slurp(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read "*a"
  f:close()
  return text
end

local function walk(dir, fn)
  for name in lfs.dir(dir) do
    if name:sub(1, 1) ~= "." then
      local path = dir .. "/" .. name
      if lfs.attributes(path, "mode") == "directory" then walk(path, fn) else fn(path) end
    end
  end
end

local function titles()
  local all = {}
  walk("spec", function(path)
    for title in slurp(path):gmatch 'it%(%s*"([^"]+)"' do all[#all + 1] = title end
  end)
  return all
end

local function set_of(list, pattern)
  local set = {}
  for _, text in ipairs(list) do
    for id in text:gmatch(pattern) do set[id] = true end
  end
  return set
end

local function missing(from, inside)
  local list = {}
  for id in pairs(from) do
    if not inside[id] then list[#list + 1] = id end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

describe("documentation", function()
  it("names a test for every fault, and a fault for every test", function()
    local documented = set_of({ slurp "docs/faults.md" }, "| (FT%-%l?%d+) |")
    local tested = titles()
    walk("csrc/test", function(path) -- the comment before a test
      for comment in slurp(path):gmatch "/%*(.-)%*/%s*TEST%(" do tested[#tested + 1] = comment end
    end)
    tested = set_of(tested, "FT%-%l?%d+")
    assert.equal("", missing(documented, tested))
    assert.equal("", missing(tested, documented))
  end)

  it("finds every acceptance case of the auth contract in a test's title", function()
    local tested = set_of(titles(), "LK%-%u%d+")
    local wanted = {}
    for letter, last in pairs { T = 7, A = 5, B = 4, U = 4, G = 4, K = 7, C = 1, M = 2 } do
      for n = 1, last do wanted["LK-" .. letter .. n] = true end
    end
    assert.equal("", missing(wanted, tested))
  end)

  it("finds every acceptance case of the controlplane contract in a test's title", function()
    local tested = set_of(titles(), "LC%-%u%d+")
    local wanted = {}
    for letter, last in pairs { P = 8, A = 10, O = 11, I = 4, U = 2, X = 2, R = 2, T = 4, M = 2, C = 1 } do
      for n = 1, last do wanted["LC-" .. letter .. n] = true end
    end
    assert.equal("", missing(wanted, tested))
  end)

  it("finds every acceptance case of the csms contract in a test's title", function()
    local tested = set_of(titles(), "MV%-%u%d+")
    local wanted = {}
    for letter, last in pairs { A = 4, S = 8, C = 7, R = 3, T = 6, K = 13, X = 24, P = 3, O = 5, L = 6, G = 10 } do
      for n = 1, last do wanted["MV-" .. letter .. n] = true end
    end
    assert.equal("", missing(wanted, tested))
  end)

  it("finds every acceptance case of the content contract in a test's title", function()
    local tested, wanted = set_of(titles(), "NX%-%d+"), {}
    for n = 1, 19 do wanted["NX-" .. n] = true end
    assert.equal("", missing(wanted, tested))
  end)

  it("lists every error code in the README", function()
    local readme = slurp "README.md"
    for _, code in pairs(require("larder").codes) do
      assert.is_truthy(readme:find("`" .. code .. "`", 1, true), code .. " is not in the README")
    end
  end)

  it("shows code in the README that runs", function()
    local blocks = 0
    for code in slurp("README.md"):gmatch "```lua\n(.-)```" do
      blocks = blocks + 1
      code = code:gsub("larder%.open%(%)", 'larder.open "memory:"') -- never what the environment of a developer names
      local chunk = assert((loadstring or load)(code, "=README.md"))
      if not code:find('require "larder"', 1, true) then
        chunk = assert((loadstring or load)('local larder = require "larder"\n' .. code, "=README.md"))
      end
      chunk()
    end
    assert.equal(2, blocks)
  end)

  it("names only files that exist", function()
    for _, doc in ipairs { "README.md", "docs/faults.md", "docs/architecture.md", "docs/csms.md" } do
      for path in slurp(doc):gmatch "`([%w_/%.%-]+/[%w_%.%-]+%.%a+)`" do
        if not path:find("*", 1, true) and lfs.attributes(path:match "^[^/]+") then
          assert.is_truthy(lfs.attributes(path), doc .. " names " .. path)
        end
      end
    end
  end)
end)
