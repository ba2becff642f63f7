-- A family with a field of every type, for what both engines must answer alike.

local larder = require "larder"

local twin = {}

local MOODS = { "sad", "so so", "Ok", 'a "b", {c}', "NULL" } -- not in the order of their letters

twin.declaration = {
  name = "twin",
  entities = {
    {
      name = "types", table = "twin.types",
      fields = {
        { name = "id", type = "int8" },
        { name = "f4", type = "float4", null = true },
        { name = "f8", type = "float8", null = true },
        { name = "n", type = "numeric", null = true },
        { name = "small", type = "int2", null = true, min = -5, max = 10 },
        { name = "big", type = "int8", null = true },
        { name = "text", type = "text", null = true },
        { name = "at", type = "timestamptz", null = true },
        { name = "doc", type = "jsonb", null = true },
        { name = "raw", type = "json", null = true },
        { name = "texts", type = "text[]", null = true },
        { name = "docs", type = "json[]", null = true },
        { name = "f4s", type = "float4[]", null = true },
        { name = "whole", type = "int4", null = true },
        { name = "flag", type = "bool", null = true },
        { name = "token", type = "uuid", null = true },
        { name = "bytes", type = "bytea", null = true },
        { name = "shorts", type = "int2[]", null = true },
        { name = "longs", type = "int8[]", null = true },
        { name = "wholes", type = "int4[]", null = true },
        { name = "f8s", type = "float8[]", null = true },
        { name = "ns", type = "numeric[]", null = true },
        { name = "ats", type = "timestamptz[]", null = true },
        { name = "tokens", type = "uuid[]", null = true },
        { name = "blobs", type = "bytea[]", null = true },
        { name = "flags", type = "bool[]", null = true },
        { name = "binary", type = "jsonb[]", null = true },
        { name = "lim", type = "numeric", precision = 6, scale = 2, null = true, min = "-5.005", max = "10.50" },
        { name = "share", type = "float4", null = true, min = -0.1, max = 0.1 },
        { name = "day", type = "date", null = true, min = "2026-01-01", max = "2026-12-31" },
        { name = "span", type = "interval", null = true, min = "PT0S", max = "P1M" },
        { name = "u1", type = "int2", null = true }, { name = "u2", type = "int2", null = true },
        { name = "hour", type = "time", null = true }, { name = "hour0", type = "time(0)", null = true },
        { name = "stamp", type = "timestamp", null = true }, { name = "stamp3", type = "timestamp(3)", null = true },
        { name = "date", type = "date", null = true }, { name = "gap", type = "interval", null = true },
        { name = "gap2", type = "interval(2)", null = true },
        { name = "mood", type = "enum", sql_type = "twin.mood", enum = MOODS, null = true },
        { name = "ip", type = "inet", null = true }, { name = "net", type = "cidr", null = true },
        { name = "mac", type = "macaddr", null = true }, { name = "mac8", type = "macaddr8", null = true },
        { name = "code", type = "char(3)", null = true }, { name = "word", type = "varchar(4)", null = true },
        { name = "bits", type = "bit(3)", null = true }, { name = "some_bits", type = "varbit(6)", null = true },
        { name = "r4", type = "int4range", null = true }, { name = "r8", type = "int8range", null = true },
        { name = "rn", type = "numrange", null = true }, { name = "rs", type = "tsrange", null = true },
        { name = "rz", type = "tstzrange", null = true }, { name = "rd", type = "daterange", null = true },
        { name = "hours", type = "time(1)[]", null = true }, { name = "stamps", type = "timestamp(0)[]", null = true },
        { name = "dates", type = "date[]", null = true }, { name = "gaps", type = "interval[]", null = true },
        { name = "moods", type = "enum[]", sql_type = "twin.mood", enum = MOODS, null = true },
        { name = "ips", type = "inet[]", null = true }, { name = "nets", type = "cidr[]", null = true },
        { name = "macs", type = "macaddr[]", null = true }, { name = "mac8s", type = "macaddr8[]", null = true },
        { name = "codes", type = "char(3)[]", null = true }, { name = "words", type = "varchar(4)[]", null = true },
        { name = "bitss", type = "bit(3)[]", null = true }, { name = "some_bitss", type = "varbit(6)[]", null = true },
        { name = "cents", type = "numeric(6,2)[]", null = true },
        { name = "r4s", type = "int4range[]", null = true }, { name = "rns", type = "numrange[]", null = true },
        { name = "rzs", type = "tstzrange[]", null = true }, { name = "rds", type = "daterange[]", null = true },
      },
      key = { name = "types_pkey", "id" },
      uniques = {
        { name = "types_half", "big", where = { f4 = 0.1 } },
        { name = "types_pair", "u1", "u2", where = { flag = true }, nulls_distinct = false },
        { name = "types_equal", "code", "ip", where = { flag = false } },
        { name = "types_range", "rn", where = { u1 = 1 } }, { name = "types_gap", "gap", where = { u1 = 2 } },
      },
    },
    {
      name = "floats", table = "twin.floats",
      fields = { { name = "k", type = "float4" }, { name = "v", type = "int4", null = true } },
      key = { name = "floats_pkey", "k" },
    },
    {
      name = "parents", table = "twin.parents",
      fields = {
        { name = "id", type = "int4" }, { name = "name", type = "text", null = true }, { name = "v", type = "int4", default = 0 },
      },
      key = { name = "parents_pkey", "id" },
      uniques = { { name = "parents_name_key", "name" } },
    },
    {
      name = "kids", table = "twin.kids",
      fields = { { name = "id", type = "int4" }, { name = "parent", type = "int4", null = true } },
      key = { name = "kids_pkey", "id" },
      references = { { name = "kids_parent_fkey", fields = { "parent" }, to = "parents", on_delete = "restrict" } },
    },
  },
}

