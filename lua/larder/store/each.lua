--- each: all rows, a page after the other.
--
--   the first page ──► there is more ──► pages, each from where the last one ended: an index has the order, nothing is held
--                                   └──► a cursor for the rest: the server would sort what is left for every page
--
-- Sorted once for each page, n rows cost n² / page. The server's plan for the second page says which of both it is.
--
-- With read_ahead, from the second page on:
--
--   the page has arrived, its last key is known ──► the next one is sent ──► the rows of this one become tables
--
-- The engine's thread receives what was sent, so it holds a connection only until its answer is here, and nobody waits for a
-- connection that waits for the loop. One page is under way at most, `early`, which ends with the loop. When it fails it is as if it
-- had not been sent: the page is asked for again when it is wanted, and what is wrong is told then.

local include = require "larder.store.include"
local misuse = require "larder.base.misuse"
local support = require "larder.store.support"
local wait = require "larder.base.wait"

local each = {}

-- ---- pages, each from where the last one ended ----

local Pages = {}
Pages.__index = Pages

-- It stands behind a page of n rows now; cursor: of the page behind.
local function move(pages, cursor, n)
  if pages.left then pages.left = pages.left - n end
  pages.op.after = cursor
  pages.done = cursor == nil or pages.left == 0
  pages.read = pages.read + 1
end

local function limit(pages)
  return pages.left and math.min(pages.size, pages.left) or pages.size
end

local function ask(pages)
  local rows, cursor = include.select(pages.store, pages.method, pages.op, pages.plan)
  if not rows then return nil, cursor end
  move(pages, cursor, #rows)
  return rows
end

-- Whom a page outside of transactions is asked of.
local function reader(pages) return support.reader_of(pages.store, pages.op) end

local function send(pages)
  pages.op.limit = limit(pages)
  pages.early = reader(pages)._core:ahead(pages.op, pages.method) or false
end

-- The page that was sent, with the one behind it on its way; false: it did not come.
local function receive(pages)
  local task, n = pages.early, pages.op.limit
  pages.early = false
  local page, cursor = wait.finish(reader(pages)._wait, task)
  if type(page) ~= "userdata" or page ~= task then return false end
  move(pages, cursor, n)
  if not pages.done then send(pages) end
  return page:rows()
end

local function next_early(pages)
  local db, rows, err = pages.store.db, false, nil
  if not pages.early then send(pages) end
  if pages.early and db._plain then
    rows, err = receive(pages)
  elseif pages.early then
    local event = { store = pages.store._entity.full, op = pages.method }
    rows, err = db:_guarded(event, nil, function() return receive(pages) end)
  end
  if rows ~= false then return rows, err end
  pages.ahead = false
  return ask(pages)
end

--- The next page. nil at the end; nil, err when it went wrong.
function Pages:next()
  if self.done then return nil end
  self.op.limit = limit(self)
  if self.op.limit == 0 then return nil end
  if not self.ahead or self.read == 0 then return ask(self) end
  if not self.store.db:in_transaction() then return next_early(self) end
  self:drop() -- what the transaction has changed must be seen
  return ask(self)
end

--- Give up the page that was asked for early.
function Pages:drop()
  local task = self.early
  self.early = false
  if task then task:close() end
end

--- Pages of an operation.
---@param store larder.Store
---@param method string
---@param op table       a select by pages, without its limit
---@param size integer   rows of a page
---@param left? integer  rows at most
---@param plan? table    of include
---@param ahead? boolean  ask for each page before it is wanted; not together with include, nor of memory
function each.pages(store, method, op, size, left, plan, ahead)
  return setmetatable({
    store = store, method = method, op = op, size = size, left = left, plan = plan, read = 0, done = false, early = false,
    ahead = ahead and not plan and store.db:kind() ~= "memory",
  }, Pages)
end

-- ---- rows ----

---@class larder.Rows
---@operator call: table|nil
local Rows = {}
Rows.__index = Rows
Rows.__name = "larder.rows"

-- The same operation, asked for otherwise.
local function asked(op, how, changes)
  local other = { how = how }
  for _, name in ipairs { "op", "where", "columns", "order", "any_order", "after", "timeout" } do other[name] = op[name] end
  for name, value in pairs(changes) do other[name] = value end
  return other
end

local function cursor_name(number) return "larder_each_" .. number end

-- The rows behind the first page by one cursor. What they are read with is of the same snapshot.
local function stream(pages)
  local op, plan, method = pages.op, pages.plan, pages.method
  local store = plan and pages.store or support.reader_of(pages.store, op)
  local on_server = store.db:kind() ~= "memory" -- where one cursor is enough, and is gone with its transaction
  return store.db:_cursor {
    page = pages.size, isolation = on_server and plan and "repeatable_read" or nil, name = on_server and cursor_name or nil,
    declare = function(ctx, number)
      return support.run(store, method, asked(op, "declare", { tx = ctx, cursor = number, limit = pages.left }))
    end,
    fetch = function(ctx, number)
      local rows, err = support.run(store, method, {
        op = "select", how = "fetch", columns = op.columns, plain = true, tx = ctx, cursor = number, limit = pages.size,
        timeout = op.timeout,
      })
      if not rows then return nil, err end
      local ok
      ok, err = include.load(store, rows, plan, method, ctx)
      if not ok then return nil, err end
      return rows
    end,
  }
end

-- Would the server sort for the next page?
local function sorts(pages)
  local answer, err = support.run(pages.store, pages.method, asked(pages.op, "plan", { limit = pages.size }))
  if not answer then error(err, 0) end
  return answer == 1
end

function Rows:next_page()
  local pages = self.pages
  if not self.cursor and pages.read == 1 and not pages.done and sorts(pages) then self.cursor = stream(pages) end
  if self.cursor then return self.cursor:next_page() end
  local rows, err = pages:next()
  if err then
    pages:drop()
    error(err, 0)
  end
  return rows
end

function Rows:__call()
  self.at = self.at + 1
  if self.rows[self.at] == nil then
    self.rows, self.at = self:next_page() or {}, 1
  end
  return self.rows[self.at]
end

--- Leave the rows that are left: a connection that a cursor holds goes back, a page that was asked for early is given up. Lua 5.4 does it at the end of a loop, LuaJIT
-- does not.
function Rows:close()
  self.pages.done, self.rows, self.at = true, {}, 0
  self.pages:drop()
  if self.cursor then self.cursor:close() end
end

Rows.__close = Rows.close
misuse.guard(Rows, { "close" }, "pages", "an iterator of each")
misuse.spelled(Rows, "an iterator of each")

--- All rows of these pages, one by one.
---@param pages table  of each.pages
---@return larder.Rows
function each.rows(pages)
  return setmetatable({ pages = pages, rows = {}, at = 0, cursor = false }, Rows)
end

return each
