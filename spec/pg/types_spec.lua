-- Types of other people's tables: what pull writes of them, what check says, what diff makes.

local larder = require "larder"
local check = require "larder.migrate.check"
local pull = require "larder.migrate.pull"
local typed = require "spec.support.typed"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local load = rawget(_G, "loadstring") or load

describe("types in the catalogue", function()
  local db

  setup(function() db = assert(larder.open(url)) end)
  before_each(function() typed.stores(db) end)
  teardown(function() db:close() end)

  local function pulled(name)
    local text = pull.text(assert(pull.read(db, "typed")))
    text = text:gsub("\n  name = %b\"\",\n  entities", ("\n  name = %q,\n  entities"):format(name), 1)
    return assert(load(text, "=pulled"))(), text
  end

  local function messages(name)
    local list = {}
    for i, fault in ipairs(assert(check(db, name))) do list[i] = fault.message end
    return list
  end

  it("are pulled as they are declared, and without drift", function()
    local _, text = pulled "pulled_typed"
    for _, wanted in ipairs {
      'name = "d", type = "date", null = true', 'name = "vc", type = "varchar", null = true, max_len = 5',
      'name = "c", type = "char", null = true, max_len = 4', 'name = "ts3", type = "timestamp", null = true, precision = 3',
      'name = "tz0", type = "timestamptz", null = true, precision = 0', 'name = "ivs", type = "interval[]"',
    } do
      assert.is_truthy(text:find(wanted, 1, true), wanted .. "\n" .. text)
    end
    assert.same({}, messages "pulled_typed")
    assert.same({}, messages "typed")
  end)

  it("differ by length and precision, and check mends them", function()
    assert(db:query "alter table typed.rows alter vc type varchar(6), alter ts3 type timestamp, alter d type timestamptz")
    assert.same({
      "column d: declared date, in the database timestamp with time zone",
      "column vc: declared character varying(5), in the database character varying(6)",
      "column ts3: declared timestamp(3) without time zone, in the database timestamp without time zone",
    }, messages "typed")
    for _, fault in ipairs(assert(check(db, "typed"))) do assert(db:query((fault.sql:gsub(";$", "")))) end
    assert.same({}, messages "typed")
  end)

  it("have infinite intervals from PostgreSQL 17 on, and none that an older server takes for a long one", function()
    larder.declare { name = "endless", entities = { { name = "spans", table = "typed.spans", key = { "id" }, fields = {
      { name = "id", type = "int4" }, { name = "v", type = "interval", null = true }, { name = "vs", type = "interval[]", null = true },
    } } } }
    assert(db:query "create table typed.spans (id int4 constraint spans_pkey primary key, v interval, vs interval[])")
    local spans, memory = db:stores("endless").spans, assert(larder.open "memory:")
    assert(memory:stores("endless").spans:create { id = 9, v = "infinity" })
    local has = assert(db:query "select current_setting('server_version_num')::int >= 170000 as has")[1].has
    local function outcome(ok, err)
      return ok and "taken" or err.code .. ": " .. (err.message:match "a text is not a valid date or time" or err.message)
    end
    local wanted = has and "taken" or "invalid: a text is not a valid date or time"
    for _, write in ipairs {
      function() return spans:create { id = 1, v = "infinity" } end,
      function() return spans:create { id = 2, vs = { "P1D", "-infinity" } } end,
      function() return spans:create_many { { id = 3, v = "1 day 02:00:00" }, { id = 4, v = "-infinity" }, { id = 5 } } end,
      function() return larder.transfer(memory, db, { families = { "endless" } }) end,
    } do assert.equal(wanted, outcome(write())) end
    if not has then
      assert.equal("0", tostring(assert(db:query "select count(*) as n from typed.spans")[1].n))
    else
      assert.equal("P1DT2H", assert(spans:get(3)).v)
      assert.equal(2, assert(spans:count { v = "infinity" }))
      assert.equal(1, assert(spans:count { v = { "-infinity", "P1M" } }))
      assert.equal("-infinity", assert(spans:get(2)).vs[2])
    end
    assert(spans:create { id = 10, v = "P1M", vs = { "P1D" } })
    memory:close()
  end)

  it("are made by diff where they are missing, enums first", function()
    assert(db:query "drop table typed.made, typed.moods, typed.rows")
    assert(db:query "drop type typed.mood")
    local made = {}
    for _, fault in ipairs(assert(check(db, "typed"))) do
      assert.equal("table is missing", fault.message)
      made[#made + 1] = fault.sql
    end
    local session = assert(db:_migration_engine():session {})
    assert(session:script(table.concat(made, "\n")))
    session:rollback()
    assert.same({}, messages "typed")
    assert.equal("3.00", assert(larder.open(url)):stores("typed").made:create({ mood = "sad" }).total)
  end)

  it("of an enum differ by label and order, and check adds labels", function()
    assert(db:query "create type typed.other as enum ('ok', 'Happy')")
    assert(db:query "alter table typed.moods alter mood type typed.other using mood::text::typed.other")
    assert.same({ "column mood: declared typed.mood, in the database typed.other",
      'column mood: declared labels sad, ok, Happy, a"b, c, in the database ok, Happy' }, messages "typed")
    assert(db:query "drop table typed.moods, typed.made, typed.rows")
    assert(db:query "drop type typed.mood")
    assert(db:query "create type typed.mood as enum ('ok', 'Happy')")
    assert(db:query [[create table typed.moods (mood typed.mood not null, d date not null, v integer,
      constraint moods_pkey primary key (mood, d))]])
    local fault = assert(check(db, "typed"))
    for _, f in ipairs(fault) do
      if f.store == "moods" then
        local session = assert(db:_migration_engine():session {})
        assert(session:script(f.sql))
        session:rollback()
      end
    end
    assert.equal('{sad,ok,Happy,"a\\"b, c"}', assert(db:query "select enum_range(null::typed.mood)::text as r")[1].r)
    assert(db:query "alter type typed.mood add value 'new'")
    assert.matches('in the database sad, ok, Happy, a"b, c, new', messages "typed" [#messages "typed"])
    assert(db:query "insert into typed.moods values ('new', '2026-01-01', 1)")
    local rows = assert(db:stores("typed").moods:list {})
    assert.matches("'new' is none of the declared labels", tostring(larder.unreadable(rows[1].mood)))
  end)

  it("that only the database knows differ where it does not make them", function()
    assert(db:query "alter table typed.made alter who drop default, alter note set default 'other', alter total drop expression")
    assert.same({
      "column total is declared as generated, which it is not in the database",
      "column who: its default is declared to be the database's, which has none",
      "column note: declared default ('n'::text || 'o'::text), in the database 'other'::character varying",
    }, messages "typed")
  end)

  it("that are other than declared are refused at the first statement", function()
    assert(db:query "alter table typed.rows alter ts type timestamptz")
    local fresh = assert(larder.open(url))
    local row, err = fresh:stores("typed").rows:create { id = 1, ts = "2026-01-02" }
    assert.is_nil(row)
    assert.equal("drift", err.code)
    assert.matches('column "ts" of rows is timestamp with time zone in the database, declared as timestamp without time zone', err.message)
    fresh:close()
  end)

  it("compare defaults by value", function()
    larder.declare { name = "typed_defaults", entities = { { name = "t", table = "typed.defaults", fields = {
      { name = "id", type = "int4" }, { name = "at", type = "timestamp", default = "2026-01-02" },
      { name = "len", type = "interval", default = "1 day" }, { name = "d", type = "date", default = "infinity" },
      { name = "r", type = "tsrange", default = "[2026-01-01,2026-02-01]" },
    }, key = { name = "defaults_pkey", "id" } } } }
    assert(db:query [[create table typed.defaults (id integer constraint defaults_pkey primary key,
      at timestamp not null default '2026-01-02 00:00', len interval not null default '1 day', d date not null default 'infinity',
      r tsrange not null default '[2026-01-01 00:00,2026-02-01 00:00]')]])
    assert.same({}, messages "typed_defaults")
    assert(db:query "alter table typed.defaults alter len set default '2 days'")
    assert.matches("column len: declared default P1D", messages("typed_defaults")[1])
    local row = assert(db:stores("typed_defaults").t:create { id = 1 })
    assert.same({ "P1D", "[2026-01-01T00:00:00.000000,2026-02-01T00:00:00.000000]" }, { row.len, row.r })
  end)
end)
