-- A family with a field of every type that other people's tables have, for what both engines must answer alike.

local larder = require "larder"

local typed = {}

-- field → declared type, SQL type
local FIELDS = {
  { "d", "date" }, { "ts", "timestamp" }, { "t", "time" }, { "iv", "interval" },
  { "vc", "varchar(5)", "varchar(5)" }, { "c", "char(4)", "char(4)" },
  { "ts3", "timestamp(3)", "timestamp(3)" }, { "tz0", "timestamptz(0)", "timestamptz(0)" },
  { "t1", "time(1)", "time(1)" }, { "iv2", "interval(2)", "interval(2)" },
  { "ds", "date[]" }, { "tss", "timestamp[]" }, { "tms", "time[]" }, { "ivs", "interval[]" }, { "vcs", "varchar[]" },
}
typed.FIELDS = FIELDS

local fields = { { name = "id", type = "int4" } }
local columns = { "id integer not null" }
for i, field in ipairs(FIELDS) do
  fields[i + 1] = { name = field[1], type = field[2], null = true }
  columns[i + 1] = field[1] .. " " .. (field[3] or field[2])
end

typed.entities = {
  { name = "rows", table = "typed.rows", fields = fields, key = { name = "rows_pkey", "id" },
    uniques = { { name = "rows_iv_key", "iv" } } },
  {
    name = "stamped", table = "typed.stamped",
    fields = {
      { name = "id", type = "int4" }, { name = "made", type = "date", default = { "now" } },
      { name = "at", type = "timestamp(3)", stamp = "insert" }, { name = "changed", type = "timestamp(0)", stamp = "update" },
      { name = "kind", type = "char(3)", default = "a" }, { name = "token", type = "char(40)", default = { "uuid" } },
    },
    key = { name = "stamped_pkey", "id" },
  },
}

larder.declare { name = "typed", entities = typed.entities }

local SQL = ([[
drop schema if exists typed cascade;
create schema typed;
create table typed.rows (%s, constraint rows_pkey primary key (id), constraint rows_iv_key unique (iv));
create table typed.stamped (id integer not null, made date not null default current_date, at timestamp(3) not null,
  changed timestamp(0) not null, kind char(3) not null default 'a', token char(40) not null, constraint stamped_pkey primary key (id));
]]):format(table.concat(columns, ", "))

--- The family's stores on db, with empty tables.
function typed.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(SQL))
    session:rollback()
  end
  return db:stores "typed"
end

return typed
