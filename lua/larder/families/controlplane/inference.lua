--- Inference requests: from pending over processing to completed, failed or rejected.

local by_id = require "larder.families.controlplane.by_id"
local errors = require "larder.base.errors"
local ranges = require "larder.families.controlplane.ranges"
local options = require "larder.base.options"
local support = require "larder.store.support"
local misuse = require "larder.base.misuse"

local BY_ID = { "id" }

-- status → those from which it can be reached
local REACHED_FROM = {
  pending = { "pending" },
  processing = { "pending" },
  completed = { "processing" },
  failed = { "pending", "processing" },
  rejected = { "pending", "processing" },
}

local inference = {
  get_by_request_id = { get_by = { "request_id" } },
  list_by_org = { list_by = { "org_id" } },
  list_by_app = { list_by = { "org_id", "app_id" } },
  list_by_user = { list_by = { "org_id", "user_id" } },
  list_by_status = { list_by = { "org_id", "status" } },
  list_by_date_range = ranges.listing "created_at",
}

-- ---- status ----

local function not_from(store, method, row, status)
  return errors.invalid({ status = ("cannot go from %s to %s"):format(row.status, status) }, nil,
    { store = store._entity.full, op = method })
end

--- Change the request if its status allows it, in one statement; another one only tells why it did not.
local function move(store, method, id, status, set)
  if id == nil or type(id) == "table" then misuse.raise("controlplane.inference_requests:%s needs an id", method) end
  set.status = status
  local rows, err = store:run({
    op = "update", where = { id = id, status = REACHED_FROM[status] }, set = set, returning = true,
  }, method)
  if not rows then return nil, err end
  if rows[1] then return rows[1] end
  local row
  row, err = store:get(id)
  if not row then
    if err.code == "not_found" then return errors.not_found(store._entity.full, method, BY_ID) end
    return nil, err
  end
  return not_from(store, method, row, status)
end

--- The model begins to work.
---@param id string
---@return table|nil row
---@return larder.Error? err  `invalid`: its status does not allow that
function inference:mark_processing(id)
  return move(self, "mark_processing", id, "processing", { started_at = self.db:now() })
end

local COMPLETED = support.names("response", "finish_reason", "prompt_tokens", "completion_tokens", "total_tokens",
  "latency_ms", "cost", "policies_applied")

--- The model has answered. total_tokens is the sum of the others when it is not given.
---@param id string
---@param fields? { response?: string, finish_reason?: string, prompt_tokens?: integer, completion_tokens?: integer, total_tokens?: integer, latency_ms?: integer, cost?: string|number, policies_applied?: table }
---@return table|nil row
---@return larder.Error? err  `invalid`: its status does not allow that
function inference:mark_completed(id, fields)
  local set = { completed_at = self.db:now() }
  if fields ~= nil then misuse.check_shape(fields, "record", "controlplane.inference_requests:mark_completed: the table of fields") end
  for name, value in pairs(fields or {}) do
    if not COMPLETED[name] then
      misuse.raise("controlplane.inference_requests:mark_completed: a request is not completed with %q", tostring(name))
    end
    set[name] = value
  end
  local prompt, completion = set.prompt_tokens or 0, set.completion_tokens or 0
  if set.total_tokens == nil and (set.prompt_tokens or set.completion_tokens) and type(prompt) == "number" and
    type(completion) == "number" then
    set.total_tokens = prompt + completion
  end
  return move(self, "mark_completed", id, "completed", set)
end

--- It went wrong.
---@param id string
---@param code string
---@param message string
---@return table|nil row
---@return larder.Error? err  `invalid`: its status does not allow that
function inference:mark_failed(id, code, message)
  if code == nil or message == nil then misuse.raise("controlplane.inference_requests:mark_failed needs an id, a code and a message") end
  return move(self, "mark_failed", id, "failed",
    { error_code = code, error_message = message, completed_at = self.db:now() })
end

--- A policy refused it.
---@param id string
---@param reason string
---@param violations? table  what was violated
---@return table|nil row
---@return larder.Error? err  `invalid`: its status does not allow that
function inference:mark_rejected(id, reason, violations)
  if reason == nil then misuse.raise("controlplane.inference_requests:mark_rejected needs an id and a reason") end
  return move(self, "mark_rejected", id, "rejected",
    { error_message = reason, policy_violations = violations, completed_at = self.db:now() })
