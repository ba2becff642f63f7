--- Named values from the process environment and, behind it, a `.env` file.

local errors = require "larder.base.errors"

local env = {}

local ESCAPES = { n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["$"] = "$" }

local function value_of(raw)
  local quoted = raw:match '^"(.*)"%s*$' or raw:match '^"(.*)"%s+#.*$'
  if quoted then return (quoted:gsub("\\(.)", function(c) return ESCAPES[c] or "\\" .. c end)) end
  quoted = raw:match "^'(.-)'%s*$" or raw:match "^'(.-)'%s+#.*$"
  if quoted then return quoted end
  return (raw:gsub("%s+#.*$", ""):gsub("%s+$", ""))
end

--- Read the text of a `.env` file: NAME=value lines, `export`, comments, single and double quotes.
---@param text string
---@return table<string, string>|nil values
---@return integer? line  the first line that cannot be read
function env.parse(text)
  local values, number = {}, 0
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local name, raw = line:gsub("^%s*export%s+", ""):match "^%s*([%a_][%w_%.]*)%s*=%s*(.*)$"
    if name then
      values[name] = value_of(raw)
    elseif not line:find "^%s*#" and line:find "%S" then
      return nil, number
    end
  end
  return values
end

---@param path string
---@return string|nil text
---@return larder.Error? err
function env.slurp(path)
  local file = io.open(path, "rb")
  if not file then return errors.invalid({ [path] = "cannot be read" }) end
  local text = file:read "*a"
  file:close()
  return text
end

--- A lookup: name → value, origin. An empty value counts as none.
---@param getenv fun(name: string): string|nil
---@param file? string|true  `.env` file to read; true: `./.env`; LARDER_ENV_FILE names one, too
---@return (fun(name: string): string|nil, string|nil)|nil lookup
---@return larder.Error? err
function env.open(getenv, file)
  local path = file == true and ".env" or file or getenv "LARDER_ENV_FILE"
  local behind = {}
  if path and path ~= "" then
    local text, err = env.slurp(path)
    if not text then return nil, err end
    local values, line = env.parse(text)
    if not values then return errors.invalid({ [path] = ("line %d is not NAME=value"):format(line) }) end
    behind = values
  end
  return function(name)
    local value = getenv(name)
    if value and value ~= "" then return value, name end
    value = behind[name]
    if value and value ~= "" then return value, path .. ": " .. name end
  end
end

return env
