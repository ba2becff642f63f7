-- The family of the regression specs, on either engine: one store with a field of many types, one of key columns alone, and a parent
-- with children.

local larder = require "larder"

local stores = {}

larder.declare {
  name = "regress",
  entities = {
    {
      name = "things", table = "regress.things",
      fields = {
        { name = "id", type = "text" },
        { name = "title", type = "text", null = true },
        { name = "n", type = "int4", null = true, min = 0, max = 10 },
        { name = "big", type = "int8", null = true },
        { name = "price", type = "numeric", null = true },
        { name = "real", type = "float4", null = true },
        { name = "at", type = "timestamptz", null = true },
        { name = "doc", type = "jsonb", null = true },
        { name = "tags", type = "text[]", null = true },
      },
      key = { name = "things_pkey", "id" },
      uniques = { { name = "things_title_key", "title" } },
    },
    {
      name = "pairs", table = "regress.pairs",
      fields = { { name = "a", type = "int4" }, { name = "b", type = "int4" } },
      key = { name = "pairs_pkey", "a", "b" },
    },
    {
      name = "kids", table = "regress.kids",
      fields = { { name = "id", type = "int4" }, { name = "thing", type = "text", null = true } },
      key = { name = "kids_pkey", "id" },
      references = { { name = "kids_thing_fkey", fields = { "thing" }, to = "things", on_delete = "restrict" } },
    },
  },
}

stores.sql = [[
drop schema if exists regress cascade;
create schema regress;
create table regress.things (
  id text collate "C" not null, title text collate "C", n integer, big bigint, price numeric, "real" real, at timestamptz, doc jsonb,
  tags text[], constraint things_pkey primary key (id), constraint things_title_key unique (title)
);
create table regress.pairs (a integer not null, b integer not null, constraint pairs_pkey primary key (a, b));
create table regress.kids (
  id integer not null, thing text collate "C", constraint kids_pkey primary key (id),
  constraint kids_thing_fkey foreign key (thing) references regress.things (id) on delete restrict
);
]]

--- Empty tables on db, and their stores.
function stores.of(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(stores.sql))
    session:rollback()
  end
  return db:stores "regress"
end

--- What each engine is opened by.
stores.engines = { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" }

return stores
