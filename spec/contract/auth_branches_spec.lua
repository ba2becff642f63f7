local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.branches on " .. engine.name, function()
    local auth

    before_each(function()
      auth = engine.fresh("auth"):stores "auth"
      assert(auth.tenants:create(rows.tenant "t"))
      assert(auth.apps:create(rows.app("t", "app")))
      assert(auth.apps:create(rows.app("t", "app2")))
    end)

    teardown(engine.done)

    it("LK-B1 goes through a branch's life", function()
      local hq = assert(auth.branches:create(rows.branch("t", "app", "hq-jakarta", {
        code = "JKT-001", type = "headquarters", created_at = 1,
      })))
      assert(auth.branches:create(rows.branch("t", "app", "regional-surabaya", {
        code = "SBY-001", type = "regional", created_at = 2,
      })))
      assert.same(hq, assert(auth.branches:get("t", "app", "hq-jakarta")))
      assert.same({ "regional-surabaya", "hq-jakarta" }, rows.ids(auth.branches:list("t", "app")))
      assert.same({ "hq-jakarta" }, rows.ids(auth.branches:list_by_type("t", "app", "headquarters")))
      hq.settings = { timezone = "Asia/Jakarta", features = { "pos", "stock" } }
      local changed = assert(auth.branches:update(hq))
      assert.same({ timezone = "Asia/Jakarta", features = { "pos", "stock" } }, changed.settings)
      assert(auth.branches:delete("t", "app", "hq-jakarta"))
      assert.is_false(auth.branches:exists("t", "app", "hq-jakarta"))
    end)

    it("LK-B2 keeps codes unique within an app", function()
      assert(auth.branches:create(rows.branch("t", "app", "one", { code = "C1" })))
      local row, err = auth.branches:create(rows.branch("t", "app", "two", { code = "C1" }))
      assert.is_nil(row)
      assert.equal("conflict", err.code)
      assert.equal("unique_branch_code_per_app", err.constraint)
      assert(auth.branches:create(rows.branch("t", "app2", "one", { code = "C1" })))
      assert.equal("one", assert(auth.branches:get_by_code("t", "app2", "C1")).id)
      _, err = auth.branches:get_by_code("t", "app2", "C2")
      assert.equal("not_found", err.code)
    end)

    it("LK-B3 refuses a branch without a code", function()
      for _, code in ipairs { "", false } do
        local branch = rows.branch("t", "app", "hq")
        branch.code = code or nil
        local row, err = auth.branches:create(branch)
        assert.is_nil(row)
        assert.equal("invalid", err.code)
        assert.is_string(err.fields.code)
      end
    end)

    it("LK-B4 keeps address and contact, and writes the full address", function()
      local address = {
        street = "Jl. Sudirman 1", city = "Jakarta", state = "DKI", country = "Indonesia",
        postal_code = "10210", latitude = -6.2, longitude = 106.8,
      }
      assert(auth.branches:create(rows.branch("t", "app", "hq", {
        address = address, contact = { phone = "+62 21", email = "hq@example.org" },
      })))
      local hq = assert(auth.branches:get("t", "app", "hq"))
      assert.same(address, hq.address)
      assert.same({ phone = "+62 21", email = "hq@example.org" }, hq.contact)
      assert.equal("Jl. Sudirman 1, Jakarta, DKI, Indonesia 10210", auth.branches:full_address(hq))
      local part = { address = { city = "Jakarta", country = "Indonesia" } }
      assert.equal("Jakarta, Indonesia", auth.branches:full_address(part))
      assert.equal("10210", auth.branches:full_address { address = { postal_code = "10210" } })
      assert.equal("", auth.branches:full_address {})
      assert.same({ "hq" }, rows.ids(auth.branches:list("t", "app", { city = "Jakarta" })))
      assert.same({}, assert(auth.branches:list("t", "app", { country = "Malaysia" })))
    end)

    it("reads an absent address and contact as empty objects", function()
      local row = assert(auth.branches:create(rows.branch("t", "app", "b")))
      assert.same({}, row.address)
      assert.same({}, assert(auth.branches:get("t", "app", "b")).contact)
      assert.equal("office", row.type)
    end)
  end)
end
