/* get and exists of a store on the memory engine without a detour: functions that know their store, take the
 * simple calls themselves and leave every other one to the method in Lua. */
#ifndef LDR_LUA_STORE_DIRECT_H
#define LDR_LUA_STORE_DIRECT_H

#include "lua/base/compat.h"

/* cstore:direct(store, name, method) → function; store: what it will be called on, method: what it replaces
 */
int l_direct(lua_State *L);

#endif
