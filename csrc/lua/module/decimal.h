/* The functions under larder.decimal. */
#ifndef LDR_LUA_MODULE_DECIMAL_H
#define LDR_LUA_MODULE_DECIMAL_H

#include "lua/base/compat.h"

int l_decimal_normal(lua_State *L);
int l_decimal_add(lua_State *L);
int l_decimal_sub(lua_State *L);
int l_decimal_mul(lua_State *L);
int l_decimal_div(lua_State *L);
int l_decimal_round(lua_State *L);
int l_decimal_cmp(lua_State *L);
int l_decimal_tonumber(lua_State *L);

#endif
