/* engine:pipeline: several statements or operations of stores in one round trip. */
#include <string.h>

#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/call/context.h"
#include "lua/engine/query.h"
#include "lua/ops/op.h"
#include "lua/store/store.h"
#include "lua/values/rows.h"
#include "lua/values/strict.h"
#include "model/given_row.h"

/* What the core hands out for the items; in w->extra, so that a Lua error loses none of it. */
typedef struct pipeline {
  const ldr_sql_group *sql;
  size_t n;
  ldr_item *items; /* their statements are counted */
  ldr_op **ops;    /* in the work's arena; NULL: a statement */
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
  ldr_free(x->ops);
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
  x->ops = ldr_alloc_array(n, sizeof *x->ops);
  x->results = ldr_alloc_array(n, sizeof *x->results);
  x->errs = ldr_alloc_array(n, sizeof *x->errs);
  return x->items && x->ops && x->results && x->errs ? x : NULL;
}

static ldr_code describe_item(lua_State *L, l_work *w, int params, ldr_item *item) {
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  if (code != LDR_OK) return code;
  code = w->eng->ops->sql->prepare(w->eng->e, tx, lua_tostring(L, params - 1), lua_rawlen(L, params - 1),
                                   &w->call, &item->stmt, &w->task, &w->err);
  return code == LDR_OK ? l_params_get(L, params, w, item->stmt, &item->values) : code;
}

static ldr_code describe_again(lua_State *L, l_work *w, int params, ldr_item *item) {
  w->eng->ops->sql->forget(w->eng->e, item->stmt);
  w->eng->ops->sql->release(item->stmt);
  item->stmt = NULL;
  w->err.code = LDR_OK; /* or faults would be added to those of the first look */
  return describe_item(L, w, params, item);
}

/* { sql =, params = } at idx */
static ldr_code prepare_statement(lua_State *L, l_work *w, int idx, ldr_item *item) {
  ldr_code code;
  int params;
  lua_getfield(L, idx, "sql");
  lua_getfield(L, idx, "params");
  params = lua_gettop(L);
  if (lua_type(L, params - 1) != LUA_TSTRING) luaL_error(L, "each item must be { sql =, params = }");
  if (!lua_isnil(L, params) && !lua_istable(L, params)) luaL_error(L, "params must be a table");
  code = describe_item(L, w, params, item);
  if (code == LDR_INVALID && item->stmt) code = describe_again(L, w, params, item); /* a table changed */
  lua_settop(L, params - 2);
  return code;
}

/* Reads an operation of the store on top of the stack. It runs as the pipeline does: in its transaction. */
static ldr_code build_op(lua_State *L, l_work *w, int idx, const l_store *s, ldr_item *item) {
  l_slots *at = w->at;
  l_ctx *ctx = w->ctx;
  l_opargs a = l_store_args(L, s);
  int names = at->names, tx = at->tx;
  ldr_code code;
  a.w = w;
  l_env_push(L, lua_gettop(L));
  lua_rawgeti(L, -1, L_ENV_NAMES);
  at->names = lua_gettop(L);
  lua_pushnil(L);
  at->tx = lua_gettop(L);
  w->store = s->full;
  code = l_op_build(&a, idx);
  at->names = names;
  at->tx = tx;
  w->ctx = ctx;
  if (code != LDR_OK) return code;
  if (a.nothing) l_work_misuse(L, w, "an operation that has nothing to do has no place in a pipeline");
  if (w->keep >= 0 || w->finish == l_finish_by_key)
    l_work_misuse(L, w, "a page, or rows by a list of keys, have no place in a pipeline");
  item->op = w->op;
  return LDR_OK;
}

/* { store =, op = } at idx, number i. The stores are kept where a task finds them. */
static ldr_code prepare_op(lua_State *L, l_work *w, int idx, size_t i, ldr_item *item) {
  const l_store *s;
  lua_getfield(L, idx, "op");
  lua_getfield(L, idx, "store");
  s = l_box_test(L, lua_gettop(L), &l_store_class);
  if (s == NULL) l_work_misuse(L, w, "the store of an item must be a larder.store");
  if (s->eng != w->eng) l_work_misuse(L, w, "the store belongs to another engine");
  if (s->context != w->context) l_work_misuse(L, w, "the store belongs to another view of the database");
  if (lua_isnil(L, l_at(w)->params)) {
    lua_createtable(L, (int)i, 0);
    lua_replace(L, l_at(w)->params);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, l_at(w)->params, (int)i + 1);
  return build_op(L, w, lua_gettop(L) - 1, s, item);
}

static ldr_code prepare_item(lua_State *L, l_work *w, int idx, size_t i, ldr_item *item) {
  ldr_code code;
  bool operation;
  if (!lua_istable(L, idx)) luaL_error(L, "each item must be { sql =, params = } or { store =, op = }");
  lua_getfield(L, idx, "op");
  operation = !lua_isnil(L, -1);
  lua_settop(L, idx);
  code = operation ? prepare_op(L, w, idx, i, item) : prepare_statement(L, w, idx, item);
  lua_settop(L, idx);
  return code;
}

static ldr_code send(l_work *w, pipeline *x, bool atomic) {
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  if (code != LDR_OK) return code;
  return x->sql->pipeline(w->eng->e, tx, x->items, x->n, atomic, &w->call, x->results, x->errs, &w->task,
                          &w->err);
}

/* Makes item i what the work is about, and pushes the names of its fields. */
static void turn_to(lua_State *L, l_work *w, ldr_op *op, size_t i) {
  w->op = op;
  w->store = NULL;
  w->name = op ? op->name : "pipeline";
  if (op == NULL) {
    lua_pushnil(L);
    return;
  }
  lua_rawgeti(L, l_at(w)->params, (int)i + 1);
  w->store = ((l_store *)l_box_check(L, lua_gettop(L), &l_store_class))->full;
  l_env_push(L, lua_gettop(L));
  lua_rawgeti(L, -1, L_ENV_NAMES);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* { rows =, affected = } or { err = }; the names of the fields lie on top */
static bool push_result(lua_State *L, l_work *w, pipeline *x, size_t i) {
  bool ok = true;
  lua_createtable(L, 0, 2);
  if (x->errs[i]) {
    if (w->op) ldr_given_row(w->op, x->errs[i]);
    l_error_push(L, x->errs[i], w->store, w->name);
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
  l_error_push(L, &w->err, w->store, w->name);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "stored");
  lua_setfield(L, -2, "err");
}

static int finish(lua_State *L, l_work *w) {
  pipeline *x = w->extra;
  int at, names = l_at(w)->names;
  w->nshow = UINT32_MAX;
  lua_createtable(L, (int)x->n, 0);
  at = lua_gettop(L);
  for (size_t i = 0; i < x->n; i++) {
    turn_to(L, w, x->ops[i], i);
    w->at->names = at + 1;
    if (!push_result(L, w, x, i)) push_lost(L, w, at + 2);
    w->at->names = names;
    lua_rawseti(L, at, (int)i + 1);
    lua_settop(L, at);
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
    w->op = NULL;
    code = prepare_item(L, w, lua_gettop(L), i, &x->items[i]);
    x->ops[i] = w->op;
    lua_pop(L, 1);
  }
  w->call.block = block;
  w->keep = -1;
  w->finish = finish;
  if (code == LDR_OK && x->n) code = send(w, x, lua_toboolean(L, 3));
  return l_work_after(L, w, code);
}
