#include "lua/ops/operand.h"

#include <string.h>

#include "lua/base/int.h"
#include "lua/values/strict.h"

/* ---- fields ---- */

/* The store's own fields are found by the address of Lua's string; -1: it is none. */
static int own_field(lua_State *L, int idx, const l_work *w) {
  int field;
  idx = lua_absindex(L, idx);
  lua_pushvalue(L, idx);
  lua_rawget(L, l_at(w)->names);
  field = lua_type(L, -1) == LUA_TNUMBER ? (int)lua_tointeger(L, -1) - 1 : -1;
  lua_pop(L, 1);
  return field;
}

int l_field_get(lua_State *L, int idx, l_work *w, const ldr_entity *e) {
  const char *name = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;
  int field = -1;
  if (name && w->op && w->op->e == e && lua_istable(L, l_at(w)->names))
    field = own_field(L, idx, w);
  else if (name && strlen(name) == lua_rawlen(L, idx))
    field = ldr_entity_field(e, name, strlen(name));
  if (field < 0) (void)!(name ? l_no_field(w, e, name) : l_no_name(L, idx, w, e));
  return field;
}

/* ---- larder.path(field, step, …) ---- */

static ldr_code faulty(l_work *w, const char *what) {
  return ldr_fail(&w->err, LDR_INVALID, "a path %s", what);
}

/* A step: a member's name, or a place in an array as Lua counts, from 1, or from the end. */
static ldr_code get_step(lua_State *L, int idx, l_work *w, ldr_value *out) {
  ldr_column c = {.name = "path", .type = LDR_F_TEXT};
  ldr_buf digits = {0};
  const char *text;
  int64_t i;
  if (lua_type(L, idx) != LUA_TNUMBER) return l_value_operand(L, idx, &c, w, out);
  if (!l_int_get(L, idx, &i) || i == 0)
    return faulty(w, "counts the places of an array from 1, or from -1 at its end");
  ldr_buf_fmt(&digits, "%lld", (long long)(i > 0 ? i - 1 : i));
  text = ldr_buf_copy(&digits, &w->arena);
  *out = ldr_text(text, digits.n);
  ldr_buf_free(&digits);
  return text ? LDR_OK : ldr_fail_nomem(&w->err);
}

/* "metadata.theme" */
static const char *name_of(l_work *w, const ldr_entity *e, const ldr_expr *p) {
  ldr_buf name = {0};
  const char *copy;
  ldr_buf_str(&name, e->fields[p->field].name);
  for (unsigned i = 0; i < p->n; i++) {
    ldr_buf_chr(&name, '.');
    ldr_buf_add(&name, p->values[i].u.p, p->values[i].n);
  }
  copy = ldr_buf_copy(&name, &w->arena);
  ldr_buf_free(&name);
  return copy;
}

static ldr_code get_steps(lua_State *L, int idx, l_work *w, ldr_expr *p) {
  size_t n = lua_rawlen(L, idx);
  ldr_value *steps;
  if (n == 0 || n > LDR_MAX_PATH) return faulty(w, "has 1 to 32 steps behind the field");
  steps = ldr_arena_alloc(&w->arena, n * sizeof *steps);
  if (steps == NULL) return ldr_fail_nomem(&w->err);
  for (size_t i = 0; i < n; i++) {
    ldr_code code;
    lua_rawgeti(L, idx, (int)i + 1);
    code = get_step(L, lua_gettop(L), w, &steps[i]);
    lua_pop(L, 1);
    if (code != LDR_OK) return code;
  }
  p->values = steps;
  p->n = (unsigned)n;
  return LDR_OK;
}

void l_path_type(ldr_expr *p, ldr_ftype type) {
  p->as.type = type;
  p->as.value_type = ldr_ftype_get(type)->type;
  p->as.null = true;
}

/* The type that the path says; text when it says none. */
static ldr_code get_type(lua_State *L, int idx, l_work *w, ldr_expr *p, bool *typed) {
  static const ldr_ftype types[] = {LDR_F_TEXT, LDR_F_NUMERIC, LDR_F_BOOL, LDR_F_JSONB};
  lua_getfield(L, idx, "type");
  *typed = !lua_isnil(L, -1);
  l_path_type(p, LDR_F_TEXT);
  for (unsigned i = 0; *typed && i < 4; i++) {
    if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), ldr_ftype_get(types[i])->name) != 0)
      continue;
    l_path_type(p, types[i]);
    lua_pop(L, 1);
    return LDR_OK;
  }
  lua_pop(L, 1);
  return *typed ? faulty(w, "is text, numeric, bool or jsonb") : LDR_OK;
}

ldr_code l_path_get(lua_State *L, int idx, l_work *w, const ldr_entity *e, ldr_expr **out, bool *typed) {
  ldr_expr *p = ldr_arena_zalloc(&w->arena, sizeof *p);
  int field;
  ldr_code code;
  if (p == NULL) return ldr_fail_nomem(&w->err);
  idx = lua_absindex(L, idx);
  lua_getfield(L, idx, "field");
  field = l_field_get(L, -1, w, e);
  lua_pop(L, 1);
  if (field < 0) return w->err.code;
  if (e->fields[field].type != LDR_F_JSONB || e->fields[field].array)
    return ldr_fail_field(&w->err, e->fields[field].name, "is not jsonb: no path leads into it");
  p->kind = LDR_X_PATH;
  p->field = (uint16_t)field;
  code = get_steps(L, idx, w, p);
  if (code == LDR_OK) code = get_type(L, idx, w, p, typed);
  if (code != LDR_OK) return code;
  p->as.name = name_of(w, e, p);
  *out = p;
  return p->as.name ? LDR_OK : ldr_fail_nomem(&w->err);
}
