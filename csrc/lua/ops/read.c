/* select and aggregate. */
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
  lua_State *L = a->L;
  ldr_op *op = a->w->op;
  int idx = a->base + L_PER;
  if (lua_isnil(L, idx)) return LDR_OK;
  l_shape_check(L, a->w, idx, L_CONDITION, "per");
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

/* The cursor after a page is made from the order fields of its last row, so these are fetched too; Lua does
 * not see the ones that nobody asked for. */
static ldr_code fetch_order_fields(l_opargs *a) {
  ldr_op *op = a->w->op;
  uint16_t *out = ldr_arena_alloc(&a->w->arena, (op->nout + op->norder) * sizeof *out);
  if (out == NULL) return ldr_fail_nomem(&a->w->err);
  memcpy(out, op->out, op->nout * sizeof *out);
  op->out = out;
  a->w->nshow = op->nout;
  for (unsigned i = 0; i < op->norder; i++) {
    unsigned k = 0;
    while (k < op->nout && out[k] != op->order[i].field) k++;
    if (k == op->nout) out[op->nout++] = op->order[i].field;
  }
  return LDR_OK;
}

static bool by_fields(const ldr_op *op) {
  for (unsigned i = 0; i < op->norder; i++)
    if (op->order[i].kind != LDR_BY_FIELD) return false;
  return true;
}

static ldr_code get_page(l_opargs *a) {
  l_work *w = a->w;
  if (!l_option_bool(a->L, a->base + L_PAGE, "page") || a->nothing) return LDR_OK;
  if (w->op->limit < 0) l_work_misuse(a->L, a->w, "a page needs a limit");
  if (!by_fields(w->op)) { /* a cursor is made of fields */
    if (!lua_isnil(a->L, a->base + L_OFFSET)) return LDR_OK;
    return ldr_fail_field(&w->err, "order", "is not by fields alone, so its pages go by offset: name one");
  }
  w->keep = w->op->limit;
  if (w->op->limit < INT64_MAX) w->op->limit++; /* one more row tells whether there is a next page */
  return fetch_order_fields(a);
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
  unsigned how = 0;
  if (lua_isnil(a->L, idx)) return LDR_OK;
  while (how < 4 && (lua_type(a->L, idx) != LUA_TSTRING || strcmp(lua_tostring(a->L, idx), names[how]) != 0))
    how++;
  if (how == 4) l_work_misuse(a->L, a->w, "how must be plan, declare or fetch");
  op->how = (ldr_how)how;
  if (!lua_isnil(a->L, a->base + L_CURSOR))
    op->cursor = (unsigned)l_int_check(a->L, a->base + L_CURSOR, "cursor");
  if (op->how == LDR_HOW_PLAN) a->w->finish = finish_plan;
  if (op->how == LDR_HOW_DECLARE) a->w->finish = l_finish_affected;
  if (op->how != LDR_HOW_ROWS && a->w->eng->e->ops->sql == NULL)
    return ldr_fail(&a->w->err, LDR_UNSUPPORTED, "this engine has no plans and no cursors");
  return LDR_OK;
}

ldr_code l_op_select(l_opargs *a) {
  bool plain = l_option_bool(a->L, a->base + L_PLAIN, "plain");
  bool by_key = l_option_bool(a->L, a->base + L_BY_KEY, "by_key");
  const ldr_unique *key = &a->e->key;
  ldr_code code = l_op_columns(a, a->base + L_COLUMNS);
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

/* The text at t[i], kept in the arena; NULL when it is none. */
static const char *item_text(l_opargs *a, int t, int i) {
  const char *s = NULL;
  lua_rawgeti(a->L, t, i);
  if (lua_type(a->L, -1) == LUA_TSTRING)
    s = ldr_arena_copy(&a->w->arena, lua_tostring(a->L, -1), lua_rawlen(a->L, -1));
  lua_pop(a->L, 1);
  return s;
}

/* The text of t.key, or otherwise. */
static const char *named_text(l_opargs *a, int t, const char *key, const char *otherwise) {
  const char *s = otherwise;
  lua_getfield(a->L, t, key);
  if (lua_type(a->L, -1) == LUA_TSTRING)
    s = ldr_arena_copy(&a->w->arena, lua_tostring(a->L, -1), lua_rawlen(a->L, -1));
  lua_pop(a->L, 1);
  return s;
}

/* The path on top of the stack, which is popped. */
static ldr_code item_path(l_opargs *a, int *out, const ldr_path **path) {
  ldr_path *p;
  bool typed;
  ldr_code code = l_path_get(a->L, lua_gettop(a->L), a->w, a->w->op->e, &p, &typed);
  lua_pop(a->L, 1);
  *path = p;
  *out = LDR_NO_FIELD;
  return code;
}

/* The field named t[i]; -1 when nil and that is allowed. A path stands in place of a field, which is
 * LDR_NO_FIELD then. */
static ldr_code item_field(l_opargs *a, int t, int i, bool optional, int *out, const ldr_path **path) {
  int field = -1;
  bool none;
  lua_rawgeti(a->L, t, i);
  none = lua_isnil(a->L, -1);
  if (l_is_path(a->L, lua_gettop(a->L))) return item_path(a, out, path);
  if (!none || !optional) field = l_field_get(a->L, -1, a->w, a->w->op->e);
  lua_pop(a->L, 1);
  *out = field;
  return field < 0 && !(none && optional) ? a->w->err.code : LDR_OK;
}

/* An aggregate or group has up to n positions, and these names beside them. */
static void check_item(l_opargs *a, int t, unsigned n, const char *const *names, const char *what) {
  lua_State *L = a->L;
  l_shape_check(L, a->w, t, L_CONDITION, what);
  if (lua_rawlen(L, t) > n) l_work_misuse(L, a->w, "%s has more than %d positions", what, (int)n);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    const char *const *name = names;
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING) continue;
    while (*name && strcmp(*name, lua_tostring(L, -1)) != 0) name++;
    if (*name == NULL) l_work_misuse(L, a->w, "%s takes no '%s'", what, lua_tostring(L, -1));
  }
}

