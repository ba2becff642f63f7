#include "lua/values/rows.h"

#include "lua/base/int.h"
#include "lua/values/unreadable.h"
#include "lua/values/value.h"
#include "model/cursor.h"
#include "model/given.h"

/* Pushes the name of column c. Fields of an entity have theirs in its table of names. */
static void push_name(lua_State *L, const l_work *w, unsigned c) {
  if (w->op && c < w->op->nout)
    lua_rawgeti(L, l_at(w)->names, w->op->out[c] + 1);
  else
    lua_pushstring(L, w->result.rows->cols[c].name);
}

/* Pushes the names of the columns shown, so that a list looks each up once; returns the first index. */
static int push_names(lua_State *L, const l_work *w, unsigned n) {
  int first = lua_gettop(L) + 1;
  luaL_checkstack(L, (int)n + 12, "too many columns");
  for (unsigned c = 0; c < n; c++) push_name(L, w, c);
  return first;
}

static unsigned shown(const l_work *w) {
  return w->nshow < w->result.rows->ncols ? w->nshow : w->result.rows->ncols;
}

/* Pushes a value as cell c. Its text has the place of its column in the memo; those inside of JSON and arrays
 * stand behind the columns, from *deep on. */
static bool push_value(lua_State *L, l_work *w, const ldr_value *v, unsigned c, unsigned *deep) {
  bool inside, ok;
  if (v->type == LDR_T_TEXT) { /* most are */
    if (w->memo) w->memo->text = c;
    l_memo_push(L, w->memo, v->u.p, v->n);
    return true;
  }
  if (w->memo == NULL) return l_value_push(L, w, v);
  inside = v->type == LDR_T_JSON || v->type == LDR_T_ARRAY;
  w->memo->text = inside ? *deep : c;
  ok = l_value_push(L, w, v);
  if (inside) *deep = w->memo->text;
  return ok;
}

/* Pushes cell c of row i, for the column `at` of the answer; what cannot be read is an object that says so.
 * False: the whole answer is lost. */
static bool push_cell(lua_State *L, l_work *w, size_t i, unsigned c, unsigned at, unsigned *deep,
                      bool *null) {
  ldr_rows *r = w->result.rows;
  ldr_value v;
  *null = false;
  if (ldr_rows_cell(r, i, c, &v, &w->err) != LDR_OK) return l_unreadable_push(L, w, r->cols[c].name);
  *null = v.type == LDR_T_NULL;
  return *null || push_value(L, w, &v, at, deep) || l_unreadable_push(L, w, r->cols[c].name);
}

/* Pushes row number i; names: see push_names, or 0 when the row is the only one to want them. */
static bool push_row(lua_State *L, l_work *w, size_t i, int names, unsigned n) {
  unsigned deep = n;
  lua_createtable(L, 0, (int)n);
  if (w->memo) w->memo->table = 0;
  for (unsigned c = 0; c < n; c++) {
    bool null;
    if (names)
      lua_pushvalue(L, names + (int)c);
    else
      push_name(L, w, c);
    if (!push_cell(L, w, i, c, c, &deep, &null)) return false;
    if (null)
      lua_pop(L, 1);
    else
      lua_rawset(L, -3);
  }
  return true;
}

/* A row that is answered alone begins: pushes what such rows keep, if anything. Returns the row's place. */
static int begin_alone(lua_State *L, l_work *w) {
  int at = lua_gettop(L) + 1;
  w->memo = L_INTERN_CHEAP ? NULL : l_memo_borrow(L, l_at(w)->names);
  return at;
}

/* The row is on top, unless it failed: it goes to its place. */
static bool end_alone(lua_State *L, l_work *w, int at, bool ok) {
  l_memo_return(w->memo);
  w->memo = NULL;
  if (ok && lua_gettop(L) > at) {
    lua_replace(L, at);
    lua_settop(L, at);
  }
  return ok;
}

/* Pushes each of the first n rows above its columns' names, for put to take. */
static bool push_each(lua_State *L, l_work *w, size_t n, l_rows_put *put, void *ud) {
  unsigned ncols = shown(w);
  int names = push_names(L, w, ncols);
  l_memo memo;
  bool ok = true;
  if (n == 1) {
    int at = begin_alone(L, w);
    ok = end_alone(L, w, at, push_row(L, w, 0, names, ncols)) && put(L, w, 0, ud) == LDR_OK;
  } else {
    l_memo_open(L, &memo);
    w->memo = &memo;
    for (size_t i = 0; i < n && ok; i++) ok = push_row(L, w, i, names, ncols) && put(L, w, i, ud) == LDR_OK;
    w->memo =
        NULL; /* it lives no longer than this function; an error that is raised leaves the work unused */
  }
  if (ok) lua_settop(L, names - 1);
  return ok;
}

