--- each: all rows, a page after the other.
--
--   the first page ──► there is more ──► pages, each from where the last one ended: an index has the order, nothing is held
--                                   └──► a cursor for the rest: the server would sort what is left for every page
--
-- Sorted once for each page, n rows cost n² / page. The server's plan for the second page says which of both it is.

local include = require "larder.store.include"
local misuse = require "larder.base.misuse"
local support = require "larder.store.support"

local each = {}

-- ---- pages, each from where the last one ended ----

local Pages = {}
Pages.__index = Pages

--- The next page. nil at the end; nil, err when it went wrong.
function Pages:next()
  local op, left = self.op, self.left
  if self.done then return nil end
  op.limit = left and math.min(self.size, left) or self.size
  if op.limit == 0 then return nil end
  local rows, cursor = include.select(self.store, self.method, op, self.plan)
  if not rows then return nil, cursor end
  if left then self.left = left - #rows end
  op.after = cursor
  self.done = cursor == nil or self.left == 0
  self.read = self.read + 1
  return rows
end

--- Pages of an operation.
---@param store larder.Store
---@param method string
---@param op table       a select by pages, without its limit
---@param size integer   rows of a page
---@param left? integer  rows at most
---@param plan? table    of include
function each.pages(store, method, op, size, left, plan)
  return setmetatable({ store = store, method = method, op = op, size = size, left = left, plan = plan, read = 0, done = false }, Pages)
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
  if err then error(err, 0) end
  return rows
end

function Rows:__call()
  self.at = self.at + 1
  if self.rows[self.at] == nil then
    self.rows, self.at = self:next_page() or {}, 1
  end
  return self.rows[self.at]
end

--- Leave the rows that are left: a connection that a cursor holds goes back. Lua 5.4 does it at the end of a loop, LuaJIT
-- does not.
function Rows:close()
  self.pages.done, self.rows, self.at = true, {}, 0
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
