/* Which transaction a call belongs to.
 *
 * A transaction belongs to the coroutine that runs its function, for as long as that function runs: the
 * binding holds only while the function's frame is on the coroutine's stack. So nothing is inherited by who
 * gets the same coroutine later (nginx gives the coroutine of a request that ended to the next one), and a
 * coroutine that was closed or killed has no transaction, whatever became of its unbinding.
 *
 * A coroutine that the transaction's coroutine has resumed (an iterator of coroutine.wrap) joins it: its
 * resumer waits, so nothing runs beside it. One that an event loop resumes does not. */
#ifndef LDR_LUA_CALL_SCOPE_H
#define LDR_LUA_CALL_SCOPE_H

#include "lua/call/owners.h"

/* How the running coroutine stands to the engine's transactions. */
typedef enum l_scope {
  L_SCOPE_NONE,
  L_SCOPE_OWN,    /* it runs one */
  L_SCOPE_JOINED, /* the coroutine that resumed it does, and waits */
  L_SCOPE_BESIDE  /* one waits for it, but through an event loop: it is outside of that one's transaction */
} l_scope;

/* Pushes the context (OWN, JOINED), else nothing. env: stack index of an environment that names the engine.
 * In an event loop of nginx it may call Lua. */
l_scope l_scope_find(lua_State *L, l_engine *eng, int env);

int l_scope_bind(lua_State *L);    /* engine:bind */
int l_scope_ambient(lua_State *L); /* engine:ambient */
int l_scope_joined(lua_State *L);  /* engine:joined */
int l_scope_set(lua_State *L);     /* engine:set_scopes */
int l_scope_bound(lua_State *L);   /* engine:bound */
int l_scope_sweep(lua_State *L);   /* engine:sweep */

#endif
