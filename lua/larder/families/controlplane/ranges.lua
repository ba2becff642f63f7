--- Lists of an organization between two times, both ends inside.

local misuse = require "larder.base.misuse"

local ranges = {}

---@param method string
function ranges.check(method, org_id, from, to)
  if org_id == nil or from == nil or to == nil then
    misuse.raise("controlplane: %s needs the organization and both ends of the range", method)
  end
end

--- `list_by_date_range(org_id, from, to, opts)` on a field.
---@param field string
function ranges.listing(field)
  return function(self, org_id, from, to, opts)
    ranges.check("list_by_date_range", org_id, from, to)
    return self:_page("list_by_date_range", { org_id = org_id, [field] = { gte = from, lte = to } }, opts)
  end
end

return ranges
