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

void l_entries_check(lua_State *L, const l_work *w, int idx, const char *what, const char *const *names,
                     unsigned n) {
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const char *entry;
    lua_pop(L, 1);
    if (lua_type(L, -1) != LUA_TSTRING || l_name_among(L, -1, names, n) < n) continue;
    entry = lua_tostring(L, -1);
    l_work_misuse(L, w, "%s takes no '%s'%s", what, entry, l_hint_push(L, entry, names, n));
  }
}

/* Pushes the entry; is it there? What is there must be of the type. */
static bool push_entry(lua_State *L, const l_work *w, int idx, const char *what, const char *name, int type) {
  lua_getfield(L, idx, name);
  if (lua_isnil(L, -1)) return false;
  if (lua_type(L, -1) != type)
    l_work_misuse(L, w, "%s: %s must be a %s, not a %s", what, name,
                  type == LUA_TSTRING ? "text" : lua_typename(L, type), luaL_typename(L, -1));
  return true;
}

ldr_code l_entry_text(lua_State *L, l_work *w, int idx, const char *what, const char *name,
                      const char **out) {
  ldr_code code = LDR_OK;
  if (push_entry(L, w, idx, what, name, LUA_TSTRING)) {
    *out = ldr_arena_copy(&w->arena, lua_tostring(L, -1), lua_rawlen(L, -1));
    if (*out == NULL) code = ldr_fail_nomem(&w->err);
  }
  lua_pop(L, 1);
  return code;
}

bool l_entry_bool(lua_State *L, const l_work *w, int idx, const char *what, const char *name) {
  bool yes = push_entry(L, w, idx, what, name, LUA_TBOOLEAN) && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return yes;
}

ldr_code l_no_name(lua_State *L, int idx, l_work *w, const ldr_entity *e) {
  return ldr_fail(&w->err, LDR_INVALID, "a field of %s is named by a text, not by a %s", e->name,
                  luaL_typename(L, idx));
}

ldr_code l_no_field(l_work *w, const ldr_entity *e, const char *name) {
  ldr_nearest n;
  ldr_nearest_begin(&n, name);
  for (unsigned i = 0; i < e->nfields; i++) ldr_nearest_try(&n, e->fields[i].name);
  if (n.best) return ldr_fail_field(&w->err, name, "is not a field of %s; did you mean %s?", e->name, n.best);
  return ldr_fail_field(&w->err, name, "is not a field of %s", e->name);
}
