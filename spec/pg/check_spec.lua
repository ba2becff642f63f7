-- Everything in which a database can differ from the declarations: named, mended by the SQL that is given, and undone by it.

local larder = require "larder"
local check = require "larder.migrate.check"
local made = require "spec.support.migrations"
local need = require "spec.support.need"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local DECLARATION = {
  name = "differ",
  entities = {
    { name = "owners", table = "differ.owners",
      fields = {
        { name = "id", type = "text", min_len = 1, max_len = 40 },
        { name = "kind", type = "text", enum = { "person", "firm" }, default = "person" },
      },
      key = { name = "owners_pkey", "id" } },
    { name = "things", table = "differ.things",
      fields = {
        { name = "id", type = "int8", default = { "identity" } },
        { name = "owner_id", type = "text", null = true },
        { name = "code", type = "text" },
        { name = "count", type = "int4", min = 0, max = 100, default = 7 },
        { name = "price", type = "numeric", precision = 12, scale = 2, null = true },
        { name = "data", type = "jsonb", default = {} },
        { name = "tags", type = "text[]", default = { 'a "b"', "c,d", "it's" } },
        { name = "levels", type = "int4[]", default = {} },
        { name = "created_at", type = "timestamptz", stamp = "insert" },
        { name = "deleted_at", type = "timestamptz", null = true },
      },
      key = { name = "things_pkey", "id" },
      uniques = {
        { name = "things_code_key", "code", where = { deleted_at = larder.null } },
        { name = "things_owner_code_key", "owner_id", "code" },
      },
      references = { { name = "things_owner_fkey", fields = { "owner_id" }, to = "owners", on_delete = "set_null" } },
      indexes = { { "-created_at", "id" } },
      soft_delete = "deleted_at" },
    { name = "events", table = "differ.events",
      fields = { { name = "at", type = "timestamptz" }, { name = "id", type = "int8" }, { name = "kind", type = "text", null = true } },
      key = { name = "events_pkey", "at", "id" },
      partition = { by = "at", every = "month" } },
    { name = "texts", table = "differ.texts",
      fields = { { name = "id", type = "int8" }, { name = "body", type = "text" } },
      key = { name = "texts_pkey", "id" },
      search = { vector = "found", config = "simple" } },
  },
}

