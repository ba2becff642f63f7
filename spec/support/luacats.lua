-- Reads annotations (LuaCATS) and says what is wrong with them: types that do not parse, names that nobody declares, parameters
-- that the function does not have or that nobody describes. https://luals.github.io/wiki/annotations/

local luacats = {}

local BUILT_IN = {}
local NAMES = "nil any boolean string number integer function table thread userdata lightuserdata unknown true false self cdata"
for name in NAMES:gmatch "%S+" do BUILT_IN[name] = true end

-- ---- types ----

local Parser = {}
Parser.__index = Parser

function Parser:blank() self.at = self.text:match("^%s*()", self.at) end

function Parser:take(word)
  local at = self.text:match("^%s*()", self.at)
  if self.text:sub(at, at + #word - 1) ~= word then return false end
  self.at = at + #word
  return true
end

function Parser:need(word)
  if not self:take(word) then error(("%q is expected at %q"):format(word, self.text:sub(self.at)), 0) end
end

function Parser:name()
  self:blank()
  local name, at = self.text:match("^([%a_][%w_%.]*)()", self.at)
  if name == "file" and self.text:sub(at, at) == "*" then name, at = "userdata", at + 1 end -- Lua's own name of its files
  if name then self.at = at end
  return name
end

function Parser:list(close, item)
  if self:take(close) then return end
  repeat item(self) until not self:take ","
  self:need(close)
end

local function member(p)
  if p:take "[" then
    p:union()
    p:need "]"
  else
    if not p:name() then error(("a member is expected at %q"):format(p.text:sub(p.at)), 0) end
    p:take "?"
  end
  p:need ":"
  p:union()
end

local function parameter(p)
  if not p:take "..." then
    if not p:name() then error(("a parameter is expected at %q"):format(p.text:sub(p.at)), 0) end
    p:take "?"
  end
  if p:take ":" then p:union() end
end

-- The words behind fun: its parameters, and what it answers.
function Parser:callable()
  self:need "("
  self:list(")", parameter)
  if not self:take ":" then return end
  repeat
    if not self:take "..." then self:union() end
    self:take "..."
    local here = self.at
    if self:name() then self.at = self:take ":" and here or self.at end -- a name of the result, not the next parameter's
  until not self:take_result()
end

-- A comma behind a result may belong to the list around: then a parameter's name follows.
function Parser:take_result()
  local here = self.at
  if not self:take "," then return false end
  local name = self:name()
  local is_parameter = name and not name:find(".", 1, true) and (self:take "?" or true) and self:take ":"
  self.at = here
  if is_parameter then return false end
  return self:take ","
end

function Parser:primary()
  if self:take "(" then
    self:union()
    return self:need ")"
  end
  if self:take "{" then return self:list("}", member) end
  self:blank()
  local masked = self.text:gsub("\\.", "__") -- what is escaped ends no string
  local literal = masked:match('^"[^"]*"()', self.at) or self.text:match("^%-?%d[%d%.]*()", self.at)
  if literal then
    self.at = literal
    return
  end
  local name = self:name()
  if not name then error(("a type is expected at %q"):format(self.text:sub(self.at)), 0) end
  if name == "fun" then return self:callable() end
  self.names[#self.names + 1] = name
  if self:take "<" then self:list(">", Parser.union) end
end

function Parser:union()
  repeat
    self:primary()
    while self:take "[]" or self:take "?" do self.postfix = true end
  until not self:take "|"
end

--- A type at the beginning of a text: the names in it and what stands behind it; nil and why when it is none.
---@param text string
---@return string[]|nil names
---@return string rest
function luacats.type(text)
  local p = setmetatable({ text = text, at = 1, names = {} }, Parser)
  local ok, why = pcall(p.union, p)
  if not ok then return nil, why end
  return p.names, text:sub(p.at)
end

-- ---- comments ----

local function report(faults, place, fmt, ...) faults[#faults + 1] = place .. ": " .. fmt:format(...) end

local function check_type(faults, place, text, uses, generics)
  local names, rest = luacats.type(text)
  if not names then return report(faults, place, "%s in %q", rest, text) end
  if rest ~= "" and not rest:find "^[%s%.]" then return report(faults, place, "%q stands behind a type in %q", rest, text) end
  for _, name in ipairs(names) do
    if not BUILT_IN[name] and not generics[name] then uses[#uses + 1] = { name = name, place = place } end
  end
end

local TAGS = {
  param = function(text) return text:match "^[%w_%.]+%??%s+(.*)$" end, ["return"] = function(text) return text end,
  field = function(text) return text:match "^%[[^%]]*%]%??%s+(.*)$" or text:match "^[%w_]+%??%s+(.*)$" end,
  type = function(text) return text end, alias = function(text) return text:match "^[%w_%.]+%s+(.+)$" end,
  class = function(text) -- those that it has all of: one or more
    local of = text:match "^[%w_%.]+%s*:%s*(.*)$"
    return of and (of:gsub(",%s*", "|"))
  end,
  operator = function(text) return text:match ":%s*(.*)$" end,
}
local PLAIN = { generic = true, meta = true, cast = true, see = true, nodiscard = true, deprecated = true, overload = true }

-- One annotation of a line.
local function read_tag(state, place, tag, text)
  if tag == "generic" then
    for name in text:gsub(":.*", ""):gmatch "[%w_]+" do state.generics[name] = true end
  end
  if tag == "class" or tag == "alias" then state.declared[text:match "^[%w_%.]+" or ""] = true end
  if tag == "param" then state.params[#state.params + 1] = text:match "^([%w_%.]+)" end
  if PLAIN[tag] then return end
  if not TAGS[tag] then return report(state.faults, place, "there is no annotation @%s", tag) end
  local type_ = TAGS[tag](text)
  if type_ and type_ ~= "" then check_type(state.faults, place, type_, state.uses, state.generics) end
  if not type_ and (tag == "param" or tag == "field") then report(state.faults, place, "@%s without a type: %s", tag, text) end
end

-- The parameters described must be parameters of the function, in their order.
local function check_function(state, place, list)
  local at, given = 1, {}
  for name in list:gmatch "[^,%s]+" do given[#given + 1] = name end
  for _, name in ipairs(state.params) do
    while given[at] and given[at] ~= name do at = at + 1 end
    if not given[at] and given[#given] ~= "..." then -- behind `...` stand names for what it holds
      report(state.faults, place, "%s is described, but the function has (%s)", name, table.concat(given, ", "))
    end
  end
end

--- What is wrong in a text of Lua; declared and uses grow.
---@param name string   of the file
---@param text string
---@param declared table<string, true>  classes and aliases
---@param uses table[]                  { name =, place = } of types that must be declared somewhere
---@return string[] faults
function luacats.check(name, text, declared, uses)
  local state = { faults = {}, declared = declared, uses = uses, params = {}, generics = {} }
  local number = 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local place = name .. ":" .. number
    local tag, rest = line:match "^%s*%-%-%-@(%w+)%s*(.*)$"
    if tag then
      read_tag(state, place, tag, rest)
    elseif not line:find "^%s*%-%-" then
      local list = line:match "^%s*function [%w_%.:]+%((.-)%)" or line:match "^%s*local function [%w_]+%((.-)%)"
        or line:match "^[%w_]+%[\"%w+\"%] = function%((.-)%)"
      if list then check_function(state, place, list) end
      state.params, state.generics = {}, {}
    end
  end
  return state.faults
end

--- Uses of types that nobody declares.
---@param uses table[]
---@param declared table<string, true>
---@return string[]
function luacats.unknown(uses, declared)
  local faults = {}
  for _, use in ipairs(uses) do
    if not declared[use.name] then report(faults, use.place, "no class or alias is called %s", use.name) end
  end
  return faults
end

return luacats
