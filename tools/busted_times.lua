-- Notes how long each spec took: with LARDER_SPEC_TIMES=file, a line for each, `wall cpu tests spec` in seconds (cpu: of this
-- process alone, not of the programs that it starts).
local path = os.getenv "LARDER_SPEC_TIMES"
if not path then return end

local system = require "system"
local busted = require "busted"

local wall, cpu, tests
busted.subscribe({ "file", "start" }, function() wall, cpu, tests = system.gettime(), os.clock(), 0 end)
busted.subscribe({ "test", "end" }, function() tests = tests + 1 end)
busted.subscribe({ "file", "end" }, function(file)
  local out = assert(io.open(path, "a"))
  out:write(("%7.2f %7.2f %5d  %s\n"):format(system.gettime() - wall, os.clock() - cpu, tests, file.name))
  out:close()
end)
