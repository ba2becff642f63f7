-- Tables with a will of their own: triggers, rules, deferred constraints, views with triggers. Whatever they do, no call says that
-- something is stored that is not, or keeps quiet about what was lost.

local larder = require "larder"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

larder.declare { name = "willful", entities = { { name = "rows", table = "willful.rows",
  fields = { { name = "id", type = "int8" }, { name = "a", type = "text", null = true }, { name = "n", type = "int4", null = true } },
  key = { name = "rows_pkey", "id" }, uniques = { { name = "rows_a_key", "a" } } } } }

local TABLE = [[create table willful.rows (id int8 constraint rows_pkey primary key, n int4,
  a text collate "C" constraint rows_a_key unique)]]

describe("tables with a will of their own", function()
  local db, rows

  before_each(function()
    db = must(larder.open(url))
    must(db:query "drop schema if exists willful cascade")
    must(db:query "create schema willful")
    must(db:query(TABLE))
    rows = db:stores("willful").rows
  end)
  after_each(function()
    db:close()
    local plain = must(larder.open(url))
    must(plain:query "drop schema willful cascade")
    plain:close()
  end)

  local function trigger(when, body, kind)
    must(db:query("create function willful.act() returns trigger language plpgsql as $$ begin " .. body .. " end $$"))
    must(db:query(("create %s trigger act %s for each row execute function willful.act()"):format(kind or "", when)))
  end

  local function there(from)
    local list = {}
    for i, row in ipairs(must(db:query("select id, n from " .. (from or "willful.rows") .. " order by id"))) do
      list[i] = row.id .. ":" .. tostring(row.n)
    end
    return table.concat(list, " ")
  end

  -- written, duplicates, rejected
  local function write_later(...)
    for _, row in ipairs { ... } do must(rows:insert_async(row)) end
    must(db:flush(20))
    local stats = rows:writer_stats().stores["willful.rows"]
    return { stats.written, stats.duplicates, stats.rejected }
  end

  it("that change rows: they are answered as they were stored", function()
    trigger("before insert or update on willful.rows", "new.n := coalesce(new.n, 0) + 1000; return new;")
    assert.equal(1001, must(rows:create { id = 1, n = 1 }).n)
    assert.equal(1001, must(rows:get(1)).n)
    assert.equal(1005, must(rows:patch(1, { n = 5 })).n)
    assert.equal(2007, must(rows:upsert { id = 1, n = 7 }).n)
    assert.equal(1002, must(rows:create_many({ { id = 2, n = 2 } }, { returning = true }))[1].n)
    assert.same({ 1, 0, 0 }, write_later { id = 3, n = 3 })
    assert.equal("1:2007 2:1002 3:1003", there())
  end)

  it("that change the key: the row is answered under the key that it has", function()
    trigger("before insert on willful.rows", "new.id := new.id + 1000; return new;")
    assert.equal(1001, must(rows:create { id = 1 }).id)
    assert.equal("conflict", select(2, rows:create { id = 1 }).code)
    assert.equal("not_found", select(2, rows:get(1)).code)
    assert.same({ 2, 0, 0 }, write_later({ id = 2 }, { id = 3 }))
    assert.equal("1001:nil 1002:nil 1003:nil", there())
  end)

  it("of a bulk with another content than its source undo all of it", function()
    must(rows:create { id = 1, n = 1 })
    trigger("before insert or update on willful.rows", "if new.n = 13 then return null; end if; new.n := new.n + 1000; return new;")
    for _, on_conflict in ipairs { "error", "update" } do
      for _, row in ipairs { { id = 2, n = 2 }, { id = 2, n = 13 } } do
        for _, atomic in ipairs { true, false } do
          local report, err = larder.transfer({ willful = { rows = { row } } }, db,
            { families = { "willful" }, on_conflict = on_conflict, verify = true, atomic = atomic })
          assert.is_nil(report)
          assert.equal("drift", err.code)
          if atomic then assert.equal("1:1", there()) end
          must(rows:delete(2))
        end
      end
    end
  end)

  it("that raise: the row is refused with their words, and the others are stored", function()
    trigger("before insert on willful.rows", "if new.n = 13 then raise exception 'no thirteen'; end if; return new;")
    assert.matches("no thirteen", select(2, rows:create { id = 1, n = 13 }).message, 1, true)
    assert.matches("no thirteen", select(2, rows:create_many { { id = 1 }, { id = 2, n = 13 } }).message, 1, true)
    assert.equal("", there())
    assert.same({ 2, 0, 1 }, write_later({ id = 1 }, { id = 2, n = 13 }, { id = 3 }))
    local refused = rows:writer_stats().rejected_rows[1]
    assert.equal(2, tonumber(refused.key.id))
    assert.matches("no thirteen", refused.err.message, 1, true)
    assert.equal("1:nil 3:nil", there())
  end)

  it("that fail at commit are the answer", function()
    trigger("after insert on willful.rows deferrable initially deferred",
      "if new.n = 13 then raise exception 'no thirteen'; end if; return null;", "constraint")
    must(db:query "alter table willful.rows drop constraint rows_a_key")
    must(db:query "alter table willful.rows add constraint rows_a_key unique (a) deferrable initially deferred")
    must(rows:create { id = 1, a = "taken" })
    for what, row in pairs { ["no thirteen"] = { id = 2, n = 13 }, rows_a_key = { id = 2, a = "taken" } } do
      for name, call in pairs {
        create = function() return rows:create(row) end, upsert = function() return rows:upsert(row) end,
        many = function() return rows:create_many { { id = 5 }, row } end,
        transaction = function() return db:transaction(function() return must(rows:create(row)) end) end,
        nested = function()
          return db:transaction(function()
            return db:transaction(function() return must(rows:create(row)) end)
          end)
        end,
        pipeline = function()
          return db:pipeline({ atomic = true }, function(p)
            p:query("insert into willful.rows (id, n, a) values ($1, $2, $3)", row.id, row.n, row.a)
          end)
        end,
        copy = function()
          return db:copy_in("copy willful.rows (id, n, a) from stdin", ("2\t%s\t%s\n"):format(row.n or "\\N", row.a or "\\N"))
        end,
        transfer = function() return larder.transfer({ willful = { rows = { row } } }, db, { families = { "willful" } }) end,
      } do
        local done, err = call()
        assert.is_nil(done, name)
        assert.matches(what, tostring(err), 1, true, name)
        assert.equal("1:nil", there())
      end
    end
    assert.same({ 2, 0, 2 }, write_later({ id = 3 }, { id = 4, n = 13 }, { id = 5, a = "taken" }, { id = 6 }))
    assert.equal("1:nil 3:nil 6:nil", there())
  end)

  it("with rules: whoever gets no row back is told why, and rows for later wait and say so", function()
    must(db:query "create rule nothing as on insert to willful.rows do instead nothing")
    local parked
    db:on("parked", function(event) parked = event end)
    for _, call in ipairs { rows.create, rows.upsert } do
      local row, err = call(rows, { id = 1 })
      assert.is_nil(row)
      assert.equal("unsupported", err.code)
    end
    assert.equal(0, must(rows:create_many { { id = 1 }, { id = 2 } }))
    for id = 3, 4 do must(rows:insert_async { id = id }) end
    db:flush(1)
    local stats = rows:writer_stats().stores["willful.rows"]
    assert.equal(0, stats.written + stats.duplicates)
    assert.is_true(stats.rejected == 2 or parked.store == "willful.rows" and parked.err.code == "unsupported")
    assert.equal("", there())
    must(db:query "drop rule nothing on willful.rows")
    must(db:flush(20))
    stats = rows:writer_stats().stores["willful.rows"]
    assert.equal(2, stats.written + stats.rejected)
    assert.equal(stats.written, must(rows:count()))
  end)

  it("that are views with triggers: what they swallow is told, what they store is answered", function()
    must(db:query "alter table willful.rows rename to base")
    must(db:query "create view willful.rows as select * from willful.base")
    trigger("instead of insert or update or delete on willful.rows", [[
      if tg_op = 'DELETE' then delete from willful.base where id = old.id; return old; end if;
      if new.n = 13 then return null; end if;
      if tg_op = 'INSERT' then insert into willful.base values (new.id, new.n, new.a); return new; end if;
      update willful.base set n = new.n where id = old.id; return new;]])
    assert.equal(1, must(rows:create { id = 1, n = 1 }).n)
    assert.equal("conflict", select(2, rows:create { id = 1 }).code)
    assert.equal(5, must(rows:patch(1, { n = 5 })).n)
    for _, call in ipairs {
      function() return rows:create { id = 2, n = 13 } end, function() return rows:patch(1, { n = 13 }) end,
    } do
      local row, err = call()
      assert.is_nil(row)
      assert.equal("check", err.code)
      assert.matches("did not store", err.message, 1, true)
    end
    assert.equal("1:5", there "willful.base")
    assert.same({ true, 1 }, { rows:delete(1) })
    assert.equal("", there "willful.base")
  end)
end)
