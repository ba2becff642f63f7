local larder = require "larder"
local clock = require("spec.support.auth").clock
local engines = require "spec.support.engines"
local rows = require "spec.support.csms"

for _, engine in ipairs(engines) do
  describe("tokens, OCPI and locations in csms on " .. engine.name, function()
    local db, csms

    before_each(function()
      db = engine.fresh "csms"
      csms = db:stores "csms"
    end)

    teardown(engine.done)

    describe("tokens", function()
      local tokens

      before_each(function() tokens = csms.tokens end)

      local function fill(n)
        for i = n, 1, -1 do assert(tokens:set(rows.token(("TOKEN%02d"):format(i)))) end
      end

      it("MV-K1 sets and looks up every field", function()
        local given = rows.token("ABCDEF1234", {
          visual_number = "GB-TWK-012345678-V", group_id = "G1", valid = false, language_code = "en",
          last_updated = "2026-01-02T03:04:05.000000Z",
        })
        assert(tokens:set(given))
        local found = assert(tokens:lookup "ABCDEF1234")
        for name, value in pairs(given) do assert.equal(value, found[name]) end
      end)

      it("MV-K2 finds nothing without an error", function()
        local found, err = tokens:lookup "ghost"
        assert.is_nil(found)
        assert.is_nil(err)
      end)

      it("MV-K3 keeps nullable fields null, then set, then null again", function()
        local given = rows.token "T"
        local found = assert(tokens:set(given))
        assert.is_nil(found.visual_number)
        assert.is_nil(found.group_id)
        assert.is_nil(found.language_code)
        assert.is_true(found.valid)
        given.visual_number, given.group_id, given.language_code = "V", "G", "de"
        found = assert(tokens:set(given))
        assert.same({ "V", "G", "de" }, { found.visual_number, found.group_id, found.language_code })
        given.group_id = larder.null
        assert.is_nil(assert(tokens:set(given)).group_id)
        assert.is_nil(assert(tokens:lookup "T").group_id)
      end)

      it("MV-K4 lists 5 as pages of 3 and 2", function()
        fill(5)
        assert.same({ "TOKEN01", "TOKEN02", "TOKEN03" }, rows.column("uid", tokens:list(0, 3)))
        assert.same({ "TOKEN04", "TOKEN05" }, rows.column("uid", tokens:list(3, 3)))
      end)

      it("MV-K5 lists the first 10 of 20 by uid", function()
        fill(20)
        local list = assert(tokens:list(0, 10))
        assert.equal(10, #list)
        for i, token in ipairs(list) do assert.equal(("TOKEN%02d"):format(i), token.uid) end
      end)

      it("MV-K6 lists what is left behind an offset", function()
        fill(20)
        local list = assert(tokens:list(5, 20))
        assert.equal(15, #list)
        assert.equal("TOKEN06", list[1].uid)
        assert.same({}, assert(tokens:list(20, 20)))
        assert.same({}, assert(tokens:list(0, 0)))
      end)

      it("MV-K7 lists nothing as an empty list, 20 unless said otherwise", function()
        assert.same({}, assert(tokens:list(0, 20)))
        assert.same({}, assert(tokens:list()))
        fill(21)
        assert.equal(20, #assert(tokens:list()))
      end)

      it("MV-K8 changes the token with the same uid", function()
        assert(tokens:set(rows.token "T"))
        assert(tokens:set(rows.token("T", { contract_id = "NLTWK000000000X" })))
        assert.equal("NLTWK000000000X", assert(tokens:lookup "T").contract_id)
        assert.equal(1, tokens:count())
      end)

      it("MV-K9 knows four types", function()
        for _, kind in ipairs { "AD_HOC_USER", "APP_USER", "OTHER", "RFID" } do
          assert(tokens:set(rows.token(kind, { type = kind })))
          assert.equal(kind, assert(tokens:lookup(kind)).type)
        end
        local _, err = tokens:set(rows.token("T", { type = "CARD" }))
        assert.same({ "invalid", "type" }, rows.fault(err))
      end)

      it("MV-K10 knows four cache modes", function()
        for _, mode in ipairs { "ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER" } do
          assert(tokens:set(rows.token(mode, { cache_mode = mode })))
          assert.equal(mode, assert(tokens:lookup(mode)).cache_mode)
        end
        local _, err = tokens:set(rows.token("T", { cache_mode = "SOMETIMES" }))
        assert.same({ "invalid", "cache_mode" }, rows.fault(err))
      end)

      it("MV-K13 gives a time with an offset back as the same instant, and its own when none is given", function()
        assert(tokens:set(rows.token("T", { last_updated = "2026-01-01T10:00:00+02:00" })))
        assert.equal("2026-01-01T08:00:00.000000Z", assert(tokens:lookup "T").last_updated)
        local _, err = tokens:set(rows.token("T", { last_updated = "yesterday" }))
        assert.same({ "invalid", "last_updated" }, rows.fault(err))
        db:set_clock(clock())
        assert(tokens:set(rows.token "T"))
        assert.equal("2026-01-01T00:00:00.000000Z", assert(tokens:lookup "T").last_updated)
        db:set_clock(nil)
      end)

      it("does not change the caller's record", function()
        local given = rows.token "T"
        assert(tokens:set(given))
        assert.same(rows.token "T", given)
        assert(tokens:lookup "T").issuer = "changed"
        assert.equal("Thoughtworks", assert(tokens:lookup "T").issuer)
      end)

      it("refuses pages out of range and records that are none", function()
        for _, page in ipairs { { -1, 10, "offset" }, { 0.5, 10, "offset" }, { 0, -1, "limit" }, { 0, 1001, "limit" } } do
          local _, err = tokens:list(page[1], page[2])
          assert.same({ "invalid", page[3] }, rows.fault(err))
        end
        local _, err = tokens:set { uid = "T" }
        assert.equal("invalid", err.code)
        assert.is_truthy(err.fields.contract_id and err.fields.issuer and err.fields.type)
        _, err = tokens:set(rows.token("T", { contractId = "X" }))
        assert.same({ "invalid", "contractId" }, rows.fault(err))
        assert.has_error(function() tokens:set() end)
      end)

      it("lists in the generic way, too", function()
        fill(3)
        local page, info = tokens:list { limit = 2 }
        assert.same({ "TOKEN01", "TOKEN02" }, rows.column("uid", page))
        assert.same({ "TOKEN03" }, rows.column("uid", tokens:list { limit = 2, after = info.next }))
      end)
    end)

    describe("ocpi", function()
      local ocpi

      before_each(function() ocpi = csms.ocpi end)

      local function party(role, country, id, more)
        local p = { role = role, country_code = country, party_id = id, url = "https://" .. id, token = "t-" .. id }
        for name, value in pairs(more or {}) do p[name] = value end
        return p
      end

      it("MV-O1 sets, gets and updates a registration", function()
        for _, status in ipairs { "pending", "registered" } do
          assert(ocpi:set_registration("tok", { status = status }))
          assert.equal(status, assert(ocpi:get_registration "tok").status)
        end
        assert.equal(1, ocpi:count())
        local _, err = ocpi:set_registration("tok", { status = "lost" })
        assert.same({ "invalid", "status" }, rows.fault(err))
      end)

      it("MV-O2 deletes a registration", function()
        assert(ocpi:set_registration("tok", { status = "pending" }))
        assert.is_true((ocpi:delete_registration "tok"))
        local found, err = ocpi:get_registration "tok"
        assert.is_nil(found)
        assert.is_nil(err)
        assert.is_true((ocpi:delete_registration "tok"))
      end)

      it("MV-O3 sets and gets a party, and changes its url and token", function()
        assert(ocpi:set_party(party("CPO", "GB", "TWK")))
        assert(ocpi:set_party(party("CPO", "GB", "TWK", { url = "https://new", token = "new" })))
        local found = assert(ocpi:get_party("CPO", "GB", "TWK"))
        assert.same({ "https://new", "new" }, { found.url, found.token })
        assert.is_nil((ocpi:get_party("EMSP", "GB", "TWK")))
        assert.equal(1, csms.ocpi_parties:count())
      end)

      it("MV-O4 lists the parties of a role alone, sorted", function()
        for _, p in ipairs {
          party("EMSP", "NL", "AAA"), party("CPO", "NL", "BBB"), party("EMSP", "BE", "ZZZ"), party("EMSP", "BE", "YYY"),
        } do
          assert(ocpi:set_party(p))
        end
        assert.same({ "YYY", "ZZZ", "AAA" }, rows.column("party_id", ocpi:list_parties "EMSP"))
        assert.same({ "BBB" }, rows.column("party_id", ocpi:list_parties "CPO"))
        assert.same({}, assert(ocpi:list_parties "HUB"))
      end)

      it("MV-O5 keeps keys with colons and dashes apart", function()
        for _, key in ipairs { { "a:b", "cc", "d" }, { "a", "b:", "d" }, { "a-b", "cc", "d" }, { "a", "b-", "d" } } do
          assert(ocpi:set_party(party(key[1], key[2], key[3], { url = table.concat(key, "|") })))
        end
        assert.equal(4, csms.ocpi_parties:count())
        assert.equal("a|b:|d", assert(ocpi:get_party("a", "b:", "d")).url)
        assert(csms.transactions:create("a", "b:c", nil, nil, nil, 1))
        assert(csms.transactions:create("a:b", "c", nil, nil, nil, 2))
        assert.equal(1, assert(csms.transactions:find("a", "b:c")).start_seq_no)
        assert.equal(2, assert(csms.transactions:find("a:b", "c")).start_seq_no)
      end)
    end)

    describe("locations", function()
      local locations

      before_each(function() locations = csms.locations end)

      it("MV-L1 sets and looks up with EVSEs and connectors", function()
        local connector = {
          id = "1", format = "SOCKET", standard = "IEC_62196_T2", power_type = "AC_3_PHASE", max_voltage = 230,
          max_amperage = 32, last_updated = "2026-01-01T00:00:00Z",
        }
        local given = rows.location("loc001", {
          name = "Gent Zuid", postal_code = "9000", parking_type = "ON_STREET",
          evses = { {
            uid = "3256", evse_id = "BE*BEC*E041503001", status = "AVAILABLE", connectors = { connector },
            last_updated = "2026-01-01T00:00:00Z",
          } },
        })
        assert(locations:set(given))
        local found = assert(locations:lookup "loc001")
        for name, value in pairs(given) do assert.same(value, found[name]) end
      end)

      it("MV-L2 finds nothing without an error", function()
        local found, err = locations:lookup "ghost"
        assert.is_nil(found)
        assert.is_nil(err)
      end)

      it("MV-L3 lists the first 10 of 20 by id", function()
        for i = 20, 1, -1 do assert(locations:set(rows.location(("loc%03d"):format(i)))) end
        local list = assert(locations:list(0, 10))
        assert.equal(10, #list)
        for i, location in ipairs(list) do assert.equal(("loc%03d"):format(i), location.id) end
      end)

      it("MV-L4 tells EVSEs that are not known from none", function()
        assert(locations:set(rows.location "absent"))
        local given = rows.location("empty", { evses = {} })
        assert(locations:set(given))
        assert.is_nil(assert(locations:lookup "absent").evses)
        local found = assert(locations:lookup "empty")
        assert.equal("[]", require("larder.core").json_encode(found.evses))
        assert.same({}, given.evses)
        assert.is_nil(getmetatable(given.evses))
        assert(locations:set(rows.location("bare", { evses = { { uid = "1", connectors = {} } } })))
        found = assert(locations:lookup "bare")
        assert.equal("[]", require("larder.core").json_encode(found.evses[1].connectors))
        assert(locations:set(found))
      end)

      it("MV-L5 accepts a country of three letters", function()
        assert.equal("BEL", assert(locations:set(rows.location("l", { country = "BEL" }))).country)
      end)

      it("MV-L6 replaces the one with the same id", function()
        assert(locations:set(rows.location("l", { name = "Old", evses = {} })))
        assert(locations:set(rows.location("l", { city = "Brugge" })))
        local found = assert(locations:lookup "l")
        assert.equal("Brugge", found.city)
        assert.is_nil(found.name)
        assert.is_nil(found.evses)
        assert.equal(1, locations:count())
      end)

      it("refuses EVSEs that are no list", function()
        local _, err = locations:set(rows.location("l", { evses = { uid = "1" } }))
        assert.same({ "invalid", "evses" }, rows.fault(err))
        _, err = locations:set(rows.location("l", { evses = { { uid = "1", connectors = "none" } } }))
        assert.same({ "invalid", "evses[1].connectors" }, rows.fault(err))
      end)
    end)
  end)
end
