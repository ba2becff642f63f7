-- Every error says where: the store and the operation that were called, or the function, and in texts that are raised the caller's
-- line, too. What larder would ignore, it refuses.

local larder = require "larder"
local engines = require "spec.support.engines"
local testing = require "larder.testing"

local HERE = "where_spec.lua:%d+: "

local function raises(why, call)
  local ok, said = pcall(call)
  assert.is_false(ok, why .. " was expected")
  assert.matches(HERE .. why:gsub("%p", "%%%0"), said)
end

local function says(text, answer, err)
  assert.is_nil(answer)
  assert.equal(text, tostring(err))
end

for _, engine in ipairs(engines) do
  describe("where it happened, on " .. engine.name, function()
    local db, posts

    before_each(function()
      db = engine.fresh "blog"
      posts = db:stores("blog").posts
    end)

    teardown(engine.done)

    it("is told of pages", function()
      for _, name in ipairs { "limit", "offset" } do
        for _, value in ipairs { -1, 1.5, "10", 1 / 0 } do
          says("invalid: blog.posts:list: " .. name .. " must be a whole number that is not negative", posts:list { [name] = value })
        end
      end
      says("invalid: blog.posts:list: limit cannot be all; hint: each() goes through all rows", posts:list { limit = larder.all })
    end)

    it("is told of includes, by the method that was called", function()
      local unknown = "autor is not a relation of blog.posts; did you mean author?"
      says("invalid: blog.posts:list: " .. unknown, posts:list { include = { autor = true } })
      says("invalid: blog.posts:get: " .. unknown, posts:get("x", { include = { autor = true } }))
      says("invalid: blog.posts:create: " .. unknown, posts:create({ title = "x", author_id = "y" }, { include = { autor = true } }))
      says("invalid: blog.posts:patch: " .. unknown, posts:patch("x", { title = "x" }, { include = { autor = true } }))
      says("invalid: blog.posts:list: comments.limit must be a whole number that is not negative",
        posts:list { include = { comments = { limit = -1 } } })
      says("invalid: blog.posts:list: author.posts.comment is not a relation of blog.posts; did you mean comments?",
        posts:list { include = { author = { include = { posts = { include = { comment = true } } } } } })
      raises("blog.posts:list: include.author must be true or a table of options", function()
        posts:list { include = { author = 5 } }
      end)
      raises('blog.posts:find: include.comments: unknown option "limt"; did you mean limit?', function()
        posts:find({ id = "x" }, { include = { comments = { limt = 5 } } })
      end)
      raises("blog.posts:list: include has a metatable that hides what it holds", function()
        posts:list { include = setmetatable({}, { __index = {} }) }
      end)
    end)

    it("is told of rows without their key", function()
      says("invalid: blog.posts:update: id is required", posts:update { title = "x" })
    end)

    it("is told of a transaction whose time is over", function()
      local inner
      local _, err = db:transaction({ timeout = 0.01 }, function()
        repeat inner = select(2, posts:count(larder.all {})) until inner
        return nil, inner
      end)
      assert.equal("timeout", inner.code)
      assert.equal("blog.posts", inner.store)
      assert.equal("count", inner.op)
      assert.equal("timeout", err.code)
      assert.is_string(err.op)
    end)

    if engine.name == "postgres" then
      it("is told of parameters that are too few or too many, one or several", function()
        says("invalid: query: the statement has 1 parameter, not 2", db:query("select $1::int", 1, 2))
        says("invalid: query: the statement has 2 parameters, not 1", db:query("select $1::int + $2::int", 1))
      end)
    end

    it("is told of misspelt methods of every object", function()
      local frozen = testing.freeze(db)
      for why, call in pairs {
        ["a decimal has no rond; did you mean round?"] = function() larder.decimal("1"):rond(2) end,
        ["a frozen clock has no advence; did you mean advance?"] = function() frozen:advence(1) end,
        ["a factory has no crate; did you mean create?"] = function() testing.factory(db, "blog"):crate "posts" end,
      } do
        raises(why, call)
      end
      frozen:thaw()
      assert.is_nil(larder.decimal("1").add)
    end)
  end)
end

