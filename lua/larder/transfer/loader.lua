--- Loads the batches of one reader into one store. Rows that the target refuses are found by bisection.

local core = require "larder.core"
local errors = require "larder.base.errors"
local verify = require "larder.transfer.verify"

local MAX_REFUSED = 10000
local INSERTED = 200 -- rows a statement, where the target makes their ids

-- What a target says about a row, and not about the world.
local ROW_FAULTS = { conflict = true, foreign_key = true, check = true, not_null = true, invalid = true }

local loader = {}
loader.__index = loader

local function nowhere() end

-- Rows without a value that the target gives them: a load takes rows as they are, an insert makes what is missing.
function loader:insert(batch)
  local written = 0
  for from = 1, batch:count(), INSERTED do
    local rows = {}
    for i = from, math.min(from + INSERTED - 1, batch:count()) do
      local row = batch:row(i)
      for name in pairs(self.json) do
        if row[name] == core.null then row[name] = setmetatable({ text = "null" }, core.json_text_mt) end
      end
      for name in pairs(self.nulls) do
        if row[name] == nil then row[name] = core.null end
      end
      rows[#rows + 1] = row
    end
    local n, err = self.cstore:run { op = "insert", rows = rows, on_conflict = self.on_conflict ~= "error" and self.on_conflict or nil,
      target = self.on_conflict == "skip" and "*" or nil }
    if not n then return nil, err end
    written = written + n
  end
  self.makes_ids = true
  return written
end

-- Is a value left out that the target makes: a number, or a default that is the database's own? The first row speaks for all.
function loader:lacks_made(batch)
  local row = next(self.made) and batch:count() > 0 and batch:row(1)
  for name in pairs(row and self.made or {}) do
    if row[name] == nil then return true end
  end
  return false
end

function loader:stored(batch, loaded)
  self.written = self.written + loaded
  self.skipped = self.skipped + (batch:count() - loaded)
  if not self.sum then return true end
  self.sum:add(batch)
  if self.on_conflict == "update" then return verify.rows(self, batch) end
  return true
end

--- The server's word on the batch that was sent last.
function loader:settle()
  local sent = self.sent
  if not sent then return true end
  self.sent = nil
  local loaded, err = sent.loaded, sent.task
  while loaded == core.PENDING do
    local task = err
    task:wait()
    loaded, err = task:step()
  end
  if not loaded then return nil, err end
  return self:stored(sent.batch, loaded)
end

--- Send batch; while the server works on it, the next one is read. Only where a refusal undoes everything.
function loader:send(batch)
  local ok, err = self:settle()
  if not ok then return nil, err end
  local loaded, task = self.cstore:load(batch, { on_conflict = self.on_conflict, ahead = true })
  self.sent = { batch = batch, loaded = loaded, task = task }
  return true
end

--- Load batch, or find by bisection the rows that the target refuses. place(i): where its i-th row lies in the source, if
-- that has places.
function loader:put(batch, place)
  if self.strict and not self:lacks_made(batch) then return self:send(batch) end
  local ok, err = self:settle()
  if not ok then return nil, err end
  local loaded
  loaded, err = self.db:transaction(function()
    if self:lacks_made(batch) then return self:insert(batch) end
    return self.cstore:load(batch, { on_conflict = self.on_conflict })
  end)
  if loaded then return self:stored(batch, loaded) end
  if self.strict or not ROW_FAULTS[err.code] then return nil, err end
  local n = batch:count()
  if n == 1 then return self:refuse { batch = batch, place = place(1), err = err } end
  local half = math.floor(n / 2)
  ok, err = self:put(batch:slice(1, half), place)
  if not ok then return nil, err end
  return self:put(batch:slice(half + 1, n - half), function(i) return place(half + i) end)
end

---@param item { batch?: userdata, row?: table, place?: table, err: larder.Error }
function loader:refuse(item)
  self.refused[#self.refused + 1] = item
  if self.kept + #self.refused > self.max_refused then
    return nil, errors.new { code = "capacity", message = ("more than %d rows of %s were refused; the last: %s")
      :format(self.max_refused, self.store, tostring(item.err)) }
  end
  return true
end

--- A row may refer to a row of its own store that came later: try what was refused for that once more, while it helps.
function loader:retry_references()
  repeat
    local before, again = self.written, self.refused
    self.refused = {}
    for _, item in ipairs(again) do
      if item.batch and item.err.code == "foreign_key" then
        local ok, err = self:put(item.batch, function() return item.place end)
        if not ok then return nil, err end
      else
        self.refused[#self.refused + 1] = item
      end
    end
  until self.written == before
  return true
end

--- One batch of a reader, and what no batch took.
function loader:take(batch, bad, place)
  for _, item in ipairs(bad or {}) do
    self.read = self.read + 1
    local ok, err = self:refuse { row = item.row, place = item.place, err = item.err }
    if not ok then return nil, err end
  end
  if batch:count() == 0 then return true end
  self.read = self.read + batch:count()
  return self:put(batch, place or nowhere)
end

-- The fields whose values the target makes where a row has none; those where it could, but a null may be meant; those of JSON.
local function special_fields(decl)
  local made, nulls, json = {}, {}, {}
  for _, field in ipairs(decl.fields) do
    local by = type(field.default) == "table" and field.default[1]
    if by == "database" and field.null then nulls[field.name] = true
    elseif by == "database" or by == "identity" then made[field.name] = true end
    if field.type == "json" or field.type == "jsonb" then json[field.name] = true end
  end
  return made, nulls, json
end

function loader:read_all(reader, chunk, tick)
  while true do
    local batch, bad, place = reader.next(chunk)
    if not batch then return bad == nil, bad end
    local ok, err = self:take(batch, bad, place)
    if not ok then return nil, err end
    tick(reader.done and reader.done() or self.read, reader.total)
  end
end

---@param tick fun(done: integer, total: integer)
function loader:run(reader, chunk, tick)
  local ran, ok, err = pcall(self.read_all, self, reader, chunk, tick)
  local settled, why = self:settle() -- also after an error: the transaction goes on, or is rolled back, when it is over
  if not ran then error(ok, 0) end
  if not ok then return nil, err end
  if not settled then return nil, why end
  return self:retry_references()
end

---@param db larder.Db
---@param opts larder.TransferOptions
function loader.new(db, family, store, opts)
  local cstore = db:_cstore(family.name, store)
  local made, nulls, json = special_fields(cstore:describe())
  return setmetatable({
    db = db, family = family, store = store, cstore = cstore, made = made, nulls = nulls, json = json,
    on_conflict = opts.on_conflict or "error", max_refused = opts.max_refused or MAX_REFUSED,
    read = 0, written = 0, skipped = 0, kept = 0, refused = {}, sum = opts.verify and core.checksum() or nil,
  }, loader)
end

--- A refused row as the report hands it back.
function loader:describe(item)
  local found = { family = self.family.name, store = self.store, row = item.row or item.batch and item.batch:row(1), err = item.err }
  for name, value in pairs(item.place or {}) do found[name] = value end
  return found
end

return loader
