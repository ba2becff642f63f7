--- Rows of `insert_async` that the database refused for their own sake: `db:dead_letters()`. See docs/async-writes.md.

local async = require "larder.store.async"
local misuse = require "larder.base.misuse"

---@class larder.DeadLetter
---@field id string
---@field store string       "shop.items"
---@field row? table         without hidden fields; none when its store is not declared, or cannot read it any more
---@field err larder.Error   why it was refused
---@field accepted_at number seconds since 1970
---@field refused_at number

---@alias larder.LetterFilter string|larder.DeadLetter|fun(letter: larder.DeadLetter): boolean

---@class larder.DeadLetters
local DeadLetters = {}
DeadLetters.__index = DeadLetters

local function test_of(filter, method)
  if filter == nil then return function() return true end end
  if misuse.callable(filter) then return filter end
  if type(filter) == "string" then return function(letter) return letter.store == filter end end
  if type(filter) == "table" and type(filter.id) == "string" then return function(letter) return letter.id == filter.id end end
  misuse.raise("dead_letters:%s: they are chosen by a store's name, a letter or a function, not %s", method, misuse.kind(filter))
end

--- A page of letters. Families that are declared, but not in use yet, become known, so that their rows can be read.
local function page_of(self, after)
  local page, err = self._writer:letters(after)
  local again = false
  for _, letter in ipairs(page or {}) do
    local name = letter.store:match "^[^.]+"
    if not letter.row and not self._tried[name] then
      self._tried[name] = true
      again = async.declare(self._writer, name) or again
    end
  end
  if again then return self._writer:letters(after) end
  return page, err
end

--- Calls fn(letter) for each that the filter takes, the oldest first → how many; or nil and the error.
local function each(self, filter, fn)
  local n, after = 0, nil
  while true do
    local page, err = page_of(self, after)
    if not page then return nil, err end
    if #page == 0 then return n end
    for _, letter in ipairs(page) do
      after = letter.id
      if filter(letter) then
        n = n + 1
        fn(letter)
      end
    end
  end
end

local function nothing() end

--- How many there are.
---@param filter? larder.LetterFilter  a store's name, a letter, or a function that says which; none: all
---@return integer|nil
---@return larder.Error? err
function DeadLetters:count(filter)
  return each(self, test_of(filter, "count"), nothing)
end

--- A list of them, the oldest first.
---@param filter? larder.LetterFilter
---@return larder.DeadLetter[]|nil
---@return larder.Error? err
function DeadLetters:list(filter)
  local list = {}
  local n, err = each(self, test_of(filter, "list"), function(letter) list[#list + 1] = letter end)
  if not n then return nil, err end
  return list
end

--- Do one thing to each: the list is made first, since a row that is refused again becomes a new letter.
local function act(self, filter, what)
  local ids = {}
  local n, err = each(self, filter, function(letter) ids[#ids + 1] = letter.id end)
  if not n then return nil, err end
  n = 0
  for _, id in ipairs(ids) do
    local ok
    ok, err = self._writer[what](self._writer, id)
    if ok then
      n = n + 1
    elseif err.code == "capacity" or err.code == "closed" then
      if n == 0 then return nil, err end
      return n, err
    end -- else it is gone, or nothing can read it
  end
  return n
end

--- Queue their rows once more. A letter goes when its row is written (`db:flush` waits for it); a row that is refused again becomes
-- a new letter. Letters without a `row` stay.
---@param filter? larder.LetterFilter
---@return integer|nil queued
---@return larder.Error? err  `capacity`: the queue is full; what was queued before is on its way
function DeadLetters:replay(filter)
  return act(self, test_of(filter, "replay"), "replay")
end

--- Forget them.
---@param filter? larder.LetterFilter
---@return integer|nil discarded
---@return larder.Error? err
function DeadLetters:discard(filter)
  return act(self, test_of(filter, "discard"), "discard")
end

misuse.guard(DeadLetters, { "count", "list", "replay", "discard" }, "_writer", "a set of dead letters")
misuse.spelled(DeadLetters, "a set of dead letters")

local dead_letters = {}

---@param db larder.Db
---@return larder.DeadLetters|nil
---@return larder.Error? err
function dead_letters.of(db)
  local writer, err = async.writer(db)
  if not writer then return nil, err end
  return setmetatable({ _writer = writer, _tried = {} }, DeadLetters)
end

return dead_letters
