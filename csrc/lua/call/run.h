/* Running an operation. Where its answer is expected to be what the operation gives, a call that blocks makes
 * it between sending and waiting; if the result says otherwise, it is dropped.
 *
 * Making it runs the collector, and so finalizers, which may call the same engine: these find the work
 * settled, as if it had been answered before it made anything. Whatever is raised meanwhile is raised once
 * the work is over. So work never stays under way behind a call that blocks. */
#ifndef LDR_LUA_CALL_RUN_H
#define LDR_LUA_CALL_RUN_H

#include "lua/call/frame.h"

void l_run_open(lua_State *L); /* once a state */

/* Runs w->op, then w->finish. With w->expect the slot `answer` may hold what that pushed. */
int l_work_run(lua_State *L, l_work *w);

#endif
