#include "lua/store/store.h"

#include <stdio.h>
#include <string.h>

#include "lua/base/error.h"
#include "lua/base/misuse.h"
#include "lua/base/state.h"
#include "lua/base/table.h"
#include "lua/call/context.h"
#include "lua/call/run.h"
#include "lua/ops/op.h"
#include "lua/store/batch.h"
#include "lua/store/direct.h"
#include "lua/store/schema.h"
#include "lua/values/decimal.h"
#include "lua/values/rows.h"
#include "model/validate.h"

/* ---- the box ---- */

static l_store *check(lua_State *L) { return l_box_check(L, 1, &l_store_class); }

/* Names and fields that every call needs; NULL members when memory is short. */
static ldr_code fill(l_store *s, const ldr_entity *e, ldr_err *err) {
  size_t n = strlen(e->schema->name) + strlen(e->name) + 2;
  s->schema = ldr_schema_retain(e->schema);
  s->e = e;
  s->full = ldr_alloc(n);
  s->visible = ldr_alloc_array(e->nfields, sizeof *s->visible);
  if (s->full == NULL || s->visible == NULL) return ldr_fail_nomem(err);
  snprintf(s->full, n, "%s.%s", e->schema->name, e->name);
  for (unsigned i = 0; i < e->nfields; i++)
    if (!e->fields[i].hidden) s->visible[s->nvisible++] = (uint16_t)i;
  return LDR_OK;
}

/* engine:store(schema, name [, context]) */
int l_store_new(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  const ldr_entity *e;
  l_store *s;
  ldr_context *context;
  ldr_err err;
  lua_settop(L, 4);
  context = l_context_opt(L, 4);
  e = l_schema_entity(L, 2, 3); /* 5: its names */
  s = l_box_new(L, &l_store_class);
  lua_createtable(L, 4, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, L_ENV_ENGINE);
  lua_pushvalue(L, 5);
  lua_rawseti(L, -2, L_ENV_NAMES);
  lua_pushvalue(L, 4);
  lua_rawseti(L, -2, L_ENV_CONTEXT);
  l_env_set(L, 6);
  s->eng = eng;
  s->context = context;
  if (fill(s, e, &err) != LDR_OK) return l_fail(L, &err, NULL, "store");
  return 1;
}

/* ---- by key ---- */

/* Takes work for a method called `name`. */
static l_work *enter(lua_State *L, l_slots *at, l_store *s, const char *name) {
  l_work *w = l_work_take(L, at, 1, s->eng);
  w->store = s->full;
  w->name = name;
  l_work_context(w, s->context);
  return w;
}

