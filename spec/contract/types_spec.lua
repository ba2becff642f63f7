-- The types of other people's tables: one answer from both engines, and PostgreSQL's own.

local larder = require "larder"
local lfs = require "lfs"
local null = larder.null
local typed = require "spec.support.typed"

local targets = { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" }

-- field → values as they are given and as they are read, in ascending order
local ORDERED = {
  d = { { "-infinity" }, { "4714-11-24 BC" }, { "0044-03-15 BC" }, { "0001-01-01" }, { "1999-12-31" }, { "2000-01-01" },
    { "2024-02-29" }, { "10000-01-01" }, { "5874897-12-31" }, { "infinity" } },
  ts = { { "-infinity" }, { "0044-03-15 12:00:00 BC", "0044-03-15T12:00:00.000000 BC" }, { "1999-12-31T23:59:59.999999" },
    { "2000-01-01", "2000-01-01T00:00:00.000000" }, { "2026-01-02 03:04:05.5", "2026-01-02T03:04:05.500000" },
    { "294276-12-31T23:59:59.999999" }, { "infinity" } },
  t = { { "00:00", "00:00:00" }, { "03:04:05.000006" }, { "03:04:06" }, { "23:59:59.9999999", "24:00:00" } },
  iv = { { "-1 years", "P-1Y" }, { "-00:00:00.5", "PT-0.5S" }, { 0, "PT0S" }, { 1.5, "PT1.5S" }, { "P1D" }, { "PT25H" },
    { "29 days 23:59:59", "P29DT23H59M59S" }, { "P1M" }, { "1 mon 1 sec", "P1MT1S" },
    { "1 year 2 mons 3 days 04:05:06.5", "P1Y2M3DT4H5M6.5S" } },
  vc = { { "" }, { "A" }, { "Z" }, { "a" }, { "a b" }, { "é" } },
  c = { { "", "    " }, { "A", "A   " }, { "a\t", "a\t  " }, { "a b ", "a b " }, { "abcd  ", "abcd" }, { "é", "é   " } },
  ts3 = { { "1999-12-31T23:59:59.9985", "1999-12-31T23:59:59.998000" }, { "2026-01-02T03:04:05.1234", "2026-01-02T03:04:05.123000" },
    { "2026-01-02T03:04:05.1235", "2026-01-02T03:04:05.124000" } },
  tz0 = { { "1999-12-31T23:59:58.5Z", "1999-12-31T23:59:58.000000Z" }, { "2026-01-02T03:04:05.5+00", "2026-01-02T03:04:06.000000Z" } },
  t1 = { { "03:04:05.14", "03:04:05.100000" }, { "03:04:05.15", "03:04:05.200000" } },
  ip = { { "0.0.0.0/0" }, { "10.0.0.0/7" }, { "10.0.0.0/8" }, { "10.1.2.3/8" }, { "10.0.0.0/32", "10.0.0.0" }, { "10.0.0.1" },
    { "255.255.255.255" }, { "::" }, { "::1" }, { "::1.2.3.4" }, { "0:0:0:0:0:ffff:1.2.3.4", "::ffff:1.2.3.4" },
    { "2001:DB8::", "2001:db8::" }, { "2001:db8:0:1::1" }, { "2001:db8:0:1:1:0:0:1", "2001:db8:0:1:1::1" }, { "fe80::1/10" } },
  net = { { "0.0.0.0/0" }, { "10.0.0.0/8" }, { "10.0.0.0/9" }, { "10.0.0.0", "10.0.0.0/32" }, { "192.168.0.0/16" }, { "::/0" },
    { "::1", "::1/128" }, { "2001:db8::/32" } },
  mac = { { "00:00:00:00:00:00" }, { "0800.2b01.0203", "08:00:2b:01:02:03" }, { "08-00-2B-01-02-FF", "08:00:2b:01:02:ff" },
    { "ff:ff:ff:ff:ff:ff" } },
  mac8 = { { "08002b:010203", "08:00:2b:ff:fe:01:02:03" }, { "08:00:2b:ff:fe:01:02:04" },
    { "ffffffffffffffff", "ff:ff:ff:ff:ff:ff:ff:ff" } },
  b3 = { { "000" }, { "001" }, { "011" }, { "100" }, { "111" } },
  vb = { { "" }, { "0" }, { "00" }, { "00000000" }, { "000000000" }, { "00000001" }, { "1" }, { "10" }, { "100000001" }, { "11" } },
  vb4 = { { "" }, { "0101" }, { "1" } },
  ir = { { "EMPTY", "empty" }, { "(,1)" }, { "(,)" }, { "[-2147483648,0)" }, { { lower = 1, upper = 4, bounds = "[]" }, "[1,5)" },
    { { lower = 1 }, "[1,)" }, { "(1,2]", "[2,3)" }, { "[2147483647,)" } },
  lr = { { "(3,4)", "empty" }, { "(,9007199254740993)" }, { "[-9223372036854775808,9223372036854775807)" }, { "[ 1 , 5 )", "[1,5)" } },
  nr = { { "(1,1.0)", "empty" }, { "(,1.5)" }, { "(,)" }, { "[-Infinity,0]" }, { { lower = 1.5, upper = "2.50" }, "[1.5,2.50)" },
    { "(1.50,2]" }, { "[2,]", "[2,)" }, { "[NaN,NaN]" } },
  tr = { { "empty" }, { "(,2026-01-01)", "(,2026-01-01T00:00:00.000000)" },
    { "[0044-03-15 12:00 BC,infinity]", '["0044-03-15T12:00:00.000000 BC",infinity]' },
    { '["2026-01-01 10:00",2026-01-01 12:00]', "[2026-01-01T10:00:00.000000,2026-01-01T12:00:00.000000]" } },
  zr = { { "empty" }, { { lower = "2026-01-01T12:00:00+02:00", upper = 1767323045.5, bounds = "(]" },
    "(2026-01-01T10:00:00.000000Z,2026-01-02T03:04:05.500000Z]" }, { "[infinity,)" } },
  dr = { { "empty" }, { "(,2026-01-01]", "(,2026-01-02)" }, { "[-infinity,infinity]" },
    { { lower = "2026-01-01", upper = "2026-01-31", bounds = "[]" }, "[2026-01-01,2026-02-01)" },
    { "(2026-01-01,)", "[2026-01-02,)" }, { "[5874897-12-31,infinity)" } },
  iv2 = { { "-0.125 s", "PT-0.13S" }, { "0.124 s", "PT0.12S" }, { "P1DT1.125S", "P1DT1.13S" } },
}

-- No min and max: PostgreSQL has none, or not of the type.
local UNRANKED = { net = true, mac = true, mac8 = true, b3 = true, vb = true, vb4 = true,
  ir = true, lr = true, nr = true, tr = true, zr = true, dr = true }

local LISTS = {
  ips = { { "10.0.0.1/8", larder.null, "::1" } }, nets = { { "10.0.0.0/8", "::/0" } }, macs = { { "08:00:2b:01:02:03" } },
  mac8s = { { "08:00:2b:01:02:03" }, { "08:00:2b:ff:fe:01:02:03" } }, vbs = { { "", "101", larder.null } },
  ds = { { "2026-01-02", larder.null, "infinity" } }, tss = { { "2026-01-02" }, { "2026-01-02T00:00:00.000000" } },
  tms = { { "03:04" }, { "03:04:00" } }, ivs = { { "1 day", 1 }, { "P1D", "PT1S" } }, vcs = { { "a", larder.null, 'b"c' } },
  moods = { { "ok", larder.null, 'a"b, c' } }, vc3s = { { "abc", "", larder.null, "é\\\"" } },
  c3s = { { "a", "ab      ", larder.null }, { "a  ", "ab ", larder.null } }, b3s = { { "101", larder.null } },
  n41s = { { larder.decimal "1.25", "-1.25", 1e2 }, { "1.3", "-1.3", "100.0" } },
  ts0s = { { "2026-01-02 03:04:05.5" }, { "2026-01-02T03:04:06.000000" } },
  irs = { { { lower = 1, upper = 4, bounds = "[]" }, larder.null, "empty" }, { "[1,5)", larder.null, "empty" } },
  lrs = { { "(,9007199254740993)", "[ 1 , 5 )" }, { "(,9007199254740993)", "[1,5)" } }, nrs = { { "[1.0,2)", "[NaN,NaN]" } },
  trs = { { "(,2026-01-01)" }, { "(,2026-01-01T00:00:00.000000)" } }, zrs = { { "[infinity,)", larder.null } },
  drs = { { { lower = "2026-01-01", upper = "2026-01-31", bounds = "[]" } }, { "[2026-01-01,2026-02-01)" } },
}

local BAD = {
  d = { "2023-02-29", "02/03/2026", "20260101", "2026-01-01T00:00:00", "", 5, "today", "5874898-01-01" },
  ts = { "2026-01-02T03:04:05Z", "2026-01-02 03:04:05+02", "2026-02-30", 1767323045, "now" },
  t = { "24:00:01", "3:04", "03:04:05Z", 5 },
  iv = { "1.5 days", "P0.5Y", "1 fortnight", "P", true, 0 / 0 },
  ip = { "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1/33", "10.0.0.1/", ":::", "::1::", "1:2:3:4:5:6:7:8:9", "::ffff:1.2.3",
    "fe80::1%eth0",
    "::/129", "", 5 },
  net = { "10.0.0.1/8", "10", "::1/64", "host" }, mac = { "08:00:2b:01:02", "08:00:2b:01:02:03:04:05", "08:00-2b:01:02:03", "xx", "" },
  mac8 = { "08:00:2b:01:02:03:04", "" }, vb = { "012", 1, " " },
  ir = { "[1,2147483648)", "[2147483647,2147483647]", "[1.5,2)", "[5,1)", "[1,2", "1,2", "[1)", "[1,2,3)", "", 5, true, { lower = "x" },
    { lower = 1, bounds = "[" }, { lower = 1, step = 2 }, { lower = 5, upper = 1 } },
  dr = { "[2026-02-30,)", "2026-01-01", "[5874897-12-31,5874897-12-31]", '["2026-01-01,)' }, nr = { "[x,)", "[NaN,1]" },
  tr = { "[2026-01-01T00:00Z,)" }, zr = { "[2026-01-01,)" },
  vc = { "abcdef", "a\0b", 5 }, c = { "abcde", "\255" },
}

for name, target in pairs(targets) do
  describe("types on " .. name, function()
    local db, s

    setup(function() db = assert(larder.open(target)) end)
    before_each(function()
      if name == "memory" then db:close() db = assert(larder.open(target)) end
      s = typed.stores(db)
    end)
    teardown(function() db:close() end)

    local function fill(field)
      local n = #ORDERED[field]
      for i = n, 1, -1 do assert(s.rows:create { id = i, [field] = ORDERED[field][i][1] }) end
      return n
    end

    for field, values in pairs(ORDERED) do
      local function read(i) return values[i][2] or values[i][1] end

      it("reads and finds every value of " .. field, function()
        fill(field)
        for i, value in ipairs(values) do
          assert.equal(read(i), assert(s.rows:get(i))[field])
          local exact = not field:find "%d" -- those with digits are rounded when they are stored
          if exact then assert.equal(i, assert(s.rows:find { [field] = value[1] }).id) end
          assert.equal(i, assert(s.rows:find { [field] = read(i) }).id)
          assert.equal(1, s.rows:count { [field] = { read(i), read(i) } })
        end
      end)

      it("orders, compares and pages by " .. field, function()
        local n = fill(field)
        assert(s.rows:create { id = 100 })
        for i = 1, n do
          assert.equal(i - 1, s.rows:count { [field] = { lt = read(i) } })
          assert.equal(n - i + 1, s.rows:count { [field] = { gte = read(i) } })
          assert.equal(n - 1, s.rows:count { [field] = { ne = read(i) } })
        end
        for _, order in ipairs { { field, "id" }, { "-" .. field, "-id" } } do
          local seen, after = {}, nil
          repeat
            local page, info = s.rows:list { order = order, limit = 2, after = after }
            assert.is_table(page, tostring(info))
            for _, row in ipairs(page) do seen[#seen + 1] = row.id end
            after = info.next
          until not after
          local want = {}
          for i = 1, n do want[i] = i end
          want[n + 1] = 100
          if order[1] ~= field then
            local back = {}
            for i = #want, 1, -1 do back[#back + 1] = want[i] end
            want = back
          end
          assert.same(want, seen)
        end
      end)

      it("aggregates " .. field, function()
        local n = fill(field)
        if UNRANKED[field] then
          local none, err = s.rows:aggregate { aggs = { { "min", field, as = "low" } } }
          assert.is_nil(none)
          local kind = db:_cstore("typed", "rows"):describe().fields
          for _, one in ipairs(kind) do
            if one.name == field then kind = one.type end
          end
          assert.is_truthy(tostring(err):find(("typed.rows:aggregate: %s is of type %s, which has no min; possible is count")
            :format(field, kind), 1, true), tostring(err))
          assert.equal(n, assert(s.rows:aggregate { aggs = { { "count", field, distinct = true, as = "n" } } })[1].n)
          return
        end
        local row = assert(s.rows:aggregate { aggs = { { "min", field, as = "low" }, { "max", field, as = "high" },
          { "count", field, distinct = true, as = "n" } } })[1]
        assert.same({ low = read(1), high = read(n), n = n }, row)
        local groups = assert(s.rows:aggregate { groups = { field }, aggs = { { "count", as = "n" } } })
        for i, group in ipairs(groups) do assert.same({ [field] = read(i), n = 1 }, group) end
      end)
    end

    it("keeps arrays", function()
      for field, lists in pairs(LISTS) do
        assert.same(lists[2] or lists[1], assert(s.rows:upsert { id = 1, [field] = lists[1] })[field])
        local found = (field == "n41s" or field == "ts0s") and lists[2] or lists[1] -- those that are rounded when they are stored
        assert.equal(1, s.rows:count { [field] = found })
        assert.equal(1, s.rows:count { [field] = { contains = { found[1] } } })
      end
      assert.equal(1, s.rows:count { n41s = { contains = { larder.decimal "1.30" } } })
      assert.same({ { "1.5" }, { "2.0" } }, assert(s.rows:upsert { id = 1, n41s = { { larder.decimal "1.5" }, { 2 } } }).n41s)
    end)

    it("checks each element, and says which one does not fit", function()
      local cases = {
        moods = { { "ok", "glad" }, 'element 2 must be one of sad, ok, Happy, a"b, c' },
        vc3s = { { "abc", "abcd" }, "element 2 is longer than 3 characters" },
        c3s = { { null, "a", "abcd" }, "element 3 is longer than 3 characters" }, b3s = { { "10" }, "element 1 has 2 bits, not 3" },
        n41s = { { 1, 12345 }, "element 2 does not fit numeric(4,1)" },
        vcs = { { larder.decimal "1" }, "element 1 must be text" },
        irs = { { { "empty" }, { "[2,1]" } }, "element 2 has its lower bound above its upper bound" }, -- counted row by row
      }
      assert(s.rows:create { id = 1 })
      for field, case in pairs(cases) do
        for _, given in ipairs { case[1], larder.append(case[1]) } do
          local row, err = s.rows:patch(1, { [field] = given })
          assert.is_nil(row)
          assert.equal(case[2], err.fields[field])
        end
      end
      assert.same({ "a  ", "b  " }, assert(s.rows:patch(1, { c3s = larder.append { "a", "b     " } })).c3s)
      assert.equal(1, s.rows:count { c3s = { "a", "b" } })
      assert.same({ "1.3", "1.3" }, assert(s.rows:patch(1, { n41s = { 1.25, "1.34" } })).n41s)
      for _, field in ipairs { "moods", "vcs", "c3s", "irs" } do
        local row, err = s.rows:aggregate { aggs = { { "max", field, as = "most" } } }
        assert.is_nil(row)
        assert.matches("^is of type .*, which has no max; possible is count$", err.fields[field])
      end
    end)

    it("refuses bad values at the client, by field", function()
      for field, values in pairs(BAD) do
        for _, value in ipairs(values) do
          local row, err = s.rows:create { id = 1, [field] = value }
          assert.is_nil(row, field .. " took " .. tostring(value))
          assert.equal("invalid", err.code)
          assert.is_string(err.fields[field])
          if field ~= "vc" and field ~= "c" then
            local n, e = s.rows:count { [field] = value }
            assert.is_nil(n)
            assert.equal("invalid", e.code)
          end
        end
      end
      assert.equal(0, s.rows:count(larder.all {}))
    end)

    it("takes equal intervals and equal chars for one", function()
      assert(s.rows:create { id = 1, iv = "P1M", c = "ab" })
      local row, err = s.rows:create { id = 2, iv = "30 days" }
      assert.is_nil(row)
      assert.equal("rows_iv_key", err.constraint)
      assert.equal(1, s.rows:count { iv = "720:00:00", c = "ab   " })
      assert.equal(1, s.rows:count { ivs = larder.null })
    end)

    it("writes many rows at once, and rows that nobody waits for", function()
      local list = {}
      for i = 1, 20 do
        list[i] = { id = i, d = "2026-01-02", ts = "2026-01-02T03:04:05", t = "03:04:05", iv = i, vc = "v", c = "c",
          ts3 = "2026-01-01 00:00:00.0006", nr = "(1.50,2]", ir = { upper = 5 },
          dr = "[2026-01-01,)", ds = { "2026-01-02" }, ivs = { "P1D" }, vcs = { "x" } }
      end
      assert.equal(20, s.rows:create_many(list))
      for i = 1, 20 do list[i].id, list[i].iv = 100 + i, 100 + i end
      for _, row in ipairs(list) do assert(s.rows:insert_async(row)) end
      assert(db:flush())
      local a, b = assert(s.rows:get(20)), assert(s.rows:get(120))
      assert.equal("PT20S", a.iv)
      assert.equal("PT2M", b.iv)
      a.id, a.iv, b.id, b.iv = nil, nil, nil, nil
      assert.same(a, b)
      assert.equal("2026-01-01T00:00:00.001000", a.ts3)
      assert.equal("c   ", a.c)
    end)

    it("stamps and makes defaults of these types", function()
      db:set_clock(function() return 1767323045678900 end)
      local row = assert(s.stamped:create { id = 1 })
      assert.equal("2026-01-02", row.made)
      assert.equal("2026-01-02T03:04:05.679000", row.at)
      assert.equal("2026-01-02T03:04:06.000000", row.changed)
      assert.equal("a  ", row.kind)
      assert.equal(40, #row.token)
      assert.equal(1, s.stamped:count { token = row.token:gsub(" +$", ""), kind = "a" })
      db:set_clock(function() return 1767323145000000 end)
      assert.equal("2026-01-02T03:05:45.000000", assert(s.stamped:patch(1, { kind = "b" })).changed)
      db:set_clock(nil)
    end)

    it("orders labels as they are declared, and takes no others", function()
      for i, mood in ipairs { "Happy", "sad", 'a"b, c', "ok" } do
        assert(s.moods:create { mood = mood, d = "2026-01-0" .. i, v = i })
      end
      local seen, after = {}, nil
      repeat
        local page, info = s.moods:list { order = { "-mood", "d" }, limit = 1, after = after }
        assert.is_table(page, tostring(info))
        for _, row in ipairs(page) do seen[#seen + 1] = row.mood end
        after = info.next
      until not after
      assert.same({ 'a"b, c', "Happy", "ok", "sad" }, seen)
      assert.equal(2, s.moods:count { mood = { gt = "ok" } })
      assert.equal(2, s.moods:count { mood = { "sad", 'a"b, c' } })
      assert.equal(1, assert(s.moods:get("Happy", "2026-01-01")).v)
      assert.equal(2, #assert(s.moods:get_many { { "ok", "2026-01-04" }, { "sad", "2026-01-02" } }))
      local ends = { { "min", "mood", as = "low" }, { "max", "mood", as = "high" } }
      assert.same({ low = "sad", high = 'a"b, c' }, assert(s.moods:aggregate { aggs = ends })[1])
      assert.equal("sad", assert(s.moods:aggregate { groups = { "mood" }, aggs = { { "count", as = "n" } } })[1].mood)
      local high = assert(s.moods:aggregate { groups = { "mood" }, having = { mood = { gt = "ok" } }, order = { "mood" } })
      assert.equal("Happy", high[1].mood)
      for _, bad in ipairs { "happy", "", 1 } do
        local row, err = s.moods:create { mood = bad, d = "2026-01-01" }
        assert.is_nil(row)
        assert.equal('must be one of sad, ok, Happy, a"b, c', err.fields.mood)
        assert.is_nil(s.moods:count { mood = bad })
      end
      assert.equal("ok", assert(s.moods:upsert { mood = "ok", d = "2026-01-04", v = 7 }).mood)
    end)

    it("gives labels, defaults and partial uniques of enums", function()
      local row = assert(s.made:create { who = "w", note = "n" })
      assert.same({ 1, "ok" }, { row.id, row.state })
      assert(s.made:create { mood = "ok", state = "sad", who = "w", note = "n" })
      local none, err = s.made:create { mood = "ok", state = "sad", who = "w", note = "n" }
      assert.is_nil(none)
      assert.equal("made_mood_key", err.constraint)
      assert.equal("Happy", assert(s.made:patch(1, { state = larder.greatest "Happy" })).state)
      assert.equal("Happy", assert(s.made:patch(1, { state = larder.greatest "sad" })).state)
    end)

    it("leaves what only the database can make to it", function()
      local row, err = s.made:create { mood = "sad" }
      if name == "memory" then
        assert.is_nil(row)
        assert.equal("unsupported", err.code)
        assert.matches("the default of who is made by PostgreSQL; in memory give a value", err.message)
        return
      end
      assert.same({ "xy", "no", "3.00" }, { row.who, row.note, row.total })
      assert.equal(3, s.made:create_many { {}, { n = 3 }, { mood = "ok" } })
      assert.is_nil(s.made:create { who = larder.null })
      assert.is_nil(assert(s.made:create { note = larder.null }).note)
      for i = 1, 4 do assert(s.made:insert_async { id = 100 + i, n = i, who = i % 2 == 0 and "given" or nil }) end
      assert(db:flush())
      assert.equal(2, s.made:count { who = "given" })
      assert.equal("xy", assert(s.made:patch(row.id, { who = larder.default })).who)
      row.mood, row.who = nil, nil
      assert.same({ who = "xy" }, { who = assert(s.made:update(row)).who, mood = s.made:get(row.id).mood })
    end)

    it("never writes what is generated, and answers nothing made of it in memory", function()
      local row = assert(s.made:create { who = "w", note = "n" })
      local none, err = s.made:create { total = "7", who = "w", note = "n" }
      assert.is_nil(none)
      assert.equal("is generated by the database and never written", err.fields.total)
      none, err = s.made:patch(row.id, { total = "7" })
      assert.is_nil(none)
      assert.equal("invalid", err.code)
      row.price = "2"
      assert.equal("2.00", assert(s.made:update(row)).price) -- a row as it was read
      for _, ask in ipairs {
        function() return s.made:count { total = "4.00" } end, function() return s.made:list { order = { "total", "id" } } end,
        function() return s.made:aggregate { aggs = { { "sum", "total", as = "t" } } } end,
        function() return s.made:count(larder.any { { id = 1 }, { total = { gt = 1 } } }) end,
      } do
        local answer, e = ask()
        if name == "memory" then
          assert.is_nil(answer)
          assert.equal("unsupported", e.code)
          assert.matches("total is generated by PostgreSQL; memory does not know its values", e.message)
        else
          assert.is_truthy(answer, tostring(e))
        end
      end
      if name ~= "memory" then assert.equal("4.00", assert(s.made:get(row.id)).total) end
    end)

    it("numbers rows in every width, up to its end", function()
      assert.same({ 1, 2 }, { assert(s.small:create { v = "a" }).id, assert(s.small:create { v = "b" }).id })
      assert(larder.transfer({ typed = { small = { { id = 32766, v = "c" } } } }, db, { families = { "typed" } }))
      assert.equal(32767, assert(s.small:create { v = "d" }).id)
      local row, err = s.small:create { v = "e" }
      assert.is_nil(row)
      assert.equal("2200H", err.sqlstate)
    end)

    for _, format in ipairs { "ndjson", "csv" } do
      it("keeps arrays in files, as " .. format, function()
        local dir = os.tmpname()
        os.remove(dir)
        assert(lfs.mkdir(dir))
        local row = { id = 1 }
        for field, lists in pairs(LISTS) do row[field] = lists[1] end
        local wanted = assert(s.rows:create(row))
        assert(s.rows:create { id = 2, moods = larder.array {}, irs = { { "[1,2)", null }, { "empty", "(,)" } } })
        local all = s.rows:list { order = { "id" } }
        assert(larder.transfer(db, larder.files(dir, { format = format }), { families = { "typed" } }))
        assert(s.rows:delete_where(larder.all {}))
        assert(larder.transfer(larder.files(dir, { format = format }), db, { families = { "typed" }, verify = true }))
        os.execute("rm -rf '" .. dir .. "'")
        assert.same(wanted, s.rows:get(1))
        assert.same(all, s.rows:list { order = { "id" } })
      end)
    end

    it("moves to the other engine and back unchanged", function()
      for field in pairs(ORDERED) do
        for i, value in ipairs(ORDERED[field]) do
          assert(s.rows:upsert { id = i, [field] = value[1] })
          if i == 1 then for f, lists in pairs(LISTS) do assert(s.rows:patch(1, { [f] = lists[1] })) end end
        end
        local other = assert(larder.open(name == "memory" and targets.postgres or "memory:"))
        typed.stores(other)
        local report = assert(larder.transfer(db, other, { families = { "typed" }, verify = true }))
        assert.equal(s.rows:count(larder.all {}), report.written)
        assert.same(s.rows:list { order = { "id" } }, other:stores("typed").rows:list { order = { "id" } })
        other:close()
        assert(s.rows:delete_where(larder.all {}))
      end
    end)
  end)
end

describe("declarations of types", function()
  local core = require "larder.core"

  local function declare(field)
    field.name = "f"
    return pcall(core.schema, { name = "x", entities = { { name = "t", table = "x.t",
      fields = { { name = "id", type = "int4" }, field }, key = { name = "t_pkey", "id" } } } })
  end

  it("take SQL's names and lengths", function()
    for _, type in ipairs { "varchar(20)", "character varying", "char", "char(3)", "timestamp without time zone", "time(0)",
      "numeric(10, 2)", "timestamptz(3)", "interval(6)", "date[]", "bit", "bit(3)",
      "varchar(3)[]", "character varying(3)[]", "char[]", "char(3)[]", "bit(3)[]", "varbit(3)[]", "numeric(10,2)[]", "time(3)[]",
      "int4range[]", "citext[]", "xml[]",
      "bit varying(5)", "varbit", "daterange", "inet", "macaddr8[]", "character(4)", "character(4)[]", "decimal(3,1)", "int", "int[]",
      "timestamp(3) with time zone", "timestamp(3) without time zone[]", "time(0) without time zone" } do
      local ok, err = declare { type = type }
      assert.is_true(ok, tostring(err))
    end
    larder.declare { name = "types_declared", entities = { { name = "t", key = { "id" },
      fields = { { name = "id", type = "int" }, { name = "f", type = "timestamp(3) without time zone" } } } } }
    local memory = larder.must(larder.open "memory:")
    local row = larder.must(memory:stores("types_declared").t:create { id = 1, f = "2026-01-02T03:04:05.0006" })
    memory:close()
    assert.equal("2026-01-02T03:04:05.001000", row.f)
  end)

  it("refuse what cannot be exact, with the reason", function()
    local cases = {
      ["in parentheses is not for this type"] = { type = "int4(3)" }, ["digits of a second are 0 to 6"] = { type = "timestamp(9)" },
      ["has 2 bits, not 3"] = { type = "bit(3)", default = "01" },
      ["no search is for arrays of them"] = { type = "tsvector[]" }, ["declare a range, with one row"] = { type = "int4multirange" },
      ["the length of their type alone"] = { type = "text[]", max_len = 3 },
      ["default is null"] = { type = "enum", sql_type = "x.e", enum = { "", "a" }, default = larder.null },
      ["default is not in its enum"] = { type = "enum[]", sql_type = "x.e", enum = { "a" }, default = { "b" } },
      ["there is no type 'varchar%(%)'"] = { type = "varchar()" }, ["declare numeric"] = { type = "money" },
      ['declare int8 with default = { "identity" }'] = { type = "bigserial" },
      ["there is no type 'timestamp%(3%) with'"] = { type = "timestamp(3) with" },
      ["there is no type 'varchar%(3%)x'"] = { type = "varchar(3)x" },
      ["did you mean date"] = { type = "dates" },
      ["enum is for text"] = { type = "date", enum = { "x" } }, ["default of f must be a date"] = { type = "date", default = "soon" },
    }
    for why, field in pairs(cases) do
      local ok, err = declare(field)
      assert.is_false(ok, why)
      assert.matches(why, tostring(err))
    end
  end)
end)
