/* select and aggregate. */
#include <stdio.h>
#include <string.h>

#include "lua/base/int.h"
#include "lua/ops/args.h"
#include "lua/values/rows.h"
#include "lua/values/strict.h"
#include "model/cursor.h"

/* ---- select ---- */

static ldr_code get_lock(l_opargs *a) {
  static const char *const locks[] = {
      [LDR_LOCK_NONE] = "",
      [LDR_LOCK_UPDATE] = "update",
      [LDR_LOCK_SHARE] = "share",
      [LDR_LOCK_UPDATE_SKIP] = "update_skip",
      [LDR_LOCK_UPDATE_NOWAIT] = "update_nowait",
  };
  int idx = a->base + L_LOCK;
  if (lua_isnil(a->L, idx)) return LDR_OK;
  for (unsigned i = LDR_LOCK_UPDATE; i < sizeof locks / sizeof *locks; i++) {
    if (lua_type(a->L, idx) != LUA_TSTRING || strcmp(lua_tostring(a->L, idx), locks[i]) != 0) continue;
    a->w->op->lock = (ldr_lock)i;
    return LDR_OK;
  }
  l_work_misuse(a->L, a->w, "lock must be update, share, update_skip or update_nowait");
  return LDR_INTERNAL;
}

/* per = { "field", …, limit = n, offset = n } */
static ldr_code get_per(l_opargs *a) {
  static const char *const names[] = {"limit", "offset"};
  lua_State *L = a->L;
  ldr_op *op = a->w->op;
  int idx = a->base + L_PER;
  if (lua_isnil(L, idx)) return LDR_OK;
  l_shape_check(L, a->w, idx, L_CONDITION, "per");
  l_entries_check(L, a->w, idx, "per", names, 2);
  if (lua_rawlen(L, idx) > LDR_MAX_KEY) l_work_misuse(L, a->w, "per names too many fields");
  for (unsigned n = (unsigned)lua_rawlen(L, idx); op->nper < n; op->nper++) {
    int field;
    lua_rawgeti(L, idx, (int)op->nper + 1);
    field = l_field_get(L, -1, a->w, op->e);
    lua_pop(L, 1);
    if (field < 0) return a->w->err.code;
    op->per[op->nper] = (uint16_t)field;
  }
  lua_getfield(L, idx, "limit");
  lua_getfield(L, idx, "offset");
  if (!lua_isnil(L, -2)) op->per_limit = l_int_check(L, -2, "per.limit");
  if (!lua_isnil(L, -1)) op->per_offset = l_int_check(L, -1, "per.offset");
  lua_pop(L, 2);
  return LDR_OK;
}

static bool is_fetched(const ldr_op *op, const ldr_order *o) {
  for (unsigned i = 0; i < op->nout; i++)
    if (o->expr == NULL && op->out[i] == o->field) return true;
  for (unsigned i = 0; i < op->ncomputed; i++)
    if (op->computed[i].expr == o->expr && op->computed[i].field == o->field) return true;
  return false;
}

/* "larder_3": a column that Lua does not see */
static const char *hidden_name(l_work *w, unsigned i) {
  ldr_buf name = {0};
  const char *copy;
  ldr_buf_fmt(&name, "larder_%u", i);
  copy = ldr_buf_copy(&name, &w->arena);
  ldr_buf_free(&name);
  return copy;
}

/* The cursor after a page is made from the values that its last row is ordered by, so these are fetched too;
 * Lua does not see the ones that nobody asked for, which stand behind the others. */
static ldr_code fetch_order_values(l_opargs *a) {
  ldr_op *op = a->w->op;
  bool computes = op->ncomputed > 0;
  uint16_t *out = ldr_arena_alloc(&a->w->arena, (op->nout + op->norder) * sizeof *out);
  ldr_group *more = NULL;
  for (unsigned i = 0; i < op->norder; i++) computes = computes || op->order[i].expr;
  if (computes) more = ldr_arena_zalloc(&a->w->arena, (op->ncomputed + op->norder) * sizeof *more);
  if (out == NULL || (computes && more == NULL)) return ldr_fail_nomem(&a->w->err);
  memcpy(out, op->out, op->nout * sizeof *out);
  if (op->ncomputed) memcpy(more, op->computed, op->ncomputed * sizeof *more);
  op->out = out;
  op->computed = more;
  a->w->nshow = op->nout + op->ncomputed;
  for (unsigned i = 0; i < op->norder; i++) {
    const ldr_order *o = &op->order[i];
    if (is_fetched(op, o)) continue;
    if (!computes) {
      out[op->nout++] = o->field;
      continue;
    }
    more[op->ncomputed] = (ldr_group){.field = o->field, .expr = o->expr, .name = hidden_name(a->w, i)};
    if (more[op->ncomputed++].name == NULL) return ldr_fail_nomem(&a->w->err);
  }
  return LDR_OK;
}

