/* insert and update: rows and sets. */
#include <stdio.h>
#include <string.h>

#include "lua/base/state.h"
#include "lua/ops/args.h"
#include "lua/values/rows.h"
#include "lua/values/strict.h"
#include "model/validate.h"

/* ---- rows ---- */

/* Reads every field the row table names; faults add up in w->err. */
static ldr_code read_row(lua_State *L, int idx, l_work *w, const ldr_entity *e, ldr_value *values,
                         bool *given) {
  bool bad = false;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    ldr_code code = LDR_INVALID;
    int field = -1;
    /* the table of names is a hash: quicker than a walk over all fields */
    lua_pushvalue(L, -2);
    lua_rawget(L, l_at(w)->names);
    if (lua_type(L, -3) == LUA_TSTRING && lua_type(L, -1) == LUA_TNUMBER)
      field = (int)lua_tointeger(L, -1) - 1;
    lua_pop(L, 1);
    if (field >= 0) {
      ldr_column c = l_column_of(&e->fields[field]);
      code = l_value_get(L, lua_gettop(L), &c, w, &values[field]);
      given[field] = true;
    } else {
      lua_pushvalue(L, -2); /* lua_next needs the key as it is */
      code = l_no_field(w, e, lua_isstring(L, -1) ? lua_tostring(L, -1) : luaL_typename(L, -1));
      lua_pop(L, 1);
    }
    if (code == LDR_CAPACITY) return code;
    bad = bad || code != LDR_OK;
    lua_pop(L, 1);
  }
  return bad ? LDR_INVALID : LDR_OK;
}

ldr_code l_op_row(lua_State *L, int idx, l_work *w, const ldr_entity *e, int64_t now, ldr_value *values,
                  bool *given, bool *named) {
  ldr_code code;
  if (!lua_istable(L, idx)) l_work_misuse(L, w, "a row must be a table, not a %s", luaL_typename(L, idx));
  if (!l_table_plain(L, idx)) l_shape_check(L, w, idx, L_RECORD, "a row");
  memset(given, 0, e->nfields * sizeof *given);
  code = read_row(L, idx, w, e, values, given);
  if (code != LDR_OK) return code;
  for (unsigned i = 0; i < e->nfields; i++) named[i] = named[i] || given[i];
  return ldr_check_row(e, values, given, now, &w->arena, &w->err);
}

/* The answer may be made of the values that were given: they do not lie in the caller's table, which a
 * finalizer may change meanwhile. */
static void answer_by_given(l_opargs *a, size_t rows) {
  a->w->op->row_known = true;
  a->w->expect = rows > 1 ? l_rows_expect_all : l_rows_expect;
  if (!a->keyed) a->w->copy = true;
}

/* The columns of an insert are all fields but those of the engine's own that no row gives: so every row of a
 * store has one statement. values holds nrows × nfields on entry, nrows × ncols on return. */
static ldr_code choose_columns(l_opargs *a, const bool *named, ldr_value *values, size_t nrows) {
  const ldr_entity *e = a->e;
  ldr_op *op = a->w->op;
  uint16_t *cols = ldr_arena_alloc(&a->w->arena, e->nfields * sizeof *cols);
  ldr_value *to = values;
  if (cols == NULL) return ldr_fail_nomem(&a->w->err);
  op->ncols = 0;
  for (unsigned i = 0; i < e->nfields; i++)
    if (named[i] || !ldr_field_is_engines(&e->fields[i])) cols[op->ncols++] = (uint16_t)i;
  if (op->ncols < e->nfields)
    for (size_t r = 0; r < nrows; r++)
      for (unsigned i = 0; i < op->ncols; i++) *to++ = values[r * e->nfields + cols[i]];
  op->cols = cols;
  op->values = values;
  op->nrows = nrows;
  return LDR_OK;
}

/* A row without the identity or the server's default that another row gives cannot go into the same insert.
 */
static ldr_code check_identity(l_opargs *a, const bool *named, const ldr_value *values, size_t nrows) {
  const ldr_entity *e = a->e;
  for (unsigned i = 0; i < e->nfields; i++) {
    if (!ldr_field_is_engines(&e->fields[i]) || !named[i] || nrows == 1) continue;
    for (size_t r = 0; r < nrows; r++)
      if (values[r * e->nfields + i].type == LDR_T_NULL)
        return ldr_fail_field(&a->w->err, e->fields[i].name, "must be given in all rows or in none");
  }
  return LDR_OK;
}

