--- Roles: deleted for good.

local common = require "larder.families.content.common"

return common.methods {}
