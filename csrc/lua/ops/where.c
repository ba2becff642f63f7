#include "lua/ops/where.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "lua/base/state.h"
#include "lua/ops/pred.h"
#include "lua/values/decimal.h"
#include "lua/values/strict.h"

enum { MAX_DEPTH = 32 }; /* also ends where tables that hold themselves */

static ldr_code get(l_builder *b, int idx, const ldr_pred **out);

/* Nothing found is not nothing asked: a condition that turned out empty would mean every row, or none. */
static ldr_code empty(l_builder *b, const char *what) {
  return l_work_misuse(b->L, b->w, "%s is empty; larder.all {} stands for every row", what), LDR_INTERNAL;
}

/* ---- plain tables: all entries hold together ---- */

static bool comes_before(const ldr_pred *p, const ldr_pred *q) {
  int names = p->expr && q->expr ? strcmp(p->expr->as.name, q->expr->as.name) : 0;
  if (p->field != q->field || names) return p->field < q->field || (p->field == q->field && names < 0);
  return p->kind < q->kind;
}

/* By field and operator: Lua visits a table in any order, but one condition should have one statement. */
static void sort(l_preds *l) {
  for (uint32_t i = 1; i < l->n; i++) {
    const ldr_pred *p = l->kids[i];
    uint32_t k = i;
    for (; k > 0; k--) {
      if (!comes_before(p, l->kids[k - 1])) break;
      l->kids[k] = l->kids[k - 1];
    }
    l->kids[k] = p;
  }
}

static ldr_code add_relation(l_builder *b, int relation, int idx, l_preds *l);

/* The field that has the name, a text, at idx: by the address of Lua's string where that will do. -1: none.
 */
static int field_of(const l_builder *b, int idx) {
  const char *name = lua_tostring(b->L, idx);
  int field;
  if (b->names == 0)
    return strlen(name) == lua_rawlen(b->L, idx) ? ldr_entity_field(b->e, name, strlen(name)) : -1;
  lua_pushvalue(b->L, idx);
  lua_rawget(b->L, b->names);
  field = lua_type(b->L, -1) == LUA_TNUMBER ? (int)lua_tointeger(b->L, -1) - 1 : -1;
  lua_pop(b->L, 1);
  return field;
}

/* The same beside "relation.field". */
static ldr_code add_dotted(l_builder *b, int idx, l_preds *fields) {
  const ldr_expr *x;
  unsigned field;
  ldr_code code = l_name_get(b, lua_tostring(b->L, idx - 1), lua_rawlen(b->L, idx - 1), &field, &x);
  return code == LDR_OK ? l_pred_expr(b, x, true, idx, fields) : code;
}

/* What stands beside a name: on top of the stack, the name, a text, below it. */
static ldr_code add_named(l_builder *b, l_preds *fields, l_preds *relations) {
  lua_State *L = b->L;
  int idx = lua_gettop(L), field = field_of(b, idx - 1);
  ldr_code code;
  if (field >= 0) return l_pred_field(b, (unsigned)field, idx, fields);
  if (strchr(lua_tostring(L, idx - 1), '.')) return add_dotted(b, idx, fields);
  if (!l_relation_open(b, idx - 1)) return l_no_field(b->w, b->e, lua_tostring(L, idx - 1));
  code = add_relation(b, idx + 1, idx, relations);
  lua_settop(L, idx);
  return code;
}

/* A condition of names alone is walked once. Whatever else is in it, and whatever is wrong with it, calls for
 * the check of the whole table first: that raises. */
static ldr_code add_fields(l_builder *b, int idx, l_preds *l) {
  lua_State *L = b->L;
  l_preds relations = {0};
  ldr_code code = LDR_OK;
  bool checked = false;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    bool named = lua_type(L, -2) == LUA_TSTRING;
    if (named) code = add_named(b, l, &relations);
    if (!checked && (!named || code != LDR_OK)) {
      l_shape_check(L, b->w, idx, L_CONDITION, "the condition");
      checked = true;
    }
    if (code != LDR_OK) return code;
    lua_pop(L, 1);
  }
  sort(l);
  sort(&relations);
  for (uint32_t i = 0; i < relations.n && code == LDR_OK; i++) code = l_preds_add(b, l, relations.kids[i]);
  return code;
}

