-- A family with a field of every type that other people's tables have, for what both engines must answer alike.

local larder = require "larder"

local typed = {}

-- field → declared type, SQL type, what else is declared
local MOOD = { sql_type = "typed.mood", enum = { "sad", "ok", "Happy", "a\"b, c" } }
local FIELDS = {
  { "d", "date" }, { "ts", "timestamp" }, { "t", "time" }, { "iv", "interval" },
  { "vc", "varchar(5)", "varchar(5)" }, { "c", "char(4)", "char(4)" },
  { "ts3", "timestamp(3)", "timestamp(3)" }, { "tz0", "timestamptz(0)", "timestamptz(0)" },
  { "t1", "time(1)", "time(1)" }, { "iv2", "interval(2)", "interval(2)" },
  { "ip", "inet" }, { "net", "cidr" }, { "mac", "macaddr" }, { "mac8", "macaddr8" }, { "b3", "bit(3)", "bit(3)" },
  { "ir", "int4range" }, { "lr", "int8range" }, { "nr", "numrange" }, { "tr", "tsrange" }, { "zr", "tstzrange" }, { "dr", "daterange" },
  { "vb", "varbit" }, { "vb4", "varbit(4)", "varbit(4)" },
  { "ips", "inet[]" }, { "nets", "cidr[]" }, { "macs", "macaddr[]" }, { "mac8s", "macaddr8[]" }, { "vbs", "varbit[]" },
  { "ds", "date[]" }, { "tss", "timestamp[]" }, { "tms", "time[]" }, { "ivs", "interval[]" }, { "vcs", "varchar[]" },
  { "moods", "enum[]", "typed.mood[]", MOOD }, { "vc3s", "varchar(3)[]" }, { "c3s", "char(3)[]" }, { "b3s", "bit(3)[]" },
  { "n41s", "numeric(4,1)[]" }, { "ts0s", "timestamp(0)[]" }, { "irs", "int4range[]" }, { "lrs", "int8range[]" }, { "nrs", "numrange[]" },
  { "trs", "tsrange[]" }, { "zrs", "tstzrange[]" }, { "drs", "daterange[]" },
}
typed.FIELDS = FIELDS

local fields = { { name = "id", type = "int4" } }
local columns = { "id integer not null" }
for i, field in ipairs(FIELDS) do
  fields[i + 1] = { name = field[1], type = field[2], null = true }
  for key, value in pairs(field[4] or {}) do fields[i + 1][key] = value end
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
  {
    name = "made", table = "typed.made",
    fields = {
      { name = "id", type = "int4", default = { "identity" } },
      { name = "mood", type = "enum", sql_type = "typed.mood", enum = { "sad", "ok", "Happy", "a\"b, c" }, null = true },
      { name = "state", type = "enum", sql_type = "typed.mood", enum = { "sad", "ok", "Happy", "a\"b, c" }, default = "ok" },
      { name = "price", type = "numeric(10,2)", default = "1.50" }, { name = "n", type = "int2", default = 2 },
      { name = "total", type = "numeric", null = true, generated = "(price * (n)::numeric)" },
      { name = "who", type = "text", default = { "database", "('x'::text || 'y'::text)" } },
      { name = "note", type = "varchar(20)", null = true, default = { "database", "('n'::text || 'o'::text)" } },
    },
    key = { name = "made_pkey", "id" }, uniques = { { name = "made_mood_key", "mood", where = { state = "sad" } } },
  },
  {
    name = "small", table = "typed.small",
    fields = { { name = "id", type = "int2", default = { "identity" } }, { name = "v", type = "text" } },
    key = { name = "small_pkey", "id" },
  },
  {
    name = "moods", table = "typed.moods",
    fields = {
      { name = "mood", type = "enum", sql_type = "typed.mood", enum = { "sad", "ok", "Happy", "a\"b, c" } },
      { name = "d", type = "date" }, { name = "v", type = "int4", null = true },
    },
    key = { name = "moods_pkey", "mood", "d" },
  },
}

larder.declare { name = "typed", entities = typed.entities }

local SQL = ([[
drop schema if exists typed cascade;
create schema typed;
create type typed.mood as enum ('sad', 'ok', 'Happy', 'a"b, c');
create table typed.rows (%s, constraint rows_pkey primary key (id), constraint rows_iv_key unique (iv));
create table typed.stamped (id integer not null, made date not null default current_date, at timestamp(3) not null,
  changed timestamp(0) not null, kind char(3) not null default 'a', token char(40) not null, constraint stamped_pkey primary key (id));
create table typed.made (id serial constraint made_pkey primary key, mood typed.mood, state typed.mood not null default 'ok',
  price numeric(10,2) not null default 1.50, n smallint not null default 2, total numeric generated always as (price * n) stored,
  who text collate "C" not null default ('x' || 'y'), note varchar(20) collate "C" default ('n' || 'o'));
create unique index made_mood_key on typed.made (mood) where state = 'sad';
create table typed.small (id smallserial constraint small_pkey primary key, v text collate "C" not null);
create table typed.moods (mood typed.mood not null, d date not null, v integer, constraint moods_pkey primary key (mood, d));
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
