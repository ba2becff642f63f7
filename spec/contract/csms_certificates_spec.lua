local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

local first, second = rows.certificates[1], rows.certificates[2]

--- The base64 between the lines of a PEM text.
local function body_of(pem)
  return (pem:match("%-%-%-%-%-\n(.*)\n%-%-%-%-%-"):gsub("%s", ""))
end

local function as_certificate(body)
  return "-----BEGIN CERTIFICATE-----\n" .. body .. "\n-----END CERTIFICATE-----\n"
end

for _, engine in ipairs(engines) do
  describe("csms.certificates on " .. engine.name, function()
    local certificates

    before_each(function() certificates = engine.fresh "csms":stores("csms").certificates end)

    teardown(engine.done)

    it("MV-P1 stores under the hash of the DER, looks up and deletes", function()
      assert.equal(first.hash, assert(certificates:set(first.pem)))
      assert.equal(second.hash, assert(certificates:set(second.pem)))
      assert.equal(first.pem, assert(certificates:lookup(first.hash)))
      assert.is_true((certificates:delete(first.hash)))
      local found, err = certificates:lookup(first.hash)
      assert.is_nil(found)
      assert.is_nil(err)
      assert.is_true((certificates:delete(first.hash)))
      assert.equal(second.pem, assert(certificates:lookup(second.hash)))
    end)

    it("MV-P2 refuses what is no certificate #luaossl", function()
      local body = body_of(first.pem)
      local cases = {
        { "", "no PEM block" },
        { "not a certificate", "no PEM block" },
        { "-----BEGIN CERTIFICATE-----\n" .. body, "no PEM block" },
        { "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PRIVATE KEY" },
        { (first.pem:gsub("CERTIFICATE", "TRUSTED CERTIFICATE")), "TRUSTED CERTIFICATE" },
        { as_certificate "AAAA", "parsed" },
        { as_certificate "%%%%", "parsed" },
        { as_certificate(""), "parsed" },
        { as_certificate(body:sub(1, 100)), "parsed" },
      }
      for _, case in ipairs(cases) do
        local hash, err = certificates:set(case[1])
        assert.is_nil(hash)
        assert.same({ "invalid", "pem" }, rows.fault(err))
        assert.equal("csms.certificates", err.store)
        assert.is_truthy(err.message:find(case[2], 1, true))
      end
      assert.same({ "invalid", "pem" }, rows.fault(select(2, certificates:set(nil))))
      assert.equal(0, certificates:count())
    end)

    it("MV-P2 refuses bytes behind the certificate #luaossl", function()
      local longer, n = body_of(first.pem):gsub("==$", "AA") -- two bytes in place of the padding
      assert.equal(1, n)
      local _, err = certificates:set(as_certificate(longer))
      assert.is_truthy(err.message:find("more in its block", 1, true))
    end)

    it("MV-P3 gives the same certificate with other line breaks the same key", function()
      local body = body_of(first.pem)
      local pems = {
        as_certificate(body),
        as_certificate(body:gsub(("."):rep(41), "%0\n")),
        (first.pem:gsub("\n", "\r\n")),
        "subject: station a\n\n" .. first.pem .. second.pem,
      }
      for _, pem in ipairs(pems) do assert.equal(first.hash, assert(certificates:set(pem))) end
      assert.equal(1, certificates:count())
      assert.equal(pems[#pems], assert(certificates:lookup(first.hash)))
    end)
  end)
end
