/* Misuse of a store's method: what was handed over is not what the method takes. All raise, at the caller's
 * line, and name store and method. */
#ifndef LDR_LUA_VALUES_STRICT_H
#define LDR_LUA_VALUES_STRICT_H

#include "lua/base/misuse.h"
#include "lua/base/table.h"
#include "lua/call/frame.h"

#define l_work_misuse(L, w, ...) l_misuse_in((L), (w)->store, (w)->name, __VA_ARGS__)

/* Raises "shop.items:list: columns must be a list, not a number" unless the value has the shape. */
void l_shape_check(lua_State *L, const l_work *w, int idx, l_shape shape, const char *what);
/* The same for a list; returns its length. */
unsigned l_list_check(lua_State *L, const l_work *w, int idx, const char *what);

/* Adds "name is not a field of store" to w->err, with the field that was probably meant. */
ldr_code l_no_field(l_work *w, const ldr_entity *e, const char *name);

#endif
