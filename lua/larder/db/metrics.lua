--- The engine's counters and gauges in Prometheus' text format.

local metrics = {}

local MICROSECONDS = 1e-6

-- field of stats, metric, help, unit of the field
local POOL = {
  { "max", "gauge", "larder_pool_connections_max", "Connections that the pool may have." },
  { "idle", "gauge", "larder_pool_connections_idle", "Connections that wait for work." },
  { "busy", "gauge", "larder_pool_connections_busy", "Connections that work." },
  { "total", "gauge", "larder_pool_connections", "Connections of the pool." },
  { "waiting", "gauge", "larder_pool_waiting", "Callers that wait for a connection." },
  { "connects", "counter", "larder_pool_connects_total", "Connections opened." },
  { "connect_failures", "counter", "larder_pool_connect_failures_total", "Attempts to connect that failed." },
  { "acquires", "counter", "larder_pool_acquires_total", "Connections handed out." },
  { "acquire_waits", "counter", "larder_pool_acquire_waits_total", "Callers that had to wait." },
  { "acquire_timeouts", "counter", "larder_pool_acquire_timeouts_total", "Callers that waited in vain." },
  { "acquire_wait_us", "counter", "larder_pool_acquire_wait_seconds_total", "Time spent in waiting.",
    MICROSECONDS },
  { "queries", "counter", "larder_queries_total", "Statements run." },
  { "errors", "counter", "larder_query_errors_total", "Statements that failed." },
  { "transactions", "counter", "larder_transactions_total", "Transactions begun." },
  { "commits", "counter", "larder_transaction_commits_total", "Transactions committed." },
  { "rollbacks", "counter", "larder_transaction_rollbacks_total", "Transactions rolled back." },
  { "cancels", "counter", "larder_query_cancels_total", "Statements cancelled on the server." },
  { "prepares", "counter", "larder_statement_prepares_total", "Statements prepared." },
  { "evictions", "counter", "larder_statement_evictions_total", "Prepared statements dropped for others." },
  { "retries_stale", "counter", "larder_stale_retries_total", "Statements repeated on a fresh plan." },
}

local DESTROYED = {
  { "destroyed_idle", "idle" }, { "destroyed_lifetime", "lifetime" }, { "destroyed_broken", "broken" },
}

local MEMORY = {
  { "tables", "gauge", "larder_memory_tables", "Stores that hold rows." },
  { "rows", "gauge", "larder_memory_rows", "Rows held." },
  { "row_bytes", "gauge", "larder_memory_row_bytes", "Bytes of the rows held." },
  { "transactions", "gauge", "larder_memory_transactions", "Open transactions." },
}

-- Of rows that nobody waits for; they exist on both engines.
local WRITER = {
  { "queued", "counter", "larder_writer_queued_total", "Rows accepted to be written later." },
  { "written", "counter", "larder_writer_written_total", "Rows written." },
  { "duplicates", "counter", "larder_writer_duplicates_total", "Rows whose key was there already." },
  { "rejected", "counter", "larder_writer_rejected_total", "Rows that the database refused: dead letters." },
  { "letters_lost", "counter", "larder_writer_letters_lost_total", "Dead letters for which there was no room." },
  { "spilled", "counter", "larder_writer_spilled_total", "Rows put into the spill directory." },
  { "replayed", "counter", "larder_writer_replayed_total", "Rows read from the spill file." },
  { "dropped", "counter", "larder_writer_dropped_total", "Rows lost for want of room or of a server." },
  { "batches", "counter", "larder_writer_batches_total", "Statements that wrote rows." },
  { "retries", "counter", "larder_writer_retries_total", "Statements that failed and were tried again." },
  { "damaged", "counter", "larder_writer_damaged_total", "Places of spill files that could not be read." },
  { "depth", "gauge", "larder_writer_depth", "Rows that wait in memory." },
  { "bytes", "gauge", "larder_writer_bytes", "Their size in bytes." },
  { "in_file", "gauge", "larder_writer_in_file", "Rows that wait in the spill directory." },
  { "unclaimed", "gauge", "larder_writer_unclaimed", "Spill files of families that are not declared." },
  { "parked", "gauge", "larder_writer_parked", "Stores that cannot be written." },
  { "oldest_age", "gauge", "larder_writer_oldest_age_seconds", "How long the oldest row in memory has waited." },
}

local function head(out, kind, name, help)
  out[#out + 1] = ("# HELP %s %s"):format(name, help)
  out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
end

local function number(v)
  return (("%.17g"):format(tonumber(v)):gsub(",", ".")) -- whatever the locale has for a point
end

local function add(out, rows, stats)
  for _, row in ipairs(rows) do
    local value = stats[row[1]]
    if value ~= nil then
      head(out, row[2], row[3], row[4])
      out[#out + 1] = row[3] .. " " .. number(row[5] and tonumber(value) * row[5] or value)
    end
  end
end

--- Metrics text of one database.
---@param kind "memory"|"postgres"
---@param stats table<string, any>  of the engine
---@param writer larder.WriterStats
---@param histograms? larder.Histograms
---@return string
function metrics.text(kind, stats, writer, histograms)
  local out = {}
  add(out, kind == "memory" and MEMORY or POOL, stats)
  add(out, WRITER, writer)
  if kind == "postgres" then
    head(out, "counter", "larder_pool_destroyed_total", "Connections closed, by reason.")
    for _, row in ipairs(DESTROYED) do
      local value = number(stats[row[1]] or 0)
      out[#out + 1] = ('larder_pool_destroyed_total{reason="%s"} %s'):format(row[2], value)
    end
  end
  if histograms then
    histograms:each(function(...) head(out, ...) end, function(name, labels, value)
      out[#out + 1] = ("%s{%s} %s"):format(name, labels, number(value))
    end)
  end
  return table.concat(out, "\n") .. "\n"
end

return metrics
