-- Every public function meets every kind of wrong argument. The functions are those that the objects have, their arguments those
-- that the annotations name: a new function is met without a word here, unless its arguments are `...`.

local larder = require "larder"
local annotations = require "tools.annotations"
local wrong = require "spec.support.misuse"
require "spec.support.keyed"

local function nothing() end

-- ---- the functions ----

local FILES = {
  larder = { "lua/larder/init.lua", "lua/larder/base/expr.lua", "lua/larder/config/seal.lua", "lua/larder/base/errors.lua" },
  db = { "lua/larder/db/init.lua" },
  tx = { "lua/larder/db/tx.lua" },
  pipeline = { "lua/larder/db/raw.lua" },
  store = {
    "lua/larder/store/read.lua", "lua/larder/store/write.lua", "lua/larder/store/async.lua", "lua/larder/store/support.lua",
  },
}

-- What the arguments behind `...` are.
local VARARGS = {
  get = { "key", "opts?" }, exists = { "key", "opts?" }, delete = { "key", "opts?" }, purge = { "key", "opts?" },
  soft_delete = { "key", "opts?" }, restore = { "key", "opts?" }, patch = { "key", "changes", "opts?" },
  list = { "opts?" }, each = { "opts?" }, count = { "condition?", "opts?" },
}

-- Functions whose arguments may be anything: what they do with it is tested elsewhere.
local ANYTHING = {
  ["larder.is_error"] = true, ["larder.unreadable"] = true, ["larder.increment"] = true, ["larder.append"] = true, ["larder.merge"] = true,
  ["larder.coalesce"] = true, ["larder.greatest"] = true, ["larder.now"] = true, ["larder.must"] = true,
}

local function types_of(object)
  local all = {}
  for _, path in ipairs(FILES[object]) do
    for full, fn in pairs(annotations.of(path)) do
      local name = full:match "%.(.*)"
      if fn.method or not all[name] then all[name] = fn end
    end
  end
  if object == "store" then all.run = all.operate end
  return all
end

local TYPES = { key = "any", ["opts"] = "larder.Options", changes = "table", condition = "larder.Where" }

local function params_of(name, fn)
  if not fn.vararg or #fn.params > 0 then return fn.params end -- the named ones stand before `...`
  local list = {}
  for i, text in ipairs(assert(VARARGS[name], name .. " takes ...: say in this spec what that is")) do
    local word = text:match "^%w+"
    list[i] = { name = word, optional = text:sub(-1) == "?", type = TYPES[word] }
  end
  return list
end

-- ---- meeting them ----

local HERE = "misuse_spec.lua:"
local unpack = table.unpack or unpack -- luacheck: ignore

local function refused(...) return wrong.refused(HERE, ...) end

local function meet(object, name, fn, call) return wrong.meet(HERE, object, name, params_of(name, fn), call) end

local function methods_of(object)
  local all = {}
  local class = getmetatable(object).__index
  for name, method in pairs(class) do
    if type(method) == "function" and name:sub(1, 1) ~= "_" and name ~= "new" then all[name] = method end
  end
  return all
end

describe("misuse", function()
  local db = assert(larder.open "memory:")
  local store = db:stores("keyed").int4_alone
  local tx, pipeline
  assert(db:transaction(function(handle) tx = handle return true end))
  do -- a pipeline needs PostgreSQL; the object itself does not
    local raw = require "larder.db.raw"
    raw.pipeline(db, {}, function(p) pipeline = p end)
  end

  teardown(function() db:close() end)

  for object, instance in pairs { db = db, store = store, tx = tx, pipeline = pipeline } do
    local types = types_of(object)
    for name in pairs(methods_of(instance)) do
      it(("of %s:%s raises at the caller's line"):format(object, name), function()
        local fn = assert.truthy(types[name], name .. " has no annotation") and types[name]
        meet(object, name, fn, function(...) instance[name](instance, ...) end)
      end)

      it(("of %s.%s with a dot is told"):format(object, name), function()
        for _, self in ipairs { {}, "x", 5, nothing } do
          local ok, why = pcall(function() instance[name](self) end)
          assert.is_false(ok)
          assert.truthy(why:find("with a colon", 1, true), why)
          assert.truthy(why:find(HERE, 1, true), why)
        end
        assert.is_false((pcall(function() instance[name]() end)))
      end)
    end
  end

  local view, of_db = assert(db:with { tenant = "t" }), types_of "db"
  for name in pairs(methods_of(db)) do
    it(("of %s on a view raises at the caller's line"):format(name), function()
      meet("view", name, of_db[name], function(...)
        local method = view[name] -- raises where a view has no such method
        method(view, ...)
      end)
    end)
  end

  local types = types_of "larder"
  for name, value in pairs(larder) do
    if type(value) == "function" and not ANYTHING["larder." .. name] then
      it(("of larder.%s raises at the caller's line"):format(name), function()
        local fn = assert.truthy(types[name], name .. " has no annotation") and types[name]
        meet("larder", name, fn, function(...) larder[name](...) end)
      end)
    end
  end

  -- functions of a database, a family, perhaps a version, and options, by what they are declared with
  for name, fn in pairs(require "larder.migrate") do
    it(("of migrate.%s raises at the caller's line"):format(name), function()
      local n = debug.getinfo(fn, "u").nparams
      if n == 1 then return refused("migrate." .. name, name, function() fn(5) end) end
      local fitting, unfit = { db, "keyed", n == 4 and 1 or nil }, { 5, {}, n == 4 and 1.5 or nil }
      unfit[n] = { no_such_option = 1 }
      for at = 1, n do
        local args = { unpack(fitting, 1, n) }
        args[at] = unfit[at]
        refused(("migrate.%s: argument %d"):format(name, at), name, function() fn(unpack(args, 1, n)) end)
      end
    end)
  end
end)