static bool has_keyset(const ldr_op *op) {
  for (unsigned i = 0; i < op->norder; i++)
    if (op->order[i].kind != LDR_BY_FIELD && op->order[i].kind != LDR_BY_EXPR) return false;
  return true;
}

static ldr_code get_page(l_opargs *a) {
  l_work *w = a->w;
  if (!l_option_bool(a->L, a->base + L_PAGE, "page") || a->nothing) return LDR_OK;
  if (w->op->limit < 0) l_work_misuse(a->L, a->w, "a page needs a limit");
  if (!has_keyset(w->op)) { /* a cursor is made of values */
    if (!lua_isnil(a->L, a->base + L_OFFSET)) return LDR_OK;
    return ldr_fail_field(&w->err, "order", "is not by values alone, so its pages go by offset: name one");
  }
  w->keep = w->op->limit;
  if (w->op->limit < INT64_MAX) w->op->limit++; /* one more row tells whether there is a next page */
  return fetch_order_values(a);
}

static ldr_code get_after(l_opargs *a) {
  int idx = a->base + L_AFTER;
  if (lua_isnil(a->L, idx)) return LDR_OK;
  if (lua_type(a->L, idx) != LUA_TSTRING)
    l_work_misuse(a->L, a->w, "after must be a cursor, not a %s", luaL_typename(a->L, idx));
  return ldr_cursor_decode(a->w->op, lua_tostring(a->L, idx), lua_rawlen(a->L, idx), &a->w->arena,
                           &a->w->op->after, &a->w->err);
}

/* ---- plans and cursors ---- */

/* Would the server sort? A plan's lines name each of its steps behind an arrow, or first. */
static bool is_sort(const ldr_value *line) {
  static const char *const sorts[] = {"Sort", "Incremental Sort"};
  const char *p = line->u.p;
  size_t n = line->n;
  while (n && strchr(" ->", *p)) p++, n--;
  for (unsigned i = 0; i < 2; i++) {
    size_t length = strlen(sorts[i]);
    if (n >= length && memcmp(p, sorts[i], length) == 0 && (n == length || p[length] == ' ')) return true;
  }
  return false;
}

/* → 1: what is behind the cursor would be sorted, or gone through from its start; 0: an index leads to it */
static int finish_plan(lua_State *L, l_work *w) {
  ldr_rows *r = w->result.rows;
  bool sorts = w->op->after && !ldr_op_after_is_uniform(w->op);
  for (size_t i = 0; r && i < r->nrows && !sorts; i++) {
    ldr_value line;
    if (ldr_rows_cell(r, i, 0, &line, &w->err) != LDR_OK) return l_work_fail(L, w);
    sorts = is_sort(&line);
  }
  lua_pushinteger(L, sorts);
  return l_work_end(L, w, 1);
}

static ldr_code get_how(l_opargs *a) {
  static const char *const names[] = {"rows", "plan", "declare", "fetch"};
  ldr_op *op = a->w->op;
  int idx = a->base + L_HOW;
  unsigned how;
  if (lua_isnil(a->L, idx)) return LDR_OK;
  how = l_name_among(a->L, idx, names, 4);
  if (how == 4) l_work_misuse(a->L, a->w, "how must be plan, declare or fetch");
  op->how = (ldr_how)how;
  if (!lua_isnil(a->L, a->base + L_CURSOR))
    op->cursor = (unsigned)l_int_check(a->L, a->base + L_CURSOR, "cursor");
  if (op->how == LDR_HOW_PLAN) a->w->finish = finish_plan;
  if (op->how == LDR_HOW_DECLARE) a->w->finish = l_finish_affected;
  return LDR_OK;
}

static ldr_code get_group(l_opargs *a, int t, const char *what, ldr_group *out);

