-- Raw queries: the same value with and without a neighbour that needs text results, lists for arrays of any type, names of
-- columns, and JSON numbers through the database.

local larder = require "larder"

local url = os.getenv "LARDER_TEST_URL"

local VALUES = {
  "true", "7::int2", "-7::int8", "9223372036854775807::int8", "0.1::float4", "0.1::float8", "1e300::float8", "'-0'::float8",
  "'NaN'::float8", "'-Infinity'::float4", "1.50::numeric", "'x y'::text", "'\\x00ff'::bytea",
  "'00000000-0000-4000-8000-000000000001'::uuid", "'{\"a\":[1.5]}'::jsonb", "'[1]'::json",
  "'2026-01-02 03:04:05.000006+00'::timestamptz", "'0044-03-15 12:00+00 BC'::timestamptz", "'1850-01-01 00:00:00+00'::timestamptz",
  "'294276-12-31 23:59:59.999999+00'::timestamptz", "'infinity'::timestamptz",
  "array[1,2]", "array[0.1::float4, null]", "'{}'::int[]", "array[['a','b c'],['NULL',null]]", "'[0:1]={5,6}'::int8[]",
  "array['2026-01-02 03:04:05+00'::timestamptz]", "array['\\x01'::bytea]", "array[true,false]", "array['{\"a\":\"b,c\"}'::jsonb]",
  "array[1.50, 'NaN']::numeric[]", "array['00000000-0000-4000-8000-000000000001'::uuid]", "array['', '\"', '\\\\', '{}', ',']",
}

