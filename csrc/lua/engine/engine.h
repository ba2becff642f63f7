/* Engines as Lua sees them: opening, settings, and the table of methods. */
#ifndef LDR_LUA_ENGINE_ENGINE_H
#define LDR_LUA_ENGINE_ENGINE_H

#include "lua/base/compat.h"

void l_engine_open(lua_State *L);
int l_memory(lua_State *L);         /* core.memory */
int l_postgres(lua_State *L);       /* core.postgres */
int l_parse_conninfo(lua_State *L); /* core.parse_conninfo */

#endif
