/* A transaction or session. */
#ifndef LDR_LUA_ENGINE_TRANSACTION_H
#define LDR_LUA_ENGINE_TRANSACTION_H

#include "lua/engine/engine.h"

typedef struct l_ctx {
  l_child child;
  l_engine *eng; /* anchored by the environment */
  ldr_tx *tx;    /* NULL: over */
} l_ctx;

extern const l_class l_ctx_class;

int l_ctx_begin(lua_State *L);   /* engine:begin */
int l_ctx_session(lua_State *L); /* engine:session */
int l_ctx_ambient(lua_State *L); /* engine:ambient */
int l_ctx_bind(lua_State *L);    /* engine:bind */

#endif
