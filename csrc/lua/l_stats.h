#ifndef LDR_L_STATS_H
#define LDR_L_STATS_H

#include "l_engine.h"

int l_engine_stats(lua_State *L); /* engine:stats */

#endif
