/* larder.core: the module table. What it offers is described in docs/inside/core-module.md. */
#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */
#include <dlfcn.h>
#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/base/misuse.h"
#include "lua/base/state.h"
#include "lua/call/context.h"
#include "lua/engine/engine.h"
#include "lua/engine/migrator.h"
#include "lua/engine/transaction.h"
#include "lua/engine/writer.h"
#include "lua/module/decimal.h"
#include "lua/module/names.h"
#include "lua/module/secret.h"
#include "lua/store/batch.h"
#include "lua/store/schema.h"
#include "lua/store/store.h"
#include "lua/values/unreadable.h"
#include "postgres/statement/live.h"
#include "values/time.h"

/* ---- JSON ---- */

/* core.json_encode(v [, canonical]) → text | nil, err */
static int json_encode(lua_State *L) {
  l_slots at;
  l_work *w;
  const char *why;
  ldr_buf *out;
  luaL_checkany(L, 1);
  lua_settop(L, 2);
  w = l_work_take(L, &at, 0, NULL);
  w->name = "json_encode";
  why = l_json_encode(L, 1, &w->buf);
  if (why) {
    ldr_fail(&w->err, LDR_INVALID, "the value %s", why);
    return l_work_fail(L, w);
  }
  out = &w->buf;
  if (lua_toboolean(L, 2) && !out->broken) {
    out = &w->array;
    ldr_buf_reset(out);
    if (ldr_json_canonical(w->buf.p, w->buf.n, out, &w->err) != LDR_OK) return l_work_fail(L, w);
  }
  if (out->broken) {
    ldr_fail_nomem(&w->err);
    return l_work_fail(L, w);
  }
  lua_pushlstring(L, out->p, out->n);
  return l_work_end(L, w, 1);
}

/* core.json_decode(text) → v | nil, err */
static int json_decode(lua_State *L) {
  l_slots at;
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  l_json_decoder d;
  l_work *w;
  lua_settop(L, 1);
  w = l_work_take(L, &at, 0, NULL);
  w->name = "json_decode";
  d.scratch = &w->buf;
  d.lenient = false;
  d.memo = NULL;
  d.array_mt = l_array_mark(L, w);
  if (l_json_decode(L, &d, text, n)) return l_work_end(L, w, 1);
  ldr_fail(&w->err, LDR_INVALID, "not JSON at byte %zu: %s", (size_t)(d.r.p - text) + 1,
           d.r.why ? d.r.why : "out of place");
  return l_work_fail(L, w);
}

/* ---- time ---- */

/* core.time_parse(v) → microseconds | nil */
static int time_parse(lua_State *L) {
  int64_t us;
  luaL_checkany(L, 1);
  if (!l_time_get(L, 1, &us) || !ldr_time_to_unix(us, &us)) return 0;
  l_int_push(L, us);
  return 1;
}

static int time_format(lua_State *L) {
  char text[LDR_TIME_TEXT];
  int64_t us = l_int_check(L, 1, "a time");
  bool infinite = us == LDR_TIME_INF || us == LDR_TIME_NEG_INF;
  size_t n;
  if (!infinite && us < LDR_TIME_FIRST + LDR_TIME_EPOCH) return luaL_error(L, "there is no such time");
  n = ldr_time_format(infinite ? us : ldr_time_of_unix(us), text);
  lua_pushlstring(L, text, n);
  return 1;
}

static int now(lua_State *L) {
  l_int_push(L, ldr_now_wall());
  return 1;
}

/* core.clock() → seconds of the monotonic clock */
static int monotonic(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ldr_now_mono() / 1e6);
  return 1;
}

/* core.sleep(seconds): blocks the process's thread; never inside an event loop */
static int sleep_seconds(lua_State *L) {
  lua_Number s = luaL_checknumber(L, 1);
  struct timespec left;
  luaL_argcheck(L, s >= 0 && s < 1e9, 1, "must be a number of seconds");
  left.tv_sec = (time_t)s;
  left.tv_nsec = (long)((s - (lua_Number)left.tv_sec) * 1e9);
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
  return 0;
}

/* core.yieldable() → may the running coroutine yield here? Not below a function of C that calls back. */
static int yieldable(lua_State *L) {
  lua_pushboolean(L, lua_isyieldable(L));
  return 1;
}

/* ---- text, and what tests ask for ---- */

static int utf8_valid(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  lua_pushboolean(L, ldr_utf8_check(s, n) == n);
  return 1;
}

