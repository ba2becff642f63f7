-- A module that was built for another Lua says so when it is loaded.

local function run(lua, build)
  local script = 'local _, why = pcall(require, "larder") io.write(tostring(why))'
  local command = ('LUA_PATH="lua/?.lua;lua/?/init.lua" LUA_CPATH="build/%s/?.so" %s -e \'%s\' 2>&1'):format(build, lua, script)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("a module built for another Lua", function()
  for lua, build in pairs { ["lua5.4"] = "luajit", luajit = "lua5.4" } do
    it("is told by its name in " .. lua, function()
      local text = run(lua, build)
      if text:find "not found" and not text:find "larder" then return pending(lua .. " or the other build is not here") end
      assert.matches("larder.core was built for another Lua; this is Lua", text, 1, true)
    end)
  end
end)
