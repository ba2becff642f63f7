-- min and max of every type against the checks of a database: pull reads them, check compares them, diff mends them.

local larder = require "larder"
local check = require "larder.migrate.check"
local diff = require "larder.migrate.diff"
local pull = require "larder.migrate.pull"

local SQL = [[
drop schema if exists bounded cascade;
create schema bounded;
create table bounded.rows (
  id  int4 primary key,
  n   numeric check (n >= 0.5 and n <= 100),
  m   numeric(8,2) check (m between -5 and 10.250),
  f   float8 check (f <= 0.1),
  r   float4 check (r >= 0),
  d   date check (d between '2026-01-01' and '2026-12-31'),
  t   time check (t >= '08:00'),
  ts  timestamp(3) check (ts < '2026-01-01'),
  at  timestamptz check (at >= '2026-01-01 00:00+02'),
  iv  interval check (iv <= '1 month'),
  x   float4 check (x <= 0.1),
  y   timestamptz check (y::date >= '2026-01-01'),
  z   int4 check (z <= 5.5),
  w   date check (w >= '2026-01-01 10:00'::timestamp),
  v   date check (v = '2026-01-01')
)]]

local LIMITS = {
  n = { "0.5", "100" }, m = { "-5.00", "10.25" }, f = { nil, 0.1 }, r = { 0 }, d = { "2026-01-01", "2026-12-31" }, t = { "08:00:00" },
  at = { "2025-12-31T22:00:00.000000Z" }, iv = { nil, "P1M" }, v = { "2026-01-01", "2026-01-01" },
}
-- A limit with < or >, one that a real cannot be, one of another type: the database's alone.
local ALONE = { "rows_ts_check", "rows_x_check", "rows_y_check", "rows_z_check", "rows_w_check" }

describe("limits in a database", function()
  local db, decl

  local function script(sql)
    local session = assert(db:_migration_engine():session {})
    assert(session:script(sql))
    session:rollback()
  end

  setup(function()
    db = assert(larder.open(os.getenv "LARDER_TEST_URL"))
    script(SQL)
    local found = assert(pull.read(db, "bounded"))
    decl = found.entities[1]
  end)
  teardown(function() db:close() end)

  it("are read by pull as values of the column's type", function()
    for _, field in ipairs(decl.fields) do
      local want = LIMITS[field.name] or {}
      assert.same({ field.name, want[1], want[2] }, { field.name, field.min, field.max })
    end
    local notes = table.concat(decl.notes, "\n")
    for _, name in ipairs(ALONE) do assert.is_truthy(notes:find("check " .. name, 1, true), notes) end
  end)

  it("are compared by value, and mended", function()
    local load_text = loadstring or load -- luacheck: ignore
    assert(load_text(pull.text(assert(pull.read(db, "bounded")))))()
    assert.same({}, (assert(check(db, "bounded"))))
    script [[alter table bounded.rows drop constraint rows_d_check, drop constraint rows_n_check;
      alter table bounded.rows add constraint rows_d_check check (d >= '2026-01-01' and d <= '2026-12-30')]]
    local said = {}
    for i, fault in ipairs(assert(check(db, "bounded"))) do said[i] = fault.message end
    table.sort(said)
    assert.equal("column d: declared to be min 2026-01-01, max 2026-12-31, checked in the database to be min 2026-01-01, "
      .. "max 2026-12-30\ncolumn n: declared to be min 0.5, max 100, checked in the database to be anything", table.concat(said, "\n"))
    script(assert(diff.write(db, "bounded")).up)
    assert.same({}, (assert(check(db, "bounded"))))
  end)
end)