describe("values of raw queries #pg", function()
  local db

  setup(function() db = assert(larder.open(url)) end)
  teardown(function() db:close() end)

  local kind = math.type or type -- luacheck: ignore 143

  local function text(v)
    if v ~= v then return "NaN" end
    if v == math.huge or v == -math.huge then return tostring(v) end
    return larder.json.encode { v }
  end

  for _, sql in ipairs(VALUES) do
    it("are the same with a neighbour of another type: " .. sql, function()
      for _, zone in ipairs { "UTC", "Asia/Calcutta", "America/New_York" } do
        assert(db:transaction(function()
          assert(db:query("set local timezone = '" .. zone .. "'"))
          local alone = assert(db:query("select " .. sql .. " as v"))[1].v
          local beside = assert(db:query("select " .. sql .. " as v, current_date as d"))[1].v
          if type(alone) == "string" and alone:find "[%z\1-\31\128-\255]" then
            assert.equal(alone, beside)
          else
            assert.equal(text(alone), text(beside))
            assert.equal(kind(alone), kind(beside))
          end
          return true
        end))
      end
    end)
  end

  it("are all there in rows of 1,600 columns, alone and in a list, as text and in binary", function()
    for _, other in ipairs { "", ", '1 hour'::interval as other" } do
      local columns = {}
      for c = 1, 1600 do columns[c] = ("%s as c%d"):format(c % 3 == 0 and "null::int8" or c % 3 == 1 and "n + " .. c or "'t' || n", c) end
      for _, n in ipairs { 1, 3 } do
        local rows = assert(db:query(("select %s%s from generate_series(1, %d) n"):format(table.concat(columns, ", "), other, n)))
        assert.equal(n, #rows)
        for i, row in ipairs(rows) do
          for c = 1, 1600 do
            local expected
            if c % 3 == 1 then expected = i + c elseif c % 3 == 2 then expected = "t" .. i end
            if row["c" .. c] ~= expected then assert.equal(expected, row["c" .. c], c) end
          end
        end
      end
    end
  end)

  it("of two members with one name have the last, in every row", function()
    local rows = assert(db:query [[select '{"a":1,"b":{"c":[1],"c":"x"},"a":{"a":2,"a":[3]}}'::json as j from generate_series(1, 3)]])
    for i = 1, 3 do assert.same({ a = { a = { 3 } }, b = { c = "x" } }, rows[i].j) end
    assert.same(rows[1], assert(db:query [[select '{"a":1,"b":{"c":[1],"c":"x"},"a":{"a":2,"a":[3]}}'::json as j]])[1])
  end)

  it("are lists for arrays of types that larder does not know", function()
    local row = assert(db:query [=[select array['2026-01-02'::date, null] as d, array['1 day'::interval] as i, array['::1'::inet] as n,
      array[['a'::varchar, 'b'], ['c,d', 'e"f']] as v, '{}'::money[] as m]=])[1]
    assert.same({ "2026-01-02", larder.null }, row.d)
    assert.same({ "P1D" }, row.i)
    assert.same({ "::1" }, row.n)
    assert.same({ { "a", "b" }, { "c,d", 'e"f' } }, row.v)
    assert.equal("[]", larder.json.encode(row.m))
  end)

  it("are dates and intervals in one form, and parameters whatever the server takes", function()
    local row = assert(db:query([[select $1::date as d, $2::timestamp as ts, $3::interval as i, $4::time as t, $5::char(3) as c,
      $6::varchar as v]], "January 2, 2026", "2026-01-02 03:04:05+07", "2 h", "3:04 PM", "a", 5))[1]
    assert.same({ d = "2026-01-02", ts = "2026-01-02T03:04:05.000000", i = "PT2H", t = "15:04:00", c = "a  ", v = "5" }, row)
    assert.same({ i = "P1Y", n = "::1" }, assert(db:query "select interval '1 year' as i, inet '::1' as n")[1])
  end)

  it("take lists for arrays of any type", function()
    assert(db:query "drop type if exists values_mood")
    assert(db:query "create type values_mood as enum ('sad', 'so \"so\"', 'null')")
    local row = assert(db:query("select $1::values_mood[]::text[] as v", { "sad", 'so "so"', larder.null, "null" }))[1]
    assert.same({ "sad", 'so "so"', larder.null, "null" }, row.v)
    assert.same({ "2026-01-02", "2026-01-03" }, assert(db:query("select $1::date[] as v", { "2026-01-02", "2026-01-03" }))[1].v)
    assert.same({ { "$1.50" }, { "$2.00" } }, assert(db:query("select $1::money[] as v", { { 1.5 }, { larder.decimal "2" } }))[1].v)
    assert.equal(2, assert(db:query("select count(*) as n from unnest($1::inet[])", { "::1", "10.0.0.1" }))[1].n)
    assert.equal("{}", assert(db:query("select $1::date[]::text as v", larder.array {}))[1].v)
    local rows, err = db:query("select $1::date[]", { a = 1 })
    assert.is_nil(rows)
    assert.equal("invalid", err.code)
    assert(db:query "drop type values_mood")
  end)

  it("are refused where two columns have one name", function()
    for _, sql in ipairs { "select 1 as id, null::int as id", "select count(*), count(*) filter (where true)", "select 1, 2" } do
      local rows, err = db:query(sql)
      assert.is_nil(rows)
      assert.equal("invalid", err.code)
      assert.matches("two columns of the result are called", err.message)
    end
    assert(db:query "create table if not exists public.values_t (id int)")
    local rows = db:query "insert into public.values_t values (1) returning id, id"
    assert.is_nil(rows)
    assert.equal(0, assert(db:query "select count(*) as n from public.values_t")[1].n)
    assert(db:query "drop table public.values_t")
    assert.same({ a = 1, b = 2 }, assert(db:query "select 1 as a, 2 as b")[1])
  end)

  it("mark an empty result as an array", function()
    assert.equal("[]", larder.json.encode(assert(db:query "select 1 as a where false")))
  end)

  it("carry JSON numbers that no double holds there and back", function()
    for _, number in ipairs { "18446744073709551615", "12345678901234567890.123", "0.48812409112942318", "1" .. ("0"):rep(400) } do
      local value = assert(db:query("select ('{\"v\":' || $1::text || '}')::jsonb as j", number))[1].j
      assert.equal(number, tostring(value.v))
      assert.equal(number, assert(db:query("select ($1::jsonb)->>'v' as v", value))[1].v)
    end
    assert.equal("0.50", assert(db:query("select $1::numeric as v", larder.decimal "0.50"))[1].v)
  end)
end)
