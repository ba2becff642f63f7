-- A column whose live type is not the declared one is an error that names both, before anything is read or written.

local larder = require "larder"

local url = os.getenv "LARDER_TEST_URL"

local declared = 0

--- A store t of one column v (declared as `field`) over a table whose column has the type `live`.
local function store(db, field, live)
  declared = declared + 1
  local name = "drift" .. declared
  assert(db:query("drop table if exists public.drift_t"))
  assert(db:query("create table public.drift_t (id integer primary key, v " .. live .. ")"))
  field.name, field.null = "v", true
  larder.declare {
    name = name,
    entities = {
      { name = "t", table = "public.drift_t", fields = { { name = "id", type = "int4" }, field }, key = { name = "drift_t_pkey", "id" } },
    },
  }
  return db:stores(name).t, name
end

local CASES = {
  { "timestamptz", "timestamp", "timestamp without time zone", "timestamp with time zone", "2026-01-02T03:04:05Z" },
  { "timestamptz", "date", "date", "timestamp with time zone", "2026-01-02T03:04:05Z" },
  { "text", "interval", "interval", "text", "1 day" },
  { "text", "inet", "inet", "text", "::1" },
  { "text", "money", "money", "text", "5" },
  { "int8", "money", "money", "bigint", 500 },
  { "int4", "text", "text", "integer", 5 },
  { "int4", "numeric(10,2)", "numeric(10,2)", "integer", 5 },
  { "bool", "integer", "integer", "boolean", true },
  { "jsonb", "text", "text", "jsonb", { a = 1 } },
  { "jsonb", "json", "json", "jsonb", { a = 1 } },
  { "text", "text[]", "text[]", "text", "a" },
  { "text[]", "jsonb", "jsonb", "text[]", { "a" } },
  { "float8", "real", "real", "double precision", 0.1 },
  { "int8[]", "integer[]", "integer[]", "bigint[]", { 1 } },
}

describe("drift of types #pg", function()
  local db

  before_each(function() db = assert(larder.open(url)) end)
  after_each(function()
    db:query "drop table if exists public.drift_t"
    db:close()
  end)

  local function refused(value, err, live, wanted)
    assert.is_nil(value)
    assert.equal("drift", err.code)
    assert.equal(('column "v" of drift_t is %s in the database, declared as %s'):format(live, wanted), err.message)
    assert.equal("v", err.column)
  end

  for _, case in ipairs(CASES) do
    it(("names %s where %s is declared, and writes nothing"):format(case[2], case[1]), function()
      local s, family = store(db, { type = case[1] }, case[2])
      local value = case[5]
      refused(nil, select(2, s:create { id = 1, v = value }), case[3], case[4])
      refused(nil, select(2, s:list {}), case[3], case[4])
      refused(nil, select(2, s:get(1)), case[3], case[4])
      refused(nil, select(2, s:count()), case[3], case[4])
      refused(nil, select(2, s:update_where({ id = 1 }, { v = value })), case[3], case[4])
      local ok, err = larder.transfer({ [family] = { t = { { id = 1, v = value } } } }, db, { families = { family } })
      refused(ok, err, case[3], case[4])
      ok, err = larder.transfer(db, assert(larder.open "memory:"), { families = { family } })
      refused(ok, err, case[3], case[4])
      assert.equal(0, db:query("select count(*) as n from public.drift_t")[1].n)
    end)
  end

  it("takes integers of another width, but not for COPY", function()
    local s, family = store(db, { type = "int8" }, "integer")
    assert.equal(7, assert(s:create { id = 1, v = 7 }).v)
    assert.equal(1, s:count { v = { 7, 8 } })
    local _, err = s:create { id = 2, v = 5000000000 }
    assert.equal("invalid 22003", err.code .. " " .. err.sqlstate)
    local ok
    ok, err = larder.transfer({ [family] = { t = { { id = 3, v = 7 } } } }, db, { families = { family } })
    refused(ok, err, "integer", "bigint")
  end)

  it("takes varchar, name and domains for text", function()
    assert(db:query "drop domain if exists public.drift_text")
    assert(db:query "create domain public.drift_text as text")
    for _, live in ipairs { "varchar(20)", "name", "public.drift_text" } do
      local s = store(db, { type = "text" }, live)
      assert.equal("x", assert(s:create { id = 1, v = "x" }).v)
    end
    assert(db:query "drop table public.drift_t")
    assert(db:query "drop domain public.drift_text")
  end)

  it("asks again after a change of the table, in both directions", function()
    local s = store(db, { type = "int4" }, "integer")
    assert(s:create { id = 1, v = 5 })
    assert.equal(5, s:get(1).v)
    assert(db:query "alter table public.drift_t alter v type money using v::money")
    refused(nil, select(2, s:get(1)), "money", "integer")
    refused(nil, select(2, s:create { id = 2, v = 500 }), "money", "integer")
    assert.equal(1, db:query("select count(*) as n from public.drift_t")[1].n)
    assert(db:query "alter table public.drift_t alter v type integer using 9")
    assert.equal(9, s:get(1).v)
    assert(s:create { id = 2, v = 500 })
  end)

  it("asks again when the server speaks of types, though no result came", function()
    local s = store(db, { type = "text" }, "text")
    assert(s:create { id = 1, v = "a" })
    assert(db:query "alter table public.drift_t alter v type bytea using v::bytea")
    for id = 2, 3 do refused(nil, select(2, s:create { id = id, v = "b" }), "bytea", "text") end
    assert(db:query "alter table public.drift_t alter v type text using convert_from(v, 'UTF8')")
    assert.equal("b", assert(s:create { id = 2, v = "b" }).v)
    assert(db:query "alter table public.drift_t alter v type bytea using v::bytea")
    local _, first = db:transaction(function() return s:create { id = 3, v = "c" } end)
    assert.equal("42804", first.sqlstate) -- a transaction has failed by then; the next one is told
    refused(nil, select(2, db:transaction(function() return s:create { id = 3, v = "c" } end)), "bytea", "text")
    assert.equal(2, db:query("select count(*) as n from public.drift_t")[1].n)
  end)

  it("says so in a pipeline and in a transaction, too", function()
    local s = store(db, { type = "int8" }, "money")
    local ok, err = db:transaction(function() return s:create { id = 1, v = 500 } end)
    refused(ok, err, "money", "bigint")
    assert.equal(0, db:query("select count(*) as n from public.drift_t")[1].n)
  end)

  it("leaves a missing table to the statement's own error", function()
    local s = store(db, { type = "int8" }, "bigint")
    assert(db:query "drop table public.drift_t")
    local _, err = s:create { id = 1, v = 500 }
    assert.equal("syntax 42P01", err.code .. " " .. err.sqlstate)
    assert(db:query "create table public.drift_t (id integer primary key, v bigint)")
    assert(s:create { id = 1, v = 500 })
  end)
end)
