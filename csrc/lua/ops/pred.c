#include "lua/ops/pred.h"

#include "lua/ops/operand.h"

#include <string.h>

#include "base/nearest.h"
#include "lua/base/state.h"
#include "lua/values/decimal.h"
#include "lua/values/range.h"
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

/* ---- operands ---- */

typedef struct l_operand {
  unsigned field;
  const ldr_expr *expr; /* in place of the field */
  bool typed;           /* its type is known; else it is that of the value beside it */
} l_operand;

static const ldr_field *field_of(const l_builder *b, const l_operand *o) {
  return ldr_operand(b->e, o->field, o->expr);
}

static ldr_pred *pred_on(l_builder *b, ldr_pred_kind kind, const l_operand *o) {
  ldr_pred *p = l_pred_new(b, kind, o->field);
  if (p) p->expr = o->expr;
  return p;
}

/* field <kind> the value at idx, read as column c */
static ldr_code compare(l_builder *b, ldr_pred_kind kind, const l_operand *o, const ldr_column *c, int idx,
                        const ldr_pred **out) {
  ldr_pred *p = pred_on(b, kind, o);
  ldr_value *v = ldr_arena_alloc(&b->w->arena, sizeof *v);
  ldr_code code;
  if (p == NULL || v == NULL) return nomem(b);
  code = kind == LDR_P_CONTAINS && !c->array && ldr_ftype_is_range(c->type)
             ? l_range_contained(b->L, idx, c, b->w, v)
             : l_value_operand(b->L, idx, c, b->w, v);
  if (code != LDR_OK) return code;
  p->values = v;
  p->n = 1;
  *out = p;
  return LDR_OK;
}

static ldr_code is_null(l_builder *b, const l_operand *o, bool null, const ldr_pred **out) {
  const ldr_pred *p = pred_on(b, LDR_P_IS_NULL, o);
  if (p == NULL) return nomem(b);
  if (!null) return l_pred_not(b, p, out);
  *out = p;
  return LDR_OK;
}

/* field IN the sequence at idx */
static ldr_code in_list(l_builder *b, const l_operand *o, const ldr_column *c, int idx,
                        const ldr_pred **out) {
  ldr_pred *p = pred_on(b, LDR_P_IN, o);
  long n = lua_istable(b->L, idx) ? l_sequence(b->L, idx) : -1;
  ldr_value *v;
  if (n < 0) return ldr_fail_field(&b->w->err, c->name, "%s", l_shape_fault(b->L, idx, L_LIST));
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
    {"overlaps", LDR_P_OVERLAPS, OWN, false},
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

/* A path's type from the value that it is compared with. */
static ldr_ftype type_of_value(lua_State *L, int idx) {
  switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN: return LDR_F_BOOL;
    case LUA_TSTRING: return LDR_F_TEXT;
    case LUA_TTABLE:
    case LUA_TLIGHTUSERDATA:
    case LUA_TNIL: return LDR_F_JSONB;
    default: return LDR_F_NUMERIC;
  }
}

static ldr_ftype type_for(lua_State *L, operand takes, ldr_pred_kind kind, int idx) {
  ldr_ftype type;
  if (kind == LDR_P_CONTAINS || kind == LDR_P_HAS_KEY || takes == BOOL) return LDR_F_JSONB;
  if (takes == TEXT) return LDR_F_TEXT;
  if (takes != LIST) return type_of_value(L, idx);
  lua_rawgeti(L, idx, 1);
  type = type_of_value(L, lua_gettop(L));
  lua_pop(L, 1);
  return type;
}

static ldr_code operand_for(l_builder *b, const l_operand *any, operand takes, ldr_pred_kind kind, int idx,
                            l_operand *out) {
  ldr_expr *path;
  *out = *any;
  if (any->typed || (takes == LIST && !lua_istable(b->L, idx))) return LDR_OK;
  path = ldr_arena_alloc(&b->w->arena, sizeof *path);
  if (path == NULL) return nomem(b);
  *path = *any->expr;
  l_path_type(path, type_for(b->L, takes, kind, idx));
  out->expr = path;
  out->typed = true;
  return LDR_OK;
}

