/* Lua values ↔ ldr_value. */
#ifndef LDR_LUA_VALUES_VALUE_H
#define LDR_LUA_VALUES_VALUE_H

#include "lua/values/scalar.h"

/* The value at idx as a value of column c; nil and larder.null are NULL. A fault is added to w->err under the
 * column's name. Texts may be borrowed from the Lua string (see w->copy), the rest lies in w's arena. Ranges
 * and UTF-8 are not checked: rows go through ldr_check_row. */
ldr_code l_value_get(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) LDR_MUSTCHECK;
/* The same for a value that only is compared with (keys, where), a parameter or an element: not null, and
 * checked. */
ldr_code l_value_operand(lua_State *L, int idx, const ldr_column *c, l_work *w, ldr_value *out) LDR_MUSTCHECK;

/* Pushes one value; NULL becomes nil. false (nothing pushed): the engine gave bytes that are no such
 * value, or one that Lua cannot have; w->err says why. */
bool l_value_push(lua_State *L, l_work *w, const ldr_value *v);

#endif
