local larder = require "larder"
local engines = require "spec.support.engines"
local rows = require "spec.support.auth"

for _, engine in ipairs(engines) do
  describe("auth.app_keys on " .. engine.name, function()
    local db, auth, keys, clock

    before_each(function()
      db = engine.fresh "auth"
      auth = db:stores "auth"
      keys = auth.app_keys
      clock = rows.clock()
      db:set_clock(clock)
      for _, t in ipairs { "t", "t2" } do
        assert(auth.tenants:create(rows.tenant(t)))
        assert(auth.apps:create(rows.app(t, "app")))
      end
      assert(auth.apps:create(rows.app("t", "app2")))
    end)

    teardown(engine.done)

    it("LK-K1 goes through keys' lives", function()
      local live = assert(keys:create(rows.key("t", "app", "1", {
        scopes = { "read", "write" }, created_at = 1,
      })))
      local test = assert(keys:create(rows.key("t", "app", "2", {
        environment = "test", prefix = "sk_test", created_at = 2,
      })))
      assert.is_nil(live.secret_hash)
      assert.equal("live", live.environment)
      assert.same({ "read", "write" }, live.scopes)
      assert.same({ test, live }, assert(keys:list_by_app("t", "app")))
      assert.same({ test, live }, assert(keys:list_by_tenant "t"))
      assert.same({ test }, assert(keys:list_by_app("t", "app", { environment = "test" })))
      assert.same(live, assert(keys:get_by_key_id("t", "app", "k-1")))
      assert.same(live, assert(keys:get "1"))
      local revoked = assert(keys:revoke("t", "app", "k-1"))
      assert.is_true(revoked.revoked)
      assert.is_string(revoked.revoked_at)
      local new, secret = assert(keys:rotate("t", "app", "k-2"))
      assert.is_string(secret)
      assert.equal("Key 2 (rotated)", new.name)
      assert.equal("test", new.environment)
      assert.equal("k-2", new.metadata.rotated_from)
      assert.is_true(assert(keys:get "2").revoked)
      assert.same({ true, 1 }, { keys:delete("t", "app", "k-1") })
      local _, err = keys:get "1"
      assert.equal("not_found", err.code)
    end)

    it("LK-K2 finds a key only under its own tenant and app", function()
      assert(keys:create(rows.key("t", "app", "1")))
      for _, wrong in ipairs { { "t2", "app" }, { "t", "app2" } } do
        local row, err = keys:get_by_key_id(wrong[1], wrong[2], "k-1")
        assert.is_nil(row)
        assert.equal("not_found", err.code)
      end
    end)

    it("LK-K3 refuses a second key with the same id or key_id", function()
      assert(keys:create(rows.key("t", "app", "1")))
      local _, err = keys:create(rows.key("t", "app", "1", { key_id = "other" }))
      assert.equal("conflict", err.code)
      assert.equal("app_keys_pkey", err.constraint)
      _, err = keys:create(rows.key("t2", "app", "1", { key_id = "other" }))
      assert.equal("conflict", err.code)
      assert.equal("unique_app_key_id", err.constraint)
      _, err = keys:create(rows.key("t2", "app", "2", { key_id = "k-1" }))
      assert.equal("conflict", err.code)
      assert.equal("unique_key_id", err.constraint)
    end)

    it("LK-K4 updates what may change and leaves key_id, prefix and owner alone", function()
      assert(keys:create(rows.key("t", "app", "1", { user_id = "owner" })))
      local row = assert(keys:update {
        tenant_id = "t", id = "1", app_id = "app2", key_id = "changed", prefix = "xx", user_id = "thief",
        name = "Renamed", environment = "test", scopes = { "a" }, metadata = { n = 1 }, secret_hash = "new",
        expires_at = "2030-01-01T00:00:00Z", last_used = "2026-05-05T00:00:00Z", revoked = true,
        revoked_at = "2026-06-06T00:00:00Z",
      })
      assert.equal("app", row.app_id)
      assert.equal("k-1", row.key_id)
      assert.equal("sk_live", row.prefix)
      assert.equal("owner", row.user_id)
      assert.equal("Renamed", row.name)
      assert.same({ "a" }, row.scopes)
      assert.equal("2030-01-01T00:00:00.000000Z", row.expires_at)
      assert.equal("2026-05-05T00:00:00.000000Z", row.last_used)
      assert.is_true(row.revoked)
      assert.equal("2026-06-06T00:00:00.000000Z", row.revoked_at)
      -- by the internal id alone, as it is unique
      assert.equal("Again", assert(keys:update { id = "1", name = "Again" }).name)
      local _, err = keys:update(rows.key("t", "app", "ghost"))
      assert.equal("not_found", err.code)
      _, err = keys:patch("t", "1", { key_id = "changed" })
      assert.equal("invalid", err.code)
      assert.is_string(err.fields.key_id)
    end)

    it("LK-K5 revokes only under the key's tenant, and keeps the first time", function()
      assert(keys:create(rows.key("t", "app", "1")))
      local _, err = keys:revoke("t2", "app", "k-1")
      assert.equal("not_found", err.code)
      assert.is_false(assert(keys:get "1").revoked)
      local first = assert(keys:revoke("t", "app", "k-1")).revoked_at
      clock.tick(60)
      assert.equal(first, assert(keys:revoke("t", "app", "k-1")).revoked_at)
    end)

    it("LK-K6 answers not_found when a missing key is deleted", function()
      assert(keys:create(rows.key("t", "app", "1")))
      for _, wrong in ipairs { { "t", "app", "ghost" }, { "t2", "app", "k-1" }, { "t", "app2", "k-1" } } do
        local ok, err = keys:delete(wrong[1], wrong[2], wrong[3])
        assert.is_nil(ok)
        assert.equal("not_found", err.code)
      end
      assert.is_table(keys:get "1")
    end)

    it("LK-K7 rotates all or nothing", function()
      local old, secret = assert(keys:issue("t", "app", { name = "ci" }))
      local function revoke() return nil, "revoke is broken" end
      local broken = setmetatable({ revoke = revoke }, { __index = keys })
      local row, err = broken:rotate("t", "app", old.key_id)
      assert.is_nil(row)
      assert.equal("revoke is broken", err)
      assert.equal(1, keys:count { tenant_id = "t" })
      assert.equal(old.id, assert(keys:verify(secret)).id)
      local new, new_secret = assert(keys:rotate("t", "app", old.key_id))
      assert.equal(2, keys:count { tenant_id = "t" })
      assert.equal(new.id, assert(keys:verify(new_secret)).id)
      row, err = keys:verify(secret)
      assert.is_nil(row)
      assert.equal("revoked", err.reason)
    end)

    it("rotates with the remaining lifetime, and no revoked key", function()
      local old = assert(keys:issue("t", "app", {
        name = "ci", environment = "test", scopes = { "a" }, metadata = { purpose = "x" }, user_id = "u",
        expires_at = "2026-01-02T00:00:00Z",
      }))
      local new = assert(keys:rotate("t", "app", old.key_id))
      assert.equal(old.expires_at, new.expires_at)
      assert.equal("test", new.environment)
      assert.equal("u", new.user_id)
      assert.same({ "a" }, new.scopes)
      assert.same({ purpose = "x", rotated_from = old.key_id, rotated_at = db:now() }, new.metadata)
      local _, err = keys:rotate("t", "app", old.key_id)
      assert.equal("invalid", err.code)
      clock.tick(2 * 86400)
      assert.is_nil(assert(keys:rotate("t", "app", new.key_id)).expires_at)
      _, err = keys:rotate("t", "app", "ghost")
      assert.equal("not_found", err.code)
    end)

    it("issues keys that verify, and never stores or shows the secret", function()
      local row, secret = assert(keys:issue("t", "app", { name = "ci", scopes = { "read" } }))
      assert.matches("^lk_live_" .. row.key_id .. "_", secret)
      assert.equal("lk_live", row.prefix)
      assert.equal("app:app", row.user_id)
      assert.is_nil(row.secret_hash)
      local found = assert(keys:verify(secret))
      assert.is_nil(found.secret_hash)
      assert.equal("t", found.tenant_id)
      assert.same({ "read" }, found.scopes)
      assert.equal(row.id, assert(keys:verify(secret, { tenant_id = "t" })).id)
      local none, err = keys:verify(secret, { tenant_id = "t2" })
      assert.is_nil(none)
      assert.equal("unauthorized", err.code)
      local dump = larder.json.encode { row, assert(keys:list_by_tenant "t"), assert(keys:get(row.id)) }
      assert.is_nil(dump:find(secret:sub(-40), 1, true))
      assert.is_nil(dump:find("b2$", 1, true))
      _, err = keys:issue("t", "ghost", { name = "ci" })
      assert.equal("foreign_key", err.code)
      _, err = keys:issue("t", "app", { name = "ci", environment = "prod" })
      assert.equal("invalid", err.code)
    end)

    it("gives every refused key the same message and its own reason", function()
      local _, secret = assert(keys:issue("t", "app", { name = "ci", expires_at = "2026-01-01T00:01:00Z" }))
      local row2, secret2 = assert(keys:issue("t", "app", { name = "other" }))
      assert(keys:delete("t", "app", row2.key_id))
      local seen, message = {}, nil
      local function refuse(text, reason)
        local row, err = keys:verify(text)
        assert.is_nil(row)
        assert.equal("unauthorized", err.code)
        assert.equal(reason, err.reason)
        message = message or err.message
        assert.equal(message, err.message)
        seen[reason] = true
      end
      refuse("", "malformed")
      refuse("not a key", "malformed")
      refuse(nil, "malformed")
      refuse(secret:sub(1, -2), "malformed")
      refuse(secret2, "unknown")
      assert.is_table(keys:verify(secret))
      clock.tick(60)
      refuse(secret, "expired")
      local row3, secret3 = assert(keys:issue("t", "app", { name = "third" }))
      assert(keys:revoke("t", "app", row3.key_id))
      refuse(secret3, "revoked")
      assert.same({ malformed = true, unknown = true, expired = true, revoked = true }, seen)
    end)

    it("writes last_used in batches", function()
      assert(keys:flush_last_used()) -- what other cases left behind
      local a, secret_a = assert(keys:issue("t", "app", { name = "a" }))
      local b, secret_b = assert(keys:issue("t", "app", { name = "b" }))
      assert(keys:verify(secret_a))
      clock.tick(3)
      assert(keys:verify(secret_a))
      assert(keys:verify(secret_b))
      assert.is_nil(assert(keys:get(a.id)).last_used)
      assert.equal(2, keys:flush_last_used())
      assert.equal("2026-01-01T00:00:03.000000Z", assert(keys:get(a.id)).last_used)
      assert.equal("2026-01-01T00:00:03.000000Z", assert(keys:get(b.id)).last_used)
      assert.equal(0, keys:flush_last_used())
    end)

    it("gives keys used in one second the latest of their times, never an earlier one", function()
      assert(keys:flush_last_used())
      local used = {}
      for i = 1, 3 do
        local row, secret = assert(keys:issue("t", "app", { name = "k" .. i }))
        used[i] = row.id
        assert(keys:verify(secret))
        clock.tick(0.25)
      end
      assert.equal(3, keys:flush_last_used())
      for i = 1, 3 do assert.equal("2026-01-01T00:00:00.500000Z", assert(keys:get(used[i])).last_used) end
      clock.tick(-100)
      local row, secret = assert(keys:issue("t", "app", { name = "late" }))
      assert(keys:patch("t", row.id, { last_used = "2026-02-01T00:00:00Z" }))
      assert(keys:verify(secret))
      assert.equal(1, keys:flush_last_used())
      assert.equal("2026-02-01T00:00:00.000000Z", assert(keys:get(row.id)).last_used)
    end)

    it("keeps what could not be written of last_used for the next time", function()
      assert(keys:flush_last_used())
      local row, secret = assert(keys:issue("t", "app", { name = "k" }))
      assert(keys:verify(secret))
      keys.run = function() return nil, "the database is down" end
      local n, err = keys:flush_last_used()
      keys.run = nil
      assert.is_nil(n)
      assert.equal("the database is down", err)
      assert.equal(1, keys:flush_last_used())
      assert.is_string(assert(keys:get(row.id)).last_used)
    end)

    it("verify inside a transaction that is undone does not lose the use", function()
      assert(keys:flush_last_used())
      local _, secret = assert(keys:issue("t", "app", { name = "k" }))
      db:transaction(function()
        keys:verify(secret)
        return nil, "undone"
      end)
      assert.equal(1, keys:flush_last_used())
    end)
  end)
end
