#ifndef LDR_LUA_ENGINE_STATS_H
#define LDR_LUA_ENGINE_STATS_H

#include "lua/call/owners.h"

int l_engine_stats(lua_State *L); /* engine:stats */

#endif
