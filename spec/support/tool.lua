--- The tool `larder` as processes of their own, several at a time, which a test may kill.

local lfs = require "lfs"
local clock = require("larder.core").clock

local tool = {}

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local PATIENCE = 60 -- seconds

local function slurp(path)
  local f = io.open(path, "rb")
  local text = f and f:read "*a" or nil
  if f then f:close() end
  return text
end

--- Wait until fn answers something true.
---@param what string  for the message
---@param fn fun(): any
---@return any
function tool.wait_for(what, fn)
  local give_up = clock() + PATIENCE
  while true do
    local found = fn()
    if found then return found end
    if clock() > give_up then error("waited in vain for " .. what, 2) end
    os.execute "sleep 0.02"
  end
end

local Process = {}
Process.__index = Process

--- Start `larder <command>`; it runs beside the test.
---@param command string
---@return table process
function tool.start(command)
  local base, root = os.tmpname(), lfs.currentdir()
  local inner = ("echo $$ >%s.pid; exec env LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/%s/?.so;;' %s %s/bin/larder %s")
    :format(base, root, root, root, LUA, LUA, root, command)
  os.execute(("(sh -c \"%s\" >%s 2>&1; echo $? >%s.rc) >/dev/null 2>&1 &"):format(inner:gsub("[\"$]", "\\%0"), base, base))
  return setmetatable({ base = base }, Process)
end

--- kill -9.
function Process:kill()
  local pid = tool.wait_for("a process", function() return tonumber(slurp(self.base .. ".pid")) end)
  os.execute("kill -9 " .. math.floor(pid))
  self:finish()
end

--- Wait for its end.
---@return integer exit_code
---@return string output  both streams
function Process:finish()
  local code = tool.wait_for("the end of a process", function() return tonumber(slurp(self.base .. ".rc")) end)
  local text = slurp(self.base)
  for _, ending in ipairs { "", ".pid", ".rc" } do os.remove(self.base .. ending) end
  return code, text
end

return tool
