#include "lua/call/hook.h"

/* From armed->base on: the dispatcher, the user's function, its first error. */
enum { DISPATCHER, FUNCTION, ERROR, SLOTS };

typedef struct event {
  const char *point;
  int pid;
} event;

/* Protected: pushing may raise. Stack: function, event. */
static int dispatch(lua_State *L) {
  const event *e = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushstring(L, e->point);
  lua_pushinteger(L, e->pid);
  lua_call(L, 2, 0);
  return 0;
}

/* The core calls this; nothing that can raise may stand outside of the pcall. */
static void on_event(void *ud, const char *point, int backend_pid) {
  l_engine *eng = ud;
  event e = {point, backend_pid};
  const l_armed *a = eng->armed;
  lua_State *L;
  if (a == NULL) return;
  L = a->L;
  lua_pushvalue(L, a->base + DISPATCHER);
  lua_pushvalue(L, a->base + FUNCTION);
  lua_pushlightuserdata(L, &e);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) return;
  if (lua_isnil(L, a->base + ERROR))
    lua_replace(L, a->base + ERROR);
  else
    lua_pop(L, 1);
}

int l_hook_set(lua_State *L) {
  l_engine *eng = l_box_check(L, 1, &l_engine_class);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  if (eng->e == NULL || eng->ops->set_hook == NULL) return 0;
  l_env_push(L, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, L_ENV_HOOK);
  eng->hooked = !lua_isnil(L, 2);
  eng->ops->set_hook(eng->e, eng->hooked ? on_event : NULL, eng);
  return 0;
}

void l_hook_arm(lua_State *L, l_engine *eng, int env, l_armed *a) {
  if (!eng->hooked) return;
  luaL_checkstack(L, SLOTS + 8, NULL);
  a->L = L;
  a->base = lua_gettop(L) + 1;
  lua_pushcfunction(L, dispatch);
  lua_rawgeti(L, env, L_ENV_ENGINE);
  l_env_push(L, -1);
  lua_rawgeti(L, -1, L_ENV_HOOK);
  lua_replace(L, a->base + FUNCTION);
  lua_settop(L, a->base + FUNCTION);
  lua_pushnil(L);
  eng->armed = a;
}

void l_hook_disarm(lua_State *L, l_engine *eng) {
  const l_armed *a = eng->armed;
  if (a == NULL) return;
  eng->armed = NULL;
  if (!lua_isnil(L, a->base + ERROR)) {
    lua_settop(L, a->base + ERROR);
    lua_error(L);
  }
  lua_settop(L, a->base - 1);
}
