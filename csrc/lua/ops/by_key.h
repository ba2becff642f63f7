/* get_many: rows in the order of the keys that asked for them. */
#ifndef LDR_LUA_OPS_BY_KEY_H
#define LDR_LUA_OPS_BY_KEY_H

#include "lua/ops/op.h"

/* Makes the select answer by key: its condition holds a list of keys, and the fields of the key are fetched
 * too. Misuse raises. */
ldr_code l_op_by_key(l_opargs *a) LDR_MUSTCHECK;
int l_finish_by_key(lua_State *L, l_work *w); /* rows, false where a key has none */

#endif
