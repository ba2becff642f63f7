--- larder wait: until the server answers.

local core = require "larder.core"
local exit = require "larder.cli.exit"
local larder = require "larder"
local out = require "larder.cli.print"

local command = { name = "wait" }

function command.describe(parser)
  local c = parser:command("wait", "Wait until the server answers.")
  c:option("--timeout", "Seconds (60)."):convert(tonumber)
  c:flag("--json", "Print JSON.")
end

function command.run(ctx)
  local limit = ctx.args.timeout or 60
  local until_ = core.clock() + limit
  local pause, told = 0.1, false
  while true do
    local db, err = ctx:open { pool = { min = 0 } }
    ctx.args.quiet = true -- once is enough
    if db then
      db:close()
      if ctx.args.json then out.json { ok = true, database = ctx.database } else out.line("the server answers") end
      return exit.OK
    end
    if larder.is_error(err) and err.code ~= "connection" and err.code ~= "pool_timeout" and err.code ~= "timeout" then
      return out.complain(err)
    end
    if core.clock() + pause > until_ then
      out.note("after %g seconds:", limit)
      return out.complain(err)
    end
    if not told then out.note("not yet: %s", tostring(err)) end
    told = true
    core.sleep(pause)
    pause = math.min(pause * 1.5, 1)
  end
end

return command
