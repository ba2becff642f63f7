/* Ranges from Lua: tables { lower = 1, upper = 5, bounds = "[)" }. Their texts are read as other scalars. */
#ifndef LDR_LUA_VALUES_RANGE_H
#define LDR_LUA_VALUES_RANGE_H

#include "lua/call/frame.h"

/* Is c of ranges, and the value at idx a table with one of lower, upper and bounds? */
bool l_range_is(lua_State *L, int idx, const ldr_column *c);
/* That table as a value that is checked, too. */
ldr_code l_range_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) LDR_MUSTCHECK;
/* What a range of c is to contain: a range, or one value, which is the range of it alone. */
ldr_code l_range_contained(lua_State *L, int idx, const ldr_column *c, l_work *w,
                           ldr_value *out) LDR_MUSTCHECK;

#endif
