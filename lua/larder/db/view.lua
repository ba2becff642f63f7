--- A view of a database: the same connections and stores, but each call runs as a tenant, as a role or with settings of the
-- server. They travel with the call and hold for its statement alone, so any number of views may be in use at once.

local errors = require "larder.base.errors"
local misuse = require "larder.base.misuse"
local options = require "larder.base.options"

---@class larder.ViewOptions
---@field tenant? string  the setting larder.tenant, which policies of row level security read
---@field role? string    the server's role to run as: SET ROLE
---@field settings? table<string, string>  other settings of the server by name
---@field traceparent? string  of W3C Trace Context: the statements' application_name, as the server's log and pg_stat_activity show it

---@class larder.View: larder.Db
---@field _db larder.Db
---@field _context userdata|false  false on memory
---@field _settings string[]  name, value, name, value …
local View = {}

local view = {}

local OPTIONS = options.set { tenant = "string", role = "string", settings = "table", traceparent = "string" }

-- What a view has of a database; the rest belongs to the database itself.
local OFFERED = {
  stores = true, query = true, each = true, pipeline = true, transaction = true, in_transaction = true, copy_in = true,
  copy_out = true, kind = true, now = true,
}

-- Settings that are the view's or the connection's own business, and what to do instead.
local RESERVED = {
  ["larder.tenant"] = "give it as tenant", role = "give it as role", session_authorization = "give a role",
  client_encoding = "texts are UTF-8", standard_conforming_strings = "it must stay on",
}

local function check_setting(name, value)
  if type(name) ~= "string" or name == "" then misuse.raise("db:with: a setting's name must be a text, not %s", misuse.kind(name)) end
  local why = RESERVED[name:lower()]
  if why then misuse.raise("db:with: setting %q cannot be given: %s", name, why) end
  if type(value) ~= "string" then misuse.raise("db:with: setting %q must be a text, not %s", name, misuse.kind(value)) end
  if (name .. value):find("\0", 1, true) then misuse.raise("db:with: setting %q holds a zero byte", name) end
end

--- The settings in the order in which they take effect: the role last, since it may lack the right to the others.
local function list_of(opts)
  local list, names = {}, {}
  for name, value in next, opts.settings or {} do
    check_setting(name, value)
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1], list[#list + 2] = name, opts.settings[name] end
  for _, pair in ipairs { { "application_name", opts.traceparent }, { "larder.tenant", opts.tenant }, { "role", opts.role } } do
    if pair[2] then list[#list + 1], list[#list + 2] = pair[1], pair[2] end
  end
  if #list == 0 then misuse.raise "db:with needs a tenant, a role, settings or a traceparent" end
  return list
end

local function check_words(opts)
  for _, name in ipairs { "tenant", "role" } do
    local value = opts[name]
    if value == "" then misuse.raise("db:with: option %s must not be empty", name) end
    if value and value:find("\0", 1, true) then misuse.raise("db:with: option %s holds a zero byte", name) end
  end
end

-- https://www.w3.org/TR/trace-context/#traceparent-header-field-values: version, trace, parent and flags; of no id all digits are zero.
local function check_trace(text)
  if not text then return end
  local trace, parent = text:match "^%x%x%-(%x+)%-(%x+)%-%x%x$"
  if trace and #trace == 32 and #parent == 16 and trace:find "[^0]" and parent:find "[^0]" and not text:find "%u" then return end
  misuse.raise "db:with: traceparent must be version-trace-parent-flags in lower hex digits, as W3C Trace Context says"
end

--- Memory has no policies that could read a tenant; of a role or a setting it would be untrue to accept it.
local function context_of(db, opts, list)
  if db:kind() == "memory" and not opts.role and not (opts.settings and next(opts.settings)) then
    if db._engine:closed() then return nil, errors.new { code = "closed", op = "with", message = "the database is closed" } end
    return false
  end
  return db._engine:context(list)
end

function View:__index(name)
  local own = View[name]
  if own ~= nil then return own end
  local value = rawget(self, "_db")[name]
  if type(name) == "string" and type(value) == "function" and name:sub(1, 1) ~= "_" and not OFFERED[name] then
    misuse.raise("db:%s is not for a view that db:with gave; ask the database itself", name)
  end
  return value
end

function View:__newindex(name, value)
  rawget(self, "_db")[name] = value
end

function View:__tostring()
  return tostring(rawget(self, "_db")) .. " (view)"
end

function View:_attend()
  return rawget(self, "_db"):_attend()
end

function View:_cstore()
  return misuse.raise("%s cannot be used by a tool: give it the database itself", tostring(self))
end

--- A view of db.
---@param db larder.Db
---@param opts larder.ViewOptions
---@return larder.View|nil
---@return larder.Error? err  `unsupported`: this engine has no roles or settings
function view.new(db, opts)
  opts = options.read(opts, OPTIONS, "db", "with")
  check_words(opts)
  check_trace(opts.traceparent)
  local list = list_of(opts)
  local context, err = context_of(db, opts, list)
  if context == nil then return nil, err end
  local made = { _db = db, _sets = {}, _context = context, _settings = list, _is_view = true }
  if db._replica then
    made._replica, err = view.new(db._replica, opts)
    if not made._replica then return nil, err end
  end
  return setmetatable(made, View)
end

return view
