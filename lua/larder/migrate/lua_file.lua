--- Migrations of data: NNNNNN_name.lua returns `{ up = function(db, step) … end, down = function(db, step) … end }`.
--
-- The function is the caller's code on the caller's database: it opens its own transactions. `step.state` is a table that is
-- kept between two runs: `step:save { last = id }` after each batch makes it resumable, `step:progress(done, total)` tells whoever
-- watches. A run that ends without an error is recorded; one that fails is resumed from its state.

local errors = require "larder.base.errors"

local lua_file = {}

local Step = {}
Step.__index = Step

local BEGIN = [[
insert into larder.migration_journal (family, version, statement, down, checksum, sql)
values ($1, $2, 0, $3, $4, $5)
on conflict (family, version, statement) do update set begun_at = clock_timestamp()
returning state]]

local SAVE = [[update larder.migration_journal set state = $3 where family = $1 and version = $2 and statement = 0]]

--- Keep a state for the next run, and for this one.
---@param state table
---@param tx? larder.Tx  the transaction of the batch: the state is kept when, and only when, its rows are
---@return true|nil
---@return larder.Error? err
function Step:save(state, tx)
  local ok, err = (tx or self._db):query(SAVE, self._family, self.version, state)
  if not ok then return nil, err end
  self.state = state
  return true
end

--- Tell how far it is.
---@param done integer
---@param total? integer
function Step:progress(done, total)
  if self._tell then self._tell(self, "progress", { done = done, total = total }) end
end

-- Lua's own text, which names the whole path, with the file's name; and the line that it names.
local function told(path, file, why)
  local text = tostring(why)
  if text:sub(1, #path) == path then text = file .. text:sub(#path + 1) end
  return text, tonumber(text:match "^[^:]*:(%d+):")
end

local function load_functions(path, file)
  local chunk, why = loadfile(path, "t")
  local ok, found = true, nil
  if chunk then ok, found = pcall(chunk) end
  if not chunk or not ok then
    local message, line = told(path, file, chunk and found or why)
    return nil, errors.new { code = chunk and "invalid" or "syntax", reason = "lua_file", file = file, line = line, message = message }
  end
  if type(found) == "function" then found = { up = found } end
  if type(found) ~= "table" or type(found.up) ~= "function" then
    return nil, errors.new { code = "invalid", reason = "lua_file", file = file,
      message = file .. " must return { up = function, down = function }" }
  end
  return found
end

-- The function of a step; its file is loaded once a run.
local function function_of(runner, step)
  local loaded = runner.loaded[step.file]
  if not loaded then
    local err
    loaded, err = load_functions(runner.dir .. "/" .. step.file, step.file)
    if not loaded then return nil, err end
    runner.loaded[step.file] = loaded
  end
  if loaded[step.action] then return loaded[step.action] end
  return nil, errors.new { code = "invalid", reason = "no_down", file = step.file,
    message = ("%s: version %06d cannot be undone: %s has no function down"):format(runner.family, step.version, step.file),
    hint = "write it; nothing was undone" }
end

--- Can every step of Lua be run? Asked before the first step of a plan.
---@param runner larder.migrate.Runner
---@param steps table[]
---@return true|nil
---@return larder.Error? err
function lua_file.check(runner, steps)
  for _, step in ipairs(steps) do
    if step.lua and not step.bare and step.action ~= "skip" then
      local fn, err = function_of(runner, step)
      if not fn then return nil, err end
    end
  end
  return true
end

---@param runner larder.migrate.Runner
---@param step table  of the plan
---@return true|nil
---@return larder.Error? err
function lua_file.run(runner, step)
  local fn, err = function_of(runner, step)
  if not fn then return nil, err end
  local rows
  rows, err = runner.db:query(BEGIN, runner.family, step.version, step.action == "down", step.checksum, step.file)
  if not rows then return nil, err end
  local object = setmetatable({
    version = step.version, name = step.name, action = step.action, state = rows[1].state or {}, _db = runner.db,
    _family = runner.family, _tell = runner.opts.on_step,
  }, Step)
  local ok, result, why = pcall(fn, runner.db, object)
  if not ok then
    if errors.is(result) then return nil, result end
    local message, line = told(runner.dir .. "/" .. step.file, step.file, result)
    if not message:find(step.file, 1, true) then message = step.file .. ": " .. message end
    return nil, errors.new { code = "internal", file = step.file, line = line, message = message }
  end
  if result == nil and why ~= nil then
    if errors.is(why) then return nil, why end
    return nil, errors.new { code = "internal", file = step.file, message = ("%s: %s"):format(step.file, tostring(why)) }
  end
  return true
end

return lua_file