end

--- Where a change names a status, the row's own must allow it.
local function guarded(store, method, id, status, opts, change)
  local from = REACHED_FROM[status]
  -- none, or not a status: refused by its name; options that are none: by what makes the change
  if not from or opts ~= nil and type(opts) ~= "table" then return change(opts) end
  local guard = { status = { status } }
  for _, name in ipairs(from) do table.insert(guard.status, name) end
  local with = {}
  for name, value in pairs(opts or {}) do with[name] = value end
  with.where = support.both(with.where, guard)
  local row, err = change(with)
  if row or err.code ~= "conflict" or err.constraint then return row, err end
  local found = store:get(id)
  if not found or found.status == status then return nil, err end
  return not_from(store, method, found, status)
end

--- Change some fields; a status only as its order allows.
---@param id string
---@param changes table
---@param opts? table
---@return table|nil row
---@return larder.Error? err
function inference:patch(id, changes, opts)
  local status = type(changes) == "table" and changes.status
  return guarded(self, "patch", id, status, opts, function(with) return by_id.patch(self, id, changes, with) end)
end

--- Replace the row; a status only as its order allows.
---@param row table
---@param opts? table
---@return table|nil row
---@return larder.Error? err
function inference:update(row, opts)
  local status = type(row) == "table" and (row.status or "pending")
  return guarded(self, "update", type(row) == "table" and row.id, status, opts, function(with)
    return by_id.update(self, row, with)
  end)
end

-- ---- figures ----

local AGGS = {
  { "count", as = "total_requests" },
  { "count", as = "completed_requests", filter = { status = "completed" } },
  { "count", as = "failed_requests", filter = { status = "failed" } },
  { "count", as = "rejected_requests", filter = { status = "rejected" } },
  { "sum", "total_tokens", as = "total_tokens" },
  { "sum", "cost", as = "total_cost" },
  { "avg", "latency_ms", as = "avg_latency_ms" },
}
local GROUPS = { model = "model", provider = "provider", app_id = "app_id", user_id = "user_id", status = "status" }
local BUCKETS = support.names("minute", "hour", "day", "week", "month", "year")
local OPTIONS = options.set { group_by = "string|list", bucket = "string", timeout = "seconds" }

local function zero_for_null(row)
  if row.total_tokens == nil then row.total_tokens = 0 end
  if row.total_cost == nil then row.total_cost = "0" end
  if row.avg_latency_ms == nil then row.avg_latency_ms = 0 end
  return row
end

local function groups_of(opts)
  local groups = {}
  for _, name in ipairs(type(opts.group_by) == "table" and opts.group_by or { opts.group_by }) do
    if not GROUPS[name] then misuse.raise("controlplane.inference_requests:get_metrics cannot group by %q", tostring(name)) end
    groups[#groups + 1] = name
  end
  if opts.bucket ~= nil then
    if not BUCKETS[opts.bucket] then misuse.raise("controlplane.inference_requests:get_metrics has no bucket %q", tostring(opts.bucket)) end
    groups[#groups + 1] = { "created_at", bucket = opts.bucket, as = "bucket" }
  end
  return #groups > 0 and groups or nil
end

--- Figures of the requests made between two times, both ends inside: counts by end, sums of tokens and cost (exact, as
-- text), mean latency. With `group_by` ("model", "provider", …, or several) or `bucket` ("hour", "day", …) a list,
-- one entry a group.
---@param org_id string
---@param from string|number
---@param to string|number
---@param opts? { group_by?: string|string[], bucket?: string, timeout?: number }
---@return table|nil metrics
---@return larder.Error? err
function inference:get_metrics(org_id, from, to, opts)
  ranges.check("get_metrics", org_id, from, to)
  opts = support.options(self, "get_metrics", opts, OPTIONS)
  local groups = groups_of(opts)
  local rows, err = self:run({
    op = "aggregate", where = { org_id = org_id, created_at = { gte = from, lte = to } }, aggs = AGGS, groups = groups,
    timeout = opts.timeout,
  }, "get_metrics")
  if not rows then return nil, err end
  for _, row in ipairs(rows) do zero_for_null(row) end
  return groups and rows or rows[1]
end

return inference
