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
function Rows:stream()
  local op, plan, method = self.op, self.plan, self.method
  local store = plan and self.store or support.reader_of(self.store, op)
  return store.db:_cursor {
    page = self.page, isolation = plan and "repeatable_read" or nil, name = cursor_name,
    declare = function(ctx, number)
      return support.run(store, method, asked(op, "declare", { tx = ctx, cursor = number, limit = self.left }))
    end,
    fetch = function(ctx, number)
      local rows, err = support.run(store, method, {
        op = "select", how = "fetch", columns = op.columns, plain = true, tx = ctx, cursor = number, limit = self.page,
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
function Rows:sorts()
  if self.store.db:kind() == "memory" then return false end
  local sorts, err = support.run(self.store, self.method, asked(self.op, "plan", { limit = self.page }))
  if not sorts then error(err, 0) end
  return sorts == 1
end

function Rows:next_page()
  local op, left = self.op, self.left
  if self.cursor then return self.cursor:next_page() end
  if self.done then return nil end
  if self.second then
    self.second = false
    if self:sorts() then
      self.cursor = self:stream()
      return self.cursor:next_page()
    end
  end
  op.limit = left and math.min(self.page, left) or self.page
  if op.limit == 0 then return nil end
  local rows, cursor = include.select(self.store, self.method, op, self.plan)
  if not rows then error(cursor, 0) end
  if left then self.left = left - #rows end
  op.after = cursor
  self.done = cursor == nil or self.left == 0
  self.second = self.second == nil
  return rows
end

function Rows:__call()
  self.at = self.at + 1
  if self.rows[self.at] == nil then
    if self.done and not self.cursor then return nil end
    self.rows, self.at = self:next_page() or {}, 1
  end
  return self.rows[self.at]
end

--- Leave the rows that are left: a connection that a cursor holds goes back. Lua 5.4 does it at the end of a loop, LuaJIT
-- does not.
function Rows:close()
  self.done, self.rows, self.at = true, {}, 0
  if self.cursor then self.cursor:close() end
end

Rows.__close = Rows.close
misuse.guard(Rows, { "close" }, "method", "rows of each")

--- All rows of an operation.
---@param store larder.Store
---@param method string
---@param op table       a select by pages, without its limit
---@param page integer
---@param limit? integer  rows at most
---@param plan? table     of include
---@return larder.Rows
function each.rows(store, method, op, page, limit, plan)
  return setmetatable({
    store = store, method = method, op = op, page = page, left = limit, plan = plan, rows = {}, at = 0,
  }, Rows)
end

return each
