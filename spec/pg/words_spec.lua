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
    must(db:query [[create function larder_words.watch() returns trigger language plpgsql as $$ begin
      if new.title = 'gone' then return null; end if;
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

  it("say that no partition takes the row", function()
    local _, err = rooms:create { tenant = "b", id = "1" }
    assert.equal("check", err.code)
    assert.is_truthy(err.message:find("no partition", 1, true))
  end)
end)