/* The conditions in the array part, which was checked: predicates, or plain tables again. */
static ldr_code add_items(l_builder *b, int idx, l_preds *l) {
  int n = (int)lua_rawlen(b->L, idx);
  for (int i = 1; i <= n; i++) {
    const ldr_pred *p = NULL;
    ldr_code code;
    lua_rawgeti(b->L, idx, i);
    code = get(b, lua_gettop(b->L), &p);
    if (code == LDR_OK) code = l_preds_add(b, l, p);
    lua_pop(b->L, 1);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code get_plain(l_builder *b, int idx, const ldr_pred **out) {
  l_preds l = {0};
  ldr_code code;
  if (!l_table_plain(b->L, idx)) l_shape_check(b->L, b->w, idx, L_CONDITION, "the condition");
  code = add_fields(b, idx, &l);
  if (code == LDR_OK) code = add_items(b, idx, &l);
  if (code == LDR_OK && l.n == 0) return empty(b, "the condition");
  return code == LDR_OK ? l_preds_join(b, LDR_P_AND, &l, out) : code;
}

/* ---- predicate tables ---- */

static ldr_code get_any(l_builder *b, int idx, const ldr_pred **out) {
  l_preds l = {0};
  ldr_code code = add_items(b, idx, &l);
  if (code == LDR_OK && l.n == 0) return empty(b, "larder.any {}");
  return code == LDR_OK ? l_preds_join(b, LDR_P_OR, &l, out) : code;
}

/* Without any member: every row. */
static ldr_code get_all(l_builder *b, int idx, const ldr_pred **out) {
  l_preds l = {0};
  ldr_code code = add_items(b, idx, &l);
  return code == LDR_OK ? l_preds_join(b, LDR_P_AND, &l, out) : code;
}

static ldr_code get_not(l_builder *b, int idx, const ldr_pred **out) {
  ldr_code code;
  lua_rawgeti(b->L, idx, 1);
  code = get(b, lua_gettop(b->L), out);
  lua_pop(b->L, 1);
  return code == LDR_OK ? l_pred_not(b, *out, out) : code;
}

/* on = { inner = outer } of an exists table */
static ldr_code get_on(l_builder *b, int idx, ldr_pred *p) {
  lua_State *L = b->L;
  l_shape_check(L, b->w, idx, L_RECORD, "on of larder.exists");
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    int inner = l_field_get(L, -2, b->w, p->inner);
    int outer = inner < 0 ? -1 : l_field_get(L, -1, b->w, b->e);
    if (outer < 0) return b->w->err.code;
    if (p->non == LDR_MAX_KEY) return ldr_fail(&b->w->err, LDR_INVALID, "exists joins on too many fields");
    p->on[p->non].inner = (uint16_t)inner;
    p->on[p->non++].outer = (uint16_t)outer;
    lua_pop(L, 1);
  }
  if (p->non == 0) l_work_misuse(L, b->w, "on of larder.exists names no field");
  return LDR_OK;
}

static ldr_code no_store(l_builder *b, const char *name) {
  const ldr_schema *s = b->e->schema;
  ldr_nearest near;
  ldr_nearest_begin(&near, name ? name : "?");
  for (unsigned i = 0; i < s->nentities; i++) ldr_nearest_try(&near, s->entities[i]->name);
  return ldr_fail(&b->w->err, LDR_INVALID,
                  near.best ? "exists: there is no store %s in this family; did you mean %s?"
                            : "exists: there is no store %s in this family",
                  near.name, near.best);
}

/* From here on the fields of the rows of p are meant. */
static void enter_rows(l_builder *in, ldr_pred *p) {
  in->at = NULL;
  in->sources = &p->sources;
  l_relation_enter(in, p->inner);
}

static ldr_code get_exists(l_builder *b, int idx, const ldr_pred **out) {
  lua_State *L = b->L;
  ldr_pred *p = l_pred_new(b, LDR_P_EXISTS, 0);
  l_builder in = *b;
  l_preds kid = {0};
  const ldr_pred *where = NULL;
  ldr_code code;
  if (p == NULL) return ldr_fail_nomem(&b->w->err);
  lua_getfield(L, idx, "store");
  if (lua_type(L, -1) == LUA_TSTRING) p->inner = ldr_schema_find(b->e->schema, lua_tostring(L, -1));
  if (p->inner == NULL) return no_store(b, lua_tostring(L, -1));
  enter_rows(&in, p);
  lua_getfield(L, idx, "on");
  code = get_on(b, lua_gettop(L), p);
  if (code != LDR_OK) return code;
  lua_getfield(L, idx, "where");
  code = lua_isnil(L, -1) ? l_preds_join(&in, LDR_P_AND, &kid, &where) : get(&in, lua_gettop(L), &where);
  if (code == LDR_OK) code = l_preds_add(b, &kid, where);
  p->kids = kid.kids;
  p->n = kid.n;
  lua_pop(L, 4);
  *out = p;
  return code;
}

/* ---- relations: rows of another store that belong to this one ---- */

/* A row of the other store under both conditions (0: none). `number` is the relation's, for sort. */
static ldr_code related(l_builder *b, int relation, int where, bool negated, const ldr_pred **out) {
  lua_State *L = b->L;
  int top = lua_gettop(L), number;
  l_builder in = *b;
  l_preds kids = {0};
  const ldr_pred *part = NULL;
  ldr_pred *p;
  ldr_code code;
  luaL_checkstack(L, 16, NULL);
  lua_getfield(L, relation, "number");
  number = (int)lua_tointeger(L, -1);
  p = l_pred_new(b, LDR_P_EXISTS, (unsigned)number);
  if (p == NULL) return ldr_fail_nomem(&b->w->err);
  lua_getfield(L, relation, "store");
  p->inner = ldr_schema_find(b->e->schema, lua_tostring(L, -1));
  if (p->inner == NULL)
    return ldr_fail(&b->w->err, LDR_INVALID, "a relation leads to no store of this family");
  enter_rows(&in, p);
  lua_getfield(L, relation, "on");
  code = get_on(b, lua_gettop(L), p);
  lua_getfield(L, relation, "alive");
  if (code == LDR_OK && !lua_isnil(L, -1)) {
    code = get(&in, lua_gettop(L), &part);
    if (code == LDR_OK) code = l_preds_add(&in, &kids, part);
  }
  if (code == LDR_OK && where) {
    code = get(&in, where, &part);
    if (code == LDR_OK && negated) code = l_pred_not(&in, part, &part);
    if (code == LDR_OK) code = l_preds_add(&in, &kids, part);
  }
  if (code == LDR_OK) code = l_preds_join(&in, LDR_P_AND, &kids, &part);
  kids = (l_preds){0};
  if (code == LDR_OK) code = l_preds_add(b, &kids, part);
  p->kids = kids.kids;
  p->n = 1;
  *out = p;
  lua_settop(L, top);
  return code;
}

static ldr_code related_row(l_builder *b, int relation, const ldr_pred **out) {
  return related(b, relation, 0, false, out);
}

/* Adds the predicate, or that it does not hold. */
static ldr_code add_quantified(l_builder *b, const ldr_pred *p, bool none, l_preds *l) {
  ldr_pred *without = none ? l_pred_new(b, LDR_P_NOT, p->field) : NULL;
  l_preds kids = {0};
  ldr_code code;
  if (!none) return l_preds_add(b, l, p);
  if (without == NULL) return ldr_fail_nomem(&b->w->err);
  code = l_preds_add(b, &kids, p);
  without->kids = kids.kids;
  without->n = kids.n;
  return code == LDR_OK ? l_preds_add(b, l, without) : code;
}

static const struct quantifier {
  const char *name;
  bool none, negated; /* "all": there is none of which it does not hold */
} quantifiers[] = {{"any", false, false}, {"none", true, false}, {"all", true, true}};

enum { NQUANTIFIERS = sizeof quantifiers / sizeof *quantifiers };

static ldr_code wrong_relation(l_builder *b, int relation) {
  lua_getfield(b->L, relation, "name");
  return ldr_fail_field(&b->w->err, lua_tostring(b->L, -1),
                        "is a relation: it takes true, false, or { any = …, none = …, all = … }");
}

/* Does the table at idx hold any, none and all alone, and one of them? */
static bool has_quantifiers(lua_State *L, int idx) {
  bool some = false, known = true;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    unsigned i = 0;
    lua_pop(L, 1);
    while (i < NQUANTIFIERS &&
           (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), quantifiers[i].name) != 0))
      i++;
    known = known && i < NQUANTIFIERS;
    some = true;
  }
  return some && known;
}

