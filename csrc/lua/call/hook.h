/* The test hook: a Lua function that the core calls in the middle of a commit. It runs protected; its error
 * waits until the core has returned. */
#ifndef LDR_LUA_CALL_HOOK_H
#define LDR_LUA_CALL_HOOK_H

#include "lua/call/owners.h"

int l_hook_set(lua_State *L); /* engine:set_hook */

/* Where the hook finds its values, for as long as the C function that armed it runs. */
typedef struct l_armed {
  lua_State *L;
  int base; /* first of its stack slots */
} l_armed;

/* Around a core call that may call the hook. env: stack index of the environment of a box of this engine.
 * disarm raises the hook's error, so everything of C must be in its box by then. */
void l_hook_arm(lua_State *L, l_engine *eng, int env, l_armed *armed);
void l_hook_disarm(lua_State *L, l_engine *eng);

#endif
