#include "lua/values/value.h"

#include "lua/base/state.h"
#include "lua/values/array.h"
#include "lua/values/range.h"

ldr_code l_value_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  int type = lua_type(L, idx);
  if (!c->array && (type == LUA_TSTRING || type == LUA_TNUMBER)) return l_scalar_get(L, idx, c, w, out);
  if (l_is_empty(L, idx)) {
    *out = ldr_null();
    return LDR_OK;
  }
  if (type == LUA_TTABLE && l_has_mt(L, idx, L_EXPR_MT))
    return ldr_fail_field(&w->err, c->name, "must be a value: larder.increment and its like are for changes");
  if (c->array) return l_array_get(L, idx, c, w, out);
  if (l_range_is(L, idx, c)) return l_range_get(L, idx, c, w, out);
  return l_scalar_get(L, idx, c, w, out);
}

ldr_code l_value_operand(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) {
  if (l_range_is(L, idx, c)) return l_range_get(L, idx, c, w, out); /* which is checked */
  if (!c->array) return l_scalar_operand(L, idx, c, w, out);
  if (l_is_empty(L, idx)) return ldr_fail_field(&w->err, c->name, "must not be null");
  return l_array_get(L, idx, c, w, out);
}

static bool push_array(lua_State *L, l_work *w, const ldr_value *v) {
  w->err.code = LDR_OK;
  if (l_array_push(L, w, v)) return true;
  if (w->array.broken)
    (void)!ldr_fail_nomem(&w->err);
  else if (w->err.code == LDR_OK)
    ldr_fail(&w->err, LDR_INTERNAL, "an array that is malformed");
  return false;
}

bool l_value_push(lua_State *L, l_work *w, const ldr_value *v) {
  return v->type == LDR_T_ARRAY ? push_array(L, w, v) : l_scalar_push(L, w, v);
}
