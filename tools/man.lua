-- The manual page on standard output: tools/lua.sh lua5.4 tools/man.lua >docs/larder.1
local parser = require "larder.cli.parser"
io.write(require "larder.cli.man".page(parser.make(parser.commands())))
