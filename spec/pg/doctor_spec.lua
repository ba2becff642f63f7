-- What larder doctor says of a server, and that it says nothing where nothing is wrong.

local larder = require "larder"
local examine = require "larder.cli.examine"
local need = require "spec.support.need"
local tool = require "spec.support.tool"

local missing = need.own_server()
if missing then return describe("larder doctor", function() pending(missing) end) end

local url = os.getenv "LARDER_TEST_URL"

describe("larder doctor", function()
  local db

  local function script(sql)
    local session = assert(db._engine:session {})
    local ok, err = session:script(sql)
    session:rollback()
    assert(ok, tostring(err))
  end

  -- "level: message" of each finding that says all of these words.
  local function found(topic, word, opts, other)
    local lines = {}
    for _, item in ipairs(assert(examine.server(other or db, opts))) do
      if item.topic == topic and item.message:find(word, 1, true) then lines[#lines + 1] = item.level .. ": " .. item.message end
    end
    return table.concat(lines, "\n")
  end

  local function says(text, wanted) assert.is_truthy(text:find(wanted, 1, true), text .. "\nnot: " .. wanted) end

  before_each(function()
    db = assert(larder.open(url))
    assert(db:query "drop schema if exists sick cascade")
    assert(db:query "create schema sick")
  end)

  after_each(function()
    assert(db:query "drop schema if exists sick cascade")
    db:close()
  end)

  it("names the version and what is between", function()
    assert.is_truthy(found("server", "PostgreSQL 1"):find "^ok: PostgreSQL %d+")
    assert.equal("ok: none in between", found("pooler", ""))
  end)

  it("names a pooler that keeps no sessions", function()
    local place = os.tmpname()
    os.remove(place)
    local pipe = assert(io.popen("tools/pgbouncer.sh start " .. place .. " transaction"))
    local pooled = pipe:read "*l"
    pipe:close()
    local other = assert(larder.open(pooled))
    local text = found("pooler", "", nil, other)
    other:close()
    os.execute("tools/pgbouncer.sh stop " .. place)
    says(text, "look: one that keeps no sessions stands in between")
  end)

  it("names settings that lose data", function()
    says(found("settings", "fsync"), "wrong: fsync is off") -- as the test's server is
    assert.equal("", found("settings", "autovacuum"))
  end)

  it("compares the pools of all processes with what the server has", function()
    says(found("connections", ""), "ok: ")
    says(found("connections", "", { processes = 1000 }), "wrong: ")
    says(found("connections", "", { processes = 1000 }), "more than there are")
    script "create role sick_role login connection limit 3 superuser"
    local other = assert(larder.open((url:gsub("postgres@", "sick_role@", 1))))
    local text = found("connections", "", nil, other)
    other:close()
    script "drop role sick_role"
    says(text, "wrong: ")
    says(text, " of 3 connections are in use")
  end)

  it("names long transactions, and prepared ones", function()
    local session = assert(db._engine:session {})
    assert(session:script "begin; select 1")
    local pid = session:backend_pid()
    assert.equal("", found("transactions", "backend " .. pid))
    assert(db:query "select pg_sleep(1.1)")
    says(found("transactions", "backend " .. pid, { long = 1 }), "look: backend " .. pid)
    session:rollback()
    tool.wait_for("the end of the session", function() return found("transactions", "backend " .. pid, { long = 1 }) == "" end)
    script "begin; create table sick.t (i int); prepare transaction 'sick'"
    assert.equal("", found("transactions", "prepared transaction sick"))
    says(found("transactions", "prepared transaction sick", { long = 0 }), "wrong: prepared transaction sick of postgres")
    script "rollback prepared 'sick'"
    assert.equal("", found("transactions", "prepared transaction sick", { long = 0 }))
  end)

  it("names indexes that are not valid", function()
    script "create table sick.t (i int); insert into sick.t values (1), (1)"
    assert.is_nil((db:query "create unique index concurrently broken on sick.t (i)"))
    says(found("indexes", "sick.broken"), "wrong: index sick.broken is not valid: drop index concurrently sick.broken")
    script "drop index sick.broken; create index fine on sick.t (i)"
    assert.equal("", found("indexes", "sick."))
  end)

  it("names large indexes that no query uses", function()
    script [[create table sick.big as select i, repeat(md5(i::text), 8) as t from generate_series(1, 60000) i;
      create index unused on sick.big (t); create unique index of_a_rule on sick.big (t, i); create index small on sick.big (i)]]
    local text = found("indexes", "sick.")
    says(text, "look: index sick.unused (")
    assert.is_nil(text:find("of_a_rule", 1, true))
    assert.is_nil(text:find("small", 1, true))
  end)

  it("names partitions that are missing, now and soon", function()
    local function partitions(text, wanted) assert.equal(wanted, found("partitions", "table sick."), text) end
    script "create table sick.log (at timestamptz) partition by range (at)"
    partitions("none", "wrong: table sick.log has no partition: every insert fails")
    script "create table sick.log_old partition of sick.log for values from ('2001-01-01') to ('2002-01-01')"
    partitions("old", "look: table sick.log has no partition for a month from now: inserts of that time fail\n"
      .. "wrong: table sick.log has no partition for now: inserts of that time fail")
    script "create table sick.log_default partition of sick.log default"
    partitions("default", "look: table sick.log has no partition for a month from now: its rows go to the default one\n"
      .. "look: table sick.log has no partition for now: its rows go to the default one")
    script [[do $$ begin execute format('create table sick.log_now partition of sick.log for values from (%L) to (%L)',
      now() - interval '1 day', now() + interval '3 days'); end $$]]
    partitions("now", "look: table sick.log has no partition for a month from now: its rows go to the default one")
    script [[do $$ begin execute format('create table sick.log_soon partition of sick.log for values from (%L) to (maxvalue)',
      now() + interval '3 days'); end $$]]
    partitions("all", "")
    script "create table sick.lists (k int) partition by list (k); create table sick.lists_1 partition of sick.lists for values in (1)"
    partitions("other kinds", "")
  end)

  it("names gaps of row level security", function()
    script "create table sick.open (tenant text); create table sick.closed (tenant text)"
    assert.equal("", found("row level security", "sick."))
    script "alter table sick.closed enable row level security"
    says(found("row level security", "sick.closed"), "look: table sick.closed has row level security and no policy")
    says(found("row level security", "sick.open"), "look: table sick.open has no row level security, as others of its schema have")
    says(found("row level security", "the role"), "look: the role postgres goes past row level security")
    script "create policy own on sick.closed using (tenant = current_user); alter table sick.open enable row level security"
    script "create policy own on sick.open using (tenant = current_user); alter table sick.open force row level security"
    says(found("row level security", "sick.closed"), "its policies do not hold for its owner")
    assert.equal("", found("row level security", "sick.open"))
    script "drop table sick.closed, sick.open"
    assert.equal("", found("row level security", "the role"))
  end)

  it("names sequences near their end", function()
    script "create table sick.few (id smallint generated by default as identity); select setval('sick.few_id_seq', 30000)"
    script "create table sick.many (id int8 generated by default as identity); select setval('sick.many_id_seq', 30000)"
    assert.equal("look: sequence sick.few_id_seq has used 92 % of its values", found("sequences", "sick."))
    script "select setval('sick.few_id_seq', 32000)"
    says(found("sequences", "sick."), "wrong: sequence sick.few_id_seq has used 98 %")
  end)

  it("names replication slots that nobody uses", function()
    assert.equal("", found("replication", "sick_slot"))
    script "select pg_create_physical_replication_slot('sick_slot', true)"
    says(found("replication", "sick_slot"), "look: replication slot sick_slot is not used")
    script "select pg_drop_replication_slot('sick_slot')"
  end)
end)
