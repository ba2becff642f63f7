-- docs/inside/messages.md: every message of the library, for reading with fresh eyes. `tools/messages.sh` writes it;
-- spec/unit/docs_spec.lua checks that it is current, so that a new message is seen in review.

local disk = require "tools.disk"

local messages = {}

-- The string that begins at a place, escapes left as they are; the place behind it.
local function string_at(text, at)
  local quote, from, i = text:sub(at, at), at + 1, at + 1
  while i <= #text and text:sub(i, i) ~= quote do i = i + (text:sub(i, i) == "\\" and 2 or 1) end
  return text:sub(from, i - 1), i + 1
end

-- Strings that stand next to each other in C are one.
local function joined_at(text, at)
  local whole, behind = string_at(text, at)
  while true do
    local next_at = text:match('^%s*()"', behind)
    if not next_at then return whole end
    local part
    part, behind = string_at(text, next_at)
    whole = whole .. part
  end
end

-- By language: what begins a message. The first text with a blank in it behind that, in the same call, is one.
local CALLS = {
  [".c"] = { "ldr_fail[%w_]*%(", "luaL_error%(", "luaL_argerror%(", "luaL_argcheck%(", "refuse[%w_]*%(" },
  [".lua"] = { "misuse%.raise[%s%(]", "errors%.invalid%(", "errors%.new[%s%(]", "support%.misuse%(", "%f[%w]fail%(", "message = " },
}

local function of_file(path, ending)
  local text, found = disk.read(path), {}
  for _, call in ipairs(CALLS[ending]) do
    for at in text:gmatch("()" .. call) do
      local stop = text:find("\n\n", at, true) or #text
      local quote = text:match('()["\']', at)
      while quote and quote < stop and quote - at < 400 do
        local message, behind = string_at(text, quote)
        if message:find "%a.* .*%a" then
          found[ending == ".c" and joined_at(text, quote) or message] = true
          break
        end
        quote = not text:sub(behind, behind):find "[;\n]" and text:match('()["\']', behind) or nil
      end
    end
  end
  local list = {}
  for message in pairs(found) do list[#list + 1] = message end
  table.sort(list)
  return list
end

--- The page.
---@return string
function messages.page()
  local out = {
    "# Messages\n",
    "What the library says when something is wrong, by source file, made by `tools/messages.sh`. `%s` and the like stand for names and "
      .. "numbers. A message says what happened, where, and what to do; it never holds a value or a secret.\n",
  }
  for _, source in ipairs { { "csrc/core", ".c" }, { "csrc/lua", ".c" }, { "lua/larder", ".lua" } } do
    disk.walk(source[1], function(path)
      local list = path:sub(-#source[2]) == source[2] and of_file(path, source[2]) or {}
      if #list == 0 then return end
      out[#out + 1] = "## " .. path .. "\n"
      for _, message in ipairs(list) do out[#out + 1] = "- `" .. message:gsub("`", "'") .. "`" end
      out[#out + 1] = ""
    end)
  end
  return table.concat(out, "\n")
end

return messages
