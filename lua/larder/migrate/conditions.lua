--- Conditions as PostgreSQL prints them (pg_get_expr), read back into what a declaration can say.
--
-- "((char_length(name) >= 1) AND (char_length(name) <= 255))" is a list of comparisons that must all hold. A text of another
-- form (an OR, a function, two columns) is not understood, and is nil.

local conditions = {}

---@class larder.migrate.Comparison
---@field column string
---@field length boolean    it is char_length(column) that is compared
---@field op string         "=", "<", "<=", ">", ">=", "in", "null", "not null"
---@field cast? string      the type that the value is cast to: "date"
---@field cast_column? string  … and the column
---@field value any         a text, the digits of a number, true or false; a list of texts for "in"

-- ---- words ----

local PATTERNS = {
  { "^'[^']*'", "string" }, { "^[%a_][%w_]*", "word" }, { '^"[^"]+"', "quoted" }, { "^%d+%.?%d*", "number" },
  { "^::", "cast" }, { "^[<>]=", "op" }, { "^<>", "other" }, { "^[<>=]", "op" }, { "^[()%[%],%-]", "sign" }, { "^.", "other" },
}

local function next_token(text, at)
  for _, pattern in ipairs(PATTERNS) do
    local from, to = text:find(pattern[1], at)
    if from then
      local mark = pattern[2] == "string" and "'" or pattern[2] == "quoted" and '"'
      while mark and text:sub(to + 1, to + 1) == mark do -- two of them inside
        to = text:find(mark, to + 2, true) or #text
      end
      return pattern[2], text:sub(from, to), to + 1
    end
  end
end

local QUOTED = '^"[^"]*"'

-- Behind a cast: the name of a type, which may be several words, with its size and brackets.
local function skip_type(text, at)
  local patterns = { "^[%a_][%w_]*", QUOTED, "^%.", "^[%a_][%w_]*", QUOTED, "^ varying", "^ precision", "^%([%d,]+%)", "^ with time zone",
    "^ without time zone", "^%[%]" }
  for _, pattern in ipairs(patterns) do
    local _, to = text:find(pattern, at)
    while to and pattern == QUOTED and text:sub(to + 1, to + 1) == '"' do to = text:find('"', to + 2, true) or #text end
    if to then at = to + 1 end
  end
  return at
end

