-- The public functions of larder as their annotations (LuaCATS) describe them, read from the sources.

local annotations = {}

-- "name? type  words" → name, optional, type. The type may hold blanks inside of brackets and after "fun(…):".
local function parameter(text)
  local name, mark, rest = text:match "^([%w_%.]+)(%??)%s+(.*)$"
  if not name then return nil end
  local depth, kind = 0, {}
  for i = 1, #rest do
    local c = rest:sub(i, i)
    if c:find "[%(%{<]" then depth = depth + 1 end
    if c:find "[%)%}>]" then depth = depth - 1 end
    if c == " " and depth == 0 and rest:sub(i - 1, i - 1) ~= ":" then break end
    kind[#kind + 1] = c
  end
  return { name = name, optional = mark == "?", type = table.concat(kind) }
end

--- The functions of a source file: "object.name" → { params = { { name =, optional =, type = }, … }, vararg =, method = }.
---@param path string
function annotations.of(path)
  local found, params = {}, {}
  for line in io.lines(path) do
    local text = line:match "^%-%-%-@param%s+(.*)$"
    local object, sign, name, list = line:match "^function ([%w_]+)([%.:])([%w_]+)%((.-)%)"
    if not object then object, name = line:match "^([%w_]+)%.([%w_]+) = [%w_]+%(" end
    if text then
      params[#params + 1] = parameter(text)
    elseif object then
      local last = params[#params]
      local vararg = last ~= nil and last.name == "..." or list == "..." or list == nil
      if last and last.name == "..." then params[#params] = nil end
      found[object .. "." .. name] = { params = params, vararg = vararg, method = sign == ":" or list == nil }
      params = {}
    elseif not line:find "^%-%-" then
      params = {}
    end
  end
  return found
end

return annotations
