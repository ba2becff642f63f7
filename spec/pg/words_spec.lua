-- The server's own words: raised errors, triggers, rules and policies, partitions.

local larder = require "larder"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

larder.declare {
  name = "words",
  entities = { {
    name = "rooms", table = "larder_words.rooms",
    fields = {
      { name = "tenant", type = "text" },
      { name = "id", type = "text" },
      { name = "title", type = "text", null = true },
    },
    key = { name = "rooms_pkey", "tenant", "id" },
    uniques = { { name = "rooms_title_key", "tenant", "title" } },
  } },
}

larder.declare { name = "met", entities = {
  { name = "rooms", table = "larder_met.rooms", key = { name = "rooms_pkey", "id" },
    fields = { { name = "id", type = "text" }, { name = "label", column = "Title", type = "text", null = true } } },
  { name = "logs", table = "larder_met.logs", key = { name = "logs_pkey", "number" },
    fields = { { name = "number", column = "id", type = "text" } } },
  { name = "guests", table = "larder_met.guests", key = { name = "guests_pkey", "id" },
    fields = { { name = "id", type = "text" }, { name = "room", type = "text", null = true } },
    references = { { name = "guests_room_fkey", fields = { "room" }, to = "rooms" } } },
} }

describe("the server's words", function()
  local db, rooms

  setup(function()
    db = assert(larder.open(url))
    must(db:query "drop schema if exists larder_words cascade")
    must(db:query "create schema larder_words")
    must(db:query [[create table larder_words.rooms (tenant text, id text, title text,
      constraint rooms_pkey primary key (tenant, id),
      constraint rooms_title_key unique (tenant, title)) partition by list (tenant)]])
    must(db:query "create table larder_words.rooms_p1 partition of larder_words.rooms for values in ('a')")
    must(db:query [[create table larder_words.diary (tenant text, id text, title text not null,
      constraint diary_pkey primary key (tenant, id))]])
    must(db:query [[create function larder_words.watch() returns trigger language plpgsql as $$ begin
      if new.title = 'gone' then return null; end if;
      if new.title = 'twice' then insert into larder_words.diary select new.tenant, new.id, 'a' from generate_series(1, 2); end if;
      if new.title = 'untitled' then insert into larder_words.diary values (new.tenant, new.id); end if;
      if new.title like '_____:%' then
        raise exception '%', substr(new.title, 7) using errcode = left(new.title, 5);
      end if;
      return new; end $$]])
    must(db:query [[create trigger watch before insert or update on larder_words.rooms_p1
      for each row execute function larder_words.watch()]])
    rooms = db:stores("words").rooms
  end)

  teardown(function()
    must(db:query "drop schema larder_words cascade")
    db:close()
  end)

  before_each(function() must(db:query "truncate larder_words.rooms") end)

  it("are kept when a function raises them, whatever its SQLSTATE", function()
    local codes = {
      ["23505"] = "conflict", ["23514"] = "check", ["23503"] = "foreign_key", ["22023"] = "invalid",
      ["22001"] = "invalid", ["P0001"] = "invalid", ["45000"] = "invalid", ["ZZ001"] = "invalid",
    }
    for state, code in pairs(codes) do
      local row, err = rooms:create { tenant = "a", id = "1", title = state .. ":the room is booked" }
      assert.is_nil(row)
      assert.equal("the room is booked", err.message)
      assert.equal(state, err.sqlstate)
      assert.equal(code, err.code)
    end
  end)

  it("say that a trigger took the row: create and upsert never answer nil without an error", function()
    local row, err = rooms:create { tenant = "a", id = "1", title = "gone" }
    assert.is_nil(row)
    assert.equal("check", err.code)
    assert.is_truthy(err.message:find("did not store", 1, true))
    row, err = rooms:upsert { tenant = "a", id = "1", title = "gone" }
    assert.is_nil(row)
    assert.equal("check", err.code)
    local ok
    ok, err = db:transaction(function()
      must(rooms:create { tenant = "a", id = "before" })
      return rooms:upsert { tenant = "a", id = "1", title = "gone" }
    end)
    assert.is_nil(ok)
    assert.equal("check", err.code)
    assert.equal(0, must(rooms:count()))
  end)

  it("say that a policy hides the new row", function()
    must(db:query "create role larder_words_role")
    must(db:query "grant usage on schema larder_words to larder_words_role")
    must(db:query "grant all on larder_words.rooms to larder_words_role")
    must(db:query "alter table larder_words.rooms enable row level security")
    must(db:query "create policy see on larder_words.rooms for select using (title <> 'hidden')")
    must(db:query "create policy put on larder_words.rooms for insert with check (true)")
    for _, method in ipairs { "create", "upsert" } do
      local ok, err = db:transaction(function()
        must(db:query "set local role larder_words_role")
        return rooms[method](rooms, { tenant = "a", id = "1", title = "hidden" })
      end)
      assert.is_nil(ok)
      assert.equal("permission", err.code)
    end
    must(db:query "drop policy see on larder_words.rooms")
    must(db:query "drop policy put on larder_words.rooms")
    must(db:query "alter table larder_words.rooms disable row level security")
    must(db:query "drop owned by larder_words_role")
    must(db:query "drop role larder_words_role")
  end)

  it("name a partition's unique as it is declared", function()
    must(rooms:create { tenant = "a", id = "1", title = "one" })
    local _, err = rooms:create { tenant = "a", id = "2", title = "one" }
    assert.equal("rooms_title_key", err.constraint)
    assert.equal("rooms", err.table)
    assert.equal('duplicate value violates unique constraint "rooms_title_key"', err.message)
    err = select(2, rooms:create { tenant = "a", id = "1", title = "two" })
    assert.equal("rooms_pkey", err.constraint)
  end)

  it("are not taken for the store's own where a trigger of a partition met another table", function()
    local row, err = rooms:create { tenant = "a", id = "1", title = "twice" }
    assert.is_nil(row)
    assert.same({ "conflict", "diary_pkey", "diary" }, { err.code, err.constraint, err.table })
    assert.equal('duplicate value violates unique constraint "diary_pkey"', err.message)
    err = select(2, rooms:create_many { { tenant = "a", id = "1" }, { tenant = "a", id = "2", title = "twice" } })
    assert.equal("diary_pkey", err.constraint)
    local report
    report, err = larder.transfer({ words = { rooms = { { tenant = "a", id = "1", title = "twice" } } } }, db, { families = { "words" } })
    assert.is_nil(report)
    assert.equal("diary_pkey", err.constraint)
    err = select(2, rooms:create { tenant = "a", id = "1", title = "untitled" })
    assert.same({ "not_null", "diary", "title" }, { err.code, err.table, err.column })
    must(rooms:create { tenant = "a", id = "1", title = "one" }) -- and a partition's own is told as before, in every way
    local again = { tenant = "a", id = "1", title = "two" }
    for _, call in ipairs {
      function() return rooms:create(again) end,
      function() return rooms:create_many { again } end,
      function() return larder.transfer({ words = { rooms = { again } } }, db, { families = { "words" } }) end,
    } do
      err = select(2, call())
      assert.equal("rooms_pkey", err.constraint)
    end
  end)

  it("say that no partition takes the row", function()
    local _, err = rooms:create { tenant = "b", id = "1" }
    assert.equal("check", err.code)
    assert.is_truthy(err.message:find("no partition", 1, true))
  end)
end)

