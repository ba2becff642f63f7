--- Audit logs that nobody waits for, with a beginning and an end: what the store's insert_async does, counted.

local core = require "larder.core"
local errors = require "larder.base.errors"
local wait = require "larder.base.wait"

local AuditService = {}
AuditService.__index = AuditService

local POLL = 0.002 -- seconds between two looks for room

---@param stores table  db:stores "controlplane"; its database's writer holds the queue (10,000 rows by default)
function AuditService.new(stores)
  return setmetatable({ store = stores.audit_logs, db = stores.audit_logs.db, running = false, accepted = 0, refused = 0 },
    AuditService)
end

local function failure(code, message)
  return nil, errors.new { code = code, op = "audit_service", message = message }
end

---@return true|nil
---@return larder.Error? err  `invalid`: it runs already
function AuditService:start()
  if self.running then return failure("invalid", "the audit service is running already") end
  self.running = true
  return true
end

--- Take an event; never waits.
---@param event table  a row of audit_logs
---@return true|nil
---@return larder.Error? err  `closed`: not started, or stopped; `capacity`: the queue is full; `invalid`
function AuditService:log(event)
  if not self.running then return failure("closed", "the audit service is not running") end
  local ok, err = self.store:insert_async(event)
  if ok then self.accepted = self.accepted + 1 else self.refused = self.refused + 1 end
  return ok, err
end

--- Take an event; waits for room.
---@param event table
---@param timeout? number  seconds; none: as long as it takes
---@return true|nil
---@return larder.Error? err  `timeout`
function AuditService:log_blocking(event, timeout)
  local deadline = timeout and core.clock() + timeout
  while true do
    local ok, err = self:log(event)
    if ok or err.code ~= "capacity" then return ok, err end
    self.refused = self.refused - 1
    if deadline and core.clock() >= deadline then return failure("timeout", "no room in the audit queue") end
    wait.sleep(self.db._wait, POLL)
  end
end

--- Take no more, and wait until what was taken is written.
---@param timeout? number  seconds
---@return true|nil
---@return larder.Error? err  `timeout`: rows still wait; they are written all the same
function AuditService:stop(timeout)
  if not self.running then return true end
  self.running = false
  return self.store:flush(timeout)
end

---@return { running: boolean, accepted: integer, refused: integer, written: integer, waiting: integer, rejected: integer }
function AuditService:stats()
  local writer = self.store:writer_stats()
  return {
    running = self.running, accepted = self.accepted, refused = self.refused, written = writer.written,
    waiting = writer.depth + writer.in_file, rejected = writer.rejected,
  }
end

return AuditService
