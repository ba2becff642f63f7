/* Methods of PostgreSQL engines for event loops: work runs in the engine's thread, and is known by completion
 * ids.
 */
#ifndef LDR_LUA_ENGINE_REACTOR_H
#define LDR_LUA_ENGINE_REACTOR_H

#include "lua/base/compat.h"

int l_engine_use_reactor(lua_State *L); /* engine:use_reactor() */
int l_engine_done(lua_State *L);        /* engine:done(t) → n */
int l_engine_wake_fd(lua_State *L);     /* engine:wake_fd() → fd, -1 when there is none */
int l_engine_wake_path(lua_State *L);   /* engine:wake_path() → path | nil, err */

#endif
