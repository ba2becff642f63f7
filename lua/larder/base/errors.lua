--- Errors: one table shape for everything that can go wrong in the world. Misuse raises instead.

local core = require "larder.core"
local misuse = require "larder.base.misuse"

---@class larder.Error
---@field code string          one of `errors.codes`; stable
---@field message string       for people; never holds parameter values or passwords
---@field reason? string       a finer code where there is one (unauthorized: malformed, unknown, …)
---@field sqlstate? string
---@field constraint? string   name of the constraint that was broken
---@field table? string
---@field column? string
---@field fields? table<string, string>  `invalid`: what is wrong with which field
---@field detail? string
---@field row? integer         of the rows that were given, from 1: the one that the error is about, where that is certain
---@field hint? string
---@field store? string        "auth.users"
---@field op? string           "create"
---@field stored? boolean      the write was done; only its answer was lost
---@field retryable? boolean   the whole transaction may succeed when it is run again

local errors = {}

--- Every code, under its own name, so that a typo in `err.code == codes.conflcit` is found.
---@type table<string, string>
errors.codes = {}

local CODES = {
  "not_found", "invalid", "conflict", "foreign_key", "check", "not_null", "serialization", "deadlock",
  "lock_timeout", "timeout", "canceled", "pool_timeout", "connection", "commit_unknown", "permission",
  "capacity", "unsupported", "unauthorized", "closed", "dirty", "locked", "drift", "syntax", "internal",
}
for _, code in ipairs(CODES) do errors.codes[code] = code end
setmetatable(errors.codes, {
  __index = function(_, name) misuse.raise("larder has no error code %s%s", tostring(name), misuse.hint(name, CODES)) end,
})

-- What `must` raised last: a text. A transaction that it ended answers with the error itself.
local last = {}

--- The error that a raised text was made from, or the text.
---@param why any
---@return any
function errors.of(why)
  if why ~= nil and why == last.text then return last.err end
  return why
end

--- The values, or an error: raises `nil, err` as a text with the caller's line, store, method and hint. What cannot print
-- tables (nginx's log, lua.c) prints that.
---@param ... any
---@return any ...
function errors.must(...)
  local first, err = ...
  if first == false and err == nil or first then return ... end
  local text = err == nil and "nothing came back, and no error" or tostring(err)
  last.text, last.err = core.caller() .. text, err
  return error(last.text, 0)
end

--- Make an error object.
---@param fields table  `code` and `message`, and any other field of larder.Error
---@return larder.Error
function errors.new(fields)
  return core.error(fields)
end

--- Is v an error of larder?
---@param v any
---@return boolean
function errors.is(v)
  return type(v) == "table" and getmetatable(v) == core.error_mt
end

--- `nil, err` with code `invalid`. fields: name → what is wrong; without a message, it is made from them.
---@param fields? table<string, string>
---@param message? string
---@param more? table  further fields of the error
---@return nil
---@return larder.Error
function errors.invalid(fields, message, more)
  local err = { code = "invalid", fields = fields, message = message }
  for k, v in pairs(more or {}) do err[k] = v end
  if not err.message then
    local parts = {}
    for name, what in pairs(fields or {}) do parts[#parts + 1] = name .. " " .. what end
    table.sort(parts)
    err.message = table.concat(parts, "; ")
  end
  return nil, core.error(err)
end

--- What is said of a row that is not there: the store and by which fields it was looked for, never their values.
---@param store string
---@param by string[]
---@return string
function errors.no_row(store, by)
  return ("%s: no row with this %s"):format(store, table.concat(by, ", "))
end

--- `nil, err` with code `not_found`.
---@param store string
---@param op string
---@param by string[]
---@return nil
---@return larder.Error
function errors.not_found(store, op, by)
  return nil, core.error { code = "not_found", store = store, op = op, message = errors.no_row(store, by) }
end

return errors