static ldr_code read_key(lua_State *L, l_store *s, l_work *w, ldr_value *key) {
  const ldr_entity *e = s->e;
  for (unsigned i = 0; i < e->key.n; i++) {
    ldr_column c = l_column_of(&e->fields[e->key.field[i]]);
    ldr_code code = l_value_operand(L, (int)i + 2, &c, w, &key[i]);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

/* An engine that has its rows at hand reads one by its key without an operation. */
static ldr_code find_at_once(l_store *s, l_work *w, const ldr_value *key) {
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  return code == LDR_OK ? s->eng->ops->keyed->get(s->eng->e, tx, s->e, key, &w->row, &w->err) : code;
}

/* The values of a key where they outlive this call; NULL: out of memory. */
static ldr_value *keep_key(const l_store *s, l_work *w, const ldr_value *key) {
  ldr_value *kept = ldr_arena_alloc(&w->arena, s->e->key.n * sizeof *kept);
  return kept ? memcpy(kept, key, s->e->key.n * sizeof *kept) : NULL;
}

static ldr_code select_by_key(l_store *s, l_work *w, const ldr_value *key) {
  ldr_op *op = ldr_arena_alloc(&w->arena, sizeof *op);
  ldr_value *kept = keep_key(s, w, key);
  if (op == NULL || kept == NULL) return ldr_fail_nomem(&w->err);
  ldr_op_init(op, LDR_OP_SELECT, s->e);
  op->name = w->name;
  op->out = s->visible;
  op->nout = s->nvisible;
  w->op = op;
  return l_where_key(w, s->e, kept, &op->where);
}

/* Are the arguments the values of a key, and `more` behind them? What else there may be (options, a part of
 * the key that is missing) is for the method in Lua, which the functions below leave it to by an answer of
 * nothing.
 */
static bool is_by_key(lua_State *L, const l_store *s, int more) {
  int n = (int)s->e->key.n;
  if (lua_gettop(L) != n + 1 + more) return false;
  for (int i = 2; i <= n + 1; i++)
    if (l_is_empty(L, i) || (lua_istable(L, i) && !l_decimal_is(L, i))) return false;
  return true;
}

/* What they begin with. */
static l_work *enter_by_key(lua_State *L, l_slots *at, l_store *s, const char *name, ldr_value *key,
                            ldr_code *code) {
  l_work *w = enter(L, at, s, name);
  l_work_join(L, w);
  *code = read_key(L, s, w, key);
  return w;
}

/* cstore:get(k1, k2, …) → row | nil, err | nothing */
static int store_get(lua_State *L) {
  l_slots at;
  l_store *s = check(L);
  ldr_value key[LDR_MAX_KEY];
  ldr_code code;
  l_work *w;
  if (!is_by_key(L, s, 0)) return 0;
  w = enter_by_key(L, &at, s, "get", key, &code);
  if (code == LDR_OK && !s->eng->ops->keyed) code = select_by_key(s, w, key);
  if (code == LDR_OK && s->eng->ops->keyed) code = find_at_once(s, w, key);
  if (code != LDR_OK) return l_work_fail(L, w);
  if (s->eng->ops->keyed == NULL) {
    w->finish = l_finish_first;
    return l_work_run(L, w);
  }
  if (!l_rows_push_packed(L, w, s->e, w->row, s->visible, s->nvisible)) return l_work_fail(L, w);
  return l_work_end(L, w, 1);
}

/* cstore:exists(k1, k2, …) → boolean | nil, err | nothing */
static int store_exists(lua_State *L) {
  l_slots at;
  l_store *s = check(L);
  ldr_value key[LDR_MAX_KEY];
  ldr_code code;
  l_work *w;
  if (!is_by_key(L, s, 0)) return 0;
  w = enter_by_key(L, &at, s, "exists", key, &code);
  if (code == LDR_OK && !s->eng->ops->keyed) {
    code = select_by_key(s, w, key);
    if (code != LDR_OK) return l_work_fail(L, w);
    w->op->out = s->e->key.field;
    w->op->nout = 1;
    w->finish = l_finish_exists;
    return l_work_run(L, w);
  }
  if (code == LDR_OK) code = find_at_once(s, w, key);
  if (code != LDR_OK && code != LDR_NOT_FOUND) return l_work_fail(L, w);
  lua_pushboolean(L, code == LDR_OK);
  return l_work_end(L, w, 1);
}

/* ---- create, patch and run ---- */

l_opargs l_store_args(lua_State *L, const l_store *s) {
  return (l_opargs){
      .L = L, .e = s->e, .visible = s->visible, .nvisible = s->nvisible, .keyed = s->eng->ops->keyed != NULL};
}

static const char *const create_options[] = {"tx", "timeout", "name"};

/* cstore:create(row [, opts]) → row as stored */
static int store_create(lua_State *L) {
  l_slots at;
  l_store *s = check(L);
  l_opargs a = l_store_args(L, s);
  int base;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  a.w = enter(L, &at, s, "create");
  base = l_options(L, 3, create_options, 3, "options");
  l_work_options(L, a.w, base, base + 1, base + 2);
  a.now = l_work_now(L, a.w);
  if (l_op_create(&a, 2) != LDR_OK) return l_work_fail(L, a.w);
  a.w->finish = l_finish_first;
  return l_work_run(L, a.w);
}

static bool has_entry(lua_State *L, int idx) {
  lua_pushnil(L);
  if (!lua_next(L, idx)) return false;
  lua_pop(L, 2);
  return true;
}

/* Changes the row with the key that the arguments begin with; behind it stands the table of changes. */
static int change_by_key(lua_State *L, const char *name) {
  l_slots at;
  l_store *s = check(L);
  l_opargs a = l_store_args(L, s);
  ldr_value key[LDR_MAX_KEY], *kept;
  int changes = (int)s->e->key.n + 2;
  ldr_code code;
  if (!is_by_key(L, s, 1) || !lua_istable(L, changes) || !l_table_plain(L, changes) || !has_entry(L, changes))
    return 0;
  a.w = enter_by_key(L, &at, s, name, key, &code);
  a.now = l_work_now(L, a.w);
  kept = keep_key(s, a.w, key);
  if (code == LDR_OK) code = kept ? l_op_patch(&a, kept, changes) : ldr_fail_nomem(&a.w->err);
  if (code != LDR_OK) return l_work_fail(L, a.w);
  a.w->finish = l_finish_first;
  return l_work_run(L, a.w);
}

/* cstore:patch(k1, k2, …, changes) → row as stored | nil, err | nothing */
static int store_patch(lua_State *L) { return change_by_key(L, "patch"); }

/* cstore:update(k1, k2, …, changes): the same by the name under which errors and events know it */
static int store_update(lua_State *L) { return change_by_key(L, "update"); }

/* Takes work for the operation at 2, under the name at 3, if any. */
static l_work *enter_op(lua_State *L, l_slots *at, l_store *s) {
  l_work *w;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  w = enter(L, at, s, NULL);
  if (lua_type(L, 3) == LUA_TSTRING)
    w->name = ldr_arena_copy(&w->arena, lua_tostring(L, 3), lua_rawlen(L, 3));
  return w;
}

/* cstore:run(op [, name]) → results by kind; name: the method, for errors and events */
static int store_run(lua_State *L) {
  l_slots at;
  l_store *s = check(L);
  l_opargs a = l_store_args(L, s);
  a.w = enter_op(L, &at, s);
  if (l_op_build(&a, 2) != LDR_OK) return l_work_fail(L, a.w);
  if (a.nothing) return a.w->finish(L, a.w);
  return l_work_run(L, a.w);
}

/* Starts the operation on the engine's thread, which is told to nobody: whoever wants it waits for the task.
 */
static ldr_code send_page(l_store *s, l_work *w) {
  ldr_engine *e;
  ldr_tx *tx = NULL;
  ldr_code code = l_work_tx(w, &tx);
  if (code != LDR_OK) return code;
  e = w->eng->e;
  l_engine_use_thread(s->eng);
  code = e->ops->run(e, tx, w->op, &w->call, &w->result, &w->task, &w->err);
  if (code != LDR_PENDING) return code; /* never LDR_OK: the thread has not begun */
  return e->ops->async->submit(w->task, 0, &w->err);
}

/* cstore:ahead(op [, name]) → task | nil, err: a page, sent now and wanted later; also while calls block. */
static int store_ahead(lua_State *L) {
  l_slots at;
  l_store *s = check(L);
  l_opargs a = l_store_args(L, s);
  if (s->eng->ops->async == NULL) return luaL_error(L, "this engine sends nothing ahead");
  a.w = enter_op(L, &at, s);
  a.w->copy = true; /* the caller goes on meanwhile */
  a.w->call.block = false;
  if (l_op_build(&a, 2) != LDR_OK) return l_work_fail(L, a.w);
  if (a.nothing || a.w->finish != l_finish_rows || a.w->keep < 0)
    return luaL_error(L, "no page is asked for");
  a.w->finish = l_finish_page;
  if (send_page(s, a.w) != LDR_OK) return l_work_fail(L, a.w);
  l_work_after(L, a.w, LDR_PENDING);
  return 1;
}

/* ---- the declaration ---- */

static int store_name(lua_State *L) {
  lua_pushstring(L, check(L)->e->name);
  return 1;
}

static int store_fields(lua_State *L) {
  const ldr_entity *e = check(L)->e;
  lua_createtable(L, (int)e->nfields, 0);
  for (unsigned i = 0; i < e->nfields; i++) {
    lua_pushstring(L, e->fields[i].name);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int store_describe(lua_State *L) {
  l_store *s = check(L);
  l_slots at;
  l_work *w = l_work_take(L, &at, 1, s->eng);
  l_schema_describe(L, w, s->e);
  return l_work_end(L, w, 1);
}

static const luaL_Reg methods[] = {
    {"get", store_get},       {"exists", store_exists},
    {"create", store_create}, {"patch", store_patch},
    {"update", store_update}, {"run", store_run},
    {"ahead", store_ahead},   {"load", l_bulk_load},
    {"scan", l_bulk_scan},    {"name", store_name},
    {"fields", store_fields}, {"describe", store_describe},
    {"direct", l_direct},     {NULL, NULL},
};

void l_store_open(lua_State *L) { l_class_register(L, &l_store_class, methods); }
