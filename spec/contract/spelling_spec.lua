-- A number may be written in several ways, and is the same number: also where it refers to a row.

local larder = require "larder"

larder.declare {
  name = "spelling",
  entities = {
    {
      name = "rates", table = "public.larder_spelling_rates",
      fields = { { name = "rate", type = "numeric" }, { name = "title", type = "text" } },
      key = { name = "larder_spelling_rates_pkey", "rate" },
    },
    {
      name = "lines", table = "public.larder_spelling_lines",
      fields = { { name = "id", type = "int8" }, { name = "rate", type = "numeric", null = true } },
      key = { name = "larder_spelling_lines_pkey", "id" },
      references = {
        { name = "larder_spelling_lines_rate_fkey", fields = { "rate" }, to = "rates", as = "of_rate", many = "lines" },
      },
    },
  },
}

local TABLES = {
  "drop table if exists public.larder_spelling_lines, public.larder_spelling_rates",
  "create table public.larder_spelling_rates (rate numeric constraint larder_spelling_rates_pkey primary key, title text not null)",
  [[create table public.larder_spelling_lines (id int8 constraint larder_spelling_lines_pkey primary key,
    rate numeric constraint larder_spelling_lines_rate_fkey references public.larder_spelling_rates)]],
}

for name, target in pairs { memory = "memory:", postgres = os.getenv "LARDER_TEST_URL" } do
  describe("numbers that refer on " .. name, function()
    local db

    setup(function()
      db = larder.must(larder.open(target))
      for _, sql in ipairs(name == "postgres" and TABLES or {}) do larder.must(db:query(sql)) end
    end)
    teardown(function()
      if name == "postgres" then larder.must(db:query(TABLES[1])) end
      db:close()
    end)

    it("find their rows however they are written", function()
      local s = db:stores "spelling"
      local written = { ["7"] = "7.00", ["0.50"] = ".5", ["100"] = "1e2", ["1000000000000000000000.10"] = "1000000000000000000000.1" }
      local n = 0
      for rate, other in pairs(written) do
        n = n + 2
        larder.must(s.rates:create { rate = rate, title = rate })
        larder.must(s.lines:create { id = n - 1, rate = other })
        larder.must(s.lines:create { id = n, rate = rate })
      end
      larder.must(s.lines:create { id = 99 })
      local lines = larder.must(s.lines:list { include = { of_rate = true } })
      assert.equal(n + 1, #lines)
      for _, line in ipairs(lines) do
        if line.id == 99 then
          assert.is_nil(line.of_rate)
        else
          assert.equal(larder.decimal(line.rate), larder.decimal(line.of_rate.rate))
        end
      end
      for _, rate in ipairs(larder.must(s.rates:list { include = { lines = true } })) do assert.equal(2, #rate.lines, rate.title) end
      assert.equal(2, #larder.must(s.rates:get("7.000", { include = { lines = true } })).lines)
    end)
  end)
end
