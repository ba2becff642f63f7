-- docs/inside/messages.md: every text of the library that a person may read when something is wrong, for reading with fresh eyes.
-- `tools/messages.sh` writes it; spec/unit/docs_spec.lua checks that it is current, so that a new message is seen in review.
--
-- It lists texts, not calls: whatever is written between quotes and has two words is taken, however it is handed on, unless a rule
-- below says that it is SQL, a pattern or the help of the command line. So a message cannot be missed by the way in which it is raised.

local disk = require "tools.disk"

local messages = {}

-- Files whose texts are SQL or tables of the server's words.
local NO_MESSAGES = {}
for path in ([[
  csrc/core/migrate/history.c csrc/core/sqltext/harmless.c csrc/core/postgres/statement/sqlgen.c csrc/core/postgres/statement/expr.c
  csrc/core/postgres/statement/each_parent.c csrc/core/postgres/statement/aggregate.c csrc/core/postgres/statement/gen.c
  lua/larder/migrate/catalog.lua lua/larder/migrate/ddl.lua lua/larder/transfer/rebuild.lua lua/larder/base/meta.lua
  lua/larder/cli/annotate.lua lua/larder/cli/man.lua]]):gmatch "%S+" do
  NO_MESSAGES[path] = true
end

-- A text that begins so is SQL.
local SQL = {}
for word in ([[select insert update delete create alter drop truncate from values returning having join left inner union begin
  commit rollback savepoint release fetch declare close deallocate discard explain primary foreign analyze vacuum grant revoke case
  when coalesce overriding]]):gmatch "%S+" do
  SQL[word] = true
end

local function is_sql(text)
  local word, behind = text:match "^[%s%(,]*(%l+)()"
  if not word or not SQL[word] then return false end
  if word == "select" or word == "insert" then return true end
  local after = text:sub(behind, behind)
  return after == " " and not text:find "^[%s%(,]*%l+ [^%s]+ [^%s]*[,;:]" or after == ""
end

-- Two words at least, of which one may be a placeholder, and nothing that only a pattern has.
local function is_prose(text)
  local words, placeholders = 0, select(2, text:gsub("%%[%.%d%*l]*[sdqu]", ""))
  for word in text:gsub("\\.", " "):gsub("%%[%.%d%*l]*[sdqu]", " "):gmatch "%a+" do
    if #word > 1 then words = words + 1 end
  end
  if words == 0 or words + placeholders < 2 or is_sql(text) then return false end
  return text:find "%a%S* +%S*%a" ~= nil and not text:find "%[[%%^]" and not text:find "%%[%a][%*%+%-]"
end

-- Comments as blanks. A quote inside of a comment opens nothing, and a comment inside of quotes is none.
local READ = {
  [".c"] = function(text, at)
    if text:find("^/%*", at) then return select(2, text:find("*/", at + 2, true)) end
    if text:find("^_Static_assert%b()", at) then return select(2, text:find("^_Static_assert%b()", at)) end
    if text:find("^#include[^\n]*", at) then return select(2, text:find("^#include[^\n]*", at)) end
    if text:find("^'\\?.'", at) then return select(2, text:find("^'\\?.'", at)) end
  end,
  [".lua"] = function(text, at)
    local equals = text:match("^%-%-%[(=*)%[", at)
    if equals then return select(2, text:find("]" .. equals .. "]", at, true)) end
    if text:find("^%-%-", at) then return (text:find("\n", at, true) or #text + 1) - 1 end
    equals = text:match("^%[(=*)%[", at) -- long texts are SQL, help or words
    if equals then return select(2, text:find("]" .. equals .. "]", at, true)) end
    local help = text:match("^:option%b()()", at) or text:match("^:flag%b()()", at) or text:match("^:argument%b()()", at)
      or text:match("^:command%b()()", at)
    if help then return help - 1 end
  end,
}
local QUOTES = { [".c"] = '^"', [".lua"] = "^[\"']" }

-- What is between the quotes that begin at a place, escapes left as they are; the place behind it.
local function string_at(text, at)
  local quote, i = text:sub(at, at), at + 1
  while i <= #text and text:sub(i, i) ~= quote do i = i + (text:sub(i, i) == "\\" and 2 or 1) end
  return text:sub(at + 1, i - 1), i + 1
end

-- In C, strings that stand next to each other are one.
local function joined_at(text, at, ending)
  local whole, behind = string_at(text, at)
  while ending == ".c" do
    local next_at = text:match('^%s*()"', behind)
    if not next_at then break end
    local part
    part, behind = string_at(text, next_at)
    whole = whole .. part
  end
  return whole, behind
end

--- The messages of a source, sorted.
---@param text string
---@param ending ".c"|".lua"
---@return string[]
function messages.of(text, ending)
  local found, list, at = {}, {}, 1
  while at <= #text do
    local stop = READ[ending](text, at)
    if stop then
      at = stop + 1
    elseif text:find(QUOTES[ending], at) then
      local message, behind = joined_at(text, at, ending)
      if is_prose(message) then found[message] = true end
      at = behind
    else
      at = text:find("[\"'/%-_#:%[]", at + 1) or #text + 1
    end
  end
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
      .. "numbers; what ends or begins in the middle of a sentence is put together with its neighbors. A message says what happened, "
      .. "where, and what to do; it never holds a value or a secret.\n",
  }
  for _, source in ipairs { { "csrc/core", ".c" }, { "csrc/lua", ".c" }, { "lua/larder", ".lua" } } do
    disk.walk(source[1], function(path)
      if path:sub(-#source[2]) ~= source[2] or NO_MESSAGES[path] then return end
      local list = messages.of(disk.read(path), source[2])
      if #list == 0 then return end
      out[#out + 1] = "## " .. path .. "\n"
      for _, message in ipairs(list) do out[#out + 1] = "- `" .. message:gsub("`", "'") .. "`" end
      out[#out + 1] = ""
    end)
  end
  return table.concat(out, "\n")
end

return messages
