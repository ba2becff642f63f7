/* 64-bit integers: Lua 5.4's own, or on LuaJIT a number up to 2^53 and an int64 cdata beyond. */
#ifndef LDR_LUA_BASE_INT_H
#define LDR_LUA_BASE_INT_H

#include "lua/base/compat.h"

void l_int_open(lua_State *L); /* after l_state_open */

/* An integer, a float with an integral value, or a 64-bit cdata (unsigned ones when they fit). false: it is
 * something else or does not fit. On LuaJIT a cdata is read by a Lua helper, which may raise. */
bool l_int_get(lua_State *L, int idx, int64_t *out);
void l_int_push(lua_State *L, int64_t i);

/* An option or argument that must be an integer; raises. */
int64_t l_int_check(lua_State *L, int idx, const char *what);

#endif
