#include "lua/values/range.h"

#include <string.h>

#include "lua/base/state.h"
#include "lua/base/table.h"
#include "lua/values/scalar.h"

static const char *const KEYS[] = {"lower", "upper", "bounds"};
enum { NKEYS = 3 };

static ldr_code fault(l_work *w, const ldr_column *c, const char *text) {
  return ldr_fail_field(&w->err, c->name, "%s", text);
}

static bool has_one_of_keys(lua_State *L, int idx) {
  bool found = false;
  idx = lua_absindex(L, idx);
  for (unsigned i = 0; i < NKEYS && !found; i++) {
    lua_pushstring(L, KEYS[i]);
    lua_rawget(L, idx);
    found = !lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  return found;
}

bool l_range_is(lua_State *L, int idx, const ldr_column *c) {
  return !c->array && ldr_ftype_is_range(c->type) && lua_istable(L, idx) && has_one_of_keys(L, idx);
}

static ldr_code keep(l_work *w, const ldr_column *c, const ldr_range *r, ldr_value *out) {
  const char *p, *why;
  ldr_buf_reset(&w->buf);
  why = ldr_range_add(*r, &w->buf);
  if (w->buf.broken) return ldr_fail_nomem(&w->err);
  if (why) return fault(w, c, why);
  p = ldr_buf_copy(&w->buf, &w->arena);
  if (p == NULL) return ldr_fail_nomem(&w->err);
  *out = ldr_bytes_of(LDR_T_RANGE, p, w->buf.n);
  return LDR_OK;
}

/* A value of the element's type. */
static ldr_code get_element(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_bound *b) {
  ldr_column element = {.name = c->name, .type = ldr_ftype_range_element(c->type)};
  ldr_value v;
  ldr_code code = l_scalar_operand(L, idx, &element, w, &v);
  if (code != LDR_OK) return code;
  b->ends = true;
  if (ldr_type_counts(v.type)) {
    b->i = v.u.i;
  } else {
    b->p = v.u.p;
    b->n = v.n;
  }
  return LDR_OK;
}

/* A member of the table at idx; none, or larder.null, is a bound without end. */
static ldr_code get_bound(lua_State *L, int idx, const char *key, const ldr_column *c, l_work *w,
                          ldr_bound *b) {
  ldr_code code = LDR_OK;
  lua_pushstring(L, key);
  lua_rawget(L, idx);
  if (!l_is_empty(L, -1)) code = get_element(L, lua_gettop(L), c, w, b);
  lua_pop(L, 1);
  return code;
}

/* "[)" where the table says nothing. */
static bool get_brackets(lua_State *L, int idx, ldr_range *r) {
  const char *s = "[)";
  size_t n = 2;
  lua_pushliteral(L, "bounds");
  lua_rawget(L, idx);
  if (lua_type(L, -1) == LUA_TSTRING)
    s = lua_tolstring(L, -1, &n); /* the table holds it */
  else if (!lua_isnil(L, -1))
    n = 0;
  lua_pop(L, 1);
  if (n != 2 || (s[0] != '[' && s[0] != '(') || (s[1] != ']' && s[1] != ')')) return false;
  r->lower.inclusive = s[0] == '[';
  r->upper.inclusive = s[1] == ']';
  return true;
}

static bool has_other_keys(lua_State *L, int idx) {
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    lua_pop(L, 1);
    if (l_name_among(L, lua_gettop(L), KEYS, NKEYS) < NKEYS) continue;
    lua_pop(L, 1);
    return true;
  }
  return false;
}

ldr_code l_range_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_range r = {.kind = ldr_ftype_range_kind(c->type)};
  ldr_code code;
  idx = lua_absindex(L, idx);
  if (!lua_checkstack(L, 8)) return ldr_fail_nomem(&w->err);
  if (!l_table_plain(L, idx) || has_other_keys(L, idx))
    return fault(w, c, "must be a range: a table has lower, upper and bounds, and no other keys");
  if (!get_brackets(L, idx, &r)) return fault(w, c, "has bounds that are none of [) [] () (]");
  code = get_bound(L, idx, "lower", c, w, &r.lower);
  if (code == LDR_OK) code = get_bound(L, idx, "upper", c, w, &r.upper);
  return code == LDR_OK ? keep(w, c, &r, out) : code;
}

/* A text that can only be a range's: no element's begins so. */
static bool looks_like_range(const char *s) {
  s += strspn(s, " \t\n\v\f\r");
  return *s == '[' || *s == '(' || *s == 'e' || *s == 'E';
}

ldr_code l_range_contained(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  ldr_bound one = {0};
  ldr_range r;
  ldr_code code;
  if (l_range_is(L, idx, c)) return l_range_get(L, idx, c, w, out);
  if (lua_type(L, idx) == LUA_TSTRING && looks_like_range(lua_tostring(L, idx)))
    return l_scalar_operand(L, idx, c, w, out);
  code = get_element(L, idx, c, w, &one);
  if (code != LDR_OK) return code;
  r = ldr_range_of_one(ldr_ftype_range_kind(c->type), one);
  return keep(w, c, &r, out);
}
