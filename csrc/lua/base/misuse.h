/* Misuse raises, and says where: at the caller's line, not inside of larder's own Lua files. */
#ifndef LDR_LUA_BASE_MISUSE_H
#define LDR_LUA_BASE_MISUSE_H

#include "lua/base/compat.h"

/* Raises "file:line: text" with the place of the innermost Lua function that is not one of larder's. Takes
 * the formats of lua_pushfstring. Never returns; declared int for `return l_misuse(…)`. */
int l_misuse(lua_State *L, const char *fmt, ...);

/* The same in a method of a store: "shop.items:find: text"; store or method NULL: left out. */
int l_misuse_in(lua_State *L, const char *store, const char *method, const char *fmt, ...);

/* Pushes "; did you mean count?" with the name that was probably meant, or "" when none is near. Of names[0 …
 * n-1] some may be NULL. */
const char *l_hint_push(lua_State *L, const char *name, const char *const *names, unsigned n);

/* Pushes "file:line: " of that function; "" when there is none. */
void l_caller_push(lua_State *L);

/* Adds misuse(text), caller(), own(prefix), shape_fault(t, shape), options_fit(opts, kinds) and
 * nearest(name, names) to the module table. */
void l_misuse_open(lua_State *L, int module);

#endif