/* Is the item of columns on top of the stack the name of a field of the store's own? */
static bool is_plain(lua_State *L) {
  return lua_type(L, -1) == LUA_TSTRING && !strchr(lua_tostring(L, -1), '.');
}

/* columns with values among them that are computed, or of related rows. */
static ldr_code get_columns(l_opargs *a, int idx) {
  lua_State *L = a->L;
  ldr_op *op = a->w->op;
  unsigned n = l_list_check(L, a->w, idx, "columns");
  uint16_t *out = ldr_arena_alloc(&a->w->arena, (n + 1) * sizeof *out);
  ldr_group *computed = ldr_arena_zalloc(&a->w->arena, (n + 1) * sizeof *computed);
  char what[32];
  if (out == NULL || computed == NULL) return ldr_fail_nomem(&a->w->err);
  for (unsigned i = 0; i < n; i++) {
    ldr_code code = LDR_OK;
    int field;
    lua_rawgeti(L, idx, (int)i + 1);
    if (is_plain(L)) {
      field = l_field_get(L, -1, a->w, op->e);
      if (field < 0) return a->w->err.code;
      out[op->nout++] = (uint16_t)field;
    } else {
      snprintf(what, sizeof what, "column %u", i + 1);
      code = get_group(a, lua_gettop(L), what, &computed[op->ncomputed++]);
    }
    lua_pop(L, 1);
    if (code != LDR_OK) return code;
  }
  op->out = out;
  op->computed = computed;
  return LDR_OK;
}

static ldr_code choose_columns(l_opargs *a) {
  int idx = a->base + L_COLUMNS;
  bool plain = true;
  for (int i = 1, n = lua_istable(a->L, idx) ? (int)lua_rawlen(a->L, idx) : 0; i <= n && plain; i++) {
    lua_rawgeti(a->L, idx, i);
    plain = lua_type(a->L, -1) != LUA_TTABLE && (lua_type(a->L, -1) != LUA_TSTRING || is_plain(a->L));
    lua_pop(a->L, 1);
  }
  return plain ? l_op_columns(a, idx) : get_columns(a, idx);
}

ldr_code l_op_select(l_opargs *a) {
  bool plain = l_option_bool(a->L, a->base + L_PLAIN, "plain");
  bool by_key = l_option_bool(a->L, a->base + L_BY_KEY, "by_key");
  const ldr_unique *key = &a->e->key;
  ldr_code code = choose_columns(a);
  a->w->op->any_order = l_option_bool(a->L, a->base + L_ANY_ORDER, "any_order");
  a->w->finish = by_key ? l_finish_by_key : l_finish_rows;
  if (code == LDR_OK && by_key) code = l_op_by_key(a);
  if (code == LDR_OK && !plain) code = l_op_order(a, a->base + L_ORDER, a->e, key->field, key->n);
  if (code == LDR_OK) code = l_op_limits(a);
  if (code == LDR_OK) code = get_lock(a);
  if (code == LDR_OK) code = get_per(a);
  if (code == LDR_OK) code = get_page(a);
  if (code == LDR_OK) code = get_how(a);
  return code == LDR_OK ? get_after(a) : code;
}

/* ---- aggregate ---- */

/* The field or expression at t[i]; *field is -1 for nil, which is allowed when it is optional, and
 * LDR_NO_FIELD beside an expression. */
static ldr_code item_operand(l_opargs *a, int t, int i, bool optional, int *field, const ldr_expr **x) {
  l_builder b = l_builder_of(a->L, a->w, a->w->op->e);
  unsigned found = 0;
  ldr_code code = LDR_OK;
  bool none;
  lua_rawgeti(a->L, t, i);
  none = optional && lua_isnil(a->L, -1);
  if (!none) code = l_operand_get(&b, lua_gettop(a->L), &found, x);
  lua_pop(a->L, 1);
  *field = none ? -1 : (int)found;
  return code;
}

/* An aggregate or group has up to n positions, and these names beside them. */
static void check_item(l_opargs *a, int t, unsigned n, const char *const *names, unsigned nnames,
                       const char *what) {
  l_shape_check(a->L, a->w, t, L_CONDITION, what);
  if (lua_rawlen(a->L, t) > n) l_work_misuse(a->L, a->w, "%s has more than %d positions", what, (int)n);
  l_entries_check(a->L, a->w, t, what, names, nnames);
}

