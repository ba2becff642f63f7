#include "lua/module/secret.h"

#include <string.h>

#include "base/text.h"
#include "crypto/apikey.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/frame.h"

/* The pepper ring of this Lua state: upvalue of the functions that use it, wiped when the state ends. */
static void peppers_close(void *p) { ldr_wipe(p, sizeof(ldr_peppers)); }
static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const l_class peppers_class = {"larder.peppers", sizeof(ldr_peppers), peppers_close};

static ldr_peppers *peppers(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

/* core.set_peppers(text) → true | nil, err */
static int set_peppers(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  ldr_peppers ring = {0};
  ldr_err err;
  ldr_code code = ldr_peppers_parse(text, n, &ring, &err);
  if (code == LDR_OK) *peppers(L) = ring;
  ldr_wipe(&ring, sizeof ring);
  if (code != LDR_OK) return l_fail(L, &err, NULL, "set_peppers");
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- passwords ---- */

/* Arguments ops and mem at idx and idx + 1; 0 when nil: the library's own. */
static void read_cost(lua_State *L, int idx, unsigned long long *ops, size_t *mem) {
  int64_t o = luaL_optinteger(L, idx, 0), m = luaL_optinteger(L, idx + 1, 0);
  luaL_argcheck(L, o >= 0, idx, "must not be negative");
  luaL_argcheck(L, m >= 0, idx + 1, "must not be negative");
  *ops = (unsigned long long)o;
  *mem = (size_t)m;
}

/* core.password_hash(password [, ops, mem]) → text | nil, err */
static int password_hash(lua_State *L) {
  size_t n, mem;
  const char *password = luaL_checklstring(L, 1, &n);
  unsigned long long ops;
  char hash[128];
  ldr_err err;
  read_cost(L, 2, &ops, &mem);
  if (ldr_password_hash(password, n, ops, mem, hash, &err) != LDR_OK)
    return l_fail(L, &err, NULL, "password_hash");
  lua_pushstring(L, hash);
  return 1;
}

/* core.password_check(hash, password) → boolean */
static int password_check(lua_State *L) {
  const char *hash = luaL_checkstring(L, 1);
  size_t n;
  const char *password = luaL_checklstring(L, 2, &n);
  lua_pushboolean(L, ldr_password_check(hash, password, n));
  return 1;
}

/* core.password_stale(hash [, ops, mem]) → boolean */
static int password_stale(lua_State *L) {
  const char *hash = luaL_checkstring(L, 1);
  unsigned long long ops;
  size_t mem;
  read_cost(L, 2, &ops, &mem);
  lua_pushboolean(L, ldr_password_stale(hash, ops, mem));
  return 1;
}

/* ---- API keys ---- */

static bool good_environment(const char *s, size_t n) {
  if (n == 0 || n > 15) return false;
  for (size_t i = 0; i < n; i++)
    if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9'))) return false;
  return true;
}

/* core.apikey_make(environment) → secret text, id, prefix, stored hash */
static int apikey_make(lua_State *L) {
  size_t n;
  const char *environment = luaL_checklstring(L, 1, &n);
  ldr_apikey key;
  char text[LDR_APIKEY_TEXT], hash[LDR_APIKEY_HASH];
  ldr_err err;
  luaL_argcheck(L, good_environment(environment, n), 1, "must be 1 to 15 lower-case letters or digits");
  if (ldr_secret_init(&err) != LDR_OK) return l_fail(L, &err, NULL, "apikey_make");
  luaL_checkstack(L, 6, NULL);
  ldr_apikey_make(environment, &key);
  n = ldr_apikey_format(&key, text);
  ldr_apikey_hash(&key, peppers(L), hash);
  ldr_wipe(key.secret, sizeof key.secret);
  lua_pushlstring(L, text, n);
  ldr_wipe(text, sizeof text);
  lua_pushstring(L, key.id);
  lua_pushfstring(L, "lk_%s", key.environment);
  lua_pushstring(L, hash);
  return 4;
}

/* core.apikey_parse(text) → id, environment | nil */
static int apikey_parse(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  ldr_apikey key;
  bool ok = ldr_apikey_parse(text, n, &key);
  if (!ok) return 0;
  ldr_wipe(key.secret, sizeof key.secret);
  lua_pushstring(L, key.id);
  lua_pushstring(L, key.environment);
  return 2;
}

/* core.apikey_verify(text, stored or nil) → ok, stale */
static int apikey_verify(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n), *stored = luaL_optstring(L, 2, NULL);
  ldr_apikey key;
  bool ok = false, stale = false;
  if (ldr_apikey_parse(text, n, &key)) {
    ok = ldr_apikey_verify(&key, stored, peppers(L), &stale);
    ldr_wipe(key.secret, sizeof key.secret);
  }
  lua_pushboolean(L, ok);
  lua_pushboolean(L, ok && stale);
  return 2;
}

/* ---- sealing ---- */

/* Arguments key, text → a text made by fn in the work's buffer, which is wiped after. */
static int sealing(lua_State *L, const char *name,
                   ldr_code (*fn)(const unsigned char *, const char *, size_t, ldr_buf *, ldr_err *)) {
  l_slots at;
  size_t nkey, n;
  const char *key = luaL_checklstring(L, 1, &nkey), *s = luaL_checklstring(L, 2, &n);
  l_work *w;
  ldr_code code;
  luaL_argcheck(L, nkey == 32, 1, "a key has 32 bytes");
  lua_settop(L, 2);
  w = l_work_take(L, &at, 0, NULL);
  w->name = name;
  code = fn((const unsigned char *)key, s, n, &w->buf, &w->err);
  if (code == LDR_OK && w->buf.broken) code = ldr_fail_nomem(&w->err);
  if (code == LDR_OK) lua_pushlstring(L, w->buf.p ? w->buf.p : "", w->buf.n);
  if (w->buf.p) ldr_wipe(w->buf.p, w->buf.cap);
  return code == LDR_OK ? l_work_end(L, w, 1) : l_work_fail(L, w);
}

static int seal(lua_State *L) { return sealing(L, "seal", ldr_seal); }
static int unseal(lua_State *L) { return sealing(L, "unseal", ldr_unseal); }

/* ---- random and digests ---- */

static void need_random(lua_State *L) {
  ldr_err err;
  if (ldr_secret_init(&err) != LDR_OK) luaL_error(L, "%s", err.message);
}

static void push_hex(lua_State *L, const unsigned char *p, size_t n) {
  static const char digits[] = "0123456789abcdef";
  char text[128];
  for (size_t i = 0; i < n; i++) {
    text[2 * i] = digits[p[i] >> 4];
    text[2 * i + 1] = digits[p[i] & 15];
  }
  lua_pushlstring(L, text, 2 * n);
}

/* core.random_hex(n) → 2n digits of n random bytes */
static int random_hex(lua_State *L) {
  unsigned char bytes[64];
  int64_t n = l_int_check(L, 1, "the number of bytes");
  luaL_argcheck(L, n >= 1 && n <= (int64_t)sizeof bytes, 1, "must be 1 to 64");
  need_random(L);
  ldr_random(bytes, (size_t)n);
  push_hex(L, bytes, (size_t)n);
  return 1;
}

static int uuid(lua_State *L) {
  unsigned char id[16];
  char text[37];
  need_random(L);
  ldr_uuid4(id);
  ldr_uuid_format(id, text);
  lua_pushlstring(L, text, 36);
  return 1;
}

static int cuid(lua_State *L) {
  char text[26];
  need_random(L);
  ldr_cuid(text);
  lua_pushlstring(L, text, 25);
  return 1;
}

/* core.ids_from(n): for tests; ids of this process are n, n + 1, …; 0: by chance again */
static int ids_from(lua_State *L) {
  int64_t n = l_int_check(L, 1, "the first number");
  luaL_argcheck(L, n >= 0, 1, "must not be negative");
  ldr_ids_from((uint64_t)n);
  return 0;
}

/* core.digest(text) → 64 hex digits of its BLAKE2b-256 */
static int digest(lua_State *L) {
  unsigned char out[32];
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  need_random(L);
  ldr_blake2b(out, sizeof out, s, n, NULL, 0);
  push_hex(L, out, sizeof out);
  return 1;
}

void l_secret_open(lua_State *L, int module) {
  static const luaL_Reg functions[] = {
      {"set_peppers", set_peppers},
      {"password_hash", password_hash},
      {"password_check", password_check},
      {"password_stale", password_stale},
      {"apikey_make", apikey_make},
      {"apikey_parse", apikey_parse},
      {"apikey_verify", apikey_verify},
      {"seal", seal},
      {"unseal", unseal},
      {"random_hex", random_hex},
      {"uuid", uuid},
      {"ids_from", ids_from},
      {"cuid", cuid},
      {"digest", digest},
      {NULL, NULL},
  };
  l_class_register(L, &peppers_class, no_methods);
  lua_pushvalue(L, module);
  l_box_new(L, &peppers_class);
  luaL_setfuncs(L, functions, 1);
  lua_pop(L, 1);
}