/* core.base64url(bytes) → text without padding */
static int base64url(lua_State *L) {
  l_slots at;
  size_t n;
  const char *p = luaL_checklstring(L, 1, &n);
  l_work *w;
  lua_settop(L, 1);
  w = l_work_take(L, &at, 0, NULL);
  w->name = "base64url";
  ldr_buf_reset(&w->buf);
  ldr_base64url_add(&w->buf, p, n);
  if (w->buf.broken) {
    ldr_fail_nomem(&w->err);
    return l_work_fail(L, w);
  }
  lua_pushlstring(L, w->buf.p ? w->buf.p : "", w->buf.n);
  return l_work_end(L, w, 1);
}

static int mem_live(lua_State *L) {
  l_int_push(L, (int64_t)ldr_mem_live());
  return 1;
}

static int mem_fail_at(lua_State *L) {
  ldr_mem_fail_at((long)l_int_check(L, 1, "n"));
  return 0;
}

static int mem_failed(lua_State *L) {
  lua_pushboolean(L, ldr_mem_failed());
  return 1;
}

static const luaL_Reg functions[] = {
    {"schema", l_schema_new},
    {"memory", l_memory},
    {"postgres", l_postgres},
    {"parse_conninfo", l_parse_conninfo},
    {"migrations", l_migrations},
    {"statement_locks", l_statement_locks},
    {"batch", l_bulk_batch},
    {"checksum", l_bulk_checksum},
    {"json_encode", json_encode},
    {"json_decode", json_decode},
    {"time_parse", time_parse},
    {"time_format", time_format},
    {"now", now},
    {"decimal_normal", l_decimal_normal},
    {"decimal_add", l_decimal_add},
    {"decimal_sub", l_decimal_sub},
    {"decimal_mul", l_decimal_mul},
    {"decimal_div", l_decimal_div},
    {"decimal_round", l_decimal_round},
    {"decimal_cmp", l_decimal_cmp},
    {"decimal_tonumber", l_decimal_tonumber},
    {"clock", monotonic},
    {"sleep", sleep_seconds},
    {"yieldable", yieldable},
    {"utf8_valid", utf8_valid},
    {"base64url", base64url},
    {"sql_name", l_sql_name},
    {"sql_path", l_sql_path},
    {"sql_table", l_sql_table},
    {"sql_join", l_sql_join},
    {"mem_live", mem_live},
    {"mem_fail_at", mem_fail_at},
    {"mem_failed", mem_failed},
    {NULL, NULL},
};

/* ---- opening ---- */

/* Keeps the library in memory until the process ends: libpq and libsodium may still run code of ours when the
 * last Lua state has gone. */
static void pin(void) {
  static const char here;
  Dl_info info;
  if (dladdr(&here, &info) && info.dli_fname) dlopen(info.dli_fname, RTLD_LAZY | RTLD_NODELETE | RTLD_NOLOAD);
}

static void register_classes(lua_State *L) {
  l_task_open(L);
  l_engine_open(L);
  l_ctx_open(L);
  l_context_open(L);
  l_schema_open(L);
  l_store_open(L);
  l_batch_open(L);
  l_scan_open(L);
  l_checksum_open(L);
  l_writer_open(L);
  l_migrator_open(L);
  l_files_open(L);
}

static void set_ref(lua_State *L, int module, const char *name, l_ref r) {
  l_ref_push(L, r);
  lua_setfield(L, module, name);
}

L_EXPORT int luaopen_larder_core(lua_State *L);

int luaopen_larder_core(lua_State *L) {
  int module;
  l_check_version(L);
  pin();
  l_state_open(L);
  l_int_open(L);
  register_classes(L);
  lua_newtable(L);
  module = lua_gettop(L);
  luaL_setfuncs(L, functions, 0);
  l_secret_open(L, module);
  l_error_open(L, module);
  l_misuse_open(L, module);
  l_unreadable_open(L, module);
  set_ref(L, module, "array_mt", L_ARRAY_MT);
  set_ref(L, module, "expr_mt", L_EXPR_MT);
  set_ref(L, module, "pred_mt", L_PRED_MT);
  set_ref(L, module, "decimal_mt", L_DECIMAL_MT);
  set_ref(L, module, "json_text_mt", L_JSON_TEXT_MT);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, module, "null");
  l_pending_push(L);
  lua_setfield(L, module, "PENDING");
  lua_pushliteral(L, LDR_BYTEWISE_SQL);
  lua_setfield(L, module, "bytewise_sql");
  lua_pushliteral(L, LARDER_VERSION);
  lua_setfield(L, module, "version");
  return 1;
}
