/* Transactions and sessions as Lua sees them. */
#ifndef LDR_LUA_ENGINE_TRANSACTION_H
#define LDR_LUA_ENGINE_TRANSACTION_H

#include "lua/base/compat.h"

void l_ctx_open(lua_State *L);
int l_ctx_begin(lua_State *L);   /* engine:begin */
int l_ctx_session(lua_State *L); /* engine:session */

#endif