static ldr_code apply(l_builder *b, const struct operator* how, const l_operand *any, int idx,
                      const ldr_pred **out) {
  l_operand typed, *o = &typed;
  bool null = l_is_null(b->L, idx);
  ldr_code code = operand_for(b, any, how->takes, how->kind, idx, o);
  ldr_column c, text;
  if (code != LDR_OK) return code;
  c = l_column_of(field_of(b, o));
  text = (ldr_column){.name = c.name, .type = LDR_F_TEXT};
  switch (how->takes) {
    case LIST:
      code = in_list(b, o, &c, idx, out);
      return code == LDR_OK && how->negated ? l_pred_not(b, *out, out) : code;
    case BOOL:
      if (!lua_isboolean(b->L, idx)) return ldr_fail_field(&b->w->err, c.name, "is_null must be a boolean");
      return is_null(b, o, lua_toboolean(b->L, idx), out);
    case TEXT: return compare(b, how->kind, o, &text, idx, out);
    case OWN:
      if (null && (how->kind == LDR_P_EQ || how->kind == LDR_P_NE))
        return is_null(b, o, how->kind == LDR_P_EQ, out);
      return compare(b, how->kind, o, &c, idx, out);
  }
  return LDR_INTERNAL;
}

static ldr_code no_operator(l_builder *b, const l_operand *o, const char *name) {
  ldr_nearest n;
  ldr_nearest_begin(&n, name);
  for (unsigned i = 0; i < NOPERATORS; i++) ldr_nearest_try(&n, operators[i].name);
  return ldr_fail_field(&b->w->err, field_of(b, o)->name,
                        n.best ? "has no operator %s; did you mean %s?" : "has no operator %s", name, n.best);
}

static ldr_code apply_all(l_builder *b, const l_operand *o, int idx, l_preds *l) {
  lua_State *L = b->L;
  bool list;
  lua_rawgeti(L, idx, 1);
  list = !lua_isnil(L, -1); /* of values, but not a whole one */
  lua_pop(L, 1);
  l_shape_check(L, b->w, idx, list ? L_LIST : L_RECORD, field_of(b, o)->name);
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const struct operator* how = find_operator(L, -2);
    const ldr_pred *p;
    ldr_code code;
    if (how == NULL) return no_operator(b, o, lua_tostring(L, -2));
    code = apply(b, how, o, lua_gettop(L), &p);
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
  if (!lua_istable(L, idx) || l_decimal_is(L, idx)) return VALUE;
  if (has_own_tables(c)) return all_operators(L, idx) ? OPERATORS : VALUE;
  if (l_range_is(L, idx, c)) return VALUE;
  return l_sequence(L, idx) >= 0 ? ITEMS : OPERATORS;
}

/* What stands beside an operand whose type is known. */
static ldr_code add_plain(l_builder *b, const l_operand *o, int idx, l_preds *l) {
  ldr_column c = l_column_of(field_of(b, o));
  form f = form_of(b->L, &c, idx);
  const ldr_pred *p = NULL;
  ldr_code code;
  if (f == OPERATORS) return apply_all(b, o, idx, l);
  if (f == ITEMS)
    code = in_list(b, o, &c, idx, &p);
  else if (l_is_null(b->L, idx))
    code = is_null(b, o, true, &p);
  else
    code = compare(b, LDR_P_EQ, o, &c, idx, &p);
  return code == LDR_OK ? l_preds_add(b, l, p) : code;
}

ldr_code l_pred_field(l_builder *b, unsigned field, int idx, l_preds *l) {
  const l_operand o = {.field = field, .typed = true};
  return add_plain(b, &o, idx, l);
}

ldr_code l_pred_expr(l_builder *b, const ldr_expr *x, bool typed, int idx, l_preds *l) {
  const l_operand any = {LDR_NO_FIELD, x, typed};
  l_operand o;
  ldr_code code;
  if (lua_istable(b->L, idx) && all_operators(b->L, idx)) return apply_all(b, &any, idx, l);
  code = operand_for(b, &any, lua_istable(b->L, idx) && l_sequence(b->L, idx) >= 0 ? LIST : OWN, LDR_P_EQ,
                     idx, &o);
  return code == LDR_OK ? add_plain(b, &o, idx, l) : code;
}

/* ---- relations ---- */

bool l_relation_open(l_builder *b, int idx) {
  int name = lua_absindex(b->L, idx);
  if (b->names == 0) return false;
  lua_rawgeti(b->L, b->names, L_NAMES_RELATIONS);
  if (lua_istable(b->L, -1)) {
    lua_pushvalue(b->L, name);
    lua_rawget(b->L, -2);
    lua_remove(b->L, -2);
  }
  if (lua_istable(b->L, -1)) return true;
  lua_pop(b->L, 1);
  return false;
}

void l_relation_enter(l_builder *in, const ldr_entity *e) {
  lua_State *L = in->L;
  lua_pushnil(L);
  if (in->names) {
    lua_rawgeti(L, in->names, L_NAMES_OTHERS);
    lua_getfield(L, -1, e->name);
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  in->e = e;
  in->names = lua_istable(L, -1) ? lua_gettop(L) : 0;
}
