--- What a value of each type is in CSV and in NDJSON, and back, without loss.
--
-- Numbers of any size are exact; NaN and infinities are texts; bytea is PostgreSQL's \x form; a JSON field stands in NDJSON as it is,
-- and its JSON null (which is not NULL) as {"$json":null}; arrays are JSON in CSV, too.

local core = require "larder.core"

local fields = {}

local null, encode = core.null, core.json_encode

local SPECIAL = { NaN = 0 / 0, Infinity = math.huge, ["-Infinity"] = -math.huge }

-- ---- text → value; nil, why ----

local function bool_of(text)
  local word = text:lower()
  if word == "true" or word == "t" then return true end
  if word == "false" or word == "f" then return false end
  return nil, "must be true or false"
end

local function integer_of(text)
  local sign, digits = text:match "^([-+]?)0*(%d+)$"
  if not digits then return nil, "must be a whole number" end
  if #digits < 16 then return tonumber((sign == "-" and "-" or "") .. digits) end
  return (core.json_decode((sign == "-" and "-" or "") .. digits))
end

local function float_of(text)
  if SPECIAL[text] then return SPECIAL[text] end
  local number = text:find "^[-+]?[%d.]+[eE]?[-+]?%d*$" and tonumber(text)
  if not number then return nil, "must be a number" end
  if number == math.huge or number == -math.huge then return nil, "is out of range" end
  return number
end

local function bytes_of(text)
  local digits = text:match "^\\x(%x*)$"
  if not digits or #digits % 2 == 1 then return nil, "must be \\x and an even number of hexadecimal digits" end
  return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function json_of(text)
  return setmetatable({ text = text }, core.json_text_mt)
end

local function as_it_is(v) return v end

local FROM_TEXT = {
  bool = bool_of, int2 = integer_of, int4 = integer_of, int8 = integer_of, float4 = float_of, float8 = float_of,
  bytea = bytes_of, json = json_of, jsonb = json_of,
} -- every other type is a text in Lua, too

-- ---- JSON → value; nil, why ----

local function number_from(text_to_number)
  return function(v)
    if type(v) == "string" then return text_to_number(v) end
    if getmetatable(v) == core.decimal_mt then return text_to_number(v.text) end
    return v
  end
end

local function bytes_from(v)
  if type(v) ~= "string" then return nil, "must be text: \\x and hexadecimal digits" end
  return bytes_of(v)
end

-- Is v { ["$json"] = … } and nothing else?
local function is_escaped(v)
  if type(v) ~= "table" or getmetatable(v) == core.array_mt then return false end
  local key = next(v)
  return key == "$json" and next(v, key) == nil
end

local function json_from(v)
  if not is_escaped(v) then return v end
  return json_of((assert(encode(v["$json"]))))
end

local FROM_JSON = {
  int2 = number_from(integer_of), int4 = number_from(integer_of), int8 = number_from(integer_of),
  float4 = number_from(float_of), float8 = number_from(float_of), bytea = bytes_from, json = json_from, jsonb = json_from,
}

-- Elements one by one; lists in lists are dimensions, but for JSON.
local function elements(list, convert, is_json)
  local made = setmetatable({}, core.array_mt)
  for i, v in ipairs(list) do
    local why
    if v == null then
      made[i] = null
    elseif not is_json and type(v) == "table" and getmetatable(v) ~= core.decimal_mt then
      made[i], why = elements(v, convert, is_json)
    else
      made[i], why = convert(v)
    end
    if made[i] == nil then return nil, why end
  end
  return made
end

local function list_from(convert, is_json)
  return function(v)
    if type(v) ~= "table" or getmetatable(v) ~= core.array_mt then return nil, "must be a list" end
    return elements(v, convert, is_json)
  end
end

local function list_of_text(from_json)
  return function(text)
    local v, err = core.json_decode(text)
    if v == nil then return nil, "must be a list as JSON: " .. err.message end
    return from_json(v)
  end
end

-- ---- value → text and JSON ----

local function float_text(v)
  if v ~= v then return "NaN" end
  if v == math.huge then return "Infinity" end
  if v == -math.huge then return "-Infinity" end
  if v == 0 and 1 / v < 0 then return "-0.0" end
  return encode(v)
end

local function float_json(v)
  local text = float_text(v)
  return SPECIAL[text] and '"' .. text .. '"' or text
end

local function bytes_text(v)
  return "\\x" .. v:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
end

local function bytes_json(v) return encode(bytes_text(v)) end

local function json_json(v)
  if v == null or is_escaped(v) then return '{"$json":' .. encode(v) .. "}" end
  return encode(v)
end

local TO_TEXT = {
  bool = encode, int2 = encode, int4 = encode, int8 = encode, float4 = float_text, float8 = float_text, bytea = bytes_text,
  json = encode, jsonb = encode,
}
local TO_JSON = { float4 = float_json, float8 = float_json, bytea = bytes_json, json = json_json, jsonb = json_json }

local function list_json(convert, is_json)
  local function write(list)
    local parts = {}
    for i, v in ipairs(list) do
      if v == null then
        parts[i] = "null"
      elseif type(v) == "table" and not is_json then
        parts[i] = write(v)
      else
        parts[i] = convert(v)
      end
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  return write
end

-- ---- of a store ----

---@class larder.TextField
---@field name string
---@field required boolean   a row without it is refused
---@field from_text fun(text: string): any, string?
---@field from_json fun(value: any): any, string?
---@field to_text fun(value: any): string
---@field to_json fun(value: any): string

local function of(field)
  local base, array = field.type:match "^(%w+)(%[?)"
  local is_json = base == "json" or base == "jsonb"
  local made = {
    name = field.name, required = not field.null and field.default == nil and field.stamp == nil,
    from_text = FROM_TEXT[base] or as_it_is, from_json = FROM_JSON[base] or as_it_is,
    to_text = TO_TEXT[base] or as_it_is, to_json = TO_JSON[base] or encode,
  }
  if array == "[" then
    made.from_json = list_from(is_json and as_it_is or made.from_json, is_json)
    made.from_text = list_of_text(made.from_json)
    made.to_json = list_json(is_json and encode or made.to_json, is_json)
    made.to_text = made.to_json
  end
  return made
end

--- The fields of a checked declaration that a file holds, in its order, and by name: all but those that the database computes.
---@param decl table  as cstore:describe() gives it
---@return larder.TextField[]
---@return table<string, larder.TextField>
function fields.all(decl)
  local list, by_name = {}, {}
  for _, field in ipairs(decl.fields) do
    if not field.generated then
      list[#list + 1] = of(field)
      by_name[field.name] = list[#list]
    end
  end
  return list, by_name
end

return fields
