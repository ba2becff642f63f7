-- Documentation that can be checked is checked.

local lfs = require "lfs"
local disk = require "tools.disk"

local slurp, walk = disk.read, disk.walk

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

-- ---- do tests assert something? ----

-- The text from a line to the end of the block that it opens, by the indentation of this tree.
local function block_at(text, at)
  local line = text:sub(1, at - 1):match "^.*\n()" or 1
  local indent = text:match("^[ \t]*", line)
  local line_end = text:find("\n", at, true) or #text
  local first = text:sub(at, line_end)
  if first:find "end%)?%s*$" and first:find "function" then return first end
  local stop = text:find("\n" .. indent .. "end", line_end - 1, true)
  local stop2 = text:find("\n" .. indent .. "}", line_end - 1, true)
  return text:sub(at, stop or stop2 or #text)
end

--- Does a test or a helper assert anything, itself or by a helper?
local function asserts(body, helpers)
  if body:find "assert" or body:find "must" or body:find "error[ (]" or body:find "pending" then return true end
  for name in body:gmatch "([%a_][%w_]*)%s*[%(%{\"]" do
    if helpers[name] then return true end
  end
  return false
end

--- The functions of a file that assert something: name → true.
local function helpers_of(text)
  local bodies, helpers = {}, {}
  for at, name in text:gmatch "()local function ([%w_]+)" do bodies[name] = block_at(text, at) end
  for at, name in text:gmatch "()function [%w_]+[.:]([%w_]+)" do bodies[name] = block_at(text, at) end
  local again = true
  while again do
    again = false
    for name, body in pairs(bodies) do
      if not helpers[name] and asserts(body:gsub("^[^\n(]*", ""), helpers) then helpers[name], again = true, true end
    end
  end
  return helpers
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

  -- A file's part that runs on both engines is one loop. The other cases are about what only one side has.
  it("runs every acceptance case of the families on both engines", function()
    local elsewhere = set_of({ table.concat({
      "LC-C1 MV-G7 MV-G8 MV-G9 NX-4 NX-19", -- settings: no engine
      "LC-M2 MV-G5 MV-G6 MV-G10 NX-1 NX-2", -- migrations, tables and passwords of a server
      "MV-G4 NX-12", -- replicas, full-text search
    }, " ") }, "%u%u%-%u?%d+")
    local both, all = {}, set_of(titles(), "%u%u%-%u?%d+")
    walk("spec", function(path)
      local text = slurp(path)
      for at in text:gmatch "\n()for _, engine in ipairs%(engines%) do" do
        for title in block_at(text, at):gmatch 'it%(%s*"([^"]+)"' do both[#both + 1] = title end
      end
    end)
    both = set_of(both, "%u%u%-%u?%d+")
    local wanted, n = {}, 0
    for id in pairs(all) do
      local family = id:sub(1, 3)
      if family == "LC-" or family == "MV-" or family == "NX-" then
        n = n + 1
        if not elsewhere[id] then wanted[id] = true end
      end
    end
    assert.equal(154, n)
    assert.equal("", missing(wanted, both))
    for id in pairs(elsewhere) do assert.is_nil(both[id], id) end -- the list does not outlive its reason
  end)

  it("names no family in the core", function()
    walk("csrc", function(path)
      if not path:find "%.[ch]$" then return end
      local text = slurp(path):lower()
      for _, family in ipairs { "controlplane", "csms", "charge_station", "content%." } do
        assert.is_nil(text:find(family), path .. " speaks of " .. family)
      end
    end)
  end)

  it("shows code in the README that runs", function()
    local blocks = 0
    for code in slurp("README.md"):gmatch "```lua\n(.-)```" do
      blocks = blocks + 1
      code = code:gsub("%f[%w]print%(", "select('#', ") -- a test prints nothing
      code = code:gsub("larder%.open%(%)", 'larder.open "memory:"') -- never what the environment of a developer names
      local chunk = assert((loadstring or load)(code, "=README.md"))
      if not code:find('require "larder"', 1, true) then
        chunk = assert((loadstring or load)('local larder = require "larder"\n' .. code, "=README.md"))
      end
      chunk()
    end
    assert.equal(1, blocks)
  end)

  it("has the chart that its figures say: tools/lua.sh lua5.4 bench/charts.lua draws it", function()
    local charts = require "bench.charts"
    local text = slurp "docs/performance.md"
    assert.is_true(charts.speed(text) == slurp "docs/img/speed.svg", "docs/img/speed.svg is old")
    assert.is_true(charts.read(text)["lua-larder"].W1 > 0)
  end)

  it("lists every message: tools/messages.sh makes the page anew", function()
    local page = require("tools.messages").page()
    assert.is_true(page == slurp "docs/inside/messages.md", "docs/inside/messages.md is old: run tools/messages.sh")
    local _, n = page:gsub("\n%- ", "")
    assert.is_true(n > 1200, n .. " messages")
  end)

  -- A text is listed for what it is, so that no way of handing it on can hide it.
  it("misses no message, however it is raised", function()
    local of = require("tools.messages").of
    local in_c = [==[
      #include "no/message here.h"
      /* a comment with "no message" in it */
      static const struct fault f[] = {{"bom", "save it as UTF-8"}, {"x", "is a directory"}};
      static_hint(h, "read it "
                     "twice", '"', "and close \"%s\"");
      _Static_assert(1, "never read by anybody");
      return cond ? ldr_fail(err, X, "pepper %u: %s", n) : set(err->hint, "write its file; nothing was undone" /* "not this" */);
      sql = "select a message from t where b"; word("oneword");]==]
    assert.same({ 'and close \\"%s\\"', "is a directory", "pepper %u: %s", "read it twice", "save it as UTF-8",
      "write its file; nothing was undone" }, of(in_c, ".c"))
    local in_lua = [==[
      -- a comment with "no message" in it
      --[[ nor "in this" one ]]
      self.report(("reference %s is missing"):format(name)) faults[x] = 'must be "given" -- always' -- "nor this"
      return nil, errors.invalid({ key = "is a key of no use" }, nil, { hint = 'say "when", or leave it' })
      c:option("--to", "The help of an option."):argname "N" text:find "^%s*no pattern" local q = [[select long texts]]
      it:note "written by hand" db:query "insert into t values" word "one" error("nothing " .. kind .. " of use")]==]
    assert.same({ " of use", "is a key of no use", 'must be "given" -- always', "reference %s is missing", 'say "when", or leave it',
      "written by hand" }, of(in_lua, ".lua"))
  end)

  it("finds an assertion in every test", function()
    local support, tests = {}, 0
    walk("spec/support", function(path)
      if path:find "%.lua$" then
        for name in pairs(helpers_of(slurp(path))) do support[name] = true end
      end
    end)
    walk("spec", function(path)
      if not path:find "_spec%.lua$" then return end
      local text = slurp(path)
      local helpers = setmetatable(helpers_of(text), { __index = support })
      for at in text:gmatch "%f[%w_]()it%(" do
        tests = tests + 1
        local body = block_at(text, at)
        assert(asserts(body:gsub('^it%(%s*"[^"]*"', ""), helpers), path .. " asserts nothing: " .. body:sub(1, 100))
      end
    end)
    assert.is_true(tests > 900)
    assert.is_false(asserts("it('x', function() end)", support)) -- and one that does not is found
  end)

  it("finds no spec that leaves without a word", function()
    walk("spec", function(path)
      local quiet = path:find "_spec%.lua$" and ("\n" .. slurp(path)):match "\n(if [^\n]* then return end)\n"
      assert.is_falsy(quiet, path .. " must say that it is pending (spec/support/need.lua): " .. tostring(quiet))
    end)
  end)

  -- The anchor that a heading gets: lower case, blanks as hyphens, without marks.
  local function anchors_of(path)
    local set = {}
    for heading in ("\n" .. slurp(path)):gmatch "\n#+ ([^\n]+)" do
      set[(heading:lower():gsub("[^%w%- _]", ""):gsub(" ", "-"))] = true
    end
    return set
  end

  local function check_links(path)
    local folder = path:match "^(.*)/[^/]*$" or "."
    for link in slurp(path):gsub("```.-```", ""):gmatch "%]%(([^%)%s]+)%)" do
      local file, anchor = link:match "^([^#]*)#?(.*)$"
      if not link:find "^%a+:" then
        local target = file == "" and path or (folder .. "/" .. file)
        assert.is_truthy(lfs.attributes(target), path .. " links to " .. link)
        if anchor ~= "" then assert.is_truthy(anchors_of(target)[anchor], path .. " links to " .. link) end
      end
    end
  end

  it("has links that lead somewhere", function()
    check_links "README.md"
    walk("docs", function(path)
      if path:find "%.md$" then check_links(path) end
    end)
  end)

  it("has an index that names every page for users", function()
    local index, cli = slurp "docs/README.md", slurp "docs/cli/README.md"
    for name in lfs.dir "docs" do
      if name:find "%.md$" and name ~= "README.md" then
        assert.is_truthy(index:find("(" .. name, 1, true), "docs/README.md does not name " .. name)
      end
    end
    for name in lfs.dir "docs/cli" do
      if name:find "%.md$" and name ~= "README.md" then
        assert.is_truthy(cli:find("(" .. name, 1, true), "docs/cli/README.md does not name " .. name)
      end
    end
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
