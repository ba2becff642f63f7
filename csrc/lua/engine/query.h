/* Raw SQL: only PostgreSQL has it. */
#ifndef LDR_LUA_ENGINE_QUERY_H
#define LDR_LUA_ENGINE_QUERY_H

#include "lua/call/frame.h"
#include "lua/call/owners.h"

int l_engine_query(lua_State *L);    /* engine:query */
int l_engine_prepare(lua_State *L);  /* engine:prepare(sql, opts) → true | nil, err */
int l_ctx_query(lua_State *L);       /* ctx:query */
int l_engine_pipeline(lua_State *L); /* engine:pipeline */

/* The values of the params table at idx ({ n = count, … }) for a described statement, in the work's arena. */
ldr_code l_params_get(lua_State *L, int idx, l_work *w, const ldr_stmt *stmt,
                      const ldr_value **out) LDR_MUSTCHECK;

#endif