/* What stands beside a relation's name, at idx. */
static ldr_code add_relation(l_builder *b, int relation, int idx, l_preds *l) {
  lua_State *L = b->L;
  const ldr_pred *p = NULL;
  ldr_code code = LDR_OK;
  if (lua_isboolean(L, idx)) {
    code = related(b, relation, 0, false, &p);
    return code == LDR_OK ? add_quantified(b, p, !lua_toboolean(L, idx), l) : code;
  }
  if (!lua_istable(L, idx) || l_has_mt(L, idx, L_PRED_MT) || l_has_mt(L, idx, L_EXPR_MT))
    return wrong_relation(b, relation);
  l_shape_check(L, b->w, idx, L_RECORD, "the condition of a relation");
  if (!has_quantifiers(L, idx)) return wrong_relation(b, relation);
  for (unsigned i = 0; i < NQUANTIFIERS && code == LDR_OK; i++) {
    const struct quantifier *q = &quantifiers[i];
    lua_getfield(L, idx, q->name);
    if (!lua_isnil(L, -1)) {
      code = related(b, relation, lua_gettop(L), q->negated, &p);
      if (code == LDR_OK) code = add_quantified(b, p, q->none, l);
    }
    lua_pop(L, 1);
  }
  return code;
}

/* fields = { "a", "b" } of a keys table: other fields than the key's. */
static ldr_code get_cols(l_builder *b, int idx, ldr_pred *p) {
  lua_State *L = b->L;
  uint16_t *cols;
  p->ncols = l_list_check(L, b->w, idx, "fields of the keys");
  p->cols = cols = ldr_arena_alloc(&b->w->arena, (p->ncols + 1) * sizeof *cols);
  if (cols == NULL) return ldr_fail_nomem(&b->w->err);
  for (unsigned i = 0; i < p->ncols; i++) {
    int field;
    lua_rawgeti(L, idx, (int)i + 1);
    field = l_field_get(L, -1, b->w, b->e);
    lua_pop(L, 1);
    if (field < 0) return b->w->err.code;
    cols[i] = (uint16_t)field;
  }
  return LDR_OK;
}