/* { "count" | "sum" | …, field, as = name, filter = W } */
static ldr_code get_agg(l_opargs *a, int t, ldr_agg *out) {
  static const char *const agg_names[] = {"as", "filter", "distinct", NULL};
  static const char *const fns[] = {"count", "sum", "avg", "min", "max"};
  const char *fn = lua_istable(a->L, t) ? item_text(a, t, 1) : NULL;
  unsigned i = 0;
  ldr_code code;
  if (fn) check_item(a, t, 2, agg_names, "an aggregate");
  while (fn && i < 5 && strcmp(fns[i], fn) != 0) i++;
  if (fn == NULL || i == 5)
    l_work_misuse(a->L, a->w, "an aggregate is { \"count\" | \"sum\" | \"avg\" | \"min\" | \"max\", field }");
  out->fn = (ldr_agg_fn)i;
  code = item_field(a, t, 2, out->fn == LDR_AGG_COUNT, &out->field, &out->path);
  if (code != LDR_OK) return code;
  out->name = named_text(a, t, "as", fn);
  lua_getfield(a->L, t, "distinct");
  out->distinct = l_option_bool(a->L, lua_gettop(a->L), "distinct");
  lua_pop(a->L, 1);
  lua_getfield(a->L, t, "filter");
  code = l_where_get(a->L, -1, a->w, a->w->op->e, &out->filter);
  lua_pop(a->L, 1);
  return code;
}

static ldr_code get_bucket(l_opargs *a, int t, ldr_bucket *out) {
  static const char *const buckets[] = {"", "minute", "hour", "day", "week", "month", "year"};
  const char *name = named_text(a, t, "bucket", "");
  for (unsigned i = 0; i < sizeof buckets / sizeof *buckets; i++) {
    if (name == NULL || strcmp(buckets[i], name) != 0) continue;
    *out = (ldr_bucket)i;
    return LDR_OK;
  }
  return ldr_fail_field(&a->w->err, "bucket", "must be minute, hour, day, week, month or year");
}

/* "field", or { "field", bucket =, as = } */
static ldr_code get_group(l_opargs *a, int t, ldr_group *out) {
  static const char *const names[] = {"as", "bucket", NULL};
  int field;
  ldr_code code = LDR_OK;
  if (lua_istable(a->L, t)) {
    check_item(a, t, 1, names, "a group");
    code = item_field(a, t, 1, false, &field, &out->path);
  } else {
    field = l_field_get(a->L, t, a->w, a->w->op->e);
    if (field < 0) code = a->w->err.code;
  }
  if (code != LDR_OK) return code;
  out->field = (uint16_t)field;
  out->name = ldr_operand(a->w->op->e, out->field, out->path)->name;
  if (!lua_istable(a->L, t)) return LDR_OK;
  out->name = named_text(a, t, "as", out->name);
  return get_bucket(a, t, &out->bucket);
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
  for (unsigned i = 0; i < op->ngroups; i++) wanted = wanted || op->groups[i].path;
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
  for (unsigned i = 0; i < naggs && code == LDR_OK; i++) {
    lua_rawgeti(a->L, a->base + L_AGGS, (int)i + 1);
    code = get_agg(a, lua_gettop(a->L), &aggs[i]);
    lua_pop(a->L, 1);
  }
  for (unsigned i = 0; i < ngroups && code == LDR_OK; i++) {
    lua_rawgeti(a->L, a->base + L_GROUPS, (int)i + 1);
    code = get_group(a, lua_gettop(a->L), &groups[i]);
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