describe("where it happened", function()
  it("is told of opening, and of sealing", function()
    says("invalid: open: target is an empty text", larder.open "")
    says("invalid: open: pool.mx is not a pool setting", larder.open("memory:", { pool = { mx = 5 } }))
    says("invalid: explain_config: target is an empty text", larder.explain_config "")
    says("invalid: seal: key must be 32 bytes or 64 hex digits (LARDER_SEAL_KEY)", larder.seal("x", "y"))
    says("invalid: unseal: key must be 32 bytes or 64 hex digits (LARDER_SEAL_KEY)", larder.unseal("sealed:v1:x", "y"))
  end)

  it("is told of COPY in memory, and of a closed database", function()
    local db = assert(larder.open "memory:")
    says("unsupported: copy_in: COPY needs PostgreSQL", db:copy_in("copy t from stdin", "x"))
    says("unsupported: copy_out: COPY needs PostgreSQL", db:copy_out("copy t to stdout", print))
    db:close()
    says("closed: health: the database is closed", db:health())
    says("closed: with: the database is closed", db:with { tenant = "t" })
  end)

  it("is told of a misspelt method of a runtime", function()
    local db = assert(larder.open("memory:", { loop = "manual" }))
    local runtime = db:runtime()
    raises("a runtime has no stpe; did you mean step?", function() runtime:stpe() end)
    assert.equal(0, runtime:step())
    assert.is_nil(runtime.close)
    db:close()
  end)

  -- postgres://user:12/rest@host/db: libpq reads host "user", port 12, database "rest@host/db"
  it("is told of a password that is not escaped, and the password is not", function()
    for _, uri in ipairs {
      "postgres://u:12/hush@h/db", "postgres://u:12/hush@h", "postgresql://u:12/hush@h:5432/db?sslmode=disable",
      "postgres://u:1@2/hush@h/db", "postgres://u:hush/12@h/db",
    } do
      local none, err = larder.open(uri)
      assert.is_nil(none)
      assert.equal("invalid", err.code, uri)
      assert.matches("^invalid: open: .*in a URI, write %%2F for '/', %%3F for '%?' and %%40 for '@' in a password$", tostring(err))
      assert.is_nil(tostring(err):find("hush", 1, true))
      assert.is_nil(tostring(err):find("12", 1, true))
    end
    for _, uri in ipairs { "postgres://u:12%2Fx@h/db", "postgres://h:12/a%40b", "postgres://u:p@h:5432/a@b", "postgres:///a@b" } do
      assert.is_table(larder.explain_config(uri), uri)
    end
  end)
end)

describe("what would be ignored", function()
  local FEWEST = { -- arguments that fit, by function; those with `...` take any number
    any = { { { k = 1 } } }, all = { {} }, not_ = { { k = 1 } }, exists = { "s", { a = "b" }, { k = 1 } }, increment = { 1 },
    append = { 1 }, merge = { { a = 1 } }, greatest = { 1 }, merge_deep = { { a = 1 } }, set_path = { { "a" }, 1 },
    matches = { "a", 1 }, field = { "a" }, value = { 1 }, lower = { "a" }, upper = { "a" }, length = { "a" }, abs = { "a" },
    add = { "a", 1 }, sub = { "a", 1 }, mul = { "a", 1 }, bucket = { "day", "a" }, part = { "day", "a" },
    seal = { "a", ("k"):rep(32) }, unseal = { "a", ("k"):rep(32) }, now = {},
    open = { "memory:", {} }, explain_config = { "memory:", {} }, files = { "/nowhere", {} },
    transfer = { {}, {}, {} },
  }
  local ANY_NUMBER = { must = true, path = true, where = true, coalesce = true }
  -- These take one value, often the answer of another call, of which Lua hands over all values: require's, gsub's, a store's.
  local TAKES_ANSWERS = { declare = true, is_error = true, unreadable = true, array = true, decimal = true }

  for name, value in pairs(larder) do
    if type(value) == "function" and not ANY_NUMBER[name] and not TAKES_ANSWERS[name] then
      it(("behind the arguments of larder.%s is refused"):format(name), function()
        local args = assert(FEWEST[name], "say in this spec what larder." .. name .. " takes")
        local n = #args
        local more = { (table.unpack or unpack)(args) } -- luacheck: ignore
        more[n + 1] = "one too many"
        raises(("larder.%s takes %d argument%s at most, not %d"):format(name, n, n == 1 and "" or "s", n + 1), function()
          larder[name]((table.unpack or unpack)(more, 1, n + 1)) -- luacheck: ignore
        end)
      end)
    end
  end

  it("of another call's answers is not refused", function()
    assert.equal("1.5", tostring(larder.decimal(("1,5"):gsub(",", "."))))
    assert.equal("[1]", larder.json.encode({ 1 }, "more"))
    assert.same({ 1 }, larder.json.decode(("[1 ]"):gsub(" ", "")))
    assert.is_false(larder.is_error(1, 2))
    assert.is_nil((larder.unreadable(1, 2)))
    assert.same({ 1 }, larder.array({ 1 }, {}))
  end)
end)