bool l_rows_each(lua_State *L, l_work *w, l_rows_put *put, void *ud) {
  size_t n = w->result.rows ? w->result.rows->nrows : 0;
  return n == 0 || push_each(L, w, n, put, ud);
}

static ldr_code put_into_list(lua_State *L, l_work *w, size_t i, void *list) {
  (void)w;
  lua_rawseti(L, *(const int *)list, (int)i + 1);
  return LDR_OK;
}

/* Pushes row number `row` of a write that is stored as it was given: the operation has what did not come
 * back. names: as push_row takes them. */
static bool push_fields_given(lua_State *L, l_work *w, size_t row, int names) {
  const ldr_op *op = w->op;
  unsigned deep = op->nout, came = 0;
  lua_createtable(L, 0, (int)op->nout);
  if (w->memo) w->memo->table = 0;
  for (unsigned i = 0; i < op->nout; i++) {
    const ldr_value *v = ldr_op_given(op, row, op->out[i]);
    bool null = v && v->type == LDR_T_NULL;
    if (null) continue;
    if (names)
      lua_pushvalue(L, names + (int)i);
    else
      push_name(L, w, i);
    if (v == NULL
            ? !push_cell(L, w, 0, came++, i, &deep, &null)
            : !push_value(L, w, v, i, &deep) && !l_unreadable_push(L, w, op->e->fields[op->out[i]].name))
      return false;
    if (null)
      lua_pop(L, 1);
    else
      lua_rawset(L, -3);
  }
  return true;
}

bool l_rows_expect(lua_State *L, l_work *w) {
  int at = begin_alone(L, w);
  return end_alone(L, w, at, push_fields_given(L, w, 0, 0));
}

bool l_rows_expect_all(lua_State *L, l_work *w) {
  size_t n = w->op->nrows;
  int names, list = lua_gettop(L) + 1;
  l_memo memo;
  bool ok = true;
  lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
  names = push_names(L, w, w->op->nout);
  l_memo_open(L, &memo);
  w->memo = &memo; /* see push_each */
  for (size_t i = 0; i < n && ok; i++) {
    ok = push_fields_given(L, w, i, names);
    if (ok) lua_rawseti(L, list, (int)i + 1);
  }
  w->memo = NULL;
  if (ok) lua_settop(L, list);
  return ok;
}

/* What was expected, once the result says so. It may have been made before. */
static bool push_given(lua_State *L, l_work *w) {
  w->as_given = true;
  if (l_at(w)->answer == 0) return w->expect(L, w);
  lua_pushvalue(L, l_at(w)->answer);
  return true;
}

bool l_rows_push(lua_State *L, l_work *w) {
  size_t n = w->result.rows ? w->result.rows->nrows : 0;
  int list;
  if (w->result.as_given && w->op->nrows > 1) return push_given(L, w);
  if (w->result.as_given) {
    lua_createtable(L, 1, 0);
    if (!push_given(L, w)) return false;
    lua_rawseti(L, -2, 1);
    return true;
  }
  if (w->keep >= 0 && (uint64_t)w->keep < n) n = (size_t)w->keep;
  lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
  if (n == 0) { /* an empty list is a list for JSON, too */
    lua_pushvalue(L, l_array_mark(L, w));
    lua_setmetatable(L, -2);
    return true;
  }
  list = lua_gettop(L);
  return push_each(L, w, n, put_into_list, &list);
}

bool l_rows_push_first(lua_State *L, l_work *w) {
  int at;
  if (w->result.as_given) return push_given(L, w);
  if (w->result.rows == NULL || w->result.rows->nrows == 0) {
    lua_pushnil(L);
    return true;
  }
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  at = begin_alone(L, w);
  return end_alone(L, w, at, push_row(L, w, 0, 0, shown(w)));
}

static bool push_packed(lua_State *L, l_work *w, const ldr_entity *e, const ldr_row *r,
                        const uint16_t *fields, unsigned n) {
  unsigned deep = n;
  lua_createtable(L, 0, (int)n);
  for (unsigned i = 0; i < n; i++) {
    unsigned f = fields ? fields[i] : i;
    ldr_value v;
    ldr_row_get(e, r, f, &v);
    if (v.type == LDR_T_NULL) continue;
    lua_rawgeti(L, l_at(w)->names, (int)f + 1);
    if (!push_value(L, w, &v, i, &deep) && !l_unreadable_push(L, w, e->fields[f].name)) return false;
    lua_rawset(L, -3);
  }
  return true;
}

bool l_rows_push_packed(lua_State *L, l_work *w, const ldr_entity *e, const ldr_row *r,
                        const uint16_t *fields, unsigned n) {
  int at = begin_alone(L, w);
  return end_alone(L, w, at, push_packed(L, w, e, r, fields, fields ? n : e->nfields));
}

