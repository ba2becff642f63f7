-- ALTER TABLE under load: eight coroutines read and write while another changes the table. Each answer is right or an error that
-- says what is wrong; never bytes, never a value of another type, and all is well once the table is again as it is declared.

local larder = require "larder"
local compat = require "larder.base.compat"
local loops = require "spec.support.loops"
local must = require "spec.support.must"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")

local WORKERS, ROUNDS, ROWS = 8, 6, 40

larder.declare {
  name = "altered",
  entities = {
    { name = "rows", table = "altered.rows", key = { name = "rows_pkey", "id" }, fields = {
      { name = "id", type = "int8" }, { name = "v", type = "int4" }, { name = "w", type = "text" },
    } },
  },
}

-- In every state of the table v says ten times the id and w says t and the id, whatever their types are.
local TABLE = [[create table altered.rows as select n::int8 as id, (n * 10)::int4 as v, 't' || n as w from generate_series(1, 40) n;
alter table altered.rows add constraint rows_pkey primary key (id);
alter table altered.rows alter v set not null, alter w set not null]]

local BACK = "alter table altered.rows alter v type int4 using v::numeric::int4, alter w type text using w::text"

-- What is done to the table, what statements may be told meanwhile, and what is told once it is done: codes, none for "right".
local STEPS = {
  { "a column is added", "alter table altered.rows add column extra date default '2026-01-02'", {}, {} },
  { "a column is dropped that nobody declared", "alter table altered.rows drop column extra", {}, {} },
  { "an integer is made wider", "alter table altered.rows alter v type int8", {}, {} },
  { "and is back", BACK, {}, {} },
  { "an integer is made text", "alter table altered.rows alter v type text using v::text", { drift = true }, { drift = true } },
  { "an integer is made money", "alter table altered.rows alter v type money using v::numeric::money",
    { drift = true }, { drift = true } },
  { "an integer is made a fraction", "alter table altered.rows alter v type float8 using v::numeric::float8",
    { drift = true }, { drift = true } },
  { "and is back", BACK, { drift = true }, {} },
  { "a text is made bytes", "alter table altered.rows alter w type bytea using w::bytea",
    { drift = true, ["42804"] = true }, { drift = true } }, -- the server's own word, where a transaction has failed by it
  { "and is back", "alter table altered.rows alter w type text using convert_from(w, 'UTF8')", { drift = true }, {} },
  { "a column is dropped and made anew", [[alter table altered.rows drop column v;
    alter table altered.rows add column v int4; update altered.rows set v = id * 10;
    alter table altered.rows alter v set not null]], {}, {} },
  { "a column is dropped", "alter table altered.rows drop column v", { ["42703"] = true }, { ["42703"] = true } },
  { "and is back", [[alter table altered.rows add column v int4; update altered.rows set v = id * 10;
    alter table altered.rows alter v set not null]], { ["42703"] = true }, {} },
  { "the table is made anew with its types exchanged", [[drop table altered.rows;
    create table altered.rows as select n::int8 as id, 't' || n as w, (n * 10)::text as v from generate_series(1, 40) n;
    alter table altered.rows add constraint rows_pkey primary key (id)]], { drift = true }, { drift = true } },
  { "and is back", "drop table altered.rows;" .. TABLE, { drift = true }, {} },
}

local PLAIN = { -- ten times the id, as raw statements may show it
  [function(id) return id * 10 end] = true,
  [function(id) return ("%d"):format(id * 10) end] = true,
  [function(id) return ("$%d.00"):format(id * 10) end] = true,
}

local function is_right(row)
  local id = row.id
  return math.floor(id) == id and row.v == id * 10 and type(row.v) == "number" and row.w == ("t%d"):format(id)
end

