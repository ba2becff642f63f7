#include "lua/engine/query.h"

#include <stdio.h>

#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/base/state.h"
#include "lua/call/context.h"
#include "lua/values/rows.h"

/* context: what the statement runs as, see engine:context */
static const char *const options[] = {"tx", "timeout", "name", "context", "columns"};

/* ---- parameters ---- */

/* params.n, or the length when it is not given. */
static int64_t count(lua_State *L, int idx) {
  int64_t n;
  if (lua_isnil(L, idx)) return 0;
  lua_getfield(L, idx, "n");
  n = lua_isnil(L, -1) ? (int64_t)lua_rawlen(L, idx) : l_int_check(L, -1, "params.n");
  lua_pop(L, 1);
  return n;
}

/* Parameters are named in faults as the statement names them. */
static ldr_code get_param(lua_State *L, int idx, l_work *w, const ldr_column *type, unsigned i,
                          ldr_value *out) {
  char name[16];
  ldr_column c = {.name = name, .type = type->type, .array = type->array};
  ldr_code code = LDR_OK;
  snprintf(name, sizeof name, "$%u", i + 1);
  lua_rawgeti(L, idx, (int)i + 1);
  *out = ldr_null();
  if (!l_is_empty(L, -1)) code = l_value_operand(L, lua_gettop(L), &c, w, out);
  lua_pop(L, 1);
  return code;
}

ldr_code l_params_get(lua_State *L, int idx, l_work *w, const ldr_stmt *stmt, const ldr_value **out) {
  const ldr_column *types;
  unsigned n = w->eng->ops->sql->params(stmt, &types);
  int64_t given = count(L, idx);
  ldr_value *v = ldr_arena_alloc(&w->arena, n * sizeof *v);
  bool bad = false;
  if (given != n)
    return ldr_fail(&w->err, LDR_INVALID, "the statement has %u parameter%s, not %lld", n, n == 1 ? "" : "s",
                    (long long)given);
  if (v == NULL) return ldr_fail_nomem(&w->err);
  for (unsigned i = 0; i < n; i++) {
    ldr_code code = get_param(L, idx, w, &types[i], i, &v[i]);
    if (code != LDR_OK && code != LDR_INVALID) return code;
    bad = bad || code != LDR_OK;
  }
  *out = v;
  return bad ? LDR_INVALID : LDR_OK;
}

/* ---- query: prepare, then execute; either may wait ---- */

static int prepare(lua_State *L, l_work *w, l_finish *next);
static int doubt(lua_State *L, l_work *w);

/* The statement is in w->stmt, the parameters in slot l_at(w)->params. */
static int execute(lua_State *L, l_work *w) {
  const ldr_value *values = NULL;
  ldr_tx *tx = NULL;
  ldr_code code = l_params_get(L, l_at(w)->params, w, w->stmt, &values);
  if (code == LDR_INVALID && w->known) return doubt(L, w);
  if (code == LDR_OK) code = l_work_tx(w, &tx);
  if (code != LDR_OK) return l_work_fail(L, w);
  w->finish = l_finish_query;
  code = w->eng->ops->sql->execute(w->eng->e, tx, w->stmt, values, &w->call, &w->result, &w->task, &w->err);
  return l_work_after(L, w, code);
}

/* The parameters do not fit what the server once said of the statement: it is asked again. */
static int doubt(lua_State *L, l_work *w) {
  w->eng->ops->sql->forget(w->eng->e, w->stmt);
  w->eng->ops->sql->release(w->stmt);
  w->stmt = NULL;
  w->doubted = true;
  w->err.code = LDR_OK; /* or faults would be added to those of the first look */
  return prepare(L, w, execute);
}

/* Asks the server about the statement at 2, unless it was asked before; then goes on with `next`. */
static int prepare(lua_State *L, l_work *w, l_finish *next) {
  size_t n;
  const char *sql = lua_tolstring(L, 2, &n);
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  const ldr_sql_group *g = code == LDR_OK ? ldr_engine_sql(w->eng->e, &w->err) : NULL;
  if (g == NULL) return l_work_fail(L, w);
  w->finish = next;
  w->preparing = true;
  code = g->prepare(w->eng->e, tx, sql, n, &w->call, &w->stmt, &w->task, &w->err);
  if (code == LDR_OK) w->preparing = false;
  w->known = code == LDR_OK && next == execute && !w->doubted;
  return l_work_after(L, w, code);
}

/* Arguments: box, sql, params, opts. ctx NULL: that of the options, or the coroutine's. */
static int query(lua_State *L, l_engine *eng, l_ctx *ctx) {
  l_slots at;
  l_work *w;
  int base;
  luaL_checkstring(L, 2);
  lua_settop(L, 4);
  if (!lua_isnil(L, 3)) luaL_checktype(L, 3, LUA_TTABLE);
  w = l_work_take(L, &at, 1, eng);
  w->name = "query";
  lua_pushvalue(L, 3);
  lua_replace(L, l_at(w)->params);
  base = l_options(L, 4, options, 5, "options");
  l_work_context(w, l_context_opt(L, base + 3));
  w->columns = l_option_bool(L, base + 4, "columns");
  if (ctx) {
    lua_pushvalue(L, 1);
    lua_replace(L, base);
  }
  l_work_options(L, w, base, base + 1, base + 2);
  return prepare(L, w, execute);
}

static int prepared(lua_State *L, l_work *w) {
  lua_pushboolean(L, true);
  return l_work_end(L, w, 1);
}

int l_engine_prepare(lua_State *L) {
  l_slots at;
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  l_work *w;
  int base;
  luaL_checkstring(L, 2);
  lua_settop(L, 3);
  w = l_work_take(L, &at, 1, eng);
  w->name = "prepare";
  base = l_options(L, 3, options, 4, "options");
  l_work_context(w, l_context_opt(L, base + 3));
  l_work_options(L, w, base, base + 1, base + 2);
  return prepare(L, w, prepared);
}

int l_engine_query(lua_State *L) { return query(L, l_box_check(L, 1, &l_engine_class), NULL); }

int l_ctx_query(lua_State *L) {
  l_ctx *c = l_box_check(L, 1, &l_ctx_class);
  return query(L, c->eng, c);
}
