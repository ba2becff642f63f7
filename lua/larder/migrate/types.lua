--- Types of declarations and types as format_type() prints them, each made of the other.

local core = require "larder.core"

local types = {}

-- declared → SQL; %s is where a length or the digits stand
local SQL = {
  bool = "boolean", int2 = "smallint", int4 = "integer", int8 = "bigint", float4 = "real", float8 = "double precision",
  numeric = "numeric%s", text = "text", bytea = "bytea", uuid = "uuid", timestamptz = "timestamp%s with time zone",
  json = "json", jsonb = "jsonb", date = "date", timestamp = "timestamp%s without time zone", time = "time%s without time zone",
  interval = "interval%s", varchar = "character varying%s", char = "character%s",
  inet = "inet", cidr = "cidr", macaddr = "macaddr", macaddr8 = "macaddr8", bit = "bit%s", varbit = "bit varying%s",
  citext = "citext", xml = "xml", tsvector = "tsvector", int4range = "int4range", int8range = "int8range", numrange = "numrange",
  tsrange = "tsrange", tstzrange = "tstzrange", daterange = "daterange",
}
local SIZED = { varchar = "max_len", char = "max_len", bit = "max_len", varbit = "max_len" } -- of others that have something in parentheses: precision

local MEASURED = { char = true, bit = true } -- bpchar and "bit" without a length are no char(n) and no bit(n)

local declared = {}
for name, sql in pairs(SQL) do declared[sql:gsub("%%s", "")] = name end
declared.bpchar, declared.name = "char", "text"

local function modifier(base, field)
  if base == "numeric" then
    return field.precision and field.precision > 0 and ("(%d,%d)"):format(field.precision, field.scale or 0) or ""
  end
  local n = field[SIZED[base] or "precision"]
  return n and ("(%d)"):format(n) or ""
end

--- The name of an enum's type, with its schema.
---@param field larder.FieldDeclaration
---@return string
function types.enum_name(field)
  return core.sql_path(field.sql_type) and field.sql_type or "public." .. field.sql_type
end

--- A field's type as format_type() prints it.
---@param field larder.FieldDeclaration  as a schema describes it
---@return string
function types.sql(field)
  if field.type == "enum" then return types.enum_name(field) end
  if field.type == "enum[]" then return types.enum_name(field) .. "[]" end
  local base, array = field.type:match "^(%w+)(%[?%]?)$"
  return (SQL[base]:gsub("%%s", modifier(base, field))) .. array
end

--- Is its type an enum, or an array of one?
---@param field larder.FieldDeclaration
function types.has_enum_type(field)
  return field.type == "enum" or field.type == "enum[]"
end

--- Is it of a collation: text, varchar or char?
---@param field larder.FieldDeclaration
function types.is_text(field)
  return field.type == "text" or field.type == "varchar" or field.type == "char"
end

--- The declared type of what format_type() printed.
---@param text string  numeric(12,2)[]
---@return { type: string, max_len?: integer, precision?: integer, scale?: integer }|nil  nil: larder has no such type
function types.declared(text)
  local base, array = text:gsub("%[%]$", "")
  local first, second = base:match "%((%d+),?(%d*)%)"
  local name = declared[(base:gsub("%([%d,]+%)", ""))]
  if not name or array > 0 and name == "tsvector" then return nil end
  local made = { type = name .. (array > 0 and "[]" or "") }
  if first then made[SIZED[name] or "precision"] = tonumber(first) end
  if name == "numeric" and first then made.scale = tonumber(second) or 0 end
  if MEASURED[name] and not first then return nil end
  return made
end

-- What a column of PostgreSQL's other types can become.
local INSTEAD = {
  money = "a money, whose text depends on lc_monetary (alter column %s type numeric)",
  ["time with time zone"] = "a timetz, whose order depends on offsets (alter column %s type time, or timestamptz)",
}

--- Why a column's type is none of larder's, and what can be done.
---@param column { name: string, type: string, over_enum?: boolean }
---@return string
function types.why_not(column)
  if column.over_enum then
    return ("of a domain over an enum, for which PostgreSQL has no operators (alter column %s type %s)"):format(column.name, column.type)
  end
  local base, array = column.type:gsub("%[%]$", "")
  if INSTEAD[base] and array == 0 then return INSTEAD[base]:format(column.name) end
  if base:find "multirange$" then return ("%s: larder has ranges, one a row"):format(column.type) end
  if base == "tsvector" then return ("%s: no search is for arrays of documents; tsvector is the words of one"):format(column.type) end
  return ("%s, which is not a type of larder"):format(column.type)
end

return types
