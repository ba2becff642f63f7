--- One table: where the checks of the live catalogue differ from what a declaration says of its fields. A part of compare.lua.

local conditions = require "larder.migrate.conditions"
local ddl = require "larder.migrate.ddl"
local types = require "larder.migrate.types"

local checks = {}

--- Longer texts than these do not fit in the column; nil: all do.
---@param column table
---@return number|nil
function checks.length_of(column)
  return tonumber((column.type:match "^character varying%((%d+)%)$"))
end

local BOUNDS = { "min_len", "max_len", "min", "max" }

local function same_enum(a, b)
  if (a == nil) ~= (b == nil) then return false end
  if a == nil then return true end
  local set, n = {}, 0
  for _, value in ipairs(a) do set[value] = true end
  for _, value in ipairs(b) do
    if not set[value] then return false end
    n = n + 1
  end
  return n == #a
end

local function described(bounds)
  local parts = {}
  if bounds.enum then parts[1] = "one of " .. table.concat(bounds.enum, ", ") end
  for _, key in ipairs(BOUNDS) do
    if bounds[key] then parts[#parts + 1] = ("%s %s"):format(key, tostring(bounds[key])) end
  end
  return #parts > 0 and table.concat(parts, ", ") or "anything"
end

-- What all checks of a column say together, and which they are; the others: checks that no declaration can say.
local function live_bounds(live, renames)
  local map, others = {}, {}
  for _, check in ipairs(live.checks_list) do
    local column, bounds = conditions.bounds(check.condition)
    column = renames[column] or column
    local kind = column and live.columns[column] and types.declared(live.columns[column].type)
    if column and conditions.declarable(bounds, kind and kind.type) then
      local all = map[column] or { checks = {} }
      map[column] = all
      all.checks[#all.checks + 1] = check
      if check.enforced then -- one that is not says nothing, and stands in the way of a new one
        for key, value in pairs(bounds) do all[key] = value end
      end
    else
      others[#others + 1] = check
    end
  end
  return map, others
end

-- A limit in the type is as good as a check of the same one.
local function add_lengths(live, map)
  for name, column in pairs(live.columns) do
    local length, found = checks.length_of(column), map[name]
    if length and not (found and (found.enum or found.max_len)) then
      map[name] = found or { checks = {} }
      map[name].max_len = length
      map[name].by_type = true
    end
  end
end

-- What a check can hold of a declaration: an enum says it all, and lengths are those of texts.
local function declared_bounds(field)
  if field.type:find "%[%]$" then return {} end
  if field.type == "enum" then return {} end
  if field.enum then return { enum = field.enum } end
  local max_len = field.type == "text" and field.max_len or nil -- of varchar and char it is the type's own
  return { min_len = types.is_text(field) and field.min_len or nil, max_len = max_len, min = field.min, max = field.max }
end

-- A check that holds for new rows alone.
local function unproved(self, check)
  if check.valid or not check.enforced then return end
  self.report(("check %s is not validated: old rows may break it"):format(check.name),
    ("%svalidate constraint %s"):format(self.alter, ddl.name(check.name)))
end

-- The checks of a column are made anew.
local function mend_checks(self, field, found)
  local sql, undo = {}, {}
  for _, check in ipairs(found.checks) do
    sql[#sql + 1] = ("%sdrop constraint %s"):format(self.alter, ddl.name(check.name))
    undo[#undo + 1] = ("%sadd constraint %s check (%s)%s"):format(self.alter, ddl.name(check.name), check.condition,
      not check.enforced and " not enforced" or not check.valid and " not valid" or "")
  end
  for _, check in ipairs(ddl.checks(self.decl, field)) do
    sql[#sql + 1] = ("%sadd constraint %s check (%s)"):format(self.alter, ddl.name(check.name), check.condition)
    table.insert(undo, 1, ("%sdrop constraint %s"):format(self.alter, ddl.name(check.name)))
  end
  return sql, undo
end

-- Limits of other types than integers have several texts: the server says whether two are one.
local function same_limit(self, field, wanted, found)
  if wanted == nil or found == nil or wanted == found then return wanted == found end
  if type(found) == "number" then return false end
  local sql = ("select $1::text::%s = $2::text::%s as same"):format(ddl.type_of(field), ddl.type_of(field))
  local rows, err = self.db:query(sql, ddl.limit_text(field, wanted), found)
  if not rows then return nil, err end
  return rows[1].same
end

local function same_bounds(self, field, wanted, found)
  if not same_enum(wanted.enum, found.enum) or wanted.min_len ~= found.min_len or wanted.max_len ~= found.max_len then return false end
  local same, err = same_limit(self, field, wanted.min, found.min)
  if not same then return same, err end
  return same_limit(self, field, wanted.max, found.max)
end

local function checks_of(self, field, found)
  local wanted = declared_bounds(field)
  if found.by_type and wanted.max_len ~= found.max_len then found.max_len = nil end -- its type was reported, or holds more
  local same, err = same_bounds(self, field, wanted, found)
  if same == nil then return nil, err end
  if same then
    for _, check in ipairs(found.checks) do unproved(self, check) end
  elseif self.live.columns[field.name] then
    self.report(("column %s: declared to be %s, checked in the database to be %s"):format(field.name, described(wanted),
      described(found)), mend_checks(self, field, found))
  end
  return true
end

--- Tell where the checks of the table and those of its declaration differ.
---@param self larder.migrate.Comparer
---@return true|nil
---@return larder.Error? err
function checks.compare(self)
  local live, others = live_bounds(self.live, self.renames)
  add_lengths(self.live, live)
  for _, check in ipairs(others) do
    self.note(("check %s is the database's alone, and memory does not know it: %s"):format(check.name, check.condition))
    unproved(self, check)
  end
  for _, field in ipairs(self.decl.fields) do
    local ok, err = checks_of(self, field, live[field.name] or { checks = {} })
    if not ok then return nil, err end
  end
  return true
end

return checks
