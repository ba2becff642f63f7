-- An update, a patch of much and an upsert get back what they do not give, where the table stores rows as they are given. Where
-- anything may have changed about the table they do nothing, and the statement that returns the whole row is run.
-- spec/pg/as_given_spec.lua has the inserts, and the changes to a table behind which every write must still be right.

local larder = require "larder"
local loops = require "spec.support.loops"

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local found, cqueues = pcall(require, "cqueues")
local url = os.getenv "LARDER_TEST_URL"

local PLAIN = [[id integer primary key, name text not null, amount numeric(8,2), doc jsonb, mood text, version integer not null,
  hits integer not null default 0, made_at timestamptz not null, changed_at timestamptz not null]]

local FIELDS = {
  { name = "id", type = "int4" },
  { name = "name", type = "text" },
  { name = "amount", type = "numeric", precision = 8, scale = 2, null = true },
  { name = "doc", type = "jsonb", null = true },
  { name = "mood", type = "text", null = true },
  { name = "version", type = "int4", stamp = "version" },
  { name = "hits", type = "int4", default = { "database" } },
  { name = "made_at", type = "timestamptz", stamp = "insert" },
  { name = "changed_at", type = "timestamptz", stamp = "update" },
}

describe("what a write returns of a row that was there #pg", function()
  local db, other, items, theirs, declared

  local function must(...)
    for _, sql in ipairs { ... } do assert(other:query(sql)) end
  end

  local function drop() must "drop schema if exists wrote cascade" end

  before_each(function()
    db, other = assert(larder.open(url, { pool = { max = 1 } })), assert(larder.open(url))
    if not declared then
      larder.declare {
        name = "changed",
        entities = {
          { name = "items", table = "wrote.changed", fields = FIELDS, key = { name = "changed_pkey", "id" } },
          { name = "named", table = "wrote.changed_named", key = { name = "changed_named_pkey", "name" },
            fields = {
              { name = "name", type = "text" }, { name = "a", type = "int4" }, { name = "b", type = "int4" }, { name = "c", type = "int4" },
            } },
        },
      }
      declared = true
    end
    items, theirs = db:stores("changed").items, other:stores("changed").items
    drop()
    must "create schema wrote"
  end)
  after_each(function()
    drop()
    db:close()
    other:close()
  end)

  -- how often the pool's one connection ran statements that begin so and expect a time
  local function runs(verb)
    return assert(db:query([[select coalesce(sum(generic_plans + custom_plans), 0)::int4 as n from pg_prepared_statements
      where statement like $1 || ' %coalesce(%''now''::timestamptz%']], verb))[1].n
  end

  local function exchanges(fn)
    local before = db:stats().queries
    local one, err = fn()
    return tonumber(db:stats().queries - before), one, err
  end

  local n = 0
  local function row(id)
    n = n + 1
    return { id = id, name = "name " .. n, amount = n .. ".5", doc = { n = n, z = -0.0, big = 1e20, list = {} }, mood = larder.null }
  end

  local function create(id) return assert(items:create(row(id))) end

  local WRITES = {
    { "update", "update", function(id) return items:update(row(id)) end },
    { "patch of three fields", "update", function(id)
      local given = row(id)
      return items:patch(id, { name = given.name, amount = given.amount, doc = given.doc })
    end },
    { "patch of much", "update", function(id) return items:patch(id, { doc = { text = ("x"):rep(700) .. n } }) end },
    { "update by condition", "update", function(id) return items:update(row(id), { where = { id = { gte = 0 } } }) end },
    { "upsert", "insert", function(id) return items:upsert(row(id)) end },
  }

  for _, write in ipairs(WRITES) do
    local name, verb, run = unpack(write)

    it("is what a " .. name .. " does not give, in one exchange and without a look at the catalog", function()
      must("create table wrote.changed (" .. PLAIN .. ")")
      create(1)
      for i = 1, 5 do
        local spent, made = exchanges(function() return run(1) end)
        assert.same(theirs:get(1), made)
        assert.equal(1, spent)
        assert.equal(i, runs(verb))
      end
    end)

    it("is what a " .. name .. " does not give in a transaction, once an earlier one has proven it", function()
      must("create table wrote.changed (" .. PLAIN .. ")")
      create(1)
      for _ = 1, 4 do
        local made
        assert(db:transaction(function()
          for _ = 1, 2 do made = assert(run(1)) end
          assert.same(items:get(1), made)
          return true
        end))
        assert.same(theirs:get(1), made)
      end
      assert.equal(1 + 2 + 2 + 2, runs(verb)) -- the first one asks, to no avail, and what it runs behind that returns the row
    end)

    it("is the whole row behind a change of the table that came since, for a " .. name, function()
      must("create table wrote.changed (" .. PLAIN .. ")", [[create function wrote.changed_shout() returns trigger language plpgsql as
        $$ begin new.name := upper(new.name); new.version := new.version + 100; return new; end $$]])
      create(1)
      for _ = 1, 3 do assert(run(1)) end
      must "create trigger changed_t before update on wrote.changed for each row execute function wrote.changed_shout()"
      local before = theirs:get(1)
      local spent, made = exchanges(function() return run(1) end)
      assert.same(theirs:get(1), made)
      assert.equal(2, spent) -- the first of the two changed nothing
      assert.equal(before.version + 101, made.version)
      assert.matches("^NAME", made.name)
      for _ = 1, 3 do
        spent, made = exchanges(function() return run(1) end)
        assert.same(theirs:get(1), made)
        assert.equal(1, spent)
      end
      must "drop trigger changed_t on wrote.changed"
      for _ = 1, 3 do assert.same(assert(run(1)), theirs:get(1)) end
    end)

    it("is right in a table that has children, whatever comes upon them, for a " .. name, function()
      must("create table wrote.changed (" .. PLAIN .. ")", [[create function wrote.changed_shout() returns trigger language plpgsql as
        $$ begin new.name := upper(new.name); return new; end $$]])
      create(1)
      for _ = 1, 3 do assert(run(1)) end
      must("create table wrote.changed_log () inherits (wrote.changed)")
      if verb == "update" then must("delete from wrote.changed", [[insert into wrote.changed_log values
        (1, 'a', 1, null, null, 1, 0, now(), now())]]) end
      for _ = 1, 3 do assert.same(assert(run(1)), theirs:get(1)) end
      must "create trigger changed_t before update on wrote.changed_log for each row execute function wrote.changed_shout()"
      for _ = 1, 3 do assert.same(assert(run(1)), theirs:get(1)) end
    end)
  end

  it("is a new row, too, for an upsert that finds none", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    for id = 1, 5 do assert.same(assert(items:upsert(row(id))), theirs:get(id)) end
    assert.equal(5, runs "insert")
    for id = 1, 5 do assert.same(assert(items:upsert(row(id))), theirs:get(id)) end
    assert.equal(10, runs "insert")
    local made = assert(items:upsert(row(1), { set = { hits = larder.increment(3), name = larder.excluded } }))
    assert.same(theirs:get(1), made)
    assert.equal(3, made.hits)
  end)

  it("is nothing where there is no such row, or it is not as expected, whatever was proven", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    create(1)
    for _ = 1, 3 do
      local made = assert(items:update(row(1)))
      local one, err = items:update(row(7))
      assert.is_nil(one)
      assert.equal("not_found", err.code)
      local stale = row(1)
      stale.version = made.version - 1
      one, err = items:update(stale)
      assert.is_nil(one)
      assert.equal("conflict", err.code)
      one, err = items:upsert(row(1), { where = { name = "somebody" } })
      assert.is_nil(one)
      assert.equal("conflict", err.code)
      assert.same(theirs:get(1), made)
    end
    -- what is proven is not given up by these
    local known = runs "update"
    assert.same(assert(items:update(row(1))), theirs:get(1))
    assert.equal(known + 1, runs "update")
  end)

  it("is nothing again and again without a look at the catalog each time, until there is a row", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    create(1)
    for _ = 1, 5 do
      local one, err = items:update(row(7))
      assert.is_nil(one)
      assert.equal("not_found", err.code)
    end
    assert.equal(1, runs "update")
    for _ = 1, 4 do assert.same(assert(items:update(row(1))), theirs:get(1)) end
    assert.equal(1 + 3, runs "update")
  end)

  it("is the whole row where the server analyzes again and again, soon without a second exchange", function()
    must("create table wrote.changed (" .. PLAIN .. ")", "create schema if not exists wrote_too")
    create(1)
    local stores = {}
    for i, path in ipairs { "public", "wrote_too" } do
      stores[i] = db:with({ settings = { search_path = path } }):stores("changed").items
    end
    local spent = exchanges(function()
      for i = 1, 100 do assert.same(assert(stores[i % 2 + 1]:update(row(1))), items:get(1)) end
      return true
    end)
    assert.is_true(spent < 200 + 8, spent) -- each call, its check, and no more than a few
    must "drop schema wrote_too"
  end)

  it("is one version further where the row's own is named", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    local made = create(1)
    for version = 2, 5 do
      local given = row(1)
      given.version = made.version
      made = assert(items:update(given))
      assert.equal(version, made.version)
      assert.same(theirs:get(1), made)
      if version == 3 then must "analyze wrote.changed" end
    end
  end)

  it("is a conflict once, with its constraint, and the transaction fails as it does without a proof", function()
    must("create table wrote.changed (" .. PLAIN .. ")", "alter table wrote.changed add constraint changed_name unique (name)",
      "alter table wrote.changed add constraint changed_even check (name <> 'odd')")
    create(1)
    local first = create(2)
    for i = 1, 4 do
      if i > 1 then assert(items:update(row(1))) end
      local given = row(1)
      given.name = first.name
      local one, err = items:update(given)
      assert.is_nil(one)
      assert.equal("conflict", err.code)
      assert.equal("changed_name", err.constraint)
      given.name = "odd"
      one, err = items:update(given)
      assert.is_nil(one)
      assert.equal("check", err.code)
    end
    local one = db:transaction(function()
      local _, err = items:update { id = 1, name = "odd" }
      assert.equal("check", err.code)
      return nil, err
    end)
    assert.is_nil(one)
  end)

  it("is what the very update made, whoever else counts in the row, also while the table is analyzed", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    create(1)
    local count = 0
    for i = 1, 30 do
      if i % 5 == 0 then must "analyze wrote.changed" end
      for _, store in ipairs { items, theirs } do
        count = count + 1
        local given = row(1)
        local made = assert(store:patch(1, { name = given.name, amount = given.amount, mood = "by " .. count, hits = larder.increment(1) }))
        assert.equal(count, made.hits)
        assert.equal("by " .. count, made.mood)
      end
    end
  end)

  if found then
    it("has what another session changed while the update waited for it", function()
      must("create table wrote.changed (" .. PLAIN .. ")")
      create(1)
      local looped = assert(larder.open(url, { loop = "cqueues", pool = { max = 2 } }))
      local store = looped:stores("changed").items
      for _ = 1, 4 do assert(store:update(row(1))) end
      local locked, made = false, nil
      loops.cqueues.run(looped, function()
        assert(looped:transaction(function(tx)
          assert(tx:query "update wrote.changed set hits = 77, name = 'theirs', version = 50 where id = 1")
          locked = true
          for _ = 1, 200 do
            if assert(other:query [[select count(*)::int4 as n from pg_stat_activity where wait_event_type = 'Lock'
              and query like 'update "wrote"."changed"%']])[1].n > 0 then break end
            cqueues.sleep(0.02)
          end
          return true
        end))
      end, function()
        while not locked do cqueues.sleep(0.01) end
        made = assert(store:update { id = 1, name = "ours", mood = "fine" })
      end)
      assert.equal("ours", made.name)
      assert.equal(77, made.hits)
      assert.equal(51, made.version)
      assert.same(theirs:get(1), made)
      looped:close()
    end)
  end

  -- Each lets a row be another than the one that is given, from the beginning on.
  local CHANGING = {
    { "a trigger", PLAIN, [[create function wrote.changed_shout() returns trigger language plpgsql as
      $$ begin new.name := upper(new.name); return new; end $$]],
      "create trigger changed_t before update on wrote.changed for each row execute function wrote.changed_shout()" },
    { "a rule", PLAIN, "create rule changed_r as on update to wrote.changed do also notify changed" },
    { "row security", PLAIN, "alter table wrote.changed enable row level security" },
    { "a child", PLAIN, "create table wrote.changed_log () inherits (wrote.changed)" },
    { "char(n)", PLAIN:gsub("name text", "name char(20)") },
    { "a scale", PLAIN:gsub("numeric%(8,2%)", "numeric(8,1)") },
    { "an identity column", PLAIN:gsub("hits integer not null default 0", "hits integer generated always as identity") },
  }

  for _, case in ipairs(CHANGING) do
    it("is the whole row where there is " .. case[1], function()
      must("create table wrote.changed (" .. case[2] .. ")")
      if type(case[3]) == "string" then must(unpack(case, 3)) end
      must [[insert into wrote.changed (id, name, version, made_at, changed_at) values (1, 'a', 1, now(), now())]]
      for _ = 1, 3 do
        local made = assert(items:update(row(1)))
        assert.same(theirs:get(1), made)
      end
      assert.equal(0, runs "update")
    end)
  end

  it("has the key as it is stored where its texts are equal to others", function()
    local made = pcall(must, "create collation wrote.changed_same (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    if not made then return pending "no ICU" end
    must("create table wrote.changed_named (name text primary key, a integer, b integer, c integer)",
      "insert into wrote.changed_named values ('Anna', 1, 1, 1)")
    local named = db:stores("changed").named
    local function check(name, ran)
      for i = 1, 3 do
        assert.same({ name = "Anna", a = i, b = i, c = i }, assert(named:update { name = name, a = i, b = i, c = i }))
      end
      assert.equal(ran, runs "update")
    end
    check("Anna", 3)
    must "alter table wrote.changed_named alter column name type text collate wrote.changed_same"
    check("ANNA", 3 + 2) -- one that did nothing, and one that asked
    must "alter table wrote.changed_named alter column name type text"
    check("Anna", 3) -- the statement that returns the row was stale, so all on the table were parsed anew
  end)

  it("is what a view's trigger makes of it", function()
    must("create table wrote.changed_top (" .. PLAIN .. ")", "create view wrote.changed as select * from wrote.changed_top",
      [[insert into wrote.changed_top (id, name, version, made_at, changed_at) values (1, 'a', 1, now(), now())]],
      [[create function wrote.changed_shout() returns trigger language plpgsql as $$ begin new.name := upper(new.name);
        update wrote.changed_top set name = new.name where id = new.id; return new; end $$]],
      "create trigger changed_t instead of update on wrote.changed for each row execute function wrote.changed_shout()")
    for _ = 1, 3 do assert.matches("^NAME", assert(items:update(row(1))).name) end
  end)

  it("lets a trigger for statements that was just made run once more, without rows", function()
    must("create table wrote.changed (" .. PLAIN .. ")", "create table wrote.changed_log (rows bigint)",
      [[create function wrote.changed_shout() returns trigger language plpgsql as $$ begin
        insert into wrote.changed_log select count(*) from touched; return null; end $$]])
    create(1)
    for _ = 1, 3 do assert(items:update(row(1))) end
    must [[create trigger changed_t after update on wrote.changed referencing new table as touched
      for each statement execute function wrote.changed_shout()]]
    for _ = 1, 3 do assert(items:update(row(1))) end
    local rows = assert(other:query "select rows from wrote.changed_log")
    local counts = {}
    for i, one in ipairs(rows) do counts[i] = tostring(one.rows) end
    assert.same({ "0", "1", "1", "1" }, counts)
  end)

  it("is right where transactions see an older catalog", function()
    must("create table wrote.changed (" .. PLAIN .. ")")
    create(1)
    for _ = 1, 3 do assert(items:update(row(1))) end
    for _ = 1, 3 do
      local made
      assert(db:transaction({ isolation = "repeatable_read" }, function()
        for _ = 1, 2 do made = assert(items:update(row(1))) end
        return true
      end))
      assert.same(theirs:get(1), made)
    end
  end)
end)
