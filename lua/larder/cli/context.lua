--- What every command works with: the arguments, the project, the database, and the questions asked of the person.

local larder = require "larder"
local exit = require "larder.cli.exit"
local out = require "larder.cli.print"
local project = require "larder.cli.project"

---@class larder.cli.Context
---@field args table     as argparse gives them
---@field project table  what `.larder` says
local Context = {}
Context.__index = Context

---@param args table  as argparse gives them
---@return larder.cli.Context
function Context.new(args)
  return setmetatable({ args = args, project = project.open(args) }, Context)
end

--- Which database it is, without secrets.
---@param target string|nil
---@param opts table
---@return string|nil  nil: the settings are wrong, and larder.open says how
local function name_of(target, opts)
  local rows = larder.explain_config(target, opts)
  if not rows then return nil end
  local found = {}
  for _, row in ipairs(rows) do found[row.name] = row.value end
  if found.engine == "memory" then return "memory" end
  if found.service then return "service " .. found.service end
  return ("%s on %s%s as %s"):format(found.dbname or found.user or "the user's database",
    found.host or found.hostaddr or "the local socket", found.port and ":" .. found.port or "",
    found.user or "the user of this session")
end

--- Open the database that the command is about, and say which one it is.
---@param more? table  options of larder.open
---@return larder.Db|nil
---@return larder.Error|string|nil err
function Context:open(more)
  local target = self.project:target(self.args)
  local opts = { migrations = target.migrations }
  for name, value in pairs(more or {}) do opts[name] = value end
  self.database, self.throwaway = name_of(target.url, opts), target.throwaway
  if self.database and not self.args.quiet then
    out.note("%s", out.coloured(("database: %s (%s)"):format(self.database, target.source), "dim", io.stderr))
  end
  return larder.open(target.url, opts)
end

--- Open, run fn(db) and close again, whatever happens.
---@param fn fun(db: larder.Db): integer
---@param opts? { memory?: boolean, open?: table }  memory: the command makes sense there
---@return integer exit_code
function Context:with_db(fn, opts)
  opts = opts or {}
  local db, err = self:open(opts.open)
  if not db then
    local code = out.complain(err)
    if err.fields and err.fields.target and not self.database then out.note "  here: --url URI, or url = \"…\" in a file .larder" end
    return larder.is_error(err) and err.code == "invalid" and exit.MISUSE or code -- a setting is wrong: nothing was tried
  end
  if db:kind() == "memory" and not opts.memory then
    db:close()
    return out.misuse("this command needs PostgreSQL, and %s names memory", self.project:target(self.args).source)
  end
  local ok, code = pcall(fn, db)
  db:close()
  if not ok then return out.complain(code) end
  return code
end

--- Families of the command line: those named, after the user's declarations were run. Raises for an unknown one.
---@param names string[]
---@return string[]
function Context:families(names)
  self.project:load()
  local family = require "larder.family"
  for _, name in ipairs(names) do
    local ok, why = pcall(family.get, name)
    if not ok then
      error(("%s\n  hint: name the file that declares it with --load, or the module in a file .larder (docs/cli/README.md)")
        :format(out.without_place(why)), 0)
    end
  end
  return names
end

-- None was named: those that the project declares.
local function without_name(ctx, only_one)
  ctx.project:load()
  local own = ctx.project.families
  if #own == 1 or #own > 1 and not only_one then return own end
  local from = #own > 0 and "the project declares " .. table.concat(own, ", ")
    or "no file .larder declares one; larder itself has " .. table.concat(require "larder.family".names(), ", ")
  error("which family? " .. from, 0)
end

--- Families of the command line; without any, those that the project declares. Raises where that is none.
---@param names string[]
---@return string[]
function Context:families_or_own(names)
  return self:families(#names > 0 and names or without_name(self, false))
end

--- The family of the command line; without one, the only one that the project declares.
---@param name string|nil
---@return string
function Context:family_or_own(name)
  return name or without_name(self, true)[1]
end

--- Is it fine to destroy? On a database that is throw-away, or with --yes, it is; on a terminal the person is asked.
---@param what string  "undo 3 migrations"
---@return boolean
---@return integer? exit_code
function Context:may_destroy(what)
  if self.args.yes or self.throwaway then return true end
  if not out.is_terminal(io.stdin) then
    return false, out.misuse("this would %s on %s; say --yes to do it", what, self.database)
  end
  io.stderr:write(("This will %s on %s. Type yes to go on: "):format(what, self.database))
  io.stderr:flush()
  if io.read "l" == "yes" then return true end
  out.note("nothing was done")
  return false, exit.FAILED
end

return Context
