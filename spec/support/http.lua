-- An HTTP client for tests: a request is sent now and its answer read later, so that many can be under way at once.

local larder = require "larder"
local socket = require "socket"

local http = {}

local Pending = {}
Pending.__index = Pending

--- Send a request. opts: method, key (Authorization: Bearer), body (a text, or a table that becomes JSON), timeout.
function http.send(port, path, opts)
  opts = opts or {}
  local body = opts.body or ""
  if type(body) == "table" then body = assert(larder.json.encode(body)) end
  local sock = socket.tcp()
  sock:settimeout(opts.timeout or 60)
  local ok, err = sock:connect("127.0.0.1", port)
  if not ok then
    sock:close()
    return nil, err
  end
  local head = ("%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n"):format(
    opts.method or (opts.body and "POST" or "GET"), path, #body)
  if opts.key then head = head .. "Authorization: Bearer " .. opts.key .. "\r\n" end
  sock:send(head .. "\r\n" .. body)
  return setmetatable({ sock = sock, started = socket.gettime() }, Pending)
end

--- Read the answer: { status, headers (names in lower case), text, json, seconds }; nil and an error when there is none.
function Pending:answer()
  local text, err, partial = self.sock:receive "*a"
  self.sock:close()
  text = text or partial
  local status, rest = (text or ""):match "^HTTP/1%.%d (%d%d%d)[^\r\n]*\r\n(.*)$"
  if not status then return nil, err or "no answer" end
  local head, body = rest:match "^(.-)\r\n\r\n(.*)$"
  local headers = {}
  for name, value in head:gmatch "([^:\r\n]+): ([^\r\n]*)" do headers[name:lower()] = value end
  return {
    status = tonumber(status), headers = headers, text = body, json = (larder.json.decode(body)),
    seconds = socket.gettime() - self.started,
  }
end

--- The client loses interest.
function Pending:abort()
  self.sock:close()
end

--- Send and read.
function http.request(port, path, opts)
  local pending, err = http.send(port, path, opts)
  if not pending then return nil, err end
  return pending:answer()
end

return http
