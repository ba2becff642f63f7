--- What export, import and transfer print, and the options they share.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"

local moving = {}

--- Options of a command that reads or writes files.
function moving.describe_files(c)
  c:option("--format", "ndjson or csv (default: what the files' names end in)."):choices { "ndjson", "csv" }
  c:option("--delimiter", "Character between the fields of CSV (,)."):argname "CHAR"
  c:option("--null", "Text that stands for NULL in CSV, without quotes (nothing)."):argname "TEXT"
end

--- Options of a command that writes rows into a database.
function moving.describe_target(c)
  c:option("--on-conflict", "What to do with rows that are there: error (the default), skip, update.")
    :choices { "error", "skip", "update" }
  c:option("--chunk", "Rows a statement (5000)."):convert(tonumber):argname "N"
  c:option("--refused", "A file for the rows that are refused, with their places and errors (NDJSON)."):argname "FILE"
  c:flag("--verify", "Read everything back and compare.")
  c:flag("--dry-run", "Do all of it, then undo it.")
end

--- Options of larder.files.
function moving.file_options(args)
  local delimiter = args.delimiter == "\\t" and "\t" or args.delimiter
  return { format = args.format, delimiter = delimiter, null = args.null }
end

-- Bytes where files are read, rows otherwise.
local function amount(at, bytes)
  if bytes then return ("%.1f/%.1f MB"):format(at.done / 1e6, at.total / 1e6) end
  return at.total > 0 and ("%d/%d"):format(at.done, at.total) or tostring(at.done)
end

--- A progress line on a terminal, written over at most ten times a second; nothing in a pipe.
---@param bytes? boolean  files are read
---@return fun(at: table)
function moving.progress(bytes)
  local clock, last = require "larder.core".clock, 0
  return function(at)
    if clock() - last < 0.1 then return end
    last = clock()
    local share = at.total > 0 and out.bar(at.done / at.total) .. " " or ""
    out.progress("%-6s %s.%s  %s%s", at.phase, at.family, at.store, share, amount(at, bytes))
  end
end

local function store_line(row)
  if row.done_before then
    return ("%s.%s  imported before: %d rows"):format(row.family, row.store, row.written)
  end
  local parts = { ("%s.%s  %d rows"):format(row.family, row.store, row.written) }
  if row.skipped > 0 then parts[#parts + 1] = ("%d were there"):format(row.skipped) end
  if row.refused > 0 then parts[#parts + 1] = out.coloured(("%d refused"):format(row.refused), "red") end
  if row.resumed then parts[#parts + 1] = "resumed" end
  return table.concat(parts, ", ") .. out.coloured(("  %.1f s"):format(row.seconds), "dim")
end

local SHOWN = 10

local function show_refused(list, path)
  for i = 1, math.min(#list, SHOWN) do
    local item = list[i]
    local place = item.line and ("%s:%d: "):format(item.file, item.line) or item.index and ("row %d: "):format(item.index) or ""
    out.note("%s%s.%s: %s", place, item.family, item.store, item.err.message)
  end
  if #list > SHOWN then out.note("… and %d more", #list - SHOWN) end
  if #list > 0 and path then out.note("refused rows: %s", path) end
end

-- Errors as data.
local function refused_list(list)
  local made = larder.array {}
  for i, item in ipairs(list) do
    made[i] = { store = item.family .. "." .. item.store, file = item.file, line = item.line, index = item.index, code = item.err.code,
      message = item.err.message }
  end
  return made
end

local function show_error(ctx, err)
  if ctx.args.json then
    out.json { error = { code = err.code, message = err.message, file = err.file, line = err.line },
      refused = refused_list(err.refused or {}) }
  end
  show_refused(err.refused or {}, ctx.args.refused)
  return out.complain(err)
end

--- Transfer and print what came of it.
---@param ctx larder.cli.Context
---@param from larder.Db|larder.Files
---@param to larder.Db|larder.Files
---@param opts larder.TransferOptions
---@param quiet? boolean  the rows themselves go to standard output
---@return integer exit_code
function moving.run(ctx, from, to, opts, quiet)
  local ran, report, err = pcall(larder.transfer, from, to, opts)
  out.progress ""
  if not ran then return larder.is_error(report) and out.complain(report) or out.misuse("%s", out.without_place(report)) end
  if not report then return show_error(ctx, err) end
  if ctx.args.json and not quiet then
    local refused = refused_list(report.refused)
    out.json { read = report.read, written = report.written, skipped = report.skipped, dry_run = report.dry_run, verified = report.verified,
      seconds = report.seconds, stores = larder.array(report.stores), refused = refused }
  elseif not quiet then
    for _, row in ipairs(report.stores) do out.line("%s", store_line(row)) end
    if report.dry_run then out.line("dry run: nothing was kept") end
  end
  show_refused(report.refused, ctx.args.refused)
  local refused = 0
  for _, row in ipairs(report.stores) do refused = refused + row.refused end
  return refused == 0 and exit.OK or exit.FAILED
end

return moving
