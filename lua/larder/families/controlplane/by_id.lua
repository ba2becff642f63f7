--- Methods that take a row's id alone, where the key begins with the organization. The id is unique by itself; with a
-- row that names its organization, `update` goes by the whole key.

local errors = require "larder.base.errors"
local generic = require "larder.store.write".methods
local misuse = require "larder.base.misuse"

local BY_ID = { "id" }

local by_id = { get = { get_by = BY_ID } }

local function one(method, id)
  if id == nil or type(id) == "table" then misuse.raise("controlplane: %s needs an id", method) end
  return { id = id }
end

--- Is there a row with this id?
---@param id string
---@return boolean|nil
---@return larder.Error? err
function by_id:exists(id)
  local n, err = self:run({ op = "count", where = one("exists", id) }, "exists")
  if not n then return nil, err end
  return n > 0
end

--- Change some fields of the row with this id.
---@param id string
---@param changes table
---@param opts? table  as of the generic patch
---@return table|nil row
---@return larder.Error? err  `not_found`
function by_id:patch(id, changes, opts)
  local where = one("patch", id)
  if type(changes) ~= "table" then misuse.raise("controlplane: patch needs an id and a table of changes") end
  if next(changes) == nil then return self:get(id) end
  local set = {}
  for name, value in pairs(changes) do set[name] = value end
  return self:_change("patch", where, set, opts or {}, BY_ID)
end

--- Replace the row; the organization may be left out.
---@param row table
---@param opts? table  as of the generic update
---@return table|nil row
---@return larder.Error? err  `not_found`
function by_id:update(row, opts)
  if type(row) == "table" and row.org_id == nil and row.id ~= nil then
    local found, err = self:get(row.id)
    if not found then return nil, err end
    local whole = { org_id = found.org_id }
    for name, value in pairs(row) do whole[name] = value end
    row = whole
  end
  return generic.update(self, row, opts)
end

--- Delete the row with this id. A row that is not there is `not_found`.
---@param id string
---@return true|nil
---@return larder.Error? err
function by_id:delete(id)
  local n, err = self:run({ op = "delete", where = one("delete", id) }, "delete")
  if not n then return nil, err end
  if n == 0 then return errors.not_found(self._entity.full, "delete", BY_ID) end
  return true
end

return by_id
