-- Files as a source and a target of transfers: NDJSON and CSV, every type, every kind of damage.

local larder = require "larder"
local core = require "larder.core"
local engines = require "spec.support.engines"
local lfs = require "lfs"
local rows = require "larder.testing.rows"
local twin = require "spec.support.twin"
local zoo = require "spec.support.zoo"

local url = os.getenv "LARDER_TEST_URL"

local dir

local function path(name) return dir .. "/" .. name end

local function put(name, text)
  local f = assert(io.open(path(name), "wb"))
  f:write(text)
  f:close()
end

local function slurp(name)
  local f = io.open(path(name), "rb")
  local text = f and f:read "*a"
  if f then f:close() end
  return text
end

-- Order-free sum of all rows of a family, and how many they are: equal only when every value is.
local function sum_of(db, family)
  local sum = core.checksum()
  for _, store in ipairs(require "larder.family".get(family).stores) do
    local scan = assert(db:_cstore(family, store):scan())
    while true do
      local batch = scan:next(1000)
      if not batch then break end
      sum:add(batch)
    end
    scan:close()
  end
  return { sum:value() }
end

local function fill(db, family, n)
  local made = rows.new(db, family)
  for _, store in ipairs(require "larder.family".get(family).stores) do
    -- What joins two others has but one row for each pair of them.
    for i = 1, n do
      local ok, err = pcall(made.create, made, store)
      assert(ok or i > 1 and err.code == "conflict", err)
    end
  end
end

-- ---- rows with whatever is hard about a type ----

