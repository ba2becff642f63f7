--- Predicates and set expressions: small marked tables that the core reads.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

local expr = {}

---@alias larder.Where table  field → value, list (IN), larder.null (IS NULL) or operators; predicates in the array part
---@class larder.Predicate
---@class larder.Expression

local function pred(kind, t)
  t.kind = kind
  return setmetatable(t, core.pred_mt)
end

-- A where table is one condition; in `any { a = 1, b = 2 }` each pair is a condition of its own.
local function conditions(kind, list)
  misuse.check_shape(list, "condition", "larder." .. kind .. ": the list of conditions")
  local t = {}
  for i = 1, #list do t[i] = list[i] end
  for name, value in next, list do
    if type(name) == "string" then t[#t + 1] = { [name] = value } end
  end
  return pred(kind, t)
end

--- At least one condition holds. At least one must be given.
---@param list larder.Where[]|larder.Where
---@return larder.Predicate
function expr.any(list)
  local any = conditions("any", list)
  if #any == 0 then misuse.raise "larder.any: the list of conditions is empty" end
  return any
end

--- All conditions hold. `larder.all {}`, and nothing else, says "every row". Also the refused value of `limit`.
---@param list larder.Where[]|larder.Where
---@return larder.Predicate
function expr.all(list) return conditions("all", list) end

--- The condition does not hold. Three-valued, as in SQL: a null field matches neither `x = 1` nor `not x = 1`.
---@param where larder.Where
---@return larder.Predicate
function expr.not_(where)
  misuse.check_shape(where, "condition", "larder.not_: the condition")
  return pred("not", { where })
end

--- A row of another store of the same family exists (semi-join).
---@param store string
---@param on table<string, string>  field there → field here
---@param where? larder.Where  on the other store
---@return larder.Predicate
function expr.exists(store, on, where)
  if type(store) ~= "string" then misuse.raise("larder.exists: argument 1 must be the name of a store, not %s", misuse.kind(store)) end
  misuse.check_shape(on, "record", "larder.exists: argument 2 (fields there = fields here)")
  if where ~= nil then misuse.check_shape(where, "condition", "larder.exists: argument 3 (the condition)") end
  return pred("exists", { store = store, on = on, where = where })
end

--- A condition from the named members of a table, each of which must be there: `larder.where(params, "email", "tenant_id")`.
-- `{ email = params.email }` is an empty table when params has no email; this raises instead. larder.null counts as given.
---@param from table
---@param ... string  names of members, which are names of fields
---@return larder.Where
function expr.where(from, ...)
  local n, where = select("#", ...), {}
  if type(from) ~= "table" then misuse.raise("larder.where: argument 1 must be a table, not %s", misuse.kind(from)) end
  if n == 0 then misuse.raise "larder.where: name at least one field" end
  for i = 1, n do
    local name = (select(i, ...))
    if type(name) ~= "string" then
      misuse.raise("larder.where: argument %d must be the name of a field, not %s", i + 1, misuse.kind(name))
    end
    if from[name] == nil then misuse.raise("larder.where: %s is missing", name) end
    where[name] = from[name]
  end
  return where
end

--- The key is one of these. Each key is a list of values in the order of the key's fields, or of `fields`.
---@param keys any[][]
---@param fields? string[]
---@return larder.Predicate
function expr.keys(keys, fields)
  local t = { fields = fields }
  for i = 1, #keys do t[i] = keys[i] end
  return pred("keys", t)
end

local function set(kind, value)
  if value == expr.excluded then return setmetatable({ kind = kind, excluded = true }, core.expr_mt) end
  return setmetatable({ kind = kind, value = value }, core.expr_mt)
end

--- The field's declared default.
---@type larder.Expression
expr.default = setmetatable({ kind = "default" }, core.expr_mt)

--- In `upsert`: the value of the row that could not be inserted. Also as the argument of the functions below.
---@type larder.Expression
expr.excluded = setmetatable({ kind = "excluded" }, core.expr_mt)

--- The field plus n (1 by default); null counts as 0.
---@param n? number|string|larder.Decimal|larder.Expression
---@return larder.Expression
function expr.increment(n) return set("increment", n == nil and 1 or n) end

--- A JSON array (or array column) with v at its end; an array is concatenated.
---@param v any
---@return larder.Expression
function expr.append(v) return set("append", v) end

--- A JSON object with the members of t laid over it, top level.
---@param t table|larder.Expression
---@return larder.Expression
function expr.merge(t) return set("merge", t) end

local DEEPEST = 512 -- as deep as JSON is written

--- A JSON object with the members of t laid over it, and objects inside of it likewise, on every level. What is no object where t
-- has one is replaced.
---@param t table
---@return larder.Expression
function expr.merge_deep(t)
  if t == expr.excluded then misuse.raise "larder.merge_deep: the changes must be a table of their own, not larder.excluded" end
  misuse.check_shape(t, "record", "larder.merge_deep: the table of changes")
  return setmetatable({ kind = "merge", value = t, deeper = DEEPEST }, core.expr_mt)
end

--- A JSON object with v as the member that the path leads to. Objects on the way are made where there are none.
---@param path string[]  names of members
---@param v any
---@return larder.Expression
function expr.set_path(path, v)
  misuse.check_shape(path, "list", "larder.set_path: the path")
  if #path == 0 then misuse.raise "larder.set_path: the path needs a name" end
  if v == nil then misuse.raise "larder.set_path needs a value; larder.null stands for JSON's null" end
  local value = v
  for i = #path, 1, -1 do
    if type(path[i]) ~= "string" then misuse.raise("larder.set_path: step %d must be a name, not %s", i, misuse.kind(path[i])) end
    value = { [path[i]] = value }
  end
  return setmetatable({ kind = "merge", value = value, deeper = #path - 1 }, core.expr_mt)
end

--- A value inside of a jsonb field: `larder.path("metadata", "theme")`, for larder.matches, order, groups and aggs. A number is a
-- place in an array, from 1, or from -1 at its end. It is a text where nothing else is said
-- (`larder.path { "metadata", "rating", type = "numeric" }`; text, numeric, bool or jsonb), and null where something else stands.
---@param field string|table
---@param ... string|integer
---@return larder.Expression
function expr.path(field, ...)
  local t = { ... }
  if type(field) == "table" then
    misuse.check_shape(field, "condition", "larder.path")
    t.type, t.field = field.type, field[1]
    for i = 2, #field do t[i - 1] = field[i] end
  else
    t.field = field
  end
  t.kind = "path"
  if type(t.field) ~= "string" or #t == 0 then misuse.raise "larder.path takes a field and the steps that lead into it" end
  return setmetatable(t, core.expr_mt)
end

--- The value of a path, a field or a function of those is so: `larder.matches(larder.path("metadata", "theme"), "dark")`, or a list, or
-- operators, as beside a field. A path without a type of its own has that of the value beside it.
---@param of larder.Expression
---@param value any
---@return larder.Predicate
function expr.matches(of, value)
  if value == nil then misuse.raise "larder.matches needs a value; larder.null stands for no value" end
  return pred("matches", { path = of, value = value })
end

-- ---- values computed from fields ----

local VALUES = { path = true, field = true, call = true, value = true }

--- A field where an expression may stand: `larder.field "price"`, or one of a related row, `larder.field "author.name"`.
---@param name string
---@return larder.Expression
function expr.field(name)
  if type(name) ~= "string" then misuse.raise("larder.field takes the name of a field, not %s", misuse.kind(name)) end
  return setmetatable({ kind = "field", name = name }, core.expr_mt)
end

--- A value among the arguments of a function, where a text alone would name a field: `larder.coalesce("name", larder.value "none")`.
---@param v any
---@return larder.Expression
function expr.value(v)
  if v == nil or v == core.null then misuse.raise "larder.value needs a value" end
  return setmetatable({ kind = "value", value = v }, core.expr_mt)
end

-- A text names a field; an expression is taken as it is; anything else is a value.
local function argument(fn, i, v)
  if type(v) == "string" then return expr.field(v) end
  local marked = type(v) == "table" and getmetatable(v) == core.expr_mt
  if marked and VALUES[v.kind] then return v end
  if marked or v == nil or v == core.null then
    misuse.raise("larder.%s: argument %d must be a field, an expression or a value, not %s", fn, i,
      marked and "a change" or misuse.kind(v))
  end
  return expr.value(v)
end

local function call(fn, unit, n, ...)
  local t = { kind = "call", fn = fn, unit = unit }
  for i = 1, n do t[i] = argument(fn, i, (select(i, ...))) end
  return setmetatable(t, core.expr_mt)
end

-- A function of one field; unit: the argument before it, if there is one.
local function call_of(fn, unit, of)
  if type(of) ~= "string" and (type(of) ~= "table" or getmetatable(of) ~= core.expr_mt) then
    misuse.raise("larder.%s: argument %d must be a field or an expression, not %s", fn, unit and 2 or 1, misuse.kind(of))
  end
  return call(fn, unit, 1, of)
end

--- A text with its ASCII letters in lower case. Arguments here and below: a text names a field ("title", "author.name"), or an
-- expression, or a value that is no text (see larder.value).
---@param of string|larder.Expression
---@return larder.Expression
function expr.lower(of) return call_of("lower", nil, of) end

--- A text with its ASCII letters in upper case.
---@param of string|larder.Expression
---@return larder.Expression
function expr.upper(of) return call_of("upper", nil, of) end

--- How many characters a text has, or bytes a bytea.
---@param of string|larder.Expression
---@return larder.Expression
function expr.length(of) return call_of("length", nil, of) end

--- A number without its sign.
---@param of string|larder.Expression
---@return larder.Expression
function expr.abs(of) return call_of("abs", nil, of) end

--- The sum of two numbers. Integers give int8, with a numeric among them numeric; a numeric and a float do not go together.
---@param a any
---@param b any
---@return larder.Expression
function expr.add(a, b) return call("add", nil, 2, a, b) end

--- The difference of two numbers.
---@param a any
---@param b any
---@return larder.Expression
function expr.sub(a, b) return call("sub", nil, 2, a, b) end

--- The product of two numbers.
---@param a any
---@param b any
---@return larder.Expression
function expr.mul(a, b) return call("mul", nil, 2, a, b) end

local BUCKETS = { "minute", "hour", "day", "week", "month", "year" }
local PARTS = { "year", "month", "day", "hour", "minute", "weekday" }

local function check_unit(fn, unit, known)
  for _, name in ipairs(known) do
    if unit == name then return unit end
  end
  misuse.raise("larder.%s: argument 1 must be %s, not %s%s", fn, table.concat(known, ", "), tostring(unit), misuse.hint(unit, known))
end

--- The start of the minute, hour, day, week (Monday), month or year that a timestamptz (in UTC) or timestamp lies in.
---@param unit "minute"|"hour"|"day"|"week"|"month"|"year"
---@param of string|larder.Expression
---@return larder.Expression
function expr.bucket(unit, of) return call_of("bucket", check_unit("bucket", unit, BUCKETS), of) end

--- A part of a timestamptz (in UTC) or timestamp, as an integer; weekday: Monday is 1, Sunday 7.
---@param unit "year"|"month"|"day"|"hour"|"minute"|"weekday"
---@param of string|larder.Expression
---@return larder.Expression
function expr.part(unit, of) return call_of("part", check_unit("part", unit, PARTS), of) end

--- In changes, `coalesce(v)`: v where the field is null; anything else stays. Elsewhere, `coalesce(a, b, …)`: the first of them that is
-- not null.
---@param v any
---@param ... any
---@return larder.Expression
function expr.coalesce(v, ...)
  local n = select("#", ...)
  if n == 0 then return set("coalesce", v) end
  return call("coalesce", nil, n + 1, v, ...)
end

--- The greater of field and v; null is less than anything.
---@param v any
---@return larder.Expression
function expr.greatest(v) return set("greatest", v) end

return expr
