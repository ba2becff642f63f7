#include "lua/engine/engine.h"
#include "lua/engine/migrator.h"

#include <string.h>

#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/context.h"
#include "lua/call/frame.h"
#include "lua/call/hook.h"
#include "lua/call/scope.h"
#include "lua/engine/query.h"
#include "lua/engine/reactor.h"
#include "lua/engine/stats.h"
#include "lua/engine/transaction.h"
#include "lua/engine/writer.h"
#include "lua/store/store.h"
#include "memory/db.h"
#include "postgres/postgres.h"

static l_engine *check(lua_State *L) { return l_box_check(L, 1, &l_engine_class); }

/* Pushes an engine that is not open yet. */
static l_engine *push_engine(lua_State *L) {
  l_engine *eng = l_box_new(L, &l_engine_class);
  eng->timeout = -1;
  eng->block = true;
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  l_env_set(L, -2);
  return eng;
}

int l_memory(lua_State *L) {
  l_engine *eng = push_engine(L);
  ldr_err err;
  if (ldr_memdb_open(&eng->e, &err) != LDR_OK) return l_fail(L, &err, NULL, "open");
  eng->ops = eng->e->ops;
  return 1;
}

/* ---- core.postgres(settings, pool) ---- */

/* The settings table at 1 → NULL-ended arrays in the arena. */
static ldr_code read_settings(lua_State *L, l_work *w, const char ***keywords, const char ***values) {
  size_t n = 0, i = 0;
  lua_pushnil(L);
  for (; lua_next(L, 1); n++) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "settings must be text");
    lua_pop(L, 1);
  }
  *keywords = ldr_arena_zalloc(&w->arena, (n + 1) * sizeof **keywords);
  *values = ldr_arena_zalloc(&w->arena, (n + 1) * sizeof **values);
  if (*keywords == NULL || *values == NULL) return ldr_fail_nomem(&w->err);
  lua_pushnil(L);
  for (; lua_next(L, 1); i++) { /* the strings stay where they are: in the table */
    (*keywords)[i] = lua_tostring(L, -2);
    (*values)[i] = lua_tostring(L, -1);
    if (strlen((*values)[i]) != lua_rawlen(L, -1)) luaL_error(L, "a setting holds a zero byte");
    lua_pop(L, 1);
  }
  return LDR_OK;
}

static double get_number(lua_State *L, int idx, double otherwise) {
  if (lua_isnil(L, idx)) return otherwise;
  if (lua_type(L, idx) != LUA_TNUMBER) luaL_error(L, "a pool setting must be a number");
  return lua_tonumber(L, idx);
}

static unsigned get_count(lua_State *L, int idx, unsigned otherwise) {
  double n = get_number(L, idx, otherwise);
  if (!(n >= 0 && n <= 1e6)) luaL_error(L, "a pool setting is out of range");
  return (unsigned)n;
}

static void read_pool(lua_State *L, int idx, ldr_pool_config *c) {
  static const char *const names[] = {"max",
                                      "min",
                                      "connect_timeout",
                                      "idle_timeout",
                                      "lifetime",
                                      "acquire_timeout",
                                      "queue_max",
                                      "statement_cache",
                                      "pgbouncer",
                                      "spin",
                                      "statement_timeout",
                                      "open_timeout",
                                      "lazy"};
  int o = l_options(L, idx, names, 13, "pool");
  ldr_pool_config_default(c);
  c->max = get_count(L, o, c->max);
  c->min = get_count(L, o + 1, c->min);
  c->connect_timeout = get_number(L, o + 2, c->connect_timeout);
  c->idle_timeout = get_number(L, o + 3, c->idle_timeout);
  c->lifetime = get_number(L, o + 4, c->lifetime);
  c->acquire_timeout = get_number(L, o + 5, c->acquire_timeout);
  c->queue_max = get_count(L, o + 6, c->queue_max);
  c->statement_cache = get_count(L, o + 7, c->statement_cache);
  if (!lua_isnil(L, o + 8)) c->pgbouncer = l_option_bool(L, o + 8, "pgbouncer"); /* else the core finds out */
  c->spin = get_number(L, o + 9, c->spin);
  c->statement_timeout = get_number(L, o + 10, c->statement_timeout);
  c->open_timeout = get_number(L, o + 11, c->open_timeout);
  if (!lua_isnil(L, o + 12)) c->lazy = l_option_bool(L, o + 12, "lazy");
}

