--- Processor time, from /proc: of an nginx worker, of its other threads, and of the server's backends.

local lfs = require "lfs"

local cpu = {}

-- Nanoseconds that a thread has run; 0 when it has ended.
local function ran(path)
  local file = io.open(path .. "/schedstat")
  if not file then return 0 end
  local text = file:read "a" or ""
  file:close()
  return tonumber(text:match "^%d+") or 0
end

local function tasks(pid)
  local path = ("/proc/%d/task"):format(pid)
  local main, others = 0, 0
  if not lfs.attributes(path) then return 0, 0 end
  for tid in lfs.dir(path) do
    if tid == tostring(pid) then
      main = ran(path .. "/" .. tid)
    elseif tid:match "^%d+$" then
      others = others + ran(path .. "/" .. tid)
    end
  end
  return main, others
end

--- What has been used up to now. backends: process ids of the server's sessions.
function cpu.look(worker, backends)
  local main, others = tasks(worker)
  local look = { nginx = main, threads = others, server = {} }
  for _, pid in ipairs(backends) do look.server[pid] = (tasks(pid)) end
  return look
end

--- Microseconds a request between two looks; sessions opened in between count from their beginning.
function cpu.per_request(before, after, requests)
  local server = 0
  for pid, ns in pairs(after.server) do server = server + ns - (before.server[pid] or 0) end
  local function each(ns) return ns / 1e3 / requests end
  return each(after.nginx - before.nginx), each(after.threads - before.threads), each(server)
end

return cpu
