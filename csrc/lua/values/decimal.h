/* larder.decimal: a table { text = normal form } with a metatable of its own, so that a number that is no
 * double keeps its digits; lua/larder/base/decimal.lua gives it operators. */
#ifndef LDR_LUA_VALUES_DECIMAL_H
#define LDR_LUA_VALUES_DECIMAL_H

#include "lua/base/compat.h"

bool l_decimal_is(lua_State *L, int idx);   /* a value, though Lua calls it a table */
bool l_decimal_text(lua_State *L, int idx); /* pushes its text; false (nothing pushed): it is no decimal */
void l_decimal_push(lua_State *L, const char *text, size_t n); /* text: a normal form */

#endif
