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

local function load_functions(path, file)
  local chunk, why = loadfile(path)
  if not chunk then return nil, errors.new { code = "syntax", file = file, message = why } end
  local ok, found = pcall(chunk)
  if not ok then return nil, errors.new { code = "invalid", file = file, message = tostring(found) } end
  if type(found) == "function" then found = { up = found } end
  if type(found) ~= "table" or type(found.up) ~= "function" then
    return nil, errors.new { code = "invalid", reason = "lua_file", file = file,
      message = file .. " must return { up = function, down = function }" }
  end
  return found
end

---@param runner larder.migrate.Runner
---@param step table  of the plan
---@return true|nil
---@return larder.Error? err
function lua_file.run(runner, step)
  local functions, err = load_functions(runner.dir .. "/" .. step.file, step.file)
  if not functions then return nil, err end
  local fn = functions[step.action]
  if not fn then
    return nil, errors.new { code = "invalid", reason = "no_down", file = step.file,
      message = ("%s: %s has no function %s"):format(runner.family, step.file, step.action) }
  end
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
    return nil, errors.new { code = "internal", file = step.file, message = ("%s: %s"):format(step.file, tostring(result)) }
  end
  if result == nil and why ~= nil then
    if errors.is(why) then return nil, why end
    return nil, errors.new { code = "internal", file = step.file, message = ("%s: %s"):format(step.file, tostring(why)) }
  end
  return true
end

return lua_file