/* ---- finish functions ---- */

/* nil, err: the answer is lost. What a write did stays done, and err.stored says so. */
static int lost(lua_State *L, l_work *w) {
  bool stored =
      w->op && (w->op->kind == LDR_OP_INSERT || w->op->kind == LDR_OP_UPDATE || w->op->kind == LDR_OP_DELETE);
  int n = l_work_fail(L, w);
  if (!stored) return n;
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "stored");
  return n;
}

/* The column that has the value which rows are ordered by. */
static unsigned order_column(const ldr_op *op, const ldr_order *o) {
  unsigned i = 0;
  while (i < op->nout && (o->expr || op->out[i] != o->field)) i++;
  if (i < op->nout) return i;
  for (i = 0; op->computed[i].expr != o->expr || op->computed[i].field != o->field;) i++;
  return op->nout + i;
}

/* Pushes the cursor after row number `last`: the values of its order fields, which ops/op.c put among the
 * columns. */
static ldr_code push_cursor(lua_State *L, l_work *w, size_t last) {
  const ldr_op *op = w->op;
  ldr_value *v = ldr_arena_alloc(&w->arena, op->norder * sizeof *v);
  ldr_code code = v ? LDR_OK : ldr_fail_nomem(&w->err);
  for (unsigned i = 0; i < op->norder && code == LDR_OK; i++) {
    unsigned col = order_column(op, &op->order[i]);
    code = ldr_rows_cell(w->result.rows, last, col, &v[i], &w->err);
    if (code == LDR_OK && !ldr_value_copy(&v[i], &w->arena)) code = ldr_fail_nomem(&w->err);
  }
  if (code != LDR_OK) return code;
  ldr_buf_reset(&w->buf);
  code = ldr_cursor_encode(op, v, &w->buf, &w->err);
  if (code == LDR_OK) lua_pushlstring(L, w->buf.p, w->buf.n);
  return code;
}

/* Is there a page behind this one? */
static bool has_more(const l_work *w) {
  return w->keep > 0 && w->result.rows && w->result.rows->nrows > (uint64_t)w->keep;
}

int l_finish_rows(lua_State *L, l_work *w) {
  bool more = has_more(w);
  if (!l_rows_push(L, w)) return lost(L, w);
  if (!more) return l_work_end(L, w, 1);
  if (push_cursor(L, w, (size_t)w->keep - 1) != LDR_OK) return l_work_fail(L, w);
  return l_work_end(L, w, 2);
}

int l_finish_held(lua_State *L, l_work *w) {
  if (!l_rows_push(L, w)) return l_work_fail(L, w);
  return l_work_end(L, w, 1);
}

int l_finish_page(lua_State *L, l_work *w) {
  lua_pushvalue(L, l_at(w)->self);
  lua_pushnil(L);
  if (has_more(w)) {
    lua_pop(L, 1);
    if (push_cursor(L, w, (size_t)w->keep - 1) != LDR_OK) return l_work_fail(L, w);
  }
  w->finish = l_finish_held;
  w->held = true;
  w->at = NULL;
  return 2;
}

int l_finish_first(lua_State *L, l_work *w) {
  if (!l_rows_push_first(L, w)) return lost(L, w);
  if (!lua_isnil(L, -1)) return l_work_end(L, w, 1);
  ldr_fail(&w->err, LDR_NOT_FOUND, "%s: no such row", w->store ? w->store : "query");
  return l_work_fail(L, w);
}

int l_finish_exists(lua_State *L, l_work *w) {
  lua_pushboolean(L, w->result.rows && w->result.rows->nrows > 0);
  return l_work_end(L, w, 1);
}

int l_finish_affected(lua_State *L, l_work *w) {
  l_int_push(L, w->result.affected);
  return l_work_end(L, w, 1);
}

/* A sequence of { name =, type = }, in the server's order. */
static void push_columns(lua_State *L, l_work *w) {
  const ldr_rows *r = w->result.rows;
  unsigned n = r ? r->ncols : 0;
  lua_createtable(L, (int)n, 0);
  for (unsigned i = 0; i < n; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, r->cols[i].name);
    lua_setfield(L, -2, "name");
    lua_pushfstring(L, "%s%s", ldr_ftype_get(r->cols[i].type)->name, r->cols[i].array ? "[]" : "");
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, (int)i + 1);
  }
}

int l_finish_query(lua_State *L, l_work *w) {
  if (!l_rows_push(L, w)) return l_work_fail(L, w);
  l_int_push(L, w->result.affected);
  if (!w->columns) return l_work_end(L, w, 2);
  push_columns(L, w);
  return l_work_end(L, w, 3);
}