-- An application that takes a conflict of its own key for "it is there already" must not be told so of another table.
describe("the server's words about a table that the statement does not name", function()
  local db, rooms

  setup(function()
    db = assert(larder.open(url))
    must(db:query "drop schema if exists larder_met cascade")
    must(db:query "create schema larder_met")
    must(db:query [[create table larder_met.rooms (id text constraint rooms_pkey primary key, "Title" text)]])
    must(db:query "create table larder_met.logs (id text constraint logs_pkey primary key)")
    must(db:query "create table larder_met.audit (id text constraint audit_pkey primary key, \"Title\" text not null)")
    must(db:query [[create table larder_met.guests (id text constraint guests_pkey primary key,
      room text constraint guests_room_fkey references larder_met.rooms)]])
    must(db:query [[create table larder_met.bills (id text constraint bills_pkey primary key,
      room text constraint bills_room_fkey references larder_met.rooms)]])
    must(db:query [[create function larder_met.watch() returns trigger language plpgsql as $$ begin
      case new."Title"
        when 'log' then insert into larder_met.logs values (new.id), (new.id);
        when 'audit' then insert into larder_met.audit values (new.id, 'a'), (new.id, 'b');
        when 'null' then insert into larder_met.audit values (new.id);
        when 'raise' then raise exception 'a label is needed' using errcode = '23502', column = 'Title';
        else null;
      end case;
      return new; end $$]])
    must(db:query [[create trigger watch before insert or update on larder_met.rooms
      for each row execute function larder_met.watch()]])
    rooms = db:stores("met").rooms
  end)

  teardown(function()
    must(db:query "drop schema larder_met cascade")
    db:close()
  end)

  local function refused(ok, err)
    assert.is_nil(ok)
    return err
  end

  it("name the constraint that a trigger met, and the fields of the store that has it", function()
    local err = refused(rooms:create { id = "1", label = "log" })
    assert.same({ "conflict", "logs_pkey", "logs", "Key (number) already exists." }, { err.code, err.constraint, err.table, err.detail })
    err = refused(rooms:create { id = "1", label = "audit" })
    assert.same({ "conflict", "audit_pkey", "audit" }, { err.code, err.constraint, err.table })
    assert.equal('duplicate value violates unique constraint "audit_pkey"', err.message)
    err = refused(rooms:create_many { { id = "1" }, { id = "2", label = "audit" } })
    assert.same({ "conflict", "audit_pkey", "audit" }, { err.code, err.constraint, err.table })
    err = refused(rooms:create { id = "1", label = "null" })
    assert.same({ "not_null", "Title", "audit", "Title must not be null" }, { err.code, err.column, err.table, err.message })
    err = refused(larder.transfer({ met = { rooms = { { id = "1" }, { id = "1" } } } }, db, { families = { "met" } }))
    assert.equal("rooms_pkey", err.constraint)
  end)

  it("keep what a function says of a column, and name its field", function()
    local err = refused(rooms:create { id = "1", label = "raise" })
    assert.same({ "not_null", "label", "a label is needed" }, { err.code, err.column, err.message })
  end)

  it("name a reference that is not declared", function()
    must(rooms:create { id = "a" })
    must(db:query "insert into larder_met.bills values ('b', 'a')")
    local err = refused(rooms:delete "a")
    assert.same({ "foreign_key", "bills_room_fkey", "bills" }, { err.code, err.constraint, err.table })
    assert.equal('row is still referred to: constraint "bills_room_fkey"', err.message)
  end)
end)
