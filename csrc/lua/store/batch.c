#include "lua/store/batch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lua/base/error.h"
#include "lua/base/int.h"
#include "lua/ops/op.h"
#include "lua/store/schema.h"
#include "lua/values/rows.h"

/* ---- batch ---- */

typedef struct batch {
  ldr_batch *b;
} batch;

static void batch_close(void *p) {
  batch *box = p;
  ldr_batch *b = box->b;
  box->b = NULL;
  ldr_batch_free(b);
}

ldr_batch *l_batch_check(lua_State *L, int idx) {
  batch *box = l_box_check(L, idx, &l_batch_class);
  if (box->b == NULL) luaL_argerror(L, idx, "the batch holds nothing");
  return box->b;
}

/* Pushes an empty batch box whose environment holds the table of names at `names`. */
ldr_batch **l_batch_push(lua_State *L, int names) {
  batch *box = l_box_new(L, &l_batch_class);
  lua_createtable(L, 3, 0);
  lua_pushvalue(L, names);
  lua_rawseti(L, -2, L_ENV_NAMES);
  l_env_set(L, -2);
  return &box->b;
}

static int batch_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)l_batch_check(L, 1)->n);
  return 1;
}

static int batch_store(lua_State *L) {
  lua_pushstring(L, l_batch_check(L, 1)->e->name);
  return 1;
}

/* batch:row(i) → table, with the hidden fields */
static int batch_row(lua_State *L) {
  l_slots at;
  ldr_batch *b = l_batch_check(L, 1);
  int64_t i = l_int_check(L, 2, "a row number");
  l_work *w;
  if (i < 1 || (uint64_t)i > b->n) return luaL_argerror(L, 2, "the batch has no such row");
  lua_settop(L, 2);
  w = l_work_take(L, &at, 1, NULL);
  if (!l_rows_push_packed(L, w, b->e, b->rows[i - 1], NULL, 0)) return l_work_fail(L, w);
  return l_work_end(L, w, 1);
}

/* batch:slice(from, n) → batch of the rows from … from + n - 1 */
static int batch_slice(lua_State *L) {
  ldr_batch *b = l_batch_check(L, 1);
  int64_t from = l_int_check(L, 2, "from"), n = l_int_check(L, 3, "n");
  ldr_batch **out;
  ldr_err err;
  if (from < 1 || n < 0 || (uint64_t)from - 1 > b->n || (uint64_t)n > b->n - ((uint64_t)from - 1))
    return luaL_error(L, "the batch has no such rows");
  l_env_push(L, 1);
  lua_rawgeti(L, -1, L_ENV_NAMES);
  out = l_batch_push(L, lua_gettop(L));
  if (ldr_batch_slice(b, (size_t)from - 1, (size_t)n, out, &err) != LDR_OK)
    return l_fail(L, &err, NULL, "slice");
  return 1;
}

static const luaL_Reg batch_methods[] = {
    {"count", batch_count}, {"store", batch_store}, {"row", batch_row}, {"slice", batch_slice}, {NULL, NULL},
};
const l_class l_batch_class = {"larder.batch", sizeof(batch), batch_close};

void l_batch_open(lua_State *L) { l_class_register(L, &l_batch_class, batch_methods); }

/* ---- core.batch(schema, store, rows [, from, to]) → batch, refused ---- */

/* refused[#refused + 1] = { index =, row =, err = }; the row lies on top */
static void refuse(lua_State *L, l_work *w, const char *store, int refused, int index) {
  lua_createtable(L, 0, 3);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "row");
  lua_pushinteger(L, index);
  lua_setfield(L, -2, "index");
  l_error_push(L, &w->err, store, "batch");
  lua_setfield(L, -2, "err");
  lua_rawseti(L, refused, (int)lua_rawlen(L, refused) + 1);
}

/* Adds the row table on top to the batch. LDR_INVALID: the row is refused. */
static ldr_code add_row(lua_State *L, l_work *w, ldr_batch *b, ldr_value *values, int64_t now) {
  bool given[LDR_MAX_FIELDS], named[LDR_MAX_FIELDS];
  ldr_row *row;
  ldr_code code;
  memset(named, 0, b->e->nfields);
  w->err.code = LDR_OK;
  code = l_op_row(L, lua_gettop(L), w, b->e, now, values, given, named);
  if (code == LDR_OK) code = ldr_row_pack(b->e, values, &row, &w->err);
  if (code == LDR_OK) code = ldr_batch_add(b, row, &w->err);
  return code;
}

static void read_range(lua_State *L, int *from, int *to) {
  int64_t first = luaL_optinteger(L, 4, 1), last = luaL_optinteger(L, 5, (lua_Integer)lua_rawlen(L, 3));
  luaL_argcheck(L, first >= 1 && first <= INT32_MAX, 4, "must be a position");
  luaL_argcheck(L, last <= INT32_MAX - 1, 5, "must be a position");
  *from = (int)first;
  *to = last < 0 ? 0 : (int)last;
}

int l_bulk_batch(lua_State *L) {
  l_slots at;
  const ldr_entity *e;
  int from, to, refused;
  ldr_batch **b;
  l_work *w;
  ldr_value values[LDR_MAX_FIELDS];
  int64_t now = ldr_now_wall();
  char full[128]; /* "shop.items" */
  ldr_code code;
  luaL_checktype(L, 3, LUA_TTABLE);
  read_range(L, &from, &to);
  lua_settop(L, 3);
  e = l_schema_entity(L, 1, 2); /* 4: names */
  b = l_batch_push(L, 4);       /* 5 */
  lua_newtable(L);
  refused = 6;
  w = l_work_take(L, &at, 5, NULL);
  snprintf(full, sizeof full, "%s.%s", e->schema->name, e->name);
  code = ldr_batch_new(e, b, &w->err);
  for (int i = from; i <= to && code == LDR_OK; i++) {
    lua_rawgeti(L, 3, i);
    code = add_row(L, w, *b, values, now);
    if (code == LDR_INVALID) {
      refuse(L, w, full, refused, i);
      code = LDR_OK;
    }
    ldr_arena_reset(&w->arena);
    lua_pop(L, 1);
  }
  if (code != LDR_OK) return l_work_fail(L, w);
  lua_settop(L, refused);
  return l_work_end(L, w, 2);
}
