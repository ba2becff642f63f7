-- A family with a field of every type, for what both engines must answer alike.

local larder = require "larder"

local twin = {}

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
      },
      key = { name = "types_pkey", "id" },
      uniques = {
        { name = "types_half", "big", where = { f4 = 0.1 } },
        { name = "types_pair", "u1", "u2", where = { flag = true }, nulls_distinct = false },
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
create table twin.types (
  id bigint not null, f4 real, f8 double precision, n numeric, small smallint, big bigint, text text collate "C",
  at timestamptz, doc jsonb, raw json, texts text[], docs json[], f4s real[],
  whole integer, flag boolean, token uuid, bytes bytea, shorts smallint[], longs bigint[], wholes integer[], f8s double precision[],
  ns numeric[], ats timestamptz[], tokens uuid[], blobs bytea[], flags boolean[], "binary" jsonb[],
  lim numeric(6,2), share real, day date, span interval, u1 smallint, u2 smallint,
  constraint types_pkey primary key (id)
);
create unique index types_half on twin.types (big) where f4 = '0.1'::real;
create unique index types_pair on twin.types (u1, u2) nulls not distinct where flag;
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