static const char *const fns[] = {[LDR_AGG_COUNT] = "count",
                                  [LDR_AGG_SUM] = "sum",
                                  [LDR_AGG_AVG] = "avg",
                                  [LDR_AGG_MIN] = "min",
                                  [LDR_AGG_MAX] = "max"};
enum { NFNS = sizeof fns / sizeof *fns };

/* What groups and figures show must be no secret. */
static ldr_code secret(l_opargs *a, unsigned field, const ldr_expr *x) {
  return ldr_fail_field(&a->w->err, ldr_operand(a->w->op->e, field, x)->name, "is a secret");
}

/* The function of the aggregate at t, which raises where it has none. */
static ldr_agg_fn get_fn(l_opargs *a, int t, const char *what) {
  lua_State *L = a->L;
  const char *name;
  unsigned i;
  if (!lua_istable(L, t)) l_work_misuse(L, a->w, "%s must be a table, not a %s", what, luaL_typename(L, t));
  lua_rawgeti(L, t, 1);
  i = l_name_among(L, -1, fns, NFNS);
  name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (i == NFNS && name)
    l_work_misuse(L, a->w, "%s has no function '%s'%s", what, name, l_hint_push(L, name, fns, NFNS));
  if (i == NFNS)
    l_work_misuse(L, a->w, "%s is { \"count\" | \"sum\" | \"avg\" | \"min\" | \"max\", field }", what);
  lua_pop(L, 1);
  return (ldr_agg_fn)i;
}

/* { "count" | "sum" | …, field, as = name, filter = W } */
static ldr_code get_agg(l_opargs *a, int t, const char *what, ldr_agg *out) {
  static const char *const names[] = {"as", "filter", "distinct"};
  ldr_code code;
  out->fn = get_fn(a, t, what);
  check_item(a, t, 2, names, 3, what);
  code = item_operand(a, t, 2, out->fn == LDR_AGG_COUNT, &out->field, &out->expr);
  if (code != LDR_OK) return code;
  if (out->fn != LDR_AGG_COUNT && ldr_operand_hidden(a->w->op->e, (unsigned)out->field, out->expr))
    return secret(a, (unsigned)out->field, out->expr);
  out->name = fns[out->fn];
  code = l_entry_text(a->L, a->w, t, what, "as", &out->name);
  if (code != LDR_OK) return code;
  out->distinct = l_entry_bool(a->L, a->w, t, what, "distinct");
  lua_getfield(a->L, t, "filter");
  code = l_where_get(a->L, -1, a->w, a->w->op->e, &out->filter);
  lua_pop(a->L, 1);
  return code;
}

/* bucket = "day" beside a group: it is by the bucket that its operand is in. */
static ldr_code get_bucket(l_opargs *a, int t, const char *what, ldr_group *g) {
  static const char wanted[] = "must be minute, hour, day, week, month or year";
  l_builder b = l_builder_of(a->L, a->w, a->w->op->e);
  ldr_expr *x = NULL;
  const char *name = NULL;
  unsigned number;
  ldr_code code = l_entry_text(a->L, a->w, t, what, "bucket", &name);
  if (code != LDR_OK || name == NULL) return code;
  lua_getfield(a->L, t, "bucket");
  number = l_name_among(a->L, -1, ldr_bucket_names, LDR_YEAR + 1);
  if (number > LDR_YEAR)
    code = ldr_fail_field(&a->w->err, "bucket", "%s%s", wanted,
                          l_hint_push(a->L, name, ldr_bucket_names, LDR_YEAR + 1));
  lua_settop(a->L, t);
  if (code != LDR_OK || number == LDR_BUCKET_NONE) return code;
  if (a->w->op->kind != LDR_OP_AGGREGATE)
    return ldr_fail_field(&a->w->err, "bucket", "is for groups; a column takes larder.bucket");
  code = l_expr_bucket(&b, g->field, g->expr, (ldr_bucket)number, &x);
  g->field = LDR_NO_FIELD;
  g->expr = x;
  return code;
}

/* The name of a result column that has none of its own. */
static ldr_code name_group(l_opargs *a, ldr_group *g) {
  g->name = g->expr ? l_expr_column(a->w, g->expr) : a->w->op->e->fields[g->field].name;
  return g->name ? LDR_OK : a->w->err.code;
}

