-- What every command of the tool must have, and what needs no server.

local larder = require "larder"
local lfs = require "lfs"
local cli = require "spec.support.cli"
local parsers = require "larder.cli.parser"

local function slurp(path)
  local f = io.open(path, "rb")
  local text = f and f:read "*a"
  if f then f:close() end
  return text
end

-- Every command that does something: its words, its parser, its module.
local function leaves()
  local list, commands = {}, parsers.commands()
  for _, command in ipairs(parsers.make(commands)._commands) do
    local module = commands[command._name]
    if #command._commands == 0 then list[#list + 1] = { words = command._name, parser = command, module = module } end
    for _, sub in ipairs(command._commands) do
      list[#list + 1] = { words = command._name .. " " .. sub._name, parser = sub, module = module }
    end
  end
  return list
end

local function specs()
  local texts = {}
  for _, folder in ipairs { "spec/pg", "spec/unit" } do
    for name in lfs.dir(folder) do
      if name:find "_spec%.lua$" then texts[#texts + 1] = slurp(folder .. "/" .. name) end
    end
  end
  return table.concat(texts, "\n")
end

describe("every command", function()
  local all = leaves()

  it("is found", function() assert.is_true(#all > 30) end)

  it("has a page that names its options, and stands in the list of commands", function()
    local index = slurp "docs/cli/README.md"
    for _, leaf in ipairs(all) do
      local name = leaf.words:match "^%S+"
      local page = slurp("docs/cli/" .. name .. ".md")
      assert.is_truthy(page, name)
      assert.is_truthy(index:find("(" .. name .. ".md)", 1, true), name .. " in docs/cli/README.md")
      for _, option in ipairs(leaf.parser._options) do
        local found = false
        for _, alias in ipairs(option._aliases) do found = found or alias == "--help" or page:find(alias, 1, true) ~= nil end
        assert.is_true(found, ("%s: %s"):format(leaf.words, option._aliases[1]))
      end
    end
  end)

  it("says what it does, and what each of its options does", function()
    for _, leaf in ipairs(all) do
      assert.is_truthy(leaf.parser._description, leaf.words)
      for _, option in ipairs(leaf.parser._options) do assert.is_truthy(option._description, leaf.words .. " " .. option._aliases[1]) end
    end
  end)

  it("has --json, unless it is a conversation", function()
    for _, leaf in ipairs(all) do
      local found = leaf.module.json == false
      for _, option in ipairs(leaf.parser._options) do found = found or option._aliases[1] == "--json" end
      assert.is_true(found, leaf.words)
    end
  end)

  it("is run by a test, in words and with --json, and its exit code is looked at", function()
    local text = specs()
    local function named(words, more)
      local pattern = "%f[%w]" .. words:gsub(" ", " +") .. "%f[%W]" .. (more or "")
      return text:find("['\"%[ ]" .. pattern) or text:find(pattern)
    end
    for _, leaf in ipairs(all) do
      assert.is_truthy(named(leaf.words), leaf.words)
      if leaf.module.json ~= false then assert.is_truthy(named(leaf.words, "[^\n]*%-%-json"), leaf.words .. " --json") end
    end
  end)

  it("is in the manual page: make man makes it", function()
    local parser = parsers.make(parsers.commands())
    assert.is_true(slurp "docs/larder.1" == require "larder.cli.man".page(parser), "docs/larder.1 is old: run make man")
  end)

  it("is in a manual page that man reads without a warning", function()
    local pipe = io.popen "MANWIDTH=100 man --warnings -E UTF-8 -l docs/larder.1 2>&1 | col -b"
    local text = pipe:read "*a"
    pipe:close()
    assert.is_truthy(text:find("larder - typed stores", 1, true), text:sub(1, 300))
    assert.is_truthy(text:find("migrate up [family]", 1, true))
    assert.is_nil(text:find("warning", 1, true))
  end)
end)

describe("completion", function()
  local here

  setup(function() here = cli.new() end)
  teardown(function() here:remove() end)

  local function shell(program, script)
    local where = here:path(program .. "/_larder")
    here:file(program .. "/_larder", (here:run("--completion " .. program)))
    here:file("try", (script:gsub("FILE", where)))
    local pipe = io.popen(("%s %s 2>&1"):format(program, here:path "try"))
    local text = pipe:read "*a"
    pipe:close()
    return text
  end

  local function has(program)
    return os.execute("command -v " .. program .. " >/dev/null 2>&1") == true or os.execute("command -v " .. program .. " >/dev/null") == 0
  end

  it("loads in bash and completes commands", function()
    local text = shell("bash", [[
      source FILE
      COMP_WORDS=(larder mig); COMP_CWORD=1; COMP_LINE="larder mig"; _larder; echo "${COMPREPLY[@]}"
      COMP_WORDS=(larder migrate st); COMP_CWORD=2; _larder; echo "${COMPREPLY[@]}"
      COMP_WORDS=(larder import --dry); COMP_CWORD=2; _larder; echo "${COMPREPLY[@]}"]])
    assert.equal("migrate\nstatus\n--dry-run\n", text)
  end)

  for program, script in pairs {
    zsh = "where=FILE\nfpath=(${where:h} $fpath)\nautoload -U compinit\ncompinit -u -D\n"
      .. "autoload +X _larder && print ${_comps[larder]} $+functions[_larder]",
    fish = 'source FILE\ncomplete -C"larder mig"',
  } do
    it("loads in " .. program, function()
      if not has(program) then return pending(program .. " is not there") end
      local text = shell(program, script)
      assert.is_truthy(text:find(program == "zsh" and "_larder 1" or "migrate", 1, true), text)
      assert.is_nil(text:lower():find("error", 1, true))
    end)
  end
end)

describe("the console in memory", function()
  local here

  before_each(function()
    here = cli.new()
    here:file(".larder", 'return { load = { "shop.lua" }, url = "memory:" }')
    here:file("shop.lua", [[
      return require "larder".declare { name = "toolmem", entities = { { name = "items", table = "toolmem.items",
        fields = { { name = "id", type = "int4" }, { name = "name", type = "text", null = true } },
        key = { name = "items_pkey", "id" } } } }]])
  end)
  after_each(function() here:remove() end)

  local function type_in(lines)
    here:file("typed", table.concat(lines, "\n") .. "\n")
    return here:run("-q console < " .. here:path "typed", true)
  end

  it("shows rows as tables, single rows by field, and other values", function()
    local text, code = type_in {
      'toolmem.items:create { id = 1, name = "tea" }', "toolmem.items:create { id = 2 }", "toolmem.items:list()",
      "toolmem.items:count(larder.all {})", "null", "larder.decimal '1.10' + 1",
    }
    assert.equal("id    1\nname  tea\nid  2\nid  name\n1   tea\n2\n2 rows\n2\nnull\n2.10\n", text)
    assert.equal(0, code)
  end)

  it("tells errors of all kinds and goes on", function()
    local text, code = type_in {
      "toolmem.items:get(9)", "toolmem.items:create { id = 'x' }", "toolmem.items:lst()", "1 +* 2", "error 'boom'", "select 1",
      "print 'still here'",
    }
    assert.equal(0, code)
    for _, wanted in ipairs { "not_found", "id must be an integer", "lst", "unexpected symbol", "boom", "unsupported", "still here" } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
  end)

  it("takes entries of several lines, keeps globals, and ends at exit", function()
    local text = type_in { "for i = 1, 2 do", "  print(i)", "end", "x = 3", "x * 2", "help", "exit", "print 'never'" }
    assert.is_truthy(text:find "^1\n2\n6\n")
    assert.is_truthy(text:find("families [%w_, ]*toolmem"))
    assert.is_nil(text:find("never", 1, true))
  end)

  it("knows no other family than there is", function()
    local text, code = here:run("console toolmen", true)
    assert.equal(2, code)
    assert.is_truthy(text:find("did you mean toolmem?", 1, true), text)
  end)

  it("completes families, stores and methods", function()
    local db = assert(larder.open "memory:")
    local env = { db = db, larder = larder, shop = { items = {}, orders = {} } }
    local completions = require "larder.cli.commands.console".completions
    assert.same({ "larder" }, completions(env, "x = la"))
    assert.same({ "items" }, completions(env, "shop.it"))
    assert.same({ "items", "orders" }, completions(env, "shop."))
    assert.same({ "transfer" }, completions(env, "larder.transf"))
    assert.same({}, completions(env, "nothing.at"))
    db:close()
  end)
end)

describe("new and types", function()
  local here
  before_each(function() here = cli.new() end)
  after_each(function() here:remove() end)

  it("new project and new family write files once, and say which", function()
    local text, code = here:run "new project --json"
    assert.same({ 0, { files = { ".larder" } } }, { code, larder.json.decode(text) })
    text, code = here:run("new project", true)
    assert.same({ 2, true }, { code, text:find(".larder is there already", 1, true) ~= nil })
    here:file("sql/shop/000001_create_items.up.sql", "-- mine\n")
    assert.equal(2, select(2, here:run "new family shop --json"))
    assert.is_nil(here:slurp "shop.lua")
    os.remove(here:path "sql/shop/000001_create_items.up.sql")
    text, code = here:run "new family shop --json"
    assert.same({ 0, 3 }, { code, #larder.json.decode(text).files })
    assert.equal(2, select(2, here:run "new family 'my shop'"))
  end)

  it("new family in an empty folder makes a project that finds it", function()
    local text, code = here:run "new family shop"
    assert.same({ 0, true }, { code, text:find(".larder\n", 1, true) ~= nil })
    assert.equal(0, select(2, here:run "types shop"))
    text, code = here:run("new family other --file app/other.lua", true)
    assert.same({ 2, true }, { code, text:find("app/other.lua", 1, true) ~= nil }) -- no such folder
    here:file("app/x", "")
    text, code = here:run("new family other --file app/other.lua", true)
    assert.same({ 0, true }, { code, text:find('.larder: require = { "app.other" }', 1, true) ~= nil }, text)
  end)

  it("what is misspelt, missing or set wrong is exit code 2, with what to do", function()
    here.env.LARDER_TEST_URL, here.env.DATABASE_URL = "", ""
    for command, wanted in pairs {
      [""] = "a command is required", ["chek shop"] = "Did you mean 'check'?", ["migrate sttus shop"] = "Did you mean 'status'?",
      ["migrate up shop --too 3"] = "Did you mean '--to'?", ["migrate up shop"] = "name the file that declares it with --load",
      ["health"] = "looked for DATABASE_URL", ["--url postgre://x health"] = "not valid",
      ["-e prod config"] = "no environment is called prod in .larder: it has none (environments",
      ["migrate"] = "Commands:\n  up           Apply what is pending.", ["new"] = "behind new", ["query"] = "Usage: larder query ",
      ["wait --timeout soon"] = "--timeout must be a number, not 'soon'", ["check"] = "which family? no file .larder declares one",
      ["migrate up"] = "larder itself has auth, content, controlplane, csms", ["check auth"] = "here: --url URI",
      ["import shop.items rows.ndjson"] = "shop.items: there is no such file",
      ["-l nosuch.lua check shop"] = "cannot open nosuch.lua", ["import nosuch.csv --into auth.users"] = "there is no such file",
    } do
      local text, code = here:run(command, true)
      assert.same({ command, 2 }, { command, code }, text)
      assert.is_truthy(text:find(wanted, 1, true), text)
    end
  end)

  it("families that are not named are those of the project", function()
    here:run "new family one"
    assert.is_truthy(here:run "types":find("---@class one.Stores", 1, true))
    local text, code = here:run("--url memory: migrate up", true)
    assert.same({ 2, true }, { code, text:find("needs PostgreSQL", 1, true) ~= nil }, text)
    here:run "new family two --file two.lua"
    here:file(".larder", 'return { require = { "one", "two" } }')
    text = here:run "types"
    assert.is_truthy(text:find("---@class one.Stores", 1, true) and text:find("---@class two.Stores", 1, true))
    text, code = here:run("migrate up", true)
    assert.same({ 2, true }, { code, text:find("which family? the project declares one, two", 1, true) ~= nil }, text)
  end)

  it("a declaration that is wrong is told without the tool's own lines", function()
    here:file("bad.lua", 'return require("larder").declare { name = "bad name", entities = {} }')
    local text, code = here:run("-l bad.lua types", true)
    assert.equal(2, code)
    assert.is_truthy(text:find('bad.lua: family "bad name": names are letters', 1, true), text)
    here:file("bad.lua", 'local larder = require "larder"\nlarder.declare { name = "bad name", entities = {} }\n')
    assert.is_truthy(here:run("-l bad.lua types", true):find('bad.lua:2: family "bad name"', 1, true))
  end)

  it("types writes annotations, as text and as JSON", function()
    local text, code = here:run "types auth"
    assert.same({ 0, true }, { code, text:find("---@class auth.Stores", 1, true) ~= nil })
    local json = larder.json.decode((here:run "types auth --json"))
    assert.same({ "auth" }, json.families)
    assert.equal(text, json.text)
  end)

  it("dump --declared writes SQL without a server", function()
    local text, code = here:run "dump --declared auth"
    assert.equal(0, code)
    assert.is_truthy(text:find("create schema auth;", 1, true))
    assert.is_truthy(text:find("create table auth.tenants (", 1, true))
    local json = larder.json.decode((here:run "dump --declared auth -o auth.sql --json"))
    assert.same({ "auth.sql", text }, { json.file, here:slurp "auth.sql" })
    assert.equal(2, select(2, here:run "dump --declared"))
    assert.equal(2, select(2, here:run "dump --data --data-only"))
    assert.equal(2, select(2, here:run "dump --format custom"))
    text, code = here:run("--url postgres://127.0.0.1:1/x dump --pg-dump no_such_pg_dump", true)
    assert.equal(2, code)
    assert.is_truthy(text:find("there is no program no_such_pg_dump; install PostgreSQL's client programs", 1, true), text)
  end)
end)
