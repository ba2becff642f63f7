-- A family with one store for each type that a key may have, for what must hold for every spelling of a key.

local larder = require "larder"

local keyed = {}

-- type → SQL, a value of the key, another value, and spellings of the first
local TYPES = {
  int8 = { "bigint", 2, 3 }, int4 = { "integer", 2, 3 }, int2 = { "smallint", 2, 3 },
  float8 = { "double precision", 3, 0.5 }, float4 = { "real", 0.1, 0.5 },
  numeric = { "numeric", "7", "1.5" }, text = { "text", "a", "b" }, bytea = { "bytea", "a\0b", "c" },
  uuid = { "uuid", "0a1b2c3d-0000-4000-8000-00000000000f", "00000000-0000-4000-8000-000000000001" },
  timestamptz = { "timestamptz", "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z" }, bool = { "boolean", true, false },
  date = { "date", "2026-01-02", "2026-01-03" }, timestamp = { "timestamp", "2026-01-02T03:04:05", "2026-01-02T03:04:06" },
  time = { "time", "03:04:05", "03:04:06" }, interval = { "interval", "P1M", "P1D" }, varchar = { "varchar", "a", "b" },
  char = { "char", "a", "b" }, inet = { "inet", "::ffff:10.0.0.1", "10.0.0.1/8" }, cidr = { "cidr", "10.0.0.0/8", "10.0.0.0/9" },
  macaddr = { "macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04" },
  macaddr8 = { "macaddr8", "08:00:2b:ff:fe:01:02:03", "08:00:2b:01:02:03:04:05" }, bit = { "bit", "1", "0" },
  varbit = { "varbit", "0101", "01010" },
  int4range = { "int4range", "[1,5)", "empty" }, int8range = { "int8range", "[1,)", "[2,)" },
  numrange = { "numrange", "[1,2.5]", "[1,2.5)" },
  tsrange = { "tsrange", "[2026-01-01,2026-01-02)", "(2026-01-01,2026-01-02)" },
  daterange = { "daterange", "[2026-01-01,)", "(,2026-01-01)" },
  tstzrange = { "tstzrange", "[2026-01-01T00:00Z,2026-01-02T00:00Z)", "(,)" },
}
keyed.TYPES = TYPES

--- Spellings of the first value, which `get` takes.
function keyed.spellings(name)
  local wide = rawget(_G, "jit") and require("ffi").new("int64_t", 2)
  local lists = {
    int8 = { 2, 2.0, 4 / 2, wide }, int4 = { 2, 2.0, 6 / 3, wide }, int2 = { 2, 2.0, wide },
    float8 = { 3, 3.0, 6 / 2 }, float4 = { 0.1 }, numeric = { 7, 7.0, "7", "7.0", "7.000", "0.7e1", larder.decimal "7.00" },
    text = { "a" }, bytea = { "a\0b" }, bool = { true },
    uuid = { "0a1b2c3d-0000-4000-8000-00000000000f", "0A1B2C3D-0000-4000-8000-00000000000F" },
    date = { "2026-01-02" }, timestamp = { "2026-01-02 03:04:05", "2026-01-02T03:04:05.000000" }, time = { "03:04:05.000" },
    interval = { "1 mon", "30 days", "P30D", "720:00:00" }, varchar = { "a" }, char = { "a", "a " },
    inet = { "::ffff:10.0.0.1", "::FFFF:a00:1/128", "0:0:0:0:0:ffff:a00:1" }, cidr = { "10.0.0.0/8" }, bit = { "1" }, varbit = { "0101" },
    int4range = { "[1,5)", "[1,4]", "(0,4]", " [ 1 , 5 ) " }, int8range = { "[1,)", "(0,]" }, numrange = { "[1,2.5]", "[1.0,2.50]" },
    tsrange = { "[2026-01-01T00:00:00,2026-01-02 00:00)" }, daterange = { "(2025-12-31,]" },
    tstzrange = { '["2026-01-01 02:00:00+02",2026-01-02T00:00Z)' },
    macaddr = { "08:00:2b:01:02:03", "08-00-2B-01-02-03", "08002b:010203", "0800.2b01.0203", "08002b010203" },
    macaddr8 = { "08:00:2b:ff:fe:01:02:03", "08:00:2b:01:02:03", "08002bfffe010203" },
    timestamptz = {
      "2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02 03:04:05.000000Z", "2026-01-01T22:04:05-05:00", 1767323045,
    },
  }
  return lists[name]
end

local entities, sql = {}, { "drop schema if exists keyed cascade; create schema keyed;" }
for name, spec in pairs(TYPES) do
  entities[#entities + 1] = {
    name = name, table = "keyed." .. name .. "s",
    fields = { { name = "k", type = name }, { name = "t", type = "text" }, { name = "v", type = "int4", null = true } },
    key = { name = name .. "s_pkey", "k", "t" },
  }
  entities[#entities + 1] = {
    name = name .. "_alone", table = "keyed." .. name .. "_alone",
    fields = {
      { name = "k", type = name }, { name = "v", type = "int4", null = true },
      { name = "gone", type = "timestamptz", null = true },
    },
    key = { name = name .. "_alone_pkey", "k" }, soft_delete = "gone",
  }
  sql[#sql + 1] = ("create table keyed.%ss (k %s not null, t text not null, v integer, "
    .. "constraint %ss_pkey primary key (k, t));"):format(name, spec[1], name)
  sql[#sql + 1] = ("create table keyed.%s_alone (k %s not null, v integer, gone timestamptz, "
    .. "constraint %s_alone_pkey primary key (k));"):format(name, spec[1], name)
end
table.sort(entities, function(a, b) return a.name < b.name end)
larder.declare { name = "keyed", entities = entities }

--- The stores on db, with empty tables.
function keyed.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(table.concat(sql, "\n")))
    session:rollback()
  end
  return db:stores "keyed"
end

return keyed
