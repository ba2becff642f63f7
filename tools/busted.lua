-- The body of busted's own command, so that any Lua can run it.
require "busted.runner"({ standalone = false })