/* Key number `at` of a keys table: { k1, k2 }, or the value itself where it has one field. */
static ldr_code get_key(l_builder *b, int idx, unsigned at, const uint16_t *cols, unsigned width,
                        ldr_value *v) {
  ldr_column first = l_column_of(&b->e->fields[cols[0]]);
  char what[32];
  if (width == 1 && (!lua_istable(b->L, idx) || l_decimal_is(b->L, idx)))
    return l_value_operand(b->L, idx, &first, b->w, v);
  snprintf(what, sizeof what, "key %u", at);
  if (l_list_check(b->L, b->w, idx, what) != width)
    l_work_misuse(b->L, b->w, "%s must have %d values, not %d", what, (int)width, (int)lua_rawlen(b->L, idx));
  for (unsigned i = 0; i < width; i++) {
    ldr_column c = l_column_of(&b->e->fields[cols[i]]);
    ldr_code code;
    lua_rawgeti(b->L, idx, (int)i + 1);
    code = l_value_operand(b->L, lua_gettop(b->L), &c, b->w, &v[i]);
    lua_pop(b->L, 1);
    if (code != LDR_OK) return code;
  }
  return LDR_OK;
}

static ldr_code get_keys(l_builder *b, int idx, const ldr_pred **out) {
  uint32_t n = (uint32_t)lua_rawlen(b->L, idx);
  ldr_pred *p = l_pred_new(b, LDR_P_KEYS, 0);
  const uint16_t *cols;
  unsigned width;
  ldr_value *v;
  ldr_code code = LDR_OK;
  if (p == NULL) return ldr_fail_nomem(&b->w->err);
  lua_getfield(b->L, idx, "fields");
  if (!lua_isnil(b->L, -1)) code = get_cols(b, lua_gettop(b->L), p);
  lua_pop(b->L, 1);
  if (code != LDR_OK) return code;
  cols = ldr_pred_cols(b->e, p, &width);
  v = ldr_arena_alloc(&b->w->arena, (size_t)n * width * sizeof *v);
  if (v == NULL) return ldr_fail_nomem(&b->w->err);
  for (uint32_t i = 0; i < n; i++) {
    lua_rawgeti(b->L, idx, (int)i + 1);
    code = get_key(b, lua_gettop(b->L), i + 1, cols, width, v + (size_t)i * width);
    lua_pop(b->L, 1);
    if (code != LDR_OK) return code;
  }
  p->values = v;
  p->n = n;
  *out = p;
  return LDR_OK;
}