/* "field", or { "field", as = }, at the top of the stack; of groups also bucket = */
static ldr_code get_group(l_opargs *a, int t, const char *what, ldr_group *out) {
  static const char *const names[] = {"as", "bucket"};
  bool plain = !lua_istable(a->L, t) || l_is_expr(a->L, t);
  unsigned found;
  int field = LDR_NO_FIELD;
  ldr_code code;
  if (plain) {
    l_builder b = l_builder_of(a->L, a->w, a->w->op->e);
    code = l_operand_get(&b, t, &found, &out->expr);
    field = (int)found;
  } else {
    check_item(a, t, 1, names, 2, what);
    code = item_operand(a, t, 1, false, &field, &out->expr);
  }
  if (code != LDR_OK) return code;
  if (ldr_operand_hidden(a->w->op->e, (unsigned)field, out->expr))
    return secret(a, (unsigned)field, out->expr);
  out->field = (uint16_t)field;
  if (!plain) code = l_entry_text(a->L, a->w, t, what, "as", &out->name);
  if (code == LDR_OK && out->name == NULL) code = name_group(a, out);
  return code == LDR_OK && !plain ? get_bucket(a, t, what, out) : code;
}

/* Length of the list in option opt; 0 when nil. */
static unsigned count_items(l_opargs *a, int opt, const char *name) {
  int idx = a->base + opt;
  return lua_isnil(a->L, idx) ? 0 : l_list_check(a->L, a->w, idx, name);
}

/* having and order, which speak of the result columns; the order is ended by the groups. */
static ldr_code get_wanted_groups(l_opargs *a) {
  ldr_op *op = a->w->op;
  uint16_t *groups;
  ldr_code code;
  bool wanted = !lua_isnil(a->L, a->base + L_HAVING) || !lua_isnil(a->L, a->base + L_ORDER);
  for (unsigned i = 0; i < op->ngroups; i++) /* see ldr_op_check */
    wanted = wanted || (op->groups[i].expr && ldr_ftype_is_text(op->groups[i].expr->as.type));
  if (!wanted) return LDR_OK;
  groups = ldr_arena_alloc(&a->w->arena, (op->ngroups + 1) * sizeof *groups);
  op->result = ldr_op_result(op, &a->w->arena);
  if (groups == NULL || op->result == NULL) return ldr_fail_nomem(&a->w->err);
  for (unsigned i = 0; i < op->ngroups; i++) groups[i] = (uint16_t)i;
  code = l_where_get(a->L, a->base + L_HAVING, a->w, op->result, &op->having);
  return code == LDR_OK ? l_op_order(a, a->base + L_ORDER, op->result, groups, op->ngroups) : code;
}

ldr_code l_op_aggregate(l_opargs *a) {
  ldr_op *op = a->w->op;
  unsigned naggs = count_items(a, L_AGGS, "aggs"), ngroups = count_items(a, L_GROUPS, "groups");
  ldr_agg *aggs = ldr_arena_zalloc(&a->w->arena, naggs * sizeof *aggs);
  ldr_group *groups = ldr_arena_zalloc(&a->w->arena, ngroups * sizeof *groups);
  ldr_code code = aggs && groups ? LDR_OK : ldr_fail_nomem(&a->w->err);
  char what[32];
  for (unsigned i = 0; i < naggs && code == LDR_OK; i++) {
    lua_rawgeti(a->L, a->base + L_AGGS, (int)i + 1);
    snprintf(what, sizeof what, "aggregate %u", i + 1);
    code = get_agg(a, lua_gettop(a->L), what, &aggs[i]);
    lua_pop(a->L, 1);
  }
  for (unsigned i = 0; i < ngroups && code == LDR_OK; i++) {
    lua_rawgeti(a->L, a->base + L_GROUPS, (int)i + 1);
    snprintf(what, sizeof what, "group %u", i + 1);
    code = get_group(a, lua_gettop(a->L), what, &groups[i]);
    lua_pop(a->L, 1);
  }
  op->aggs = aggs;
  op->groups = groups;
  op->naggs = naggs;
  op->ngroups = ngroups;
  a->w->finish = l_finish_rows;
  if (code == LDR_OK) code = get_wanted_groups(a);
  return code == LDR_OK ? l_op_limits(a) : code;
}
