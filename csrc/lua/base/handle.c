#include "lua/base/handle.h"

#include <string.h>

/* The registry wants a pointer to non-const; it is only ever a key. */
static void *key_of(const l_class *c) { return (void *)(uintptr_t)c; }

static const l_class *class_upvalue(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

static int box_gc(lua_State *L) {
  class_upvalue(L)->close(lua_touserdata(L, 1));
  return 0;
}

static int box_tostring(lua_State *L) {
  lua_pushfstring(L, "%s: %p", class_upvalue(L)->name, lua_topointer(L, 1));
  return 1;
}

/* metatable[name] = f, a closure over the class */
static void set_meta(lua_State *L, const l_class *c, const char *name, lua_CFunction f) {
  lua_pushlightuserdata(L, key_of(c));
  lua_pushcclosure(L, f, 1);
  lua_setfield(L, -2, name);
}

void l_class_register(lua_State *L, const l_class *c, const luaL_Reg *methods) {
  lua_createtable(L, 0, 6); /* mt */
  lua_newtable(L);          /* mt, methods */
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, c->name);
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0); /* getmetatable(box) must not hand out __gc */
  lua_setfield(L, -2, "__metatable");
  set_meta(L, c, "__gc", box_gc);
  set_meta(L, c, "__close", box_gc);
  set_meta(L, c, "__tostring", box_tostring);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key_of(c));
}

/* Behind its payload a box says of which class it is. That is quicker to read than its metatable is to find,
 * and debug.setmetatable does not change it. */
static size_t room(const l_class *c) { return (c->size + sizeof c - 1) / sizeof c * sizeof c; }

void *l_box_new(lua_State *L, const l_class *c) {
  char *p = l_newuserdata(L, room(c) + sizeof c);
  memset(p, 0, c->size);
  memcpy(p + room(c), &c, sizeof c);
  lua_rawgetp(L, LUA_REGISTRYINDEX, key_of(c));
  lua_setmetatable(L, -2);
  return p;
}

void *l_box_test(lua_State *L, int idx, const l_class *c) {
  char *p;
  if (lua_type(L, idx) != LUA_TUSERDATA || lua_rawlen(L, idx) != room(c) + sizeof c) return NULL;
  p = lua_touserdata(L, idx);
  return memcmp(p + room(c), &c, sizeof c) == 0 ? p : NULL;
}

void *l_box_check(lua_State *L, int idx, const l_class *c) {
  void *p = l_box_test(L, idx, c);
  if (p == NULL) luaL_argerror(L, idx, lua_pushfstring(L, "%s expected", c->name));
  return p;
}
