-- Servers that speak another language: a German one, started for this spec, and the suite's own say the same.

local GERMAN = "de_DE.UTF-8"

local function lines_of(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

describe("a server #pg", function()
  it("has the same codes, words and details in every language", function()
    local program = "tools/lua.sh " .. os.getenv "LARDER_TEST_LUA" .. " spec/support/language.lua"
    local dir = os.tmpname()
    os.remove(dir)
    os.execute(("mkdir -m 755 %s && localedef -c -i de_DE -f UTF-8 %s/%s >/dev/null 2>&1"):format(dir, dir, GERMAN))
    local here = lines_of(program)
    local server = ("env -u LARDER_TEST_URL LOCPATH=%s LARDER_PG_CONF=\"lc_messages = '%s'\" tools/with_pg.sh"):format(dir, GERMAN)
    local there = lines_of(server .. " env -u LOCPATH " .. program)
    os.execute("rm -r " .. dir)
    assert.equal("language", here[#here]:match "^%a+")
    assert.equal("language\t" .. GERMAN, there[#there], table.concat(there, "\n"))
    here[#here], there[#there] = nil, nil
    assert.is_true(#here > 20)
    assert.same(here, there)
  end)
end)
