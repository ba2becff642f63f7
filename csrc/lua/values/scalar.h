/* Lua values ↔ ldr_value, one at a time: everything but arrays. */
#ifndef LDR_LUA_VALUES_SCALAR_H
#define LDR_LUA_VALUES_SCALAR_H

#include "lua/call/frame.h"
#include "lua/values/json.h"

/* The value at idx, which is not NULL, as a value of column c, whatever c says of arrays. See l_value_get. */
ldr_code l_scalar_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) LDR_MUSTCHECK;
/* The same, not null, and checked. See l_value_operand. */
ldr_code l_scalar_operand(lua_State *L, int idx, const ldr_column *c, l_work *w,
                          ldr_value *out) LDR_MUSTCHECK;

ldr_column l_column_of(const ldr_field *f);

/* RFC 3339 text, or seconds since 1970 as an integer or float. */
bool l_time_get(lua_State *L, int idx, int64_t *us);

/* Pushes one value that is no array. See l_value_push. */
bool l_scalar_push(lua_State *L, l_work *w, const ldr_value *v);
/* The stack index of array_mt, fetched once a call. */
int l_array_mark(lua_State *L, l_work *w);

#endif
