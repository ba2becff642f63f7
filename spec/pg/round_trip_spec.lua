-- From declarations to SQL and back: what diff writes makes what the migrations make, and pull reads what was declared.

local larder = require "larder"
local check = require "larder.migrate.check"
local conditions = require "larder.migrate.conditions"
local diff = require "larder.migrate.diff"
local family = require "larder.family"
local fingerprint = require "larder.migrate.fingerprint"
local made = require "spec.support.migrations"
local migrate = require "larder.migrate"
local pull = require "larder.migrate.pull"

local url = assert(os.getenv "LARDER_TEST_URL", "LARDER_TEST_URL is not set")
local FAMILIES = { "auth", "controlplane", "csms", "content" }
local load = rawget(_G, "loadstring") or load

describe("declarations and SQL", function()
  local db

  setup(function() db = assert(larder.open(url)) end)
  teardown(function() db:close() end)

  local function describe_store(name, store) return db:_cstore(name, store):describe() end

  -- The declaration that pull writes, declared under another name.
  local function pulled(schema)
    local read = assert(pull.read(db, schema))
    local text = pull.text(read):gsub("\n  name = %b\"\",\n  entities", ("\n  name = %q,\n  entities"):format("pulled_" .. schema), 1)
    local chunk = assert(load(text, "=pulled"))
    return chunk(), read, text
  end

  local function show(value)
    if value == nil then return "nil" end
    if value == larder.null then return "null" end
    if type(value) ~= "table" then return tostring(value) end
    return larder.json.encode(value)
  end

  -- Fields without the one that a declaration of a search stands for: in the database it is a column.
  local function without_vector(decl, entity)
    local search = entity.search
    if not search then return decl end
    local fields = {}
    for _, field in ipairs(decl.fields) do
      if field.name ~= search.vector then fields[#fields + 1] = field end
    end
    decl.fields = fields
    return decl
  end

  -- What the database knows of a field; stamps and made values are larder's.
  local function of_field(field)
    local bounds = field.enum and {} or field
    local text = field.type == "text"
    local default = field.default
    if field.stamp or type(default) == "table" and type(default[1]) == "string" and default[1] ~= "identity" then default = nil end
    if default == larder.null then default = nil end
    return ("%s %s null=%s enum=%s len=%s..%s %s..%s default=%s (%s,%s)"):format(field.name, field.type, show(field.null == true),
      show(field.enum), show(text and bounds.min_len or nil), show(text and bounds.max_len or nil), show(field.min), show(field.max),
      show(default), show(field.precision), show(field.scale))
  end

  local function of_entity(decl)
    local lines = {}
    local function add(fmt, ...) lines[#lines + 1] = fmt:format(...) end
    for _, field in ipairs(decl.fields) do add("field %s", of_field(field)) end
    add("key %s %s", decl.key.name, table.concat(decl.key, ","))
    for _, unique in ipairs(decl.uniques) do
      local where = {}
      for name, value in pairs(unique.where or {}) do where[#where + 1] = name .. "=" .. show(value) end
      table.sort(where)
      add("unique %s %s %s", unique.name, table.concat(unique, ","), table.concat(where, ","))
    end
    for _, ref in ipairs(decl.references) do
      add("reference %s %s %s %s", ref.name, table.concat(ref.fields, ","), ref.to, ref.on_delete)
    end
    table.sort(lines)
    return table.concat(lines, "\n")
  end

  for _, name in ipairs(FAMILIES) do
    it("pull reads what was declared: " .. name, function()
      assert(db:migrate(name))
      local declared, read = pulled(name)
      local stores = {}
      for _, store in ipairs(declared.stores) do stores[store] = true end
      local entities = {}
      for _, entity in ipairs(family.get(name).entities) do entities[entity.name] = entity end
      for _, store in ipairs(family.get(name).stores) do
        local decl = describe_store(name, store)
        local table_name = decl.table:match "([^.]+)$"
        assert.is_true(stores[table_name], table_name)
        local back = describe_store("pulled_" .. name, table_name)
        for _, ref in ipairs(decl.references) do ref.to = describe_store(name, ref.to).table:match "([^.]+)$" end
        assert.equal(of_entity(decl), of_entity(without_vector(back, entities[store])))
      end
      assert.same({}, read.left_out)
      -- which column names the tenant, and so needs no order by bytes, is not to be seen in a schema
      local tenants = {}
      for _, store in ipairs(family.get(name).stores) do
        local decl = describe_store(name, store)
        if decl.tenant then tenants[decl.table .. " column " .. decl.tenant] = true end
      end
      for _, fault in ipairs(assert(check(db, "pulled_" .. name))) do
        assert.is_truthy(fault.message:find "does not order by bytes", fault.message)
        assert.is_true(tenants[fault.table .. " " .. fault.message:match "^column [%w_]+"], fault.message)
      end
    end)

    it("diff of an empty database makes what the migrations make: " .. name, function()
      -- names of checks and further indexes are the migrations' own; comments are, too
      local function lines()
        local list = {}
        for _, line in ipairs(assert(fingerprint.lines(db))) do
          local kind, rest = line:match "^(%S+) (.*)$"
          local table_name = rest:match("^(" .. name .. "%.[%w_]+)")
          if kind == "constraint" and rest:find " CHECK " and table_name then
            local column, bounds = conditions.bounds((rest:match "CHECK (.*) t?f?$" or rest):gsub(" [tf]$", ""))
            list[#list + 1] = ("check %s %s %s"):format(table_name, tostring(column), show(bounds))
          elseif table_name and (kind == "column" or kind == "constraint" or kind == "relation") then
            line = line:gsub(" tsvector t  s .*", " tsvector generated") -- how, is not declared
            list[#list + 1] = (line:gsub(" now%(%)$", " ")) -- values that larder makes need no default
          end
        end
        table.sort(list)
        return list
      end
      assert(db:migrate(name))
      local wanted = lines()
      assert(migrate.down(db, name, { to = 0 }))
      local found = assert(diff.write(db, name))
      local dir = made.directory { ["1_all.up.sql"] = found.up, ["1_all.down.sql"] = found.down }
      assert(migrate.up(db, name .. "_diff", { dir = dir }))
      local differences = fingerprint.compare(wanted, lines())
      local text = table.concat(differences, "\n")
      assert.same({}, assert(check(db, name)))
      assert(migrate.down(db, name .. "_diff", { dir = dir }))
      assert.is_false(assert(db:query("select to_regnamespace($1) is not null as there", name))[1].there)
      made.remove(dir)
      assert(db:migrate(name))
      assert.equal("", text)
    end)
  end
end)
