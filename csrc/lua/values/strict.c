#include "lua/values/strict.h"

#include "base/nearest.h"

void l_shape_check(lua_State *L, const l_work *w, int idx, l_shape shape, const char *what) {
  const char *why = l_shape_fault(L, idx, shape);
  if (why) l_work_misuse(L, w, "%s %s", what, why);
}

unsigned l_list_check(lua_State *L, const l_work *w, int idx, const char *what) {
  size_t n;
  l_shape_check(L, w, idx, L_LIST, what);
  n = lua_rawlen(L, idx);
  if (n > INT32_MAX) l_work_misuse(L, w, "%s is too long", what);
  return (unsigned)n;
}

ldr_code l_no_field(l_work *w, const ldr_entity *e, const char *name) {
  ldr_nearest n;
  ldr_nearest_begin(&n, name);
  for (unsigned i = 0; i < e->nfields; i++) ldr_nearest_try(&n, e->fields[i].name);
  if (n.best) return ldr_fail_field(&w->err, name, "is not a field of %s; did you mean %s?", e->name, n.best);
  return ldr_fail_field(&w->err, name, "is not a field of %s", e->name);
}
