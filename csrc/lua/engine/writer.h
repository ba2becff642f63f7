/* The writer box: rows that nobody waits for. */
#ifndef LDR_LUA_ENGINE_WRITER_H
#define LDR_LUA_ENGINE_WRITER_H

#include "lua/call/owners.h"

extern const l_class l_writer_class; /* "larder.writer" */

void l_writer_open(lua_State *L);
int l_writer_new(lua_State *L); /* engine:writer */

#endif