local TEXTS = {
  "", " ", " a ", "NULL", "\\N", "\\.", '"', '""', "a,b", "a;b", "a\nb", "a\r\nb", "\r", "\n", "true", "\\x00", "ÄÖ€😀", "'", "{a}", "\t",
}
local NULL = larder.null
local AWKWARD = {
  f4 = { 0.1, 1 / 3, -0.0, 0 / 0, 1 / 0, -1 / 0, 16777217 },
  f8 = { 0.1, 1 / 3, -0.0, 0 / 0, 1 / 0, -1 / 0, 5e-324, 1.7976931348623157e308, 9007199254740993 },
  n = { "0", "-0.10", "12345678901234567890.123456789012345678", "NaN", "1e-30", "Infinity", "100" },
  small = { -5, 0, 10 },
  big = { larder.json.decode "9223372036854775807", larder.json.decode "-9223372036854775808", 0, 9007199254740993 },
  text = TEXTS,
  at = { "2026-01-01T00:00:00.000001Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "infinity", "-infinity" },
  doc = { larder.array {}, {}, { a = NULL }, "text", 1, 1.5, true, false, { ["$json"] = 1 }, { ["$json"] = NULL }, { ["$json"] = 1, b = 2 },
    { list = { 1, { NULL } }, ["\n"] = '"' } },
  texts = { larder.array {}, { "a", NULL, "" }, TEXTS, { { "a", "b" }, { NULL, "NULL" } } },
  docs = { { { a = 1 }, { 1, 2 }, NULL, "x" } },
  f4s = { { 0.1, 0 / 0, -1 / 0, NULL, -0.0 } },
}
AWKWARD.raw = AWKWARD.doc

local function awkward_rows(n)
  local list = {}
  for i = 1, n do
    local row = { id = i }
    for name, values in pairs(AWKWARD) do
      if math.random() < 0.8 then row[name] = values[math.random(#values)] end
    end
    -- The unique of twin.types: rows of one big and f4 = 0.1 would meet.
    if row.f4 == 0.1 then row.big = nil end
    list[i] = row
  end
  return list
end

local function people(n)
  local list = {}
  for i = 1, n do
    list[i] = { org_id = "o1", id = ("p%05d"):format(i), email = TEXTS[i % #TEXTS + 1] .. i, blob = ("\0\255"):rep(i % 5), tags = { "a" } }
  end
  return { zoo = { orgs = { { id = "o1", name = "One", data = { a = { 1, NULL } } } }, people = list } }
end

local function items(list)
  return larder.files({ ["zoo.orgs"] = path(list) }, {})
end

local ENGINES = {
  memory = function() return assert(larder.open "memory:") end,
  postgres = url and function() return assert(larder.open(url)) end,
}

for engine, open in pairs(ENGINES) do
  describe("files and " .. engine, function()
    local db

    before_each(function()
      dir = os.tmpname()
      os.remove(dir)
      assert(lfs.mkdir(dir))
      db = open()
    end)

    after_each(function()
      os.execute("rm -rf '" .. dir .. "'")
      db:close()
    end)

    -- The zoo without a row.
    local function empty_zoo()
      if db:kind() == "memory" then
        db:close()
        db = open()
      end
      return zoo.stores(db)
    end

    -- memory → files → the engine → files → memory: equal at each step.
    local function round_trip(from, family, format, to)
      local files = larder.files(dir, { format = format })
      local wanted = sum_of(from, family)
      local report = assert(larder.transfer(from, files, { families = { family } }))
      assert.equal(wanted[2], report.written)
      assert(larder.transfer(files, to, { verify = true, chunk = 7 }))
      assert.same(wanted, sum_of(to, family))
      assert(larder.transfer(to, files, { families = { family }, overwrite = true }))
      local back = assert(larder.open "memory:")
      assert(larder.transfer(files, back, {}))
      assert.same(wanted, sum_of(back, family))
      back:close()
    end

    for _, format in ipairs { "ndjson", "csv" } do
      it("move every type without loss as " .. format, function()
        local from = assert(larder.open "memory:")
        twin.stores(db)
        assert(larder.transfer({ twin = { types = awkward_rows(200) } }, from, { families = { "twin" } }))
        round_trip(from, "twin", format, db)
        from:close()
        from = assert(larder.open "memory:")
        zoo.stores(db)
        os.execute("rm -f '" .. dir .. "'/*")
        assert(larder.transfer(people(60), from, { families = { "zoo" } }))
        round_trip(from, "zoo", format, db)
        from:close()
      end)

      for _, family in ipairs { "auth", "content", "controlplane", "csms" } do
        it(("move the family %s without loss as %s"):format(family, format), function()
          local from = assert(larder.open "memory:")
          fill(from, family, 5)
          local to
          for _, one in ipairs(engines) do
            if one.name == engine then to = one.fresh(family) end
          end
          assert.is_truthy(to)
          round_trip(from, family, format, to)
          from:close()
        end)
      end

      it("tell JSON's null from NULL as " .. format, function()
        twin.stores(db)
        put("twin.types." .. format, format == "csv" and "id,doc,raw\n1,null,\n" or '{"id":1,"doc":{"$json":null},"raw":null}\n')
        assert(larder.transfer(larder.files(dir), db, {}))
        local row = assert(db:stores "twin".types:get(1))
        assert.equal(larder.null, row.doc)
        assert.is_nil(row.raw)
        assert(larder.transfer(db, larder.files(dir), { families = { "twin" }, overwrite = true }))
        if format == "ndjson" then assert.is_truthy(slurp "twin.types.ndjson":find('"doc":{"$json":null},"raw":null', 1, true)) end
      end)
    end

    -- What a file gives: rows by id, or the error's text; refused rows as line → message.
    local function read(name, text, opts, file_opts)
      empty_zoo()
      put(name, text)
      opts = opts or {}
      opts.atomic = false
      local report, err = larder.transfer(larder.files({ ["zoo.orgs"] = path(name) }, file_opts), db, opts)
      if not report then return nil, tostring(err) end
      local found, refused = {}, {}
      for row in db:stores "zoo".orgs:each() do found[row.id] = row.name end
      for _, item in ipairs(report.refused) do refused[item.line] = item.err.message end
      return found, refused
    end

    it("read what others write: byte order marks, CRLF, no end of the last line, empty lines, other orders of columns", function()
      assert.same({ a = "One", b = "Two" }, (read("a.csv", "\239\187\191name,id\r\nOne,a\r\n\r\nTwo,b")))
      assert.same({ a = "One" }, (read("b.csv", "id;name\na;One\n", nil, { delimiter = ";" })))
      assert.same({ a = "" }, (read("c.csv", "id,name,rank\na,,\\N\n", nil, { null = "\\N" })))
      assert.same({ a = "x\r\ny", b = "z" }, (read("d.csv", 'id,name\r\na,"x\r\ny"\r\nb,z\r\n')))
      assert.same({ a = "One", b = "Two" }, (read("e.ndjson", '\239\187\191{"id":"a","name":"One"}\r\n\n{"name":"Two","id":"b"}')))
    end)

    it("refuse rows with their lines, also behind records of several lines", function()
      local found, refused = read("a.csv",
        'id,name,rank\na,"x\ny",1\nb,Two,many\n,Three,1\nd,Four\ne,"Five"x,1\nf,Six"s,1\ng,"S\255",1\nh,Last,2\n')
      assert.same({ a = "x\ny", h = "Last" }, found)
      assert.same({
        [4] = "rank must be a whole number", [5] = "id is required", [6] = "the record has 2 fields, the header has 3",
        [7] = "field 2: there is text behind its closing quote", [8] = "field 2: a quote stands in a field that does not begin with one",
        [9] = "name is not valid UTF-8 (byte 2)",
      }, refused)
      found, refused = read("b.ndjson",
        '{"id":"a","name":"One"}\nnonsense\n[1]\n{"id":"b","name":"Two","nmae":1}\n{"id":"c"}\n{"id":"d\255","name":"x"}\n')
      assert.same({ a = "One" }, found)
      assert.is_truthy(refused[2]:find "not JSON")
      assert.equal("the line must be a JSON object", refused[3])
      assert.is_truthy(refused[4]:find("nmae", 1, true))
      assert.is_truthy(refused[5]:find("name", 1, true))
      assert.is_truthy(refused[6]:find("UTF-8", 1, true), refused[6])
    end)

    it("refuse a file whose header is wrong, before a row is written", function()
      for text, wanted in pairs {
        ["id,nmae\na,One\n"] = 'column 2: zoo.orgs has no field "nmae"; did you mean name?',
        ["id\na\n"] = "columns are missing that zoo.orgs requires: name",
        ["id,name,id\na,b,c\n"] = "column id stands in the header twice",
        ["id;name\na;One\n"] = 'is ";" the delimiter?',
        [""] = "it has no header",
        ["\255\254i\0d\0"] = "it is UTF-16",
        ['id,"name\n'] = "the quote that opens in line 1 is never closed",
      } do
        local found, err = read("a.csv", text)
        assert.is_nil(found)
        assert.is_truthy(err:find(wanted, 1, true), err)
        assert.is_truthy(err:find("a.csv:1: ", 1, true), err)
      end
      local found, err = read("a.ndjson", '[{"id":"a"}]')
      assert.is_nil(found)
      assert.is_truthy(err:find("one object a line", 1, true), err)
    end)

    it("keep no line longer than allowed", function()
      local long = ("x"):rep(300000)
      local text = '{"id":"a","name":"One"}\n{"id":"b","name":"' .. long .. '"}\n{"id":"c","name":"Three"}\n'
      local found, refused = read("a.ndjson", text, nil, { max_line = 100000 })
      assert.same({ a = "One", c = "Three" }, found)
      assert.same({ [2] = "the line is longer than 100000 bytes" }, refused)
      local none, err = read("b.csv", 'id,name\na,One\nb,"Two\n' .. ("c,Three\n"):rep(20000), nil, { max_line = 100000 })
      assert.is_nil(none)
      assert.is_truthy(err:find("the record that begins in line 3 is longer than 100000 bytes; is a quote not closed?", 1, true), err)
      none, err = read("c.csv", 'id,name\na,One\nb,"Two\n')
      assert.is_nil(none)
      assert.is_truthy(err:find("the quote that opens in line 3 is never closed", 1, true), err)
    end)

    it("write refused rows to a file, with place, error and record", function()
      put("refused.ndjson", "of an earlier run\n")
      local text = 'id,name\na,One\nb,One\nc,"T\255"\n'
      read("a.csv", text, { refused = path "refused.ndjson" })
      local list = {}
      for line in slurp "refused.ndjson":gmatch "[^\n]+" do list[#list + 1] = assert(larder.json.decode(line)) end
      assert.equal(2, #list)
      local by_line = { [list[1].line] = list[1], [list[2].line] = list[2] }
      assert.same({ "conflict", "orgs_name_key", "b,One", "zoo.orgs", 2, path "a.csv" },
        { by_line[3].code, by_line[3].constraint, by_line[3].record, by_line[3].store, by_line[3].index, by_line[3].file })
      assert.same({ "invalid", "632c2254ff22" }, { by_line[4].code, by_line[4].record_hex })
      empty_zoo()
      local ok, err = larder.transfer(items "a.csv", db, { refused = path "refused.ndjson" })
      assert.is_nil(ok)
      assert.equal(2, #err.refused)
      assert.equal(0, db:stores "zoo".orgs:count())
      assert.equal(2, select(2, slurp "refused.ndjson":gsub("\n", "")))
      put("a.csv", "id,name\nz,Zed\n")
      assert(larder.transfer(items "a.csv", db, { refused = path "refused.ndjson" }))
      assert.is_nil(slurp "refused.ndjson")
    end)

    it("a dry run reads and refuses everything and keeps nothing", function()
      zoo.stores(db)
      put("a.csv", "id,name\na,One\nb,One\n")
      local report = assert(larder.transfer(items "a.csv", db, { dry_run = true }))
      assert.same({ true, 1, 1, 3 }, { report.dry_run, report.written, #report.refused, report.refused[1].line })
      assert.equal(0, db:stores "zoo".orgs:count())
    end)

    it("rows may refer to later rows of the same file, and files to each other", function()
      zoo.stores(db)
      put("zoo.orgs.csv", "id,name\no,Org\n")
      put("zoo.people.ndjson", '{"org_id":"o","id":"p"}\n{"org_id":"x","id":"q"}\n')
      put("zoo.teams.csv", "org_id,id,lead_id\no,t,p\n")
      put("README.txt", "not ours")
      local report = assert(larder.transfer(larder.files(dir), db, { atomic = false }))
      assert.same({ 4, 3, "foreign_key", 2 }, { report.read, report.written, report.refused[1].err.code, report.refused[1].line })
    end)

    it("write nothing over a file, and leave no half a file", function()
      zoo.stores(db)
      assert(larder.transfer(people(3), db, { families = { "zoo" } }))
      put("zoo.people.ndjson", "mine\n")
      assert.has_error(function() larder.transfer(db, larder.files(dir), { families = { "zoo" } }) end)
      assert.equal("mine\n", slurp "zoo.people.ndjson")
      assert.is_nil(slurp "zoo.orgs.ndjson")
      local seen = 0
      pcall(larder.transfer, db, larder.files(dir), { families = { "zoo" }, overwrite = true, progress = function(at)
        seen = seen + 1
        if at.store == "people" then error "stop" end
      end })
      assert.equal(2, seen)
      assert.equal("mine\n", slurp "zoo.people.ndjson")
    end)
  end)
end

describe("larder.files", function()
  it("refuses what can be no files, and transfers that cannot be", function()
    dir = os.tmpname()
    os.remove(dir)
    assert(lfs.mkdir(dir))
    put("zoo.orgz.csv", "id,name\n")
    local db = assert(larder.open "memory:")
    for message, fn in pairs {
      ["no store"] = function() larder.files { orgs = "x" } end,
      ["one character"] = function() larder.files(dir, { delimiter = "ab" }) end,
      ['unknown option "formt"; did you mean format?'] = function() larder.files(dir, { formt = "csv" }) end,
      ["there is no directory /nowhere"] = function() larder.transfer(larder.files "/nowhere", db, {}) end,
      ["did you mean zoo.orgs?"] = function() larder.transfer(larder.files(dir), db, {}) end,
      ["resume needs PostgreSQL"] = function()
        larder.transfer(larder.files { ["zoo.orgs"] = path "x.csv" }, db, { resume = true, atomic = false, refused = "r" })
      end,
      ["resume needs refused"] = function()
        larder.transfer(larder.files { ["zoo.orgs"] = path "x.csv" }, db, { resume = true, atomic = false })
      end,
    } do
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(message, 1, true), err)
    end
    local ok, err = larder.transfer(larder.files { ["zoo.orgs"] = path "none.csv" }, db, {})
    assert.is_nil(ok)
    assert.equal("not_found", err.code)
    os.execute("rm -rf '" .. dir .. "'")
    db:close()
  end)
end)
