--- The name that was probably meant: for messages about names that do not exist.

-- Edits (a letter put in, left out or changed) between two names.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal
    diagonal, row[0] = row[0], i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + same)
    end
  end
  return row[#b]
end

--- The name of a set that is nearest to `name`; nil when none is near.
---@param name string
---@param names table<string, any>
---@return string|nil
local function nearest(name, names)
  local best, least = nil, math.floor(#name / 3) + 2
  for candidate in pairs(names) do
    local edits = distance(name, candidate)
    if edits < least or edits == least and best and candidate < best then best, least = candidate, edits end
  end
  return best
end

return nearest
