/* A store: one entity on one engine. */
#ifndef LDR_LUA_STORE_STORE_H
#define LDR_LUA_STORE_STORE_H

#include "lua/ops/args.h"
#include "lua/store/handle.h"

/* What an operation of the store is built from; the caller adds w. */
l_opargs l_store_args(lua_State *L, const l_store *s);

int l_store_new(lua_State *L); /* engine:store(schema, name [, context]) */
void l_store_open(lua_State *L);

#endif
