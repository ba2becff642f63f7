-- Every method of every store of the built-in families meets what no method takes, at each place, behind arguments that might do:
-- it raises at the caller's line and names itself, or answers an error; nothing is written. No list of methods is kept here, so that
-- a new one is met as well.

local larder = require "larder"

local unpack = table.unpack or unpack -- luacheck: ignore
local HERE = "misuse_families_spec.lua:"

local WRONG = {
  ["a boolean"] = true, ["a function"] = function() end, ["a coroutine"] = coroutine.create(function() end),
  ["a proxy"] = setmetatable({}, { __index = { a = 1 }, __pairs = function() return next, { a = 1 } end }),
  ["a list with a hole"] = { "a", nil, "b" },
}

-- What looks at a row that is there, and at nothing else, takes any table.
local LOOKS = { level = true, full_address = true, can_manage_policies = true }
local function looks_at_a_row(method) return LOOKS[method] or method:find "^is_" end

-- A generator raises when it is asked for its first row.
local function call(store, method, ...)
  local first, err = store[method](store, ...)
  if method == "each" then return first() end
  return first, err
end

local function meet(store, name, method, place, kind)
  local args = {}
  for i = 1, place - 1 do args[i] = "x" end
  args[place] = WRONG[kind]
  local what = ("%s:%s: %s as argument %d"):format(name, method, kind, place)
  local ok, answer, err = pcall(function() return call(store, method, unpack(args, 1, place)) end)
  if not ok and larder.is_error(answer) then answer, err, ok = nil, answer, true end
  if not ok then
    assert.is_string(answer, what)
    assert.truthy(answer:find(HERE, 1, true), what .. " is blamed on another line: " .. answer)
    -- or the method of the same store that does the work
    assert.truthy(answer:find(method, 1, true) or answer:find(store._entity.full, 1, true), what .. ": not named: " .. answer)
  elseif not (place == 1 and type(WRONG[kind]) == "table" and looks_at_a_row(method)) then
    assert.is_nil(answer, what .. " was accepted")
    assert.is_true(larder.is_error(err), what .. " was accepted")
    assert.is_not.equal("internal", err.code, what .. ": " .. tostring(err))
  end
end

for _, family in ipairs { "auth", "content", "controlplane", "csms" } do
  describe("misuse of " .. family .. " #slow", function() -- too slow on a collector that never rests
    local db = assert(larder.open "memory:")
    local stores = db:stores(family)

    teardown(function() db:close() end)

    for name, store in pairs(stores) do
      for method in pairs(getmetatable(store).__index) do
        if type(store[method]) == "function" and method:sub(1, 1) ~= "_" and method ~= "new" then
          it(("in %s:%s is told, and does nothing"):format(name, method), function()
            for place = 1, 4 do
              for kind in pairs(WRONG) do meet(store, name, method, place, kind) end
            end
            if store.count then assert.equal(0, store:count()) end
          end)
        end
      end
    end
  end)
end
