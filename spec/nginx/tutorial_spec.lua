-- The end of docs/tutorial.md: its nginx.conf and its modules, as they stand there, answer requests.

local missing = require("spec.support.need").nginx()
if missing then return describe("the tutorial in nginx", function() pending(missing) end) end

local book = require "spec.support.book"
local larder = require "larder"
local lfs = require "lfs"
local nginx = require "spec.support.nginx"

local URL = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

-- What the page says of Debian's nginx; and a place for what nginx writes, since the directory is the test's own.
local FRONT = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
pid run/nginx.pid;
error_log run/error.log warn;
env DATABASE_URL;]]
local WRITES = [[http {
  access_log off;
  client_body_temp_path run/body; proxy_temp_path run/proxy; fastcgi_temp_path run/fastcgi;
  uwsgi_temp_path run/uwsgi; scgi_temp_path run/scgi;]]

describe("the tutorial in nginx", function()
  local db, dir, server

  setup(function()
    local page = book.read "docs/tutorial.md"
    dir = book.folder { page }
    db = assert(larder.open(URL))
    assert(db:query "drop schema if exists bookshop cascade")
    if db:query "select from larder.schema_migrations limit 0" then
      assert(db:query "delete from larder.schema_migrations where family = 'bookshop'")
    end
    assert(loadfile(dir .. "/bookshop.lua"))()
    assert(db:migrate("bookshop", { dir = dir .. "/sql/bookshop" }))
    local here = lfs.currentdir()
    server = nginx.start { dir = dir, path = "/books", replace = { ["env DATABASE_URL;"] = FRONT, ["http {"] = WRITES },
      env = { DATABASE_URL = URL, LUA_PATH = ("%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;"):format(dir, here, here) } }
  end)
  teardown(function()
    if server then server:stop() end
    assert(db:query "drop schema if exists bookshop cascade")
    assert(db:query "delete from larder.schema_migrations where family = 'bookshop'")
    db:close()
    os.execute("rm -r " .. dir)
  end)

  it("answers pages of books, refuses a cursor that is none, and says in the log what went wrong", function()
    assert.equal('{"books":[]}', (server:request "/books".text:gsub("%s+$", "")))
    local books = {}
    for i = 1, 21 do books[i] = { isbn = ("%010d"):format(i), title = ("Book %02d"):format(i), price = i } end
    assert(db:stores("bookshop").books:create_many(books))
    local first = server:request "/books"
    assert.same({ 200, 20, "Book 01" }, { first.status, #first.json.books, first.json.books[1].title })
    local second = server:request("/books?after=" .. first.json.next)
    assert.same({ 1, "Book 21" }, { #second.json.books, second.json.books[1].title })
    assert.is_nil(second.json.next)
    assert.equal(400, server:request "/books?after=zzz".status)
    assert.matches("bookshop.books:list", server:log(), 1, true)
    assert.equal("", server:alarms "bookshop.books:list")
  end)
end)
