--- The core, or in plain words why it cannot be loaded: a module built for one Lua is of no use to another.

local loaded, core = pcall(require, "larder.core")
if loaded then return core end

local running = rawget(_G, "jit") and "LuaJIT" or _VERSION
local why = tostring(core)
if why:find("undefined symbol", 1, true) or why:find("version mismatch", 1, true) or why:find("symbol not found", 1, true) then
  error(("larder.core was built for another Lua; this is %s. larder runs on Lua 5.4 and LuaJIT: build it for the one that runs "
    .. "your program, and let package.cpath find that build.\n(%s)"):format(running, why), 0)
end
error(why, 0)
