-- The tool on a terminal: colours, questions, what is cut; and nothing of that in a pipe.

local cli = require "spec.support.cli"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

describe("on a terminal", function()
  local here

  before_each(function()
    here = cli.new { URL = url, HOME = "", TERM = "xterm" }
    here.env.HOME = here.dir
    here:file(".larder", 'return { load = { "toolterm.lua" }, environments = { live = { url_from = "URL" },\n'
      .. 'test = { url_from = "URL", throwaway = true } } }')
    here:run "new family toolterm"
    here:run "-e test query 'drop schema if exists toolterm cascade'"
    here:run "-e test query \"delete from larder.schema_migrations where family = 'toolterm'\""
    here:run "-e test migrate up toolterm"
  end)
  after_each(function()
    here:run "-e test query 'drop schema if exists toolterm cascade'"
    here:remove()
  end)


  it("colours are used, and not in a pipe, nor with NO_COLOR", function()
    assert.is_truthy(here:terminal "-e live migrate status toolterm":find("\27[32mapplied", 1, true))
    assert.is_nil(here:run("-e live migrate status toolterm", true):find("\27", 1, true))
    here.env.NO_COLOR = "1"
    assert.is_nil(here:terminal "-e live migrate status toolterm":find("\27[3", 1, true))
  end)

  it("what destroys is asked for: yes does it, anything else does not", function()
    local text = here:terminal("-e live migrate down toolterm", "no\\n")
    assert.is_truthy(text:find("This will undo 1 migration of toolterm on ", 1, true), text)
    assert.is_truthy(text:find("nothing was done", 1, true), text)
    assert.is_truthy(here:run "-e live migrate status toolterm":find("applied", 1, true))
    text = here:terminal("-e live migrate down toolterm", "yes\\n")
    assert.is_truthy(text:find("down  000001 create_items", 1, true), text)
    assert.is_truthy(here:run "-e live migrate status toolterm":find("pending", 1, true))
    here:run "-e live migrate up toolterm"
    text = here:terminal "-e live -y migrate down toolterm"
    assert.is_nil(text:find("Type yes", 1, true))
    assert.is_truthy(text:find("down  000001 create_items", 1, true), text)
  end)

  it("in a pipe what destroys is refused, unless --yes or a throw-away environment says so", function()
    local text, code = here:run("-e live migrate down toolterm < /dev/null", true)
    assert.same({ 2, true }, { code, text:find("say --yes to do it", 1, true) ~= nil })
    assert.equal(0, select(2, here:run "-e test migrate down toolterm < /dev/null"))
  end)

  it("steps appear as they happen: the one that runs, then its time", function()
    here:run "-e test migrate down toolterm"
    local text = here:terminal "-e test migrate up toolterm"
    assert.is_truthy(text:find("up    000001 create_items ….*up    000001 create_items[^…]-%d+ ms"), text)
    here:run "-e test migrate down toolterm"
    assert.is_nil(here:run("-e test migrate up toolterm", true):find("…", 1, true))
  end)

  it("long values are cut, and none moves the cursor; in a pipe they are whole", function()
    local sql = [[query "select repeat('ä', 100) as long, e'\\x1b[31mred' as red"]]
    local text = here:terminal("-e live " .. sql)
    assert.is_truthy(text:find(("ä"):rep(59) .. "…", 1, true), text)
    assert.is_truthy(text:find("\\x1b[31mred", 1, true), text)
    assert.is_truthy(here:run("-e live " .. sql):find(("ä"):rep(100), 1, true))
  end)

  it("the console has history and completion", function()
    local text = here:terminal("-e live console toolterm", "toolterm.it\\t:count(larder.all {})\\nselect 40 + 2 as answer\\nexit\\n")
    assert.is_truthy(text:find("larder> toolterm.items:count(larder.all {})", 1, true), text) -- completed
    assert.is_truthy(text:find("%c0\r\n") or text:find("2004l\r?0\r\n"), text)
    assert.is_truthy(text:find("42", 1, true), text)
    local history = here:slurp ".larder_history"
    assert.is_truthy(history and history:find("select 40 + 2 as answer", 1, true), history)
    local pipe = io.popen("stat -c %a " .. here:path ".larder_history")
    assert.equal("600\n", pipe:read "*a")
    pipe:close()
  end)

  it("the console works without readline, and says what is missing", function()
    here:file("readline.lua", "error 'not here'")
    here.env.LUA_INIT = "package.preload.readline = function() error 'not here' end"
    local text = here:terminal("-e live console toolterm", "1 + 1\\n")
    assert.is_truthy(text:find("install the rock readline (Debian: lua-readline)", 1, true), text)
    assert.is_truthy(text:find("larder> ", 1, true) and text:find("larder> 2\r\n", 1, true), text)
  end)

  -- A command line for every command; each may be run twice. `typed`: what is typed there.
  local LINES = {
    check = "check toolterm", config = "config",
    console = { "console", typed = "1 + 1\\n", answer = "\n2\n" }, createdb = "createdb --help",
    diff = "diff toolterm", doctor = "doctor", dropdb = "dropdb no_such_database --if-exists", dump = "dump --declared toolterm",
    export = "export toolterm.items", health = "health --json", import = "import no_such_file", keys = "keys verify no_key",
    migrate = "migrate status toolterm", new = "new family toolterm", pull = "pull toolterm", query = "query 'select 41 + 1 as n'",
    seed = "seed", throwaway = "throwaway", transfer = "transfer toolterm", types = "types toolterm", wait = "wait --timeout 5",
  }

  local function plain(text) return (text:gsub("\27%[[%d;?]*%a", ""):gsub("\r", "")) end

  -- The words of `text` that `other` lacks; figures differ from run to run.
  local function missing_words(text, other)
    local there, missing = {}, {}
    for word in other:gmatch "%a+" do there[word] = true end
    for word in text:gmatch "%a+" do
      if not there[word] then missing[#missing + 1] = word end
    end
    return missing
  end

  for file in require("lfs").dir "lua/larder/cli/commands" do
    local name = file:match "^(%w+)%.lua$"
    if name then
      it(name .. " ends as in a pipe, and says the same", function()
        local line = assert(LINES[name], name .. " has no line here")
        local command, typed = "-e test " .. (type(line) == "table" and line[1] or line), line.typed
        local piped, code = here:run(command .. (typed and " </dev/null" or ""), true)
        local shown, shown_code = here:terminal(command, typed)
        assert.equal(code, shown_code, shown)
        if typed then return assert.truthy(plain(shown):find(line.answer, 1, true), shown) end
        assert.same({}, missing_words(piped, plain(shown)))
        assert.truthy(piped:find "%a")
      end)
    end
  end
end)