local function tokens_of(text)
  local list, at = {}, 1
  while at <= #text do
    local blank = text:match("^%s*()", at)
    if blank > #text then break end
    local kind, token, after = next_token(text, blank)
    if kind == "cast" then
      local from = after
      after = skip_type(text, after)
      if list[#list] then list[#list].cast = text:sub(from, after - 1) end
    else
      list[#list + 1] = { kind = kind, text = token }
    end
    at = after
  end
  return list
end

-- ---- grammar ----

local Parser = {}
Parser.__index = Parser

function Parser:is(text)
  local token = self.list[self.at]
  return token ~= nil and (token.kind == "sign" or token.kind == "op" or token.kind == "word") and token.text:upper() == text
end

function Parser:take(text)
  if not self:is(text) then return false end
  self.at = self.at + 1
  return true
end

function Parser:need(text)
  if not self:take(text) then error(conditions) end
end

local function unquote(token)
  if token.kind == "string" then return (token.text:sub(2, -2):gsub("''", "'")) end
  if token.kind == "quoted" then return (token.text:sub(2, -2):gsub('""', '"')) end
  return token.text
end

local CONSTANTS = { TRUE = true, FALSE = false }

-- A number, a text, true or false; nil: it is none.
local function constant(token, negative)
  if token.kind == "number" then return { value = (negative and "-" or "") .. token.text, cast = token.cast } end
  if token.kind == "string" then return { value = unquote(token), cast = token.cast } end
  if token.kind == "word" and CONSTANTS[token.text:upper()] ~= nil then return { value = CONSTANTS[token.text:upper()] } end
end

-- A column, the length of one, or a constant.
function Parser:operand()
  if self:take "(" then
    local found = self:operand()
    self:need ")"
    found.cast = self.list[self.at - 1].cast or found.cast
    return found
  end
  local negative = self:take "-"
  local token = self.list[self.at]
  if not token then error(conditions) end
  self.at = self.at + 1
  local found = constant(token, negative)
  if found then return found end
  if token.kind == "word" and (token.text == "char_length" or token.text == "length") and self:take "(" then
    local inner = self:operand()
    self:need ")"
    return { column = inner.column, length = true }
  end
  if token.kind ~= "word" and token.kind ~= "quoted" then error(conditions) end
  return { column = unquote(token), length = false, cast = token.cast }
end

function Parser:values()
  local list, open = {}, 0
  self:need "ANY"
  while self:take "(" do open = open + 1 end
  self:need "ARRAY"
  self:need "["
  repeat list[#list + 1] = self:operand().value until not self:take ","
  self:need "]"
  for _ = 1, open do self:need ")" end
  return list
end

local TURNED = { ["<"] = ">", [">"] = "<", ["<="] = ">=", [">="] = "<=", ["="] = "=" }

function Parser:comparison()
  if self:take "NOT" then
    local column = self:operand().column
    return { column = column, length = false, op = "=", value = false }
  end
  local left = self:operand()
  if self:take "IS" then
    local op = self:take "NOT" and "not null" or "null"
    self:need "NULL"
    return { column = left.column, length = left.length, op = op }
  end
  local token = self.list[self.at]
  if not token or token.kind ~= "op" then return { column = left.column, length = false, op = "=", value = true } end
  self.at = self.at + 1
  if self:is "ANY" then return { column = left.column, length = left.length, op = "in", value = self:values() } end
  local right = self:operand()
  local op = token.text
  if left.column == nil then left, right, op = right, left, TURNED[op] end
  if right.column or not left.column then error(conditions) end
  return { column = left.column, length = left.length, op = op, value = right.value, cast = right.cast, cast_column = left.cast }
end

-- A parenthesis may hold a whole condition or an operand: tried as the one, then as the other.
function Parser:all(into)
  repeat
    local start, count = self.at, #into
    local ok = pcall(function()
      self:need "("
      self:all(into)
      self:need ")"
      local token = self.list[self.at]
      if token and not self:is ")" and not self:is "AND" then error(conditions) end
    end)
    if not ok then
      self.at = start
      for i = #into, count + 1, -1 do into[i] = nil end
      into[#into + 1] = self:comparison()
    end
  until not self:take "AND"
  return into
end

--- Read a condition.
---@param text string  as pg_get_expr prints it, or pg_get_constraintdef of a check
---@return larder.migrate.Comparison[]|nil  nil: not of the form that a declaration can say
function conditions.read(text)
  text = text:gsub("^CHECK ", ""):gsub(" NOT VALID$", ""):gsub(" NO INHERIT$", "")
  local parser = setmetatable({ list = tokens_of(text), at = 1 }, Parser)
  local ok, found = pcall(parser.all, parser, {})
  if not ok or parser.list[parser.at] then return nil end
  for _, comparison in ipairs(found) do
    if not comparison.column then return nil end
  end
  return found
end

-- ---- checks of one column ----

local LOW, HIGH = { [">="] = 0, [">"] = 1, ["="] = 0 }, { ["<="] = 0, ["<"] = -1, ["="] = 0 }

local function add_length(bounds, comparison)
  local n, op = tonumber(comparison.value), comparison.op
  if not n then return false end
  if LOW[op] then bounds.min_len = n + LOW[op] end
  if HIGH[op] then bounds.max_len = n + HIGH[op] end
  return true
end

local function add_bound(bounds, comparison)
  if comparison.length then return add_length(bounds, comparison) end
  local op = comparison.op
  if LOW[op] then bounds.min, bounds.above = comparison.value, op == ">" end
  if HIGH[op] then bounds.max, bounds.below = comparison.value, op == "<" end
  bounds.casts = bounds.casts or {}
  table.insert(bounds.casts, { of = comparison.cast_column, to = comparison.cast, value = comparison.value })
  return true
end

local TEXTS = { text = true, ["character varying"] = true, bpchar = true, character = true, name = true }

-- column = 'a' is an enum of one text.
local function is_label(comparison)
  local kind = comparison.cast and comparison.cast:gsub("%(%d+%)$", "")
  return comparison.op == "=" and not comparison.length and type(comparison.value) == "string" and not tonumber(comparison.value)
    and (not kind or TEXTS[kind] or comparison.cast_column ~= nil)
end

--- What a check says about one column: { enum = … }, { min_len, max_len } or { min, max }, as texts: declarable makes values of
-- a field's type of these.
---@param text string
---@return string|nil column  nil: it says something else
---@return table? bounds
function conditions.bounds(text)
  local list = conditions.read(text)
  if not list then return nil end
  local bounds, column = {}, list[1].column
  for _, comparison in ipairs(list) do
    if comparison.column ~= column then return nil end
    if comparison.op == "in" and not comparison.length then
      bounds.enum = comparison.value
    elseif is_label(comparison) then
      bounds.enum = { comparison.value }
    elseif type(comparison.value) ~= "string" or not add_bound(bounds, comparison) then
      return nil
    end
  end
  return column, bounds
end

-- The types that a limit's text may be cast to, so that it is compared as a value of the field's own type.
local WHOLE = { smallint = true, integer = true, bigint = true, numeric = true }
local CASTS = {
  int2 = WHOLE, int4 = WHOLE, int8 = WHOLE, numeric = WHOLE, float4 = { real = true }, float8 = { ["double precision"] = true },
  date = { date = true }, time = { ["time without time zone"] = true }, timestamp = { ["timestamp without time zone"] = true },
  timestamptz = { ["timestamp with time zone"] = true }, interval = { interval = true },
}
local UNCAST = { int2 = true, int4 = true, int8 = true, numeric = true }

-- A double with so few digits is a real, too.
local function is_real(text)
  local n = tonumber(text)
  return n ~= nil and n % 0.0009765625 == 0 and n > -16384 and n < 16384
end

local function compares(kind, cast)
  if cast.of and not (kind:find "^int%d" and WHOLE[cast.of]) then return false end
  if kind:find "^float" and not tonumber(cast.value) then return false end
  if kind == "float4" and cast.to == "double precision" then return is_real(cast.value) end
  if not cast.to then return UNCAST[kind] or false end
  return CASTS[kind][cast.to] or false
end

-- Limits of integers are numbers, and one more or less where < or > stands.
local function as_whole(bounds)
  for name, step in pairs { min = bounds.above and 1 or 0, max = bounds.below and -1 or 0 } do
    if bounds[name] then
      if not bounds[name]:find "^%-?%d+$" then return false end
      bounds[name] = tonumber(bounds[name]) + step
    end
  end
  return true
end

--- Can a declaration say it of a field of this type? Then its limits become those of the type: numbers of integers, texts of
-- others, of which < and > have no limit.
---@param bounds table  of conditions.bounds
---@param kind string|nil  "int4", "date"
---@return boolean
function conditions.declarable(bounds, kind)
  if not bounds.casts then return true end
  if not CASTS[kind] then return false end
  for _, cast in ipairs(bounds.casts) do
    if not compares(kind, cast) then return false end
  end
  if kind:find "^int%d" then
    if not as_whole(bounds) then return false end
  elseif bounds.above or bounds.below then
    return false
  end
  bounds.casts, bounds.above, bounds.below = nil, nil, nil
  return true
end

return conditions
