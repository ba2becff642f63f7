/* What calls run as: see ldr_context. */
#ifndef LDR_LUA_CALL_CONTEXT_H
#define LDR_LUA_CALL_CONTEXT_H

#include "lua/call/owners.h"

int l_context_new(lua_State *L); /* engine:context */
/* The context at idx, borrowed from its box; NULL for nil; raises for anything else. */
ldr_context *l_context_opt(lua_State *L, int idx);
void l_context_open(lua_State *L);

#endif
