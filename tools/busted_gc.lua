-- A busted helper: the collector never rests, so that a value kept by nobody is gone at once.
collectgarbage("setpause", 0)
collectgarbage("setstepmul", 1000)
