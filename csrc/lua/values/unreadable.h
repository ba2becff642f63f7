/* A value that the database holds and Lua cannot be given (JSON nested beyond all reason): in its row stands
 * an object that raises when it is used, so that the other columns and rows are read all the same and nothing
 * is taken for empty. */
#ifndef LDR_LUA_VALUES_UNREADABLE_H
#define LDR_LUA_VALUES_UNREADABLE_H

#include "lua/call/frame.h"

void l_unreadable_open(lua_State *L, int module); /* adds unreadable(v) → err | nil to the module table */

/* Pushes the object for w->err, in which the column is named. False: memory is short, or the answer as a
 * whole is wrong; nothing is pushed, and w->err stays the call's. */
bool l_unreadable_push(lua_State *L, l_work *w, const char *column);

#endif
