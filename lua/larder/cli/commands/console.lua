--- larder console: Lua and SQL, line by line, with the stores at hand.

local lfs = require "lfs"
local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"
local tables = require "larder.cli.tables"

local command = { name = "console", json = false } -- a conversation has no JSON

function command.describe(parser)
  local c = parser:command("console", "Lua and SQL, line by line, with the stores at hand.")
  c:argument("family", "Families whose stores are globals (default: those of the project)."):args "*"
end

local HELP = [[
Lua:  shop.items:list { limit = 3 }     an expression is shown; a statement is run; x = 1 stays, local x does not
SQL:  select * from shop.items          what begins with a word of SQL, up to the end of the line
At hand: db, larder, and the families %s
help  exit (or Ctrl-D)]]

local SQL = {}
for word in ("select insert update delete with explain show table values create alter drop truncate"):gmatch "%l+" do SQL[word] = true end

-- ---- what is at hand ----

local function surroundings(db, names)
  local env = setmetatable({ db = db, larder = larder, null = larder.null }, { __index = _G })
  for _, name in ipairs(names) do env[name] = db:stores(name) end
  return env
end

-- ---- one entry ----

-- Lua 5.4, and LuaJIT, whose `load` takes an environment as well.
local function compile(text, env)
  return load(text, "=console", "t", env)
end

-- The chunk; nil, true: more lines belong to it; nil, why.
local function read(text, env)
  local chunk = compile("return " .. text, env)
  local why
  if not chunk then chunk, why = compile(text, env) end
  if chunk then return chunk end
  if why:find("<eof>", 1, true) or why:find("'<eof>'", 1, true) then return nil, true end
  return nil, why
end

-- What the entry answered: an error, or its values.
local function show(ok, value, err, ...)
  if not ok then return out.complain(value) end
  if value == nil and larder.is_error(err) then return out.complain(err) end
  if value ~= nil then tables.value(value) end
  if type(value) == "table" then return end -- what comes with rows: a cursor, the limit
  for i = 1, select("#", err, ...) do
    local more = select(i, err, ...)
    if more ~= nil then tables.value(more) end
  end
end

local function run_sql(db, text)
  local rows, n, columns = db:query { (text:gsub(";%s*$", "")), columns = true }
  if not rows then return out.complain(n) end
  tables.show(rows, n, columns)
end

-- ---- reading lines ----

-- Where the lines of the last sessions are. They may hold secrets: only the user reads them.
local function history_file()
  local home = os.getenv "HOME"
  if not home then return nil end
  local path = home .. "/.larder_history"
  if not lfs.attributes(path) then os.execute(("umask 077; : >>'%s'"):format(path:gsub("'", [['\'']]))) end
  return path
end

-- Names that continue what is before the cursor: "shop.it" → shop.items, "shop.items:li" → shop.items:list.
local function completions(env, text)
  local before, mark, part = text:match "^(.-)([.:]?)([%w_]*)$"
  local t = env
  if mark ~= "" then
    for name in before:match "[%w_.]*$":gmatch "[%w_]+" do t = type(t) == "table" and t[name] or nil end
  end
  local list = {}
  local function add(from)
    for name in pairs(from) do
      if type(name) == "string" and name:sub(1, #part) == part and name:sub(1, 1) ~= "_" then list[#list + 1] = name end
    end
  end
  if type(t) == "table" then
    add(t)
    local meta = getmetatable(t)
    if meta and type(meta.__index) == "table" then add(meta.__index) end
  end
  table.sort(list)
  return list
end

local function with_readline(readline, env)
  local file = history_file()
  if file then readline.set_options { histfile = file, keeplines = 1000, completion = true } end
  readline.set_complete_function(function(line, from, to)
    readline.set_completion_append_character "" -- readline itself sets a space before each call
    local word = line:sub(1, to)
    local list = completions(env, word)
    local head = word:sub(from):match "^(.-)[%w_]*$" or ""
    for i, name in ipairs(list) do list[i] = head .. name end
    return list
  end)
  return readline.readline, function() if file then readline.save_history() end end
end

local function plain(prompted)
  return function(prompt)
    if prompted then io.stdout:write(prompt) io.stdout:flush() end
    return io.read "l"
  end, function() end
end

local function reader(env)
  if not out.is_terminal(io.stdin) then return plain(false) end
  local there, readline = pcall(require, "readline")
  if there then return with_readline(readline, env) end
  out.note "no history and no completion: install the rock readline (Debian: lua-readline)"
  return plain(true)
end

-- ---- the conversation ----

-- One entry, of one line or more. false: it is over.
local function entry(db, env, ask, names)
  local text = ask "larder> "
  if not text or text:match "^%s*exit%s*$" or text:match "^%s*quit%s*$" then return false end
  local word = text:match "^%s*(%a*)"
  if text:match "^%s*$" then return true end
  if text:match "^%s*help%s*$" then
    out.line(HELP, table.concat(names, ", "))
    return true
  end
  if SQL[word:lower()] and not text:match "^%s*%a+%s*[=.:(]" then
    run_sql(db, text)
    return true
  end
  local chunk, more = read(text, env)
  while not chunk and more == true do
    local line = ask "     -> "
    if not line then break end
    text = text .. "\n" .. line
    chunk, more = read(text, env)
  end
  if chunk then show(pcall(chunk)) else out.complain(more == true and "unfinished" or more) end
  return true
end

function command.run(ctx)
  local names = ctx:families(ctx.args.family)
  if #names == 0 then names = ctx.project.families end
  if #names == 0 then names = require "larder.family".names() end
  return ctx:with_db(function(db)
    local env = surroundings(db, names)
    local ask, finish = reader(env)
    if out.is_terminal(io.stdin) then out.note("%s", HELP:format(table.concat(names, ", "))) end
    while entry(db, env, ask, names) do end
    if out.is_terminal(io.stdin) then out.line "" end
    finish()
    return exit.OK
  end, { memory = true })
end

command.completions = completions

return command
