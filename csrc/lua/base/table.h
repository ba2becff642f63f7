/* How a caller's table is read: one way for records, lists and conditions. A table is read raw, so nothing
 * that a metamethod would hand out is seen; a table with such a metamethod is therefore refused, never read
 * as empty. The positions of a list are 1 to n: a hole, or a key beside the sequence, is a fault of the
 * caller. */
#ifndef LDR_LUA_BASE_TABLE_H
#define LDR_LUA_BASE_TABLE_H

#include "lua/base/compat.h"

typedef enum l_shape {
  L_LIST = 1,                      /* positions 1 … n */
  L_RECORD = 2,                    /* names */
  L_CONDITION = L_LIST | L_RECORD, /* both may stand in one table */
  L_TABLE = 4                      /* any keys: only the metatable counts */
} l_shape;

/* Does reading the table at idx raw find all that it holds? False with __index, __pairs, __ipairs or __len.
 */
bool l_table_plain(lua_State *L, int idx);

/* Number of elements when the table at idx is a plain list (keys 1 … n and no other), else -1. */
long l_sequence(lua_State *L, int idx);

/* The number of the text at idx among names[0 … n-1], of which some may be NULL; n: it is none of them. */
unsigned l_name_among(lua_State *L, int idx, const char *const *names, unsigned n);

/* Why the value at idx is no table of this shape ("must be a list, not a number"), which is pushed; NULL: it
 * is one, and nothing is pushed. */
const char *l_shape_fault(lua_State *L, int idx, l_shape shape);

#endif