int l_postgres(lua_State *L) {
  l_slots at;
  const char **keywords, **values;
  ldr_pool_config config;
  l_engine *eng;
  l_work *w;
  ldr_code code;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  eng = push_engine(L);
  w = l_work_take(L, &at, 3, eng);
  w->name = "open";
  read_pool(L, 2, &config);
  code = read_settings(L, w, &keywords, &values);
  if (code == LDR_OK) code = ldr_pg_open(keywords, values, &config, &eng->e, &w->err);
  if (code != LDR_OK) return l_work_fail(L, w);
  eng->ops = eng->e->ops;
  eng->timeout = config.statement_timeout;
  lua_pushvalue(L, 3);
  return l_work_end(L, w, 1);
}

/* ---- core.parse_conninfo(text) → { keyword = value } ---- */

/* Called inside of libpq's frames: collects keyword\0 value\0, touches no Lua. */
static void collect(void *ud, const char *keyword, const char *value) {
  ldr_buf_add(ud, keyword, strlen(keyword) + 1);
  ldr_buf_add(ud, value, strlen(value) + 1);
}

int l_parse_conninfo(lua_State *L) {
  l_slots at;
  const char *text = luaL_checkstring(L, 1);
  l_work *w = l_work_take(L, &at, 0, NULL);
  ldr_code code = ldr_pg_parse_conninfo(text, collect, &w->buf, &w->err);
  if (code == LDR_OK && w->buf.broken) code = ldr_fail_nomem(&w->err);
  if (code != LDR_OK) return l_work_fail(L, w);
  lua_newtable(L);
  for (size_t i = 0; i < w->buf.n;) {
    const char *keyword = w->buf.p + i, *value = keyword + strlen(keyword) + 1;
    lua_pushstring(L, value);
    lua_setfield(L, -2, keyword);
    i = (size_t)(value + strlen(value) + 1 - w->buf.p);
  }
  return l_work_end(L, w, 1);
}

/* ---- methods ---- */

static int engine_kind(lua_State *L) {
  lua_pushstring(L, check(L)->ops->name);
  return 1;
}

static int engine_close_method(lua_State *L) {
  l_engine *eng = check(L);
  if (eng->armed) return luaL_error(L, "an engine cannot be closed inside its own hook");
  l_engine_close(eng);
  return 0;
}

static int engine_closed(lua_State *L) {
  lua_pushboolean(L, check(L)->e == NULL);
  return 1;
}

/* engine:set_clock(fn | nil); anything that can be called will do */
static int engine_set_clock(lua_State *L) {
  l_engine *eng = check(L);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2) && !lua_isfunction(L, 2)) {
    luaL_argcheck(L, luaL_getmetafield(L, 2, "__call"), 2, "must be a function or nil");
    lua_settop(L, 2);
  }
  l_env_push(L, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, L_ENV_CLOCK);
  eng->has_clock = !lua_isnil(L, 2);
  return 0;
}

static int engine_set_blocking(lua_State *L) {
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  check(L)->block = lua_toboolean(L, 2);
  return 0;
}

static const luaL_Reg methods[] = {
    {"kind", engine_kind},
    {"close", engine_close_method},
    {"closed", engine_closed},
    {"set_clock", engine_set_clock},
    {"set_blocking", engine_set_blocking},
    {"use_reactor", l_engine_use_reactor},
    {"done", l_engine_done},
    {"wake_fd", l_engine_wake_fd},
    {"wake_path", l_engine_wake_path},
    {"set_hook", l_hook_set},
    {"stats", l_engine_stats},
    {"store", l_store_new},
    {"context", l_context_new},
    {"begin", l_ctx_begin},
    {"session", l_ctx_session},
    {"ambient", l_scope_ambient},
    {"bind", l_scope_bind},
    {"joined", l_scope_joined},
    {"set_scopes", l_scope_set},
    {"bound", l_scope_bound},
    {"sweep", l_scope_sweep},
    {"query", l_engine_query},
    {"prepare", l_engine_prepare},
    {"pipeline", l_engine_pipeline},
    {"writer", l_writer_new},
    {"migrator", l_migrator_new},
    {NULL, NULL},
};

void l_engine_open(lua_State *L) { l_class_register(L, &l_engine_class, methods); }
