/* COPY and scripts, in a session or transaction. They wait inside, whatever the engine's mode. */
#ifndef LDR_LUA_ENGINE_COPY_H
#define LDR_LUA_ENGINE_COPY_H

#include "lua/call/owners.h"

int l_ctx_script(lua_State *L);   /* ctx:script */
int l_ctx_copy_in(lua_State *L);  /* ctx:copy_in */
int l_ctx_copy_out(lua_State *L); /* ctx:copy_out */

#endif
