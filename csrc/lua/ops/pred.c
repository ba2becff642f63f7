#include "lua/ops/pred.h"

#include <string.h>

#include "base/nearest.h"
#include "lua/base/state.h"
#include "lua/values/strict.h"

/* ---- making predicates ---- */

static ldr_code nomem(l_builder *b) { return ldr_fail_nomem(&b->w->err); }

ldr_pred *l_pred_new(l_builder *b, ldr_pred_kind kind, unsigned field) {
  ldr_pred *p = ldr_arena_zalloc(&b->w->arena, sizeof *p);
  if (p == NULL) return NULL;
  p->kind = kind;
  p->field = (uint16_t)field;
  return p;
}

ldr_code l_preds_add(l_builder *b, l_preds *l, const ldr_pred *p) {
  if (l->n == l->cap) {
    uint32_t cap = l->cap ? l->cap * 2 : 4;
    const ldr_pred **kids = ldr_arena_alloc(&b->w->arena, cap * sizeof *kids);
    if (kids == NULL) return nomem(b);
    if (l->n) memcpy(kids, l->kids, l->n * sizeof *kids);
    l->kids = kids;
    l->cap = cap;
  }
  l->kids[l->n++] = p;
  return LDR_OK;
}

ldr_code l_preds_join(l_builder *b, ldr_pred_kind kind, const l_preds *l, const ldr_pred **out) {
  ldr_pred *p;
  if (l->n == 1 && kind != LDR_P_NOT) {
    *out = l->kids[0];
    return LDR_OK;
  }
  p = l_pred_new(b, kind, 0);
  if (p == NULL) return nomem(b);
  p->kids = l->kids;
  p->n = l->n;
  *out = p;
  return LDR_OK;
}

ldr_code l_pred_not(l_builder *b, const ldr_pred *p, const ldr_pred **out) {
  l_preds l = {0};
  ldr_code code = l_preds_add(b, &l, p);
  return code == LDR_OK ? l_preds_join(b, LDR_P_NOT, &l, out) : code;
}

/* field <kind> the value at idx, read as column c */
static ldr_code compare(l_builder *b, ldr_pred_kind kind, unsigned field, const ldr_column *c, int idx,
                        const ldr_pred **out) {
  ldr_pred *p = l_pred_new(b, kind, field);
  ldr_value *v = ldr_arena_alloc(&b->w->arena, sizeof *v);
  ldr_code code;
  if (p == NULL || v == NULL) return nomem(b);
  code = l_value_operand(b->L, idx, c, b->w, v);
  if (code != LDR_OK) return code;
  p->values = v;
  p->n = 1;
  *out = p;
  return LDR_OK;
}

static ldr_code is_null(l_builder *b, unsigned field, bool null, const ldr_pred **out) {
  const ldr_pred *p = l_pred_new(b, LDR_P_IS_NULL, field);
  if (p == NULL) return nomem(b);
  if (!null) return l_pred_not(b, p, out);
  *out = p;
  return LDR_OK;
}

/* field IN the sequence at idx */
static ldr_code in_list(l_builder *b, unsigned field, const ldr_column *c, int idx, const ldr_pred **out) {
  ldr_pred *p = l_pred_new(b, LDR_P_IN, field);
  long n = lua_istable(b->L, idx) ? l_sequence(b->L, idx) : -1;
  ldr_value *v;
  if (n < 0) return ldr_fail_field(&b->w->err, c->name, "must be a list here");
  v = ldr_arena_alloc(&b->w->arena, (size_t)n * sizeof *v);
  if (p == NULL || v == NULL) return nomem(b);
  for (long i = 0; i < n; i++) {
    ldr_code code;
    lua_rawgeti(b->L, idx, (int)i + 1);
    code = l_value_operand(b->L, -1, c, b->w, &v[i]);
    lua_pop(b->L, 1);
    if (code != LDR_OK) return code;
  }
  p->values = v;
  p->n = (uint32_t)n;
  *out = p;
  return LDR_OK;
}

/* ---- operators of one field ---- */

typedef enum operand { OWN, TEXT, BOOL, LIST } operand;

