--- How long calls took, by store and operation, in the buckets of a Prometheus histogram; and how many failed, by code.

local histograms = {}

-- Upper bounds in seconds: from a read in memory to what a person notices.
local BOUNDS = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10 }

---@class larder.Histograms
---@field calls table<string, { labels: string, counts: integer[], n: integer, sum: number }>
---@field errors table<string, { labels: string, n: integer }>
local Histograms = {}
Histograms.__index = Histograms

---@return larder.Histograms
function histograms.new()
  return setmetatable({ calls = {}, errors = {} }, Histograms)
end

local function labels_of(event)
  return ('store="%s",op="%s"'):format(event.store or "raw SQL", event.op)
end

--- Count a call: a listener of "query".
---@param event larder.Event
function Histograms:record(event)
  local labels = labels_of(event)
  local call = self.calls[labels]
  if not call then
    call = { labels = labels, counts = {}, n = 0, sum = 0 }
    for i = 1, #BOUNDS do call.counts[i] = 0 end
    self.calls[labels] = call
  end
  call.n, call.sum = call.n + 1, call.sum + event.duration
  for i = #BOUNDS, 1, -1 do
    if event.duration > BOUNDS[i] then break end
    call.counts[i] = call.counts[i] + 1
  end
  local code = event.err and event.err.code
  if not code or code == "not_found" then return end
  labels = ('%s,code="%s"'):format(labels, code)
  local failed = self.errors[labels] or { labels = labels, n = 0 }
  failed.n = failed.n + 1
  self.errors[labels] = failed
end

local function sorted(series)
  local list = {}
  for _, one in pairs(series) do list[#list + 1] = one end
  table.sort(list, function(a, b) return a.labels < b.labels end)
  return list
end

--- Samples: call(name, labels, value) for each, head(kind, name, help) before those of one metric.
---@param head fun(kind: string, name: string, help: string)
---@param sample fun(name: string, labels: string, value: number)
function Histograms:each(head, sample)
  local name = "larder_call_duration_seconds"
  head("histogram", name, "Time that calls took, waiting included.")
  for _, call in ipairs(sorted(self.calls)) do
    for i, bound in ipairs(BOUNDS) do
      sample(name .. "_bucket", ('%s,le="%s"'):format(call.labels, (("%g"):format(bound):gsub(",", "."))), call.counts[i])
    end
    sample(name .. "_bucket", call.labels .. ',le="+Inf"', call.n)
    sample(name .. "_sum", call.labels, call.sum)
    sample(name .. "_count", call.labels, call.n)
  end
  head("counter", "larder_call_errors_total", "Calls that failed, by code; a row that is not there is no failure.")
  for _, failed in ipairs(sorted(self.errors)) do sample("larder_call_errors_total", failed.labels, failed.n) end
end

return histograms
