/* cstore:load, cstore:scan and the checksum. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/base/misuse.h"
#include "lua/store/batch.h"
#include "lua/store/handle.h"
#include "lua/values/rows.h"

/* ---- load ---- */

static ldr_conflict conflict_option(lua_State *L, int idx) {
  const char *s = lua_tostring(L, idx);
  if (s == NULL || strcmp(s, "error") == 0) return LDR_CONFLICT_ERROR;
  if (strcmp(s, "skip") == 0) return LDR_CONFLICT_SKIP;
  if (strcmp(s, "update") != 0) l_misuse(L, "on_conflict must be error, skip or update");
  return LDR_CONFLICT_UPDATE;
}

/* cstore:load(batch [, opts]) → rows written. With opts.ahead, of a call that blocks: PENDING, task once the
 * server is at the rows; task:wait() and task:step() in turns bring the result. */
int l_bulk_load(lua_State *L) {
  l_slots at;
  static const char *const names[] = {"tx", "timeout", "name", "on_conflict", "ahead"};
  l_store *s = l_box_check(L, 1, &l_store_class);
  const ldr_batch *b = l_batch_check(L, 2);
  ldr_conflict conflict;
  ldr_tx *tx = NULL;
  l_work *w;
  int base;
  luaL_argcheck(L, b->e == s->e, 2, "the batch is of another store");
  lua_settop(L, 3);
  w = l_work_take(L, &at, 1, s->eng);
  w->store = s->full;
  w->name = "load";
  lua_pushvalue(L, 2);
  lua_replace(L, l_at(w)->params); /* the rows must outlive a task */
  base = l_options(L, 3, names, 5, "options");
  l_work_options(L, w, base, base + 1, base + 2);
  conflict = conflict_option(L, base + 3);
  w->call.ahead = l_option_bool(L, base + 4, "ahead") && w->call.block;
  if (l_work_tx(w, &tx) != LDR_OK) return l_work_fail(L, w);
  w->finish = l_finish_affected;
  return l_work_after(
      L, w,
      s->eng->e->ops->load(s->eng->e, tx, b, conflict, &w->call, &w->result.affected, &w->task, &w->err));
}

/* ---- scan ---- */

typedef struct scan {
  l_child child;
  ldr_scan *scan;
  ldr_call call;
  const char *store; /* lies in the schema */
  ldr_schema *schema;
} scan;

static void scan_close(void *p) {
  scan *box = p;
  ldr_scan *s = box->scan;
  l_child_remove(&box->child);
  box->scan = NULL;
  if (s) s->close(s);
  ldr_schema_release(box->schema);
  box->schema = NULL;
}

static void drop(l_child *c) { scan_close(c); }

/* cstore:scan([opts]) → scan */
int l_bulk_scan(lua_State *L) {
  l_slots at;
  static const char *const names[] = {"tx", "timeout", "name"};
  l_store *s = l_box_check(L, 1, &l_store_class);
  ldr_tx *tx = NULL;
  scan *box;
  l_work *w;
  ldr_code code;
  int base;
  lua_settop(L, 2);
  box = l_box_new(L, &l_scan_class); /* 3 */
  w = l_work_take(L, &at, 1, s->eng);
  w->store = s->full;
  w->name = "scan";
  l_work_context(w, s->context);
  w->call.deadline = LDR_NEVER; /* the default is for single calls, not for a whole table */
  w->call.block = true;
  base = l_options(L, 2, names, 3, "options");
  l_work_options(L, w, base, base + 1, base + 2);
  lua_createtable(L, 5, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, L_ENV_ENGINE); /* through the store */
  lua_pushvalue(L, l_at(w)->names);
  lua_rawseti(L, -2, L_ENV_NAMES);
  lua_pushvalue(L, l_at(w)->tx);
  lua_rawseti(L, -2, L_ENV_TX);
  l_env_set(L, 3);
  code = l_work_tx(w, &tx);
  if (code == LDR_OK) code = s->eng->e->ops->scan(s->eng->e, tx, s->e, &w->call, &box->scan, &w->err);
  if (code != LDR_OK) return l_work_fail(L, w);
  l_child_add(s->eng, &box->child, w->ctx, drop);
  box->schema = ldr_schema_retain(s->schema);
  box->store = s->e->name;
  box->call = w->call;
  l_work_done(w);
  lua_settop(L, 3);
  return 1;
}

/* scan:next(max) → batch; nil at the end; nil, err */
static int scan_next(lua_State *L) {
  scan *box = l_box_check(L, 1, &l_scan_class);
  int64_t max = l_int_check(L, 2, "max");
  ldr_batch **b;
  ldr_err err;
  luaL_argcheck(L, max >= 1, 2, "must be at least 1");
  if (box->scan == NULL) return l_fail_code(L, LDR_CLOSED, "the scan is closed");
  l_env_push(L, 1);
  lua_rawgeti(L, -1, L_ENV_NAMES);
  b = l_batch_push(L, lua_gettop(L));
  if (box->scan->next(box->scan, (size_t)max, &box->call, b, &err) != LDR_OK)
    return l_fail(L, &err, box->store, "scan");
  if (*b == NULL) lua_pushnil(L);
  return 1;
}

static int scan_close_method(lua_State *L) {
  scan_close(l_box_check(L, 1, &l_scan_class));
  return 0;
}

static const luaL_Reg scan_methods[] = {{"next", scan_next}, {"close", scan_close_method}, {NULL, NULL}};
const l_class l_scan_class = {"larder.scan", sizeof(scan), scan_close};

void l_scan_open(lua_State *L) { l_class_register(L, &l_scan_class, scan_methods); }

/* ---- checksum: plain numbers, nothing to close ---- */

static ldr_checksum *check_sum(lua_State *L) { return l_box_check(L, 1, &l_checksum_class); }

int l_bulk_checksum(lua_State *L) {
  l_box_new(L, &l_checksum_class);
  return 1;
}

/* sum:add(batch) → true | nil, err */
static int sum_add(lua_State *L) {
  ldr_err err;
  if (ldr_checksum_add(check_sum(L), l_batch_check(L, 2), &err) != LDR_OK)
    return l_fail(L, &err, NULL, "checksum");
  lua_pushboolean(L, 1);
  return 1;
}

/* sum:merge(other): the sum of both sets of rows */
static int sum_merge(lua_State *L) {
  ldr_checksum *c = check_sum(L);
  const ldr_checksum *other = l_box_check(L, 2, &l_checksum_class);
  c->lo += other->lo;
  c->hi += other->hi;
  c->rows += other->rows;
  lua_pushboolean(L, 1);
  return 1;
}

/* sum:value() → 32 hex digits, number of rows */
static int sum_value(lua_State *L) {
  const ldr_checksum *c = check_sum(L);
  char text[33];
  snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, c->hi, c->lo);
  lua_pushstring(L, text);
  l_int_push(L, (int64_t)c->rows);
  return 2;
}

static void sum_close(void *p) { (void)p; }

static const luaL_Reg sum_methods[] = {
    {"add", sum_add}, {"merge", sum_merge}, {"value", sum_value}, {NULL, NULL}};
const l_class l_checksum_class = {"larder.checksum", sizeof(ldr_checksum), sum_close};

void l_checksum_open(lua_State *L) { l_class_register(L, &l_checksum_class, sum_methods); }
