--- The migration that makes a database equal to the declarations, for a person to review.

local core = require "larder.core"
local check = require "larder.migrate.check"

local diff = {}

local HEAD = "-- Written by larder diff %s: review it before you apply it.\n"

-- What a reviewer should look at twice: what is lost, what a large table costs, and a column that may have another name only.
local function remark(fault)
  if not fault.sql then return ("-- By hand: %s: %s\n"):format(fault.table, fault.message) end
  local lines = { ("-- %s: %s\n"):format(fault.table, fault.message) }
  if fault.message == "table is missing" then return lines[1] end -- what locks a new table holds up nobody
  for _, lock in ipairs(core.statement_locks(fault.sql)) do
    if lock.warning then lines[#lines + 1] = ("-- %s: %s\n"):format(lock.loses and "LOSES DATA" or "look twice", lock.warning) end
  end
  if fault.hint then
    lines[#lines + 1] = "-- Has a column only got another name? Then write this instead (--rename does it):\n"
    lines[#lines + 1] = ("-- renamed: %s\n"):format(fault.hint)
  end
  return table.concat(lines)
end

---@class larder.Diff
---@field faults larder.Drift[]
---@field up string     "" when nothing differs
---@field down string
---@field by_hand integer  differences that no statement is known for

--- Compare and write both ways.
---@param db larder.Db
---@param family string
---@param renames? table<string, table<string, string>>  by table ("shop.items"), then from the old name: columns to be renamed
---@return larder.Diff|nil
---@return larder.Error? err
function diff.write(db, family, renames)
  local faults, err = check(db, family, renames)
  if not faults then return nil, err end
  local up, down, by_hand = {}, {}, 0
  for _, fault in ipairs(faults) do
    up[#up + 1] = remark(fault) .. (fault.sql and fault.sql .. "\n" or "")
    if not fault.sql then by_hand = by_hand + 1 end
    if fault.undo then table.insert(down, 1, fault.undo .. "\n") end
  end
  if #faults == 0 then return { faults = faults, up = "", down = "", by_hand = 0 } end
  local head = HEAD:format(family)
  return {
    faults = faults, up = head .. table.concat(up, "\n"), by_hand = by_hand,
    down = head .. (#down > 0 and table.concat(down, "\n") or "select 1; -- nothing to undo\n"),
  }
end

return diff
