/* Boxes: userdata that own something of C. A box is born closed (zeroed, with its metatable), so that a Lua
 * error at any later point leaves nothing behind: first the box, then the core call, then `box->x = result`.
 *
 * Closing is one function for close(), __gc and __close: it frees what the payload holds and leaves it as it
 * was born, so that a second call does nothing. It never waits, never calls Lua and never raises. */
#ifndef LDR_LUA_BASE_HANDLE_H
#define LDR_LUA_BASE_HANDLE_H

#include "lua/base/compat.h"

typedef struct l_class {
  const char *name; /* "larder.engine": in argument errors and tostring */
  size_t size;      /* of the payload */
  void (*close)(void *payload);
} l_class;

/* Once a state, before the first box, by the file that has the methods. */
void l_class_register(lua_State *L, const l_class *c, const luaL_Reg *methods);

void *l_box_new(lua_State *L, const l_class *c);           /* pushes it; returns the zeroed payload */
void *l_box_test(lua_State *L, int idx, const l_class *c); /* NULL when it is something else */
void *l_box_check(lua_State *L, int idx, const l_class *c);

#endif
