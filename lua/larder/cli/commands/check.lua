--- larder check: declarations against the live catalogue.

local larder = require "larder"
local check = require "larder.migrate.check"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local command = { name = "check" }

function command.describe(parser)
  local c = parser:command("check", "Compare declarations with the live catalogue (exit code 3: they differ).")
  c:argument("family", "Families (default: those of the project)."):args "*"
  c:flag("--json", "Print JSON.")
end

local function show(name, faults, on_purpose)
  for _, fault in ipairs(faults) do
    out.line("%s.%s (%s): %s", name, fault.store, fault.table, fault.message)
    if fault.sql then out.line("  %s", out.coloured((fault.sql:gsub("\n", "\n  ")), "dim")) end
    if fault.loses then out.line("  %s", out.coloured("this loses data", "yellow")) end
    if fault.hint then out.line("  or, if it has only got another name: %s", out.coloured(fault.hint, "dim")) end
  end
  for _, item in ipairs(on_purpose) do
    local why = item.skipped and ", left out on purpose by " .. item.skipped or ""
    out.line("%s", out.coloured(("%s.%s: %s%s"):format(name, item.store, item.message, why), "dim"))
  end
  if #faults == 0 then out.line("%s: no drift", name) end
end

function command.run(ctx)
  local names = ctx:families_or_own(ctx.args.family)
  return ctx:with_db(function(db)
    local found, all = 0, {}
    for _, name in ipairs(names) do
      local faults, on_purpose = check(db, name)
      if not faults then return out.complain(on_purpose) end
      found = found + #faults
      for _, fault in ipairs(faults) do
        fault.family = name
        all[#all + 1] = fault
      end
      if not ctx.args.json then show(name, faults, on_purpose) end
    end
    if ctx.args.json then out.json(larder.array(all)) end
    return found == 0 and exit.OK or exit.DRIFT
  end)
end

return command
