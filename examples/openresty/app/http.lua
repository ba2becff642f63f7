--- JSON in, JSON out, and larder's errors as HTTP statuses.

local larder = require "larder"

local json = larder.json

local http = { array = larder.array }

-- A code that is not here is a fault of ours: 500.
local STATUS = {
  invalid = 400, check = 400, not_null = 400,
  unauthorized = 401,
  not_found = 404,
  method = 405,
  conflict = 409, foreign_key = 409,
  connection = 503, pool_timeout = 503, closed = 503, capacity = 503,
  serialization = 503, deadlock = 503, lock_timeout = 503,
  timeout = 504, canceled = 504,
}

local function invalid(fields)
  return nil, { code = "invalid", message = "the request is not valid", fields = fields }
end

--- What the client may know: its own mistakes in full, ours by their code alone.
local function public(err, status)
  if status >= 500 then return { code = err.code, message = "the request could not be served" } end
  return { code = err.code, message = err.message, fields = err.fields, constraint = err.constraint }
end

--- End the request with a status and a value, or with nil and an error.
function http.finish(status, body)
  if not status then
    status = STATUS[body.code] or 500
    if status >= 500 then ngx.log(ngx.ERR, "larder: ", tostring(body)) end
    body = { error = public(body, status) }
  end
  if type(body) == "table" then body = assert(json.encode(body)) .. "\n" end
  ngx.status = status
  ngx.header["Content-Length"] = #body
  ngx.print(body)
  return ngx.exit(ngx.OK)
end

--- A handler for content_by_lua: fn returns a status and a body (a table becomes JSON), or nil and an error.
function http.handler(method, fn)
  return function()
    if ngx.req.get_method() ~= method then
      ngx.header["Allow"] = method
      return http.finish(nil, { code = "method", message = "this address takes " .. method })
    end
    return http.finish(fn())
  end
end

--- The JSON object of the body, with no other members than these.
---@param names string[]
---@return table|nil
---@return table? err
function http.body(names)
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then return invalid { body = "is missing" } end
  local value = json.decode(text)
  if value == nil then return invalid { body = "is not JSON" } end
  if type(value) ~= "table" or value[1] ~= nil then return invalid { body = "is not a JSON object" } end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for name in pairs(value) do
    if not known[name] then return invalid { [name] = "is not known here" } end
  end
  return value
end

--- Arguments of the query, by name and type.
---@param types table<string, "string"|"number">
---@return table|nil
---@return table? err
function http.args(types)
  local args = {}
  for name, value in pairs(ngx.req.get_uri_args()) do
    if not types[name] then return invalid { [name] = "is not known here" } end
    if type(value) ~= "string" then return invalid { [name] = "must be given once, with a value" } end
    args[name] = types[name] == "number" and tonumber(value) or value
    if type(args[name]) ~= types[name] then return invalid { [name] = "must be a number" } end
  end
  return args
end

return http