/* { kind = "matches", path = larder.path(…), value = as beside a field } */
static ldr_code get_matches(l_builder *b, int idx, const ldr_pred **out) {
  l_preds l = {0};
  ldr_expr *x;
  bool typed;
  ldr_code code;
  lua_getfield(b->L, idx, "path");
  if (!l_is_expr(b->L, lua_gettop(b->L)))
    l_work_misuse(b->L, b->w, "larder.matches takes a larder.path, larder.field or a function of one");
  code = l_expr_get(b, lua_gettop(b->L), &x, &typed);
  if (code != LDR_OK) return code;
  lua_getfield(b->L, idx, "value");
  code = l_pred_expr(b, x, typed, lua_gettop(b->L), &l);
  lua_pop(b->L, 2);
  return code == LDR_OK ? l_preds_join(b, LDR_P_AND, &l, out) : code;
}

static const struct {
  const char *kind;
  ldr_code (*get)(l_builder *b, int idx, const ldr_pred **out);
} kinds[] = {
    {"any", get_any},       {"all", get_all},   {"not", get_not},
    {"exists", get_exists}, {"keys", get_keys}, {"matches", get_matches},
};

static ldr_code get_pred(l_builder *b, int idx, const ldr_pred **out) {
  const char *kind;
  lua_getfield(b->L, idx, "kind");
  kind = lua_type(b->L, -1) == LUA_TSTRING ? lua_tostring(b->L, -1) : "";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].kind, kind) != 0) continue;
    lua_pop(b->L, 1);
    return kinds[i].get(b, idx, out);
  }
  return l_work_misuse(b->L, b->w, "there is no predicate of kind '%s'", kind), LDR_INTERNAL;
}

static ldr_code get(l_builder *b, int idx, const ldr_pred **out) {
  ldr_code code;
  if (!lua_istable(b->L, idx))
    l_work_misuse(b->L, b->w, "a condition must be a table, not a %s", luaL_typename(b->L, idx));
  if (b->depth == MAX_DEPTH) return ldr_fail(&b->w->err, LDR_INVALID, "where is nested too deeply");
  luaL_checkstack(b->L, 16, NULL);
  b->depth++;
  code = l_has_mt(b->L, idx, L_PRED_MT) ? get_pred(b, idx, out) : get_plain(b, idx, out);
  b->depth--;
  return code;
}

/* Stack index of the table of names at hand when it is that of e, which the result of an aggregate has not;
 * else 0.
 */
static int names_of(lua_State *L, const l_work *w, const ldr_entity *e) {
  int names = l_at(w)->names;
  bool own;
  if (!lua_istable(L, names)) return 0;
  lua_rawgeti(L, names, L_NAMES_ENTITY);
  own = lua_touserdata(L, -1) == (const void *)e;
  lua_pop(L, 1);
  return own ? names : 0;
}

l_builder l_builder_of(lua_State *L, l_work *w, const ldr_entity *e) {
  return (l_builder){
      .L = L, .w = w, .e = e, .sources = &w->op->sources, .names = names_of(L, w, e), .related = related_row};
}

ldr_code l_where_get(lua_State *L, int idx, l_work *w, const ldr_entity *e, const ldr_pred **out) {
  l_builder b = l_builder_of(L, w, e);
  *out = NULL;
  return lua_isnil(L, idx) ? LDR_OK : get(&b, lua_absindex(L, idx), out);
}

ldr_code l_where_key(l_work *w, const ldr_entity *e, const ldr_value *values, const ldr_pred **out) {
  l_builder b = {.w = w, .e = e};
  l_preds l = {0};
  for (unsigned i = 0; i < e->key.n; i++) {
    ldr_pred *p = l_pred_new(&b, LDR_P_EQ, e->key.field[i]);
    if (p == NULL) return ldr_fail_nomem(&w->err);
    p->values = &values[i];
    p->n = 1;
    if (l_preds_add(&b, &l, p) != LDR_OK) return LDR_CAPACITY;
  }
  return l_preds_join(&b, LDR_P_AND, &l, out);
}