--- What a worker does in turn. Each returns rows that must be right, or nil and the error.
local function works(db, rows, number)
  local function known() return number * 5 - 4 end -- a row of its own; each has five
  local fresh = 1000 * number
  return {
    function() local row, err = rows:get(known()) return row and { row }, err end,
    function() return rows:list { where = { id = { lte = ROWS } }, order = "id", limit = 10 } end,
    function() local row, err = rows:patch(known(), { v = known() * 10 }) return row and { row }, err end,
    function()
      fresh = fresh + 1
      local row, err = rows:create { id = fresh, v = fresh * 10, w = "t" .. fresh }
      return row and { row }, err
    end,
    function()
      return db:transaction({ retries = 5 }, function()
        local row, err = rows:get(known(), { lock = "update" })
        if not row then return nil, err end
        row, err = rows:patch(known(), { w = "t" .. known() })
        if not row then return nil, err end
        return { row }
      end)
    end,
    function()
      local list, err = db:query("select id, v from altered.rows where id = $1", known())
      if not list then return nil, err end
      for shown in pairs(PLAIN) do
        if list[1].v == shown(known()) then return {} end
      end
      error("a raw statement shows " .. tostring(list[1].v), 0)
    end,
  }
end

describe("ALTER TABLE under load", function()
  local ddl

  setup(function()
    ddl = must(larder.open(url))
    must(ddl:query "drop schema if exists altered cascade")
    must(ddl:query "create schema altered")
  end)
  teardown(function()
    must(ddl:query "drop schema altered cascade")
    ddl:close()
  end)
  before_each(function()
    must(ddl:query "drop table if exists altered.rows")
    for statement in TABLE:gmatch "[^;]+" do must(ddl:query(statement)) end
  end)

  for name, kind in pairs(loops) do
    it("FT-54 gives right values or says what is wrong, in the loop of " .. name, function()
      local options = { pool = { max = 5, min = 0, acquire_timeout = 60 } }
      for k, v in pairs(kind.options) do options[k] = v end
      local db = must(larder.open(url, options))
      local rows = db:stores("altered").rows
      local stage, settled, over, done, faults, right = nil, false, false, {}, {}, 0

      -- A call that was under way while the table changed may be told of either state.
      local function may_be_told(err, at, was_settled)
        local code, step = err.code == "drift" and "drift" or err.sqlstate or err.code, stage
        if was_settled and settled and step == at then return STEPS[at][4][code] end
        return STEPS[step][3][code] or STEPS[at][4][code]
      end

      local function look(number, at, work, was_settled)
        local ok, list, err = pcall(work)
        local said
        if not ok then said = "raised " .. tostring(list) end
        if ok and not list and not may_be_told(err, at, was_settled) then said = tostring(err) end
        for _, row in ipairs(ok and list or {}) do
          if not is_right(row) then said = ("shows %s %s %s"):format(row.id, row.v, row.w) end
        end
        if ok and list then right = right + 1 end
        if said then faults[#faults + 1] = ("%s (worker %d): %s"):format(STEPS[stage][1], number, said) end
      end

      local jobs = {}
      for number = 1, WORKERS do
        done[number] = 0
        jobs[number] = function()
          local todo, turn = works(db, rows, number), number
          while not over do
            turn = turn % #todo + 1
            look(number, stage or 1, todo[turn], settled)
            done[number] = done[number] + 1
          end
        end
      end
      local function change()
        for i, step in ipairs(STEPS) do
          settled, stage = false, i
          must(db:transaction({ retries = 5 }, function()
            for statement in step[2]:gmatch "[^;]+" do must(db:query(statement)) end
            return true
          end))
          settled = true
          local goal = {}
          for n = 1, WORKERS do goal[n] = done[n] + ROUNDS end
          for n = 1, WORKERS do
            while done[n] < goal[n] do must(db:query "select pg_sleep(0.001)") end
          end
        end
      end
      jobs[WORKERS + 1] = function()
        local ok, err = pcall(change)
        over = true
        if not ok then error(err, 0) end
      end
      stage = 1
      kind.run(db, compat.unpack(jobs))
      assert.same({}, faults)
      assert.is_true(right > WORKERS * ROUNDS)
      assert.equal(0, must(db:query [[select count(*) as n from altered.rows where v <> id * 10 or w <> 't' || id]])[1].n)
      assert.equal(ROWS, must(db:query("select count(*) as n from altered.rows where id <= $1", ROWS))[1].n)
      db:close()
    end)
  end
end)
