-- A family whose tables refer to themselves and to each other in every way: each kind of deletion, composite references with parts
-- that are null, uniques over nulls, and rows that are marked as deleted.

local larder = require "larder"

local tangle = {}

local function int(name, null) return { name = name, type = "int4", null = null } end

tangle.entities = {
  {
    name = "nodes", table = "tangle.nodes",
    fields = { int "id", int("up", true), int("near", true), int("v", true), { name = "name", type = "text", null = true } },
    key = { name = "nodes_pkey", "id" },
    uniques = { { name = "nodes_name_key", "name", "v" } },
    references = {
      { name = "nodes_up_fkey", fields = { "up" }, to = "nodes", on_delete = "cascade" },
      { name = "nodes_near_fkey", fields = { "near" }, to = "nodes", on_delete = "set_null" },
    },
  },
  {
    name = "firms", table = "tangle.firms",
    fields = { int "id", int("over", true), int("v", true), { name = "gone", type = "timestamptz", null = true } },
    key = { name = "firms_pkey", "id" },
    references = { { name = "firms_over_fkey", fields = { "over" }, to = "firms", on_delete = "restrict" } },
    soft_delete = "gone",
  },
  {
    name = "places", table = "tangle.places",
    fields = { { name = "a", type = "text" }, int "b", int("v", true), { name = "data", type = "jsonb", null = true } },
    key = { name = "places_pkey", "a", "b" },
  },
  {
    name = "holds", table = "tangle.holds",
    fields = { int "id", { name = "pa", type = "text", null = true }, int("pb", true), int("node", true), int("firm", true) },
    key = { name = "holds_pkey", "id" },
    uniques = { { name = "holds_node_key", "node" } },
    references = {
      { name = "holds_place_fkey", fields = { "pa", "pb" }, to = "places", on_delete = "cascade" },
      { name = "holds_node_fkey", fields = { "node" }, to = "nodes", on_delete = "set_null", as = "on_node", one = "hold" },
      { name = "holds_firm_fkey", fields = { "firm" }, to = "firms", on_delete = "restrict" },
    },
  },
  {
    name = "marks", table = "tangle.marks",
    fields = { int "hold", int "n", { name = "qa", type = "text", null = true }, int("qb", true) },
    key = { name = "marks_pkey", "hold", "n" },
    references = {
      { name = "marks_hold_fkey", fields = { "hold" }, to = "holds", on_delete = "cascade" },
      { name = "marks_place_fkey", fields = { "qa", "qb" }, to = "places", on_delete = "set_null" },
    },
  },
}

larder.declare { name = "tangle", entities = tangle.entities }

local SQL = [[
drop schema if exists tangle cascade;
create schema tangle;
create table tangle.nodes (
  id integer not null, up integer, near integer, v integer, name text collate "C",
  constraint nodes_pkey primary key (id), constraint nodes_name_key unique (name, v),
  constraint nodes_up_fkey foreign key (up) references tangle.nodes (id) on delete cascade,
  constraint nodes_near_fkey foreign key (near) references tangle.nodes (id) on delete set null
);
create table tangle.firms (
  id integer not null, over integer, v integer, gone timestamptz,
  constraint firms_pkey primary key (id),
  constraint firms_over_fkey foreign key (over) references tangle.firms (id) on delete restrict
);
create table tangle.places (
  a text collate "C" not null, b integer not null, v integer, data jsonb, constraint places_pkey primary key (a, b)
);
create table tangle.holds (
  id integer not null, pa text collate "C", pb integer, node integer, firm integer,
  constraint holds_pkey primary key (id), constraint holds_node_key unique (node),
  constraint holds_place_fkey foreign key (pa, pb) references tangle.places (a, b) on delete cascade,
  constraint holds_node_fkey foreign key (node) references tangle.nodes (id) on delete set null,
  constraint holds_firm_fkey foreign key (firm) references tangle.firms (id) on delete restrict
);
create table tangle.marks (
  hold integer not null, n integer not null, qa text collate "C", qb integer,
  constraint marks_pkey primary key (hold, n),
  constraint marks_hold_fkey foreign key (hold) references tangle.holds (id) on delete cascade,
  constraint marks_place_fkey foreign key (qa, qb) references tangle.places (a, b) on delete set null
);
]]

--- The family's stores on db, with empty tables.
function tangle.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(SQL))
    session:rollback()
  end
  return db:stores "tangle"
end

return tangle
