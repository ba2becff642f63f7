--- The tool `larder` as a person types it: in a process of its own, from a directory of its own, through pipes or on a terminal.

local lfs = require "lfs"

local cli = {}
cli.__index = cli

local root = lfs.currentdir()
local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

--- An empty directory to work in.
---@param env? table<string, string>  variables for the tool
function cli.new(env)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  return setmetatable({ dir = dir, env = env or {}, root = root }, cli)
end

function cli:remove()
  os.execute("rm -rf '" .. self.dir .. "'")
end

local function quoted(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end
cli.quoted = quoted

function cli:path(name) return self.dir .. "/" .. name end

--- Write a file; directories in its name are made.
function cli:file(name, text)
  local folder = name:match "^(.*)/"
  if folder then os.execute("mkdir -p " .. quoted(self:path(folder))) end
  local f = assert(io.open(self:path(name), "wb"))
  f:write(text)
  f:close()
end

---@return string|nil text  nil: there is no such file
function cli:slurp(name)
  local f = io.open(self:path(name), "rb")
  local text = f and f:read "*a"
  if f then f:close() end
  return text
end

function cli:environment()
  local parts = { ("LUA_PATH=%s"):format(quoted(("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(root, root))),
    ("LUA_CPATH=%s"):format(quoted(("%s/build/%s/?.so;;"):format(root, LUA))) }
  for name, value in pairs(self.env) do parts[#parts + 1] = name .. "=" .. quoted(value) end
  return table.concat(parts, " ")
end

--- The command line of the tool, for a shell.
function cli:line(command)
  return ("cd %s && env %s %s %s %s"):format(quoted(self.dir), self:environment(), LUA, quoted(root .. "/bin/larder"), command)
end

local function output(line)
  local pipe = assert(io.popen("{ " .. line .. "; echo \"rc=$?\"; }"))
  local text = pipe:read "*a"
  pipe:close()
  local body, code = text:match "^(.-)rc=(%d+)\n$"
  return body, tonumber(code)
end

--- What it printed (both streams when both is given), and its exit code.
---@return string text
---@return integer exit_code
function cli:run(command, both)
  return output(self:line(command) .. (both and " 2>&1" or " 2>/dev/null"))
end

--- What it printed beside the result, and its exit code.
function cli:errors(command)
  return output(self:line(command) .. " 2>&1 >/dev/null")
end

--- On a terminal, whose keyboard types `input`. Everything that appears there comes back, echo included.
---@param input? string
function cli:terminal(command, input)
  local inner = ("stty cols 100 rows 40; %s"):format(self:line(command))
  local feed = input and ("printf %%b %s | "):format(quoted(input)) or "</dev/null "
  if not input then
    return output(("script -qec %s /dev/null %s"):format(quoted(inner), feed))
  end
  return output(("%sscript -qec %s /dev/null"):format(feed, quoted(inner)))
end

return cli