static const struct operator{
  const char *name;
  ldr_pred_kind kind;
  operand takes;
  bool negated;
}
operators[] = {
    {"eq", LDR_P_EQ, OWN, false},
    {"ne", LDR_P_NE, OWN, false},
    {"lt", LDR_P_LT, OWN, false},
    {"lte", LDR_P_LE, OWN, false},
    {"gt", LDR_P_GT, OWN, false},
    {"gte", LDR_P_GE, OWN, false},
    {"like", LDR_P_LIKE, TEXT, false},
    {"ilike", LDR_P_ILIKE, TEXT, false},
    {"in", LDR_P_IN, LIST, false},
    {"not_in", LDR_P_IN, LIST, true},
    {"is_null", LDR_P_IS_NULL, BOOL, false},
    {"contains", LDR_P_CONTAINS, OWN, false},
    {"has_key", LDR_P_HAS_KEY, TEXT, false},
};
enum { NOPERATORS = sizeof operators / sizeof *operators };

static const struct operator* find_operator(lua_State *L, int idx) {
  if (lua_type(L, idx) != LUA_TSTRING) return NULL;
  for (unsigned i = 0; i < NOPERATORS; i++)
    if (strcmp(operators[i].name, lua_tostring(L, idx)) == 0) return &operators[i];
  return NULL;
}

/* Is every key of the table at idx an operator (and there is one)? */
static bool all_operators(lua_State *L, int idx) {
  bool any = false;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    lua_pop(L, 1);
    any = find_operator(L, -1) != NULL;
    if (any) continue;
    lua_pop(L, 1);
    return false;
  }
  return any;
}

static ldr_code apply(l_builder *b, const struct operator* o, unsigned field, int idx, const ldr_pred **out) {
  ldr_column c = l_column_of(&b->e->fields[field]), text = {c.name, LDR_F_TEXT, false};
  bool null = l_is_null(b->L, idx);
  ldr_code code;
  switch (o->takes) {
    case LIST:
      code = in_list(b, field, &c, idx, out);
      return code == LDR_OK && o->negated ? l_pred_not(b, *out, out) : code;
    case BOOL:
      if (!lua_isboolean(b->L, idx)) return ldr_fail_field(&b->w->err, c.name, "is_null must be a boolean");
      return is_null(b, field, lua_toboolean(b->L, idx), out);
    case TEXT: return compare(b, o->kind, field, &text, idx, out);
    case OWN:
      if (null && (o->kind == LDR_P_EQ || o->kind == LDR_P_NE))
        return is_null(b, field, o->kind == LDR_P_EQ, out);
      return compare(b, o->kind, field, &c, idx, out);
  }
  return LDR_INTERNAL;
}

static ldr_code no_operator(l_builder *b, unsigned field, const char *name) {
  ldr_nearest n;
  ldr_nearest_begin(&n, name);
  for (unsigned i = 0; i < NOPERATORS; i++) ldr_nearest_try(&n, operators[i].name);
  return ldr_fail_field(&b->w->err, b->e->fields[field].name,
                        n.best ? "has no operator %s; did you mean %s?" : "has no operator %s", name, n.best);
}

static ldr_code apply_all(l_builder *b, unsigned field, int idx, l_preds *l) {
  lua_State *L = b->L;
  l_shape_check(L, b->w, idx, L_RECORD, b->e->fields[field].name);
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const struct operator* o = find_operator(L, -2);
    const ldr_pred *p;
    ldr_code code;
    if (o == NULL) return no_operator(b, field, lua_tostring(L, -2));
    code = apply(b, o, field, lua_gettop(L), &p);
    if (code == LDR_OK) code = l_preds_add(b, l, p);
    if (code != LDR_OK) return code;
    lua_pop(L, 1);
  }
  return LDR_OK;
}

/* A json or array field takes a table as its value, unless all its keys are operators. */
static bool has_own_tables(const ldr_column *c) {
  return c->array || c->type == LDR_F_JSON || c->type == LDR_F_JSONB;
}

typedef enum form { VALUE, OPERATORS, ITEMS } form;

static form form_of(lua_State *L, const ldr_column *c, int idx) {
  if (!lua_istable(L, idx)) return VALUE;
  if (has_own_tables(c)) return all_operators(L, idx) ? OPERATORS : VALUE;
  return l_sequence(L, idx) >= 0 ? ITEMS : OPERATORS;
}

ldr_code l_pred_field(l_builder *b, unsigned field, int idx, l_preds *l) {
  ldr_column c = l_column_of(&b->e->fields[field]);
  form f = form_of(b->L, &c, idx);
  const ldr_pred *p = NULL;
  ldr_code code;
  if (f == OPERATORS) return apply_all(b, field, idx, l);
  if (f == ITEMS)
    code = in_list(b, field, &c, idx, &p);
  else if (l_is_null(b->L, idx))
    code = is_null(b, field, true, &p);
  else
    code = compare(b, LDR_P_EQ, field, &c, idx, &p);
  return code == LDR_OK ? l_preds_add(b, l, p) : code;
}