-- What somebody did to the database, what is said of it, and whether the SQL that is given mends it.
local CASES = {
  { "alter table differ.things drop column price", "column price is missing" },
  { "alter table differ.owners drop column kind", "column kind is missing" },
  { "alter table differ.things alter column price type numeric(9,1)", "declared numeric(12,2), in the database numeric(9,1)" },
  { "alter table differ.things alter column code drop not null", "declared not null, in the database null" },
  { "alter table differ.things alter column price set not null", "declared null, in the database not null" },
  { "alter table differ.things alter column count set default 8", "declared default 7, in the database 8" },
  { "alter table differ.things alter column count drop default", "declared default 7, none" },
  { "alter table differ.things alter column data set default '[]'", "declared default {}, in the database" },
  { "alter table differ.things alter column tags set default '{}'", "column tags: declared default" },
  { "alter table differ.things alter column levels set default '{1}'", "column levels: declared default [], in the database '{1}'" },
  { "alter table differ.things alter column id drop identity", "declared an identity" },
  { "alter table differ.things add column must int not null", "column must is not declared, not null and has no default" },
  { "alter table differ.things drop constraint things_count_range",
    "declared to be min 0, max 100, checked in the database to be anything" },
  { "alter table differ.things drop constraint things_count_range; alter table differ.things add constraint c check (count < 100)",
    "checked in the database to be max 99" },
  { "alter table differ.owners drop constraint owners_kind_check; alter table differ.owners add check (kind in ('person', 'dog'))",
    "declared to be one of person, firm, checked in the database to be one of person, dog" },
  { "alter table differ.owners drop constraint owners_id_length; alter table differ.owners add check (char_length(id) between 1 and 41)",
    "declared to be min_len 1, max_len 40, checked in the database to be min_len 1, max_len 41" },
  { "alter table differ.things add check (char_length(code) <= 3)", "declared to be anything, checked in the database to be max_len 3" },
  { "alter table differ.things drop constraint things_count_range; alter table differ.things add constraint things_count_range "
    .. "check (count between 0 and 100) not valid", "check things_count_range is not validated" },
  { "alter table differ.things drop constraint things_count_range; alter table differ.things add constraint things_count_range "
    .. "check (count between 0 and 100) not enforced", "checked in the database to be anything", 18 },
  { "alter table differ.things alter column code drop not null; alter table differ.things add constraint given not null code not valid",
    "column code: not null is not validated", 18 },
  { "alter table differ.things alter constraint things_owner_fkey not enforced", "reference things_owner_fkey is not enforced", 18 },
  { "alter table differ.things add constraint other check (count > price) not valid", "check other is not validated" },
  { "drop index differ.things_code_key", "unique things_code_key is missing" },
  { "drop index differ.things_code_key; create unique index things_code_key on differ.things (code)",
    "things_code_key: declared where deleted_at is null, in the database for all rows" },
  { "drop index differ.things_code_key; create unique index things_code_key on differ.things (code) where owner_id is null",
    "in the database where (owner_id IS NULL)" },
  { "drop index differ.things_code_key; create unique index things_code_key on differ.things (code, id) where deleted_at is null",
    "declared on (code), in the database on (code, id)" },
  { "create unique index more on differ.things (price)", "unique more is not declared" },
  { "alter table differ.things drop constraint things_owner_code_key; "
    .. "alter table differ.things add constraint things_owner_code_key unique (owner_id, code) deferrable", "is deferrable" },
  { "alter table differ.things drop constraint things_owner_code_key; "
    .. "alter table differ.things add constraint things_owner_code_key unique nulls not distinct (owner_id, code)",
    "nulls are declared to be different, and are equal in the database", 15 },
  { "alter table differ.things drop constraint things_pkey", "primary key things_pkey is missing" },
  { "alter table differ.things drop constraint things_pkey; alter table differ.things add constraint things_pkey primary key (code)",
    "declared on (id), in the database on (code)" },
  { "drop index differ.things_created_at_id_idx", "no index on (-created_at, id)" },
  { "drop index differ.things_created_at_id_idx; create index things_created_at_id_idx on differ.things (created_at, id)",
    "no index on (-created_at, id)" },
  { "drop index differ.things_created_at_id_idx; create index things_created_at_id_idx on differ.things "
    .. "(created_at desc nulls last, id)", "no index on (-created_at, id)" },
  { "alter table differ.owners drop constraint owners_id_length; alter table differ.things drop constraint things_owner_fkey; "
    .. "alter table differ.owners alter column id type varchar(30) collate \"C\"; "
    .. "alter table differ.things add constraint things_owner_fkey foreign key (owner_id) references differ.owners "
    .. "on delete set null; alter table differ.owners add constraint owners_id_length check (char_length(id) between 1 and 40)",
    "column id: declared text, in the database character varying(30)" },
  { "alter table differ.things drop constraint things_owner_fkey", "reference things_owner_fkey is missing" },
  { "alter table differ.things drop constraint things_owner_fkey; alter table differ.things add constraint things_owner_fkey "
    .. "foreign key (owner_id) references differ.owners on delete cascade", "declared on delete set_null, in the database cascade" },
  { "alter table differ.things drop constraint things_owner_fkey; alter table differ.things add constraint things_owner_fkey "
    .. "foreign key (owner_id) references differ.owners on delete set null not valid", "is not validated" },
  { "alter table differ.things add constraint more foreign key (code) references differ.owners", "reference more is not declared" },
  { "alter table differ.things alter column code type text collate \"en-x-icu\"", "does not order by bytes" },
  { "drop table differ.things", "table is missing" },
  { "drop table differ.events; create table differ.events (at timestamptz not null, id int8 not null, kind text, "
    .. "constraint events_pkey primary key (at, id))", "declared to be partitioned by RANGE (at), in the database not partitioned",
    nil, "by hand" },
  { "alter table differ.texts drop column found; alter table differ.texts add found tsvector", "not a generated tsvector", nil, "by hand" },
}

