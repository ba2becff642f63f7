-- A family made for tests: every field type, every kind of constraint, every delete action.

local larder = require "larder"

local zoo = {}

zoo.declaration = {
  name = "zoo",
  entities = {
    {
      name = "orgs", table = "zoo.orgs",
      fields = {
        { name = "id", type = "text", min_len = 1, max_len = 20 },
        { name = "name", type = "text", max_len = 20 },
        { name = "rank", type = "int4", null = true },
        { name = "data", type = "jsonb", null = true },
        { name = "created_at", type = "timestamptz", stamp = "insert" },
        { name = "updated_at", type = "timestamptz", stamp = "update" },
      },
      key = { name = "orgs_pkey", "id" },
      uniques = { { name = "orgs_name_key", "name" } },
      indexes = { { "-created_at", "id" } },
      tenant = "id",
    },
    {
      name = "people", table = "zoo.people",
      fields = {
        { name = "org_id", type = "text" },
        { name = "id", type = "text", min_len = 1, max_len = 20 },
        { name = "email", type = "text", null = true },
        { name = "kind", type = "text", enum = { "staff", "guest", "bot" }, default = "staff" },
        { name = "score", type = "numeric", precision = 8, scale = 2, null = true },
        { name = "visits", type = "int8", default = 0 },
        { name = "weight", type = "float8", null = true },
        { name = "active", type = "bool", default = true },
        { name = "token", type = "uuid", null = true },
        { name = "blob", type = "bytea", null = true },
        { name = "tags", type = "text[]", null = true },
        { name = "deleted_at", type = "timestamptz", null = true },
        { name = "updated_at", type = "timestamptz", stamp = "update" },
      },
      key = { name = "people_pkey", "org_id", "id" },
      uniques = { { name = "people_email_key", "org_id", "email", where = { deleted_at = larder.null } } },
      references = { { name = "people_org_fkey", fields = { "org_id" }, to = "orgs", as = "org", many = "people", on_delete = "cascade" } },
      indexes = { { "org_id", "kind", "-visits", "id" } },
      tenant = "org_id",
    },
    {
      name = "teams", table = "zoo.teams",
      fields = {
        { name = "org_id", type = "text" },
        { name = "id", type = "text", min_len = 1, max_len = 20 },
        { name = "lead_id", type = "text", null = true },
        { name = "size", type = "int2", default = 1, min = 0 },
      },
      key = { name = "teams_pkey", "org_id", "id" },
      references = {
        { name = "teams_org_fkey", fields = { "org_id" }, to = "orgs", as = "org", many = "teams", on_delete = "cascade" },
        {
          name = "teams_lead_fkey", fields = { "org_id", "lead_id" }, to = "people", as = "lead", many = "led", on_delete = "set_null",
          set_null = { "lead_id" },
        },
      },
      tenant = "org_id",
    },
    {
      name = "badges", table = "zoo.badges",
      fields = {
        { name = "org_id", type = "text" },
        { name = "id", type = "text", min_len = 1, max_len = 20 },
        { name = "person_id", type = "text" },
        { name = "code", type = "text" },
      },
      key = { name = "badges_pkey", "org_id", "id" },
      uniques = { { name = "badges_code_key", "org_id", "code" } },
      references = {
        { name = "badges_org_fkey", fields = { "org_id" }, to = "orgs", on_delete = "cascade" },
        {
          name = "badges_person_fkey", fields = { "org_id", "person_id" }, to = "people", as = "person", many = "badges",
          on_delete = "restrict",
        },
      },
      tenant = "org_id",
    },
  },
}

zoo.sql = [[
drop schema if exists zoo cascade;
create schema zoo;
create table zoo.orgs (
  id          text        not null,
  name        text        collate "C" not null,
  rank        integer,
  data        jsonb,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  constraint orgs_pkey primary key (id),
  constraint orgs_name_key unique (name)
);
create table zoo.people (
  org_id      text        not null,
  id          text        collate "C" not null,
  email       text        collate "C",
  kind        text        collate "C" not null default 'staff',
  score       numeric(8,2),
  visits      bigint      not null default 0,
  weight      double precision,
  active      boolean     not null default true,
  token       uuid,
  blob        bytea,
  tags        text[],
  deleted_at  timestamptz,
  updated_at  timestamptz not null default now(),
  constraint people_pkey primary key (org_id, id),
  constraint people_org_fkey foreign key (org_id) references zoo.orgs (id) on delete cascade
);
create unique index people_email_key on zoo.people (org_id, email) where deleted_at is null;
create table zoo.teams (
  org_id      text        not null,
  id          text        collate "C" not null,
  lead_id     text        collate "C",
  size        smallint    not null default 1,
  constraint teams_pkey primary key (org_id, id),
  constraint teams_org_fkey foreign key (org_id) references zoo.orgs (id) on delete cascade,
  constraint teams_lead_fkey foreign key (org_id, lead_id) references zoo.people (org_id, id) on delete set null (lead_id)
);
create table zoo.badges (
  org_id      text        not null,
  id          text        collate "C" not null,
  person_id   text        collate "C" not null,
  code        text        collate "C" not null,
  constraint badges_pkey primary key (org_id, id),
  constraint badges_code_key unique (org_id, code),
  constraint badges_org_fkey foreign key (org_id) references zoo.orgs (id) on delete cascade,
  constraint badges_person_fkey foreign key (org_id, person_id) references zoo.people (org_id, id) on delete restrict
);
]]

larder.declare(zoo.declaration)

-- Before version 15 a reference clears all of its columns or none; there a trigger clears the one.
local function older_sql()
  local sql, n = zoo.sql:gsub(" on delete set null %(lead_id%)", "")
  assert(n == 1)
  return sql .. [[
create function zoo.clear_lead() returns trigger language plpgsql as $$
begin
  update zoo.teams set lead_id = null where org_id = old.org_id and lead_id = old.id;
  return old;
end $$;
create trigger clear_lead before delete on zoo.people for each row execute function zoo.clear_lead();
]]
end

--- The zoo's stores on db, with empty tables.
function zoo.stores(db)
  if db:kind() ~= "memory" then
    local session = assert(db:_migration_engine():session {})
    assert(session:script(db:health().server_version < 150000 and older_sql() or zoo.sql))
    session:rollback()
  end
  return db:stores "zoo"
end

return zoo
