--- Cursors: rows by pages, in a transaction of their own that is held open, or in the one that runs. What a cursor declares and
-- fetches is its source's business: raw SQL (raw.lua) or an operation of a store (store/each.lua).

local misuse = require "larder.base.misuse"
local transactions = require "larder.db.tx"
local wait = require "larder.base.wait"

local settle = wait.settle

local cursors = {}

local joined = 0 -- cursors opened in a running transaction: one that was left early is still open there
-- db._cursors: those that hold a connection of their own

---@class larder.CursorSource
---@field page integer  rows of a fetch
---@field isolation? string  of a transaction of its own
---@field name? fun(number: integer): string  in SQL; without one it lives as long as its transaction
---@field declare fun(ctx: userdata, number: integer): any, larder.Error?
---@field fetch fun(ctx: userdata, number: integer): table[]|nil, larder.Error?

---@class larder.Cursor
---@operator call: table|nil
local Cursor = {}
Cursor.__index = Cursor
Cursor.__name = "larder.db.cursor"

local LINGER = _VERSION == "Lua 5.1"

--- A loop that was left early keeps its connection until it is collected, where the language closes nothing (LuaJIT).
---@param db larder.Db
---@return boolean
function cursors.may_linger(db)
  return LINGER and next(db._cursors) ~= nil
end

--- Whoever would have to wait for a full pool collects first.
---@param db larder.Db
function cursors.relieve(db)
  if not cursors.may_linger(db) then return end
  local stats = db._engine:stats()
  if not stats.max or stats.busy < stats.max then return end -- memory has no pool
  collectgarbage()
  if next(db._cursors) == nil then db:_attend() end
end

local function note(cursor, there)
  cursor.db._cursors[cursor] = there
  if LINGER then cursor.db:_attend() end
end

function Cursor:fail(err)
  self:close()
  error(err, 0)
end

--- Its own transaction, or a number in the one that runs.
function Cursor:open()
  local engine = self.db._engine
  local ok, err
  local around = engine:ambient()
  if around then
    ok, err = transactions.admits(self.db, around)
    self.ctx = ok and around or false -- else there is nothing of ours in it to close
    joined = joined + 1
    self.number = joined
  else
    cursors.relieve(self.db)
    self.ctx, err = engine:begin {
      read_only = true, cursor = true, isolation = self.source.isolation, context = self.db._context or nil,
    }
    if not self.ctx then return self:fail(err) end
    self.owned = true
    note(self, true)
    self.number = 0 -- always the same, so that the core knows its statements
    ok, err = transactions.enter(self.db, self.ctx)
  end
  if not ok then self:fail(err) end
  ok, err = self.source.declare(self.ctx, self.number)
  if not ok then self:fail(err) end
end

function Cursor:fetch()
  local rows, err = self.source.fetch(self.ctx, self.number)
  if not rows then return self:fail(err) end
  self.rows, self.at = rows, 0
  return #rows > 0
end

--- The next rows; nil at the end.
function Cursor:next_page()
  if not self.ctx and not self.done then self:open() end
  if self.done then return nil end
  if #self.rows > 0 and #self.rows < self.source.page or not self:fetch() then
    self:close()
    return nil
  end
  return self.rows
end

--- Leave the rows that are left. Lua 5.4 does it at the end of a loop, LuaJIT does not.
function Cursor:close()
  if self.done then return end
  self.done = true
  if self.owned then note(self, nil) end
  local ctx = self.ctx
  self.ctx = false
  if not ctx then return end
  if self.owned then
    settle(self.db._wait, ctx:rollback {})
  elseif self.source.name and ctx:active() then
    local left = self.db:_time_left(ctx)
    if left and left <= 0 then return end -- the transaction is over, and the cursor with it
    settle(self.db._wait, ctx:query("close " .. self.source.name(self.number), { n = 0 }, { timeout = left }))
  end
end

Cursor.__close = Cursor.close
misuse.guard(Cursor, { "close" }, "source", "a cursor")
misuse.spelled(Cursor, "a cursor")

function Cursor:__call()
  if self.done or self.at == #self.rows and not self:next_page() then return nil end
  self.at = self.at + 1
  return self.rows[self.at]
end

--- A cursor, which opens with its first row.
---@param db larder.Db
---@param source larder.CursorSource
---@return larder.Cursor
function cursors.new(db, source)
  -- every field that is asked for has a value: a missing one would be looked for among misspelt names
  return setmetatable({ db = db, source = source, rows = {}, at = 0, ctx = false, owned = false, done = false }, Cursor)
end

return cursors