describe("what differs", function()
  local db

  local function script(sql)
    local session = assert(db._engine:session {})
    local ok, err = session:script(sql)
    session:rollback()
    assert(ok, tostring(err) .. "\n" .. sql)
  end

  local function faults()
    local list, text, sql, undo = assert(check(db, "differ")), {}, {}, {}
    for i, fault in ipairs(list) do
      text[i], sql[i] = fault.store .. ": " .. fault.message, fault.sql or ""
      table.insert(undo, 1, fault.undo or "")
    end
    return table.concat(text, "\n"), table.concat(sql, "\n"), table.concat(undo, "\n"), #list
  end

  setup(function()
    larder.declare(DECLARATION)
    db = assert(larder.open(url))
  end)

  teardown(function()
    assert(db:query "drop schema if exists differ cascade")
    db:close()
  end)

  before_each(function()
    assert(db:query "drop schema if exists differ cascade")
    local _, sql = faults()
    script(sql)
  end)

  it("is none when everything was made by the SQL that mends it, and all of it can be undone", function()
    assert.equal("", (faults()))
    assert(db:query "drop schema differ cascade")
    local text, sql, undo, n = faults()
    assert.equal(4, n, text)
    script(sql)
    script(undo)
    assert.is_false(assert(db:query "select to_regnamespace('differ') is not null as there")[1].there)
  end)

  for _, case in ipairs(CASES) do
    local older, title = case[3] and need.version(case[3]), "is named and mended: " .. case[1]
    local test = older and function(name) pending(older .. ": " .. name) end or it
    test(title, function()
      script(case[1])
      local text, sql, undo, n = faults()
      assert.equal(1, n, text)
      assert.is_truthy(text:find(case[2], 1, true), text)
      if case[4] then return end
      script(sql)
      assert.equal("", (faults()))
      if undo ~= "" then
        script(undo)
        assert.equal(1, (select(4, faults())))
      end
    end)
  end

  it("is nothing where only the database can say it, which is named all the same", function()
    script "alter table differ.things add constraint sum check (count < 50 or price is null)"
    script "alter table differ.things add constraint apart exclude using gist (int4range(count, count + 1) with &&)"
    script "create unique index lower on differ.owners (lower(kind))"
    script "alter table differ.things add extra int generated always as (count + 1) stored"
    script "alter table differ.owners alter column id type varchar(40) collate \"C\""
    if not need.version(18) then script "alter table differ.things add doubled int generated always as (count * 2) virtual" end
    local list, alone = assert(check(db, "differ"))
    assert.same({}, list)
    local text = {}
    for i, item in ipairs(alone) do text[i] = item.message end
    table.sort(text)
    assert.same({
      "check sum is the database's alone, and memory does not know it: ((count < 50) OR (price IS NULL))",
      "exclusion constraint apart is the database's alone, and memory does not know it",
      "unique lower is the database's alone, and memory does not know it",
    }, text)
  end)

  it("knows a table that was left out on purpose, too", function()
    assert(db:query "drop table differ.texts")
    assert(db:migrate "auth") -- makes the tables of the record
    local dir = made.directory { ["1_texts.up.sql"] = "-- larder: only plain\ncreate table differ.texts (id int8);\n" }
    require("larder.family").get("differ").migrations = dir
    assert(db:query("insert into larder.schema_migrations (family, version, name, checksum, skipped, duration_ms) "
      .. "values ('differ', 1, 'texts', '', true, 0)"))
    local list, on_purpose = assert(check(db, "differ"))
    assert(db:query "delete from larder.schema_migrations where family = 'differ'")
    require("larder.family").get("differ").migrations = nil
    made.remove(dir)
    assert.same({}, list)
    assert.same({ "table is missing", "1_texts.up.sql" }, { on_purpose[1].message, on_purpose[1].skipped })
  end)

  it("knows what was left out on purpose", function()
    assert(db:migrate "auth")
    assert(db:query "alter table auth.app_keys drop constraint unique_key_id")
    local list = assert(check(db, "auth"))
    assert.same({ 1, "unique unique_key_id is missing" }, { #list, list[1].message })
    local where = "from larder.schema_migrations where family = 'auth' and version = (select max(version) from "
      .. "larder.schema_migrations where family = 'auth' and name like '%unique%')"
    assert.equal(1, assert(db:query("select count(*) as n " .. where))[1].n)
    assert(db:query("update larder.schema_migrations set skipped = true " .. where:gsub("^from larder.schema_migrations ", "")))
    local on_purpose
    list, on_purpose = assert(check(db, "auth"))
    assert.same({}, list)
    assert.is_truthy(on_purpose[1].skipped:find "%.up%.sql$")
    assert(db:query("update larder.schema_migrations set skipped = false " .. where:gsub("^from larder.schema_migrations ", "")))
    assert(db:query "alter table auth.app_keys add constraint unique_key_id unique (key_id)")
  end)

  for _, family in ipairs { "auth", "controlplane", "csms", "content" } do
    it("is none in what the migrations make: " .. family, function()
      assert(db:migrate(family))
      assert.same({}, assert(check(db, family)))
    end)
  end
end)
