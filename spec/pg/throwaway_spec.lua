-- larder throwaway: a server that is there for one command.

local lfs = require "lfs"
local tool = require "spec.support.tool"

local function run(command)
  return tool.start(command):finish()
end

describe("larder throwaway", function()
  it("gives a command a database of its own and takes it away again", function()
    local code, text = run [[throwaway -- sh -c 'echo url=$DATABASE_URL; psql -qtA $DATABASE_URL -c "select 40 + 2"']]
    assert.equal(0, code, text)
    assert.truthy(text:find "\n42\n", text)
    local dir = assert(text:match "url=[^\n]*host=([^&\n]+)", text)
    assert.is_nil(lfs.attributes(dir))
    assert.not_equal(os.getenv "LARDER_TEST_URL", text:match "url=([^\n]*)")
  end)

  it("hands on the exit code, and arguments as they are", function()
    local code, text = run [[throwaway -- sh -c 'printf "%s|" "$@"; exit 7' x 'two words' "it's"]]
    assert.equal(7, code, text)
    assert.truthy(text:find("two words|it's|", 1, true), text)
  end)

  it("needs a command", function()
    local code, text = run "throwaway"
    assert.equal(2, code)
    assert.truthy(text:find("missing argument 'program'", 1, true), text)
  end)
end)
