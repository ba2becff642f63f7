#include "lua/base/table.h"

#include <string.h>

#include "lua/base/int.h"

bool l_table_plain(lua_State *L, int idx) {
  static const char *const hiding[] = {"__index", "__pairs", "__ipairs", "__len"};
  bool plain = true;
  if (!lua_getmetatable(L, idx)) return true;
  for (int i = 0; i < 4 && plain; i++) {
    lua_pushstring(L, hiding[i]);
    lua_rawget(L, -2);
    plain = lua_isnil(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return plain;
}

typedef enum fault { NONE, KEY, HOLE } fault;

/* What is wrong with the key at idx in a table of this shape whose length is n? Positions are counted. */
static fault check_key(lua_State *L, int idx, l_shape shape, size_t n, size_t *positions) {
  int64_t i;
  if (lua_type(L, idx) == LUA_TSTRING) return shape & L_RECORD ? NONE : KEY;
  if (!(shape & L_LIST) || lua_type(L, idx) != LUA_TNUMBER || !l_int_get(L, idx, &i) || i < 1) return KEY;
  ++*positions;
  return (uint64_t)i <= n ? NONE : HOLE;
}

/* Other than NONE: the key at fault may lie on the stack. */
static fault find_fault(lua_State *L, int idx, l_shape shape) {
  size_t n = lua_rawlen(L, idx), positions = 0;
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    fault f;
    lua_pop(L, 1);
    f = check_key(L, lua_gettop(L), shape, n, &positions);
    if (f != NONE) return f;
  }
  return (shape & L_LIST) && positions != n ? HOLE : NONE;
}

long l_sequence(lua_State *L, int idx) {
  int top = lua_gettop(L);
  fault f;
  if (lua_rawlen(L, idx) > INT32_MAX || !l_table_plain(L, idx)) return -1;
  luaL_checkstack(L, 4, NULL);
  idx = lua_absindex(L, idx);
  f = find_fault(L, idx, L_LIST);
  lua_settop(L, top);
  return f == NONE ? (long)lua_rawlen(L, idx) : -1;
}

/* The key on top as messages write it: 'sku', 3, or its type. */
static const char *key_text(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING) return lua_pushfstring(L, "'%s'", lua_tostring(L, -1));
  if (lua_type(L, -1) != LUA_TNUMBER) return lua_pushfstring(L, "(a %s)", luaL_typename(L, -1));
  lua_pushvalue(L, -1);
  return lua_tostring(L, -1);
}

static const char *noun(l_shape shape) { return shape == L_LIST ? "a list" : "a table"; }

static const char *key_fault(lua_State *L, l_shape shape) {
  const char *key = key_text(L);
  if (shape == L_LIST)
    return lua_pushfstring(L, "must be a list with the keys 1 to n, but has the key %s", key);
  if (shape == L_RECORD) return lua_pushfstring(L, "must have names as its keys, but has the key %s", key);
  return lua_pushfstring(L, "has the key %s, which is no name and does not follow from 1", key);
}

unsigned l_name_among(lua_State *L, int idx, const char *const *names, unsigned n) {
  const char *s = lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : NULL;
  unsigned i = 0;
  while (i < n && (s == NULL || names[i] == NULL || strcmp(s, names[i]) != 0)) i++;
  return i;
}

const char *l_shape_fault(lua_State *L, int idx, l_shape shape) {
  int top = lua_gettop(L);
  fault f;
  luaL_checkstack(L, 8, NULL);
  idx = lua_absindex(L, idx);
  if (!lua_istable(L, idx))
    return lua_pushfstring(L, "must be %s, not a %s", noun(shape),
                           lua_isnil(L, idx) ? "nil" : luaL_typename(L, idx));
  if (!l_table_plain(L, idx))
    return lua_pushfstring(L, "has a metatable that hides what it holds (a proxy?): hand over a plain table");
  f = shape == L_TABLE ? NONE : find_fault(L, idx, shape);
  if (f == NONE) return NULL;
  if (f == HOLE)
    lua_pushliteral(L, "has a hole: a nil stands among its elements");
  else
    key_fault(L, shape);
  lua_insert(L, top + 1);
  lua_settop(L, top + 1);
  return lua_tostring(L, -1);
}
