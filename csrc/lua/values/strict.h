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

/* Raises "group 2 takes no 'buckt'; did you mean bucket?" where the table at idx has a name that is not among
 * names[0 … n-1]. */
void l_entries_check(lua_State *L, const l_work *w, int idx, const char *what, const char *const *names,
                     unsigned n);
/* The entry `name` of the table at idx, a text, in the arena; *out stays where it is nil. Raises "group 2: as
 * must be a text, not a number". */
ldr_code l_entry_text(lua_State *L, l_work *w, int idx, const char *what, const char *name,
                      const char **out) LDR_MUSTCHECK;
/* The same for a boolean; false where it is nil. */
bool l_entry_bool(lua_State *L, const l_work *w, int idx, const char *what, const char *name);

/* Adds "name is not a field of store" to w->err, with the field that was probably meant. */
ldr_code l_no_field(l_work *w, const ldr_entity *e, const char *name);
/* Adds that a field was to be named by the value at idx, which is no text. */
ldr_code l_no_name(lua_State *L, int idx, l_work *w, const ldr_entity *e);

#endif
