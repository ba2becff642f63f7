#include "lua/values/unreadable.h"

#include <stdio.h>

#include "lua/base/error.h"
#include "lua/base/misuse.h"
#include "lua/base/state.h"

bool l_unreadable_push(lua_State *L, l_work *w, const char *column) {
  char why[sizeof w->err.message];
  if (w->err.code != LDR_UNSUPPORTED && w->err.code != LDR_INTERNAL) return false;
  luaL_checkstack(L, 8, NULL);
  snprintf(why, sizeof why, "%s", w->err.message);
  ldr_fail(&w->err, LDR_UNSUPPORTED, "column %s holds a value that cannot be read: %s", column, why);
  ldr_err_set(w->err.column, sizeof w->err.column, column);
  l_newuserdata(L, 1);
  lua_createtable(L, 1, 0);
  l_error_push(L, &w->err, w->store, w->name);
  lua_rawseti(L, -2, 1);
  l_env_set(L, -2);
  l_ref_push(L, L_UNREADABLE_MT);
  lua_setmetatable(L, -2);
  w->err.code = LDR_OK;
  return true;
}

/* Is there one at idx? Then its error is pushed. */
static bool push_error(lua_State *L, int idx) {
  if (lua_type(L, idx) != LUA_TUSERDATA || !l_has_mt(L, idx, L_UNREADABLE_MT)) return false;
  l_env_push(L, idx);
  lua_rawgeti(L, -1, 1);
  return true;
}

/* core.unreadable(v) → err of a value that cannot be read; nil for any other value */
static int unreadable(lua_State *L) { return push_error(L, 1); }

/* Every use of it: reading a member, writing one, its length. */
static int refuse(lua_State *L) {
  if (!push_error(L, 1)) return 0;
  lua_getfield(L, -1, "message");
  return l_misuse(L, "%s; larder.unreadable(value) tells it from others", lua_tostring(L, -1));
}

static int to_text(lua_State *L) {
  if (!push_error(L, 1)) return 0;
  lua_getfield(L, -1, "message");
  lua_pushfstring(L, "unreadable (%s)", lua_tostring(L, -1));
  return 1;
}

void l_unreadable_open(lua_State *L, int module) {
  static const luaL_Reg uses[] = {{"__index", refuse}, {"__newindex", refuse},  {"__len", refuse},
                                  {"__call", refuse},  {"__tostring", to_text}, {NULL, NULL}};
  lua_createtable(L, 0, 8);
  luaL_setfuncs(L, uses, 0);
  lua_pushliteral(L, "larder.unreadable");
  lua_setfield(L, -2, "__name");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  l_ref_set(L, L_UNREADABLE_MT);
  lua_pushcfunction(L, unreadable);
  lua_setfield(L, module, "unreadable");
}
