--- The helper module failing_state.c, compiled for the running Lua.

local is_luajit = rawget(_G, "jit") ~= nil

local function output(command)
  local pipe = io.popen(command .. " 2>/dev/null")
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

--- run(source, n, path, cpath) → ok, message, failed; nil where there is no compiler or no header.
local function failing_state()
  local object = os.tmpname()
  local package_name = is_luajit and "luajit" or "lua5.4"
  local include = output("pkg-config --cflags-only-I " .. package_name)
  if include == "" then include = is_luajit and "-I/usr/include/luajit-2.1" or "-I/usr/include/lua5.4" end
  -- a helper for the running process only: outside of any sanitizer, so that it fits each
  output(("${CC:-cc} -shared -fPIC -O1 %s spec/support/failing_state.c -o %s"):format(include, object))
  local open = package.loadlib(object, "luaopen_failing_state")
  os.remove(object)
  return open and open()
end

return failing_state
