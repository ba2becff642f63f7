-- A copas server that answers each line with a row of the database, and four clients of it. DATABASE_URL names a server:
--   DATABASE_URL=postgres://… luajit examples/copas.lua

local copas = require "copas"
local socket = require "socket"
local larder = require "larder"
local must = larder.must

local db = must(larder.open(os.getenv "DATABASE_URL", { pool = { max = 2 } }))

local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()

copas.addserver(server, function(raw)
  local client = copas.wrap(raw)
  local word = client:receive "*l"
  local rows = must(db:query("select upper($1::text) as answer, pg_sleep(0.05)", word)) -- others are served meanwhile
  client:send(rows[1].answer .. "\n")
  raw:close()
end)

local answers, left = {}, 4
for i, word in ipairs { "few", "connections", "serve", "many" } do
  copas.addthread(function()
    local client = socket.tcp()
    copas.connect(client, "127.0.0.1", port)
    copas.send(client, word .. "\n")
    answers[i] = copas.receive(client, "*l")
    client:close()
    left = left - 1
  end)
end

while left > 0 do copas.step() end

print(table.concat(answers, " "))
server:close()
db:close()