local SQL = [[
drop schema if exists twin cascade;
create schema twin;
create type twin.mood as enum ('sad', 'so so', 'Ok', 'a "b", {c}', 'NULL');
create table twin.types (
  id bigint not null, f4 real, f8 double precision, n numeric, small smallint, big bigint, text text collate "C",
  at timestamptz, doc jsonb, raw json, texts text[], docs json[], f4s real[],
  whole integer, flag boolean, token uuid, bytes bytea, shorts smallint[], longs bigint[], wholes integer[], f8s double precision[],
  ns numeric[], ats timestamptz[], tokens uuid[], blobs bytea[], flags boolean[], "binary" jsonb[],
  lim numeric(6,2), share real, day date, span interval, u1 smallint, u2 smallint,
  hour time, hour0 time(0), stamp timestamp, stamp3 timestamp(3), date date, gap interval, gap2 interval(2), mood twin.mood,
  ip inet, net cidr, mac macaddr, mac8 macaddr8, code char(3) collate "C", word varchar(4) collate "C", bits bit(3), some_bits varbit(6),
  r4 int4range, r8 int8range, rn numrange, rs tsrange, rz tstzrange, rd daterange, hours time(1)[], stamps timestamp(0)[], dates date[],
  gaps interval[], moods twin.mood[], ips inet[], nets cidr[], macs macaddr[], mac8s macaddr8[], codes char(3)[] collate "C",
  words varchar(4)[] collate "C", bitss bit(3)[], some_bitss varbit(6)[], cents numeric(6,2)[],
  r4s int4range[], rns numrange[], rzs tstzrange[], rds daterange[],
  constraint types_pkey primary key (id)
);
create unique index types_half on twin.types (big) where f4 = '0.1'::real;
create unique index types_pair on twin.types (u1, u2) nulls not distinct where flag;
create unique index types_equal on twin.types (code, ip) where not flag;
create unique index types_range on twin.types (rn) where u1 = 1;
create unique index types_gap on twin.types (gap) where u1 = 2;
create table twin.floats (k real not null, v integer, constraint floats_pkey primary key (k));
create table twin.parents (
  id integer not null, name text collate "C", v integer not null default 0,
  constraint parents_pkey primary key (id), constraint parents_name_key unique (name)
);
create table twin.kids (
  id integer not null, parent integer,
  constraint kids_pkey primary key (id),
  constraint kids_parent_fkey foreign key (parent) references twin.parents (id) on delete restrict
);
]]

larder.declare(twin.declaration)

--- The family's stores on db, with empty tables.
function twin.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(SQL))
    session:rollback()
  end
  return db:stores "twin"
end

return twin
