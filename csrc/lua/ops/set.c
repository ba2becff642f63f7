/* Set tables of update and upsert: { field = value | expr }. */
#include <string.h>

#include "lua/base/int.h"
#include "lua/base/state.h"
#include "lua/ops/args.h"
#include "lua/values/strict.h"
#include "model/validate.h"

static const struct {
  const char *name;
  ldr_set_kind kind;
  bool excluded, takes_value;
} kinds[] = {
    {"default", LDR_SET_DEFAULT, false, false},  {"increment", LDR_SET_INCREMENT, false, true},
    {"append", LDR_SET_APPEND, false, true},     {"merge", LDR_SET_MERGE, false, true},
    {"coalesce", LDR_SET_COALESCE, false, true}, {"greatest", LDR_SET_GREATEST, false, true},
    {"excluded", LDR_SET_VALUE, true, false},
};
enum { NKINDS = sizeof kinds / sizeof *kinds };

/* deeper of a merge. The levels are part of the statement, so they are made from a value that is at hand. */
static ldr_code get_levels(l_opargs *a, int idx, const ldr_column *c, ldr_set *s) {
  lua_getfield(a->L, idx, "deeper");
  s->deeper = lua_isnil(a->L, -1) ? 0 : (unsigned)l_int_check(a->L, -1, "deeper");
  lua_pop(a->L, 1);
  if (s->deeper == 0) return LDR_OK;
  if (s->excluded) l_work_misuse(a->L, a->w, "a deep merge takes its own value, not larder.excluded");
  if (s->value.type != LDR_T_JSON)
    return ldr_fail_field(&a->w->err, c->name, "must be a JSON object to merge");
  return ldr_merge_read(&s->value, s->deeper, &a->w->arena, &s->levels, &a->w->err);
}

/* The expr table at idx: { kind =, value =, excluded = true }. */
static ldr_code get_expr(l_opargs *a, int idx, const ldr_column *c, ldr_set *s) {
  lua_State *L = a->L;
  const char *kind, *why;
  unsigned i = 0;
  ldr_code code = LDR_OK;
  lua_getfield(L, idx, "kind");
  kind = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(none)";
  while (i < NKINDS && strcmp(kinds[i].name, kind) != 0) i++;
  if (i == NKINDS) l_work_misuse(L, a->w, "there is no expression of kind '%s'", kind);
  lua_getfield(L, idx, "excluded");
  s->kind = kinds[i].kind;
  s->excluded = kinds[i].excluded || lua_toboolean(L, -1);
  if (s->excluded && a->w->op->kind != LDR_OP_INSERT)
    l_work_misuse(L, a->w, "only an insert has an excluded row");
  why = ldr_set_fault(&a->e->fields[s->field], s->kind); /* before the value is read: it would be blamed */
  if (why) {
    lua_settop(L, idx);
    return ldr_fail_field(&a->w->err, c->name, "%s", why);
  }
  if (kinds[i].takes_value && !s->excluded) {
    lua_getfield(L, idx, "value");
    code = l_value_get(L, lua_gettop(L), c, a->w, &s->value);
  }
  if (code == LDR_OK && s->kind == LDR_SET_MERGE) code = get_levels(a, idx, c, s);
  lua_settop(L, idx);
  return code;
}

static ldr_code get_set(l_opargs *a, int idx, unsigned field, ldr_set *s) {
  ldr_column c = l_column_of(&a->e->fields[field]);
  s->field = (uint16_t)field;
  if (l_has_mt(a->L, idx, L_EXPR_MT)) return get_expr(a, idx, &c, s);
  return l_value_get(a->L, idx, &c, a->w, &s->value);
}

/* By field: Lua visits a table in any order, but one update should have one statement. */
static void sort(ldr_set *sets, unsigned n) {
  for (unsigned i = 1; i < n; i++) {
    ldr_set s = sets[i];
    unsigned k = i;
    for (; k > 0 && sets[k - 1].field > s.field; k--) sets[k] = sets[k - 1];
    sets[k] = s;
  }
}

/* Checks what was read and adds the stamps. */
static ldr_code finish(l_opargs *a, ldr_set *sets, unsigned n) {
  unsigned all = n;
  ldr_code code;
  sort(sets, n);
  code = ldr_check_sets(a->e, sets, &all, a->now, &a->w->arena, &a->w->err);
  if (code != LDR_OK) return code;
  a->w->op->sets = sets;
  while (a->keep_stamps && all > n && sets[all - 1].kind == LDR_SET_VALUE)
    all--; /* stamps of time come last */
  a->w->op->nsets = all;
  return LDR_OK;
}

static ldr_set *new_sets(l_opargs *a) { /* room for every field, and every stamp beside */
  return ldr_arena_zalloc(&a->w->arena, 2 * (size_t)a->e->nfields * sizeof(ldr_set));
}

ldr_code l_op_sets(l_opargs *a, int idx) {
  static const char what[] = "the table of changes"; /* the check says what is wrong, and raises */
  lua_State *L = a->L;
  ldr_set *sets = new_sets(a);
  unsigned n = 0;
  bool bad = false;
  if (sets == NULL) return ldr_fail_nomem(&a->w->err);
  if (!lua_istable(L, idx) || !l_table_plain(L, idx)) l_shape_check(L, a->w, idx, L_RECORD, what);
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    int field;
    ldr_code code;
    if (lua_type(L, -2) != LUA_TSTRING) l_shape_check(L, a->w, idx, L_RECORD, what);
    field = l_field_get(L, -2, a->w, a->e);
    code = field < 0 ? a->w->err.code : get_set(a, lua_gettop(L), (unsigned)field, &sets[n++]);
    if (code == LDR_CAPACITY) return code;
    bad = bad || code != LDR_OK;
    lua_pop(L, 1);
  }
  return bad ? LDR_INVALID : finish(a, sets, n);
}

ldr_code l_op_sets_excluded(l_opargs *a, const bool *named) {
  const ldr_entity *e = a->e;
  ldr_set *sets = new_sets(a);
  unsigned n = 0;
  if (sets == NULL) return ldr_fail_nomem(&a->w->err);
  for (unsigned i = 0; i < e->nfields; i++) {
    if (!named[i] || e->fields[i].immutable || e->fields[i].version || ldr_entity_in_key(e, i)) continue;
    sets[n++] = (ldr_set){.field = (uint16_t)i, .kind = LDR_SET_VALUE, .excluded = true};
  }
  return finish(a, sets, n);
}
