/* SQL arrays: sequences of any dimension, with larder.null for NULL elements. */
#ifndef LDR_LUA_VALUES_ARRAY_H
#define LDR_LUA_VALUES_ARRAY_H

#include "lua/values/scalar.h"

/* Elements of json arrays may be tables themselves, so those have one dimension. */
ldr_code l_array_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) LDR_MUSTCHECK;
bool l_array_push(lua_State *L, l_work *w, const ldr_value *v);

#endif
