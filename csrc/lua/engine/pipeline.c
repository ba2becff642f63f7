/* engine:pipeline: several statements in one round trip. */
#include <string.h>

#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/context.h"
#include "lua/engine/query.h"
#include "lua/values/rows.h"

/* What the core hands out for the items; in w->extra, so that a Lua error loses none of it. */
typedef struct pipeline {
  const ldr_sql_group *sql;
  size_t n;
  ldr_item *items; /* their statements are counted */
  ldr_result *results;
  ldr_err **errs;
} pipeline;

static void free_pipeline(void *p) {
  pipeline *x = p;
  for (size_t i = 0; i < x->n; i++) {
    if (x->items && x->items[i].stmt) x->sql->release(x->items[i].stmt);
    if (x->results) ldr_rows_free(x->results[i].rows);
    if (x->errs) ldr_free(x->errs[i]);
  }
  ldr_free(x->items);
  ldr_free(x->results);
  ldr_free(x->errs);
  ldr_free(x);
}

static pipeline *new_pipeline(l_work *w, size_t n) {
  pipeline *x = ldr_alloc(sizeof *x);
  if (x == NULL) return NULL;
  x->sql = w->eng->ops->sql;
  w->extra = x;
  w->free_extra = free_pipeline;
  x->n = n;
  x->items = ldr_alloc_array(n, sizeof *x->items);
  x->results = ldr_alloc_array(n, sizeof *x->results);
  x->errs = ldr_alloc_array(n, sizeof *x->errs);
  return x->items && x->results && x->errs ? x : NULL;
}

static ldr_code describe_item(lua_State *L, l_work *w, int params, ldr_item *item) {
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  if (code != LDR_OK) return code;
  code = w->eng->ops->sql->prepare(w->eng->e, tx, lua_tostring(L, params - 1), lua_rawlen(L, params - 1),
                                   &w->call, &item->stmt, &w->task, &w->err);
  return code == LDR_OK ? l_params_get(L, params, w, item->stmt, &item->values) : code;
}

/* The item table at idx: { sql =, params = }. */
static ldr_code prepare_item(lua_State *L, l_work *w, int idx, ldr_item *item) {
  ldr_code code;
  int params;
  if (!lua_istable(L, idx)) luaL_error(L, "each item must be { sql =, params = }");
  lua_getfield(L, idx, "sql");
  lua_getfield(L, idx, "params");
  params = lua_gettop(L);
  if (lua_type(L, params - 1) != LUA_TSTRING) luaL_error(L, "each item must be { sql =, params = }");
  if (!lua_isnil(L, params) && !lua_istable(L, params)) luaL_error(L, "params must be a table");
  code = describe_item(L, w, params, item);
  if (code == LDR_INVALID && item->stmt) { /* perhaps it was described before a table changed */
    w->eng->ops->sql->forget(w->eng->e, item->stmt);
    w->eng->ops->sql->release(item->stmt);
    item->stmt = NULL;
    w->err.code = LDR_OK; /* or faults would be added to those of the first look */
    code = describe_item(L, w, params, item);
  }
  lua_settop(L, params - 2);
  return code;
}

static ldr_code send(l_work *w, pipeline *x, bool atomic) {
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  if (code != LDR_OK) return code;
  return x->sql->pipeline(w->eng->e, tx, x->items, x->n, atomic, &w->call, x->results, x->errs, &w->task,
                          &w->err);
}

/* { rows =, affected = } or { err = } */
static bool push_result(lua_State *L, l_work *w, pipeline *x, size_t i) {
  bool ok = true;
  lua_createtable(L, 0, 2);
  if (x->errs[i]) {
    l_error_push(L, x->errs[i], NULL, "pipeline");
    lua_setfield(L, -2, "err");
    return true;
  }
  w->result = x->results[i]; /* moved: freed with the work */
  x->results[i].rows = NULL;
  ok = l_rows_push(L, w);
  if (ok) {
    lua_setfield(L, -2, "rows");
    l_int_push(L, w->result.affected);
    lua_setfield(L, -2, "affected");
  }
  ldr_rows_free(w->result.rows);
  w->result.rows = NULL;
  return ok;
}

/* { err = } in place of a result that could not be turned into Lua; the others keep theirs. */
static void push_lost(lua_State *L, l_work *w, int at) {
  lua_settop(L, at - 1);
  lua_createtable(L, 0, 1);
  l_error_push(L, &w->err, NULL, "pipeline");
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "stored");
  lua_setfield(L, -2, "err");
}

static int finish(lua_State *L, l_work *w) {
  pipeline *x = w->extra;
  int at;
  lua_createtable(L, (int)x->n, 0);
  at = lua_gettop(L);
  for (size_t i = 0; i < x->n; i++) {
    if (!push_result(L, w, x, i)) push_lost(L, w, at + 1);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return l_work_end(L, w, 1);
}

/* engine:pipeline(items, atomic, opts) → results | nil, err */
int l_engine_pipeline(lua_State *L) {
  l_slots at;
  static const char *const options[] = {"tx", "timeout", "name", "context"};
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  pipeline *x;
  l_work *w;
  ldr_tx *tx;
  ldr_code code;
  bool block;
  int base;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 4);
  w = l_work_take(L, &at, 1, eng);
  w->name = "pipeline";
  block = w->call.block;
  w->call.block = true; /* statements that nobody prepared before */
  base = l_options(L, 4, options, 4, "options");
  l_work_context(w, l_context_opt(L, base + 3));
  l_work_options(L, w, base, base + 1, base + 2);
  code = l_work_tx(w, &tx);
  if (code != LDR_OK || ldr_engine_sql(eng->e, &w->err) == NULL) return l_work_fail(L, w);
  x = new_pipeline(w, lua_rawlen(L, 2));
  if (x == NULL) code = ldr_fail_nomem(&w->err);
  for (size_t i = 0; code == LDR_OK && i < x->n; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    code = prepare_item(L, w, lua_gettop(L), &x->items[i]);
    lua_pop(L, 1);
  }
  w->call.block = block;
  w->finish = finish;
  if (code == LDR_OK && x->n) code = send(w, x, lua_toboolean(L, 3));
  return l_work_after(L, w, code);
}
