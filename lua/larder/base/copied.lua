--- A table with the same entries; what stands in them is shared.
---@param t table
---@return table
return function(t)
  local made = {}
  for key, value in pairs(t) do made[key] = value end
  return made
end