/* Reads row tables: the one at L_ROW, or the list at L_ROWS. */
static ldr_code read_rows(l_opargs *a, bool *named, ldr_value *values, size_t nrows) {
  lua_State *L = a->L;
  const ldr_entity *e = a->e;
  bool given[LDR_MAX_FIELDS];
  for (size_t i = 0; i < nrows; i++) {
    bool one = !lua_isnil(L, a->base + L_ROW);
    ldr_code code;
    if (one)
      lua_pushvalue(L, a->base + L_ROW);
    else
      lua_rawgeti(L, a->base + L_ROWS, (int)i + 1);
    if (!lua_istable(L, -1))
      l_work_misuse(L, a->w, "row %d must be a table, not a %s", (int)i + 1, luaL_typename(L, -1));
    code = l_op_row(L, lua_gettop(L), a->w, e, a->now, values + i * e->nfields, given, named);
    lua_pop(L, 1);
    if (code == LDR_INVALID && !one) {
      a->w->err.row = (uint32_t)i + 1;
      snprintf(a->w->err.detail, sizeof a->w->err.detail, "row %zu", i + 1);
    }
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

/* ---- on_conflict ---- */

/* The text of the option; NULL: it is not given. */
static const char *get_word(l_opargs *a, int opt, const char *name) {
  int idx = a->base + opt;
  if (lua_isnil(a->L, idx)) return NULL;
  if (lua_type(a->L, idx) != LUA_TSTRING)
    l_work_misuse(a->L, a->w, "%s must be a text, not a %s", name, luaL_typename(a->L, idx));
  return lua_tostring(a->L, idx);
}

static ldr_code get_target(l_opargs *a) {
  const ldr_entity *e = a->e;
  const char *name = get_word(a, L_TARGET, "target");
  if (name == NULL || strcmp(name, e->key.name) == 0) return LDR_OK;
  if (strcmp(name, "*") == 0) {
    a->w->op->target = LDR_TARGET_ANY;
    return LDR_OK;
  }
  for (unsigned i = 0; i < e->nuniques; i++) {
    if (strcmp(name, e->uniques[i].name) != 0) continue;
    a->w->op->target = (int)i;
    return LDR_OK;
  }
  return ldr_fail_field(&a->w->err, "target", "is no unique of %s", e->name);
}

/* Misuse raises here, before any row is looked at. */
static void get_action(l_opargs *a) {
  const char *action = get_word(a, L_ON_CONFLICT, "on_conflict");
  if (action == NULL) return;
  if (strcmp(action, "skip") == 0)
    a->w->op->on_conflict = LDR_CONFLICT_SKIP;
  else if (strcmp(action, "update") == 0)
    a->w->op->on_conflict = LDR_CONFLICT_UPDATE;
  else
    l_work_misuse(a->L, a->w, "on_conflict must be skip or update");
}

static ldr_code get_conflict(l_opargs *a, const bool *named) {
  ldr_code code = get_target(a);
  if (code != LDR_OK || a->w->op->on_conflict != LDR_CONFLICT_UPDATE) return code;
  if (a->w->op->target == LDR_TARGET_ANY)
    return ldr_fail_field(&a->w->err, "target", "must be one unique for an update");
  if (lua_isnil(a->L, a->base + L_SET)) return l_op_sets_excluded(a, named);
  return l_op_sets(a, a->base + L_SET);
}

/* Number of rows to insert; misuse raises. */
static size_t count_rows(l_opargs *a) {
  lua_State *L = a->L;
  int rows = a->base + L_ROWS;
  if (lua_isnil(L, rows)) {
    if (!lua_istable(L, a->base + L_ROW)) l_work_misuse(L, a->w, "an insert needs rows or a row");
    return 1;
  }
  if (!lua_isnil(L, a->base + L_ROW)) l_work_misuse(L, a->w, "an insert takes a list of rows, or one row");
  return l_list_check(L, a->w, rows, "the list of rows");
}

ldr_code l_op_insert(l_opargs *a) {
  const ldr_entity *e = a->e;
  bool named[LDR_MAX_FIELDS] = {false};
  size_t n = count_rows(a);
  ldr_value *values;
  ldr_code code;
  get_action(a);
  a->nothing = n == 0;
  answer_by_given(a, n);
  if (n > SIZE_MAX / e->nfields / sizeof *values) return ldr_fail_nomem(&a->w->err);
  values = ldr_arena_alloc(&a->w->arena, n * e->nfields * sizeof *values);
  if (values == NULL) return ldr_fail_nomem(&a->w->err);
  code = read_rows(a, named, values, n);
  if (code == LDR_OK) code = get_conflict(a, named);
  if (code == LDR_OK) code = check_identity(a, named, values, n);
  if (code == LDR_OK) code = choose_columns(a, named, values, n);
  return code == LDR_OK ? l_op_returning(a) : code;
}

/* An operation that returns the row, in w->op. */
static ldr_op *new_op(l_opargs *a, ldr_op_kind kind) {
  ldr_op *op = ldr_arena_alloc(&a->w->arena, sizeof *op);
  if (op == NULL) return NULL;
  ldr_op_init(op, kind, a->e);
  op->name = a->w->name;
  op->now = a->now;
  op->out = a->visible;
  op->nout = a->nvisible;
  a->w->op = op;
  return op;
}

/* A row that a blocking call writes is likely to be answered as it is given if the one before was. Its JSON
 * is then copied while it is read, in place of being read again for the answer. */
static void want_copy(l_opargs *a) {
  l_work *w = a->w;
  if (w->as_given && w->call.block) {
    lua_pushnil(a->L);
    w->at->copy = lua_gettop(a->L);
  }
  w->as_given = false; /* until the answer says so */
}

ldr_code l_op_create(l_opargs *a, int idx) {
  bool given[LDR_MAX_FIELDS], named[LDR_MAX_FIELDS] = {false};
  ldr_value *values = ldr_arena_alloc(&a->w->arena, a->e->nfields * sizeof *values);
  ldr_code code;
  if (values == NULL || new_op(a, LDR_OP_INSERT) == NULL) return ldr_fail_nomem(&a->w->err);
  answer_by_given(a, 1);
  want_copy(a);
  code = l_op_row(a->L, idx, a->w, a->e, a->now, values, given, named);
  return code == LDR_OK ? choose_columns(a, named, values, 1) : code;
}

ldr_code l_op_patch(l_opargs *a, const ldr_value *key, int idx) {
  ldr_op *op = new_op(a, LDR_OP_UPDATE);
  ldr_code code = op ? l_where_key(a->w, a->e, key, &op->where) : ldr_fail_nomem(&a->w->err);
  if (code != LDR_OK) return code;
  answer_by_given(a, 1);
  return l_op_sets(a, idx);
}

ldr_code l_op_update(l_opargs *a) {
  ldr_code code;
  if (lua_toboolean(a->L, a->base + L_RETURNING)) answer_by_given(a, 1);
  code = l_op_sets(a, a->base + L_SET);
  return code == LDR_OK ? l_op_returning(a) : code;
}
