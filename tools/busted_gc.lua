-- A busted helper: the collector never rests between two cycles, and collects everything after each test, so that a
-- value which C still uses but nobody keeps is gone soon.
require "tools.busted_times"
collectgarbage("setpause", 0)
require("busted").subscribe({ "test", "end" }, function() collectgarbage() end)
