--- The test server's pg_ctl: a function(command) that stops and starts it, or nil when the server is somebody else's.

local control = os.getenv "LARDER_TEST_PGCTL"

return {
  run = control and control ~= "" and function(command)
    assert(os.execute(control .. " " .. command .. " >/dev/null 2>&1"))
  end or nil,
}
